//! A table for a terminal: headings by level, and rows with labels, in as many parts as its width needs.

use std::collections::BTreeSet;
use std::iter;
use std::ops::Range;

use unicode_width::UnicodeWidthStr as _;

use super::model::{Column, Legend, Tone};

/// A piece of text with its tone.
pub type Span = (Tone, String);

/// The width of a table that no terminal bounds, in characters.
pub const USUAL_WIDTH: usize = 80;

/// Between two columns of a table.
const BETWEEN: &str = "  ";

/// One line of headings: the Pythons, or the labels of one axis.
struct Level {
    /// What stands in front of the line.
    name: String,
    /// A heading for each column.
    headings: Vec<String>,
}

/// Draws headings, and rows with their labels in front. A heading that neighbouring columns share stands above the first
/// of them. Columns that do not fit `width` follow below, with headings of their own.
pub(super) fn table(
    columns: &[Column],
    rows: &[(String, Vec<Span>)],
    width: usize,
) -> Vec<Vec<Span>> {
    let levels = levels(columns);
    let labels = rows.iter().map(|(label, _)| label).chain(levels.iter().map(|level| &level.name));
    let label_width = labels.map(|label| label.width()).max().unwrap_or(0);
    let of_cells = |column: usize| rows.iter().map(|(_, cells)| cells[column].1.width()).max();
    let cells: Vec<usize> =
        (0..columns.len()).map(|column| of_cells(column).unwrap_or(0)).collect();
    let mut lines = Vec::new();
    let mut rest = 0;
    while rest < columns.len() {
        let (part, widths) = part(&levels, &cells, rest, width.saturating_sub(label_width));
        rest = part.end;
        if !lines.is_empty() {
            lines.push(Vec::new());
        }
        let line = |(tone, label): (Tone, &str), cells: &mut dyn Iterator<Item = (Span, usize)>| {
            let label = iter::once((tone, pad(label, label_width)));
            let padded =
                cells.map(|((tone, text), to)| (tone, format!("{BETWEEN}{}", pad(&text, to))));
            trimmed(label.chain(padded).collect())
        };
        for (depth, level) in levels.iter().enumerate() {
            let mut headings = groups(&levels[..=depth], &part).into_iter().map(|group| {
                let heading = (Tone::Dim, level.headings[group.start].clone());
                (heading, together(&widths[group.start - part.start..group.end - part.start]))
            });
            lines.push(line((Tone::Dim, &level.name), &mut headings));
        }
        for (label, cells) in rows {
            let cells = cells[part.clone()].iter().cloned();
            lines.push(line((Tone::Plain, label), &mut cells.zip(widths.iter().copied())));
        }
    }
    lines
}

/// The lines of headings. The axes are named in front of theirs, as soon as there is any; they stand in the order by which
/// columns are sorted, so that neighbours share as much as they can.
fn levels(columns: &[Column]) -> Vec<Level> {
    let axes: BTreeSet<&str> =
        columns.iter().flat_map(|column| column.variant.iter()).map(|(axis, _)| axis).collect();
    let python = if axes.is_empty() { "" } else { "Python" };
    let pythons = columns.iter().map(|column| column.python.to_string()).collect();
    let mut levels = vec![Level { name: python.to_owned(), headings: pythons }];
    levels.extend(axes.into_iter().map(|axis| {
        Level {
            name: axis.to_owned(),
            headings: columns
                .iter()
                .map(|column| column.variant.get(axis).unwrap_or_default().to_owned())
                .collect(),
        }
    }));
    levels
}

/// The neighbouring columns of a part that have the same headings at all of these levels.
fn groups(levels: &[Level], part: &Range<usize>) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    for column in part.clone() {
        let is_shared = |level: &Level| level.headings[column] == level.headings[column - 1];
        match groups.last_mut() {
            Some(group) if levels.iter().all(is_shared) => group.end = column + 1,
            _ => groups.push(column..column + 1),
        }
    }
    groups
}

/// How wide columns are together.
fn together(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + BETWEEN.len() * (widths.len() - 1)
}

/// The columns from `first` on that fit `room` side by side, at least one, and how wide each is.
fn part(
    levels: &[Level],
    cells: &[usize],
    first: usize,
    room: usize,
) -> (Range<usize>, Vec<usize>) {
    let all = levels[0].headings.len();
    let mut fits = (first..first + 1, widths(levels, cells, first..first + 1));
    for end in first + 2..=all {
        let widths = widths(levels, cells, first..end);
        if widths.iter().map(|width| width + BETWEEN.len()).sum::<usize>() > room {
            break;
        }
        fits = (first..end, widths);
    }
    // What shares the outermost heading stays together, if any of it fits.
    let outermost = groups(&levels[..1], &(first..all));
    match outermost.iter().map(|group| group.end).rfind(|end| *end <= fits.0.end) {
        Some(end) => (first..end, widths(levels, cells, first..end)),
        None => fits,
    }
}

/// How wide the columns of a part are, so that their cells, which are this wide, and their headings fit.
fn widths(levels: &[Level], cells: &[usize], part: Range<usize>) -> Vec<usize> {
    let mut widths = cells[part.clone()].to_vec();
    // From the innermost level on, whose headings have the least room.
    for depth in (0..levels.len()).rev() {
        for group in groups(&levels[..=depth], &part) {
            let over = &mut widths[group.start - part.start..group.end - part.start];
            let lacking =
                levels[depth].headings[group.start].width().saturating_sub(together(over));
            if let Some(last) = over.last_mut() {
                *last += lacking;
            }
        }
    }
    widths
}

/// The signs in use and their meaning, in lines that fit `width`.
pub(super) fn legend(legend: &[Legend], width: usize) -> Vec<Vec<Span>> {
    const APART: &str = "   ";
    let mut lines: Vec<String> = Vec::new();
    for text in legend.iter().map(Legend::to_string) {
        match lines.last_mut() {
            Some(line) if line.width() + APART.len() + text.width() <= width => {
                *line += &format!("{APART}{text}");
            }
            _ => lines.push(text),
        }
    }
    lines.into_iter().map(|line| vec![(Tone::Dim, line)]).collect()
}

/// The text with blanks behind it.
pub(super) fn pad(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(text.width())))
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
