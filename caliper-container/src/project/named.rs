//! Finds what the command of a test names and will not find.

use caliper_core::question::left_out::WhyLeftOut;
use caliper_core::question::plan::Test;

use super::outside::Outside;
use super::{Project, ProjectError};

impl Project {
    /// Whether a test will find the files that its command names.
    ///
    /// A word of a command may be a file, or the value of an option. What follows `>` or an option such as
    /// `--output` is written by the test, and need not be there.
    pub(super) fn check_command(&self, test: &Test) -> Result<(), ProjectError> {
        let mut is_written = false;
        for word in words(&test.command) {
            let names = !std::mem::replace(&mut is_written, writes(&word));
            let value = word.split_once('=').filter(|(option, _)| option.starts_with('-'));
            let (word, names) = match value {
                Some((option, value)) => (value.to_owned(), names && !writes(option)),
                None => (
                    word.trim_start_matches(['<', '>']).to_owned(),
                    names && !word.starts_with('>'),
                ),
            };
            if let Some((path, outside)) = self.names_outside(&word).filter(|_| names) {
                return Err(ProjectError::NotFound {
                    test: test.name.clone(),
                    fix: fix(&path, outside),
                    why: outside.why.clone(),
                    path,
                });
            }
        }
        Ok(())
    }

    /// What is left out and exists under this name.
    fn names_outside(&self, word: &str) -> Option<(String, &Outside)> {
        let mut path = word.trim_end_matches('/');
        while let Some(rest) = path.strip_prefix("./") {
            path = rest.trim_start_matches('/');
        }
        // pytest takes `tests/test_a.py::test_b`.
        let path = path.split("::").next().unwrap_or_default();
        if path.is_empty() || path.starts_with('/') {
            return None;
        }
        let outside = self.outside.iter().find(|outside| outside.holds(path))?;
        let exists = std::fs::symlink_metadata(self.root.join(path)).is_ok();
        exists.then(|| (path.to_owned(), outside))
    }
}

/// The words of a command, with those of a script for a shell.
fn words(command: &[String]) -> Vec<String> {
    let shell = command.first().is_some_and(|program| {
        ["sh", "bash", "dash", "zsh"].contains(&program.rsplit('/').next().unwrap_or_default())
    });
    let mut words = Vec::new();
    for word in command {
        if shell && word.contains(char::is_whitespace) {
            let ends = |character: char| {
                character.is_whitespace()
                    || ['"', '\'', ';', '&', '|', '(', ')'].contains(&character)
            };
            words.extend(word.split(ends).filter(|word| !word.is_empty()).map(str::to_owned));
        } else {
            words.push(word.clone());
        }
    }
    words
}

/// Whether the next word is something that the test writes.
fn writes(word: &str) -> bool {
    let option = word.trim_start_matches('-').to_ascii_lowercase();
    [">", ">>", "2>", "&>", "tee", "rm"].contains(&word)
        || word == "-o"
        || (word.starts_with("--")
            && ["out", "log", "save", "result", "report", "junit", "cov", "write", "dest", "cache"]
                .iter()
                .any(|start| option.starts_with(start)))
}

/// What to do about it.
fn fix(path: &str, outside: &Outside) -> String {
    match &outside.why {
        WhyLeftOut::Environment => {
            "tests run in the environment of their cell; name the program alone, such as `python`"
                .to_owned()
        }
        WhyLeftOut::LinkLeaves { .. } | WhyLeftOut::LinkDangles { .. } => {
            "put a copy into the project in its place".to_owned()
        }
        why if why.can_be_named() => format!(
            "give the test `files: [., {path}]` if it reads it, and remove it if the test writes it"
        ),
        _ => "rename it or move it".to_owned(),
    }
}
