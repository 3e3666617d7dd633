//! Which releases and files of a package are selected.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers};
use serde::{Deserialize, Serialize};

use crate::names::Timestamp;

/// Which releases and files of a package are selected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Which releases.
    pub versions: Versions,
    /// Whether pre-releases and development releases are included although no specifier names
    /// one ([PEP 440](https://peps.python.org/pep-0440/#handling-of-pre-releases)).
    pub pre: bool,
    /// Whether yanked files are included although no release is pinned exactly
    /// ([PEP 592](https://peps.python.org/pep-0592/)).
    pub yanked: bool,
    /// What to do with source distributions.
    pub sdist: SdistPolicy,
    /// Use the index as of this date: files uploaded later are ignored.
    pub as_of: Option<Timestamp>,
    /// What is done with files of which it is not known when they were uploaded, where there is a date.
    pub unknown_upload_time: UnknownUploadTime,
}

/// What is done with a file of which the index does not say when it was uploaded, where only files up to a date
/// are wanted.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum UnknownUploadTime {
    /// It is offered: it may have been there.
    Include,
    /// It is not offered: it may not have been there. A project of which no file has an upload time is an
    /// error, because nothing can be said of it.
    #[default]
    Exclude,
}

impl UnknownUploadTime {
    /// Whether files are left out.
    pub fn excludes(&self) -> bool {
        *self == Self::Exclude
    }
}

/// Which releases of a package are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Versions {
    /// Those that a rule selects from all releases.
    Among(Among),
    /// Exactly these; each must exist.
    Listed(Vec<Version>),
}

/// A rule that selects from all releases. The default selects every final release.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Among {
    /// Only releases that these allow; empty allows all.
    pub specifiers: VersionSpecifiers,
    /// Only releases whose first file was uploaded on this date or later.
    pub since: Option<Timestamp>,
    /// Of releases with equal first two numbers, only the newest that can be installed.
    pub latest_patch: bool,
    /// Of the remaining releases, only this many of the newest that can be installed.
    pub latest: Option<NonZeroU32>,
}

impl Default for Versions {
    fn default() -> Self {
        Self::Among(Among::default())
    }
}

impl FromStr for Versions {
    type Err = ParseVersionsError;

    /// Reads versions separated by commas; or, separated by commas too, any of PEP 440 specifiers
    /// such as `>=1.0,<2`, `latest-patch`, `latest: 5` and `since: 2021-03-01`.
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
        let mut among = Among::default();
        let mut specifiers = Vec::new();
        for part in text.split(',').map(str::trim) {
            let (word, value) = part.split_once(':').unwrap_or((part, ""));
            if matches!(word, "latest-patch" | "latest" | "since") {
                among.set(word, value.trim()).map_err(error)?;
            } else if part.starts_with(|first: char| first.is_alphabetic()) {
                return Err(error(format!("`{part}` is not known")));
            } else {
                specifiers.push(part);
            }
        }
        if !specifiers.is_empty() {
            among.specifiers = specifiers.join(", ").parse().map_err(
                |source: pep440_rs::VersionSpecifiersParseError| {
                    // The first line is the message; the others repeat the text with a marker.
                    error(source.to_string().lines().next().unwrap_or_default().to_owned())
                },
            )?;
        }
        Ok(Self::Among(among))
    }
}

impl Among {
    /// Sets one part of the rule; the error is a message for users.
    pub(crate) fn set(&mut self, word: &str, value: &str) -> Result<(), String> {
        let twice = match word {
            "latest-patch" => {
                let wanted = match value {
                    "" | "true" => true,
                    "false" => false,
                    _ => return Err("`latest-patch` takes no value".to_owned()),
                };
                std::mem::replace(&mut self.latest_patch, wanted)
            }
            "latest" => {
                let count = value.parse().map_err(|_| {
                    format!("`latest` takes how many releases, from 1 on, and not `{value}`")
                })?;
                self.latest.replace(count).is_some()
            }
            "since" => {
                let date = value.parse().map_err(|source| format!("`since`: {source}"))?;
                self.since.replace(date).is_some()
            }
            other => return Err(format!("`{other}` is not known")),
        };
        if twice { Err(format!("`{word}` stands there twice")) } else { Ok(()) }
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Among(among) => among.fmt(formatter),
            Self::Listed(versions) => {
                let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
                formatter.write_str(&versions.join(", "))
            }
        }
    }
}

impl fmt::Display for Among {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let specifiers = (!self.specifiers.is_empty()).then(|| self.specifiers.to_string());
        let since = self.since.map(|date| format!("since: {date}"));
        let patch = self.latest_patch.then(|| "latest-patch".to_owned());
        let latest = self.latest.map(|count| format!("latest: {count}"));
        let parts: Vec<String> = [specifiers, since, patch, latest].into_iter().flatten().collect();
        if parts.is_empty() {
            return formatter.write_str("all final releases");
        }
        formatter.write_str(&parts.join(", "))
    }
}

/// Why a text does not select releases.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` does not select releases ({detail}): write specifiers such as `>=1.0,<2`, versions, \
     `latest-patch`, `latest: 5` or `since: 2021-03-01`"
)]
pub struct ParseVersionsError {
    text: String,
    detail: String,
}

/// What to do with source distributions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SdistPolicy {
    /// Use one if no wheel fits.
    #[default]
    Fallback,
    /// Use wheels only.
    Never,
    /// Use source distributions only.
    Only,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn versions_are_specifiers_or_a_list() {
        let show = |text: &str| match text.parse::<Versions>() {
            Ok(versions) => versions.to_string(),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(show(">=1.0, <2"), ">=1.0, <2");
        assert_eq!(show("1.10, 1.9"), "1.10, 1.9");
        insta::assert_snapshot!(show(">=x"), @"error: `>=x` does not select releases (Failed to parse version: expected version to start with a number, but no leading ASCII digits were found:): write specifiers such as `>=1.0,<2`, versions, `latest-patch`, `latest: 5` or `since: 2021-03-01`");
        insta::assert_snapshot!(show("1.0;2"), @"error: `1.0;2` does not select releases (after parsing `1.0`, found `;2`, which is not part of a valid version): write specifiers such as `>=1.0,<2`, versions, `latest-patch`, `latest: 5` or `since: 2021-03-01`");
        assert_eq!(show("latest-patch, >=2,<4,latest:3"), ">=2, <4, latest-patch, latest: 3");
        assert_eq!(show("since: 2021-03-01"), "since: 2021-03-01T00:00:00Z");
        assert_eq!(
            show(&show("since:2021-03-01T12:00:00Z, >1")),
            ">1, since: 2021-03-01T12:00:00Z"
        );
        assert_eq!(Versions::default().to_string(), "all final releases");
        insta::assert_snapshot!(show("latest: 0"), @"error: `latest: 0` does not select releases (`latest` takes how many releases, from 1 on, and not `0`): write specifiers such as `>=1.0,<2`, versions, `latest-patch`, `latest: 5` or `since: 2021-03-01`");
        insta::assert_snapshot!(show("latest"), @"error: `latest` does not select releases (`latest` takes how many releases, from 1 on, and not ``): write specifiers such as `>=1.0,<2`, versions, `latest-patch`, `latest: 5` or `since: 2021-03-01`");
        insta::assert_snapshot!(show("since: spring"), @"error: `since: spring` does not select releases (`since`: `spring` is not a date: write `2021-03-01` or `2021-03-01T12:00:00Z`): write specifiers such as `>=1.0,<2`, versions, `latest-patch`, `latest: 5` or `since: 2021-03-01`");
        insta::assert_snapshot!(show("latest: 1, latest: 2"), @"error: `latest: 1, latest: 2` does not select releases (`latest` stands there twice): write specifiers such as `>=1.0,<2`, versions, `latest-patch`, `latest: 5` or `since: 2021-03-01`");
        insta::assert_snapshot!(show("newest"), @"error: `newest` does not select releases (`newest` is not known): write specifiers such as `>=1.0,<2`, versions, `latest-patch`, `latest: 5` or `since: 2021-03-01`");
        insta::assert_snapshot!(show(" "), @"error: `` does not select releases (it is empty): write specifiers such as `>=1.0,<2`, versions, `latest-patch`, `latest: 5` or `since: 2021-03-01`");
    }

    proptest! {
        #[test]
        fn what_is_printed_selects_the_same(
            text in prop_oneof![
                "(v?([0-9]!)?[0-9]\\.[0-9]{1,2}((a|RC)[0-9])?(\\.post[0-9])?(\\+[a-z0-9]{1,3})?, ?){0,3}[0-9]",
                "((>=|<=|>|<|!=|==|~=) ?[0-9]\\.[0-9]{1,2}((a|RC)[0-9])?, ?){0,3}(==|!=)[0-9]\\.\\*",
                "(latest-patch, ?)?(>=[0-9], ?)?(latest: ?[1-9], ?)?since: ?20[0-9]{2}-0[1-9]-1[0-9](T0[0-9]:00:00(Z|\\+01:00))?",
            ],
        ) {
            let versions: Versions = text.parse().unwrap();
            prop_assert_eq!(versions.to_string().parse::<Versions>().unwrap(), versions);
        }
    }
}
