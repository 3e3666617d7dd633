//! Reads JSON as Python writes it.
//!
//! `serde_json` refuses `NaN` and `Infinity`, and makes floats of long integers unless a feature is
//! on, which would then be on for everybody in the workspace.

use std::borrow::Cow;

use crate::analysis::compare::show;

/// How deep arrays and objects may lie in each other; `serde_json` has the same limit.
const DEEPEST: usize = 128;

/// A value of JSON. Numbers and words stay as they are written.
#[derive(Debug, PartialEq)]
pub(crate) enum Value<'a> {
    /// `true`, `false` or `null`.
    Word(&'a str),
    /// A number, or one of `NaN`, `Infinity` and `-Infinity`.
    Number(&'a str),
    /// A string.
    Text(Cow<'a, str>),
    /// An array.
    Array(Vec<Value<'a>>),
    /// An object, in its own order.
    Object(Vec<(Cow<'a, str>, Value<'a>)>),
}

/// Reads a text that is one value of JSON, or says why it is not.
pub(crate) fn read(bytes: &[u8]) -> Result<Value<'_>, String> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| format!("byte {} is not UTF-8", error.valid_up_to()))?;
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(DEEPEST);
    let value = value.and_then(|value| match reader.peek() {
        None => Ok(value),
        Some(_) => Err("the end"),
    });
    value.map_err(|wanted| {
        let line = text.get(..reader.at).unwrap_or(text).split('\n').count();
        format!("line {line} has no {wanted} where one should be")
    })
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

/// What was wanted where it is not.
type Read<T> = Result<T, &'static str>;

impl<'a> Reader<'a> {
    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    fn value(&mut self, depth: usize) -> Read<Value<'a>> {
        match self.peek().ok_or("value")? {
            b'"' => self.string().map(Value::Text),
            open @ (b'[' | b'{') => {
                self.at += 1;
                let depth = depth.checked_sub(1).ok_or("value that is not nested too deeply")?;
                if open == b'[' { self.array(depth) } else { self.object(depth) }
            }
            _ => self.word(),
        }
    }

    fn array(&mut self, depth: usize) -> Read<Value<'a>> {
        let mut values = Vec::new();
        if self.take(b']') {
            return Ok(Value::Array(values));
        }
        loop {
            values.push(self.value(depth)?);
            if self.take(b']') {
                return Ok(Value::Array(values));
            }
            if !self.take(b',') {
                return Err("`,` or `]`");
            }
        }
    }

    fn object(&mut self, depth: usize) -> Read<Value<'a>> {
        let mut values = Vec::new();
        if self.take(b'}') {
            return Ok(Value::Object(values));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err("key");
            }
            let key = self.string()?;
            if !self.take(b':') {
                return Err("`:`");
            }
            values.push((key, self.value(depth)?));
            if self.take(b'}') {
                return Ok(Value::Object(values));
            }
            if !self.take(b',') {
                return Err("`,` or `}`");
            }
        }
    }

    fn word(&mut self) -> Read<Value<'a>> {
        let rest = &self.text[self.at..];
        let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        let word = &rest[..rest.find(ends).unwrap_or(rest.len())];
        let value = match word {
            "true" | "false" | "null" => Value::Word(word),
            "NaN" | "Infinity" | "-Infinity" => Value::Number(word),
            _ if is_number(word.as_bytes()) => Value::Number(word),
            _ => return Err("value"),
        };
        self.at += word.len();
        Ok(value)
    }

    /// A string, from its opening quote.
    fn string(&mut self) -> Read<Cow<'a, str>> {
        self.at += 1;
        let start = self.at;
        let mut owned: Option<String> = None;
        loop {
            let rest = &self.text[self.at..];
            let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
            let plain = rest.bytes().position(|byte| special(&byte)).ok_or("`\"`")?;
            if let Some(owned) = &mut owned {
                owned.push_str(&rest[..plain]);
            }
            self.at += plain + 1;
            match rest.as_bytes()[plain] {
                b'"' => {
                    let borrowed = || Cow::Borrowed(&self.text[start..self.at - 1]);
                    return Ok(owned.map_or_else(borrowed, Cow::Owned));
                }
                b'\\' => {
                    let before = &self.text[start..self.at - 1];
                    let owned = owned.get_or_insert_with(|| before.to_owned());
                    owned.push(self.escape()?);
                }
                _ => return Err("printable character"),
            }
        }
    }

    /// What an escape stands for, from behind its backslash.
    fn escape(&mut self) -> Read<char> {
        let letter = self.text.as_bytes().get(self.at).ok_or("escape")?;
        self.at += 1;
        Ok(match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex().ok_or("escape")?;
                if let Some(character) = char::from_u32(first) {
                    return Ok(character);
                }
                // The second half of a pair. Python writes one half alone where a string has it.
                let back = self.at;
                if first < 0xdc00 && self.text[self.at..].starts_with("\\u") {
                    self.at += 2;
                    if let Some(second @ 0xdc00..=0xdfff) = self.hex() {
                        let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                        return char::from_u32(code).ok_or("escape");
                    }
                    self.at = back;
                }
                show::surrogate(first).ok_or("escape")?
            }
            _ => {
                // So that no place lies within a character.
                self.at -= 1;
                return Err("escape");
            }
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        let all = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u32::from_str_radix(digits, 16).ok().filter(|_| all)?;
        self.at += 4;
        Some(number)
    }
}

/// RFC 8259, 6.
fn is_number(word: &[u8]) -> bool {
    let digits = |rest: &[u8]| rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut rest = word.strip_prefix(b"-").unwrap_or(word);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let length = digits(fraction);
        if length == 0 {
            return false;
        }
        rest = &fraction[length..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let signed = matches!(exponent, [b'+' | b'-', ..]);
        let exponent = &exponent[usize::from(signed)..];
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_python_writes_is_read() {
        let text = br#" {"a": [1, -2.5e-3, NaN, -Infinity, Infinity], "a": "\u00e9\ud83d\ude00\n", "": {}, "l": "\ud800" } "#;
        let Ok(Value::Object(fields)) = read(text) else { panic!() };
        assert_eq!(fields.len(), 4);
        assert_eq!(fields[1].1, Value::Text("é😀\n".into()));
        let Value::Array(numbers) = &fields[0].1 else { panic!() };
        assert_eq!(numbers[3], Value::Number("-Infinity"));
    }

    #[test]
    fn what_is_not_json_is_told() {
        let deep = "[".repeat(129);
        let cases: &[&[u8]] = &[
            b"",
            b"{",
            b"[1,]",
            b"[1 2]",
            b"{\"a\" 1}",
            b"{a: 1}",
            b"01",
            b"1.",
            b"1e",
            b"+1",
            b"nan",
            b"'a'",
            b"\"a",
            b"\"\x01\"",
            b"\"\\x\"",
            b"\"\\u12\"",
            b"\"\\\xc3\xa9\"",
            b"{} {}",
            b"\xff",
            deep.as_bytes(),
        ];
        let reasons = cases.iter().map(|text| read(text).unwrap_err());
        insta::assert_snapshot!(reasons.collect::<Vec<_>>().join("\n"), @r#"
        line 1 has no value where one should be
        line 1 has no key where one should be
        line 1 has no value where one should be
        line 1 has no `,` or `]` where one should be
        line 1 has no `:` where one should be
        line 1 has no key where one should be
        line 1 has no value where one should be
        line 1 has no value where one should be
        line 1 has no value where one should be
        line 1 has no value where one should be
        line 1 has no value where one should be
        line 1 has no value where one should be
        line 1 has no `"` where one should be
        line 1 has no printable character where one should be
        line 1 has no escape where one should be
        line 1 has no escape where one should be
        line 1 has no escape where one should be
        line 1 has no the end where one should be
        byte 0 is not UTF-8
        line 1 has no value that is not nested too deeply where one should be
        "#);
        assert!(read(format!("{}{}", "[".repeat(128), "]".repeat(128)).as_bytes()).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn whatever_serde_reads_is_read(text in r#"[\[\]{}":,0-9eE+.\-a-c\\nu ]{0,20}"#) {
            let ours = read(text.as_bytes()).is_ok();
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            match theirs {
                Ok(_) => assert!(ours, "{text}"),
                // It refuses half a pair of surrogates, and numbers beyond doubles.
                Err(error) => assert!(!ours || text.contains("\\u") || error.to_string().contains("range"), "{text}"),
            }
        }
    }
}
