//! Patterns that choose cells by their names.

use std::str::FromStr;

use globset::{GlobBuilder, GlobMatcher};

use super::CellId;

/// Chooses cells by their names: `2.10.*/3.11`, `*/*[seed=3]`.
///
/// `*` stops at the `/`. A pattern without brackets matches every variant; in brackets, the axes that
/// are named must have such labels, and the others may have any.
#[derive(Debug, Clone)]
pub struct CellPattern {
    /// Of release and Python.
    name: GlobMatcher,
    /// Of labels, by the names of their axes.
    labels: Vec<(String, GlobMatcher)>,
}

impl CellPattern {
    /// Whether it matches the name of this cell.
    pub fn matches(&self, cell: &CellId) -> bool {
        self.name.is_match(format!("{}/{}", cell.version, cell.python))
            && self.labels.iter().all(|(axis, pattern)| {
                cell.variant.get(axis).is_some_and(|label| pattern.is_match(label))
            })
    }
}

/// Why a text is not a pattern of cells.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a pattern of cells ({problem}); write one such as `2.10.*/3.11` or `*/*[seed=3]`"
)]
pub struct ParsePatternError {
    text: String,
    problem: String,
}

impl FromStr for CellPattern {
    type Err = ParsePatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |problem: String| ParsePatternError { text: text.to_owned(), problem };
        let glob = |pattern: &str, separator: bool| {
            let built = GlobBuilder::new(pattern).literal_separator(separator).build();
            built
                .map(|glob| glob.compile_matcher())
                .map_err(|found| error(found.kind().to_string()))
        };
        let (name, variant) = match text.split_once('[') {
            None => (text, None),
            Some((name, inside)) => {
                let inside = inside
                    .strip_suffix(']')
                    .ok_or_else(|| error("its `[` is not closed".to_owned()))?;
                (name, Some(inside.parse::<super::Variant>().map_err(error)?))
            }
        };
        let labels = variant.iter().flat_map(super::Variant::iter);
        let labels: Result<_, _> =
            labels.map(|(axis, label)| Ok((axis.to_owned(), glob(label, false)?))).collect();
        Ok(Self { name: glob(name, true)?, labels: labels? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_without_brackets_matches_every_variant() {
        let cells =
            ["1.0/3.9", "1.0/3.9[seed=3]", "1.0/3.11[cpus=1,seed=3]", "1.1/3.11[cpus=1,seed=30]"];
        let chosen = |pattern: &str| -> Vec<&str> {
            let pattern: CellPattern = pattern.parse().unwrap();
            cells.into_iter().filter(|cell| pattern.matches(&cell.parse().unwrap())).collect()
        };
        assert_eq!(chosen("1.0/*"), cells[..3]);
        assert_eq!(chosen("*/3.11[seed=3]"), cells[2..3]);
        assert_eq!(chosen("*/*[seed=3*,cpus=1]"), cells[2..]);
        assert!(chosen("1.0").is_empty());
        let error = "1.0/3.9[seed".parse::<CellPattern>().unwrap_err();
        insta::assert_snapshot!(error, @"`1.0/3.9[seed` is not a pattern of cells (its `[` is not closed); write one such as `2.10.*/3.11` or `*/*[seed=3]`");
    }
}
