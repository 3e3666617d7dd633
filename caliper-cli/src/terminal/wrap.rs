//! Breaks long lines between words, so that what belongs to a line stays indented below its beginning.

use caliper_core::report::grid::Span;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// How the commands begin that a person is told to give.
const COMMAND: &str = "caliper ";

/// How much further a continued line is indented than the line that it continues.
const FURTHER: usize = 4;

/// The lines of which a line of spans consists on a terminal of `width` characters. A word that is longer than a line is
/// broken where the line ends.
pub(super) fn wrapped(line: &[Span], width: usize) -> Vec<Vec<Span>> {
    let whole: usize = line.iter().map(|(_, text)| text.width()).sum();
    if whole <= width || width == 0 {
        return vec![line.to_vec()];
    }
    let text: String = line.iter().map(|(_, text)| text.as_str()).collect();
    let indent = text.len() - text.trim_start_matches(' ').len();
    // Else nothing would be left of a narrow line.
    let further = (indent + FURTHER).min(width / 3);
    let mut lines: Vec<Vec<Span>> = vec![Vec::new()];
    let mut used = 0;
    for (tone, text) in line {
        // A command must stay in one piece, to be copied: the terminal itself breaks it.
        let (prose, command) = text.split_at(text.find(COMMAND).unwrap_or(text.len()));
        for word in prose.split_inclusive(' ') {
            let mut rest = word;
            if used > 0 && used + rest.trim_end().width() > width && !is_blank(lines.last()) {
                lines.push(vec![(*tone, " ".repeat(further))]);
                used = further;
            }
            while used + rest.trim_end().width() > width {
                let (fits, left) = rest.split_at(prefix(rest, width.saturating_sub(used)));
                push(&mut lines, *tone, fits);
                lines.push(vec![(*tone, " ".repeat(further))]);
                (used, rest) = (further, left);
            }
            push(&mut lines, *tone, rest);
            used += rest.width();
        }
        if !command.is_empty() {
            if used + command.width() > width && !is_blank(lines.last()) {
                lines.push(vec![(*tone, " ".repeat(further))]);
            }
            push(&mut lines, *tone, command);
            used = width;
        }
    }
    for line in &mut lines {
        if let Some((_, text)) = line.last_mut() {
            text.truncate(text.trim_end().len());
        }
    }
    lines
}

/// Whether a line has nothing but its indentation so far.
fn is_blank(line: Option<&Vec<Span>>) -> bool {
    line.is_none_or(|line| line.iter().all(|(_, text)| text.trim().is_empty()))
}

/// How many bytes of a text fit `width` characters; at least one character.
fn prefix(text: &str, width: usize) -> usize {
    let mut used = 0;
    let too_far = text.char_indices().find(|(index, character)| {
        used += character.width().unwrap_or(0);
        *index > 0 && used > width
    });
    too_far.map_or(text.len(), |(index, _)| index)
}

fn push(lines: &mut [Vec<Span>], tone: caliper_core::report::model::Tone, text: &str) {
    let Some(line) = lines.last_mut() else { return };
    match line.last_mut() {
        Some((same, before)) if *same == tone => before.push_str(text),
        _ => line.push((tone, text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use caliper_core::report::model::Tone;

    use super::*;

    fn text(line: &[Span], width: usize) -> String {
        let lines = wrapped(line, width).into_iter();
        let lines = lines.map(|line| line.into_iter().map(|(_, text)| text).collect());
        let lines: Vec<String> = lines.collect();
        assert!(lines.iter().all(|line| line.width() <= width), "{lines:#?}");
        lines.join("\n")
    }

    #[test]
    fn lines_break_between_words_and_stay_indented() {
        let line = [
            (Tone::Plain, "  ".to_owned()),
            (Tone::Bad, "breaks between 2.11.3 and 3.0.0 (adjacent; 3 runs agree); ".to_owned()),
            (Tone::Dim, "see caliper show 2.11.3/3.9".to_owned()),
        ];
        insta::assert_snapshot!(text(&line, 40), @"
        breaks between 2.11.3 and 3.0.0
            (adjacent; 3 runs agree); see
            caliper show 2.11.3/3.9
        ");
        insta::assert_snapshot!(text(&line, 100), @"  breaks between 2.11.3 and 3.0.0 (adjacent; 3 runs agree); see caliper show 2.11.3/3.9");
        assert_eq!(wrapped(&line, 40)[0][1].0, Tone::Bad);
    }

    #[test]
    fn words_that_are_longer_than_a_line_are_broken_where_it_ends() {
        let word = |text: &str| [(Tone::Plain, text.to_owned())];
        insta::assert_snapshot!(text(&word("a 0123456789abcdefghij 検証検証検証検証 b"), 12), @"
        a
            01234567
            89abcdef
            ghij
            検証検証
            検証検証
            b
        ");
        assert_eq!(text(&word("  "), 1), "");
        assert_eq!(text(&word("ab"), 1), "a\nb");
        assert_eq!(wrapped(&word("ab"), 0).len(), 1);
    }
}
