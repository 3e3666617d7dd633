//! How long the conclusions take from large noisy results: `noisy [NUMBERS] [RUNS] [RELEASES]`, by default
//! 100,000 numbers in 6 runs at 5 releases, once a number to a line and once ten.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program, and not the library"
)]

use std::error::Error;
use std::time::Instant;

use caliper_core::analysis::Analysis;
use caliper_core::facts::record::{CellOutcome, Record, Run, TestOutcome, TestRecord};
use caliper_core::names::{Sha256, Timestamp};
use caliper_core::question::criteria::Criteria;
use caliper_core::question::grid::CellId;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |usual: usize| arguments.next().map_or(Ok(usual), |text| text.parse());
    let (numbers, runs, releases) = (number(100_000)?, number(6)?, number(5)?);
    for to_a_line in [1, 10] {
        let mut random = fastrand::Rng::with_seed(1);
        let mut records = Vec::new();
        for release in 0..releases {
            let id: CellId = format!("1.{release}/3.11").parse()?;
            let started: Timestamp = "2026-01-01T00:00:00Z".parse()?;
            let key = Sha256::of(b"");
            let mut record = Record::new(&id, key, "local", CellOutcome::Tested, started);
            let test = TestRecord::new("t", ["python", "t.py"]);
            for attempt in 1..=u32::try_from(runs)? {
                let mut run = Run::new(attempt, TestOutcome::Passed);
                for index in 1..=numbers {
                    let end = if index % to_a_line == 0 { "\n" } else { " " };
                    run.output += &format!("{}{end}", random.f64());
                }
                record.add_run(&test, run);
            }
            records.push(record);
        }
        let criteria = Criteria::default();
        let began = Instant::now();
        let analysis = Analysis::new(&records, None, &criteria, &|_| None);
        let verdicts = analysis.verdicts().iter().count();
        let judged = began.elapsed();
        let rows = analysis.rows().len();
        let all = began.elapsed();
        println!(
            "{numbers} numbers, {to_a_line} to a line: {verdicts} verdicts after {:.2} s, {rows} rows after {:.2} s",
            judged.as_secs_f64(),
            all.as_secs_f64()
        );
    }
    Ok(())
}
