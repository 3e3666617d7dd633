//! Times and memory for a terminal: the grid with a number for each cell.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;

use super::model::{CellMark, Column, Legend, Mark, RowView, Tone};
use super::table::{Span, legend, table};
use crate::analysis::compare::Verdicts;
use crate::analysis::results::Results;
use crate::facts::record::{BuildRecord, CellOutcome, Record, Run, State};

/// What is recorded of a cell as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Wall-clock time of the tests.
    Time,
    /// Processor time of the tests.
    Cpu,
    /// Peak memory of the tests.
    Memory,
    /// Wall-clock time of the build.
    Build,
}

impl Measure {
    /// The number for a cell, in seconds or MiB. Of each test the median of its runs counts; of several tests
    /// the sum of the times, and the largest memory. `None` if it is not recorded, or if the environment was not
    /// built for this cell. A test that was over before its memory was looked at does not count for memory.
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    pub fn of(self, record: &Record) -> Option<f64> {
        let all = |number: &dyn Fn(&Run) -> Option<f64>| -> Option<f64> {
            let medians = record.judged().iter().map(|test| {
                let numbers: Option<Vec<f64>> = test.runs.iter().map(number).collect();
                median(numbers?)
            });
            let medians: Vec<f64> = medians.collect::<Option<_>>()?;
            medians.into_iter().reduce(|one, other| one + other)
        };
        match self {
            Self::Time => all(&|run| Some(run.seconds())),
            Self::Cpu => all(&|run| run.cpu_nanoseconds.map(|time| time as f64 / 1e9)),
            Self::Memory => {
                let mebibytes = |bytes| bytes as f64 / f64::from(1 << 20);
                let medians = record.judged().iter().filter_map(|test| {
                    let known = test.runs.iter().filter_map(|run| run.peak_memory);
                    median(known.map(mebibytes).collect())
                });
                medians.reduce(f64::max)
            }
            Self::Build => {
                let build = record.build.as_ref().filter(|build| build.ok && !build.reused);
                build.map(BuildRecord::seconds)
            }
        }
    }

    /// What the numbers are, with their unit.
    pub fn title(self) -> &'static str {
        match self {
            Self::Time => "time of the tests, in seconds (of each test the median of its runs)",
            Self::Cpu => {
                "processor time of the tests, in seconds (of each test the median of its runs)"
            }
            Self::Memory => {
                "peak memory of the tests, in MiB (the largest median, as far as known)"
            }
            Self::Build => {
                "time of the builds, in seconds (blank: the environment was there already)"
            }
        }
    }
}

fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    let upper = *numbers.get(middle)?;
    Some(if numbers.len() % 2 == 1 { upper } else { f64::midpoint(numbers[middle - 1], upper) })
}

/// Three significant digits: `0.052`, `1.24`, `123`.
pub fn three_digits(number: f64) -> String {
    match number {
        small if small < 0.9995 => format!("{small:.3}"),
        small if small < 9.995 => format!("{small:.2}"),
        large if large < 99.95 => format!("{large:.1}"),
        large => format!("{large:.0}"),
    }
}

/// Draws the grid with a number for each cell whose tests pass, or that was built; for other cells it has
/// their marks. It is as wide as [`grid::lines`](super::grid::lines).
pub fn lines(results: &Results, measure: Measure, width: usize) -> Vec<Vec<Span>> {
    let mut columns: BTreeSet<Column> = BTreeSet::new();
    let mut releases: BTreeMap<&Version, BTreeMap<Column, Span>> = BTreeMap::new();
    let mut used: BTreeMap<String, Legend> = BTreeMap::new();
    let mut numbers: Vec<(f64, String)> = Vec::new();
    let (current, stale) = (results.cells.iter(), results.stale.iter());
    let all = current.map(|one| (one, false)).chain(stale.map(|one| (one, true)));
    for (record, is_stale) in all {
        let column = Column { python: record.python, variant: record.variant.clone() };
        columns.insert(column.clone());
        let mark = CellMark { mark: Mark::of(record, &Verdicts::default()), is_stale };
        let counts = match measure {
            Measure::Build => record.outcome == CellOutcome::Tested,
            Measure::Time | Measure::Cpu | Measure::Memory => {
                record.outcome == CellOutcome::Tested
                    && record.states().iter().all(|(_, state)| *state == State::Passed)
            }
        };
        let number = measure.of(record).filter(|_| counts);
        if let Some(number) = number.filter(|_| !is_stale) {
            numbers.push((number, record.id().to_string()));
        }
        let text = match number.map(three_digits) {
            _ if !counts => mark.to_string(),
            Some(number) if is_stale => format!("({number})"),
            Some(number) => number,
            None => String::new(),
        };
        let sign = if counts { None } else { mark.mark.legend() };
        let stale = mark.legends().filter(|_| is_stale && !text.is_empty()).last();
        used.extend(sign.into_iter().chain(stale).map(|one| (one.to_string(), one)));
        let is_plain = text.is_empty() || (counts && !is_stale);
        let tone = if is_plain { Tone::Plain } else { mark.tone() };
        releases.entry(&record.version).or_default().insert(column, (tone, text));
    }
    let mut rows: Vec<(RowView, Vec<Span>)> = Vec::new();
    for (version, known) in releases {
        let blank = (Tone::Plain, String::new());
        let cells = columns.iter().map(|column| known.get(column).unwrap_or(&blank).clone());
        let cells: Vec<Span> = cells.collect();
        match rows.last_mut() {
            Some((row, same)) if *same == cells => row.releases.push(version.clone()),
            _ => {
                rows.push((RowView { releases: vec![version.clone()], marks: Vec::new() }, cells));
            }
        }
    }
    let mut lines = vec![vec![(Tone::Plain, measure.title().to_owned())], Vec::new()];
    let columns: Vec<Column> = columns.into_iter().collect();
    let rows: Vec<_> = rows.into_iter().map(|(row, cells)| (row.to_string(), cells)).collect();
    lines.extend(table(&columns, &rows, width));
    lines.push(Vec::new());
    lines.extend(legend(&used.into_values().collect::<Vec<_>>(), width));
    numbers.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    lines.push(vec![match (numbers.first(), numbers.last()) {
        (Some((least, at)), Some((most, there))) => {
            let (least, most) = (three_digits(*least), three_digits(*most));
            (Tone::Plain, format!("least {least} in {at} · most {most} in {there}"))
        }
        _ => (Tone::Plain, "no such number is recorded".to_owned()),
    }]);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::record::tests::{record, test};
    use crate::facts::record::{TestOutcome, TestRecord};

    #[test]
    fn numbers_have_three_digits() {
        let cases =
            [(0.0, "0.000"), (0.0519, "0.052"), (0.99961, "1.00"), (9.996, "10.0"), (312.4, "312")];
        for (number, text) in cases {
            assert_eq!(three_digits(number), text);
        }
    }

    #[test]
    fn each_cell_has_its_number_or_its_mark() {
        let cell = |version: &str, outcome, runs: &[u64]| {
            let runs = runs.iter().map(|_| test("t", outcome, ""));
            record(version, "3.11").with_runs(runs.collect::<Vec<_>>())
        };
        let timed = |version: &str, times: &[u64]| {
            let mut record = cell(version, TestOutcome::Passed, times);
            for (run, milliseconds) in record.tests[0].runs.iter_mut().zip(times) {
                run.nanoseconds = milliseconds * 1_000_000;
                run.peak_memory = Some(milliseconds << 20);
            }
            record.build = Some(BuildRecord::new(None, 2_500_000_000));
            record
        };
        let mut built = timed("1.3", &[40, 60]);
        built.build.as_mut().unwrap().reused = true;
        let cells = vec![
            timed("1.0", &[900, 100, 300]),
            cell("1.1", TestOutcome::Failed, &[1]),
            built,
            timed("1.4", &[1_500]),
        ];
        let mut results = Results::new("demo", "demo".parse().unwrap(), "local", cells).unwrap();
        results.stale = vec![timed("1.5", &[7])];
        let text = |measure| -> String {
            let line = |line: Vec<Span>| line.into_iter().map(|(_, text)| text).collect();
            let lines: Vec<String> = lines(&results, measure, 80).into_iter().map(line).collect();
            lines.join("\n")
        };
        insta::assert_snapshot!(text(Measure::Time), @"
        time of the tests, in seconds (of each test the median of its runs)

             3.11
        1.0  0.300
        1.1  ✗
        1.3  0.050
        1.4  1.50
        1.5  (0.007)

        ( ) stale: answers an earlier question, counts for nothing
        ✗ fails: no test passes
        least 0.050 in 1.3/3.11 · most 1.50 in 1.4/3.11
        ");
        insta::assert_snapshot!(text(Measure::Memory), @"
        peak memory of the tests, in MiB (the largest median, as far as known)

             3.11
        1.0  300
        1.1  ✗
        1.3  50.0
        1.4  1500
        1.5  (7.00)

        ( ) stale: answers an earlier question, counts for nothing
        ✗ fails: no test passes
        least 50.0 in 1.3/3.11 · most 1500 in 1.4/3.11
        ");
        insta::assert_snapshot!(text(Measure::Build), @"
        time of the builds, in seconds (blank: the environment was there already)

             3.11
        1.0  2.50
        1.1  1.00
        1.3
        1.4  2.50
        1.5  (2.50)

        ( ) stale: answers an earlier question, counts for nothing
        least 1.00 in 1.1/3.11 · most 2.50 in 1.4/3.11
        ");
        let mut two = timed("1.6", &[200]);
        two.tests
            .push(TestRecord { name: "u".to_owned(), ..timed("1.6", &[300]).tests[0].clone() });
        let both = |record: &Record| [Measure::Time, Measure::Memory].map(|one| one.of(record));
        assert_eq!(both(&two), [Some(0.5), Some(300.0)]);
        two.tests[1].runs[0].peak_memory = None;
        assert_eq!(both(&two), [Some(0.5), Some(200.0)]);
        insta::assert_snapshot!(text(Measure::Cpu), @"
        processor time of the tests, in seconds (of each test the median of its runs)

                       3.11
        1.0
        1.1            ✗
        1.3 … 1.5 (3)

        ✗ fails: no test passes
        no such number is recorded
        ");
    }
}
