//! A line of text as numbers and what stands between them.

/// A part of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token<'a> {
    /// A number, as it is written.
    Number(&'a str),
    /// Anything else, without the white space beside numbers: they are padded to the width of others.
    Text(&'a str),
}

/// Goes through the tokens of a line, with the place of each in bytes.
///
/// A number is an integer, a decimal fraction, either with an exponent, or one of `nan`, `inf` and
/// `infinity` in any case; with a sign unless that stands behind something it could be subtracted
/// from. Behind it may stand up to three letters, for a unit or the `j` of a complex number. What is
/// part of a longer word is text: `v2`, `x1`, `0x1f`, `1.2.3`, `12ab34`.
pub(super) struct Tokens<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn of(line: &'a str) -> Self {
        Self { line, at: 0 }
    }

    /// Where the next number at or behind the present place begins and ends.
    fn number(&self) -> Option<(usize, usize)> {
        let (line, mut from) = (self.line, self.at);
        while let Some(first) = line[from..].chars().next() {
            if !(is_word(first) || first == '.') {
                from += first.len_utf8();
                continue;
            }
            // A run of what words and numbers are made of is looked at as a whole, and so only once.
            let end = run(line, from);
            if let Some(length) = number(&line.as_bytes()[from..end]) {
                return Some((signed(line, from, self.at), from + length));
            }
            from = end;
        }
        None
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = (usize, Token<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        // One step for text that is nothing but white space.
        while self.at < self.line.len() {
            let (start, end) = self.number().unwrap_or((self.line.len(), self.line.len()));
            let text = &self.line[self.at..start];
            let text = if start < end { text.trim_end() } else { text };
            let trimmed = if self.at > 0 { text.trim_start() } else { text };
            if !trimmed.is_empty() {
                let at = self.at + (text.len() - trimmed.len());
                self.at = start;
                return Some((at, Token::Text(trimmed)));
            }
            self.at = end;
            if start < end {
                return Some((start, Token::Number(&self.line[start..end])));
            }
        }
        None
    }
}

/// What a word is made of. Signs beyond ASCII, such as `±` and `│`, are not.
fn is_word(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

/// The end of a run of letters, digits, points, and of the signs of exponents.
fn run(line: &str, from: usize) -> usize {
    let bytes = line.as_bytes();
    let exponent = |at: usize| {
        at >= from + 2
            && matches!(bytes[at - 1], b'e' | b'E')
            && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
            && mantissa(&bytes[from..at - 1])
    };
    let mut at = from;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'0'..=b'9' | b'.' | b'_' | b'a'..=b'z' | b'A'..=b'Z' => at += 1,
            b'+' | b'-' if exponent(at) => at += 1,
            0..=127 => break,
            // The first byte of a longer character.
            _ => match line[at..].chars().next().filter(|character| is_word(*character)) {
                Some(character) => at += character.len_utf8(),
                None => break,
            },
        }
    }
    at
}

/// Whether these are digits with one point among them at most. A run has one exponent at most that
/// this lets pass, so that it is asked seldom; what fails is not asked again from its start.
fn mantissa(bytes: &[u8]) -> bool {
    bytes.len() <= 400
        && bytes.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
        && bytes.split(|byte| *byte == b'.').count() <= 2
}

/// Where a number begins that may have a sign before it.
fn signed(line: &str, start: usize, earliest: usize) -> usize {
    if start == earliest || !line[..start].ends_with(['+', '-']) {
        return start;
    }
    let Some(before) = line[..start - 1].chars().next_back() else { return start - 1 };
    // Right behind another number a sign is one, as between the parts of a complex number.
    let joined = start - 1 == earliest && (before.is_ascii_digit() || before == '.');
    let subtracted = is_word(before) || matches!(before, '.' | ')' | ']' | '+' | '-');
    if subtracted && !joined { start } else { start - 1 }
}

/// How long the number is that a run begins with, if the run is one.
fn number(run: &[u8]) -> Option<usize> {
    let digits = |from: usize| run[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(0);
    let mut at = whole;
    if run.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if whole == 0 && fraction == 0 {
            return word(run);
        }
        at += 1 + fraction;
    } else if whole == 0 {
        return word(run);
    }
    if matches!(run.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(run.get(at + 1), Some(b'+' | b'-')));
        let exponent = if at + 1 + sign <= run.len() { digits(at + 1 + sign) } else { 0 };
        // No number has an exponent of more than three digits; a digest in hexadecimal digits may.
        if (1..=3).contains(&exponent) {
            at += 1 + sign + exponent;
        }
    }
    let rest = &run[at..];
    // A point at the end of a sentence belongs to the text, as do dots: `3...`
    let letters = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let unit = letters <= 3 && rest[letters..].iter().all(|byte| *byte == b'.');
    unit.then_some(at)
}

/// `nan` and `inf` as words of their own.
fn word(run: &[u8]) -> Option<usize> {
    let length = run.iter().rposition(|byte| *byte != b'.').map_or(0, |last| last + 1);
    let word = &run[..length];
    let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    (is("nan") || is("inf") || is("infinity")).then_some(length)
}

/// What stands in the same place of two lines, with where it begins in the first of them.
pub(super) enum Found<'a> {
    /// Two numbers.
    Numbers(usize, &'a str, &'a str),
    /// Texts that differ, or what follows where one is a number and the other is not.
    Text(usize, &'a str, &'a str),
}

/// Whether a number looks like an identifier, of which every character counts: digits behind a leading
/// zero, as postal codes have, and zeros with an exponent, as digests may be written.
pub(super) fn is_identifier(number: &str) -> bool {
    let digits = number.trim_start_matches(['+', '-']).as_bytes();
    match digits {
        [b'0', b'0'..=b'9', ..] => !digits.contains(&b'.'),
        [b'0', b'e' | b'E', b'0'..=b'9', ..] => true,
        _ => false,
    }
}

/// How many numbers a line has.
pub(super) fn count(line: &str) -> u64 {
    let mut count = 0;
    if line.bytes().any(|byte| byte.is_ascii_digit() || matches!(byte, b'n' | b'N')) {
        for (_, token) in Tokens::of(line) {
            count += u64::from(matches!(token, Token::Number(_)));
        }
    }
    count
}

/// Goes through two lines side by side, until `each` has seen enough.
pub(super) fn tokens(expected: &str, actual: &str, each: &mut dyn FnMut(Found<'_>) -> bool) {
    let (mut left, mut right) = (Tokens::of(expected), Tokens::of(actual));
    loop {
        let (one, other) = (left.next(), right.next());
        match (one, other) {
            (None, None) => return,
            (Some((start, Token::Number(one))), Some((_, Token::Number(other)))) => {
                if !each(Found::Numbers(start, one, other)) {
                    return;
                }
            }
            (Some((_, Token::Text(one))), Some((_, Token::Text(other)))) if one == other => {}
            (one, other) => {
                let place = |line: &str, token: Option<(usize, Token<'_>)>| {
                    token.map_or(line.len(), |(start, _)| start)
                };
                let (mut start, mut other_start) = (place(expected, one), place(actual, other));
                // Within text, what both have in common says nothing.
                if let (Some((_, Token::Text(one))), Some((_, Token::Text(other)))) = (one, other) {
                    let same: usize = one
                        .chars()
                        .zip(other.chars())
                        .take_while(|(one, other)| one == other)
                        .map(|(character, _)| character.len_utf8())
                        .sum();
                    start += same;
                    other_start += same;
                }
                each(Found::Text(start, &expected[start..], &actual[other_start..]));
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> String {
        let show = |(at, token)| match token {
            Token::Number(text) => format!("{at}<{text}>"),
            Token::Text(text) => format!("{at}'{text}'"),
        };
        Tokens::of(line).map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn lines_fall_into_numbers_and_text() {
        let cases = [
            ("", ""),
            ("   ", "0'   '"),
            ("  a  1  b  ", "0'  a' 5<1> 8'b  '"),
            ("loss: 0.125", "0'loss:' 6<0.125>"),
            ("[ 9.5 10. ]", "0'[' 2<9.5> 6<10.> 10']'"),
            ("[-1,+2]", "0'[' 1<-1> 3',' 4<+2> 6']'"),
            ("1e5 1E-05 .5 -.5e+3", "0<1e5> 4<1E-05> 10<.5> 13<-.5e+3>"),
            ("nan -inf Infinity NaN.", "0<nan> 4<-inf> 9<Infinity> 18<NaN> 21'.'"),
            ("nano info infinite", "0'nano info infinite'"),
            ("v2 x1 model3b", "0'v2 x1 model3b'"), // names
            ("1.2.3", "0'1.2.3'"),                 // a release
            ("0x1f 12ab34 2x3", "0'0x1f 12ab34 2x3'"),
            ("12.5ms 3GB 50%", "0<12.5> 4'ms' 7<3> 8'GB' 11<50> 13'%'"),
            ("(1+2j)", "0'(' 1<1> 2<+2> 4'j)'"),
            ("1e-05-2e-06j", "0<1e-05> 5<-2e-06> 11'j'"),
            ("2024-01-31", "0<2024> 4<-01> 7<-31>"),
            ("x-1 a_1", "0'x-' 2<1> 4'a_1'"),
            ("done in 5.", "0'done in' 8<5.>"),
            ("1... 2", "0<1.> 2'..' 5<2>"),
            ("µ5 5é", "0'µ5 5é'"),
            ("1.5±0.1│2", "0<1.5> 3'±' 5<0.1> 8'│' 11<2>"), // signs that are no letters
            ("e-5 1e- 1e", "0'e-' 2<5> 4<1> 5'e-' 8<1> 9'e'"),
            ("12e4567 1e0042 0e123", "0'12e4567 1e0042' 15<0e123>"), // two digests, and what may be one
            ("a=1;b=-2", "0'a=' 2<1> 3';b=' 6<-2>"),
        ];
        for (line, tokens) in cases {
            assert_eq!(shown(line), tokens, "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_but_white_space_is_lost(line in r"[-+.0-9eEnaif xj_\u{e9}]{0,40}") {
            let mut rest = 0;
            for (at, token) in Tokens::of(&line) {
                let (Token::Number(text) | Token::Text(text)) = token;
                proptest::prop_assert!(line[rest..at].trim().is_empty());
                proptest::prop_assert!(line[at..].starts_with(text));
                rest = at + text.len();
            }
            proptest::prop_assert!(line[rest..].trim().is_empty());
        }
    }
}
