//! The rule for the version of the release under test.

use pep440_rs::Version;

use super::Edit;

/// The release that a result is of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::analysis::compare) struct Subject {
    /// The name of the project, in lower case, with `-` between its words.
    name: String,
    /// The ways to write its version, the longest first.
    spellings: Vec<String>,
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
        Self { name: normal(name), spellings }
    }

    /// Replaces the version where it stands by itself.
    pub(super) fn versions(&self, line: &str) -> Vec<Edit> {
        let mut edits: Vec<Edit> = Vec::new();
        for spelling in &self.spellings {
            for (at, _) in line.match_indices(spelling.as_str()) {
                let range = at..at + spelling.len();
                let free = edits
                    .iter()
                    .all(|edit| edit.range.end <= range.start || range.end <= edit.range.start);
                if free
                    && stands_alone(line, &range)
                    && (is_no_number(spelling) || self.is_named(&line[..at]))
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

/// Whether a version has more parts than a number has.
fn is_no_number(version: &str) -> bool {
    version.matches('.').count() > 1 || version.contains(|c: char| c.is_ascii_lowercase())
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
