//! The choice for one cell.

use std::cmp::Reverse;

use caliper_core::question::grid::{Choice, DistFile, Missing, MissingReason};
use caliper_core::question::interpreter::Interpreter;
use caliper_core::question::selection::{SdistPolicy, Selection};

use super::releases::{Selected, existed_file};
use super::requires_python::Admitted;
use crate::compatibility::{Nearness, SupportedTags};
use crate::index::{FileName, ProjectFile};
use crate::wheel::BuildTag;

/// One Python of the grid.
pub(super) struct Column<'a> {
    pub(super) interpreter: &'a Interpreter,
    pub(super) tags: SupportedTags,
    pub(super) admitted: Admitted<'a>,
}

/// What keeps a file out although its tag fits, the nearest to being taken last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Obstacle {
    RequiresPython,
    NoUploadTime,
    Yanked,
    None,
}

/// How pip ranks the files that can be installed: the greatest is taken.
///
/// The same key as `CandidateEvaluator._sort_key` of pip, with the name of the file behind it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Preference<'a> {
    obstacle: Obstacle,
    not_yanked: bool,
    /// `None`, a source distribution, comes last.
    rank: Option<Reverse<u32>>,
    build: Option<&'a BuildTag>,
    filename: Reverse<&'a str>,
}

/// The file for one release and Python, or why no file fits.
pub(super) fn choose(
    selected: &Selected<'_>,
    column: &Column<'_>,
    selection: &Selection,
) -> Choice {
    let yanked_allowed = selected.pinned || selection.yanked;
    let files = selected.release.files().iter().filter(|file| existed_file(file, selection));
    let fitting = files.clone().filter_map(|file| {
        let (rank, build) = match (&file.name, selection.sdist) {
            (FileName::Wheel(wheel), SdistPolicy::Fallback | SdistPolicy::Never) => {
                (Some(Reverse(column.tags.rank(wheel)?)), wheel.build())
            }
            (FileName::Sdist(sdist), SdistPolicy::Fallback | SdistPolicy::Only)
                if sdist.is_for(column.interpreter.python) =>
            {
                (None, None)
            }
            _ => return None,
        };
        let facts = &file.file;
        let obstacle = if !admits(column, facts) {
            Obstacle::RequiresPython
        } else if selection.as_of.is_some()
            && selection.unknown_upload_time.excludes()
            && facts.upload_time.is_none()
        {
            Obstacle::NoUploadTime
        } else if facts.yanked && !yanked_allowed {
            Obstacle::Yanked
        } else {
            Obstacle::None
        };
        let not_yanked = !facts.yanked;
        let filename = Reverse(facts.filename.as_str());
        Some((Preference { obstacle, not_yanked, rank, build, filename }, facts))
    });
    let Some((preference, file)) = fitting.max_by(|(a, _), (b, _)| a.cmp(b)) else {
        return Choice::Missing(nothing_fits(&files, column, selection));
    };
    let reason = match preference.obstacle {
        Obstacle::None => {
            let abi = column.interpreter.abi.clone();
            return Choice::File { file: file.clone(), abi };
        }
        Obstacle::RequiresPython => MissingReason::RequiresPython,
        Obstacle::NoUploadTime => MissingReason::NoUploadTime,
        Obstacle::Yanked => MissingReason::Yanked,
    };
    Choice::Missing(Missing { reason, nearest: Some(file.filename.clone()), mismatch: None })
}

fn admits(column: &Column<'_>, file: &DistFile) -> bool {
    column.admitted.allows(file.requires_python.as_deref())
}

/// Why no file of a release fits, and which came nearest.
fn nothing_fits<'a>(
    files: &(impl Iterator<Item = &'a ProjectFile> + Clone),
    column: &Column<'_>,
    selection: &Selection,
) -> Missing {
    let taken = |file: &&ProjectFile| match (&file.name, selection.sdist) {
        (FileName::Wheel(_), SdistPolicy::Only) | (FileName::Sdist(_), SdistPolicy::Never) => false,
        (FileName::Wheel(_) | FileName::Sdist(_), _) => true,
    };
    let candidates = files.clone().filter(taken);
    let nearest: Option<((Nearness, Reverse<&str>), &ProjectFile)> = candidates
        .clone()
        .filter_map(|file| match &file.name {
            FileName::Wheel(wheel) => {
                let name = Reverse(file.file.filename.as_str());
                Some(((column.tags.nearness(wheel), name), file))
            }
            FileName::Sdist(_) => None,
        })
        .max_by(|(a, _), (b, _)| a.cmp(b));
    let Some(((nearness, name), _)) = nearest else {
        let reason = match (candidates.clone().next(), files.clone().next(), selection.sdist) {
            // Archives for one other Python.
            (Some(_), _, _) => MissingReason::NoCompatibleWheel,
            (None, Some(_), SdistPolicy::Never) => MissingReason::SdistOnly,
            (None, _, _) => MissingReason::NoFiles,
        };
        return Missing { reason, nearest: None, mismatch: None };
    };
    // No tag fits; but if no file wants this Python either, that says more.
    let reason = if candidates.clone().any(|file| admits(column, &file.file)) {
        MissingReason::NoCompatibleWheel
    } else {
        MissingReason::RequiresPython
    };
    Missing { reason, nearest: Some(name.0.to_owned()), mismatch: nearness.mismatch }
}
