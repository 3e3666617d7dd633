//! The grid for a terminal: a line for each row of a [`GridView`], a column for each Python.
//!
//! Neighbouring releases that ended alike share a line, so that five hundred cells are as easy to
//! read as five.

use std::ops::Range;

use super::model::{Column, GridView, Legend, Tone, Totals};
use crate::analysis::results::Results;
use crate::facts::record::{Record, test_names};

/// A piece of text with its tone.
pub type Span = (Tone, String);

/// Draws a grid: a heading, the lines, a legend, and the totals.
pub fn lines(view: &GridView) -> Vec<Vec<Span>> {
    let rows = view.rows.iter().map(|row| {
        let marks = row.marks.iter().map(|mark| (mark.tone(), mark.to_string()));
        (row.to_string(), marks.collect())
    });
    let mut lines = table(&view.columns, &rows.collect::<Vec<_>>());
    lines.push(Vec::new());
    lines.extend(legend(&view.legend));
    lines.push(totals(&view.totals));
    lines
}

/// A line for each of several tests that do not all end in the same cells in the same way: how its cells
/// ended. Nothing if they do.
pub fn by_test(results: &Results) -> Vec<Vec<Span>> {
    let names = test_names(results.cells.iter().flat_map(Record::judged));
    let view = |name: &str| GridView::of_test(results, name);
    let views: Vec<(&str, GridView)> = names.into_iter().map(|name| (name, view(name))).collect();
    if views.windows(2).all(|pair| pair[0].1.rows == pair[1].1.rows) {
        return Vec::new();
    }
    let width = views.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    let line = |(name, view): (&str, GridView)| {
        let name = (Tone::Plain, format!("  {}", pad(name, width)));
        [name].into_iter().chain(counts(&view.totals, "  ")).collect()
    };
    views.into_iter().map(line).collect()
}

/// The signs in use and their meaning, in lines that fit a terminal.
pub(super) fn legend(legend: &[Legend]) -> Vec<Vec<Span>> {
    const APART: &str = "   ";
    let mut lines: Vec<String> = Vec::new();
    for text in legend.iter().map(Legend::to_string) {
        match lines.last_mut() {
            Some(line) if width(line) + APART.len() + width(&text) <= TERMINAL => {
                *line += &format!("{APART}{text}");
            }
            _ => lines.push(text),
        }
    }
    lines.into_iter().map(|line| vec![(Tone::Dim, line)]).collect()
}

/// The usual width of a terminal, in characters.
const TERMINAL: usize = 80;

/// A heading, and lines with their labels in front. What does not fit a terminal follows below, with a heading of its
/// own.
pub(super) fn table(columns: &[Column], rows: &[(String, Vec<Span>)]) -> Vec<Vec<Span>> {
    let headings: Vec<String> = columns.iter().map(ToString::to_string).collect();
    let label_width = rows.iter().map(|(label, _)| width(label)).max().unwrap_or(0);
    let widths: Vec<usize> = headings
        .iter()
        .enumerate()
        .map(|(index, heading)| {
            let texts = rows.iter().map(|(_, cells)| width(&cells[index].1));
            texts.max().unwrap_or(0).max(width(heading))
        })
        .collect();
    let mut lines = Vec::new();
    for block in blocks(label_width, &widths) {
        if !lines.is_empty() {
            lines.push(Vec::new());
        }
        let line = |label: &str, cells: &mut dyn Iterator<Item = (Tone, &String)>| {
            let mut line = vec![(Tone::Plain, pad(label, label_width))];
            let padded = cells.zip(&widths[block.clone()]);
            line.extend(padded.map(|((tone, text), to)| (tone, format!("  {}", pad(text, *to)))));
            trimmed(line)
        };
        lines.push(line("", &mut headings[block.clone()].iter().map(|text| (Tone::Dim, text))));
        for (label, cells) in rows {
            let cells = cells[block.clone()].iter();
            lines.push(line(label, &mut cells.map(|(tone, text)| (*tone, text))));
        }
    }
    lines
}

/// The columns that stand side by side behind a label, so that a line fits a terminal; at least one each.
fn blocks(label: usize, widths: &[usize]) -> Vec<Range<usize>> {
    let mut blocks: Vec<Range<usize>> = Vec::new();
    let mut used = 0;
    for (column, width) in widths.iter().enumerate() {
        used += width + 2;
        match blocks.last_mut() {
            Some(block) if label + used <= TERMINAL => block.end = column + 1,
            _ => {
                blocks.push(column..column + 1);
                used = width + 2;
            }
        }
    }
    blocks
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn pad(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(width(text))))
}

/// The same without tones.
pub fn plain(view: &GridView) -> String {
    let mut text = String::new();
    for line in lines(view) {
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

fn totals(totals: &Totals) -> Vec<Span> {
    let cells = (Tone::Plain, format!("{} cells", totals.cells));
    [cells].into_iter().chain(counts(totals, BETWEEN)).collect()
}

const BETWEEN: &str = " · ";

/// The counts, with `before` in front of the first.
fn counts(totals: &Totals, before: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    for (place, total) in totals.counts.iter().enumerate() {
        let between = if place == 0 { before } else { BETWEEN };
        spans.push((Tone::Plain, between.to_owned()));
        spans.push((total.tone, format!("{} {}", total.count, total.what)));
    }
    spans
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::analysis::compare::Verdicts;
    use crate::facts::record::tests::{record, test};
    use crate::facts::record::{CellOutcome, TestOutcome};
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
        let plain =
            |records: &[Record]| super::plain(&GridView::new(records, &verdicts, &BTreeSet::new()));
        insta::assert_snapshot!(plain(&records), @"
                  2.7  3.11
        1.8, 1.9  ✗    ✗
        1.10      ?    ✗
        2.0       ·    ≠?
        2.1, 2.2  ·    ✓

        ? could not be measured   · nothing to install
        ≠? undecided: not the same result, which may be noise   ✓ same result
        ✗ fails: no test passes
        12 cells · 2 same result · 1 undecided · 5 fails · 3 nothing to install · 1 could not be measured
        ");
        assert_eq!(plain(&[]).trim(), "0 cells");

        let between = ["2.1.1/3.11", "2.1.2/3.11"].map(|cell| cell.parse().unwrap());
        let between = BTreeSet::from(between);
        let text: Vec<String> = lines(&GridView::new(&records, &verdicts, &between))
            .into_iter()
            .map(|line| line.into_iter().map(|(_, text)| text).collect())
            .collect();
        insta::assert_snapshot!(text[3..7].join("\n"), @"
        2.0           ·    ≠?
        2.1           ·    ✓
        2.1.1, 2.1.2
        2.2           ·    ✓
        ");
    }

    #[test]
    fn a_wide_grid_is_drawn_in_parts() {
        assert_eq!(blocks(10, &[30, 30, 30]), [0..2, 2..3]);
        assert_eq!(blocks(10, &[90, 5, 5]), [0..1, 1..3]);
        assert!(blocks(10, &[]).is_empty());
        let cell = |seed: u32| {
            let mut record = record("1.0", "3.11").with_runs([test("t", TestOutcome::Passed, "")]);
            record.variant.insert("a_long_name_of_an_axis", seed.to_string());
            record
        };
        let records: Vec<Record> = (0..4).map(cell).collect();
        let view = GridView::new(&records, &Verdicts::default(), &BTreeSet::new());
        let text = super::plain(&view);
        assert!(text.lines().all(|line| width(line) <= TERMINAL), "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("1.0")).count(), 2, "{text}");
    }

    #[test]
    fn tests_that_end_differently_are_told_apart_and_what_is_stale_is_marked() {
        use TestOutcome::{Failed, Passed};
        let cell = |version: &str, b| {
            record(version, "3.11").with_runs([test("a", Passed, ""), test("b", b, "")])
        };
        let cells = vec![cell("1.0", Failed), cell("1.1", Passed)];
        let criteria = Criteria::default();
        let analysis = crate::analysis::Analysis::new(&[], None, &criteria, &|_| None);
        let results = Results::new("demo", "demo".parse().unwrap(), "local", cells).unwrap();
        let mut results = results.read_through(&analysis, &[]);
        let text = |lines: Vec<Vec<Span>>| -> String {
            let line = |line: Vec<Span>| line.into_iter().map(|(_, text)| text).collect();
            lines.into_iter().map(line).collect::<Vec<String>>().join("\n")
        };
        insta::assert_snapshot!(text(by_test(&results)), @"
          a  2 same result
          b  1 same result · 1 fails
        ");
        results.stale = vec![cell("1.2", Failed)];
        insta::assert_snapshot!(super::plain(&GridView::of(&results)), @"
             3.11
        1.0  ✗ 1/2
        1.1  ✓
        1.2  (✗ 1/2)

        ( ) stale: answers an earlier question, counts for nothing   ✓ same result
        ✗ n/m fails: n of m tests pass
        3 cells · 1 same result · 1 fails · 1 stale
        ");
        insta::assert_snapshot!(super::plain(&GridView::of_test(&results, "a")), @"
                  3.11
        1.0, 1.1  ✓
        1.2       (○)

        ( ) stale: answers an earlier question, counts for nothing
        ○ passes, nothing to compare with   ✓ same result
        3 cells · 2 same result · 1 stale
        ");
        results.cells.remove(0);
        results.stale.clear();
        assert_eq!(by_test(&results), Vec::<Vec<Span>>::new());
    }
}
