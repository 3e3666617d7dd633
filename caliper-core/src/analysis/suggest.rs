//! From results to requirements: which specifier the evidence supports, and whether a declared one
//! holds.
//!
//! [`suggest`] finds the shortest [PEP 440 specifier](https://peps.python.org/pep-0440/#version-specifiers)
//! that allows exactly the releases that pass, among those that were measured. [`check`] holds the
//! specifier that a project declares against the same evidence, and [`ProjectFile`] reads it from a
//! `pyproject.toml` and the like.
//!
//! Specifiers are understood as PyPA's `packaging` does when pre-releases are admitted: whether an
//! installer then *takes* a pre-release is its own matter (it does if the specifier names one, or if
//! it is told to). Three of the rules surprise: `<2.0` excludes 2.0rc1, `!=1.0` excludes 1.0+local
//! too, and `==1.0` allows it.

mod candidates;
mod clause;
mod declared;
mod evidence;
mod files;
mod held;
pub(in crate::analysis) mod literal;
mod overtaken;
mod project;
mod setup_py;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

pub use candidates::{Candidate, OtherBound, candidates};
pub use declared::{Declared, ParseSpecifierError, check};
pub use evidence::{Columns, on_python, releases};
pub use files::ProjectFile;
pub(in crate::analysis) use files::entries;
pub use held::{held, held_python};
pub use overtaken::{Overtaken, overtaken};
pub use project::{
    Declaration, ProjectError, Requirement, Requirements, Section, declarations, requires_python,
};

use crate::analysis::row::State;
use crate::names::PythonVersion;
pub(in crate::analysis) use clause::allows;
use clause::{Clause, Release};

/// What is known of a release.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// It passes.
    Passed,
    /// It fails, or passes only sometimes.
    Failed,
    /// Nobody measured it, or there is nothing to install.
    Unmeasured,
}

impl From<State> for Known {
    fn from(state: State) -> Self {
        match state {
            State::Passed => Self::Passed,
            // Nobody wants a dependency that works sometimes.
            State::Failed | State::Flaky => Self::Failed,
            State::Unmeasured | State::Unavailable => Self::Unmeasured,
        }
    }
}

/// What the evidence supports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Suggested {
    /// This specifier.
    Specifier(Suggestion),
    /// None, because no measured release passes.
    NothingPasses,
    /// None, because no specifier excludes these releases that fail and allows all that pass: they
    /// differ from one that passes only in a local version that only that one has.
    Inseparable {
        /// The releases, oldest first.
        #[schemars(with = "Vec<String>")]
        failing: Vec<Version>,
    },
}

/// A specifier that allows every measured release that passes, and none that fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Suggestion {
    /// The specifier, such as `>=2.0,<3,!=2.4.*`.
    pub specifier: String,
    /// How many clauses it has.
    pub clauses: usize,
    /// Whether no measured release fails. Any specifier would do then; this one says from where on
    /// that is known.
    pub nothing_fails: bool,
    /// The releases that pass, oldest first. It allows them all.
    #[schemars(with = "Vec<String>")]
    pub allows: Vec<Version>,
    /// The releases that it allows and nobody measured, oldest first.
    #[schemars(with = "Vec<String>")]
    pub unproven: Vec<Version>,
    /// The releases that it excludes and nobody measured, oldest first.
    #[schemars(with = "Vec<String>")]
    pub unproven_excluded: Vec<Version>,
}

/// The shortest specifier that allows exactly the releases that pass, among those measured.
///
/// `releases` are all that are known, in any order; a release that stands there twice counts as
/// failing if it fails once. What the specifier says of releases that were not measured is listed
/// and never decides over its length. Of specifiers of one length:
///
/// - bounds come before exclusions, and both before `==`;
/// - a lower bound is the oldest release that passes, because nothing older is known to;
/// - an upper bound is there only if a newer release fails. It is the shortest number that excludes
///   the same as the first failing release would: `<2.1` and not `<2.1.3`;
/// - `!=2.4.*` stands for several releases that fail, and not for one.
///
/// Every clause means the same to `packaging` and to [`pep440_rs`] for the releases at hand.
pub fn suggest(releases: &[(Version, Known)]) -> Suggested {
    let releases = Release::sorted(releases);
    let with = |known: Known| releases.iter().filter(move |release| release.known == known);
    let Some(lowest) = with(Known::Passed).next() else { return Suggested::NothingPasses };
    let clauses = if with(Known::Failed).next().is_none() {
        vec![Clause::at_least(lowest.version)]
    } else {
        match clause::shortest(&releases) {
            Ok(clauses) => clauses,
            Err(failing) => return Suggested::Inseparable { failing },
        }
    };
    let allowed =
        |release: &&Release<'_>| clauses.iter().all(|clause| clause.allows(release.version));
    let versions = |known, wanted: bool| -> Vec<Version> {
        with(known)
            .filter(|release| allowed(release) == wanted)
            .map(|release| release.version.clone())
            .collect()
    };
    let texts: Vec<String> = clauses.iter().map(ToString::to_string).collect();
    Suggested::Specifier(Suggestion {
        specifier: texts.join(","),
        clauses: texts.len(),
        nothing_fails: with(Known::Failed).next().is_none(),
        allows: versions(Known::Passed, true),
        unproven: versions(Known::Unmeasured, true),
        unproven_excluded: versions(Known::Unmeasured, false),
    })
}

/// The `requires-python` that the evidence supports: which Pythons have passing results.
///
/// A Python here is a feature release, and the specifier is about all of its patch releases, so it
/// says `!=3.9.*` where it leaves one out. Free-threaded builds have the same version as the others
/// and cannot be told apart by it; they are left out.
pub fn suggest_python(pythons: &[(PythonVersion, Known)]) -> Suggested {
    // The feature release and one with a patch number: what holds for both holds for all of them.
    let patch = |python: PythonVersion, patch: &[u64]| {
        Version::new([u64::from(python.major()), u64::from(python.minor())].iter().chain(patch))
    };
    let releases: Vec<(Version, Known)> = pythons
        .iter()
        .filter(|(python, _)| !python.is_free_threaded())
        .flat_map(|(python, known)| {
            [(patch(*python, &[]), *known), (patch(*python, &[99]), *known)]
        })
        .collect();
    let feature = |versions: Vec<Version>| -> Vec<Version> {
        versions.into_iter().filter(|version| version.release().len() == 2).collect()
    };
    match suggest(&releases) {
        Suggested::Specifier(suggestion) => Suggested::Specifier(Suggestion {
            allows: feature(suggestion.allows),
            unproven: feature(suggestion.unproven),
            unproven_excluded: feature(suggestion.unproven_excluded),
            ..suggestion
        }),
        other @ (Suggested::NothingPasses | Suggested::Inseparable { .. }) => other,
    }
}

#[cfg(test)]
mod tests;
