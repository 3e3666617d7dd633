//! Foreign text in error messages.

/// The start of an untrusted text, escaped for an error message.
pub(crate) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 120;
    let mut excerpt: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        excerpt.push('…');
    }
    excerpt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_short_and_has_no_control_characters() {
        assert_eq!(excerpt("a\u{1b}[2J"), "a\\u{1b}[2J");
        assert_eq!(excerpt(&"x".repeat(121)), format!("{}…", "x".repeat(120)));
    }
}
