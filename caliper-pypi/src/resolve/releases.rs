//! Which releases are looked at.

use caliper_core::names::PackageName;
use caliper_core::selection::{Selection, Versions};
use pep440_rs::{Operator, Version, VersionSpecifiers};

use super::ResolveError;
use crate::index::{Project, ProjectFile, Release};

/// A release that is looked at.
pub(super) struct Selected<'a> {
    pub(super) release: &'a Release,
    /// Whether it is pinned exactly, so that withdrawn files may be taken
    /// ([PEP 592](https://peps.python.org/pep-0592/#installers)).
    pub(super) pinned: bool,
}

/// The releases that `selection` asks for, the oldest first.
pub(super) fn select<'a>(
    project: &'a Project,
    package: &PackageName,
    selection: &Selection,
) -> Result<Vec<Selected<'a>>, ResolveError> {
    let existing: Vec<&Release> =
        project.releases().iter().filter(|release| existed(release, selection)).collect();
    let (Some(first), Some(last)) = (existing.first(), existing.last()) else {
        return Err(ResolveError::NoRelease { package: package.clone(), as_of: selection.as_of });
    };
    let mut selected: Vec<Selected<'a>> = match &selection.versions {
        Versions::All => finals(existing.iter().copied(), selection.pre, false),
        Versions::Matching(specifiers) => {
            let matching =
                existing.iter().copied().filter(|release| specifiers.contains(release.version()));
            finals(matching, selection.pre || name_a_pre_release(specifiers), pin(specifiers))
        }
        Versions::Listed(versions) => {
            let mut listed = Vec::with_capacity(versions.len());
            for version in versions {
                let place = existing.binary_search_by(|release| release.version().cmp(version));
                let Ok(place) = place else {
                    return Err(not_listed(package, version, &existing, selection));
                };
                listed.push(Selected { release: existing[place], pinned: true });
            }
            listed
        }
    };
    if selected.is_empty() {
        return Err(ResolveError::Empty {
            package: package.clone(),
            versions: format!("`{}`", selection.versions),
            count: existing.len(),
            first: first.version().clone(),
            last: last.version().clone(),
        });
    }
    selected.sort_by(|a, b| a.release.version().cmp(b.release.version()));
    selected.dedup_by(|a, b| a.release.version() == b.release.version());
    Ok(selected)
}

/// Whether a file existed at the date limit. One without an upload time may have.
pub(super) fn existed_file(file: &ProjectFile, selection: &Selection) -> bool {
    match (selection.as_of, file.file.upload_time) {
        (Some(limit), Some(uploaded)) => uploaded <= limit,
        _ => true,
    }
}

fn existed(release: &Release, selection: &Selection) -> bool {
    let files = release.files();
    // Nobody knows when a release without files was made: with a date limit it is not counted.
    (files.is_empty() && selection.as_of.is_none())
        || files.iter().any(|file| existed_file(file, selection))
}

/// Leaves out pre-releases, unless they are asked for or there is nothing else
/// ([PEP 440](https://peps.python.org/pep-0440/#handling-of-pre-releases)).
fn finals<'a>(
    releases: impl Iterator<Item = &'a Release>,
    pre: bool,
    pinned: bool,
) -> Vec<Selected<'a>> {
    let mut selected: Vec<_> = releases.map(|release| Selected { release, pinned }).collect();
    let is_final = |selected: &Selected<'_>| !selected.release.version().any_prerelease();
    if !pre && selected.iter().any(is_final) {
        selected.retain(is_final);
    }
    selected
}

fn name_a_pre_release(specifiers: &VersionSpecifiers) -> bool {
    specifiers.iter().any(|specifier| {
        specifier.version().any_prerelease()
            && !matches!(specifier.operator(), Operator::NotEqual | Operator::NotEqualStar)
    })
}

fn pin(specifiers: &VersionSpecifiers) -> bool {
    specifiers
        .iter()
        .any(|specifier| matches!(specifier.operator(), Operator::Equal | Operator::ExactEqual))
}

fn not_listed(
    package: &PackageName,
    version: &Version,
    existing: &[&Release],
    selection: &Selection,
) -> ResolveError {
    let place = existing.partition_point(|release| release.version() < version);
    let older = place.checked_sub(1).and_then(|place| existing.get(place));
    let nearest = older.into_iter().chain(existing.get(place));
    ResolveError::NotListed {
        package: package.clone(),
        version: version.clone(),
        nearest: nearest.map(|release| release.version().clone()).collect(),
        as_of: selection.as_of,
    }
}
