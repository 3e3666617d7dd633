//! Names of wheels.
//!
//! Specification: [binary distribution format](https://packaging.python.org/en/latest/specifications/binary-distribution-format/#file-format)
//! ([PEP 427](https://peps.python.org/pep-0427/)), read as strictly as PyPA's `packaging` does.

use std::fmt;
use std::str::FromStr;

use caliper_core::names::PackageName;
use pep440_rs::Version;

use crate::tag::{self, Tag};

/// The name of a wheel: `{project}-{version}(-{build})?-{python}-{abi}-{platform}.whl`.
///
/// Prints as it was written. Each of the last three parts may be a *compressed tag set*, several
/// tags joined by dots ([PEP 425](https://peps.python.org/pep-0425/#compressed-tag-sets)); the
/// wheel fits wherever one of their combinations does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WheelName {
    text: Box<str>,
    version: Version,
    build: Option<BuildTag>,
    /// The three tag sets, in lower case, joined by dashes as in the name.
    tags: Box<str>,
    project_end: usize,
    abi_start: usize,
    platform_start: usize,
}

impl WheelName {
    /// The release.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The build tag, which breaks ties between wheels of one release.
    pub fn build(&self) -> Option<&BuildTag> {
        self.build.as_ref()
    }

    /// The project as the name spells it, with `_` for `-`.
    pub fn project(&self) -> &str {
        &self.text[..self.project_end]
    }

    /// Whether this is a wheel of `project`, by normal form
    /// ([PEP 503](https://peps.python.org/pep-0503/#normalized-names)).
    pub(crate) fn is_of(&self, project: &PackageName) -> bool {
        is_spelling_of(self.project(), project)
    }

    /// The Python tags, in lower case.
    pub fn pythons(&self) -> impl Iterator<Item = &str> + Clone {
        self.tags[..self.abi_start - 1].split('.')
    }

    /// The ABI tags, in lower case.
    pub(crate) fn abis(&self) -> impl Iterator<Item = &str> + Clone {
        self.tags[self.abi_start..self.platform_start - 1].split('.')
    }

    /// The platform tags, in lower case.
    pub(crate) fn platforms(&self) -> impl Iterator<Item = &str> + Clone {
        self.tags[self.platform_start..].split('.')
    }

    /// The three sets of tags as one text, in lower case.
    pub(crate) fn tag_sets(&self) -> &str {
        &self.tags
    }

    /// Whether it fits every Python 3, on every platform.
    pub fn fits_all(&self) -> bool {
        self.pythons().any(|python| python == "py3")
            && self.abis().any(|abi| abi == "none")
            && self.platforms().any(|platform| platform == "any")
    }

    /// Every tag that the compressed sets stand for, as often as it is written.
    pub fn tags(&self) -> impl Iterator<Item = Tag> + '_ {
        self.pythons().flat_map(move |python| {
            self.abis().flat_map(move |abi| {
                self.platforms().map(move |platform| Tag::from_parts(python, abi, platform))
            })
        })
    }

    /// Reads a name whose parts were found and whose version was read before.
    pub(crate) fn from_parts(
        parts: &WheelParts<'_>,
        version: Version,
    ) -> Result<Self, ParseWheelNameError> {
        let error = |detail| ParseWheelNameError::new(parts.text, detail);
        let build = parts
            .build
            .map(|text| BuildTag::read(text).ok_or_else(|| error(Fault::Build)))
            .transpose()?;
        let (pythons, rest) = parts.tags.split_once('-').ok_or_else(|| error(Fault::Parts))?;
        let (abis, platforms) = rest.split_once('-').ok_or_else(|| error(Fault::Parts))?;
        if !(pythons.split('.').all(tag::is_python)
            && abis.split('.').all(tag::is_part)
            && platforms.split('.').all(tag::is_part))
        {
            return Err(error(Fault::Tag));
        }
        Ok(Self {
            text: parts.text.into(),
            version,
            build,
            tags: parts.tags.to_ascii_lowercase().into(),
            project_end: parts.project.len(),
            abi_start: pythons.len() + 1,
            platform_start: pythons.len() + abis.len() + 2,
        })
    }
}

impl FromStr for WheelName {
    type Err = ParseWheelNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = WheelParts::split(text)?;
        let version = parts.version.parse();
        let version = version.map_err(|_| ParseWheelNameError::new(text, Fault::Version))?;
        Self::from_parts(&parts, version)
    }
}

impl fmt::Display for WheelName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Whether `spelling`, out of a file name, has the normal form of `project`.
pub(crate) fn is_spelling_of(spelling: &str, project: &PackageName) -> bool {
    let mut expected = project.normalized().bytes();
    let mut in_run = false;
    for byte in spelling.bytes() {
        let separator = matches!(byte, b'-' | b'_' | b'.');
        if separator && in_run {
            continue;
        }
        in_run = separator;
        let byte = if separator { b'-' } else { byte.to_ascii_lowercase() };
        if expected.next() != Some(byte) {
            return false;
        }
    }
    expected.next().is_none()
}

/// The build tag of a wheel: a number, and the text behind it.
///
/// Sorts by number, then text; no build tag sorts before any, so `Option<BuildTag>` is in the order
/// of preference, the last first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BuildTag {
    number: u64,
    rest: Box<str>,
}

impl BuildTag {
    /// The number in front.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What stands behind the number, often nothing.
    pub fn rest(&self) -> &str {
        &self.rest
    }

    fn read(text: &str) -> Option<Self> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let number = text[..digits].parse().ok()?;
        Some(Self { number, rest: text[digits..].into() })
    }
}

/// The parts of a wheel's name where they stand, before its version and tags are read.
pub(crate) struct WheelParts<'a> {
    text: &'a str,
    pub(crate) project: &'a str,
    pub(crate) version: &'a str,
    build: Option<&'a str>,
    tags: &'a str,
}

impl<'a> WheelParts<'a> {
    pub(crate) fn split(text: &'a str) -> Result<Self, ParseWheelNameError> {
        let error = |fault| ParseWheelNameError::new(text, fault);
        let stem = text.strip_suffix(".whl").ok_or_else(|| error(Fault::Extension))?;
        // A name becomes part of paths and of lines. A version alone would let spaces pass.
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.len() > 255 || !printable || text.contains(['/', '\\']) {
            return Err(error(Fault::FileName));
        }
        let dashes = stem.bytes().filter(|byte| *byte == b'-').count();
        let mut parts = stem.splitn(if dashes == 5 { 4 } else { 3 }, '-');
        let (4 | 5, Some(project), Some(version)) = (dashes, parts.next(), parts.next()) else {
            return Err(error(Fault::Parts));
        };
        let build = if dashes == 5 { parts.next() } else { None };
        let tags = parts.next().ok_or_else(|| error(Fault::Parts))?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
        if project.is_empty() || project.contains("__") || !project.bytes().all(plain) {
            return Err(error(Fault::Project));
        }
        Ok(Self { text, project, version, build, tags })
    }

    /// The error of a version that PEP 440 does not know.
    pub(crate) fn bad_version(&self) -> ParseWheelNameError {
        ParseWheelNameError::new(self.text, Fault::Version)
    }
}

/// Why a text is not the name of a wheel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not the name of a wheel: {fault}")]
pub struct ParseWheelNameError {
    text: String,
    fault: Fault,
}

impl ParseWheelNameError {
    fn new(text: &str, fault: Fault) -> Self {
        Self { text: crate::excerpt::excerpt(text), fault }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error("it does not end in `.whl`")]
    Extension,
    #[error(
        "it is too long for the name of a file, or has characters that such a name should not have"
    )]
    FileName,
    #[error("expected `project-version(-build)-python-abi-platform.whl`")]
    Parts,
    #[error("its first part is not an escaped project name")]
    Project,
    #[error("its second part is not a version (PEP 440)")]
    Version,
    #[error("its build tag does not start with a number")]
    Build,
    #[error("one of its tags is empty or has characters that tags don't have")]
    Tag,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wheel(text: &str) -> WheelName {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_has_five_or_six_parts() {
        let name = wheel("Zope.Interface-5.0-1b-cp27.cp36-abi3.cp36m-manylinux1_x86_64.whl");
        assert_eq!(name.project(), "Zope.Interface");
        assert!(name.is_of(&"zope-interface".parse().unwrap()));
        assert!(!name.is_of(&"zope".parse().unwrap()));
        assert_eq!(name.version().to_string(), "5.0");
        assert_eq!(name.build().map(|build| (build.number(), build.rest())), Some((1, "b")));
        let tags: Vec<String> = name.tags().map(|tag| tag.to_string()).collect();
        assert_eq!(
            tags,
            [
                "cp27-abi3-manylinux1_x86_64",
                "cp27-cp36m-manylinux1_x86_64",
                "cp36-abi3-manylinux1_x86_64",
                "cp36-cp36m-manylinux1_x86_64",
            ]
        );
    }

    #[test]
    fn tags_are_read_in_lower_case() {
        let name = wheel("a-1-Py3-None-Any.whl");
        assert_eq!(name.tags().next().unwrap().to_string(), "py3-none-any");
        assert_eq!(name.to_string(), "a-1-Py3-None-Any.whl");
    }

    #[test]
    fn what_is_not_a_wheel_says_why() {
        let why = |text: &str| text.parse::<WheelName>().unwrap_err().to_string();
        insta::assert_snapshot!(why("a-1-py3-none-any.zip"), @"`a-1-py3-none-any.zip` is not the name of a wheel: it does not end in `.whl`");
        insta::assert_snapshot!(why("a-1-none-any.whl"), @"`a-1-none-any.whl` is not the name of a wheel: expected `project-version(-build)-python-abi-platform.whl`");
        insta::assert_snapshot!(why("a-1\n-py3-none-any.whl"), @r"`a-1\n-py3-none-any.whl` is not the name of a wheel: it is too long for the name of a file, or has characters that such a name should not have");
        insta::assert_snapshot!(why("a__b-1-py3-none-any.whl"), @"`a__b-1-py3-none-any.whl` is not the name of a wheel: its first part is not an escaped project name");
        insta::assert_snapshot!(why("a-1_x-py3-none-any.whl"), @"`a-1_x-py3-none-any.whl` is not the name of a wheel: its second part is not a version (PEP 440)");
        insta::assert_snapshot!(why("a-1-b1-py3-none-any.whl"), @"`a-1-b1-py3-none-any.whl` is not the name of a wheel: its build tag does not start with a number");
        insta::assert_snapshot!(why("a-1-py3..py2-none-any.whl"), @"`a-1-py3..py2-none-any.whl` is not the name of a wheel: one of its tags is empty or has characters that tags don't have");
        for bad in [
            "",
            ".whl",
            "-1-py3-none-any.whl",
            "../a-1-py3-none-any.whl",
            "a/b-1-py3-none-any.whl",
            "a-1-py3-none-any\n.whl",
            "a-1-py3-none-.whl",
            "a-1-99999999999999999999999-py3-none-any.whl",
            "é-1-py3-none-any.whl",
            "a-1-2-3-py3-none-any.whl",
        ] {
            assert!(bad.parse::<WheelName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_build_number_sorts_as_a_number() {
        let build = |text: &str| Some(BuildTag::read(text).unwrap());
        assert!(build("10") > build("9"));
        assert!(build("1b") > build("1a"));
        assert!(build("0") > None);
    }

    proptest! {
        #[test]
        fn printing_gives_back_what_was_read(
            text in "[A-Za-z][A-Za-z0-9.]{0,5}-([0-9]!)?[0-9]\\.[0-9]{1,3}((a|RC)[0-9])?(\\.post[0-9])?(\\.dev[0-9])?(\\+[a-z0-9]{1,3}(\\.[a-z0-9]{1,3})?)?(-[0-9][A-Za-z_]?)?-(cp3[0-9]{1,2}|Py2\\.py3)-(none|abi3\\.cp3[0-9]{1,2}t)-[A-Za-z0-9_]{1,8}(\\.[a-z0-9_]{1,8})?\\.whl"
        ) {
            let name = wheel(&text);
            prop_assert_eq!(name.to_string(), text.as_str());
            prop_assert_eq!(wheel(&name.to_string()), name.clone());
            prop_assert_eq!(&name.version().to_string().parse::<Version>().unwrap(), name.version());
            for tag in name.tags() {
                prop_assert_eq!(tag.to_string().parse::<Tag>(), Ok(tag));
            }
        }

        #[test]
        fn build_tags_are_in_total_order(
            texts in prop::collection::vec("[0-9]{1,3}[a-c_]{0,2}", 1..5)
        ) {
            let builds: Vec<_> = texts.iter().map(|text| BuildTag::read(text)).collect();
            crate::fuzzing::assert_total_order(&builds);
        }

        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let _ = text.parse::<WheelName>();
            let _ = format!("{text}-1-py3-none-any.whl").parse::<WheelName>();
            let _ = format!("a-1-{text}.whl").parse::<WheelName>();
        }
    }
}
