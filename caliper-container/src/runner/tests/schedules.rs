//! Which test is run when.

use std::sync::{Arc, Mutex};

use super::axes::plan_with_axes;
use super::*;

/// A backend that notes which builds and runs begin, and how many go on at once at most.
fn watched() -> (FakeBackend, Arc<Mutex<Vec<String>>>, Arc<AtomicUsize>) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (seen, at_once) = (Arc::clone(&log), Arc::clone(&most));
    let enter = move |what: String| {
        seen.lock().unwrap().push(what);
        at_once.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(2));
        now.fetch_sub(1, Ordering::SeqCst);
    };
    let build = enter.clone();
    let backend = backend()
        .building(move |cell| {
            build(format!("build {cell}"));
            Ok(())
        })
        .running(move |cell, test| {
            enter(format!("{test} {cell}"));
            Ok(FakeRun::passes(""))
        });
    (backend, log, most)
}

#[test]
fn nothing_runs_beside_an_exclusive_test() {
    let (backend, log, most) = watched();
    let bench = Bench { schedule: Schedule::Exclusive, ..Bench::new(backend) };
    let plan = plan(&bench.backend, 6, &["a", "b"]);
    assert_eq!(bench.run(&plan).measured, 6);
    // Only builds may be side by side.
    let log = log.lock().unwrap();
    assert_eq!(log.len(), 6 * 4);
    assert!(most.load(Ordering::SeqCst) <= 3);

    let (backend, _, most) = watched();
    let bench = Bench { schedule: Schedule::Exclusive, ..Bench::new(backend) };
    let mut one = self::plan(&bench.backend, 1, &["a", "b"]);
    one.setup.tests[0].repeat = 20;
    bench.run(&one);
    assert_eq!(most.load(Ordering::SeqCst), 1);
    // As many as there are jobs otherwise.
    let (backend, _, most) = watched();
    let bench = Bench::new(backend);
    bench.run(&one);
    assert!(most.load(Ordering::SeqCst) > 1);
}

#[test]
fn interleaved_runs_go_round_by_round() {
    let (backend, log, _) = watched();
    let bench = Bench { schedule: Schedule::Interleaved, ..Bench::new(backend) };
    let mut plan = plan(&bench.backend, 3, &["a"]);
    plan.setup.tests[0].repeat = 2;
    let outcome = bench.run_with(&plan, 1, Rerun::Nothing).unwrap();
    insta::assert_snapshot!(log.lock().unwrap().join("\n"), @"
    build 1.0/3.11
    build 1.1/3.11
    build 1.2/3.11
    import 1.0/3.11
    a 1.0/3.11
    import 1.1/3.11
    a 1.1/3.11
    import 1.2/3.11
    a 1.2/3.11
    a 1.0/3.11
    a 1.1/3.11
    a 1.2/3.11
    ");
    assert_eq!(outcome.measured, 3);
    assert!(bench.backend.standing().is_empty());
    let attempts: Vec<u32> = outcome.records.iter().map(|record| record.attempts("a")).collect();
    assert_eq!(attempts, [0, 2, 2, 2]);
}

#[test]
fn an_interrupt_between_two_rounds_keeps_the_first() {
    let interrupt = Interrupt::default();
    let raise = interrupt.clone();
    let count = AtomicUsize::new(0);
    let backend = backend().running(move |_, test| {
        // Three imports and three first runs.
        if test == "a" && count.fetch_add(1, Ordering::SeqCst) == 3 {
            raise.raise();
            return Err(BackendError::Interrupted);
        }
        Ok(FakeRun::passes(""))
    });
    let mut bench = Bench { schedule: Schedule::Interleaved, ..Bench::new(backend) };
    bench.interrupt = interrupt;
    let mut plan = plan(&bench.backend, 3, &["a"]);
    plan.setup.tests[0].repeat = 2;
    assert!(bench.run_with(&plan, 1, Rerun::Nothing).unwrap().interrupted);
    assert!(bench.backend.standing().is_empty());
    let kept: Vec<u32> = bench.store.records().iter().map(|record| record.attempts("a")).collect();
    assert_eq!(kept, [0, 1, 1, 1]);
}

#[test]
fn a_build_that_fails_ends_all_cells_of_its_environment() {
    let backend = backend().building(|cell| match cell.variant.get("as_of") {
        Some("today") => Err(BuildReason::NoMatchingDistribution),
        _ => Ok(()),
    });
    let bench = Bench::new(backend);
    let plan = plan_with_axes(&bench.backend);
    let outcome = bench.run(&plan);
    assert_eq!((outcome.measured, bench.backend.builds().len()), (16, 4));
    let failed = outcome.records.iter().filter(|record| record.outcome == CellOutcome::BuildFailed);
    assert!(failed.clone().all(|record| record.variant.get("as_of") == Some("today")));
    assert_eq!(failed.count(), 8);
}

#[test]
fn cells_that_lack_runs_share_an_environment_too() {
    let mut bench = Bench::new(backend());
    let plan = plan_with_axes(&bench.backend);
    bench.run(&plan.part(|cell| cell.variant.get("seed") == Some("0")));
    let built = bench.backend.builds().len();
    for cell in &plan.cells {
        bench.attempts.insert(cell.id.clone(), Attempts::from([("t".to_owned(), 2)]));
    }
    let outcome = bench.run(&plan);
    // Half of the cells were recorded with one run, the others not at all.
    assert_eq!((outcome.measured, bench.backend.builds().len() - built), (16, 4));
    assert!(outcome.records.iter().all(|record| record.attempts("t") == 2));
    assert!(outcome.records.iter().all(|record| record.attempts("import") == 1));
}

#[test]
fn an_environment_that_a_test_changed_is_shared_no_longer() {
    let backend = backend().running(|cell, test| {
        let changes = test == "t"
            && cell.variant.get("seed") == Some("0")
            && cell.variant.get("as_of") == Some("today");
        Ok(FakeRun { changes, ..FakeRun::passes("") })
    });
    let bench = Bench::new(backend);
    let plan = plan_with_axes(&bench.backend);
    let outcome = bench.run_with(&plan, 1, Rerun::Nothing).unwrap();
    assert_eq!((outcome.measured, bench.store.records().len()), (16, 16));
    assert!(bench.backend.standing().is_empty());
    // Of each release the four cells of today, whose first ones change it; the others share theirs.
    assert_eq!(bench.backend.builds().len(), 4 + 2 * 4);
    let alone = outcome.records.iter().filter(|record| {
        record.variant.get("as_of") == Some("today")
            && record.build.as_ref().is_some_and(|build| !build.reused)
    });
    assert_eq!(alone.count(), 8);
    let warnings = bench.reporter.events().into_iter().filter_map(|event| match event {
        Event::Warning { message } => Some(message),
        _ => None,
    });
    let warnings: Vec<String> = warnings.collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("a test changed the environment"), "{warnings:?}");
    assert_eq!(bench.run(&plan).measured, 0);
}

#[test]
fn a_cell_whose_test_changed_shared_files_is_measured_again_alone() {
    let backend =
        backend().running(|_, test| Ok(FakeRun { changes: test == "t", ..FakeRun::passes("") }));
    let bench = Bench::new(backend);
    let plan = plan(&bench.backend, 2, &["t"]);
    let measured = bench.run_with(&plan, 1, Rerun::Nothing).unwrap().measured;
    // Each has an environment for itself. Measured alone, it may change that as it likes.
    assert!(measured > 0);
    assert_eq!(bench.backend.builds().len(), 2 * measured);
    let warnings = bench.reporter.events().into_iter().filter_map(|event| match event {
        Event::Warning { message } => Some(message),
        _ => None,
    });
    let warnings: Vec<String> = warnings.collect();
    assert_eq!(warnings.len(), measured, "{warnings:?}");
    assert!(warnings[0].contains("the cell is measured again"), "{warnings:?}");
    assert_eq!(bench.run(&plan).measured, 0);
}

/// Notes the files that are asked for.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<String>>>);

impl FileSource for Asked {
    fn fetch(
        &self,
        file: &caliper_core::question::grid::DistFile,
    ) -> Result<std::path::PathBuf, caliper_core::question::files::FileError> {
        self.0.lock().unwrap().push(file.filename.clone());
        Ok("/nonexistent".into())
    }
}

#[test]
fn the_next_file_is_fetched_while_tests_run() {
    let run = |schedule: Schedule| {
        let asked = Asked::default();
        let seen = asked.clone();
        // The first cell takes as long as the file of the second, if that is fetched now.
        let patience = if schedule == Schedule::Parallel { 500 } else { 10 };
        let backend = backend().running(move |cell, _| {
            let is_first = cell.to_string().starts_with("1.0/");
            for _ in 0..patience {
                if is_first && seen.0.lock().unwrap().is_empty() {
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
            Ok(FakeRun::passes(""))
        });
        let bench = Bench { schedule, ..Bench::new(backend) };
        let plan = plan(&bench.backend, 2, &["a"]);
        let project = bench.project();
        let context = RunContext { files: &asked, ..bench.context(&project) };
        let options = RunOptions { schedule, ..RunOptions::default() };
        assert_eq!(super::super::run(&plan, context, &options).unwrap().measured, 2);
        asked.0.lock().unwrap().clone()
    };
    assert_eq!(run(Schedule::Parallel), ["demo-1.1-py3-none-any.whl"]);
    // Measurements of time want nothing beside them.
    assert_eq!(run(Schedule::Exclusive), Vec::<String>::new());
}
