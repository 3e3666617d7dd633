//! The grid for a terminal: a line for each release, a column for each Python.
//!
//! Neighbouring releases that ended alike share a line, so that five hundred cells are as easy to
//! read as five.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;

use crate::analysis::compare::{Verdict, Verdicts};
use crate::facts::record::State;
use crate::facts::record::{CellOutcome, Record};
use crate::names::PythonVersion;
use crate::question::grid::{CellId, Variant};

/// How good a piece of text is, for whoever colours it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tone {
    /// Neither good nor bad.
    Plain,
    /// Less important than the rest.
    Dim,
    /// All is well.
    Good,
    /// It works, and is not the same.
    Notable,
    /// It does not work.
    Bad,
    /// The world's doing.
    Spurious,
}

/// A piece of text with its tone.
pub type Span = (Tone, String);

/// Where one cell ended, as short as it can be said.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Mark {
    Same,
    WithinNoise,
    Passed,
    Undecided,
    Different,
    Flaky,
    Failed { passed: usize, of: usize },
    ImportFailed,
    BuildFailed,
    Unavailable,
    NotMeasured,
    NoRecord,
}

impl Mark {
    fn of(record: &Record, verdicts: &Verdicts) -> Self {
        match record.outcome {
            CellOutcome::Unavailable => return Self::Unavailable,
            CellOutcome::BuildFailed => return Self::BuildFailed,
            CellOutcome::NotMeasured => return Self::NotMeasured,
            CellOutcome::Tested => {}
        }
        // Repeats count as one: a test that passes now and then is flaky, and has not failed.
        let tests = record.states();
        let of = tests.len();
        let works = |state: &State| matches!(state, State::Passed | State::Flaky);
        let passed = tests.iter().filter(|(_, state)| works(state)).count();
        let import_failed = tests.first().is_some_and(|(_, state)| !works(state));
        let id = record.id();
        let of_tests: Vec<Option<Verdict>> =
            tests.iter().map(|(test, _)| verdicts.verdict(&id, test)).collect();
        let verdict = |verdict| of_tests.contains(&Some(verdict));
        if import_failed && passed == 0 {
            Self::ImportFailed
        } else if passed < of {
            Self::Failed { passed, of }
        } else if tests.iter().any(|(_, state)| *state == State::Flaky) {
            Self::Flaky
        } else if verdict(Verdict::Different) {
            Self::Different
        } else if verdict(Verdict::Undecided) {
            Self::Undecided
        } else if verdict(Verdict::NoBaseline) || of_tests.contains(&None) {
            Self::Passed
        } else if verdict(Verdict::SameWithinNoise) {
            Self::WithinNoise
        } else {
            Self::Same
        }
    }

    fn span(&self) -> Span {
        match self {
            Self::Same => (Tone::Good, "✓".into()),
            Self::WithinNoise => (Tone::Good, "≈".into()),
            Self::Passed => (Tone::Good, "○".into()),
            Self::Undecided => (Tone::Notable, "≠?".into()),
            Self::Different => (Tone::Notable, "≠".into()),
            Self::Flaky => (Tone::Notable, "~".into()),
            // The import is always among the tests, so a cell has at least one besides.
            Self::Failed { passed, of } => (Tone::Bad, format!("✗ {passed}/{of}")),
            Self::ImportFailed => (Tone::Bad, "✗".into()),
            Self::BuildFailed => (Tone::Bad, "B".into()),
            Self::Unavailable => (Tone::Dim, "·".into()),
            Self::NotMeasured => (Tone::Spurious, "?".into()),
            Self::NoRecord => (Tone::Dim, " ".into()),
        }
    }

    fn legend(&self) -> &'static str {
        match self {
            Self::Same => "✓ same result",
            Self::WithinNoise => "≈ same result, within noise",
            Self::Passed => "○ passes, and there is no baseline to compare with",
            Self::Undecided => "≠? not the same result, which may be noise",
            Self::Different => "≠ different result",
            Self::Flaky => "~ passes now and then",
            Self::Failed { .. } => "✗ n/m only n of m tests pass",
            Self::ImportFailed => "✗ no test passes",
            Self::BuildFailed => "B cannot be built",
            Self::Unavailable => "· nothing to install",
            Self::NotMeasured => "? could not be measured",
            Self::NoRecord => "",
        }
    }
}

/// Draws `records` with the `verdicts` on them: a heading, the lines, a legend, and the totals.
pub fn lines(records: &[Record], verdicts: &Verdicts) -> Vec<Vec<Span>> {
    lines_beside(records, verdicts, &BTreeSet::new())
}

/// The same with blanks for cells that nobody measured, so that releases on both sides of one without a
/// record do not share a line.
pub fn lines_beside(
    records: &[Record],
    verdicts: &Verdicts,
    unmeasured: &BTreeSet<CellId>,
) -> Vec<Vec<Span>> {
    let columns: BTreeSet<(PythonVersion, &Variant)> =
        records.iter().map(|record| (record.python, &record.variant)).collect();
    let mut rows: BTreeMap<&Version, BTreeMap<(PythonVersion, &Variant), Mark>> = BTreeMap::new();
    for record in records {
        let cell = (record.python, &record.variant);
        rows.entry(&record.version).or_default().insert(cell, Mark::of(record, verdicts));
    }
    for cell in unmeasured {
        rows.entry(&cell.version).or_default();
    }
    let marks = |row: &BTreeMap<(PythonVersion, &Variant), Mark>| -> Vec<Mark> {
        columns.iter().map(|column| row.get(column).cloned().unwrap_or(Mark::NoRecord)).collect()
    };
    // First and last release of a line, how many there are, and how they ended.
    let mut groups: Vec<(&Version, &Version, usize, Vec<Mark>)> = Vec::new();
    for (version, row) in &rows {
        let row = marks(row);
        match groups.last_mut() {
            Some((_, last, count, marks)) if *marks == row => {
                *last = version;
                *count += 1;
            }
            _ => groups.push((version, version, 1, row)),
        }
    }
    let labels: Vec<String> = groups
        .iter()
        .map(|(first, last, count, _)| match count {
            1 => first.to_string(),
            2 => format!("{first}, {last}"),
            _ => format!("{first} … {last} ({count})"),
        })
        .collect();
    let headings: Vec<String> =
        columns
            .iter()
            .map(|(python, variant)| {
                if variant.is_empty() { python.to_string() } else { format!("{python} {variant}") }
            })
            .collect();
    let width = |text: &str| text.chars().count();
    let label_width = labels.iter().map(|label| width(label)).max().unwrap_or(0);
    let widths: Vec<usize> = headings
        .iter()
        .enumerate()
        .map(|(index, heading)| {
            let marks = groups.iter().map(|(.., marks)| width(&marks[index].span().1));
            marks.max().unwrap_or(0).max(width(heading))
        })
        .collect();
    let pad =
        |text: &str, to: usize| format!("{text}{}", " ".repeat(to.saturating_sub(width(text))));

    let mut lines = Vec::new();
    let mut heading = vec![(Tone::Plain, pad("", label_width))];
    for (text, to) in headings.iter().zip(&widths) {
        heading.push((Tone::Dim, format!("  {}", pad(text, *to))));
    }
    lines.push(trimmed(heading));
    for (label, (.., marks)) in labels.iter().zip(&groups) {
        let mut line = vec![(Tone::Plain, pad(label, label_width))];
        for (mark, to) in marks.iter().zip(&widths) {
            let (tone, text) = mark.span();
            line.push((tone, format!("  {}", pad(&text, *to))));
        }
        lines.push(trimmed(line));
    }
    lines.push(Vec::new());
    let used: BTreeSet<&str> = groups
        .iter()
        .flat_map(|(.., marks)| marks.iter().map(Mark::legend))
        .filter(|legend| !legend.is_empty())
        .collect();
    lines.push(vec![(Tone::Dim, used.into_iter().collect::<Vec<_>>().join("   "))]);
    lines.push(totals(records, verdicts));
    lines
}

/// The same without tones.
pub fn plain(records: &[Record], verdicts: &Verdicts) -> String {
    let mut text = String::new();
    for line in lines(records, verdicts) {
        for (_, piece) in line {
            text.push_str(&piece);
        }
        text.push('\n');
    }
    text
}

fn trimmed(mut line: Vec<Span>) -> Vec<Span> {
    while let Some((_, text)) = line.last_mut() {
        text.truncate(text.trim_end().len());
        if !text.is_empty() {
            break;
        }
        line.pop();
    }
    line
}

fn totals(records: &[Record], verdicts: &Verdicts) -> Vec<Span> {
    let mut counts: BTreeMap<(usize, Tone, &str), usize> = BTreeMap::new();
    for record in records {
        let what = match Mark::of(record, verdicts) {
            Mark::Same => (0, Tone::Good, "the same"),
            Mark::WithinNoise => (0, Tone::Good, "the same within noise"),
            Mark::Passed => (0, Tone::Good, "pass"),
            Mark::Undecided => (1, Tone::Notable, "undecided"),
            Mark::Different => (1, Tone::Notable, "different"),
            Mark::Flaky => (1, Tone::Notable, "flaky"),
            Mark::Failed { .. } | Mark::ImportFailed => (2, Tone::Bad, "cannot run"),
            Mark::BuildFailed => (3, Tone::Bad, "cannot be built"),
            Mark::Unavailable => (4, Tone::Dim, "nothing to install"),
            Mark::NotMeasured | Mark::NoRecord => (5, Tone::Spurious, "not measured"),
        };
        *counts.entry(what).or_default() += 1;
    }
    let mut line = vec![(Tone::Plain, format!("{} cells", records.len()))];
    for ((_, tone, what), count) in counts {
        line.push((Tone::Plain, " · ".into()));
        line.push((tone, format!("{count} {what}")));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::record::TestOutcome;
    use crate::facts::record::tests::{record, test};
    use crate::question::criteria::Criteria;

    #[test]
    fn a_grid_is_read_at_a_glance() {
        let mut records = Vec::new();
        for (version, outcome, output) in [
            ("1.8", TestOutcome::Failed, ""),
            ("1.9", TestOutcome::Failed, ""),
            ("1.10", TestOutcome::Failed, ""),
            ("2.0", TestOutcome::Passed, "old"),
            ("2.1", TestOutcome::Passed, "new"),
            ("2.2", TestOutcome::Passed, "new"),
        ] {
            for python in ["2.7", "3.11"] {
                let mut record = record(version, python);
                record.tests =
                    vec![test("import", TestOutcome::Passed, ""), test("t", outcome, output)];
                if python == "2.7" && version.starts_with('2') {
                    record.outcome = CellOutcome::Unavailable;
                    record.tests.clear();
                }
                records.push(record);
            }
        }
        records[4].outcome = CellOutcome::NotMeasured;
        let verdicts =
            crate::analysis::Analysis::new(&records, None, &Criteria::default(), &|_| None)
                .into_verdicts();
        insta::assert_snapshot!(plain(&records, &verdicts), @"
                  2.7    3.11
        1.8, 1.9  ✗ 1/2  ✗ 1/2
        1.10      ?      ✗ 1/2
        2.0       ·      ≠?
        2.1, 2.2  ·      ✓

        ? could not be measured   · nothing to install   ≠? not the same result, which may be noise   ✓ same result   ✗ n/m only n of m tests pass
        12 cells · 2 the same · 1 undecided · 5 cannot run · 3 nothing to install · 1 not measured
        ");
        assert_eq!(plain(&records[..0], &verdicts).trim(), "0 cells");

        let between = ["2.1.1/3.11", "2.1.2/3.11"].map(|cell| cell.parse().unwrap());
        let between = BTreeSet::from(between);
        let text: Vec<String> = lines_beside(&records, &verdicts, &between)
            .into_iter()
            .map(|line| line.into_iter().map(|(_, text)| text).collect())
            .collect();
        insta::assert_snapshot!(text[3..7].join("\n"), @"
        2.0           ·      ≠?
        2.1           ·      ✓
        2.1.1, 2.1.2
        2.2           ·      ✓
        ");
    }
}
