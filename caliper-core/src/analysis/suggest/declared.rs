use std::fmt;
use std::str::FromStr as _;

use pep440_rs::{Version, VersionSpecifiers};
use serde::{Deserialize, Serialize};

use super::Known;
use super::clause::{Release, allows};
use crate::names::excerpt;

/// A declared specifier compared with the evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Declared {
    /// The specifier, as declared.
    pub specifier: String,
    /// The releases that it allows and that fail, oldest first. One of them is enough to refute it.
    #[schemars(with = "Vec<String>")]
    pub refuted_by: Vec<Version>,
    /// The releases that it excludes although they pass, oldest first: it is narrower than necessary.
    #[schemars(with = "Vec<String>")]
    pub too_narrow_for: Vec<Version>,
    /// The releases that it allows and that were not measured, oldest first.
    #[schemars(with = "Vec<String>")]
    pub unproven: Vec<Version>,
    /// How many of the releases that it allows pass.
    pub passing: usize,
    /// The oldest and the newest release that was measured; `None` if none was. Of what it allows beyond these
    /// nothing is known.
    #[schemars(with = "Option<[String; 2]>")]
    pub measured: Option<[Version; 2]>,
}

impl Declared {
    /// Whether some release that it allows passes, and none that was measured fails.
    pub fn holds(&self) -> bool {
        self.refuted_by.is_empty() && self.passing > 0
    }
}

/// Compares a declared specifier with the evidence about the releases.
///
/// # Errors
///
/// [`ParseSpecifierError`] if it is not a PEP 440 specifier. An empty one allows everything.
pub fn check(
    declared: &str,
    releases: &[(Version, Known)],
) -> Result<Declared, ParseSpecifierError> {
    let specifiers = parsed(declared)?;
    Ok(Declared {
        specifier: declared.trim().to_owned(),
        ..check_specifiers(&specifiers, releases)
    })
}

/// As [`check`], of a specifier that was read.
pub(super) fn check_specifiers(
    specifiers: &VersionSpecifiers,
    releases: &[(Version, Known)],
) -> Declared {
    let releases = Release::sorted(releases);
    let with = |known, allowed: bool| -> Vec<Version> {
        releases
            .iter()
            .filter(|release| release.known == known)
            .filter(|release| {
                specifiers.iter().all(|clause| allows(clause, release.version)) == allowed
            })
            .map(|release| release.version.clone())
            .collect()
    };
    let mut measured = releases.iter().filter(|release| release.known != Known::Unmeasured);
    let oldest = measured.next();
    let newest = measured.next_back().or(oldest);
    Declared {
        specifier: specifiers.to_string(),
        refuted_by: with(Known::Failed, true),
        too_narrow_for: with(Known::Passed, false),
        unproven: with(Known::Unmeasured, true),
        passing: with(Known::Passed, true).len(),
        measured: oldest
            .zip(newest)
            .map(|(oldest, newest)| [oldest.version.clone(), newest.version.clone()]),
    }
}

/// Why a text is not a specifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a version specifier ({detail}): write it as PEP 440 does, such as `>=1.0,<2`"
)]
pub struct ParseSpecifierError {
    text: String,
    detail: String,
}

/// Reads a specifier; an empty one allows everything.
pub(super) fn parsed(text: &str) -> Result<VersionSpecifiers, ParseSpecifierError> {
    if text.trim().is_empty() {
        return Ok(VersionSpecifiers::empty());
    }
    VersionSpecifiers::from_str(text.trim()).map_err(|source| {
        // The first line is the message; the others repeat the text with a marker.
        let detail = source.to_string().lines().next().unwrap_or_default().to_owned();
        let detail = detail.strip_prefix("Failed to parse version: ").unwrap_or(&detail);
        let detail = excerpt(detail.trim_end_matches(':'), 160);
        ParseSpecifierError { text: excerpt(text.trim(), 80), detail }
    })
}

impl fmt::Display for Declared {
    /// A line for each finding, without a line break at the end.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let specifier = if self.specifier.is_empty() { "any release" } else { &self.specifier };
        match self.refuted_by.as_slice() {
            [] if self.passing == 0 => {
                write!(formatter, "{specifier}: untested, it allows no release that was measured")?;
            }
            [] => {
                let passing = match self.passing {
                    1 => "1 passing release".to_owned(),
                    more => format!("{more} passing releases"),
                };
                write!(formatter, "{specifier}: holds, it allows {passing} and no failing one")?;
            }
            failing => {
                write!(formatter, "{specifier}: refuted, it allows {}", list(failing, "failing"))?;
            }
        }
        if let Some([oldest, newest]) =
            self.measured.as_ref().filter(|_| self.refuted_by.is_empty())
        {
            write!(formatter, " (oldest measured: {oldest}, newest: {newest})")?;
        }
        if !self.too_narrow_for.is_empty() {
            let passing = list(&self.too_narrow_for, "passing");
            write!(formatter, "\n{specifier}: too narrow, it excludes {passing}")?;
        }
        if !self.unproven.is_empty() {
            let unproven = list(&self.unproven, "unmeasured");
            write!(formatter, "\n{specifier}: without evidence, it allows {unproven}")?;
        }
        Ok(())
    }
}

/// `2 failing releases: 1.0, 1.1`, shortened with `…` if there are many.
fn list(versions: &[Version], kind: &str) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = versions.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = if versions.len() > SHOWN { ", …" } else { "" };
    let releases = if versions.len() == 1 { "release" } else { "releases" };
    format!("{} {kind} {releases}: {}{more}", versions.len(), shown.join(", "))
}
