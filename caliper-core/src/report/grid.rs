//! The grid for a terminal: a line for each row of a [`GridView`], a column for each Python.
//!
//! Neighbouring releases that ended alike share a line, so that five hundred cells are as easy to
//! read as five.

use unicode_width::UnicodeWidthStr as _;

use super::model::{GridView, Tone, Totals};
pub use super::table::{Span, USUAL_WIDTH};
use super::table::{legend, pad, table};
use crate::analysis::results::Results;
use crate::facts::record::{Record, test_names};

/// Draws a grid for a terminal of `width` characters: headings, the lines, a legend, and the totals. Columns that do not
/// fit stand below the others. Single lines are longer than `width` if a label leaves no room for a column, and the legend
/// and the totals if they have no place to break.
pub fn lines(view: &GridView, width: usize) -> Vec<Vec<Span>> {
    let rows = view.rows.iter().map(|row| {
        let marks = row.marks.iter().map(|mark| (mark.tone(), mark.to_string()));
        (row.to_string(), marks.collect())
    });
    let mut lines = table(&view.columns, &rows.collect::<Vec<_>>(), width);
    lines.push(Vec::new());
    lines.extend(legend(&view.legend, width));
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
    let width = views.iter().map(|(name, _)| name.width()).max().unwrap_or(0);
    let line = |(name, view): (&str, GridView)| {
        let name = (Tone::Plain, format!("  {}", pad(name, width)));
        [name].into_iter().chain(counts(&view.totals, "  ")).collect()
    };
    views.into_iter().map(line).collect()
}

/// The same without tones, [`USUAL_WIDTH`] wide.
pub fn plain(view: &GridView) -> String {
    let mut text = String::new();
    for line in lines(view, USUAL_WIDTH) {
        for (_, piece) in line {
            text.push_str(&piece);
        }
        text.push('\n');
    }
    text
}

fn totals(totals: &Totals) -> Vec<Span> {
    let cells = if totals.cells == 1 { "cell" } else { "cells" };
    let cells = (Tone::Plain, format!("{} {cells}", totals.cells));
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
        let text: Vec<String> = lines(&GridView::new(&records, &verdicts, &between), USUAL_WIDTH)
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
    fn a_grid_fits_its_terminal_and_says_once_what_columns_share() {
        let cell = |python: &str, clock: &str, seed: u32, failed: u32| {
            let of = 12;
            let runs = (0..of).map(|one| {
                let passes = if one < failed { TestOutcome::Failed } else { TestOutcome::Passed };
                test(&format!("t{one}"), passes, "")
            });
            let mut record = record("2024.10.1", python).with_runs(runs.collect::<Vec<_>>());
            record.variant.insert("as_of", clock);
            record.variant.insert("seed_of_numpy", seed.to_string());
            record
        };
        let mut records = Vec::new();
        for python in ["3.9", "3.11"] {
            for (clock, failed) in [("release", 0), ("today", 2)] {
                records.extend((1..=3).map(|seed| cell(python, clock, seed, failed)));
            }
        }
        let view = GridView::new(&records, &Verdicts::default(), &BTreeSet::new());
        let text = |width| -> String {
            let line = |line: Vec<Span>| line.into_iter().map(|(_, text)| text).collect();
            let lines: Vec<String> = lines(&view, width).into_iter().map(line).collect();
            let wide: Vec<_> =
                lines.iter().map(|line| (line.width(), line)).filter(|one| one.0 > width).collect();
            assert!(wide.is_empty(), "{wide:#?}");
            lines.join("\n")
        };
        insta::assert_snapshot!(text(100), @"
        Python         3.9                                 3.11
        as_of          release  today                      release  today
        seed_of_numpy  1  2  3  1        2        3        1  2  3  1        2        3
        2024.10.1      ○  ○  ○  ✗ 10/12  ✗ 10/12  ✗ 10/12  ○  ○  ○  ✗ 10/12  ✗ 10/12  ✗ 10/12

        ○ passes, nothing to compare with   ✗ n/m fails: n of m tests pass
        12 cells · 6 passes · 6 fails
        ");
        insta::assert_snapshot!(text(40), @"
        Python         3.9
        as_of          release  today
        seed_of_numpy  1  2  3  1        2
        2024.10.1      ○  ○  ○  ✗ 10/12  ✗ 10/12

        Python         3.9
        as_of          today
        seed_of_numpy  3
        2024.10.1      ✗ 10/12

        Python         3.11
        as_of          release  today
        seed_of_numpy  1  2  3  1        2
        2024.10.1      ○  ○  ○  ✗ 10/12  ✗ 10/12

        Python         3.11
        as_of          today
        seed_of_numpy  3
        2024.10.1      ✗ 10/12

        ○ passes, nothing to compare with
        ✗ n/m fails: n of m tests pass
        12 cells · 6 passes · 6 fails
        ");
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
