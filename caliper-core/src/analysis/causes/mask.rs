//! What differs from run to run, taken out of a line; and the line made fit for a terminal.

use std::borrow::Cow;

use crate::names;

/// The longest text that is looked at, and the longest that remains, in characters.
const LONGEST_READ: usize = 2_000;
const LONGEST: usize = 200;

/// Longer numbers are of a process, a time or a digest.
const LONGEST_KEPT: usize = 16;

/// A line as a person would have seen it: without colours, and without what a carriage return has
/// overwritten.
pub(super) fn plain(line: &str) -> Cow<'_, str> {
    let line = line.trim_end();
    let line = line.rsplit('\r').next().unwrap_or(line);
    if !line.contains('\x1b') {
        return Cow::Borrowed(line);
    }
    let mut rest = line;
    let mut text = String::with_capacity(line.len());
    // Control sequences: ECMA-48, 5.4. `ESC [`, parameters, and a last byte from `@` to `~`.
    while let Some((before, after)) = rest.split_once("\x1b[") {
        text += before;
        let end = after.find(|byte: char| !(' '..='?').contains(&byte));
        rest = match end {
            Some(end) if after[end..].starts_with(|last| ('@'..='~').contains(&last)) => {
                &after[end + 1..]
            }
            Some(end) => &after[end..],
            None => "",
        };
    }
    text += rest;
    Cow::Owned(text)
}

/// Which numbers differ from run to run.
#[derive(Clone, Copy)]
enum Numbers<'a> {
    All,
    /// This version, and what is too long for one that people write.
    Only(&'a str),
}

/// The text in one line, with `N` for numbers, versions and digests, files by their last name, and
/// nothing in it that could redraw a terminal.
///
/// A digit within a word stays: `float64` and `jinja2` are names.
pub(super) fn masked(text: &str) -> String {
    masked_by(text, Numbers::All)
}

/// As [`masked`], but of the numbers only `version`. In what an installer explains the other numbers
/// are the explanation: `numpy<2`.
pub(super) fn without_version(text: &str, version: &str) -> String {
    masked_by(text, Numbers::Only(version))
}

fn masked_by(text: &str, numbers: Numbers<'_>) -> String {
    let text: Vec<char> = text.trim().chars().take(LONGEST_READ).collect();
    let mut masked = String::new();
    let mut at = 0;
    while at < text.len() {
        let before = at.checked_sub(1).map(|before| text[before]);
        let starts_word = before.is_none_or(|before| !is_word(before));
        at = match text[at] {
            '/' if before.is_none_or(|before| !is_word(before) && !"/.:~".contains(before)) => {
                path(&text, at, before, numbers, &mut masked)
            }
            digit if starts_word && digit.is_ascii_digit() => {
                number(&text, at, numbers, &mut masked)
            }
            first if starts_word && is_word(first) => word(&text, at, numbers, &mut masked),
            other => {
                masked.push(other);
                at + 1
            }
        };
    }
    printable(&masked)
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Where a run of characters ends that satisfy `part`.
fn end_of(text: &[char], from: usize, part: impl Fn(char) -> bool) -> usize {
    text[from..].iter().position(|character| !part(*character)).map_or(text.len(), |end| from + end)
}

fn word(text: &[char], from: usize, numbers: Numbers<'_>, masked: &mut String) -> usize {
    let mut to = end_of(text, from, is_word);
    let word = &text[from..to];
    if matches!(word, ['v' | 'V', digits @ ..] if digits.iter().all(char::is_ascii_digit))
        && to > from + 1
    {
        masked.push('v');
        return number(text, from + 1, numbers, masked);
    }
    // A digest, or a part of one. No English word has eight of these letters and a digit.
    let digest = word.len() >= 8
        && word.iter().all(char::is_ascii_hexdigit)
        && word.iter().any(char::is_ascii_digit);
    if digest {
        push_number(masked);
        return to;
    }
    // A number that goes on belongs to the name: `GLIBC_2.28`, `python3.11`.
    while text[to - 1].is_ascii_digit()
        && let ['.', digit, ..] = &text[to..]
        && digit.is_ascii_digit()
    {
        to = end_of(text, to + 1, is_word);
    }
    masked.extend(&text[from..to]);
    to
}

fn number(text: &[char], from: usize, numbers: Numbers<'_>, masked: &mut String) -> usize {
    let at = |index: usize| text.get(index).copied().unwrap_or(' ');
    if at(from) == '0' && matches!(at(from + 1), 'x' | 'X') && at(from + 2).is_ascii_hexdigit() {
        masked.push_str("0xN");
        return end_of(text, from + 2, |digit| digit.is_ascii_hexdigit());
    }
    let mut to = from;
    let mut dotted = false;
    loop {
        let next = at(to + 1);
        match at(to) {
            character if character.is_alphanumeric() => {}
            '.' if next.is_ascii_digit() || goes_on(&text[to + 1..]) => dotted = true,
            '_' if next.is_ascii_digit() => {}
            // The local part of a version.
            '+' if dotted && next.is_alphanumeric() => {}
            '-' | '+' if matches!(at(to - 1), 'e' | 'E') && next.is_ascii_digit() => {}
            _ => break,
        }
        to += 1;
    }
    let keeps = |version: &str| {
        let version: Vec<char> = version.chars().collect();
        text[from..to] != version && to - from < LONGEST_KEPT
    };
    match numbers {
        Numbers::Only(version) if keeps(version) => masked.extend(&text[from..to]),
        Numbers::Only(_) | Numbers::All => push_number(masked),
    }
    to
}

/// Whether a version goes on with a word behind a dot: `2.0.post1`, and not `2.csv`.
fn goes_on(text: &[char]) -> bool {
    ["post", "dev", "rc"].iter().any(|word| {
        text.len() > word.len()
            && word.chars().zip(text).all(|(part, character)| part == *character)
    })
}

/// Writes a number. Of a list of them one is enough, because its length differs too.
fn push_number(masked: &mut String) {
    // A sign belongs to the number; a dash between words does not.
    if let Some(before) = masked.strip_suffix('-')
        && before.chars().next_back().is_none_or(|before| " ([{=,:".contains(before))
    {
        masked.truncate(before.len());
    }
    let before = masked.trim_end_matches([' ', ',']);
    let separated = before.len() < masked.len();
    let number = before.strip_suffix('…').unwrap_or(before);
    let is_number = number
        .strip_suffix('N')
        .is_some_and(|before| !before.chars().next_back().is_some_and(is_word));
    if separated && is_number {
        let length = number.len();
        masked.truncate(length);
        masked.push('…');
    } else {
        masked.push('N');
    }
}

fn path(
    text: &[char],
    from: usize,
    before: Option<char>,
    numbers: Numbers<'_>,
    masked: &mut String,
) -> usize {
    let quote = before.filter(|before| "'\"`".contains(*before));
    let unquoted =
        || end_of(text, from, |part| !part.is_whitespace() && !"'\"`),;:]>".contains(part));
    let quoted =
        |quote| Some(end_of(text, from, |part| part != quote)).filter(|end| *end < text.len());
    let to = quote.and_then(quoted).unwrap_or_else(unquoted);
    let path: String = text[from..to].iter().collect();
    let mut names = path.split('/').filter(|name| !name.is_empty());
    let (Some(last), more) = (names.next_back(), names.next_back().is_some()) else {
        masked.push('/');
        return from + 1;
    };
    if !more && quote.is_none() {
        masked.push('/'); // `and/or`, `N/s`
        return from + 1;
    }
    masked.push('…');
    // Names of temporary files are made up.
    let temporary = last.starts_with("tmp") && path.starts_with("/tmp/");
    if !temporary {
        masked.push('/');
        let last: Vec<char> = last.chars().collect();
        let mut at = 0;
        while at < last.len() {
            let starts = at == 0 || !is_word(last[at - 1]);
            at = match last[at] {
                digit if starts && digit.is_ascii_digit() => number(&last, at, numbers, masked),
                first if starts && is_word(first) => word(&last, at, numbers, masked),
                other => {
                    masked.push(other);
                    at + 1
                }
            };
        }
    }
    to
}

/// The text with all escaped that is not simply read, and cut where it gets long.
pub(super) fn printable(text: &str) -> String {
    names::printable(text, LONGEST)
}
