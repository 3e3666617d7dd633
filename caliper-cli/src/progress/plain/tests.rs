use caliper_core::facts::record::TestOutcome;

use super::super::state::tests::{finished, run, seconds};
use super::*;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_phase_is_told_if_it_takes_long_or_is_the_first_sign() {
    let mut lines = Lines::default();
    let index = Event::PhaseStarted { phase: Phase::Index };
    assert_eq!(lines.event(&index, millis(0)), None);
    assert_eq!(lines.tick(millis(100), None), None);
    assert_eq!(lines.tick(millis(200), None).as_deref(), Some("reading the index …"));
    assert_eq!(lines.tick(millis(2000), Some(millis(1800))), None);
    lines.event(&Event::PhaseStarted { phase: Phase::Grid }, millis(3000));
    assert_eq!(lines.tick(millis(3900), Some(millis(3700))), None);
    let told = lines.tick(millis(4100), Some(millis(3900)));
    assert_eq!(told.as_deref(), Some("laying out the grid …"));
}

#[test]
fn silence_is_broken_every_so_often() {
    let mut lines = Lines::default();
    for event in run(3, 1) {
        lines.event(&event, seconds(0));
    }
    let (cell, test) = ("1.0/3.11".to_owned(), "unit".to_owned());
    lines.event(&Event::TestStarted { cell, test, attempt: 1 }, seconds(1));
    assert_eq!(lines.tick(seconds(30), Some(seconds(29))), None);
    let told = lines.tick(seconds(31), Some(seconds(30))).unwrap();
    insta::assert_snapshot!(told, @"0 of 3 cells; now 1.0/3.11 unit 30 s");
}

#[test]
fn a_large_grid_has_lines_for_failures_and_counts() {
    let mut lines = Lines::default();
    for event in run(MANY + 1, 1) {
        lines.event(&event, seconds(0));
    }
    let mut told = Vec::new();
    for cell in 0..=MANY as u64 {
        let outcome = if cell == 70 { TestOutcome::Failed } else { TestOutcome::Passed };
        let event = finished(&format!("1.{cell}/3.11"), outcome);
        told.extend(lines.event(&event, millis(100 * cell)));
    }
    insta::assert_snapshot!(told.join("\n"), @"
    [ 71/201] 1.70/3.11  unit failed
    101 of 201 cells, 100 pass, 1 fail
    201 of 201 cells, 200 pass, 1 fail
    ");
}

#[test]
fn a_small_grid_has_a_line_for_each_cell() {
    let mut lines = Lines::default();
    let mut told = Vec::new();
    for event in run(2, 1) {
        told.extend(lines.event(&event, seconds(0)));
    }
    told.extend(lines.event(&finished("1.0/3.11", TestOutcome::Passed), seconds(1)));
    told.extend(lines.event(&finished("2.0/3.11", TestOutcome::Failed), seconds(2)));
    insta::assert_snapshot!(told.join("\n"), @"
    study: 2 cells on local, 1 at once
    2 cells to measure
    [1/2] 1.0/3.11  passed
    [2/2] 2.0/3.11  unit failed
    ");
}
