use std::collections::{BTreeMap, BTreeSet};

use super::SurveyError;

/// The names of the files of a folder, and the contents of those that describe a project.
///
/// All names are relative to the folder, with `/` between their parts.
#[derive(Debug, Clone, Default)]
pub struct Folder {
    files: BTreeSet<String>,
    folders: BTreeSet<String>,
    contents: BTreeMap<String, Vec<u8>>,
}

impl Folder {
    /// Whether the content of the file with this name tells something.
    pub fn reads(name: &str) -> bool {
        let described =
            ["pyproject.toml", "setup.cfg", "setup.py", "tox.ini", "pytest.ini", "noxfile.py"];
        described.contains(&name) || is_requirements(name) || is_test(name)
    }

    /// Adds a file; its content is needed if [`Folder::reads`] it.
    pub fn add(&mut self, name: impl Into<String>, content: Option<Vec<u8>>) {
        let name = name.into();
        for (at, _) in name.match_indices('/') {
            self.folders.insert(name[..at].to_owned());
        }
        if let Some(content) = content {
            self.contents.insert(name.clone(), content);
        }
        self.files.insert(name);
    }

    /// The text of a file; `None` if there is no such file.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, SurveyError> {
        let Some(content) = self.contents.get(name) else { return Ok(None) };
        let text = std::str::from_utf8(content);
        let text = text.map_err(|_| SurveyError::NotText { file: name.to_owned() })?;
        Ok(Some(text.trim_start_matches('\u{feff}')))
    }

    pub(super) fn has_file(&self, name: &str) -> bool {
        self.files.contains(name)
    }

    pub(super) fn has_folder(&self, name: &str) -> bool {
        self.folders.contains(name)
    }

    /// Whether there is such a file or folder.
    pub(super) fn has(&self, name: &str) -> bool {
        self.has_file(name) || self.has_folder(name)
    }

    /// The folders where tests are.
    pub(super) fn of_tests(&self) -> Vec<String> {
        if let Some(usual) = ["tests", "test"].into_iter().find(|name| self.has_folder(name)) {
            return vec![usual.to_owned()];
        }
        let within = |name: &&String| {
            let last = name.rsplit('/').next().unwrap_or_default();
            matches!(last, "tests" | "test") && name.matches('/').count() <= 2
        };
        let found = self.folders.iter().find(within).cloned();
        let has_tests =
            |one: &String| self.tests().any(|(name, _)| name.starts_with(&format!("{one}/")));
        found.filter(has_tests).into_iter().collect()
    }

    /// The lists of requirements that are files of their own.
    pub(super) fn requirements(&self) -> impl Iterator<Item = &str> {
        self.contents.keys().map(String::as_str).filter(|name| is_requirements(name))
    }

    /// The files with tests, with as much of them as is text.
    pub(super) fn tests(&self) -> impl Iterator<Item = (&str, std::borrow::Cow<'_, str>)> {
        let tests = self.contents.iter().filter(|(name, _)| is_test(name));
        tests.map(|(name, content)| (name.as_str(), String::from_utf8_lossy(content)))
    }
}

/// Whether a file is a list of requirements by its name: `requirements-dev.txt`, `test_requirements.txt`,
/// `requirements/base.in`.
fn is_requirements(name: &str) -> bool {
    let Some((stem, "txt" | "in")) = name.rsplit_once('.') else { return false };
    match stem.split_once('/') {
        None => stem.contains("requirements"),
        Some((folder, stem)) => matches!(folder, "requirements" | "reqs") && !stem.contains('/'),
    }
}

/// Whether pytest or unittest would look for tests in a file with this name.
fn is_test(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or_default();
    let stem = file.strip_suffix(".py");
    stem.is_some_and(|stem| stem.starts_with("test_") || stem.ends_with("_test") || stem == "tests")
}

/// Whether a word cannot be taken for an option or a sign of a shell.
pub(super) fn is_path(word: &str) -> bool {
    !word.starts_with('-')
        && word.chars().any(char::is_alphanumeric)
        && !word.contains(char::is_control)
}
