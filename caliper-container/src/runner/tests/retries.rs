//! What is tried again, and how often.

use std::sync::Arc;

use caliper_core::facts::event::Event;

use super::*;

/// A backend whose tests end, one run after the other, as `script` says.
fn scripted(
    script: impl Fn(usize, &str) -> Result<FakeRun, BackendError> + Send + Sync + 'static,
) -> (FakeBackend, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    let running = move |_: &CellId, test: &str| script(count.fetch_add(1, Ordering::SeqCst), test);
    (backend().running(running), runs)
}

fn gone() -> BackendError {
    let source = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    BackendError::Unreachable { endpoint: "unix:///nowhere".into(), source: source.into() }
}

fn killed() -> FakeRun {
    FakeRun { end: TestEnd::Signalled(9), ..FakeRun::passes("") }
}

fn warnings(bench: &Bench) -> Vec<String> {
    let warning = |event| match event {
        Event::Warning { message } => Some(message),
        _ => None,
    };
    bench.reporter.events().into_iter().filter_map(warning).collect()
}

#[test]
fn an_engine_that_comes_back_costs_no_cell() {
    let (backend, _) = scripted(|run, _| if run < 2 { Err(gone()) } else { Ok(FakeRun::exits(0)) });
    let bench = Bench::new(backend);
    let outcome = bench.run_with(&plan(&bench.backend, 1, &["a"]), 1, Rerun::Nothing).unwrap();
    assert!(outcome.not_measured.is_empty(), "{outcome:?}");
    assert!(outcome.records[1].passed());
    let told = "1.0/3.11 `import`: could not reach the container engine at `unix:///nowhere`: \
                connection refused; trying again in 0 s";
    assert_eq!(warnings(&bench), [told, told]);
}

#[test]
fn while_the_infrastructure_is_down_each_cell_is_tried_once() {
    let builds = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&builds);
    let building = move |_: &CellId| {
        count.fetch_add(1, Ordering::SeqCst);
        Err(BuildReason::Network)
    };
    let bench = Bench::new(backend().building(building));
    let outcome = bench.run_with(&plan(&bench.backend, 10, &[]), 1, Rerun::Nothing).unwrap();
    assert_eq!(outcome.not_measured.len(), 10);
    // The first cell three times, the others once.
    assert_eq!(builds.load(Ordering::SeqCst), 12);
}

#[test]
fn a_killed_test_gets_a_second_chance_and_no_third() {
    let (backend, _) = scripted(|run, _| Ok(if run == 0 { killed() } else { FakeRun::exits(0) }));
    let bench = Bench::new(backend);
    assert!(bench.run(&plan(&bench.backend, 1, &[])).records[1].passed());

    let (backend, runs) = scripted(|_, test| match test {
        "import" => Ok(FakeRun::exits(0)),
        _ => Ok(killed()),
    });
    let bench = Bench::new(backend);
    let outcome = bench.run(&plan(&bench.backend, 1, &["kills-itself"]));
    assert_eq!(outcome.not_measured.len(), 1);
    assert_eq!(runs.load(Ordering::SeqCst), 3);
}

#[test]
fn a_cell_that_was_killed_is_not_measured_whatever_was_saved_meanwhile() {
    let is_killed = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let killed_now = Arc::clone(&is_killed);
    let (backend, runs) = scripted(move |_, test| {
        if test == "import" {
            // What has ended is saved at most once a second.
            std::thread::sleep(std::time::Duration::from_millis(1100));
            return Ok(FakeRun::exits(0));
        }
        Ok(if killed_now.load(Ordering::SeqCst) { killed() } else { FakeRun::exits(0) })
    });
    let bench = Bench::new(backend);
    let plan = plan(&bench.backend, 1, &["a"]);
    let outcome = bench.run(&plan);
    assert_eq!((outcome.measured, outcome.not_measured.len()), (0, 1));
    let kept = bench.store.records();
    let kept = kept.iter().find(|record| record.runs().count() > 0).unwrap();
    assert_eq!(kept.outcome, CellOutcome::NotMeasured);
    assert_eq!(runs.load(Ordering::SeqCst), 3);

    // The import has ended, and is not made again.
    is_killed.store(false, Ordering::SeqCst);
    let outcome = bench.run(&plan);
    assert!(outcome.not_measured.is_empty() && outcome.records[1].passed(), "{outcome:?}");
    assert_eq!(runs.load(Ordering::SeqCst), 4);
    assert!(!outcome.records[1].interrupted);
}

#[test]
fn what_the_subject_does_is_not_tried_again() {
    let (backend, runs) = scripted(|_, _| Ok(FakeRun::exits(1)));
    let bench = Bench::new(backend);
    bench.run(&plan(&bench.backend, 4, &["a"]));
    assert_eq!(runs.load(Ordering::SeqCst), 8);
    assert!(warnings(&bench).is_empty());
}

#[test]
fn a_build_is_tried_again_when_the_network_was_lost() {
    let builds = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&builds);
    let building = move |_: &CellId| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Err(BuildReason::Network),
        _ => Ok(()),
    };
    let bench = Bench::new(backend().building(building));
    let outcome = bench.run(&plan(&bench.backend, 1, &[]));
    assert!(outcome.records[1].passed() && outcome.not_measured.is_empty());

    let bench = Bench::new(backend().building(|_| Err(BuildReason::CompilerMissing)));
    let outcome = bench.run(&plan(&bench.backend, 1, &[]));
    assert_eq!(outcome.records[1].outcome, CellOutcome::BuildFailed);
    assert!(warnings(&bench).is_empty());
}
