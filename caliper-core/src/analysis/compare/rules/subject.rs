//! The rule for the version of the release under test.

use pep440_rs::Version;

use super::Edit;
use crate::names::Timestamp;

/// The release that a result is of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::analysis::compare) struct Subject {
    /// The name of the project, in lower case, with `-` between its words.
    name: String,
    /// The ways to write its version, the longest first.
    spellings: Vec<Spelling>,
    /// When the result came to be: not before the first and not after the second. `None` if that is not known.
    measured: Option<[Timestamp; 2]>,
}

/// A way to write a version.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Spelling {
    text: String,
    /// How many points it has.
    points: usize,
    /// Whether it has more parts than a number has.
    is_no_number: bool,
}

impl From<String> for Spelling {
    fn from(text: String) -> Self {
        let points = points(&text);
        let is_no_number = points > 1 || text.contains(|c: char| c.is_ascii_lowercase());
        Self { text, points, is_no_number }
    }
}

/// How many points a text has.
fn points(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'.').count()
}

impl Subject {
    /// A release of the project `name`.
    pub(in crate::analysis::compare) fn new(name: &str, version: &Version) -> Self {
        let canonical = version.to_string();
        // `2.0.0rc1` is also `2.0.0-rc1`, and 1.10 may call itself 1.10.0.
        let mut spellings = vec![canonical.clone()];
        if let Some(at) = canonical.find(|c: char| c.is_ascii_lowercase()) {
            let (release, rest) = canonical.split_at(at);
            let release = release.trim_end_matches('.');
            let rest = rest.trim_start_matches('.');
            spellings.extend(["-", ".", "_", ""].map(|sign| format!("{release}{sign}{rest}")));
        } else if !canonical.contains(['+', '!']) {
            spellings.push(format!("{canonical}.0"));
        }
        spellings.sort_by_key(|spelling| std::cmp::Reverse(spelling.len()));
        spellings.dedup();
        let spellings = spellings.into_iter().map(Spelling::from).collect();
        Self { name: normal(name), spellings, measured: None }
    }

    /// The same, where the result came to be between these moments.
    pub(in crate::analysis::compare) fn measured_between(
        self,
        started: Timestamp,
        finished: Timestamp,
    ) -> Self {
        Self { measured: Some([started, finished]), ..self }
    }

    /// When the result came to be.
    pub(super) fn measured(&self) -> Option<[Timestamp; 2]> {
        self.measured
    }

    /// Replaces the version where it stands by itself.
    pub(super) fn versions(&self, line: &str) -> Vec<Edit> {
        let mut edits: Vec<Edit> = Vec::new();
        // A line with fewer points is not searched: most numbers have one.
        let points = points(line);
        for Spelling { text, is_no_number, .. } in
            self.spellings.iter().filter(|spelling| spelling.points <= points)
        {
            for (at, _) in line.match_indices(text.as_str()) {
                let range = at..at + text.len();
                let free = edits
                    .iter()
                    .all(|edit| edit.range.end <= range.start || range.end <= edit.range.start);
                if free
                    && stands_alone(line, &range)
                    && (*is_no_number || self.is_named(&line[..at]))
                {
                    edits.push(Edit::new(range, "<version>"));
                }
            }
        }
        edits.sort_by_key(|edit| edit.range.start);
        edits
    }

    /// Whether what stands before a version says that it is one.
    fn is_named(&self, before: &str) -> bool {
        let signs = |c: char| c.is_whitespace() || "=:_-/@([{'\"`,".contains(c);
        let before = before.strip_suffix(['v', 'V']).unwrap_or(before).trim_end_matches(signs);
        let from = before.rfind(|c: char| !(c.is_alphanumeric() || "-_.".contains(c)));
        let word = from.map_or(before, |at| &before[at..]).trim_start_matches(signs);
        let word = normal(word);
        ["version", "release"].iter().any(|known| word.ends_with(known))
            || (!self.name.is_empty() && word == self.name)
    }
}

/// The name of a project in the form that all of its spellings share.
fn normal(name: &str) -> String {
    let words = name.split(['-', '_', '.']).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("-")
}

/// Whether a version is no part of a longer version, number or word.
fn stands_alone(line: &str, range: &std::ops::Range<usize>) -> bool {
    let (before, after) = (&line[..range.start], &line[range.end..]);
    let apart = |c: char| !(c.is_alphanumeric() || c == '.');
    let before = before.strip_suffix(['v', 'V']).unwrap_or(before);
    // A point that ends a sentence, or stands before the ending of a file's name.
    let point = || {
        let rest = after.strip_prefix('.')?;
        Some(!rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    before.chars().next_back().is_none_or(apart)
        && (after.chars().next().is_none_or(apart) || point().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_the_release_goes() {
        let cases = [
            (
                "matplotlib",
                "3.8.2",
                "Matplotlib v3.8.2, https://matplotlib.org/",
                "Matplotlib v<version>, https://matplotlib.org/",
            ),
            ("scipy", "1.10.1", "numpy 1.26.4 scipy 1.10.1", "numpy 1.26.4 scipy <version>"),
            (
                "scipy",
                "1.10.1",
                "scipy-1.10.1-cp311.whl scipy-1.10.1.dist-info",
                "scipy-<version>-cp311.whl scipy-<version>.dist-info",
            ),
            ("scipy", "1.10.1", "It is 1.10.1.", "It is <version>."),
            ("numpy", "2.0.0rc1", "numpy 2.0.0-rc1 and 2.0.0rc1", "numpy <version> and <version>"),
            ("demo", "1.10", "demo 1.10.0", "demo <version>"),
            // Two numbers may be a result.
            (
                "packaging",
                "24.1",
                "packaging 24.1, packaging==24.1",
                "packaging <version>, packaging==<version>",
            ),
            (
                "scikit-learn",
                "1.0",
                "scikit_learn-1.0 Version: 1.0",
                "scikit_learn-<version> Version: <version>",
            ),
            ("demo", "24.1", "__version__ = '24.1'", "__version__ = '<version>'"),
            ("demo", "24.1", "loss 24.1", "loss 24.1"),
            ("demo", "2", "demo 2 of 2", "demo <version> of 2"),
            // Parts of others.
            (
                "scipy",
                "1.10.1",
                "11.10.1 1.10.12 1.10.1.2 x1.10.1 1.10.1b",
                "11.10.1 1.10.12 1.10.1.2 x1.10.1 1.10.1b",
            ),
            ("scipy", "1.9.3", "1.10.1", "1.10.1"),
        ];
        for (name, version, line, left) in cases {
            let subject = Subject::new(name, &version.parse().unwrap());
            assert_eq!(super::super::replaced(line, &subject.versions(line)), left, "{version}");
        }
    }
}
