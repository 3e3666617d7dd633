//! Whether what was installed are the files that requirements files allow.

use std::fmt;

use pep440_rs::VersionSpecifiers;

use crate::facts::record::Installed;
use crate::names::{PackageName, Sha256};
use crate::question::interpreter::Interpreter;
use crate::question::marker;
use crate::question::requirement::Requirement;
use crate::question::requirements_file::AllowedFiles;

/// A distribution that is not from a file that is allowed of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAllowed {
    /// Its name, as its metadata spells it.
    pub name: String,
    /// Its version, as its metadata spells it.
    pub version: String,
    /// The file that it is from, and its digest; `None` if that is not known.
    pub file: Option<(String, Sha256)>,
    /// The files of the project that say what is allowed.
    pub sources: Vec<String>,
}

impl fmt::Display for NotAllowed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, version, file, sources } = self;
        let sources = sources.join("` and `");
        match file {
            Some((file, sha256)) => write!(
                formatter,
                "{name} {version} was installed from `{file}` ({sha256}), which is not among the files that \
                 the hashes in `{sources}` allow"
            ),
            None => write!(
                formatter,
                "it is not known from which file {name} {version} was installed, so the hashes in `{sources}` \
                 cannot be checked"
            ),
        }
    }
}

/// The distributions of `installed` for which `allowed` has hashes, but not that of their file.
///
/// A requirement with hashes is about the releases that it allows, and about the Pythons for which its marker holds.
/// The hashes of all that are about a distribution count together.
pub fn not_allowed(
    allowed: &[AllowedFiles],
    installed: &[Installed],
    interpreter: &Interpreter,
) -> Vec<NotAllowed> {
    let parsed: Vec<(Requirement, &AllowedFiles)> = allowed
        .iter()
        .filter_map(|one| Some((one.requirement.parse::<Requirement>().ok()?, one)))
        .filter(|(requirement, _)| {
            let marker = requirement.marker.as_deref();
            marker.is_none_or(|marker| marker::holds(marker, interpreter) != Some(false))
        })
        .collect();
    let is_about = |requirement: &Requirement, one: &Installed| {
        let is_it = one.name.parse::<PackageName>().is_ok_and(|name| name == requirement.name);
        let range = requirement.range.parse::<VersionSpecifiers>();
        // An address, or what cannot be read, is about any release.
        is_it
            && match (range, one.version.parse()) {
                (Ok(range), Ok(version)) => range.contains(&version),
                _ => true,
            }
    };
    let mut found = Vec::new();
    for one in installed {
        let about: Vec<&AllowedFiles> = parsed
            .iter()
            .filter(|(requirement, _)| is_about(requirement, one))
            .map(|(_, allowed)| *allowed)
            .collect();
        let file = one.file.as_ref();
        let file = file.and_then(|file| Some((file.filename.clone(), file.sha256?)));
        let is_allowed = file
            .as_ref()
            .is_some_and(|(_, sha256)| about.iter().any(|allowed| allowed.sha256.contains(sha256)));
        if about.is_empty() || is_allowed {
            continue;
        }
        let mut sources: Vec<String> = about.iter().map(|allowed| allowed.source.clone()).collect();
        sources.sort();
        sources.dedup();
        let (name, version) = (one.name.clone(), one.version.clone());
        found.push(NotAllowed { name, version, file, sources });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::record::RecordedFile;
    use crate::question::grid::FileKind;
    use crate::question::testing;

    #[test]
    fn a_file_with_another_hash_is_not_allowed() {
        let digest = |text: &str| Sha256::of(text.as_bytes());
        let allowed = |requirement: &str, contents: &[&str]| AllowedFiles {
            requirement: requirement.to_owned(),
            sha256: contents.iter().map(|text| digest(text)).collect(),
            source: "requirements.txt".to_owned(),
        };
        let installed = |version: &str, content: Option<&str>| {
            let mut one = Installed::new("NumPy", version);
            one.file = content.map(|content| RecordedFile {
                filename: format!("numpy-{version}-py3-none-any.whl"),
                url: String::new(),
                sha256: Some(digest(content)),
                kind: FileKind::Wheel,
                upload_time: None,
                size: None,
            });
            one
        };
        let python = testing::interpreter("3.11");
        let told = |allowed: &[AllowedFiles], one: Installed| -> Vec<String> {
            let found = not_allowed(allowed, &[one, Installed::new("six", "1")], &python);
            found.iter().map(ToString::to_string).collect()
        };
        let pins = [
            allowed("numpy==1.0", &["a", "b"]),
            allowed("numpy==1.0; python_version < '3.9'", &["c"]),
            allowed("numpy==1.0; python_version >= '3.9'", &["d"]),
        ];
        for content in ["a", "b", "d"] {
            assert!(told(&pins, installed("1.0", Some(content))).is_empty(), "{content}");
        }
        // About another release they say nothing.
        assert!(told(&pins, installed("2.0", Some("x"))).is_empty());
        insta::assert_snapshot!(told(&pins, installed("1.0", Some("c"))).concat(), @"NumPy 1.0 was installed from `numpy-1.0-py3-none-any.whl` (sha256:2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6), which is not among the files that the hashes in `requirements.txt` allow");
        insta::assert_snapshot!(told(&pins, installed("1.0", None)).concat(), @"it is not known from which file NumPy 1.0 was installed, so the hashes in `requirements.txt` cannot be checked");
    }
}
