use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::analysis::compare::Verdict;
use crate::analysis::results::Results;
use crate::facts::record::{CellOutcome, Record, Run, State, TestRecord};

/// The case of a cell that has no tests because it has no environment.
const ENVIRONMENT: &str = "environment";

/// How much of an output is told, in characters.
const MOST_OUTPUT: usize = 10_000;

/// Results as JUnit XML: a suite for each cell, a case for each test. A test that fails is a failure, and so is a result
/// that differs from the baseline's; a cell that could not be built or measured is an error; a cell with nothing to
/// install, and a stale one, is skipped.
///
/// Characters that XML cannot hold are left out.
pub fn junit(results: &Results) -> String {
    let mut report = Report::new(format!("{} ({})", results.analysis, results.dependency));
    for (records, is_stale) in [(&results.cells, false), (&results.stale, true)] {
        for record in records {
            let id = record.id().to_string();
            let mut suite = TestSuite::new(id.clone());
            for mut case in cases(record, results, is_stale) {
                case.set_classname(id.clone());
                suite.add_test_case(case);
            }
            report.add_test_suite(suite);
        }
    }
    // Only a writer fails, and this one is memory.
    report.to_string().unwrap_or_default()
}

fn cases(record: &Record, results: &Results, is_stale: bool) -> Vec<TestCase> {
    let skipped = |why: &str| {
        let mut status = TestCaseStatus::skipped();
        status.set_message(why);
        TestCase::new(ENVIRONMENT, status)
    };
    let error = |what: &str| {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message(what);
        TestCase::new(ENVIRONMENT, status)
    };
    if is_stale {
        return vec![skipped("stale: it answers an earlier question")];
    }
    match record.outcome {
        CellOutcome::Tested => {}
        CellOutcome::BuildFailed if record.is_excluded() => {
            return vec![skipped(&State::Excluded.to_string())];
        }
        CellOutcome::Unavailable => return vec![skipped(&record.outcome.to_string())],
        CellOutcome::BuildFailed | CellOutcome::NotMeasured => {
            return vec![error(&record.outcome.to_string())];
        }
    }
    record.tests.iter().map(|test| case(test, record, results)).collect()
}

fn case(test: &TestRecord, record: &Record, results: &Results) -> TestCase {
    let failing = test.runs.iter().find(|run| State::over([run.outcome]) == Some(State::Failed));
    let told = failing.or(test.runs.first());
    let failed = |kind: NonSuccessKind, what: String| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_message(what);
        status
    };
    let outcome = told.map(|run| run.outcome.to_string()).unwrap_or_default();
    let status = match test.state() {
        Some(State::Failed) => failed(NonSuccessKind::Failure, outcome),
        // Passing now and then is no failure of the release, as everywhere.
        Some(State::Passed | State::Flaky) => {
            match results.verdicts.verdict(&record.id(), &test.name) {
                Some(Verdict::Different) => {
                    failed(NonSuccessKind::Failure, Verdict::Different.to_string())
                }
                _ => TestCaseStatus::success(),
            }
        }
        _ => failed(NonSuccessKind::Error, State::NotMeasured.to_string()),
    };
    let mut case = TestCase::new(test.name.clone(), status);
    if let Some(run) = told {
        case.set_time(Duration::from_nanos(run.nanoseconds));
        add_output(&mut case, run);
    }
    case
}

/// The ends of what was printed, where errors are.
fn add_output(case: &mut TestCase, run: &Run) {
    let end = |text: &str| -> String {
        let skipped = text.chars().count().saturating_sub(MOST_OUTPUT);
        text.chars().skip(skipped).collect()
    };
    if !run.output.is_empty() {
        case.set_system_out(end(&run.output));
    }
    if !run.error.is_empty() {
        case.set_system_err(end(&run.error));
    }
}

#[cfg(test)]
mod tests {
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
        insta::assert_snapshot!(junit(&results), @"");
    }
}
