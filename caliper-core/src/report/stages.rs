//! In which stage the runs of cells part, as text.

use unicode_width::UnicodeWidthStr as _;

use super::details::single_line;
use super::grid::Span;
use super::model::Tone;
use super::table::pad;
use crate::analysis::compare::{Agreement, StageVerdict, StagesOfRuns};

/// How many cells are told.
const MOST: usize = 12;

/// Between two columns.
const BETWEEN: &str = "  ";

/// Lines for a terminal: a row for each cell with a column for each stage, and below it what follows, in a sentence each.
pub fn lines(stages: &[StagesOfRuns]) -> Vec<Vec<Span>> {
    let Some(first) = stages.first() else { return Vec::new() };
    let several = stages.iter().any(|one| one.test != first.test);
    // Those that part come first, so that none of these is left out for one that agrees.
    let parts = |one: &&StagesOfRuns| one.stages.iter().any(|stage| !stage.differing.is_empty());
    let (parting, agreeing): (Vec<_>, Vec<_>) = stages.iter().partition(parts);
    let all: Vec<&StagesOfRuns> = parting.iter().chain(&agreeing).copied().collect();
    let shown = &all[..all.len().min(MOST)];
    // What one test prints may not be compared, and then it has no such column.
    let widest = shown.iter().copied().max_by_key(|one| one.stages.len()).unwrap_or(first);
    let names = widest.stages.iter().map(|one| single_line(&one.stage));
    let header: Vec<String> =
        ["cell".to_owned(), "runs".to_owned()].into_iter().chain(names).collect();
    let rows: Vec<Vec<(Tone, String)>> = shown.iter().map(|one| row(one, several)).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|(_, text)| text.width());
        cells.chain([header[column].width()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: Vec<(Tone, String)>| -> Vec<Span> {
        let last = cells.len().saturating_sub(1);
        let padded =
            cells.into_iter().zip(&widths).enumerate().map(|(column, ((tone, text), to))| {
                let is_last = column == last;
                (tone, if is_last { text } else { format!("{}{BETWEEN}", pad(&text, *to)) })
            });
        padded.collect()
    };
    let mut lines = vec![line(header.into_iter().map(|name| (Tone::Dim, name)).collect())];
    lines.extend(rows.into_iter().map(line));
    for one in shown {
        lines.extend(sentences(one, several));
    }
    if all.len() > shown.len() {
        let (more, part) = (all.len() - shown.len(), parting.len().saturating_sub(shown.len()));
        let line = format!("… and {more} more such rows, of which {part} differ (`--format json`)");
        lines.push(vec![(Tone::Dim, line)]);
    }
    lines
}

fn name(one: &StagesOfRuns, with_test: bool) -> String {
    if with_test {
        format!("{} {}", one.cell, single_line(&one.test))
    } else {
        one.cell.to_string()
    }
}

fn row(one: &StagesOfRuns, with_test: bool) -> Vec<(Tone, String)> {
    let runs = (Tone::Plain, (one.compared + 1).to_string());
    let cells = one.stages.iter().map(|verdict| {
        let StageVerdict { agreement, differing, .. } = verdict;
        let (tone, text) = match agreement {
            Agreement::Same => (Tone::Good, "same".to_owned()),
            Agreement::WithinTolerance => {
                (Tone::Notable, format!("{} within tolerance", differing.len()))
            }
            Agreement::Differs if differing.len() == one.compared as usize => {
                (Tone::Notable, "all differ".to_owned())
            }
            Agreement::Differs => (Tone::Notable, format!("{} differ", differing.len())),
            Agreement::NoFiles => (Tone::Dim, "no files".to_owned()),
        };
        (tone, text)
    });
    [(Tone::Plain, name(one, with_test)), runs].into_iter().chain(cells).collect()
}

/// What follows of one cell, and the first difference.
fn sentences(one: &StagesOfRuns, with_test: bool) -> Vec<Vec<Span>> {
    let mut lines =
        vec![vec![(Tone::Plain, format!("{}: {}", name(one, with_test), one.conclusion()))]];
    let parting = one.stages.iter().find_map(|verdict| {
        let (run, part) = (verdict.differing.first()?, verdict.parts.first()?);
        Some(format!(
            "  first in run {run}, compared with run {}: {}: {}",
            one.first,
            single_line(&part.part),
            part.comparison
        ))
    });
    lines.extend(parting.map(|parting| vec![(Tone::Dim, parting)]));
    if one.failed > 0 {
        let runs =
            if one.failed == 1 { "1 run".to_owned() } else { format!("{} runs", one.failed) };
        lines.push(vec![(Tone::Dim, format!("  without {runs} that did not pass"))]);
    }
    lines
}
