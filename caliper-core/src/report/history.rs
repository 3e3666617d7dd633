//! How verdicts changed over time, as lines for a terminal.

use std::collections::BTreeMap;

use super::grid::Span;
use super::model::Tone;
use crate::analysis::history::{History, PackageChange, Standing, StudyHistory, VerdictChange};
use crate::facts::record::State;
use crate::names::Timestamp;

/// How many cells of one change are named.
const MOST_CELLS: usize = 3;

/// The history, an analysis behind the other; changes that are alike are one line.
pub fn lines(history: &History) -> Vec<Vec<Span>> {
    let mut lines = Vec::new();
    for study in &history.studies {
        if !lines.is_empty() {
            lines.push(Vec::new());
        }
        lines.push(vec![(Tone::Plain, heading(study))]);
        for (change, cells) in alike(&study.changes) {
            lines.push(line(change, &cells));
        }
        if study.unchanged > 0 {
            let what = if study.unchanged == 1 { "test of a cell" } else { "tests of cells" };
            lines.push(vec![(Tone::Dim, format!("  {} {what} never changed", study.unchanged))]);
        }
    }
    lines
}

fn heading(study: &StudyHistory) -> String {
    let StudyHistory { dependency, analysis, snapshots, .. } = study;
    let (first, last) = (snapshots.first(), snapshots.last());
    let dates = match (first, last) {
        (Some(first), Some(last)) if snapshots.len() > 1 => {
            format!(
                "{} results, {} to {}",
                snapshots.len(),
                day(first.finished),
                day(last.finished)
            )
        }
        (Some(first), _) => format!(
            "one set of results, {}; add another, for example after the next run, to see what changes",
            day(first.finished)
        ),
        (None, _) => "no results".to_owned(),
    };
    format!("{analysis} ({dependency}): {dates}")
}

/// Changes that differ in their cell only, in the order of the first of them, with these cells.
fn alike(changes: &[VerdictChange]) -> Vec<(&VerdictChange, Vec<&str>)> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut found: Vec<(&VerdictChange, Vec<&str>)> = Vec::new();
    for change in changes {
        let VerdictChange {
            test, from, to, seen, measured_anew, question_changed, packages, ..
        } = change;
        let key = format!(
            "{test}\0{:?}\0{:?}\0{seen}{measured_anew}{question_changed}\0{packages:?}",
            (from.state, from.verdict, day(from.measured)),
            (to.state, to.verdict, day(to.measured)),
        );
        let place = *places.entry(key).or_insert(found.len());
        match found.get_mut(place) {
            Some((_, cells)) => cells.push(&change.cell),
            None => found.push((change, vec![&change.cell])),
        }
    }
    found
}

fn line(change: &VerdictChange, cells: &[&str]) -> Vec<Span> {
    let VerdictChange { test, from, to, measured_anew, question_changed, packages, .. } = change;
    // To count a single cell would take as much room as to name it.
    let shown = if cells.len() == MOST_CELLS + 1 { cells.len() } else { MOST_CELLS };
    let mut which = cells.iter().take(shown).copied().collect::<Vec<_>>().join(", ");
    if cells.len() > shown {
        which += &format!(" and {} more cells", cells.len() - shown);
    }
    // Of one day, the time tells which came first.
    let is_of_a_day = day(from.measured) == day(to.measured);
    let moment = |moment: Timestamp| if is_of_a_day { second(moment) } else { day(moment) };
    let test = if test.is_empty() { String::new() } else { format!("{test} in ") };
    let mut text = format!(
        ": {} ({}), before: {} ({})",
        word(to),
        moment(to.measured),
        word(from),
        moment(from.measured)
    );
    if !measured_anew {
        text += "; nothing was measured in between, only the comparison changed";
    }
    if *question_changed {
        text += "; the test, or what it runs in, was changed";
    }
    if !packages.is_empty() {
        let shown: Vec<String> = packages.iter().take(MOST_CELLS).map(package).collect();
        text += &format!("; {}", shown.join(", "));
        if packages.len() > MOST_CELLS {
            text += &format!(" and {} more packages", packages.len() - MOST_CELLS);
        }
    }
    vec![(Tone::Plain, format!("  {test}{which}")), (tone(to.state), text)]
}

fn word(standing: &Standing) -> String {
    match standing.verdict {
        Some(verdict) if standing.state == State::Passed => verdict.to_string(),
        _ => standing.state.to_string(),
    }
}

fn tone(state: State) -> Tone {
    match state {
        State::Passed => Tone::Good,
        State::Flaky => Tone::Notable,
        State::Failed | State::BuildFailed => Tone::Bad,
        State::Unavailable | State::Excluded => Tone::Dim,
        State::NotMeasured => Tone::Spurious,
    }
}

fn package(change: &PackageChange) -> String {
    let PackageChange { name, from, to } = change;
    match (from, to) {
        (Some(from), Some(to)) => format!("{name} {from} → {to}"),
        (None, Some(to)) => format!("{name} {to} is new"),
        (_, None) => format!("{name} is gone"),
    }
}

/// The day and the time of day, to the second.
fn second(moment: Timestamp) -> String {
    let text = moment.to_string().replace('T', " ");
    text.split('.').next().unwrap_or(&text).trim_end_matches('Z').to_owned()
}

fn day(moment: Timestamp) -> String {
    let text = moment.to_string();
    text.split('T').next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests;
