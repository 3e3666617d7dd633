use super::*;
use crate::facts::record::TestOutcome::{self, Failed, Passed};
use crate::facts::record::tests::{record, test};
use crate::names::Timestamp;

fn results(analysis: &str, day: i64, outcome: TestOutcome) -> Results {
    let mut cell = record("1.0", "3.11").with_runs([test("t", outcome, "")]);
    cell.finished = Timestamp::from_unix_seconds(1_600_000_000 + day * 86_400);
    Results::new(analysis, "demo".parse().unwrap(), "local", vec![cell]).unwrap()
}

#[test]
fn results_are_remembered_once_and_each_analysis_by_itself() {
    let mut database: Option<Vec<u8>> = None;
    let mut add = |results: &Results| {
        let (bytes, is_new) = remember(database.as_deref(), results).unwrap();
        database = Some(bytes);
        is_new
    };
    let (old, new) = (results("a", 0, Passed), results("a", 9, Failed));
    assert_eq!([add(&new), add(&old), add(&new), add(&old)], [true, true, false, false]);
    assert!(add(&results("b", 9, Failed)));
    let history = history(&database.unwrap()).unwrap();
    assert_eq!(history.studies.len(), 2);
    let [study, other] = &history.studies[..] else { panic!("two") };
    assert_eq!((study.snapshots.len(), study.changes.len()), (2, 1));
    let expected = StudyHistory::of("demo", "a", [&old, &new].map(Snapshot::of).into());
    assert_eq!(*study, expected);
    assert!(other.changes.is_empty());
}

#[test]
fn what_is_no_history_is_told() {
    let say = |bytes: &[u8]| {
        let error = history(bytes).unwrap_err();
        let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        format!("{error}{source}")
    };
    let mut other = Connection::open_in_memory().unwrap();
    other.execute_batch("CREATE TABLE lines (line)").unwrap();
    let (whole, _) = remember(None, &results("a", 0, Passed)).unwrap();
    let mut newer = open(Some(&whole)).unwrap();
    newer.execute_batch("PRAGMA user_version = 7").unwrap();
    let mut damaged = open(Some(&whole)).unwrap();
    damaged.execute_batch("UPDATE lines SET state = 'odd'").unwrap();
    let mut cut = whole.clone();
    cut[100..].fill(0xff);
    let told = [
        say(b""),
        say(b"{}"),
        say(&bytes(&mut other).unwrap()),
        say(&bytes(&mut newer).unwrap()),
        say(&bytes(&mut damaged).unwrap()),
        say(&cut),
    ];
    insta::assert_snapshot!(told.join("\n"), @"
    it is no history that Caliper wrote
    it is no history that Caliper wrote
    it is no history that Caliper wrote
    it has format 7, and this Caliper reads up to 1; use a newer Caliper
    it is damaged: unknown variant `odd`, expected one of `unavailable`, `excluded`, `build_failed`, `failed`, `flaky`, `passed`, `not_measured`
    SQLite could not work on it: database disk image is malformed
    ");
}
