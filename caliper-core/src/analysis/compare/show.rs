//! Bytes as text, and text as people see it.

use std::borrow::Cow;

/// What stands for a byte that is not UTF-8, and for half of a surrogate pair: characters for private
/// use at the very end of Unicode. Other than U+FFFD they keep different bytes different.
const BYTES: u32 = 0x10_ff00;
const SURROGATES: u32 = 0x10_f000;

/// Text, of which bytes that are not UTF-8 become characters of their own.
pub(super) fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        let invalid = chunk.invalid().iter();
        text.extend(invalid.filter_map(|byte| char::from_u32(BYTES + u32::from(*byte))));
    }
    Cow::Owned(text)
}

/// What stands for half of a surrogate pair, from U+D800 to U+DFFF.
pub(super) fn surrogate(half: u32) -> Option<char> {
    char::from_u32(SURROGATES + half.checked_sub(0xd800)?)
}

/// A piece of a result for a person: a line of at most 80 characters, none of which does anything.
pub(super) fn excerpt(text: &str) -> String {
    const MOST: usize = 80;
    let mut shown = String::new();
    let mut count = 0;
    for character in text.chars() {
        let escaped = match u32::from(character) {
            code @ BYTES..=0x10_ffff => format!("\\x{:02x}", code - BYTES),
            code @ SURROGATES..=0x10_f7ff => format!("\\u{:04x}", code - SURROGATES + 0xd800),
            _ if matches!(character, '\'' | '"' | '\\') => character.to_string(),
            // Controls, and what is invisible or turns the direction of text.
            _ => character.escape_debug().to_string(),
        };
        let length = escaped.chars().count();
        if count + length > MOST {
            shown.push('…');
            break;
        }
        count += length;
        shown.push_str(&escaped);
    }
    shown
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stay_different() {
        let text = decoded(b"caf\xe9\xff\xe2\x82x");
        assert_ne!(text, decoded(b"caf\xe9\xfe\xe2\x82x"));
        assert_eq!(excerpt(&text), r"caf\xe9\xff\xe2\x82x");
        assert_eq!(excerpt(&surrogate(0xdc00).unwrap().to_string()), r"\udc00");
    }

    #[test]
    fn what_is_shown_does_nothing() {
        assert_eq!(excerpt("a\tb\u{1b}[31m\u{202e}\"'\\é"), "a\\tb\\u{1b}[31m\\u{202e}\"'\\é");
        let long = excerpt(&"x".repeat(1000));
        assert!(long.chars().count() == 81 && long.ends_with('…'));
    }
}
