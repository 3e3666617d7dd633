use std::collections::BTreeSet;

use caliper_core::facts::event::Collected;
use caliper_core::facts::record::{BuildReason, TestEnd, TestOutcome};
use caliper_core::facts::store::{MemoryStore, ResultStore as _};
use caliper_core::names::PythonVersion;
use caliper_core::question::config::Config;
use caliper_core::question::files::FilesInMemory;
use caliper_core::question::grid::{Grid, GridCell};
use caliper_core::question::modules::{ImportChoice, Imports};
use caliper_core::question::plan::{Test, TestKind};
use caliper_core::question::testing;

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::*;
use crate::fake::{FakeBackend, FakeRun};

mod axes;
mod retries;
mod schedules;

/// A bench to run plans on.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
    pub(crate) backend: FakeBackend,
    files: FilesInMemory,
    pub(crate) store: MemoryStore,
    pub(crate) reporter: Collected,
    pub(crate) interrupt: Interrupt,
    attempts: BTreeMap<CellId, Attempts>,
    schedule: Schedule,
}

impl Bench {
    pub(crate) fn new(backend: FakeBackend) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            backend,
            files: FilesInMemory::default(),
            store: MemoryStore::default(),
            reporter: Collected::default(),
            interrupt: Interrupt::default(),
            attempts: BTreeMap::new(),
            schedule: Schedule::default(),
        }
    }

    pub(crate) fn project(&self) -> Project {
        Project::read(self.folder.path(), None).unwrap()
    }

    pub(crate) fn context<'a>(&'a self, project: &'a Project) -> RunContext<'a> {
        RunContext {
            backend: &self.backend,
            project,
            files: &self.files,
            store: &self.store,
            reporter: &self.reporter,
            interrupt: &self.interrupt,
        }
    }

    fn run_with(&self, plan: &Plan, jobs: usize, rerun: Rerun) -> Result<Outcome, RunError> {
        let project = self.project();
        let context = self.context(&project);
        let retry = Retry { times: 2, pause: Duration::ZERO };
        let (schedule, attempts) = (self.schedule, self.attempts.clone());
        run(plan, context, &RunOptions { jobs, schedule, rerun, retry, attempts })
    }

    fn run(&self, plan: &Plan) -> Outcome {
        self.run_with(plan, 3, Rerun::Nothing).unwrap()
    }
}

fn backend() -> FakeBackend {
    FakeBackend::new([PythonVersion::new(3, 11)])
}

/// Releases 1.0, 1.1, … with a file each, and one without.
pub(crate) fn plan(backend: &FakeBackend, releases: usize, tests: &[&str]) -> Plan {
    let config =
        Config::from_yaml("caliper.yaml", "analysis: {dependency: demo}", &|_| unreachable!())
            .unwrap();
    let mut setup = config.setup();
    setup.tests = tests
        .iter()
        .map(|name| Test { name: (*name).to_owned(), ..Test::import(&Imports::Nothing) })
        .collect();
    let interpreters = backend.interpreters(&BTreeSet::default(), &setup).unwrap();
    let python = interpreters[0].python;
    let mut cells = vec![testing::empty_cell("0.9", python)];
    cells.extend((0..releases).map(|minor| testing::cell(&format!("1.{minor}"), python)));
    let index = Some("https://index.example/simple/".to_owned());
    let grid = Grid { index, ..testing::grid(cells) };
    Plan::new("demo", setup, interpreters, grid)
}

fn outcomes(outcome: &Outcome) -> Vec<String> {
    let show = |record: &Record| {
        let tests: Vec<String> =
            record.runs().map(|(test, run)| format!("{} {}", test.name, run.outcome)).collect();
        format!("{}: {} [{}]", record.id(), record.outcome, tests.join(", "))
    };
    outcome.records.iter().map(show).collect()
}

#[test]
fn every_rung_is_recorded() {
    let backend = backend()
        .building(|cell| match cell.version.to_string().as_str() {
            "1.0" => Err(BuildReason::CompilerMissing),
            "1.1" => Err(BuildReason::Network),
            _ => Ok(()),
        })
        .running(|cell, test| {
            Ok(match (cell.version.to_string().as_str(), test) {
                ("1.2", "import") => FakeRun::exits(1),
                ("1.3", "a") => FakeRun { end: TestEnd::TimedOut, ..FakeRun::passes("") },
                ("1.4", "b") => {
                    let source = std::io::ErrorKind::StorageFull.into();
                    return Err(BackendError::Machine { action: "copying".into(), source });
                }
                _ => FakeRun::passes("x"),
            })
        });
    let bench = Bench::new(backend);
    let plan = plan(&bench.backend, 6, &["a", "b"]);
    let outcome = bench.run(&plan);
    assert_eq!(
        outcomes(&outcome),
        [
            "0.9/3.11: nothing to install []",
            "1.0/3.11: cannot be built []",
            "1.1/3.11: could not be measured []", // a lost network is an infrastructure failure
            "1.2/3.11: tested [import failed, a passed, b passed]",
            "1.3/3.11: tested [import passed, a timed out, b passed]",
            "1.4/3.11: could not be measured [import passed, a passed, b not measured]",
            "1.5/3.11: tested [import passed, a passed, b passed]",
        ]
    );
    assert_eq!((outcome.measured, outcome.reused, outcome.not_measured.len()), (4, 0, 2));
    assert_eq!(bench.store.records(), outcome.records);
    assert!(bench.backend.standing().is_empty());

    // The second time only cells with infrastructure failures are measured.
    let again = bench.run(&plan);
    assert_eq!((again.measured, again.reused, again.not_measured.len()), (0, 5, 2));
    // And on demand what failed.
    let failed = bench.run_with(&plan, 1, Rerun::Failed).unwrap();
    assert_eq!((failed.measured, failed.reused), (2, 3)); // an import alone is no failure
    let all = bench.run_with(&plan, 1, Rerun::All).unwrap();
    assert_eq!((all.measured, all.reused), (4, 1));
}

#[test]
fn the_functions_of_a_test_are_recorded() {
    let report = "<testsuite><testcase name='a'/><testcase name='b'><failure message='KeyError: x'/></testcase></testsuite>";
    let backend = backend().running(move |cell, _| {
        let (end, report) = match cell.version.to_string().as_str() {
            "1.0" => (TestEnd::Exited(1), Some(report.to_owned())),
            "1.1" => (TestEnd::Exited(0), None),
            "1.2" => (TestEnd::Exited(1), Some("<testsuite><".to_owned())),
            "1.3" => (TestEnd::Exited(0), Some("<testsuite/>".to_owned())),
            _ => (TestEnd::Signalled(11), None),
        };
        Ok(FakeRun { end, report, ..FakeRun::passes("") })
    });
    let bench = Bench::new(backend);
    let mut plan = plan(&bench.backend, 5, &["suite"]);
    plan.setup.tests[0].kind = TestKind::Pytest;
    plan.setup.import = ImportChoice::Off;
    let outcome = bench.run(&plan);
    let told: Vec<String> = outcome
        .records
        .iter()
        .flat_map(|record| record.runs().map(|(test, run)| (record.version.clone(), test, run)))
        .map(|(version, test, run)| {
            assert_eq!(test.kind, TestKind::Pytest);
            let functions = run.functions.as_ref().unwrap();
            let reason = run.reason.as_deref().unwrap_or("-");
            let problem = functions.problem.as_deref().unwrap_or("-");
            format!("{version} {}: {reason} | {functions} | {problem}", run.outcome)
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @"
    1.0 failed: - | 1 passed, 1 failed | -
    1.1 failed: it exited with status 0, and it left no report of its functions: nobody knows what was run | none | it left no report of its functions
    1.2 failed: - | none | its report of its functions is damaged, at byte 11: syntax error: tag not closed: `>` not found before end of input
    1.3 not run: no test was found: look at the path, at `-k` and at `-m` | none | -
    1.4 failed: signal 11 | none | it left no report of its functions
    ");
    let run = &outcome.records[1].tests[0].runs[0];
    let details = bench.store.blob(run.functions.as_ref().unwrap().details.unwrap()).unwrap();
    insta::assert_snapshot!(String::from_utf8(details).unwrap(), @r#"[{"id":"b","outcome":"failed","message":"KeyError: x"}]"#);
}

#[test]
fn only_what_changed_is_run_again() {
    let ran = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = std::sync::Arc::clone(&ran);
    let backend = backend()
        .building(|cell| match cell.version.to_string().as_str() {
            "1.1" => Err(BuildReason::CompilerMissing),
            _ => Ok(()),
        })
        .running(move |_, test| {
            log.lock().unwrap().push(test.to_owned());
            Ok(FakeRun::passes(test))
        });
    let bench = Bench::new(backend);
    let write = |name: &str, text: &str| {
        std::fs::write(bench.folder.path().join(name), text).unwrap();
    };
    write("a.py", "1");
    write("b.py", "1");
    let mut plan = plan(&bench.backend, 2, &["a", "b"]);
    for test in &mut plan.setup.tests {
        test.files = Some(vec![format!("{}.*", test.name)]);
    }
    let run = |plan: &Plan, rerun| {
        let outcome = bench.run_with(plan, 1, rerun).unwrap();
        let mut ran = std::mem::take(&mut *ran.lock().unwrap());
        ran.sort();
        let record = &outcome.records[1];
        let reused = record.runs().filter(|(_, run)| run.reused);
        let reused: Vec<String> = reused.map(|(test, _)| test.name.clone()).collect();
        (ran.join(" "), reused.join(" "), outcome.measured, record.clone())
    };
    let (ran, reused, measured, first) = run(&plan, Rerun::Nothing);
    assert_eq!((&*ran, &*reused, measured), ("a b import", "", 2));
    assert_eq!(run(&plan, Rerun::Nothing).2, 0);

    // A file that one test finds.
    write("b.py", "2");
    let (ran, reused, measured, second) = run(&plan, Rerun::Nothing);
    assert_eq!((&*ran, &*reused, measured), ("b", "import a", 1)); // what cannot be built is not built again
    assert_ne!(first.key, second.key);
    assert_eq!(first.environment, second.environment);
    let names: Vec<&str> = second.tests.iter().map(|test| test.name.as_str()).collect();
    assert_eq!(names, ["import", "a", "b"]);
    assert!(second.started > first.finished);

    // Fewer tests: all is known, and nothing that is known gets lost.
    let all = plan.clone();
    plan.setup.tests.remove(0);
    let (ran, _, measured, fewer) = run(&plan, Rerun::Nothing);
    assert_eq!((&*ran, measured, fewer.tests.len()), ("", 0, 2));
    assert_ne!(fewer.key, second.key);
    assert_eq!(run(&all, Rerun::Nothing).3, second);

    // More repeats.
    plan.setup.tests[0].repeat = 3;
    assert_eq!(run(&plan, Rerun::Nothing).0, "b b");

    // A test that finds everything, other limits, another environment.
    plan.setup.tests[0] = Test { files: None, repeat: 1, ..plan.setup.tests[0].clone() };
    assert_eq!(run(&plan, Rerun::Nothing).0, "b");
    write("c.py", "1");
    assert_eq!(run(&plan, Rerun::Nothing).0, "b");
    plan.setup.limits.timeout = Duration::from_secs(9);
    assert_eq!(run(&plan, Rerun::Nothing).0, "b import");
    plan.setup.requirements.push("six".into());
    assert_eq!(run(&plan, Rerun::Nothing).0, "b import");
    assert_eq!(run(&plan, Rerun::All).0, "b import");
    write("c.py", "2");
    assert_eq!(run(&plan, Rerun::All).0, "b import");

    plan.setup.tests[0].files = Some(vec!["d/*".into()]);
    let error = bench.run_with(&plan, 1, Rerun::Nothing).unwrap_err().to_string();
    insta::assert_snapshot!(error, @"`files` of the test `b`: `d/*`: the project has no such file");
}

#[test]
fn repeats_are_added_to_what_was_measured() {
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let runs = std::sync::Arc::clone(&count);
    let mut bench = Bench::new(backend().running(move |_, test| {
        let run = runs.fetch_add(1, Ordering::SeqCst);
        Ok(FakeRun::passes(format!("{test} {run}")))
    }));
    let plan = plan(&bench.backend, 2, &["a", "b"]);
    let first = bench.run(&plan);
    assert_eq!(count.load(Ordering::SeqCst), 6);
    let id = first.records[1].id();
    bench.attempts.insert(id.clone(), Attempts::from([("a".to_owned(), 3)]));
    let second = bench.run(&plan);
    assert_eq!((second.measured, second.reused), (1, 2));
    let of = |record: &Record| -> Vec<(String, u32)> {
        record.runs().map(|(test, run)| (test.name.clone(), run.attempt)).collect()
    };
    let expected = [("import", 1), ("a", 1), ("a", 2), ("a", 3), ("b", 1)];
    assert_eq!(of(&second.records[1]), expected.map(|(name, run)| (name.to_owned(), run)));
    assert_eq!(second.records[1].tests[1].runs[0], first.records[1].tests[1].runs[0]);
    assert_eq!(second.records[1].key, first.records[1].key);
    assert_eq!(count.load(Ordering::SeqCst), 8);
    // They are there now.
    assert_eq!(bench.run(&plan).measured, 0);
}

#[test]
fn a_search_measures_a_part_and_says_which() {
    use caliper_core::analysis::search::{Coverage, Goal, Search};
    let backend = backend().running(|cell, test| {
        let minor = cell.version.release()[1];
        // Breaks at 1.13, and its result changes at 1.5.
        Ok(match test {
            "a" if minor >= 13 => FakeRun::exits(1),
            "a" => FakeRun::passes(if minor >= 5 { "new" } else { "old" }),
            _ => FakeRun::passes(""),
        })
    });
    let bench = Bench::new(backend);
    let plan = plan(&bench.backend, 40, &["a"]);
    let project = bench.project();
    let context = bench.context(&project);
    let same = |one: &Record, other: &Record, test: &str| {
        let output = |record: &Record| record.test(test).map(|test| test.runs[0].output.clone());
        output(one) == output(other)
    };
    let searching = Searching {
        search: Search { probes: 4, goal: Goal::AllChanges },
        tests: &|_| true,
        same: &same,
    };
    let session = Session::new(&plan, context.reporter);
    let outcome = search(&session, &plan, context, &RunOptions::default(), &searching).unwrap();
    assert!(outcome.measured < 16, "{} of 40", outcome.measured);
    let records = outcome.records.iter().map(|record| (record.id(), record)).collect();
    let rows = rows(&plan, &records);
    let row = rows.iter().find(|row| row.test == "a").unwrap();
    let coverage = Coverage::of(row.row.states(), &|one, other| row.same(&same, one, other));
    let named = coverage.map(|release| row.row.name(release));
    let changes: Vec<String> = named.transitions.iter().map(ToString::to_string).collect();
    assert_eq!(
        changes,
        [
            "result changes between 1.4 and 1.5 (adjacent; a single run)",
            "breaks between 1.12 and 1.13 (adjacent; a single run)"
        ]
    );
    let missed: usize = named.unprobed.iter().map(|stretch| stretch.releases.len()).sum();
    assert_eq!(missed + outcome.measured, 40);
    // There is nothing more to look for.
    let again = search(&session, &plan, context, &RunOptions::default(), &searching).unwrap();
    assert_eq!((again.measured, again.reused), (0, outcome.measured + 1));
}

#[test]
fn a_record_is_saved_before_it_is_reported() {
    struct Checks<'a>(&'a MemoryStore);
    impl Reporter for Checks<'_> {
        fn report(&self, event: &Event) {
            if let Event::CellFinished { record } = event {
                assert_eq!(self.0.load(&record.id()).unwrap().as_ref(), Some(&**record));
            }
        }
    }
    let bench = Bench::new(backend());
    let plan = plan(&bench.backend, 20, &["a", "b", "c"]);
    let project = bench.project();
    let checks = Checks(&bench.store);
    let context = RunContext { reporter: &checks, ..bench.context(&project) };
    run(&plan, context, &RunOptions { jobs: 4, ..RunOptions::default() }).unwrap();
    assert_eq!(bench.store.records().len(), 21);
}

#[test]
fn no_more_cells_stand_than_there_are_jobs() {
    use std::sync::Arc;
    let most = Arc::new(AtomicUsize::new(0));
    let standing = Arc::new(AtomicUsize::new(0));
    let (seen, now) = (Arc::clone(&most), Arc::clone(&standing));
    let building = move |_: &CellId| {
        let count = now.fetch_add(1, Ordering::SeqCst) + 1;
        seen.fetch_max(count, Ordering::SeqCst);
        Ok(())
    };
    let ended = Arc::clone(&standing);
    let running = move |_: &CellId, test: &str| {
        std::thread::sleep(Duration::from_millis(1));
        if test == "a" {
            ended.fetch_sub(1, Ordering::SeqCst);
        }
        Ok(FakeRun::passes(""))
    };
    let bench = Bench::new(backend().building(building).running(running));
    let plan = plan(&bench.backend, 60, &["a"]);
    let outcome = bench.run_with(&plan, 3, Rerun::Nothing).unwrap();
    assert_eq!(outcome.measured, 60);
    // `a` ends a moment before its environment is removed, so one more may be seen.
    assert!((1..=4).contains(&most.load(Ordering::SeqCst)), "{most:?}");
}

#[test]
fn an_interrupted_run_goes_on_where_it_was() {
    let interrupt = Interrupt::default();
    let raise = interrupt.clone();
    let backend = backend().running(move |cell, _| {
        if cell.version.to_string() == "1.5" {
            raise.raise();
            return Err(BackendError::Interrupted);
        }
        Ok(FakeRun::passes(""))
    });
    let bench = Bench { interrupt: interrupt.clone(), ..Bench::new(backend) };
    let plan = plan(&bench.backend, 30, &["a"]);
    let outcome = bench.run_with(&plan, 1, Rerun::Nothing).unwrap();
    assert!(outcome.interrupted && outcome.measured < 10, "{outcome:?}");
    assert!(outcome.not_measured.is_empty() && bench.backend.standing().is_empty());
    let kept = bench.store.records().len();
    assert_eq!(kept, outcome.records.len());

    let fresh = Bench { store: bench.store, ..Bench::new(self::backend()) };
    let rest = fresh.run(&plan);
    assert_eq!(rest.reused, kept);
    assert_eq!(rest.measured, 31 - kept);
}

#[test]
fn an_interrupt_keeps_the_finished_runs_of_an_open_cell() {
    let interrupt = Interrupt::default();
    let raise = interrupt.clone();
    let count = AtomicUsize::new(0);
    let backend = backend().running(move |_, test| {
        let run = count.fetch_add(1, Ordering::SeqCst);
        if run == 20 {
            raise.raise();
            return Err(BackendError::Interrupted);
        }
        Ok(FakeRun::passes(format!("{test} of the first run")))
    });
    let bench = Bench { interrupt: interrupt.clone(), ..Bench::new(backend) };
    let mut plan = plan(&bench.backend, 1, &["a"]);
    plan.setup.tests[0].repeat = 50;
    let outcome = bench.run(&plan);
    assert!(outcome.interrupted);
    // Neither the outcome nor an event presents the cell as measured.
    assert_eq!((outcome.measured, outcome.records.len()), (0, 1));
    let finished = |event: &Event| matches!(event, Event::CellFinished { record } if record.version.to_string() == "1.0");
    assert!(!bench.reporter.events().iter().any(finished));
    let id = &plan.cells[1].id;
    let kept = bench.store.load(id).unwrap().unwrap();
    let had = kept.attempts("a");
    // Three jobs: one was cut off, and the two others had begun before.
    assert!((17..=22).contains(&had), "{had}");
    assert_eq!(kept.attempts("import"), 1);
    assert!(kept.interrupted);

    let count = std::sync::Arc::new(AtomicUsize::new(0));
    let runs = std::sync::Arc::clone(&count);
    let backend = self::backend().running(move |_, test| {
        runs.fetch_add(1, Ordering::SeqCst);
        Ok(FakeRun::passes(format!("{test} of the second run")))
    });
    let fresh = Bench { store: bench.store, ..Bench::new(backend) };
    let outcome = fresh.run(&plan);
    assert_eq!((outcome.measured, outcome.reused), (1, 1));
    assert_eq!(count.load(Ordering::SeqCst), 50 - had as usize);
    let record = &outcome.records[1];
    assert_eq!((record.attempts("a"), record.interrupted), (50, false));
    let attempts = record.test("a").unwrap().runs.iter().map(|run| run.attempt);
    assert_eq!(attempts.collect::<Vec<_>>(), (1..=50).collect::<Vec<_>>());
    let first = record.runs().filter(|(_, run)| run.output == "a of the first run").count();
    assert_eq!(first, had as usize);
    assert_eq!(fresh.run(&plan).measured, 0);
}

#[test]
fn an_interrupted_rerun_does_not_replace_a_complete_record() {
    let bench = Bench::new(backend());
    let mut plan = plan(&bench.backend, 1, &["a"]);
    plan.setup.tests[0].repeat = 5;
    let complete = bench.run(&plan).records[1].clone();
    let interrupt = Interrupt::default();
    let raise = interrupt.clone();
    let cut = backend().running(move |_, test| {
        if test == "a" {
            raise.raise();
            return Err(BackendError::Interrupted);
        }
        Ok(FakeRun::passes(""))
    });
    let bench = Bench { backend: cut, interrupt, ..bench };
    bench.run_with(&plan, 1, Rerun::All).unwrap();
    assert_eq!(bench.store.load(&complete.id()).unwrap(), Some(complete));
}

#[test]
fn repeats_are_numbered_and_in_order() {
    let bench = Bench::new(backend());
    let mut plan = plan(&bench.backend, 1, &["a"]);
    plan.setup.tests[0].repeat = 5;
    let outcome = bench.run(&plan);
    let attempts: Vec<(&str, u32)> =
        outcome.records[1].runs().map(|(test, run)| (test.name.as_str(), run.attempt)).collect();
    assert_eq!(attempts, [("import", 1), ("a", 1), ("a", 2), ("a", 3), ("a", 4), ("a", 5)]);
}

#[test]
fn what_was_measured_outlives_a_bad_day() {
    let bench = Bench::new(backend());
    let mut plan = plan(&bench.backend, 1, &[]);
    let good = bench.run(&plan).records[1].clone();
    let gone = || std::io::Error::from(std::io::ErrorKind::NotConnected);
    let broken = backend().running(move |_, _| {
        Err(BackendError::Machine { action: "asking".into(), source: gone() })
    });
    let bench = Bench { backend: broken, ..bench };
    plan.setup.requirements.push("six".into());
    let outcome = bench.run(&plan);
    assert_eq!(outcome.not_measured.len(), 1);
    assert_eq!(outcome.records[1].tests[0].runs[0].outcome, TestOutcome::NotMeasured);
    assert_eq!(bench.store.load(&good.id()).unwrap(), Some(good));
}
