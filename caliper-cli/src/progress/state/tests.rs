use caliper_core::facts::record::{Run, TestOutcome, TestRecord};
use caliper_core::names::Sha256;

use super::*;

pub(in crate::progress) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The record of a cell such as `1.0/3.11` in which the test `unit` ended in this way and printed `error`.
pub(in crate::progress) fn record(cell: &str, outcome: TestOutcome, error: &str) -> Record {
    let id = cell.parse().unwrap();
    let (tested, now) = (CellOutcome::Tested, std::time::SystemTime::UNIX_EPOCH.into());
    let mut record = Record::new(&id, Sha256::of(b""), "local", tested, now);
    let mut run = Run::new(1, outcome);
    run.error = error.to_owned();
    run.nanoseconds = 2_000_000_000;
    record.add_run(&TestRecord::new("unit", ["unit"]), run);
    record
}

pub(in crate::progress) fn finished(cell: &str, outcome: TestOutcome) -> Event {
    Event::CellFinished { record: Box::new(record(cell, outcome, "")) }
}

pub(in crate::progress) fn round(cells: usize) -> Event {
    Event::RoundStarted {
        round: 1,
        purpose: RoundPurpose::Measure,
        cells,
        to_measure: cells,
        from_source: 0,
        environments: cells,
        runs: [("unit".to_owned(), cells)].into(),
    }
}

pub(in crate::progress) fn run(cells: usize, jobs: usize) -> [Event; 2] {
    let started = Event::RunStarted {
        schema: 2,
        run: "r".to_owned(),
        backend: "local".to_owned(),
        analysis: "study".to_owned(),
        dependency: "demo".parse().unwrap(),
        cells,
        jobs,
    };
    [started, round(cells)]
}

fn begin(state: &mut State, cells: usize, jobs: usize) {
    for event in run(cells, jobs) {
        state.take(&event, seconds(0));
    }
}

fn built(cell: &str, now: u64, state: &mut State) {
    let cell = cell.to_owned();
    let started = Event::BuildStarted { cell: cell.clone(), source: None };
    state.take(&started, seconds(now - 1));
    let finished = Event::BuildFinished { cell, ok: true, reason: None, seconds: 1.0 };
    state.take(&finished, seconds(now));
}

fn test(cell: &str) -> Event {
    Event::TestStarted { cell: cell.to_owned(), test: "unit".to_owned(), attempt: 1 }
}

fn tested(cell: &str, took: f64) -> Event {
    let (cell, test, outcome) = (cell.to_owned(), "unit".to_owned(), TestOutcome::Passed);
    Event::TestFinished { cell, test, attempt: 1, outcome, seconds: took }
}

#[test]
fn nothing_is_shown_before_and_after() {
    let mut state = State::default();
    assert_eq!(state.view(seconds(1)), None);
    let [started, _] = run(1, 1);
    state.take(&started, seconds(1));
    assert!(state.view(seconds(1)).is_some());
    let ended = Event::RunFinished {
        measured: 1,
        reused: 0,
        not_measured: 0,
        left: 0,
        interrupted: false,
        seconds: 1.0,
    };
    state.take(&ended, seconds(2));
    assert_eq!(state.view(seconds(3)), None);
}

#[test]
fn a_phase_is_shown_with_its_age() {
    let mut state = State::default();
    state.take(&Event::PhaseStarted { phase: Phase::Removing }, seconds(3));
    state.take(&Event::Removing { files: 12 }, seconds(4));
    let what = "removing environments that are not kept".to_owned();
    let now = vec![Now { what, detail: " (12 files left)".to_owned(), age: seconds(2) }];
    assert_eq!(state.view(seconds(5)), Some(View { now, ..View::default() }));
    state.take(&Event::PhaseFinished { phase: Phase::Removing, seconds: 3.0 }, seconds(6));
    assert_eq!(state.view(seconds(7)), None);
}

#[test]
fn a_cell_that_is_measured_again_counts_once() {
    let mut state = State::default();
    begin(&mut state, 3, 1);
    for (cell, outcome) in [
        ("1.0/3.11", TestOutcome::Passed),
        ("2.0/3.11", TestOutcome::Failed),
        ("2.0/3.11", TestOutcome::Passed),
    ] {
        state.take(&finished(cell, outcome), seconds(1));
    }
    let view = state.view(seconds(1)).unwrap();
    assert_eq!((view.passed, view.failed, view.cells), (2, 0, Some((3, Some(3)))));
}

#[test]
fn a_file_of_a_build_is_told_in_its_place() {
    let mut state = State::default();
    begin(&mut state, 3, 2);
    let build = |cell: &str| Event::BuildStarted { cell: cell.to_owned(), source: None };
    let file = |file: &str, bytes| Event::DownloadProgress {
        file: file.to_owned(),
        bytes,
        of: Some(5 << 20),
    };
    state.take(&build("2.0/3.11"), seconds(1));
    state.take(&file("demo-2.0-py3-none-any.whl", 1 << 20), seconds(2));
    state.take(&file("demo-2.0.1.tar.gz", 0), seconds(2));
    state.take(&file("demo-2.0-py3-none-any.whl", 2 << 20), seconds(3));
    let told = |state: &State| -> Vec<String> {
        let doing = state.doing(seconds(4)).into_iter();
        doing.map(|Now { what, detail, age }| format!("{what}{detail} {age:?}")).collect()
    };
    let expected = [
        "fetching demo-2.0-py3-none-any.whl 2.0 of 5.0 MiB 3s",
        "fetching demo-2.0.1.tar.gz 0 B of 5.0 MiB 2s",
    ];
    assert_eq!(told(&state), expected);
    for file in ["demo-2.0-py3-none-any.whl", "demo-2.0.1.tar.gz"] {
        let file = file.to_owned();
        state.take(&Event::DownloadFinished { file, ok: true, seconds: 1.0 }, seconds(4));
    }
    assert_eq!(told(&state), ["building 2.0/3.11 3s"]);
}

#[test]
fn the_rest_is_estimated_from_what_was_seen() {
    let mut state = State::default();
    begin(&mut state, 10, 2);
    assert_eq!(state.view(seconds(0)).unwrap().left, None);
    built("1.0/3.11", 1, &mut state);
    state.take(&test("1.0/3.11"), seconds(1));
    assert_eq!(state.view(seconds(2)).unwrap().left, None);
    state.take(&tested("1.0/3.11", 3.0), seconds(4));
    state.take(&finished("1.0/3.11", TestOutcome::Passed), seconds(4));
    // Nine builds of 1 s and nine tests of 3 s on two jobs.
    assert_eq!(state.view(seconds(4)).unwrap().left, Some(18.0));
    // What ran but did not end with its cell is not expected again.
    built("2.0/3.11", 5, &mut state);
    state.take(&test("2.0/3.11"), seconds(5));
    state.take(&tested("2.0/3.11", 3.0), seconds(8));
    let work = state.rest.work(&state.running, 10, 1, seconds(8)).unwrap();
    assert_eq!(work.seconds_left(), Some(16.0));
}

#[test]
fn what_is_recorded_gives_an_estimate_at_once() {
    let mut state = State::default();
    let mut known = record("1.0/3.10", TestOutcome::Passed, "");
    let build = caliper_core::facts::record::BuildRecord::new(None, 1_000_000_000);
    known.build = Some(build);
    state.remember(&[known]);
    begin(&mut state, 10, 1);
    assert_eq!(state.view(seconds(0)).unwrap().left, Some(30.0));
}
