//! Which releases are looked at.

use caliper_core::names::{PackageName, Timestamp};
use caliper_core::question::selection::{Among, Selection, Versions};
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
    let mut files = existing.iter().flat_map(|release| release.files()).peekable();
    if let Some(as_of) = selection.as_of
        && selection.unknown_upload_time.excludes()
        && files.peek().is_some()
        && files.all(|file| file.file.upload_time.is_none())
    {
        return Err(ResolveError::NoUploadTimes { package: package.clone(), as_of: Some(as_of) });
    }
    let (Some(first), Some(last)) = (existing.first(), existing.last()) else {
        return Err(ResolveError::NoRelease { package: package.clone(), as_of: selection.as_of });
    };
    let mut selected: Vec<Selected<'a>> = match &selection.versions {
        Versions::Among(among) => {
            let specifiers = &among.specifiers;
            let matching =
                existing.iter().copied().filter(|release| specifiers.contains(release.version()));
            let pre = selection.pre || name_a_pre_release(specifiers);
            let matching = finals(matching, pre, pin(specifiers));
            narrow(matching, among, package, selection)?
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

/// The final releases with files that were not withdrawn, and that are not among those that are looked at.
pub(super) fn left_out(
    project: &Project,
    selection: &Selection,
    selected: &[Selected<'_>],
) -> Vec<Version> {
    let is_offered = |release: &&Release| {
        let mut files = release.files().iter();
        !release.version().any_prerelease()
            && files.any(|file| existed_file(file, selection) && !file.file.yanked)
    };
    let is_selected = |version: &Version| {
        selected.binary_search_by(|one| one.release.version().cmp(version)).is_ok()
    };
    let offered = project.releases().iter().filter(is_offered).map(Release::version);
    offered.filter(|version| !is_selected(version)).cloned().collect()
}

/// Leaves of the matching releases, the oldest first, what the rest of the rule picks.
fn narrow<'a>(
    mut selected: Vec<Selected<'a>>,
    among: &Among,
    package: &PackageName,
    selection: &Selection,
) -> Result<Vec<Selected<'a>>, ResolveError> {
    if let Some(since) = among.since {
        // Of a release without files nothing can be told, and nothing be installed.
        selected.retain(|selected| !selected.release.files().is_empty());
        for selected in &selected {
            if first_upload(selected.release).is_none() {
                let version = selected.release.version().clone();
                return Err(ResolveError::NoUploadTime { package: package.clone(), version });
            }
        }
        selected.retain(|selected| first_upload(selected.release) >= Some(since));
    }
    if among.latest_patch || among.latest.is_some() {
        selected.retain(|selected| {
            let mut files = selected.release.files().iter();
            let taken = |file: &ProjectFile| {
                existed_file(file, selection)
                    && (!file.file.yanked || selection.yanked || selected.pinned)
            };
            files.any(taken)
        });
    }
    if among.latest_patch {
        let minor = |selected: &Selected<'_>| {
            let version = selected.release.version();
            let number = |place| version.release().get(place).copied().unwrap_or(0);
            (version.epoch(), number(0), number(1))
        };
        // The newest comes last, and is what stays.
        selected.reverse();
        selected.dedup_by_key(|selected| minor(selected));
        selected.reverse();
    }
    if let Some(latest) = among.latest {
        let surplus = selected.len().saturating_sub(latest.get() as usize);
        selected.drain(..surplus);
    }
    Ok(selected)
}

/// When the first file of a release was uploaded, as far as the index says.
fn first_upload(release: &Release) -> Option<Timestamp> {
    release.files().iter().filter_map(|file| file.file.upload_time).min()
}

/// Whether a file existed at the date limit. One without an upload time may have.
pub(super) fn existed_file(file: &ProjectFile, selection: &Selection) -> bool {
    match (selection.as_of, file.file.upload_time) {
        (Some(limit), Some(uploaded)) => uploaded <= limit,
        _ => true,
    }
}

/// Whether a release existed at the date limit.
pub(super) fn existed(release: &Release, selection: &Selection) -> bool {
    let files = release.files();
    // The date of a release without files is unknown: with a date limit it is not counted.
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
