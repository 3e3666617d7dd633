//! The grid for a terminal: a line for each row of a [`GridView`], a column for each Python.
//!
//! Neighbouring releases that ended alike share a line, so that five hundred cells are as easy to
//! read as five.

use super::model::{GridView, Legend, Tone, Totals};

/// A piece of text with its tone.
pub type Span = (Tone, String);

/// Draws a grid: a heading, the lines, a legend, and the totals.
pub fn lines(view: &GridView) -> Vec<Vec<Span>> {
    let labels: Vec<String> = view.rows.iter().map(ToString::to_string).collect();
    let headings: Vec<String> = view.columns.iter().map(ToString::to_string).collect();
    let width = |text: &str| text.chars().count();
    let label_width = labels.iter().map(|label| width(label)).max().unwrap_or(0);
    let widths: Vec<usize> = headings
        .iter()
        .enumerate()
        .map(|(index, heading)| {
            let marks = view.rows.iter().map(|row| width(&row.marks[index].to_string()));
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
    for (label, row) in labels.iter().zip(&view.rows) {
        let mut line = vec![(Tone::Plain, pad(label, label_width))];
        for (mark, to) in row.marks.iter().zip(&widths) {
            line.push((mark.tone(), format!("  {}", pad(&mark.to_string(), *to))));
        }
        lines.push(trimmed(line));
    }
    lines.push(Vec::new());
    let legend: Vec<String> = view.legend.iter().map(Legend::to_string).collect();
    lines.push(vec![(Tone::Dim, legend.join("   "))]);
    lines.push(totals(&view.totals));
    lines
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
    let mut line = vec![(Tone::Plain, format!("{} cells", totals.cells))];
    for total in &totals.counts {
        line.push((Tone::Plain, " · ".into()));
        line.push((total.tone, format!("{} {}", total.count, total.what)));
    }
    line
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::facts::record::tests::{record, test};
    use crate::facts::record::{CellOutcome, Record, TestOutcome};
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

        ? could not be measured   · nothing to install   ≠? not the same result, which may be noise   ✓ same result   ✗ no test passes
        12 cells · 2 the same · 1 undecided · 5 cannot run · 3 nothing to install · 1 not measured
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
}
