use super::*;
use crate::facts::legacy::read;
use crate::facts::record::BuildReason;
use crate::facts::record::Installed;
use crate::facts::record::TestOutcome::{Failed, Idle, OutOfMemory, Passed, TimedOut};
use crate::facts::record::tests::{record, test};
use crate::facts::store::MemoryStore;
use crate::names::Sha256;

#[test]
fn what_is_written_reads_back_with_its_outcomes() {
    let mut unbuilt = record("1.0", "3.11");
    unbuilt.outcome = CellOutcome::BuildFailed;
    let mut build = BuildRecord::new(Some(BuildReason::CompilerMissing), 1);
    build.log = Some(BlobRef(Sha256::of(b"log")));
    unbuilt.build = Some(build);
    let mut nothing = record("1.1", "2.7");
    (nothing.outcome, nothing.build) = (CellOutcome::Unavailable, None);
    let mut not_run = test("g", TestOutcome::NotRun, "");
    not_run.runs[0].reason = Some("no such file".to_owned());
    let mut crashed = test("h", Failed, "");
    (crashed.runs[0].retval, crashed.runs[0].signal) = (None, Some(11));
    let tests = [
        test("z", Passed, "one\ntwo"),
        test("a", Failed, ""),
        test("flaky", Passed, ""),
        test("flaky", Failed, ""),
        test("c", TimedOut, ""),
        test("d", Idle, ""),
        test("e", OutOfMemory, ""),
        not_run,
        crashed,
    ];
    let mut tested = record("1.2", "3.11").with_runs(tests);
    tested.environment.installed = vec![Installed::new("six", "1.15.0")];
    let mut variant = record("1.2", "3.11");
    variant.variant.insert("seed", "1");
    let cells = vec![unbuilt, nothing, tested, variant];
    let results = Results::new("a", "Demo.x".parse().unwrap(), "local", cells).unwrap();
    let written = legacy(&results, &|_| Some("unable to execute 'gcc'\n".to_owned()));
    insta::assert_snapshot!(written.lost.join("\n"), @"
    1 cells of further axes are left out: the original has none
    1 tests had several runs, of which one is kept
    3 tests that broke a limit are written as failures with an exit status
    ");
    let store = MemoryStore::default();
    for file in written.files {
        let (name, back) = read(file.content.as_bytes(), file.measured, &store).unwrap();
        assert_eq!(name, results.dependency);
        let before = results.cells.iter().find(|cell| cell.id() == back.id()).unwrap();
        assert_eq!((back.outcome, back.finished), (before.outcome, before.finished));
        let failing = |state| if state == State::Flaky { State::Passed } else { state };
        let states = |record: &Record| -> Vec<(String, State)> {
            let tests = record.tests.iter();
            tests.map(|one| (one.name.clone(), failing(one.state().unwrap()))).collect()
        };
        assert_eq!(states(&back), states(before));
        assert_eq!(back.environment.installed, before.environment.installed);
        if let Some(reason) = before.build.as_ref().and_then(|build| build.reason) {
            assert_eq!(back.build.unwrap().reason, Some(reason));
        }
    }
}
