//! What must hold of a set of results, and what does not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pep440_rs::{Version, VersionSpecifiers};

use crate::analysis::compare::{Verdict, Verdicts};
use crate::analysis::functions::{FunctionGroup, FunctionsSummary};
use crate::analysis::results::Results;
use crate::facts::record::State;
use crate::facts::record::{CellOutcome, Record};
use crate::names::{PythonVersion, excerpt};
use crate::question::grid::{CellId, Variant};

/// What counts against a set of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailOn {
    /// A release that is expected to pass does not; and where nothing is expected, a build or a test
    /// that fails at a release although it works at an older one.
    Regressed,
    /// A build or a test that fails.
    Failed,
    /// As [`FailOn::Failed`], and a result that differs from the baseline's.
    Different,
    /// Nothing.
    Never,
}

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// In which cell.
    pub cell: CellId,
    /// Of which test; `None` if the cell cannot be built.
    pub test: Option<String>,
    /// Whether the test passes, and its result is what is wrong.
    pub is_of_result: bool,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.cell, self.what)
    }
}

/// What does not hold of `records`, of which an [`Analysis`](crate::analysis::Analysis) made
/// `verdicts`.
pub fn violations(
    records: &[Record],
    verdicts: &Verdicts,
    fail_on: FailOn,
    expect: Option<&VersionSpecifiers>,
) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut seen_passing: BTreeMap<(PythonVersion, Variant, String), Version> = BTreeMap::new();
    let mut seen_built: BTreeMap<(PythonVersion, Variant), Version> = BTreeMap::new();
    let mut sorted: Vec<&Record> = records.iter().collect();
    sorted.sort_by_key(|record| record.id());
    for record in sorted {
        let expected = expect.is_some_and(|expect| expect.contains(&record.version));
        let counts_failures = match fail_on {
            FailOn::Never => false,
            FailOn::Regressed => expected,
            FailOn::Failed | FailOn::Different => true,
        };
        let mut push = |test: Option<&str>, is_of_result: bool, what: String| {
            let test = test.map(str::to_owned);
            found.push(Violation { cell: record.id(), test, is_of_result, what });
        };
        let column = (record.python, record.variant.clone());
        match record.outcome {
            CellOutcome::BuildFailed if record.is_excluded() => {}
            CellOutcome::BuildFailed if counts_failures => {
                push(None, false, CellOutcome::BuildFailed.to_string());
            }
            CellOutcome::BuildFailed if fail_on == FailOn::Regressed && expect.is_none() => {
                if let Some(version) = seen_built.get(&column) {
                    push(
                        None,
                        false,
                        format!("{}, and could at {version}", CellOutcome::BuildFailed),
                    );
                }
            }
            CellOutcome::Tested => {
                seen_built.entry(column).or_insert_with(|| record.version.clone());
            }
            _ => {}
        }
        for (name, state) in record.states() {
            let row = (record.python, record.variant.clone(), name.to_owned());
            match state {
                // Flaky is not failed: the release is not what made it fail.
                State::Passed | State::Flaky => {
                    seen_passing.entry(row).or_insert_with(|| record.version.clone());
                    let verdict = verdicts.verdict(&record.id(), name);
                    if fail_on == FailOn::Different && verdict == Some(Verdict::Different) {
                        push(Some(name), true, format!("`{name}` gives a different result"));
                    }
                }
                State::NotMeasured | State::Unavailable | State::Excluded | State::BuildFailed => {}
                State::Failed => {
                    let run = record.test(name).and_then(|test| test.runs.first());
                    let outcome = run.map(|run| run.outcome);
                    let outcome = outcome.map(|outcome| outcome.to_string()).unwrap_or_default();
                    if counts_failures {
                        push(Some(name), false, format!("`{name}` {outcome}"));
                    } else if fail_on == FailOn::Regressed
                        && expect.is_none()
                        && let Some(version) = seen_passing.get(&row)
                    {
                        push(
                            Some(name),
                            false,
                            format!("`{name}` {outcome}, and passed at {version}"),
                        );
                    }
                }
            }
        }
    }
    found
}

/// What does not hold now, held against other results of the same grid: those of the default branch, say, where this is
/// a change that somebody proposes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// What does not hold now, and did there, or is not known from there.
    pub new: Vec<Violation>,
    /// What did not hold there either.
    pub known: Vec<Violation>,
}

/// Tells what is new of `found`, which does not hold of `now`, from what `before` has too.
///
/// A test that fails is known if it failed there in the same cell, or if the cell could not be built there. Where a test
/// says how its functions ended, each that fails must have failed there. A cell that cannot be built is known if it could
/// not be built there. A different result is known if it was one there. Cells and tests that were not measured there, or
/// are stale, are not known, so what is found in them is new.
pub fn against(found: Vec<Violation>, now: &Results, before: &Results) -> Held {
    let cells: BTreeMap<CellId, &Record> =
        before.cells.iter().map(|record| (record.id(), record)).collect();
    let mut held = Held::default();
    for mut violation in found {
        let Some(record) = cells.get(&violation.cell) else {
            held.new.push(violation);
            continue;
        };
        let is_known = match &violation.test {
            None => record.outcome == CellOutcome::BuildFailed,
            Some(test) => match record.state_of(Some(test)) {
                Some(State::BuildFailed) => true,
                Some(State::Failed) => {
                    let functions = newly_failing(&violation.cell, test, now, before);
                    violation.what += &told(&functions);
                    functions.is_empty()
                }
                Some(State::Passed | State::Flaky) => {
                    let verdict = before.verdicts.verdict(&violation.cell, test);
                    violation.is_of_result && verdict == Some(Verdict::Different)
                }
                Some(State::NotMeasured | State::Unavailable | State::Excluded) | None => false,
            },
        };
        if is_known { held.known.push(violation) } else { held.new.push(violation) }
    }
    held
}

/// The functions of a test that fail now in a cell, and did not before. None where either side does not know its
/// functions: then the test counts as a whole.
fn newly_failing<'a>(
    cell: &CellId,
    test: &str,
    now: &'a Results,
    before: &Results,
) -> Vec<&'a str> {
    let cell = cell.to_string();
    let (Some(now), Some(before)) = (of_test(now, test), of_test(before, test)) else {
        return Vec::new();
    };
    if before.unknown.contains_key(&cell) {
        return Vec::new();
    }
    let known = failing(before, &cell);
    failing(now, &cell).into_iter().filter(|function| !known.contains(function)).collect()
}

fn of_test<'a>(results: &'a Results, test: &str) -> Option<&'a FunctionsSummary> {
    results.functions.iter().find(|one| one.test == test)
}

fn failing<'a>(summary: &'a FunctionsSummary, cell: &str) -> BTreeSet<&'a str> {
    let fails = |group: &&FunctionGroup| group.failing.iter().any(|failing| failing == cell);
    let groups = summary.groups.iter().filter(fails);
    groups.flat_map(|group| group.functions.iter().map(String::as_str)).collect()
}

/// `; functions that did not fail before (2): a, b`, shortened with `…` if there are many.
fn told(functions: &[&str]) -> String {
    const NAMED: usize = 3;
    if functions.is_empty() {
        return String::new();
    }
    let more = if functions.len() > NAMED { ", …" } else { "" };
    let named: Vec<String> =
        functions.iter().take(NAMED).map(|function| excerpt(function, 100)).collect();
    format!(
        "; functions that did not fail before ({}): {}{more}",
        functions.len(),
        named.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::record::TestOutcome;
    use crate::facts::record::tests::{record, test};
    use crate::question::criteria::Criteria;

    #[test]
    fn each_level_counts_what_it_says() {
        let with = |version, outcome, output| {
            // Often enough to tell another result from noise.
            record(version, "3.11").with_runs(vec![test("t", outcome, output); 5])
        };
        let mut records = [
            with("1.0", TestOutcome::Failed, ""),
            with("1.1", TestOutcome::Passed, "a"),
            with("1.2", TestOutcome::Failed, ""),
            with("1.3", TestOutcome::Passed, "b"),
            with("1.4", TestOutcome::Killed, ""),
            record("1.5", "3.11"),
        ];
        records[5].outcome = CellOutcome::BuildFailed;
        let verdicts =
            crate::analysis::Analysis::new(&records, None, &Criteria::default(), &|_| None)
                .into_verdicts();
        let expect: VersionSpecifiers = ">=1.1,<1.5".parse().unwrap();
        let found = |fail_on, expect| -> Vec<String> {
            violations(&records, &verdicts, fail_on, expect)
                .iter()
                .map(ToString::to_string)
                .collect()
        };
        assert_eq!(found(FailOn::Never, Some(&expect)), Vec::<String>::new());
        let built = "cannot be built";
        assert_eq!(
            found(FailOn::Regressed, None),
            [
                "1.2/3.11: `t` failed, and passed at 1.1".to_owned(),
                format!("1.5/3.11: {built}, and could at 1.0")
            ]
        );
        assert_eq!(found(FailOn::Regressed, Some(&expect)), ["1.2/3.11: `t` failed"]);
        assert_eq!(found(FailOn::Failed, None).len(), 3);
        assert_eq!(
            found(FailOn::Different, None),
            [
                "1.0/3.11: `t` failed",
                "1.1/3.11: `t` gives a different result",
                "1.2/3.11: `t` failed",
                "1.5/3.11: cannot be built"
            ]
        );
    }

    #[test]
    fn what_failed_before_is_not_new() {
        use TestOutcome::{Failed, Passed};
        let cell = |version, tests: &[(&str, TestOutcome, &str)]| {
            let runs = tests.iter().flat_map(|(name, outcome, output)| {
                std::iter::repeat_n(test(name, *outcome, output), 5)
            });
            record(version, "3.11").with_runs(runs)
        };
        let unbuilt = |version| {
            let mut record = record(version, "3.11");
            record.outcome = CellOutcome::BuildFailed;
            record
        };
        let results = |cells: Vec<Record>| {
            let criteria = Criteria::default();
            let analysis = crate::analysis::Analysis::new(&[], None, &criteria, &|_| None);
            let results = Results::new("a", "demo".parse().unwrap(), "local", cells).unwrap();
            results.read_through(&analysis, &[])
        };
        let before = results(vec![
            cell("1.0", &[("a", Failed, ""), ("b", Passed, "x")]),
            unbuilt("1.1"),
            unbuilt("1.2"),
            cell("1.3", &[("a", Failed, ""), ("b", Failed, "")]),
            cell("1.4", &[("a", Passed, "other"), ("b", Passed, "x")]),
            cell("1.6", &[("a", Passed, "usual"), ("b", Passed, "x")]),
        ]);
        let now = results(vec![
            cell("1.0", &[("a", Failed, ""), ("b", Failed, "")]), // b is new
            unbuilt("1.1"),
            cell("1.2", &[("a", Failed, ""), ("b", Passed, "x")]), // could not be built before
            unbuilt("1.3"),                                        // worse than before
            cell("1.4", &[("a", Passed, "other"), ("b", Passed, "z")]), // a was different before
            cell("1.5", &[("a", Failed, ""), ("b", Passed, "x")]), // was not measured before
            cell("1.6", &[("a", Passed, "usual"), ("b", Passed, "x")]),
        ]);
        let found = violations(&now.cells, &now.verdicts, FailOn::Different, None);
        let Held { new, known } = against(found, &now, &before);
        let told = |found: &[Violation]| {
            found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        insta::assert_snapshot!(told(&new), @"
        1.0/3.11: `b` failed
        1.3/3.11: cannot be built
        1.4/3.11: `b` gives a different result
        1.5/3.11: `a` failed
        ");
        insta::assert_snapshot!(told(&known), @"
        1.0/3.11: `a` failed
        1.1/3.11: cannot be built
        1.2/3.11: `a` failed
        1.4/3.11: `a` gives a different result
        ");
        let held = against(new.clone(), &now, &now);
        assert_eq!((held.new, held.known.len()), (Vec::new(), new.len()));
    }

    #[test]
    fn a_test_with_functions_is_known_if_all_that_fail_did() {
        use TestOutcome::Failed;
        let group = |functions: &[&str], cell: &str| -> FunctionGroup {
            let value = serde_json::json!({"functions": functions, "failing": [cell]});
            serde_json::from_value(value).unwrap()
        };
        let results = |groups: Vec<FunctionGroup>, unknown: &[&str]| {
            let cells = vec![record("1.0", "3.11").with_runs([test("pytest", Failed, "")])];
            let mut results = Results::new("a", "demo".parse().unwrap(), "local", cells).unwrap();
            let value = serde_json::json!({"test": "pytest", "count": 9, "passing": 1});
            let mut summary: FunctionsSummary = serde_json::from_value(value).unwrap();
            summary.groups = groups;
            summary.unknown =
                unknown.iter().map(|cell| ((*cell).to_owned(), String::new())).collect();
            results.functions = vec![summary];
            results
        };
        let cell = "1.0/3.11";
        let before = results(vec![group(&["a", "b"], cell)], &[]);
        let held = |now: &Results, before: &Results| {
            let found = violations(&now.cells, &now.verdicts, FailOn::Failed, None);
            let Held { new, known } = against(found, now, before);
            let told: Vec<String> = new.iter().map(ToString::to_string).collect();
            (told.join(""), known.len())
        };
        let fewer = results(vec![group(&["b"], cell)], &[]);
        assert_eq!(held(&fewer, &before), (String::new(), 1));
        let more = results(vec![group(&["a"], cell), group(&["c", "d\u{1b}"], cell)], &[]);
        insta::assert_snapshot!(held(&more, &before).0, @r#"1.0/3.11: `pytest` failed; functions that did not fail before (2): c, d\u{1b}"#);
        // Where nothing is known of the functions, the test counts.
        assert_eq!(held(&more, &results(Vec::new(), &[cell])), (String::new(), 1));
        // In another cell they may fail.
        let elsewhere = results(vec![group(&["c", "d\u{1b}", "a"], "1.1/3.11")], &[]);
        assert_eq!(held(&more, &elsewhere).1, 0);
    }
}
