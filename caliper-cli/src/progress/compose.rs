//! The state of a run as one line, as long as there is room.

use std::time::Duration;

use caliper_core::report::model::Tone;

use super::estimate::{about, clock, short};
use super::state::{Now, View};
use crate::terminal::line::{cut, width};
use crate::terminal::{Terminal, printable};

/// What has been going on for longer than this is shown with its age.
const OLD: Duration = Duration::from_secs(2);

/// From so many columns on, more than one thing that goes on is named.
const WIDE: usize = 120;

/// What goes on needs so many columns to be worth telling.
const LEAST: usize = 8;

/// Between parts.
const GAP: &str = "  ";

/// So many columns stay free: some terminals wrap in the last one, and two take the `^C` of a person.
const FREE: usize = 3;

/// The line for a terminal of so many columns.
pub(super) fn line(view: &View, columns: usize, stopping: bool, terminal: Terminal) -> String {
    let room = columns.saturating_sub(FREE);
    let (counts, painted) = counts(view, terminal);
    let counts_width = width(&counts);
    if counts_width > room {
        return cut(&counts, room);
    }
    let most = if columns >= WIDE { usize::MAX } else { 1 };
    let all = now(view, most, stopping, usize::MAX);
    let gap = if counts.is_empty() { 0 } else { GAP.len() };
    // The first form in which what goes on fits, or can be read at least; else the shortest.
    let times = times(view, stopping);
    let free = |time: &str| {
        let time = if time.is_empty() { 0 } else { width(time) + GAP.len() };
        room.saturating_sub(counts_width + gap + time)
    };
    let enough = width(&all).min(columns / 2);
    let shortest = || times.last().filter(|time| free(time) >= 2 * LEAST);
    let time = times.iter().find(|time| free(time) >= enough).or_else(shortest);
    let time = time.map_or("", String::as_str);
    let now = match free(time) {
        free if free >= LEAST => now(view, most, stopping, free),
        _ => String::new(),
    };
    let parts = [painted, now, time.to_owned()];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(GAP)
}

/// The same as a line of a log, with words in place of signs.
pub(super) fn plain(view: &View) -> String {
    let mut parts = Vec::new();
    if let Some((done, planned)) = view.cells {
        parts.push(match planned {
            Some(planned) => format!("{done} of {planned} cells"),
            None => format!("{done} cells"),
        });
    }
    let counts =
        [(view.passed, "pass"), (view.failed, "fail"), (view.not_measured, "not measured")];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    parts.extend(counts.map(|(count, what)| format!("{count} {what}")));
    let mut line = parts.join(", ");
    let now = now(view, 1, false, usize::MAX);
    if !now.is_empty() {
        line += if line.is_empty() { "" } else { "; now " };
        line += &now;
    }
    if let Some(left) = view.left {
        line += &format!("; {} left", about(left));
    }
    line
}

/// How many cells are done, and how they fare: as text, and in colours.
fn counts(view: &View, terminal: Terminal) -> (String, String) {
    let Some((done, planned)) = view.cells else { return (String::new(), String::new()) };
    let done = match planned {
        Some(planned) => format!("[{done}/{planned}]"),
        None => format!("[{done}]"),
    };
    let counts = [
        (view.passed, '✓', Tone::Good),
        (view.failed, '✗', Tone::Bad),
        (view.not_measured, '?', Tone::Spurious),
    ];
    let (mut text, mut painted) = (done.clone(), done);
    for (count, sign, tone) in counts.into_iter().filter(|(count, ..)| *count > 0) {
        let count = format!("{sign} {count}");
        text += &format!(" {count}");
        painted += &format!(" {}", terminal.painted(tone, &count));
    }
    (text, painted)
}

/// What goes on, in so many columns: up to `most` things, and how many more there are.
fn now(view: &View, most: usize, stopping: bool, room: usize) -> String {
    let before = if stopping { "stopping: " } else { "" };
    let Some((first, rest)) = view.now.split_first() else {
        return if stopping { cut("stopping", room) } else { String::new() };
    };
    let more = |count: usize| if count > 0 { format!(", +{count} more") } else { String::new() };
    let (what, detail) = told(first);
    // The name is what is cut.
    let fixed = width(before) + width(&detail) + width(&more(rest.len()));
    if fixed + LEAST > room {
        let fixed = width(before) + width(&detail);
        return match room.checked_sub(fixed) {
            Some(room) if room >= LEAST => format!("{before}{}{detail}", cut(&what, room)),
            _ => cut(&format!("{before}{what}{detail}"), room),
        };
    }
    let mut line = format!("{before}{}{detail}", cut(&what, room - fixed));
    let mut left = rest.len();
    for next in rest.iter().take(most.saturating_sub(1)) {
        let (what, detail) = told(next);
        let longer = format!("{line}, {what}{detail}");
        if width(&longer) + width(&more(left - 1)) > room {
            break;
        }
        (line, left) = (longer, left - 1);
    }
    line + &more(left)
}

/// What goes on, and what follows it whatever is cut.
fn told(now: &Now) -> (String, String) {
    let what = printable(&now.what).replace(['\n', '\t'], " ");
    (what, format!("{}{}", now.detail, aged(now.age)))
}

fn aged(age: Duration) -> String {
    match age {
        age if age < OLD => String::new(),
        age if age.as_secs() < 60 => format!(" {} s", age.as_secs()),
        age => format!(" {}", clock(age)),
    }
}

/// The time, in its forms from the longest to the shortest.
fn times(view: &View, stopping: bool) -> Vec<String> {
    if view.cells.is_none() {
        return Vec::new();
    }
    let elapsed = clock(view.elapsed);
    let Some(seconds) = view.left.filter(|_| !stopping) else { return vec![elapsed] };
    let left = format!("{} left", about(seconds));
    vec![format!("{elapsed}, {left}"), left, short(seconds)]
}

#[cfg(test)]
mod tests;
