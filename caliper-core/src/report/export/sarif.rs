mod place;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub use place::SourceTree;

use crate::analysis::causes::Cause;
use crate::analysis::compare::Verdict;
use crate::analysis::results::Results;
use crate::facts::record::{CellOutcome, Record, State};
use crate::names::Sha256;

/// GitHub refuses a run with more than 25,000 results, and shows 5,000 of them
/// ([its limits](https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning)).
const MOST_RESULTS: usize = 5_000;

/// How many cells, places and the like are listed of a result, so that the file stays far below GitHub's 10 MB.
const MOST_LISTED: usize = 100;

/// Results as [SARIF 2.1.0](https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html), for the code scanning of GitHub
/// and for editors: one result for each cause of failures, for each test with different results, for each flaky test, and for
/// each reason why cells could not be measured. Its fingerprint stays the same as long as its cause does, whatever cells have
/// it.
///
/// A result stands at the line of the project that its traceback names, else at the file of its test, else at the
/// configuration: GitHub takes none without a place.
pub fn sarif(results: &Results, tree: &SourceTree<'_>) -> String {
    let mut found: Vec<Found> = Vec::new();
    found.extend(results.causes.iter().map(|cause| of_cause(cause, results, tree)));
    found.extend(of_verdicts(results, tree));
    found.extend(not_measured(results, tree));
    found.sort_by_key(|one| one.rule);
    let left_out = found.len().saturating_sub(MOST_RESULTS);
    found.truncate(MOST_RESULTS);
    let mut notifications = Vec::new();
    if left_out > 0 {
        let text = format!("{left_out} more results are left out: GitHub shows {MOST_RESULTS}");
        notifications.push(json!({"level": "warning", "message": {"text": text}}));
    }
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "Caliper",
                "version": results.caliper,
                "rules": Rule::ALL.map(Rule::described),
            }},
            "automationDetails": {"id": format!("caliper/{}/", results.dependency.normalized())},
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                // That tests fail is a result, and no failure of the tool.
                "executionSuccessful": true,
                "startTimeUtc": results.started,
                "endTimeUtc": results.finished,
                "toolExecutionNotifications": notifications,
            }],
            "results": found.iter().map(Found::result).collect::<Vec<_>>(),
        }],
    });
    format!("{document:#}\n")
}

/// What kind of thing was found, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rule {
    Fails,
    CannotBeBuilt,
    DifferentResult,
    Flaky,
    NotMeasured,
}

impl Rule {
    const ALL: [Self; 5] =
        [Self::Fails, Self::CannotBeBuilt, Self::DifferentResult, Self::Flaky, Self::NotMeasured];

    fn id(self) -> &'static str {
        match self {
            Self::Fails => "fails",
            Self::CannotBeBuilt => "cannot-be-built",
            Self::DifferentResult => "different-result",
            Self::Flaky => "flaky",
            Self::NotMeasured => "could-not-be-measured",
        }
    }

    fn level(self) -> &'static str {
        match self {
            Self::Fails | Self::CannotBeBuilt => "error",
            Self::DifferentResult | Self::Flaky => "warning",
            Self::NotMeasured => "note",
        }
    }

    fn described(self) -> Value {
        let (name, short, help) = match self {
            Self::Fails => (
                "Fails",
                "A test fails with releases of the dependency",
                "Exclude these releases, or mend the code for them. `caliper show CELL` shows what was printed.",
            ),
            Self::CannotBeBuilt => (
                "CannotBeBuilt",
                "Releases of the dependency cannot be installed",
                "Exclude these releases or Pythons, or install what their build needs. `caliper show CELL` shows the log.",
            ),
            Self::DifferentResult => (
                "DifferentResult",
                "A test passes with another result than at the baseline",
                "`caliper compare BASELINE RELEASE` shows what differs, and by how much.",
            ),
            Self::Flaky => (
                "Flaky",
                "A test passes in some runs and fails in others",
                "Nothing that Caliper controls differs between the runs: look for time, order, network and chance.",
            ),
            Self::NotMeasured => (
                "CouldNotBeMeasured",
                "An infrastructure failure prevented a measurement",
                "`caliper run` measures the cells again.",
            ),
        };
        json!({
            "id": self.id(),
            "name": name,
            "shortDescription": {"text": short},
            "fullDescription": {"text": short},
            "help": {"text": help},
            "defaultConfiguration": {"level": self.level()},
        })
    }
}

/// Something that was found.
struct Found {
    rule: Rule,
    /// What makes it the same thing in another file of results.
    identity: String,
    text: String,
    locations: Vec<Value>,
    properties: Value,
}

impl Found {
    fn result(&self) -> Value {
        let identity = format!("{}\n{}", self.rule.id(), self.identity);
        let digest = Sha256::of(identity.as_bytes()).hex();
        json!({
            "ruleId": self.rule.id(),
            "ruleIndex": self.rule as usize,
            "level": self.rule.level(),
            "message": {"text": plain(&self.text)},
            "locations": self.locations,
            "partialFingerprints": {
                // The only one that GitHub looks at. It would else make one of the line of the file.
                "primaryLocationLineHash": format!("{}:1", &digest[..16]),
                "caliper/v1": digest,
            },
            "properties": self.properties,
        })
    }
}

/// A text that is no link (SARIF 3.11.6), of bounded length.
fn plain(text: &str) -> String {
    const LONGEST: usize = 2_000;
    let text: String = text.chars().take(LONGEST).collect();
    let shown = |one: char| if one.is_control() && one != '\n' { '\u{fffd}' } else { one };
    text.replace("](", "] (").chars().map(shown).collect()
}

fn of_cause(cause: &Cause, results: &Results, tree: &SourceTree<'_>) -> Found {
    let tests: Vec<&str> =
        cause.places.iter().flat_map(|place| &place.tests).map(String::as_str).collect();
    let is_build = tests.is_empty();
    let places: Vec<&str> =
        cause.places.iter().filter_map(|place| place.at.as_deref()).take(MOST_LISTED).collect();
    let mut text = format!("{}\n", cause.signature);
    let cells: Vec<&str> = cause.cells.iter().map(String::as_str).collect();
    text += &in_cells(&cells, results, if is_build { &[] } else { &tests });
    if let Some(first) = places.first() {
        text += &format!("\nIt surfaces at {first}");
        if places.len() > 1 {
            text += &format!(" and at {} other places", places.len() - 1);
        }
        text += ".";
    }
    let record = results.cells.iter().find(|record| record.id().to_string() == cause.example.cell);
    let names = cause.example.test.as_deref().into_iter().chain(tests.iter().copied());
    let mut properties = listed(&cells);
    properties["places"] = json!(places);
    Found {
        rule: if is_build { Rule::CannotBeBuilt } else { Rule::Fails },
        identity: cause.signature.clone(),
        text,
        locations: tree.locations(record, names, &places),
        properties,
    }
}

/// Tests whose results differ from the baseline's, and tests that pass now and then.
fn of_verdicts(results: &Results, tree: &SourceTree<'_>) -> Vec<Found> {
    let mut tests: BTreeMap<(Rule, &str), Vec<&str>> = BTreeMap::new();
    for one in &results.verdicts {
        let rule = match (one.state, one.verdict) {
            (State::Flaky, _) => Rule::Flaky,
            (State::Passed, Some(Verdict::Different)) => Rule::DifferentResult,
            _ => continue,
        };
        tests.entry((rule, &one.test)).or_default().push(&one.cell);
    }
    let found = |((rule, test), cells): ((Rule, &str), Vec<&str>)| {
        let what = match rule {
            Rule::Flaky => format!("`{test}` passes in some runs and fails in others"),
            _ => format!("`{test}` passes with a result that differs from the baseline's"),
        };
        let text = format!("{what}\n{}", in_cells(&cells, results, &[test]));
        let record = results.cells.iter().find(|record| record.id().to_string() == cells[0]);
        Found {
            rule,
            identity: test.to_owned(),
            text,
            locations: tree.locations(record, std::iter::once(test), &[]),
            properties: listed(&cells),
        }
    };
    tests.into_iter().map(found).collect()
}

fn not_measured(results: &Results, tree: &SourceTree<'_>) -> Vec<Found> {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for record in results.cells.iter().filter(|one| one.outcome == CellOutcome::NotMeasured) {
        let reason = record.reason.as_deref().unwrap_or("the reason is not known");
        reasons.entry(reason).or_default().push(record.id().to_string());
    }
    let found = |(reason, cells): (&str, Vec<String>)| {
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        Found {
            rule: Rule::NotMeasured,
            identity: reason.to_owned(),
            text: format!("{reason}\n{}", in_cells(&cells, results, &[])),
            locations: tree.locations(None, std::iter::empty(), &[]),
            properties: listed(&cells),
        }
    };
    reasons.into_iter().map(found).collect()
}

/// `In 12 cells of jinja2, releases 2.8 … 2.11.3: render.py.`
fn in_cells(cells: &[&str], results: &Results, tests: &[&str]) -> String {
    let releases = releases(cells);
    let which = match releases.as_slice() {
        [] => String::new(),
        [one] => format!(", release {one}"),
        [first, .., last] => format!(", {} releases from {first} to {last}", releases.len()),
    };
    let count = cells.len();
    let plural = if count == 1 { "" } else { "s" };
    let mut names: Vec<&str> = tests.to_vec();
    names.sort_unstable();
    names.dedup();
    let tests = match names.as_slice() {
        [] => String::new(),
        few if few.len() <= 3 => format!(" (tests: {})", few.join(", ")),
        many => format!(" (tests: {} and {} more)", many[..3].join(", "), many.len() - 3),
    };
    format!("In {count} cell{plural} of {}{which}{tests}.", results.dependency.normalized())
}

/// The releases of cells, each once, in their order.
fn releases<'a>(cells: &[&'a str]) -> Vec<&'a str> {
    let mut releases: Vec<&str> =
        cells.iter().map(|cell| cell.split('/').next().unwrap_or(cell)).collect();
    releases.dedup();
    releases
}

fn listed(cells: &[&str]) -> Value {
    let releases = releases(cells);
    json!({
        "cellCount": cells.len(),
        "cells": &cells[..cells.len().min(MOST_LISTED)],
        "releases": &releases[..releases.len().min(MOST_LISTED)],
    })
}

/// The record of a cell ends the search for a line; see [`SourceTree`].
fn printed(record: &Record, test: &str) -> Option<String> {
    let failed =
        |run: &&crate::facts::record::Run| State::over([run.outcome]) == Some(State::Failed);
    let run = record.test(test)?.runs.iter().find(failed)?;
    Some(format!("{}\n{}", run.output, run.error))
}

#[cfg(test)]
mod tests;
