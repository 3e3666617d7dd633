//! What a project tells pytest (<https://docs.pytest.org/en/stable/reference/customize.html>).

use toml::Value;

use super::SurveyError;
use super::folder::{Folder, is_path};
use super::needs::Found;
use crate::analysis::suggest::entries;

/// The files that may configure pytest besides `pyproject.toml`, and the section in each.
const FILES: [(&str, &str); 3] =
    [("pytest.ini", "pytest"), ("tox.ini", "pytest"), ("setup.cfg", "tool:pytest")];

/// The place where pytest is configured, if there is one.
pub(super) fn configured(folder: &Folder, found: &Found) -> Result<Option<String>, SurveyError> {
    if found.tool("pytest").is_some() {
        return Ok(Some("`tool.pytest` of pyproject.toml".to_owned()));
    }
    for (file, section) in FILES {
        let text = folder.text(file)?.unwrap_or_default();
        if text.lines().any(|line| line.trim() == format!("[{section}]")) {
            return Ok(Some(format!("`[{section}]` of {file}")));
        }
    }
    Ok(folder.has_file("conftest.py").then(|| "`conftest.py`".to_owned()))
}

/// Where the tests are.
pub(super) fn paths(folder: &Folder, found: &Found) -> Result<Vec<String>, SurveyError> {
    let is_there = |path: &String| is_path(path) && folder.has(path.trim_end_matches('/'));
    let named: Vec<String> = named(folder, found)?.into_iter().filter(is_there).collect();
    Ok(if named.is_empty() { folder.of_tests() } else { named })
}

fn named(folder: &Folder, found: &Found) -> Result<Vec<String>, SurveyError> {
    let table = found.tool("pytest").map(|pytest| pytest.get("ini_options").unwrap_or(pytest));
    match table.and_then(|table| table.get("testpaths")) {
        Some(Value::Array(list)) => {
            return Ok(list.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        }
        Some(Value::String(text)) => return Ok(words(text)),
        _ => {}
    }
    for (file, section) in FILES {
        let text = folder.text(file)?.unwrap_or_default();
        let place = format!("{section}.testpaths");
        if let Some(entry) = entries(text).into_iter().find(|entry| entry.place == place) {
            return Ok(words(&entry.lines.join(" ")));
        }
    }
    Ok(Vec::new())
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
