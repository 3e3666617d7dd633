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
    insta::assert_snapshot!(short.join("\n"), @r#"
    cell,release,python,variant,test,state,verdict,runs,outcome,seconds,cpu_seconds,peak_memory_bytes,stale,attempt
    1.0/3.11,1.0,3.11,,,cannot be built,,,,,,,false,
    1.1/3.11,1.1,3.11,,a,flaky,,2,passed,0.500000000,,,false,1
    1.1/3.11,1.1,3.11,,a,flaky,,2,failed,0.500000000,,,false,2
    1.1/3.11,1.1,3.11,,"'=b,""c""�",fails,,1,failed,0.500000000,,,false
    1.2/3.11,1.2,3.11,,a,passes,,1,passed,0.500000000,,,true,1
    "#);
    insta::assert_snapshot!(lines.lines().nth(2).unwrap(), @"1.1/3.11,1.1,3.11,,a,flaky,,2,passed,0.500000000,,,false,1,,,,0,,false,,1.000000000,fake,,2020-09-13T12:26:40Z,");
}

#[test]
fn a_number_is_no_formula() {
    let cases = [("-11", "-11"), ("-1+1", "'-1+1"), ("=1", "'=1"), ("a=", "a="), ("+1", "+1")];
    for (field, written) in cases {
        assert_eq!(no_formula(field), written);
    }
}
