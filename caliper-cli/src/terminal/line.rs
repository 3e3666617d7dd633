//! The one line at the bottom of a terminal that is drawn again and again.
//!
//! A process has one terminal, so there is one such line, and all that is printed goes through here: text goes above the
//! line, in the same write that draws the line again, so that nothing flickers. The line is never longer than the
//! terminal is wide, and nothing above it is ever touched.

use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use caliper_core::report::grid::USUAL_WIDTH;
use unicode_width::UnicodeWidthChar as _;

static LINE: Mutex<Line> = Mutex::new(Line { drawn: String::new(), printed: None });

/// Whether a person has asked for an end.
static STOPPING: AtomicBool = AtomicBool::new(false);

struct Line {
    /// What stands there now; empty if there is no line.
    drawn: String,
    /// When something else was printed last.
    printed: Option<Instant>,
}

/// ECMA-48: to the first column, and from there on nothing.
const ERASE: &str = "\r\x1b[K";

fn line() -> MutexGuard<'static, Line> {
    LINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Prints a line of text on standard error, above the line if there is one.
pub(super) fn above(text: &str) {
    let mut line = line();
    line.printed = Some(Instant::now());
    let all = if line.drawn.is_empty() {
        format!("{text}\n")
    } else {
        format!("{ERASE}{text}\n{}", line.drawn)
    };
    let _ = io::stderr().lock().write_all(all.as_bytes());
}

/// Makes room for what is printed elsewhere.
pub(super) fn make_room() {
    line().printed = Some(Instant::now());
    draw("");
}

/// Draws `text` as the line, if it is not what stands there; erases the line if `text` is empty.
pub(crate) fn draw(text: &str) {
    let mut line = line();
    if line.drawn == text {
        return;
    }
    // What is drawn over what was there needs no erasing before, which would flicker.
    let all = if text.is_empty() { ERASE.to_owned() } else { format!("\r{text}\x1b[K") };
    let _ = io::stderr().lock().write_all(all.as_bytes());
    text.clone_into(&mut line.drawn);
}

/// How long nothing but the line was printed; `None` if nothing was printed yet.
pub(crate) fn quiet_for() -> Option<Duration> {
    line().printed.map(|printed| printed.elapsed())
}

/// Notes that a person has asked for an end. The terminal has shown `^C` then, which the next drawing removes.
pub(crate) fn stop() {
    STOPPING.store(true, Ordering::SeqCst);
}

/// Whether a person has asked for an end.
pub(crate) fn is_stopping() -> bool {
    STOPPING.load(Ordering::SeqCst)
}

/// Erases the line before the process exits at once, whatever its other threads do.
pub(crate) fn leave() {
    let line = match LINE.try_lock() {
        Ok(line) => line,
        Err(TryLockError::Poisoned(line)) => line.into_inner(),
        Err(TryLockError::WouldBlock) => return,
    };
    if !line.drawn.is_empty() {
        let _ = io::stderr().lock().write_all(ERASE.as_bytes());
    }
}

/// How many columns the terminal has now that standard error goes to.
pub(crate) fn columns() -> usize {
    columns_of(io::stderr())
}

/// How many columns the terminal has now that something is written to, or the usual number if it is written elsewhere.
pub(super) fn columns_of(stream: impl AsFd) -> usize {
    let asked = terminal_size::terminal_size_of(stream);
    let asked = asked.map(|(terminal_size::Width(columns), _)| usize::from(columns));
    // A terminal that was made by a program may not know.
    asked.filter(|columns| *columns > 0).unwrap_or(USUAL_WIDTH)
}

/// How many columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(|character| character.width().unwrap_or(0)).sum()
}

/// The text, cut to this many columns; what is cut ends in `…`.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut room = columns.saturating_sub(1);
    for character in text.chars() {
        let Some(left) = room.checked_sub(character.width().unwrap_or(0)) else { break };
        room = left;
        kept.push(character);
    }
    if columns > 0 {
        kept.truncate(kept.trim_end().len());
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_columns() {
        let cases = [
            ("plain", 5, "plain"),
            ("plain", 4, "pla…"),
            ("a b c", 3, "a…"), // no blank before the sign
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"), // a character of two columns is not cut in half
            ("ab", 1, "…"),
            ("ab", 0, ""),
        ];
        for (text, columns, expected) in cases {
            assert_eq!(cut(text, columns), expected, "{text} {columns}");
            assert!(width(expected) <= columns);
        }
    }
}
