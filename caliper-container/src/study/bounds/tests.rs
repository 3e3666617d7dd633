use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use caliper_core::analysis::bounds::{Check, Direct, Offered, Verdict};
use caliper_core::facts::store::MemoryStore;
use caliper_core::names::PythonVersion;
use caliper_core::question::grid::Grid;
use caliper_core::question::testing;
use pep440_rs::Version;

use super::*;
use crate::fake::{FakeBackend, FakeRun};
use crate::interrupt::Interrupt;
use crate::runner::Retry;
use crate::runner::tests::{Bench, plan};

const PYTHONS: [PythonVersion; 2] = [PythonVersion::new(3, 9), PythonVersion::new(3, 11)];

/// The release of `a` or `b` in a cell: the one that its name says, or the newest, 10.
fn release(cell: &CellId, name: &str) -> u64 {
    let label = cell.variant.get(name).unwrap_or("10");
    label.trim_start_matches("<=").parse().unwrap()
}

fn backend(run: impl Fn(&CellId) -> FakeRun + Send + Sync + 'static) -> FakeBackend {
    let installed = |cell: &CellId| {
        let one = |name: &str| Installed::new(name, release(cell, name).to_string());
        vec![one("a"), one("b")]
    };
    FakeBackend::new(PYTHONS)
        .installing(installed)
        .running(move |cell, test| Ok(if test == "t" { run(cell) } else { FakeRun::passes("") }))
}

/// A project that allows releases 3 to 10 of `a` and of `b`.
fn question() -> Question {
    let offered = |number| Offered {
        version: Version::new([number]),
        is_allowed: number >= 3,
        has_file: true,
    };
    let direct = |name: &str| Direct {
        name: name.parse().unwrap(),
        releases: PYTHONS.map(|python| (python, (1..=10).map(offered).collect())).into(),
    };
    Question {
        dependencies: vec![direct("a"), direct("b")],
        pythons: PYTHONS.to_vec(),
        widen: false,
    }
}

/// The project as the one release of a grid.
fn project(backend: &FakeBackend) -> Plan {
    let one = plan(backend, 0, &["t"]);
    let cells = PYTHONS.map(|python| testing::cell("1.0", python)).to_vec();
    let grid = Grid { index: None, ..testing::grid(cells) };
    Plan::new("bounds", one.setup, one.interpreters, grid)
}

fn measured(bench: &Bench, repeats: u32) -> Result<Bounding, PinnedError> {
    let (files, plan) = (bench.project(), project(&bench.backend));
    let declared = |mixture: &Mixture| -> Vec<String> {
        let free =
            ["a", "b"].iter().filter(|name| !mixture.pins.contains_key(&name.parse().unwrap()));
        free.map(|name| format!("{name}>=3")).collect()
    };
    let retry = Retry { times: 0, pause: Duration::ZERO };
    let options = RunOptions { jobs: 2, retry, ..RunOptions::default() };
    let mixtures = Mixtures::new(&plan, &declared, bench.context(&files), options);
    let measure = |wanted: &[Mixture], repeats| mixtures.measure(wanted, repeats);
    let store: &MemoryStore = &bench.store;
    let blobs = |blob| caliper_core::facts::store::ResultStore::content(store, blob).ok();
    bounds(question(), repeats, &BoundsWorld { measure: &measure, blobs: &blobs })
}

fn told(bounding: &Bounding) -> String {
    let question = question();
    let declared = ">=3".parse().unwrap();
    let lines = question.dependencies.iter().map(|one| {
        let verdict = Verdict::of(one, Some(&declared), &bounding.found, false);
        let lower = verdict.lower.map(|bound| bound.version.to_string());
        let failing: Vec<String> = verdict.failing.keys().map(ToString::to_string).collect();
        format!(
            "{} {:?} from {lower:?}, fails with {failing:?}, flaky {:?}",
            one.name, verdict.check, verdict.flaky
        )
    });
    let lowest = bounding.found.iter().map(|one| one.lowest.as_ref().map(|lowest| lowest.seen));
    let lowest: Vec<_> = lowest.collect();
    let lines: Vec<String> = lines.collect();
    format!("{}\n{lowest:?}, {} installs", lines.join("\n"), bounding.installs)
}

#[test]
fn mixtures_are_measured_on_all_pythons_at_once() {
    // On 3.11 the suite needs a newer `a`.
    let bench = Bench::new(backend(|cell| {
        let least = if cell.python == PYTHONS[1] { 6 } else { 1 };
        FakeRun::exits(i32::from(release(cell, "a") < least))
    }));
    let bounding = measured(&bench, 2).unwrap();
    insta::assert_snapshot!(told(&bounding), @r#"
    a Refuted from Some("6"), fails with ["3", "4", "5"], flaky []
    b Holds from Some("3"), fails with [], flaky []
    [Some(Passed), Some(Passed)], 11 installs
    "#);
    // The names of cells say what they are, and all environments are gone.
    let mut cells: Vec<String> =
        bench.store.records().iter().map(|one| one.id().to_string()).collect();
    cells.sort();
    insta::assert_snapshot!(cells.join("\n"), @"
    1.0/3.11
    1.0/3.11[a=3]
    1.0/3.11[a=4]
    1.0/3.11[a=5]
    1.0/3.11[a=6,b=3]
    1.0/3.11[a=6]
    1.0/3.11[b=3]
    1.0/3.9
    1.0/3.9[a=3,b=3]
    1.0/3.9[a=3]
    1.0/3.9[b=3]
    ");
    assert_eq!(bench.backend.standing(), [""; 0]);
    assert_eq!(bounding.installs, cells.len());
    // What fails was run twice, and what passes once.
    for record in bench.store.records() {
        let runs = if record.passed() { 1 } else { 2 };
        assert_eq!(record.attempts("t"), runs, "{}", record.id());
    }
    // A second time nothing is built.
    let builds = bench.backend.builds().len();
    let again = measured(&bench, 2).unwrap();
    assert_eq!((told(&again), bench.backend.builds().len()), (told(&bounding), builds));
}

#[test]
fn the_declared_ranges_of_the_others_hold() {
    let bench = Bench::new(backend(|_| FakeRun::passes("")));
    let files = bench.project();
    let plan = project(&bench.backend);
    let declared = |_: &Mixture| vec!["b>=3,<9".to_owned()];
    let mixtures = Mixtures::new(&plan, &declared, bench.context(&files), RunOptions::default());
    let name = |text: &str| text.parse::<PackageName>().unwrap();
    let pins = |list: &[(&str, u64)]| -> Pins {
        list.iter().map(|(one, number)| (name(one), Version::new([*number]))).collect()
    };
    let mixture =
        Mixture { python: PYTHONS[1], pins: pins(&[("a", 4)]), at_most: pins(&[("C_c", 7)]) };
    let cell = mixtures.cell(&mixture).unwrap();
    assert_eq!(cell.setup.unwrap().constraints, ["b>=3,<9", "a==4", "c-c<=7"]);
    let id = cell.id.to_string();
    assert_eq!(id, "1.0/3.11[a=4,c-c=\"<=7\"]");
    assert_eq!(id.parse::<CellId>().unwrap(), cell.id);
    // Many have a digest.
    let many = Mixture { pins: pins(&[("a", 1), ("b", 1), ("c", 1), ("d", 1)]), ..mixture };
    let id = mixtures.cell(&many).unwrap().id.to_string();
    assert!(id.starts_with("1.0/3.11[pins=") && id.len() == 27, "{id}");
}

#[test]
fn a_suite_that_fails_once_by_chance_refutes_nothing() {
    let runs = AtomicU32::new(0);
    let bench = Bench::new(backend(move |cell| {
        // The first run with this release fails.
        let is_first = release(cell, "a") == 3 && cell.variant.get("b").is_none();
        FakeRun::exits(i32::from(is_first && runs.fetch_add(1, Ordering::SeqCst) < 1))
    }));
    let told = told(&measured(&bench, 3).unwrap());
    insta::assert_snapshot!(told, @r#"
    a Undecided from Some("4"), fails with [], flaky ["3"]
    b Holds from Some("3"), fails with [], flaky []
    [Some(Passed), Some(Passed)], 9 installs
    "#);
}

#[test]
fn what_was_interrupted_goes_on() {
    let truth = |cell: &CellId| FakeRun::exits(i32::from(release(cell, "a") < 7));
    let whole = Bench::new(backend(truth));
    let expected = told(&measured(&whole, 2).unwrap());

    let (interrupt, count) = (Interrupt::default(), AtomicU32::new(0));
    let raise = interrupt.clone();
    let mut bench = Bench::new(backend(move |cell| {
        if count.fetch_add(1, Ordering::SeqCst) == 4 {
            raise.raise();
        }
        truth(cell)
    }));
    bench.interrupt = interrupt;
    assert!(matches!(measured(&bench, 2), Err(PinnedError::Interrupted)));
    let kept: BTreeSet<String> =
        bench.store.records().iter().map(|one| one.id().to_string()).collect();
    assert!(!kept.is_empty());
    bench.interrupt = Interrupt::default();
    assert_eq!(told(&measured(&bench, 2).unwrap()), expected);
    assert_eq!(bench.store.records().len(), whole.store.records().len());
}

#[test]
fn what_could_not_be_measured_is_told() {
    let bench = Bench::new(backend(|_| FakeRun::passes("")).building(|cell| {
        if cell.variant.get("a") == Some("3") {
            return Err(caliper_core::facts::record::BuildReason::Network);
        }
        Ok(())
    }));
    let bounding = measured(&bench, 1).unwrap();
    assert_eq!(bounding.not_measured.len(), 2, "once on each Python");
    let declared = ">=3".parse().unwrap();
    let verdict = Verdict::of(&question().dependencies[0], Some(&declared), &bounding.found, false);
    assert_eq!(verdict.check, Check::Undecided);
}
