use super::*;
use crate::facts::record::TestOutcome::{Failed, Passed};
use crate::facts::record::tests::{record, test};

#[test]
fn cells_are_suites_and_tests_are_cases() {
    let mut unbuilt = record("1.0", "3.11");
    unbuilt.outcome = CellOutcome::BuildFailed;
    let mut nothing = record("1.1", "3.11");
    nothing.outcome = CellOutcome::Unavailable;
    let hostile = "]]><case>&\u{1b}[2J\u{0}\u{ffff}";
    let tests = [test("a", Passed, hostile), test("<b>\"&\n", Failed, "")];
    let cells = vec![unbuilt, nothing, record("1.2", "3.11").with_runs(tests.clone())];
    let mut results = Results::new("a", "demo".parse().unwrap(), "local", cells).unwrap();
    results.stale.push(record("1.3", "3.11").with_runs(tests));
    insta::assert_snapshot!(junit(&results), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="a (demo)">
      <testsuite name="1.0/3.11" tests="1" skipped="0" failures="0" errors="1">
        <testcase name="environment" classname="1.0/3.11" time="0.000">
          <error message="cannot be built"/>
        </testcase>
      </testsuite>
      <testsuite name="1.1/3.11" tests="1" skipped="1" failures="0" errors="0">
        <testcase name="environment" classname="1.1/3.11" time="0.000">
          <skipped message="nothing to install"/>
        </testcase>
      </testsuite>
      <testsuite name="1.2/3.11" tests="2" skipped="0" failures="1" errors="0">
        <testcase name="a" classname="1.2/3.11" time="0.500">
          <system-out>]]&gt;&lt;case&gt;&amp;�[2J��</system-out>
        </testcase>
        <testcase name="&lt;b&gt;&quot;&amp;&#10;" classname="1.2/3.11" time="0.500">
          <failure message="failed"/>
        </testcase>
      </testsuite>
      <testsuite name="1.3/3.11" tests="1" skipped="1" failures="0" errors="0">
        <testcase name="environment" classname="1.3/3.11" time="0.000">
          <skipped message="stale: it answers an earlier question"/>
        </testcase>
      </testsuite>
    </testsuites>
    "#);
}

#[test]
fn further_failures_stand_beside_the_first() {
    let tests = [
        test("flaky", Failed, "no"),
        test("flaky", Passed, "yes"),
        test("bad", Failed, "one"),
        test("bad", Failed, "two\u{7}"),
    ];
    let cells = vec![record("1.2", "3.11").with_runs(tests)];
    let results = Results::new("a", "demo".parse().unwrap(), "local", cells).unwrap();
    insta::assert_snapshot!(junit(&results), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="a (demo)">
      <testsuite name="1.2/3.11" tests="2" skipped="0" failures="1" errors="0">
        <testcase name="flaky" classname="1.2/3.11" time="0.500">
          <flakyFailure message="run 1: failed" type="failed">
            <system-out>no</system-out>
          </flakyFailure>
          <system-out>yes</system-out>
        </testcase>
        <testcase name="bad" classname="1.2/3.11" time="0.500">
          <failure message="failed"/>
          <rerunFailure message="run 2: failed" type="failed">
            <system-out>two�</system-out>
          </rerunFailure>
          <system-out>one</system-out>
        </testcase>
      </testsuite>
    </testsuites>
    "#);
}
