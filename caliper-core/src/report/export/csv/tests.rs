use super::*;
use crate::facts::record::CellOutcome;
use crate::facts::record::TestOutcome::{Failed, Passed};
use crate::facts::record::tests::{record, test};

#[test]
fn each_run_of_each_test_has_a_line() {
    let mut unbuilt = record("1.0", "3.11");
    unbuilt.outcome = CellOutcome::BuildFailed;
    let tests = [test("a", Passed, ""), test("a", Failed, ""), test("=b,\"c\"\n", Failed, "")];
    let cells = vec![unbuilt, record("1.1", "3.11").with_runs(tests)];
    let mut results = Results::new("a", "demo".parse().unwrap(), "local", cells).unwrap();
    results.stale.push(record("1.2", "3.11").with_runs([test("a", Passed, "")]));
    // The columns behind `attempt` are the same in all.
    let lines = csv(&results).replace('\r', "");
    let short = lines.lines().map(|line| line.splitn(15, ',').take(14).collect::<Vec<_>>());
    let short: Vec<String> = short.map(|fields| fields.join(",")).collect();
    insta::assert_snapshot!(short.join("\n"), @"");
    insta::assert_snapshot!(lines.lines().nth(2).unwrap(), @"");
}

#[test]
fn a_number_is_no_formula() {
    let cases = [("-11", "-11"), ("-1+1", "'-1+1"), ("=1", "'=1"), ("a=", "a="), ("+1", "+1")];
    for (field, written) in cases {
        assert_eq!(no_formula(field), written);
    }
}
