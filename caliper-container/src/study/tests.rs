use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use caliper_core::analysis::search::Goal;
use caliper_core::facts::event::Event;
use caliper_core::facts::record::BlobRef;
use caliper_core::facts::store::{MemoryStore, StoreError};
use caliper_core::names::PythonVersion;

use super::*;
use crate::fake::{FakeBackend, FakeRun};
use crate::interrupt::Interrupt;
use crate::project::Project;
use crate::runner::tests::{Bench, plan};

/// A backend on which the test `t` behaves as `run` says, by the minor version of the release.
fn backend(run: impl Fn(u64) -> FakeRun + Send + Sync + 'static) -> FakeBackend {
    FakeBackend::new([PythonVersion::new(3, 11)]).running(move |cell, test| {
        Ok(if test == "t" { run(cell.version.release()[1]) } else { FakeRun::passes("") })
    })
}

/// Runs a study of `plan` on a bench, and lists its rounds.
fn study(
    bench: &Bench,
    plan: &Plan,
    rest: Option<&Plan>,
    method: &Method<'_>,
) -> (Study, Vec<RoundPurpose>) {
    let criteria = Criteria::default();
    let question = Question { plan, rest, is_whole: true, baseline: None, criteria: &criteria };
    let project: Project = bench.project();
    let options = RunOptions { jobs: 2, ..RunOptions::default() };
    let before = bench.reporter.events().len();
    let study = measure(&question, bench.context(&project), &options, method).unwrap();
    let mut events = bench.reporter.events().split_off(before);
    events
        .retain(|event| !matches!(event, Event::PhaseStarted { .. } | Event::PhaseFinished { .. }));
    // One run, whatever it takes.
    let ends = events.iter().filter(|event| matches!(event, Event::RunFinished { .. })).count();
    assert_eq!((matches!(events.remove(0), Event::RunStarted { .. }), ends), (true, 1));
    let purposes = events.into_iter().filter_map(|event| match event {
        Event::RoundStarted { purpose, .. } => Some(purpose),
        _ => None,
    });
    (study, purposes.collect())
}

/// The cells of `records`, with how often the test `t` was run.
fn runs(records: &[Record]) -> Vec<String> {
    let mut records: Vec<&Record> = records.iter().collect();
    records.sort_by_key(|record| record.id());
    records.iter().map(|record| format!("{} {}", record.version, record.attempts("t"))).collect()
}

#[test]
fn a_failure_beside_a_success_is_repeated_until_it_is_sure() {
    let bench = Bench::new(backend(|minor| FakeRun::exits(i32::from(minor < 2))));
    let plan = plan(&bench.backend, 4, &["t"]);
    let confirm = Method { confirm: true, ..Method::default() };
    let (done, steps) = study(&bench, &plan, None, &confirm);
    // Both sides of the change are run again: 1.1 fails where the next release passes.
    assert_eq!(runs(&done.records), ["0.9 0", "1.0 1", "1.1 3", "1.2 3", "1.3 1"]);
    assert_eq!(steps, [RoundPurpose::Measure, RoundPurpose::Confirm]);
    // The store has what the study says.
    assert_eq!(runs(&bench.store.records()), runs(&done.records));
    let (_, steps) = study(&bench, &plan, None, &confirm);
    assert_eq!(steps, [RoundPurpose::Measure], "nothing is open any more");
}

#[test]
fn rounds_end_though_something_stays_open() {
    // No two runs print the same number, so that more runs never make the releases the same.
    let count = AtomicU32::new(1);
    let bench = Bench::new(backend(move |_| {
        let run = f64::from(count.fetch_add(1, Ordering::Relaxed));
        FakeRun::passes(format!("loss {}\n", (run * 1.7).sin()))
    }));
    let plan = plan(&bench.backend, 3, &["t"]);
    let (done, steps) = study(&bench, &plan, None, &Method { confirm: true, ..Method::default() });
    assert!((2..=1 + ROUNDS).contains(&steps.len()), "{steps:?}");
    let repeated = done.records.iter().filter(|record| record.attempts("t") > 1).count();
    assert_eq!(repeated, 3, "{:?}", runs(&done.records));
}

#[test]
fn a_blind_check_keeps_its_measurements_apart() {
    let bench = Bench::new(backend(|_| FakeRun::passes("5\n")));
    let plan = plan(&bench.backend, 4, &["t"]);
    let second = MemoryStore::default();
    let blind = Some(BlindCheck { share: 0.5, store: &second });
    let (done, steps) = study(&bench, &plan, None, &Method { blind, ..Method::default() });
    assert_eq!(steps, [RoundPurpose::Measure, RoundPurpose::Blind { of: 5 }]);
    let again = second.records();
    assert_eq!(again.len(), 2);
    assert_eq!(runs(&done.records), ["0.9 0", "1.0 1", "1.1 1", "1.2 1", "1.3 1"]);

    let criteria = Criteria::default();
    let question =
        Question { plan: &plan, rest: None, is_whole: true, baseline: None, criteria: &criteria };
    let results = done.results(&question, &again, &|_| None).unwrap();
    let blind = results.blind.unwrap();
    assert_eq!((blind.cells, blind.results, blind.same), (2, 2, 2));
    assert_eq!(results.cells.len(), 5);
}

#[test]
fn recorded_cells_that_are_left_out_belong_to_the_results() {
    let bench = Bench::new(backend(|_| FakeRun::passes("5\n")));
    let whole = plan(&bench.backend, 4, &["t"]);
    let minor = |cell: &CellId| cell.version.release()[1];
    study(&bench, &whole.part(|cell| minor(cell) < 2), None, &Method::default());

    // 1.1 is recorded, 1.2 is not; neither is measured now.
    let (asked, rest) = (whole.part(|cell| minor(cell) == 3), whole.part(|cell| minor(cell) != 3));
    let (done, _) = study(&bench, &asked, Some(&rest), &Method::default());
    assert_eq!(runs(&done.records), ["1.3 1"]);
    assert_eq!(runs(&done.rest), ["1.0 1", "1.1 1"]);
    assert_eq!(bench.store.records().len(), 3);

    let criteria = Criteria::default();
    let question = Question {
        plan: &asked,
        rest: Some(&rest),
        is_whole: true,
        baseline: None,
        criteria: &criteria,
    };
    let results = done.results(&question, &[], &|_| None).unwrap();
    assert_eq!(runs(&results.cells), ["1.0 1", "1.1 1", "1.3 1"]);
    // What was measured nowhere is unknown, and the rows say so.
    let row = results.rows.iter().find(|row| row.test == "t").unwrap();
    let unprobed: Vec<&str> =
        row.unprobed.iter().flat_map(|stretch| &stretch.releases).map(String::as_str).collect();
    assert_eq!(unprobed, ["0.9", "1.2"]);
}

#[test]
fn an_interrupt_ends_a_study() {
    let interrupt = Interrupt::default();
    let raise = interrupt.clone();
    let mut bench = Bench::new(backend(move |minor| {
        raise.raise();
        FakeRun::exits(i32::from(minor < 2))
    }));
    bench.interrupt = interrupt;
    let plan = plan(&bench.backend, 4, &["t"]);
    let second = MemoryStore::default();
    let blind = Some(BlindCheck { share: 1.0, store: &second });
    let method = Method { confirm: true, blind, ..Method::default() };
    let (done, steps) = study(&bench, &plan, None, &method);
    assert!(done.interrupted);
    assert_eq!(steps, [RoundPurpose::Measure], "neither repeats nor second measurements are begun");
    assert_eq!(second.records(), []);
    assert_eq!(bench.backend.standing(), [""; 0]);
}

#[test]
fn a_search_measures_what_it_needs() {
    let bench = Bench::new(backend(|minor| FakeRun::exits(i32::from(minor < 7))));
    let plan = plan(&bench.backend, 32, &["t"]);
    let search = Search { probes: 3, goal: Goal::FirstBad };
    let search = Some(RowSearch { search, test: Some("t") });
    let (done, steps) = study(&bench, &plan, None, &Method { search, ..Method::default() });
    assert!(matches!(steps[0], RoundPurpose::Search { .. }), "{steps:?}");
    assert!((2..20).contains(&done.records.len()), "{:?}", runs(&done.records));
}

/// A store that counts how often each blob is opened.
#[derive(Default)]
struct Counting {
    store: MemoryStore,
    opened: Mutex<BTreeMap<BlobRef, u32>>,
}

impl ResultStore for Counting {
    fn load(&self, id: &CellId) -> Result<Option<Record>, StoreError> {
        self.store.load(id)
    }

    fn save(&self, record: &Record) -> Result<(), StoreError> {
        self.store.save(record)
    }

    fn asked(&self) -> Result<Option<Asked>, StoreError> {
        self.store.asked()
    }

    fn save_asked(&self, asked: &Asked) -> Result<(), StoreError> {
        self.store.save_asked(asked)
    }

    fn save_blob_from(&self, content: &mut dyn Read) -> Result<BlobRef, StoreError> {
        self.store.save_blob_from(content)
    }

    fn open_blob(&self, blob: BlobRef) -> Result<Box<dyn Read + Send>, StoreError> {
        *self.opened.lock().unwrap().entry(blob).or_default() += 1;
        self.store.open_blob(blob)
    }
}

#[test]
fn an_output_is_read_once_in_a_whole_study() {
    // Long outputs with noise, which is another from 1.2 on.
    let count = AtomicU32::new(1);
    let bench = Bench::new(backend(move |minor| {
        let run = f64::from(count.fetch_add(1, Ordering::Relaxed));
        let loss = (run * 1.7).sin() + if minor < 2 { 100.0 } else { 0.0 };
        FakeRun::passes(format!("{}loss {loss}\n", "an epoch\n".repeat(2_000)))
    }));
    let (plan, store) = (plan(&bench.backend, 4, &["t"]), Counting::default());
    let criteria = Criteria::default();
    let question =
        Question { plan: &plan, rest: None, is_whole: true, baseline: None, criteria: &criteria };
    let project = bench.project();
    let context = RunContext { store: &store, ..bench.context(&project) };
    let search =
        Some(RowSearch { search: Search { probes: 4, goal: Goal::AllChanges }, test: None });
    let method = Method { search, confirm: true, ..Method::default() };
    let study = measure(&question, context, &RunOptions::default(), &method).unwrap();
    let all: u32 = study.records.iter().map(|record| record.attempts("t")).sum();
    assert!(all > 8, "there were rounds of repeats: {:?}", runs(&study.records));
    let results = study.results(&question, &[], &|blob| store.content(blob).ok()).unwrap();
    assert!(results.verdicts.iter().any(|one| one.evidence.is_some()));
    let opened = store.opened.lock().unwrap();
    assert_eq!(opened.len(), all as usize, "each run left another output");
    assert!(opened.values().all(|times| *times == 1), "{opened:?}");
}

#[test]
fn what_is_left_out_is_not_measured_again_and_not_lost() {
    let bench = Bench::new(backend(|_| FakeRun::passes("5\n")));
    let whole = plan(&bench.backend, 4, &["t"]);
    study(&bench, &whole, None, &Method::default());
    let minor = |cell: &CellId| cell.version.release()[1];
    let (asked, rest) = (whole.part(|cell| minor(cell) == 3), whole.part(|cell| minor(cell) != 3));
    let criteria = Criteria::default();
    let question = Question {
        plan: &asked,
        rest: Some(&rest),
        is_whole: true,
        baseline: None,
        criteria: &criteria,
    };
    for rerun in [Rerun::Failed, Rerun::All] {
        let options = RunOptions { rerun, ..RunOptions::default() };
        let project = bench.project();
        let context = bench.context(&project);
        let done = measure(&question, context, &options, &Method::default()).unwrap();
        assert_eq!(runs(&done.rest), ["0.9 0", "1.0 1", "1.1 1", "1.2 1"]);
    }
}

#[test]
fn what_an_edit_makes_stale_stays_in_the_results_and_counts_for_nothing() {
    let bench = Bench::new(backend(|minor| FakeRun::exits(i32::from(minor < 2))));
    let before = plan(&bench.backend, 4, &["t"]);
    study(&bench, &before, None, &Method::default());

    let mut edited = before.clone();
    edited.setup.tests[0].command.push("--fast".to_owned());
    let minor = |cell: &CellId| cell.version.release()[1];
    let (asked, rest) =
        (edited.part(|cell| minor(cell) == 3), edited.part(|cell| minor(cell) != 3));
    let (done, _) = study(&bench, &asked, Some(&rest), &Method::default());
    let criteria = Criteria::default();
    let results = |done: &Study, plan: &Plan| {
        let question =
            Question { plan, rest: None, is_whole: true, baseline: None, criteria: &criteria };
        done.results(&question, &[], &|_| None).unwrap()
    };
    let found = results(&done, &asked);
    // There is nothing to install for 0.9, whatever the tests are.
    assert_eq!(runs(&found.cells), ["0.9 0", "1.3 1"]);
    assert_eq!(runs(&found.stale), ["1.0 1", "1.1 1", "1.2 1"]);
    let row = found.rows.iter().find(|row| row.test == "t").unwrap();
    assert!(row.transitions.is_empty(), "{:?}", row.transitions);
    let judged: Vec<&str> = found.verdicts.iter().map(|one| one.cell.as_str()).collect();
    assert_eq!(judged, ["1.3/3.11"]);
    // The same as from the store alone.
    let text = "analysis: {name: demo, dependency: demo}";
    let config = Config::from_yaml("caliper.yaml", text, &|_| unreachable!("no files")).unwrap();
    let stored = (bench.store.asked().unwrap(), bench.store.records());
    let again = rebuild(&config, stored.0.as_ref(), stored.1, &[], &|_| None);
    assert_eq!(again, Some(found));

    // A search leaves stale what it does not need.
    let search = Search { probes: 2, goal: Goal::AllChanges };
    let search = Some(RowSearch { search, test: None });
    let (done, _) = study(&bench, &edited, None, &Method { search, ..Method::default() });
    let found = results(&done, &edited);
    assert_eq!(found.cells.len() + found.stale.len(), 5, "no cell is lost");
    study(&bench, &edited, None, &Method::default());
    assert_eq!(bench.store.asked().unwrap().unwrap().sort(bench.store.records()).stale, []);
}

#[test]
fn what_is_not_laid_out_is_stale() {
    let bench = Bench::new(backend(|_| FakeRun::passes("5\n")));
    let whole = plan(&bench.backend, 4, &["t"]);
    study(&bench, &whole, None, &Method::default());
    let part = whole.part(|cell| cell.version.release()[1] == 3);
    let criteria = Criteria::default();
    for (is_whole, stale) in [(false, 4), (true, 0)] {
        let question =
            Question { plan: &part, rest: None, is_whole, baseline: None, criteria: &criteria };
        let project = bench.project();
        let options = RunOptions::default();
        let done =
            measure(&question, bench.context(&project), &options, &Method::default()).unwrap();
        let results = done.results(&question, &[], &|_| None).unwrap();
        assert_eq!((results.cells.len(), results.stale.len()), (1, stale));
    }
}
