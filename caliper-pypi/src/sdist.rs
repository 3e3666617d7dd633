//! Names of source distributions, old and new.
//!
//! Specification: [source distribution format](https://packaging.python.org/en/latest/specifications/source-distribution-format/#source-distribution-file-name)
//! ([PEP 625](https://peps.python.org/pep-0625/)). Most files on an index are older than it, so names
//! are read as pip reads them: the project may hold dashes, and several archive formats exist.

use std::fmt;

use caliper_core::names::{PackageName, PythonVersion};
use pep440_rs::Version;

use crate::wheel::is_spelling_of;

/// What an archive may end in, the longer first where one ends in the other.
const EXTENSIONS: &[&str] = &[
    ".tar.gz",
    ".zip",
    ".tar.bz2",
    ".tgz",
    ".tar.xz",
    ".tbz",
    ".txz",
    ".tlz",
    ".tar.lzma",
    ".tar.lz",
    ".tar",
];

/// The name of a source distribution: `{project}-{version}.tar.gz`, or an older form of it.
///
/// Prints as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SdistName {
    text: Box<str>,
    version: Version,
    python: Option<Box<str>>,
}

impl SdistName {
    /// Reads the name of a file of `project`.
    ///
    /// The project must be known: in `a-b-1.tar.gz` nothing else tells where it ends.
    ///
    /// # Errors
    ///
    /// [`ParseSdistNameError`] if the file is not an archive, or the rest of its name is not the
    /// project followed by a version.
    pub fn parse(text: &str, project: &PackageName) -> Result<Self, ParseSdistNameError> {
        let parts = SdistParts::split(text, project)?;
        let version = parts.version.parse().map_err(|_| parts.bad_version())?;
        Ok(Self::from_parts(&parts, version))
    }

    pub(crate) fn from_parts(parts: &SdistParts<'_>, version: Version) -> Self {
        Self { text: parts.text.into(), version, python: parts.python.map(Into::into) }
    }

    /// The release.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Whether this archive is for that Python.
    ///
    /// Always so but for a name in `-py2.7`, by which pip knows an archive for one Python.
    pub(crate) fn is_for(&self, python: PythonVersion) -> bool {
        let Some(text) = &self.python else {
            return true;
        };
        let dotted = PythonVersion::new(python.major(), python.minor()).to_string();
        **text == dotted
    }
}

impl fmt::Display for SdistName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// The parts of a source distribution's name where they stand, before its version is read.
pub(crate) struct SdistParts<'a> {
    text: &'a str,
    pub(crate) version: &'a str,
    python: Option<&'a str>,
}

impl<'a> SdistParts<'a> {
    pub(crate) fn split(text: &'a str, project: &PackageName) -> Result<Self, ParseSdistNameError> {
        let error = |fault| ParseSdistNameError { text: crate::excerpt::excerpt(text), fault };
        let stem = EXTENSIONS
            .iter()
            .find_map(|extension| text.strip_suffix(extension))
            .ok_or_else(|| error(Fault::Extension))?;
        if text.len() > 255 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(error(Fault::Project));
        }
        let (_, version) = stem
            .match_indices('-')
            .map(|(dash, _)| (&stem[..dash], &stem[dash + 1..]))
            .find(|(before, _)| is_spelling_of(before, project))
            .ok_or_else(|| error(Fault::Project))?;
        let (version, python) = match version.rsplit_once("-py") {
            Some((version, python)) if is_old_python(python) => (version, Some(python)),
            _ => (version, None),
        };
        Ok(Self { text, version, python })
    }

    /// The error of a version that PEP 440 does not know.
    pub(crate) fn bad_version(&self) -> ParseSdistNameError {
        ParseSdistNameError { text: crate::excerpt::excerpt(self.text), fault: Fault::Version }
    }
}

/// Whether this is what pip reads as a Python behind `-py`: `2`, `2.7`, `27`.
fn is_old_python(text: &str) -> bool {
    let rest = text.strip_prefix(['1', '2', '3']);
    let rest = rest.map(|rest| rest.strip_prefix('.').unwrap_or(rest));
    rest.is_some_and(|rest| rest.len() <= 1 && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Why a text is not the name of a source distribution.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not the name of a source distribution: {fault}")]
pub struct ParseSdistNameError {
    text: String,
    fault: Fault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error("its ending is not that of an archive such as `.tar.gz` or `.zip`")]
    Extension,
    #[error("it does not start with the project's name and a dash")]
    Project,
    #[error("what stands behind the project's name is not a version (PEP 440)")]
    Version,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_older_zoo_is_read_as_pip_reads_it() {
        let cases: &[(&str, &str, Option<&str>)] = &[
            ("demo", "demo-1.0.tar.gz", Some("1.0")),
            ("demo", "Demo-1.0.zip", Some("1.0")),
            ("a-b", "a-b-1.0.tar.bz2", Some("1.0")), // dashes are in the project
            ("a-b", "a_b-1.0-1.tgz", Some("1.0.post1")), // and in the version
            ("zope.interface", "zope.interface-4.0.5.tar.xz", Some("4.0.5")),
            ("demo", "demo-1.0b2.tar", Some("1.0b2")),
            ("demo", "demo-1.0.linux-x86_64.tar.gz", None), // a `bdist_dumb`
            ("demo", "demo-2-1.0.tar.gz", None),            // of the project `demo-2`
            ("demo", "demo-1.0.egg", None),
            ("demo", "demo-1.0.exe", None),
            ("demo", "demo.tar.gz", None),
            ("demo", "other-1.0.tar.gz", None),
            ("demo", "demo-2004d.tar.gz", None), // pytz once wrote this
            ("demo", "demo-1.0/../x.tar.gz", None),
        ];
        for (project, text, version) in cases {
            let name = SdistName::parse(text, &project.parse().unwrap());
            let read = name.as_ref().ok().map(|name| name.version().to_string());
            assert_eq!(read.as_deref(), *version, "{text}");
        }
    }

    #[test]
    fn a_python_may_stand_at_the_end() {
        let project = "demo".parse().unwrap();
        let name = SdistName::parse("demo-1.0-py2.7.tar.gz", &project).unwrap();
        assert_eq!(name.version().to_string(), "1.0");
        assert!(name.is_for(PythonVersion::new(2, 7)));
        assert!(!name.is_for(PythonVersion::new(3, 7)));
    }

    #[test]
    fn what_is_not_a_source_distribution_says_why() {
        let project = "demo".parse().unwrap();
        let why = |text: &str| SdistName::parse(text, &project).unwrap_err().to_string();
        insta::assert_snapshot!(why("demo-1.0.rpm"), @"`demo-1.0.rpm` is not the name of a source distribution: its ending is not that of an archive such as `.tar.gz` or `.zip`");
        insta::assert_snapshot!(why("other-1.0.zip"), @"`other-1.0.zip` is not the name of a source distribution: it does not start with the project's name and a dash");
        insta::assert_snapshot!(why("demo-2004d.zip"), @"`demo-2004d.zip` is not the name of a source distribution: what stands behind the project's name is not a version (PEP 440)");
    }

    proptest! {
        #[test]
        fn printing_gives_back_what_was_read(
            project in "[A-Za-z]([-_.]{0,2}[A-Za-z0-9]){0,4}",
            separator in "[-_.]",
            rest in "-v?([0-9]!)?[0-9]\\.[0-9]{1,3}((a|RC)[0-9])?(-[0-9])?(\\.dev[0-9])?(\\+[a-z0-9]{1,3})?(-py[23](\\.[0-9])?)?\\.(tar\\.gz|zip|tgz|tar)"
        ) {
            let name: PackageName = project.parse().unwrap();
            let text = name.normalized().replace('-', &separator) + &rest;
            let sdist = SdistName::parse(&text, &name).unwrap();
            prop_assert_eq!(sdist.to_string(), text.as_str());
            prop_assert_eq!(SdistName::parse(&sdist.to_string(), &name), Ok(sdist));
            // Another project has no such file.
            let longer = format!("{project}-x").parse().unwrap();
            prop_assert!(SdistName::parse(&text, &longer).is_err());
        }

        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let project = "a-b".parse().unwrap();
            let _ = SdistName::parse(&text, &project);
            let _ = SdistName::parse(&format!("a-b-{text}.zip"), &project);
        }
    }
}
