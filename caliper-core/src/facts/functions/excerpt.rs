//! What is kept of the texts of a report: little, in printable characters, and without what differs from machine to
//! machine.

use crate::names::{Sha256, printable};

/// The longest message that is kept, in characters.
const MESSAGE: usize = 300;
/// The longest id that is kept, in characters.
const IDENTIFIER: usize = 500;
/// The longest traceback that is kept, in lines and in characters of a line.
const LINES: usize = 24;
const LINE: usize = 300;

/// The first line of a text, cut where it gets long.
pub(super) fn line(text: &str) -> String {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    printable(first, MESSAGE)
}

/// An id in one line. One that is too long is cut and stays different from others.
pub(super) fn identifier(text: &str) -> String {
    if text.chars().count() <= IDENTIFIER {
        return printable(text, usize::MAX);
    }
    let digest = Sha256::of(text.as_bytes()).to_string();
    let digest = digest.rsplit(':').next().unwrap_or_default();
    format!("{}{}", printable(text, IDENTIFIER), &digest[..digest.len().min(12)])
}

/// What pytest gives as the message where the exception stands in the text alone.
const EMPTY_MESSAGES: &[&str] = &[
    "collection failure",
    "collection skipped",
    "expected test failure",
    "test setup failure",
    "test teardown failure",
];

/// Why a function did not pass, in one line: the exception.
pub(super) fn message(message: &str, text: &str) -> String {
    for wrapped in ["failed on setup with \"", "failed on teardown with \""] {
        if let Some(inner) = message.strip_prefix(wrapped) {
            return line(inner.strip_suffix('"').unwrap_or(inner));
        }
    }
    let first = line(message);
    if !first.is_empty() && !EMPTY_MESSAGES.contains(&first.as_str()) {
        return first;
    }
    if let Some((_, reason)) = text.split_once("Skipped: ") {
        let reason = reason.trim_end();
        let end = reason.strip_suffix("\")").or_else(|| reason.strip_suffix("')"));
        return line(end.unwrap_or(reason));
    }
    raised(text).map_or(first, line)
}

/// The line with the exception at the end of a traceback: of pytest's form, where `E` stands in front of it, or of
/// Python's own.
fn raised(text: &str) -> Option<&str> {
    let marked =
        |line: &'_ str| line.strip_prefix("E ").is_some_and(|rest| !rest.trim().is_empty());
    let is_exception = |line: &&str| {
        let name = line.split([':', ' ']).next().unwrap_or_default();
        let class = name.rsplit('.').next().unwrap_or_default();
        !name.is_empty()
            && name.chars().all(|part| part.is_alphanumeric() || "_.".contains(part))
            && class.starts_with(char::is_uppercase)
            && *line != "E"
    };
    let lines: Vec<&str> = text.lines().filter(|line| marked(line)).collect();
    if lines.is_empty() {
        // Python's own traceback ends with what was raised, and its lines are indented.
        let is_indented = |line: &&str| line.starts_with([' ', '\t']) || line.trim().is_empty();
        return text.lines().rfind(|line| !is_indented(line) && is_exception(line));
    }
    // The first line of the last block: what follows it explains it, and is indented further.
    let lines = || lines.iter().map(|line| line[1..].trim());
    lines().rfind(is_exception).or_else(|| lines().next())
}

/// The lines of a traceback that name a place, or say what was raised. Where a line of source stands is known without its
/// text.
pub(super) fn traceback(text: &str) -> String {
    let of_pytest = text.lines().any(|line| line.starts_with("E  "));
    let kept = |line: &&str| {
        let line = line.trim_end();
        let told = if of_pytest {
            line.starts_with("E  ") || place(line).is_some()
        } else {
            // The source of a frame is indented by four, its place by two.
            !line.starts_with("    ") || line.trim_start().starts_with("File ")
        };
        told && !line.trim().is_empty()
    };
    let lines: Vec<&str> = text.lines().filter(kept).collect();
    let first = lines.len().saturating_sub(LINES);
    let lines = lines[first..].iter().map(|line| printable(&without_folders(line), LINE));
    lines.collect::<Vec<_>>().join("\n")
}

/// The path of a line such as `tests/test_a.py:3: AssertionError` or `x/y.py:12: in f`.
fn place(line: &str) -> Option<&str> {
    let (path, rest) = line.split_once(".py:")?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let is_place =
        digits > 0 && rest[digits..].starts_with(':') && !path.starts_with(char::is_whitespace);
    is_place.then_some(path)
}

/// A line that names a place, without the folders above `site-packages` or the standard library, which differ from run to
/// run.
fn without_folders(line: &str) -> String {
    if place(line).is_none() && !line.trim_start_matches(['E', ' ']).starts_with("File ") {
        return line.to_owned();
    }
    for folder in ["/site-packages/", "/dist-packages/", "/lib/python"] {
        let Some(at) = line.rfind(folder) else { continue };
        let start = line[..at].rfind(['"', '\'', ' ', '(']).map_or(0, |before| before + 1);
        return format!("{}…{}", &line[..start], &line[at..]);
    }
    line.to_owned()
}
