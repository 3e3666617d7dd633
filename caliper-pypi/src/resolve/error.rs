use caliper_core::names::{AbiTag, PackageName, PythonVersion, Timestamp};
use pep440_rs::Version;

use crate::index::IndexError;

/// Why there is no grid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The index did not answer.
    #[error("could not learn which releases `{package}` has")]
    Index {
        /// The project that was asked for.
        package: PackageName,
        /// Why.
        source: Box<IndexError>,
    },
    /// The project has no release that could be selected.
    #[error(
        "`{package}` has no releases{}",
        match as_of {
            Some(moment) => format!(" that were uploaded by {moment}: choose a later date"),
            None => " on this index".to_owned(),
        }
    )]
    NoRelease {
        /// The project.
        package: PackageName,
        /// The date limit, if there is one.
        as_of: Option<Timestamp>,
    },
    /// A release was asked for by its version and does not exist.
    #[error(
        "`{package}` has no release {version}{}: {}",
        match as_of {
            Some(moment) => format!(" that was uploaded by {moment}"),
            None => String::new(),
        },
        match &nearest[..] {
            [] => "it has no others".to_owned(),
            [one] => format!("the nearest is {one}"),
            [low, high, ..] => format!("the nearest are {low} and {high}"),
        }
    )]
    NotListed {
        /// The project.
        package: PackageName,
        /// The version that was asked for.
        version: Version,
        /// The next older and the next newer release, as far as they exist.
        nearest: Vec<Version>,
        /// The date limit, if there is one.
        as_of: Option<Timestamp>,
    },
    /// No release is selected, although there are some.
    #[error("{versions} selects none of the {count} releases of `{package}` ({first} to {last})")]
    Empty {
        /// The project.
        package: PackageName,
        /// What was asked for.
        versions: String,
        /// How many releases there are.
        count: usize,
        /// The oldest.
        first: Version,
        /// The newest.
        last: Version,
    },
    /// Releases are chosen by their dates, and the index does not tell them.
    #[error(
        "the index does not say when `{package}` {version} was uploaded, so `since` cannot choose: leave \
         it out, or use an index that does"
    )]
    NoUploadTime {
        /// The project.
        package: PackageName,
        /// The first release without a date.
        version: Version,
    },
    /// The index is looked at as of a date, and does not tell the dates of its files.
    #[error(
        "the index does not say when any file of `{package}` was uploaded, so it cannot be looked at as of \
         {}: leave the date out, or use an index that says",
        as_of.map_or_else(|| "its releases".to_owned(), |moment| moment.to_string())
    )]
    NoUploadTimes {
        /// The project.
        package: PackageName,
        /// The date; `None` for that of each release.
        as_of: Option<Timestamp>,
    },
    /// Two different interpreters are the same Python, so they would share a column of the grid.
    #[error(
        "two different interpreters are Python {python} ({} and {}): choose one of them",
        abis[0], abis[1]
    )]
    SamePython {
        /// The Python.
        python: PythonVersion,
        /// The ABI tags of the two.
        abis: [AbiTag; 2],
    },
}
