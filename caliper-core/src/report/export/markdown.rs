use std::fmt::Write as _;

use crate::analysis::causes::Cause;
use crate::analysis::expect::Held;
use crate::analysis::results::Results;
use crate::report::grid::Span;
use crate::report::model::{Advice, GridView, Legend, OpenQuestions, Totals};
use crate::report::{functions, rows};

/// How long the text becomes at most, in bytes: GitHub takes a comment of 65,536 characters, and a summary of 1 MiB.
pub const LONGEST: usize = 60_000;

/// Results as GitHub Flavored Markdown, for the page of a job and for a comment: what was asked, how it ended, the
/// grid, why things fail, what changes along the releases, and what is suggested. `held` is what does not hold, held
/// against other results.
///
/// What comes from tests stands in code, so that it is neither markup nor a mention of somebody. Long lists are cut, and
/// say so.
pub fn markdown(results: &Results, held: Option<&Held>) -> String {
    let page = Page::of(results, held);
    let mut cut = Cut { rows: 100, columns: 24, lines: 40 };
    loop {
        let text = page.rendered(cut);
        if text.len() <= LONGEST || cut.lines == 0 {
            return text;
        }
        let less = |count: usize| count * 3 / 4;
        cut = Cut { rows: less(cut.rows), columns: less(cut.columns), lines: less(cut.lines) };
    }
}

/// The grid alone as a table in GitHub Flavored Markdown, for the README of a project: at most 16 lines and 12 columns, the
/// newest releases, with what the marks mean, and when and by what it was measured.
pub fn markdown_table(results: &Results) -> String {
    let view = GridView::of(results);
    let table = table(&view, Cut { rows: 16, columns: 12, lines: 0 });
    let day = results.finished.to_string();
    let day = day.split('T').next().unwrap_or_default();
    format!(
        "{table}{} by release and Python, measured until {day} with Caliper {}.\n",
        code(results.dependency.normalized()),
        cell(&results.caliper),
    )
}

/// How much of each list is shown.
#[derive(Debug, Clone, Copy)]
struct Cut {
    rows: usize,
    columns: usize,
    lines: usize,
}

/// What there is to say.
struct Page<'a> {
    results: &'a Results,
    held: Option<&'a Held>,
    view: GridView,
    suggested: String,
    stale: usize,
    /// Titles, and the lines below them.
    blocks: Vec<(&'static str, Vec<String>)>,
}

impl<'a> Page<'a> {
    fn of(results: &'a Results, held: Option<&'a Held>) -> Self {
        let advice = Advice::of(results, &|_| true);
        let stale = advice.stale;
        let suggested = match advice.answer() {
            (Some(specifier), why) => format!("{}; {why}", code(&specifier)),
            (None, why) => format!("none, because {why}"),
        };
        let open = OpenQuestions::of(&results.verdicts).map(|open| open.to_string());
        let blocks = vec![
            ("Why it fails", results.causes.iter().flat_map(Cause::lines).collect()),
            ("By function", plain(&functions::lines(&results.functions))),
            ("What changes along the releases", plain(&rows::lines(&results.rows))),
            ("By the date of the index", plain(&rows::by_date(&results.clocks))),
            ("Open", open.into_iter().collect()),
        ];
        Self { results, held, view: GridView::of(results), suggested, stale, blocks }
    }

    fn rendered(&self, cut: Cut) -> String {
        let Results { analysis, dependency, backend, .. } = self.results;
        let Totals { cells, counts } = &self.view.totals;
        let counts: Vec<String> =
            counts.iter().map(|total| format!("{} {}", total.count, total.what)).collect();
        let mut text = format!(
            "### {}\n\nWhat do the releases of {} do? {cells} cells on {}: {}.\n\n",
            code_or_plain(analysis),
            code(dependency.normalized()),
            code(backend),
            counts.join(", ")
        );
        if let Some(held) = self.held {
            text += &against(held, cut);
        }
        text += &table(&self.view, cut);
        for (title, lines) in &self.blocks {
            text += &block(title, lines, cut.lines);
        }
        let _ = writeln!(text, "**Suggested:** {}.", self.suggested);
        if self.stale > 0 {
            let _ = writeln!(text, "\n{} cells are stale and count for nothing.", self.stale);
        }
        text
    }
}

/// What does not hold, and is new.
fn against(held: &Held, cut: Cut) -> String {
    let known = match held.known.len() {
        0 => String::new(),
        1 => " 1 failure is in the other results too.".to_owned(),
        more => format!(" {more} failures are in the other results too."),
    };
    if held.new.is_empty() {
        return format!("**Nothing fails that did not fail before.**{known}\n\n");
    }
    let lines: Vec<String> = held.new.iter().map(ToString::to_string).collect();
    let title = format!("Fails, and did not before ({})", lines.len());
    let mut text = block(&title, &lines, cut.lines);
    if !known.is_empty() {
        let _ = writeln!(text, "{}\n", known.trim());
    }
    text
}

/// The grid, as a table.
fn table(view: &GridView, cut: Cut) -> String {
    let columns = &view.columns[..view.columns.len().min(cut.columns)];
    let mut text = String::from("| |");
    for column in columns {
        let _ = write!(text, " {} |", cell(&column.to_string()));
    }
    text.push('\n');
    text += &"|---".repeat(columns.len() + 1);
    text += "|\n";
    // The newest releases are what a reader asks about first.
    let hidden = view.rows.len().saturating_sub(cut.rows);
    for row in &view.rows[hidden..] {
        let _ = write!(text, "| {} |", cell(&row.to_string()));
        for mark in row.marks.iter().take(columns.len()) {
            let _ = write!(text, " {mark} |");
        }
        text.push('\n');
    }
    let legend: Vec<String> = view.legend.iter().map(Legend::to_string).collect();
    let _ = writeln!(text, "\n{}\n", cell(&legend.join(" · ")));
    let more = view.columns.len() - columns.len();
    let cuts = [(hidden, "older lines"), (more, "columns")];
    let cuts: Vec<String> = cuts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} more {what}"))
        .collect();
    if !cuts.is_empty() {
        let _ = writeln!(text, "… and {}\n", cuts.join(" and "));
    }
    text
}

fn plain(lines: &[Vec<Span>]) -> Vec<String> {
    let line = |line: &Vec<Span>| line.iter().map(|(_, text)| text.as_str()).collect();
    lines.iter().map(line).collect()
}

/// Lines as they are, below a title. Nothing without lines.
fn block(title: &str, lines: &[String], most: usize) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let shown: Vec<String> = lines.iter().take(most).map(|line| one_line(line)).collect();
    let fence = "`".repeat(longest_run(&shown).max(2) + 1);
    let mut text = format!("**{title}**\n\n{fence}text\n");
    for line in &shown {
        let _ = writeln!(text, "{line}");
    }
    if lines.len() > shown.len() {
        let _ = writeln!(text, "… and {} more lines", lines.len() - shown.len());
    }
    text + &fence + "\n\n"
}

/// How many backticks stand behind each other at most.
fn longest_run(lines: &[String]) -> usize {
    let runs = lines.iter().flat_map(|line| line.split(|one| one != '`'));
    runs.map(str::len).max().unwrap_or(0)
}

/// One line of bounded length, without what could turn it around or break out of it.
fn one_line(text: &str) -> String {
    const LONGEST: usize = 400;
    let is_odd = |one: char| {
        one.is_control() || matches!(one, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut line: String =
        text.chars().take(LONGEST).map(|one| if is_odd(one) { '\u{fffd}' } else { one }).collect();
    if text.chars().nth(LONGEST).is_some() {
        line.push('…');
    }
    line
}

/// A text in code (<https://github.github.com/gfm/#code-spans>). Nothing in it is markup, and nobody is mentioned.
fn code(text: &str) -> String {
    let text = one_line(text);
    let fence = "`".repeat(longest_run(std::slice::from_ref(&text)) + 1);
    // A blank at both ends is taken away again, and keeps backticks of the text from those around it.
    let pad = if text.starts_with('`') || text.ends_with('`') || text.trim().is_empty() {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A text that stands as it is if it is nothing but words.
fn code_or_plain(text: &str) -> String {
    let is_word = |one: char| one.is_alphanumeric() || " ,:()-".contains(one);
    let is_plain = text.starts_with(char::is_alphanumeric) && text.chars().all(is_word);
    if is_plain { one_line(text) } else { code(text) }
}

/// A text in a cell of a table, where even code may not hold a bar: every sign that could be markup is written as its
/// number.
fn cell(text: &str) -> String {
    let text = one_line(text);
    let is_plain =
        |one: char| one.is_alphanumeric() || !one.is_ascii() || " .,+=:;()/?".contains(one);
    let escaped: String = text
        .chars()
        .map(|one| if is_plain(one) { one.to_string() } else { format!("&#{};", u32::from(one)) })
        .collect();
    // `www.` and `://` become links, and `@` a mention even as a number, but not in code.
    let is_marked = text.contains(['@', '#', '/']) || text.contains("www.");
    if is_marked { format!("<code>{escaped}</code>") } else { escaped }
}

#[cfg(test)]
mod tests;
