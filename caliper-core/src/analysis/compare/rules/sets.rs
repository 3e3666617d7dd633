//! The rule for sets, which Python prints in the order of their hashes.

use super::Edit;

/// Sorts the elements of every set of plain values.
pub(super) fn sorted(line: &str) -> Vec<Edit> {
    let bytes = line.as_bytes();
    let mut edits = Vec::new();
    // A failed attempt may have read far beyond its brace, and the next one starts right after that
    // brace: quadratic time in the worst case. Real output does not look like this, so the total number
    // of bytes read is limited to a few times the length of the line.
    let mut budget = line.len().saturating_mul(8);
    let mut at = 0;
    while let Some(brace) = bytes[at..].iter().position(|byte| *byte == b'{').map(|by| at + by) {
        at = brace + 1;
        let mut reader = Reader { bytes, at };
        let elements = reader.elements();
        let Some(rest) = budget.checked_sub(reader.at - brace) else { break };
        budget = rest;
        let Some(elements) = elements else { continue };
        let mut texts: Vec<&str> = elements.iter().map(|(from, to)| &line[*from..*to]).collect();
        let range = brace + 1..reader.at - 1;
        at = reader.at;
        if !texts.is_sorted() {
            texts.sort_unstable();
            edits.push(Edit::new(range, texts.join(", ")));
        }
    }
    edits
}

/// Parses Python's `repr` of values. All delimiters are ASCII, so it works on bytes.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_while(&mut self, is: impl Fn(u8) -> bool) -> usize {
        let from = self.at;
        while self.peek().is_some_and(&is) {
            self.at += 1;
        }
        self.at - from
    }

    /// The ranges of all elements. Consumes the closing brace too.
    fn elements(&mut self) -> Option<Vec<(usize, usize)>> {
        let mut elements = Vec::new();
        loop {
            let from = self.at;
            self.element()?;
            elements.push((from, self.at));
            match self.peek()? {
                b'}' => {
                    self.at += 1;
                    return Some(elements);
                }
                b',' if self.bytes.get(self.at + 1) == Some(&b' ') => self.at += 2,
                _ => return None,
            }
        }
    }

    /// A value, possibly wrapped in a type such as `np.int64(…)`.
    fn element(&mut self) -> Option<()> {
        self.value()?;
        if self.peek() == Some(b'(') {
            self.at += 1;
            self.value()?;
            if self.peek()? != b')' {
                return None;
            }
            self.at += 1;
        }
        Some(())
    }

    /// A string, a number, or a word.
    fn value(&mut self) -> Option<()> {
        let word =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'+' | b'-');
        let length = self.skip_while(word);
        match self.peek() {
            // Perhaps with a prefix: `b'x'`.
            Some(quote @ (b'\'' | b'"')) if length <= 1 => {
                self.at += 1;
                loop {
                    match self.peek()? {
                        b'\\' => self.at += 2,
                        byte => {
                            self.at += 1;
                            if byte == quote {
                                return Some(());
                            }
                        }
                    }
                }
            }
            _ => (length > 0).then_some(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::question::criteria::Rule;

    #[test]
    fn elements_are_sorted() {
        let cases = [
            ("{'b', 'a'}", "{'a', 'b'}"),
            ("x = {2, 10, 1} and {'é', \"it's\"}", "x = {1, 10, 2} and {\"it's\", 'é'}"),
            ("frozenset({'b', 'a'})", "frozenset({'a', 'b'})"),
            ("{None, True, b'x', -1.5e-3}", "{-1.5e-3, None, True, b'x'}"),
            ("{np.int64(2), np.int64(1)}", "{np.int64(1), np.int64(2)}"),
            ("{'}', '\\'{', 'a'}", "{'\\'{', 'a', '}'}"),
            // Not sets, or not plain.
            ("{'b': 1, 'a': 2}", "{'b': 1, 'a': 2}"),
            ("{3,2}", "{3,2}"),
            ("{}", "{}"),
            ("{b, (2, 1)}", "{b, (2, 1)}"),
            ("{'b', 'a'", "{'b', 'a'"),
            ("{{'b', 'a'}}", "{{'a', 'b'}}"),
        ];
        for (text, left) in cases {
            assert_eq!(Rule::Sets.apply(text), left, "{text}");
        }
    }
}
