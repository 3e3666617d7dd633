//! Rules for terminal output: line endings, escape sequences and progress bars.

use std::sync::LazyLock;

use regex::Regex;

use super::Edit;

/// Removes trailing carriage returns.
pub(super) fn line_ending(line: &str) -> Vec<Edit> {
    let end = line.trim_end_matches('\r').len();
    if end < line.len() { vec![Edit::new(end..line.len(), "")] } else { Vec::new() }
}

/// Removes every escape sequence, and every other escape character: a remaining one could form a new
/// sequence with the text after it.
pub(super) fn escapes(line: &str) -> Vec<Edit> {
    /// Control sequences, operating system commands (titles, links), and short sequences, by ECMA-48.
    static ESCAPE: LazyLock<Regex> = LazyLock::new(|| {
        let pattern =
            r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])?";
        Regex::new(pattern).expect("a pattern")
    });
    if !line.contains('\u{1b}') {
        return Vec::new();
    }
    ESCAPE.find_iter(line).map(|found| Edit::new(found.range(), "")).collect()
}

pub(super) fn progress(line: &str) -> Vec<Edit> {
    let end = line.trim_end_matches('\r').len();
    let overwritten = line[..end].contains('\r');
    let left = if overwritten { overwrite(&line[..end]) } else { line[..end].to_owned() };
    let bars = bars(&left);
    match (overwritten, bars.is_empty()) {
        (false, _) => bars,
        (true, true) => vec![Edit::new(0..end, left)],
        (true, false) => vec![Edit::new(0..end, super::replaced(&left, &bars))],
    }
}

/// What remains visible of a line on a wide terminal. Colours are lost.
fn overwrite(line: &str) -> String {
    let mut screen: Vec<char> = Vec::new();
    for part in line.split('\r') {
        let mut column = 0;
        let mut characters = part.chars().peekable();
        while let Some(character) = characters.next() {
            if character == '\u{1b}' && characters.next_if_eq(&'[').is_some() {
                let mut argument = '0';
                for character in characters.by_ref() {
                    match character {
                        // Erases to the end of the line, or all of it; the latter comes with a
                        // carriage return right before or behind it.
                        'K' if argument == '2' => {
                            screen.clear();
                            column = 0;
                        }
                        'K' if argument == '0' || argument == '[' => screen.truncate(column),
                        _ => {}
                    }
                    if ('@'..='~').contains(&character) {
                        break;
                    }
                    argument = character;
                }
                continue;
            }
            if column < screen.len() {
                screen[column] = character;
            } else {
                screen.push(character);
            }
            column += 1;
        }
    }
    let text: String = screen.into_iter().collect();
    // A shorter text over a longer one is padded with blanks; these do not count.
    text.trim_end_matches(' ').to_owned()
}

/// The parts of a tqdm progress bar that depend on time or on the terminal.
///
/// Source: `tqdm.std.tqdm.format_meter`.
fn bars(line: &str) -> Vec<Edit> {
    static KNOWN: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = concat!(
            r"([0-9]{1,3}%\|[^|\[]*\|)",
            r" {0,9}[0-9.]{1,15}[kMGT]?/[0-9.?]{1,15}[kMGT]? ",
            r"\[([0-9:?]{1,12}<[0-9:?]{1,12}(?:, {1,9}[0-9.?]{1,9}[a-zA-Z]{0,9}/[a-zA-Z]{1,9})?)",
        );
        Regex::new(pattern).expect("a pattern")
    });
    static UNKNOWN: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = r"[0-9]it (\[[0-9:]{4,12}, {1,9}[0-9.?]{1,9}[a-zA-Z]{0,9}/[a-zA-Z]{1,9})";
        Regex::new(pattern).expect("a pattern")
    });
    if !line.contains('[') {
        return Vec::new();
    }
    let mut edits = Vec::new();
    for found in KNOWN.captures_iter(line) {
        let whole = found.get(1).map(|part| Edit::new(part.range(), "<progress>"));
        let times = found.get(2).map(|part| Edit::new(part.range(), "<progress>"));
        edits.extend(whole.into_iter().chain(times));
    }
    let times = UNKNOWN.captures_iter(line).filter_map(|found| found.get(1));
    edits.extend(times.map(|part| Edit::new(part.range(), "[<progress>")));
    // One has `<` behind its first time and the other a comma, so they never overlap.
    edits.sort_by_key(|edit| edit.range.start);
    edits
}

#[cfg(test)]
mod tests {
    use crate::question::criteria::Rule;

    #[test]
    fn text_is_left_as_a_terminal_leaves_it() {
        let cases = [
            (" 50%\r100%\n", "100%\n"),
            ("abc\rx", "xbc"), // what is shorter leaves the rest
            ("loading\r\u{1b}[Kdone", "done"),
            ("loading\r       \rdone   ", "done"),
            ("100%\r\n", "100%\r\n"), // the end of a line of another system
            (
                "10%|#   | 1/10 [00:01<00:09, 1.00it/s]\r100%|####| 10/10 [00:10<00:00, 1.01it/s, loss=0.5]",
                "<progress> 10/10 [<progress>, loss=0.5]",
            ),
            ("12it [00:01, 11.8it/s]", "12it [<progress>]"),
            ("a | b | 1/2 [x]", "a | b | 1/2 [x]"),
        ];
        for (text, left) in cases {
            assert_eq!(Rule::ProgressBars.apply(text), left, "{text:?}");
        }
    }

    #[test]
    fn escape_sequences_go() {
        let cases = [
            ("\u{1b}[1;31mred\u{1b}[0m", "red"),
            ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{7}", "link"),
            ("\u{1b}\u{1b}[0m[0m", "[0m"), // no sequence comes into being
            ("\u{1b}(Bx", "x"),
            ("\u{1b}[", "["),
        ];
        for (text, left) in cases {
            assert_eq!(Rule::Ansi.apply(text), left, "{text:?}");
        }
    }

    #[test]
    fn line_endings_are_of_one_kind() {
        for (text, left) in [("a\r\nb\r\n", "a\nb"), ("a\rb", "a\rb"), ("a\n\n", "a"), ("", "")] {
            assert_eq!(Rule::LineEndings.apply(text), left, "{text:?}");
        }
    }
}
