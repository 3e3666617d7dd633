//! The functions of tests as text: how many there are, and a line for those that fare alike.

use std::collections::BTreeMap;

use super::grid::Span;
use super::model::Tone;
use super::rows::listed;
use crate::analysis::causes::Cause;
use crate::analysis::functions::{FunctionGroup, FunctionsSummary};
use crate::analysis::results::RowSummary;
use crate::analysis::row::{AlsoDiffers, Transition, TransitionKind, releases};
use crate::names::PythonVersion;
use crate::question::grid::Variant;

/// More groups of functions than these are counted, not listed.
const MOST_GROUPS: usize = 8;

/// More functions of a group than these are counted, not named.
const NAMED: usize = 2;

/// More causes of a group than these are counted, not told.
const MOST_CAUSES: usize = 2;

/// What the functions of each test tell: the number of functions, and a bounded list of those that do not always pass.
pub fn lines(functions: &[FunctionsSummary]) -> Vec<Vec<Span>> {
    functions.iter().flat_map(of_test).collect()
}

fn of_test(summary: &FunctionsSummary) -> Vec<Vec<Span>> {
    let FunctionsSummary { test, count, passing, groups, left_out, unknown } = summary;
    let plain = |text: String| vec![(Tone::Plain, text)];
    let indented = |tone, text: String| vec![(Tone::Plain, "  ".to_owned()), (tone, text)];
    let mut lines = Vec::new();
    if *count == 0 && unknown.is_empty() {
        lines.push(plain(format!("{test}: it has no functions")));
    } else if *count > 0 {
        let pass = match (*count, *passing) {
            (1, 1) => "which passes".to_owned(),
            (count, passing) if count == passing => "all pass".to_owned(),
            (_, 1) => "1 passes".to_owned(),
            (_, passing) => format!("{passing} pass"),
        };
        lines.push(plain(format!("{test}: {}, {pass} everywhere", counted(*count))));
    } else {
        lines.push(plain(format!("{test}: nothing is known of its functions")));
    }
    let (failing, uneven): (Vec<&FunctionGroup>, Vec<&FunctionGroup>) =
        groups.iter().partition(|group| !group.rows.is_empty());
    for group in failing.iter().take(MOST_GROUPS) {
        lines.extend(of_group(group).into_iter().map(|(tone, text)| indented(tone, text)));
    }
    let functions = |groups: &[&FunctionGroup]| -> usize {
        groups.iter().map(|group| group.functions.len()).sum()
    };
    let more = functions(failing.get(MOST_GROUPS..).unwrap_or_default()) + left_out;
    if more > 0 {
        let text =
            format!("… and {} that fail elsewhere or otherwise (`--format json`)", counted(more));
        lines.push(indented(Tone::Dim, text));
    }
    match functions(&uneven) {
        0 => {}
        1 => {
            let text = "1 never fails, and is skipped or absent in some cells".to_owned();
            lines.push(indented(Tone::Dim, text));
        }
        more => {
            let text = format!("{more} never fail, and are skipped or absent in some cells");
            lines.push(indented(Tone::Dim, text));
        }
    }
    if let Some((cell, why)) = unknown.first_key_value() {
        let text = match unknown.len() {
            1 => format!("nothing is known of {cell}: {why}"),
            more => format!("nothing is known of {more} cells, such as {cell}: {why}"),
        };
        lines.push(indented(Tone::Notable, text));
    }
    lines
}

/// `3 functions`.
fn counted(count: usize) -> String {
    if count == 1 { "1 function".to_owned() } else { format!("{count} functions") }
}

/// A line for each thing that happens to a group: `3 fail from 2.0 on: ImportError: … (tests/test_a.py::test_b, …)`. If
/// the columns differ, the causes stand on a line before those of the columns, because which has which is not told.
fn of_group(group: &FunctionGroup) -> Vec<Span> {
    let mut said: BTreeMap<Vec<Span>, Vec<String>> = BTreeMap::new();
    for row in &group.rows {
        let column = column(row.python, &row.variant);
        said.entry(happens(row, group)).or_default().push(column);
    }
    let all = said.len() == 1;
    // Where they only pass nothing is told.
    said.retain(|happens, _| !happens.is_empty());
    let (count, causes, named) = (group.functions.len(), causes(group), named(group));
    let mut lines = Vec::new();
    if said.len() > 1 {
        let fail = if count == 1 { "fails" } else { "fail" };
        lines.push((Tone::Bad, format!("{count} {fail} in some cells{causes} ({named})")));
    }
    for (happens, columns) in &said {
        let tone = happens.iter().map(|(tone, _)| *tone).max().unwrap_or(Tone::Plain);
        let told: Vec<&str> = happens.iter().map(|(_, text)| text.as_str()).collect();
        let told = told.join("; ");
        // Where functions fare alike in all columns the columns need no names.
        let on = if all { String::new() } else { format!(", on {}", listed(columns)) };
        let line = match said.len() {
            1 => format!("{count} {told}{on}{causes} ({named})"),
            _ => format!("  {told}{on}"),
        };
        lines.push((tone, line));
    }
    lines
}

fn column(python: PythonVersion, variant: &Variant) -> String {
    if variant.is_empty() { python.to_string() } else { format!("{python} {variant}") }
}

/// What happens to functions along a row.
fn happens(row: &RowSummary, group: &FunctionGroup) -> Vec<Span> {
    use TransitionKind::{FirstBad, GoodAgain};
    let is_end = |one: &&Transition<String>| matches!(one.kind, FirstBad | GoodAgain);
    let ends: Vec<&Transition<String>> = row.transitions.iter().filter(is_end).collect();
    let one = group.functions.len() == 1;
    let (fail, are, run) = if one { ("fails", "is", "runs") } else { ("fail", "are", "run") };
    let is_here = |cell: &&String| is_in(cell, row);
    let first = group.failing.iter().find(is_here);
    let mut said = Vec::new();
    let told = match ends.as_slice() {
        [] if first.is_none() => None,
        [] if group.absent.iter().chain(&group.skipped).any(|cell| is_in(cell, row)) => {
            Some(format!("{fail} wherever {} {run}", if one { "it" } else { "they" }))
        }
        [] => Some(format!("{fail} everywhere")),
        [first] if first.kind == FirstBad => {
            Some(format!("{fail} from {} on{}", first.to, gap(first)))
        }
        [last] => Some(format!("{fail} up to {}{}", last.from, gap(last))),
        [first, last] if first.kind == FirstBad && first.to == last.from => {
            Some(format!("{fail} at {}{}", first.to, gap(first)))
        }
        [first, last] if first.kind == FirstBad => {
            Some(format!("{fail} from {} to {}{}", first.to, last.from, gap(first)))
        }
        more => {
            let release =
                first.and_then(|cell| cell.split_once('/')).map_or("", |(release, _)| release);
            Some(format!("{fail} now and then ({} changes), first at {release}", more.len()))
        }
    };
    said.extend(told.map(|told| (Tone::Bad, told)));
    for one in &row.transitions {
        if !matches!(one.kind, FirstBad | GoodAgain) {
            let text =
                format!("expected to fail at one of {} and {}, not at the other", one.from, one.to);
            said.push((Tone::Notable, text));
        }
    }
    if !row.flaky.is_empty() {
        let at = match row.flaky.as_slice() {
            few if few.len() <= 3 => few.join(", "),
            many => format!("{} … ({})", many[0], releases(many.len())),
        };
        said.push((Tone::Notable, format!("{are} flaky at {at}")));
    }
    said
}

/// What is not known of a place, and what else changed there.
fn gap(one: &Transition<String>) -> String {
    let (from, side) = match one.kind {
        TransitionKind::GoodAgain => ("up to", "after"),
        _ => ("from", "before"),
    };
    let unmeasured = match one.unmeasured.len() {
        0 => String::new(),
        1 => format!(", or {from} the release {side} it, which is not known"),
        more => format!(", or {from} one of {more} releases {side} it, which are not known"),
    };
    match AlsoDiffers::list(&one.also_differs) {
        Some(list) => format!("{unmeasured} (not only the release differs: {list})"),
        None => unmeasured,
    }
}

/// Whether a cell is one of a row.
fn is_in(cell: &str, row: &RowSummary) -> bool {
    let cell = cell.parse::<crate::question::grid::CellId>();
    cell.is_ok_and(|cell| cell.python == row.python && cell.variant == row.variant)
}

fn causes(group: &FunctionGroup) -> String {
    let told: Vec<&str> = group.causes.iter().take(MOST_CAUSES).map(String::as_str).collect();
    let more = group.causes.len().saturating_sub(MOST_CAUSES);
    match (told.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!(": {}", told.join("; or ")),
        (false, more) => format!(": {}; or {}", told.join("; or "), Cause::others(more)),
    }
}

fn named(group: &FunctionGroup) -> String {
    let told: Vec<&str> = group.functions.iter().take(NAMED).map(String::as_str).collect();
    match group.functions.len().saturating_sub(NAMED) {
        0 => told.join(", "),
        more => format!("{} and {more} more", told.join(", ")),
    }
}

#[cfg(test)]
mod tests;
