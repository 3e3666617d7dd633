//! What a user leaves out of a comparison.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What is left out of results before they are compared.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ignore {
    /// Lines of text in which one of these is found, as they were printed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Pattern>,
    /// Parts of lines, and of values that are text, that one of these matches.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<Pattern>,
    /// Columns, fields and arrays, by name or pattern, as in [`Policy::fields`](super::Policy::fields).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

impl Ignore {
    /// Whether nothing is left out.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.patterns.is_empty() && self.fields.is_empty()
    }
}

/// A regular expression, which is matched in linear time: the syntax of the `regex` crate, without
/// look-around and back-references.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Pattern(regex::Regex);

/// A pattern that needs more memory than this is refused: a configuration may be a stranger's.
const MOST_BYTES: usize = 1 << 20;

impl Pattern {
    pub(crate) fn regex(&self) -> &regex::Regex {
        &self.0
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let built = regex::RegexBuilder::new(text).size_limit(MOST_BYTES).build();
        built.map(Self).map_err(|error| PatternError {
            pattern: text.to_owned(),
            // The library draws the pattern over several lines; the last one says what is wrong.
            reason: error.to_string().lines().last().unwrap_or_default().trim().to_owned(),
        })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.as_str())
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.to_string()
    }
}

/// A text that is no regular expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` is not a regular expression: {reason}")]
pub struct PatternError {
    pattern: String,
    reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_checked() {
        let error = |text: &str| text.parse::<Pattern>().unwrap_err().to_string();
        insta::assert_snapshot!(error("a("), @"`a(` is not a regular expression: error: unclosed group");
        insta::assert_snapshot!(error("(?=a)"), @"`(?=a)` is not a regular expression: error: look-around, including look-ahead and look-behind, is not supported");
        insta::assert_snapshot!(error("(a{1000}){1000}"), @"`(a{1000}){1000}` is not a regular expression: Compiled regex exceeds size limit of 1048576 bytes.");
        let ignore = Ignore { lines: vec!["^v".parse().unwrap()], ..Ignore::default() };
        let text = serde_json::to_string(&ignore).unwrap();
        assert_eq!(text, r#"{"lines":["^v"]}"#);
        assert_eq!(serde_json::from_str::<Ignore>(&text).unwrap(), ignore);
    }
}
