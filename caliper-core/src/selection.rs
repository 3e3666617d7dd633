//! Which releases and files of a package are looked at.

use std::fmt;
use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers};
use serde::{Deserialize, Serialize};

use crate::names::Timestamp;

/// Which releases and files of a package are looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Which releases.
    pub versions: Versions,
    /// Whether pre-releases and development releases are taken where nothing asks for them by
    /// name ([PEP 440](https://peps.python.org/pep-0440/#handling-of-pre-releases)).
    pub pre: bool,
    /// Whether yanked files are taken where no release is pinned exactly
    /// ([PEP 592](https://peps.python.org/pep-0592/)).
    pub yanked: bool,
    /// What to do with source distributions.
    pub sdist: SdistPolicy,
    /// Look at the index as it stood then: files uploaded later do not exist.
    pub as_of: Option<Timestamp>,
}

/// Which releases of a package are looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Versions {
    /// Every final release, and no pre-release.
    #[default]
    All,
    /// Every release that these specifiers allow.
    Matching(VersionSpecifiers),
    /// Just these; each must exist.
    Listed(Vec<Version>),
}

impl FromStr for Versions {
    type Err = ParseVersionsError;

    /// Reads PEP 440 specifiers such as `>=1.0,<2`, or versions separated by commas.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let error = |detail: String| ParseVersionsError { text: text.to_owned(), detail };
        if text.is_empty() {
            return Err(error("it is empty".to_owned()));
        }
        if text.starts_with(|first: char| first.is_ascii_digit() || first == 'v') {
            let versions = text.split(',').map(|version| version.trim().parse::<Version>());
            return versions
                .collect::<Result<Vec<_>, _>>()
                .map(Self::Listed)
                .map_err(|source| error(source.to_string()));
        }
        text.parse().map(Self::Matching).map_err(
            |source: pep440_rs::VersionSpecifiersParseError| {
                // The first line says what is wrong; the others draw the text with a marker under it.
                error(source.to_string().lines().next().unwrap_or_default().to_owned())
            },
        )
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => formatter.write_str("all final releases"),
            Self::Matching(specifiers) => write!(formatter, "{specifiers}"),
            Self::Listed(versions) => {
                let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
                formatter.write_str(&versions.join(", "))
            }
        }
    }
}

/// Why a text does not select releases.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` does not select releases ({detail}): write specifiers such as `>=1.0,<2`, or versions"
)]
pub struct ParseVersionsError {
    text: String,
    detail: String,
}

/// What to do with source distributions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SdistPolicy {
    /// Take one where no wheel fits.
    #[default]
    Fallback,
    /// Take wheels only.
    Never,
    /// Take source distributions only.
    Only,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_specifiers_or_a_list() {
        let show = |text: &str| match text.parse::<Versions>() {
            Ok(versions) => versions.to_string(),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(show(">=1.0, <2"), ">=1.0, <2");
        assert_eq!(show("1.10, 1.9"), "1.10, 1.9");
        insta::assert_snapshot!(show(">=x"), @"error: `>=x` does not select releases (Failed to parse version: expected version to start with a number, but no leading ASCII digits were found:): write specifiers such as `>=1.0,<2`, or versions");
        insta::assert_snapshot!(show("1.0;2"), @"error: `1.0;2` does not select releases (after parsing `1.0`, found `;2`, which is not part of a valid version): write specifiers such as `>=1.0,<2`, or versions");
        insta::assert_snapshot!(show(" "), @"error: `` does not select releases (it is empty): write specifiers such as `>=1.0,<2`, or versions");
    }
}
