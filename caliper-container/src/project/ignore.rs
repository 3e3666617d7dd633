use std::path::{Path, PathBuf};
use std::{fs, io};

use globset::{GlobBuilder, GlobMatcher};

/// The rules of a `.dockerignore`, as the
/// [Docker documentation](https://docs.docker.com/build/concepts/context/#dockerignore-files) has them.
///
/// Patterns are relative to the project; `*` stops at a `/` and `**` does not; braces are literal; a pattern that matches a
/// folder matches all below it; `!` takes back in; the last line that matches decides.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    matcher: GlobMatcher,
    exception: bool,
}

/// Why a `.dockerignore` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IgnoreError {
    /// It cannot be read.
    #[error("could not read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
    /// A line is not a pattern.
    #[error("line {line} of `.dockerignore` is not a pattern: `{pattern}`")]
    Pattern {
        /// The number of the line, from 1.
        line: usize,
        /// The line.
        pattern: String,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Ignore {
    /// Reads the `.dockerignore` in the folder `root`, if there is one.
    ///
    /// # Errors
    ///
    /// [`IgnoreError`] if it cannot be read or holds a line that is no pattern.
    pub(crate) fn read(root: &Path) -> Result<Self, IgnoreError> {
        let path = root.join(".dockerignore");
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(IgnoreError::Read { path, source }),
        }
    }

    fn parse(text: &str) -> Result<Self, IgnoreError> {
        let mut rules = Vec::new();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (pattern, exception) = match line.strip_prefix('!') {
                Some(rest) => (rest.trim(), true),
                None => (line, false),
            };
            let pattern = pattern.trim_start_matches("./").trim_matches('/');
            let glob = GlobBuilder::new(&literal_braces(pattern))
                .literal_separator(true)
                .backslash_escape(true)
                .build()
                .map_err(|source| IgnoreError::Pattern {
                    line: index + 1,
                    pattern: line.to_owned(),
                    source: source.into(),
                })?;
            rules.push(Rule { matcher: glob.compile_matcher(), exception });
        }
        Ok(Self { rules })
    }

    /// Whether a file or folder is left out. `path` is relative, with `/` between its components.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let mut ignored = false;
        for rule in &self.rules {
            if rule.exception == ignored && rule.matches(path) {
                ignored = !rule.exception;
            }
        }
        ignored
    }

    /// Whether a file below an ignored folder may be taken back in.
    pub(crate) fn has_exceptions(&self) -> bool {
        self.rules.iter().any(|rule| rule.exception)
    }
}

/// The pattern with its braces escaped.
///
/// Docker matches like Go's [`filepath.Match`](https://pkg.go.dev/path/filepath#Match), for which `{a,b}` is a name
/// with braces. `globset` reads it as a choice, and has no option against that. Inside of a class (`[{]`) a brace
/// is literal already, and a backslash there would become a member of the class.
fn literal_braces(pattern: &str) -> String {
    let mut escaped = String::with_capacity(pattern.len());
    let (mut in_class, mut after_backslash) = (false, false);
    for character in pattern.chars() {
        match character {
            '{' | '}' if !in_class && !after_backslash => escaped.push('\\'),
            '[' if !after_backslash => in_class = true,
            ']' => in_class = false,
            _ => {}
        }
        escaped.push(character);
        after_backslash = character == '\\' && !after_backslash && !in_class;
    }
    escaped
}

impl Rule {
    /// Whether the pattern matches the path or a folder above it.
    fn matches(&self, path: &str) -> bool {
        let above = path.match_indices('/').map(|(index, _)| &path[..index]);
        above.chain([path]).any(|part| self.matcher.is_match(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_follow_the_documentation() {
        let ignore =
            Ignore::parse("# comment\n*/temp*\ntemp?\n/data/\n**/*.log\n*.md\n!README.md\n")
                .unwrap();
        for (path, ignored) in [
            ("some/temporary.txt", true),
            ("some/sub/temporary.txt", false), // `*` is one component
            ("tempa", true),
            ("tempab", false),
            ("data/deep/file", true),  // a folder and all below it
            ("more/data/file", false), // patterns start at the root
            ("x.log", true),
            ("a/b/x.log", true),
            ("notes.md", true),
            ("README.md", false), // the last line that matches decides
        ] {
            assert_eq!(ignore.matches(path), ignored, "{path}");
        }
        assert!(Ignore::parse("a[").is_err());
    }

    #[test]
    fn braces_are_characters_like_any_other() {
        let cases: &[(&str, &str, bool)] = &[
            ("{a,b}.txt", "a.txt", false), // a choice in many shells, not for Docker
            ("{a,b}.txt", "{a,b}.txt", true),
            ("{{cookiecutter.name}}", "{{cookiecutter.name}}/setup.py", true),
            ("a{", "a{", true),
            ("a}", "a}", true),
            (r"\{a\}", "{a}", true), // escaped already
            (r"\\{a", r"\{a", true), // an escaped backslash, then a brace
            ("[{]a", "{a", true),
            ("[{]a", "a", false),
            (r"\[{a,b}", "[{a,b}", true),
        ];
        for (pattern, path, ignored) in cases {
            let ignore = Ignore::parse(pattern).unwrap();
            assert_eq!(ignore.matches(path), *ignored, "{pattern} {path}");
        }
    }
}
