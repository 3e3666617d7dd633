//! Results as text: the grid, why things fail, what changes along the releases, what follows, and where to look further.

use std::path::Path;

use caliper_core::analysis::causes::Cause;
use caliper_core::analysis::compare::StagesOfRuns;
use caliper_core::analysis::results::Results;
use caliper_core::facts::record::{CellOutcome, Record};
use caliper_core::question::grid::{CellId, FileKind};
use caliper_core::report::advice::besides;
use caliper_core::report::details::shell_word;
use caliper_core::report::grid::Span;
use caliper_core::report::model::{Advice, GridView, LookedPast, OpenQuestions, Tone};
use caliper_core::report::{functions, grid, rows, stages, suspects};

use crate::setting;
use crate::terminal::{Terminal, printable};

/// Prints results. `path` is what a command names them by.
pub(super) fn results(results: &Results, path: &Path, terminal: Terminal) {
    terminal.lines(&grid::lines(&GridView::of(results), terminal.width()));
    by_test(results, terminal);
    interrupted(results, terminal);
    part(None, functions::lines(&results.functions), MOST_LINES, terminal);
    causes(results, terminal);
    part(Some("what changes along the releases"), rows::lines(&results.rows), MOST_LINES, terminal);
    part(Some("by the date of the index"), rows::by_date(&results.clocks), MOST_LINES, terminal);
    let title = "the runs of each cell, stage by stage, against the first that passed";
    part(Some(title), stages::lines(&results.stages), usize::MAX, terminal);
    let title = "what failing goes with, over all cells; only runs prove it";
    part(Some(title), suspects::lines(&results.suspects), MOST_LINES, terminal);
    let past = LookedPast::of(&results.verdicts);
    if !past.is_empty() {
        let told = past.iter().map(ToString::to_string).collect();
        let more = |more| format!("… and {more} more such lines (`--format json`)");
        let mut lines = first(all(Tone::Dim, told), MOST_PAST, more);
        let less = "`keep` under `compare` in the configuration looks past less";
        lines.push(vec![(Tone::Dim, less.to_owned())]);
        part(None, lines, usize::MAX, terminal);
    }
    if let Some(blind) = &results.blind {
        let lines = blind.to_string().lines().map(str::to_owned).collect();
        part(None, all(Tone::Plain, lines), usize::MAX, terminal);
    }
    if let Some(open) = OpenQuestions::of(&results.verdicts) {
        part(None, all(Tone::Notable, vec![open.to_string()]), 1, terminal);
    }
    suggestion(results, terminal);
    part(Some("look further"), further(results, path), usize::MAX, terminal);
}

/// Prints in which stage the runs of a cell part.
pub(super) fn stages_of(cell: &CellId, results: &Results, terminal: Terminal) {
    let of_cell: Vec<StagesOfRuns> =
        results.stages.iter().filter(|one| one.cell == *cell).cloned().collect();
    let title = "its runs, stage by stage, against the first that passed";
    part(Some(title), stages::lines(&of_cell), usize::MAX, terminal);
}

/// Prints a part of the results below a blank line: its title and its first lines. The others are counted.
fn part(title: Option<&str>, lines: Vec<Vec<Span>>, most: usize, terminal: Terminal) {
    if lines.is_empty() {
        return;
    }
    let lines = first(lines, most, |more| format!("… and {more} more lines (`--format json`)"));
    let title = title.map(|title| vec![(Tone::Plain, title.to_owned())]);
    say([Vec::new()].into_iter().chain(title).chain(lines).collect(), terminal);
}

/// The first lines of a list, and a line that counts the others if there are any.
fn first(
    mut lines: Vec<Vec<Span>>,
    most: usize,
    count: impl Fn(usize) -> String,
) -> Vec<Vec<Span>> {
    let more = lines.len().saturating_sub(most);
    if more > 0 {
        lines.truncate(most);
        lines.push(vec![(Tone::Dim, count(more))]);
    }
    lines
}

/// Prints lines without what could redraw a terminal.
pub(super) fn say(mut lines: Vec<Vec<Span>>, terminal: Terminal) {
    for (_, text) in lines.iter_mut().flatten() {
        *text = printable(text);
    }
    terminal.lines(&lines);
}

fn all(tone: Tone, lines: Vec<String>) -> Vec<Vec<Span>> {
    lines.into_iter().map(|line| vec![(tone, line)]).collect()
}

/// Says how each test fares, where the marks of the grid are not those of every test.
fn by_test(results: &Results, terminal: Terminal) {
    let lines = grid::by_test(results);
    if lines.is_empty() {
        return;
    }
    let lines = first(lines, MOST_TESTS, |more| format!("  … and {more} more tests"));
    let title = (Tone::Dim, "of these, by test (`caliper show --test NAME`):".to_owned());
    say([vec![title]].into_iter().chain(lines).collect(), terminal);
}

/// Says that cells lack runs, which the grid does not show.
fn interrupted(results: &Results, terminal: Terminal) {
    let lacking = results.cells.iter().filter(|record| record.interrupted).count();
    let said = match lacking {
        0 => return,
        1 => "1 cell was interrupted: it lacks runs".to_owned(),
        more => format!("{more} cells were interrupted: they lack runs"),
    };
    let line = format!("{said}, which `caliper run` makes");
    part(None, all(Tone::Notable, vec![line]), 1, terminal);
}

/// Why things fail, each cause with the places where it surfaces.
fn causes(results: &Results, terminal: Terminal) {
    let mut lines: Vec<Vec<Span>> = Vec::new();
    for cause in results.causes.iter().take(MOST_CAUSES) {
        lines.extend(all(Tone::Plain, cause.lines()));
    }
    let more = results.causes.len().saturating_sub(MOST_CAUSES);
    if more > 0 {
        lines.push(vec![(Tone::Dim, format!("… and {}", Cause::others(more)))]);
    }
    for note in results.notes.iter().take(MOST_NOTES) {
        let line = format!("note: the import fails where all tests pass: {note}");
        lines.push(vec![(Tone::Dim, line)]);
    }
    let not_built = results.cells.iter().filter(|record| is_failed_source_build(record)).count();
    if not_built >= MANY_SOURCE_BUILDS {
        let line = format!(
            "note: {not_built} cells could not be built from source; `sdist: never` leaves out what has no wheel"
        );
        lines.push(vec![(Tone::Dim, line)]);
    }
    part(Some("why tests fail"), lines, usize::MAX, terminal);
}

fn is_failed_source_build(record: &Record) -> bool {
    let is_sdist =
        record.environment.file.as_ref().is_some_and(|file| file.kind == FileKind::Sdist);
    record.outcome == CellOutcome::BuildFailed && !record.is_excluded() && is_sdist
}

/// The requirement that the results support, and what else may be at fault.
fn suggestion(results: &Results, terminal: Terminal) {
    // Where there is only nothing to install, no requirement would help.
    let fails = |record: &Record| match record.outcome {
        CellOutcome::BuildFailed => true,
        CellOutcome::Tested => !record.passed(),
        CellOutcome::Unavailable | CellOutcome::NotMeasured => false,
    };
    if !results.cells.iter().any(fails) {
        return;
    }
    let advice = Advice::of(results, &|_| true);
    let (requirement, why) = advice.answer();
    let answer = match requirement {
        Some(requirement) => format!("suggestion: {requirement} ({why})"),
        None => format!("suggestion: none, because {why}"),
    };
    let mut lines = vec![vec![(Tone::Plain, answer)]];
    lines.extend(all(Tone::Notable, besides(&advice)));
    part(None, lines, MOST_LINES, terminal);
}

/// The commands that tell more: of the most frequent failure, of the specifier, and of all.
fn further(results: &Results, path: &Path) -> Vec<Vec<Span>> {
    let named = if path == Path::new(setting::FILE) {
        String::new()
    } else {
        format!(" {}", shell_word(&path.to_string_lossy()))
    };
    let mut commands = Vec::new();
    if let Some(cause) = results.causes.first() {
        let cell = shell_word(&cause.example.cell);
        commands
            .push((format!("caliper show{named} {cell}"), "a cell that fails, with its output"));
        commands.push((format!("caliper suggest{named}"), "what the suggestion rests on"));
    }
    commands.push((format!("caliper report{named}"), "all of it as a page"));
    let width = commands.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
    let line = |(command, what): (String, &str)| {
        let gap = " ".repeat(width.saturating_sub(command.chars().count()) + 2);
        vec![(Tone::Plain, format!("  {command}")), (Tone::Dim, format!("{gap}# {what}"))]
    };
    commands.into_iter().map(line).collect()
}

/// From this many on, failed builds from source are no accident.
const MANY_SOURCE_BUILDS: usize = 3;

/// What of a long list is shown on a terminal.
const MOST_CAUSES: usize = 8;
const MOST_NOTES: usize = 3;
const MOST_LINES: usize = 24;
const MOST_TESTS: usize = 8;
const MOST_PAST: usize = 6;
