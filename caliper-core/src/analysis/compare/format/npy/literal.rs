//! The part of Python's literals that headers are made of.

/// How deep they may lie in each other.
const DEEPEST: usize = 32;

/// A literal of Python.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Text(String),
    Number(usize),
    Word(String),
    /// A tuple or a list.
    Sequence(Vec<Literal>),
    Dictionary(Vec<(Literal, Literal)>),
}

/// Reads a literal with nothing but white space around it.
pub(super) fn read(text: &str) -> Option<Literal> {
    let mut reader = Reader { text, at: 0 };
    let literal = reader.literal(DEEPEST)?;
    reader.peek().is_none().then_some(literal)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        self.text[self.at..].chars().next()
    }

    fn take(&mut self, character: char) -> bool {
        let is = self.peek() == Some(character);
        self.at += if is { character.len_utf8() } else { 0 };
        is
    }

    fn literal(&mut self, depth: usize) -> Option<Literal> {
        let depth = depth.checked_sub(1)?;
        match self.peek()? {
            quote @ ('\'' | '"') => self.string(quote),
            '(' => self.sequence(')', depth),
            '[' => self.sequence(']', depth),
            '{' => self.dictionary(depth),
            _ => {
                let rest = &self.text[self.at..];
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
                let word = &rest[..end];
                self.at += end;
                if !word.starts_with(|c: char| c.is_ascii_digit()) {
                    return (!word.is_empty()).then(|| Literal::Word(word.to_owned()));
                }
                // Python 2 wrote `3L`.
                word.trim_end_matches('L').parse().ok().map(Literal::Number)
            }
        }
    }

    fn sequence(&mut self, close: char, depth: usize) -> Option<Literal> {
        self.at += 1;
        let mut parts = Vec::new();
        while !self.take(close) {
            parts.push(self.literal(depth)?);
            if !self.take(',') {
                return self.take(close).then(|| match (close, parts.len()) {
                    // Parentheses alone make no tuple.
                    (')', 1) => parts.remove(0),
                    _ => Literal::Sequence(parts),
                });
            }
        }
        Some(Literal::Sequence(parts))
    }

    fn dictionary(&mut self, depth: usize) -> Option<Literal> {
        self.at += 1;
        let mut parts = Vec::new();
        while !self.take('}') {
            let key = self.literal(depth)?;
            if !self.take(':') {
                return None;
            }
            parts.push((key, self.literal(depth)?));
            if !self.take(',') {
                return self.take('}').then_some(Literal::Dictionary(parts));
            }
        }
        Some(Literal::Dictionary(parts))
    }

    fn string(&mut self, quote: char) -> Option<Literal> {
        self.at += 1;
        let mut text = String::new();
        let mut characters = self.text[self.at..].char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                _ if character == quote => {
                    self.at += at + 1;
                    return Some(Literal::Text(text));
                }
                // Names of fields keep the escapes that they are written with, which is as good for
                // telling them apart.
                '\\' => {
                    text.push('\\');
                    text.push(characters.next()?.1);
                }
                _ => text.push(character),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read() {
        let text = " {'descr': [('a', '<f8', (2,)), ((\"t\", 'b\\''), '|O')], 'f': False, 'shape': (3L, 4), } ";
        insta::assert_compact_debug_snapshot!(read(text).unwrap(), @r#"Dictionary([(Text("descr"), Sequence([Sequence([Text("a"), Text("<f8"), Sequence([Number(2)])]), Sequence([Sequence([Text("t"), Text("b\\'")]), Text("|O")])])), (Text("f"), Word("False")), (Text("shape"), Sequence([Number(3), Number(4)]))])"#);
        for wrong in
            ["", "{", "(1", "[1 2]", "{1}", "-1", "1.5", "'a", "1 2", "99999999999999999999"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(read(&"(".repeat(1 << 20)), None);
    }
}
