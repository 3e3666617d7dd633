use std::collections::{BTreeSet, HashSet};

use caliper_core::names::PythonVersion;
use caliper_core::question::selection::{SdistPolicy, Selection};

use super::releases::{existed_file, select};
use crate::index::{FileName, Project};
use crate::tag::PlatformTag;
use crate::wheel::WheelName;

/// The Pythons that the files of a project are made for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PythonsMadeFor {
    /// The `CPython`s that wheels for Linux name with their own ABI or tag.
    pub exact: BTreeSet<PythonVersion>,
    /// Whether some file is for no one Python: a pure wheel, one with the stable ABI, or a source
    /// distribution.
    pub any: bool,
}

/// Which Pythons the selected releases of `project` are made for, on Linux of any kind.
///
/// Withdrawn files count only if the selection takes them. A selection that selects nothing gives
/// no Pythons.
pub fn pythons_made_for(project: &Project, selection: &Selection) -> PythonsMadeFor {
    let mut made_for = PythonsMadeFor::default();
    // Thousands of wheels share a few hundred sets of tags.
    let mut seen = HashSet::new();
    let Ok(releases) = select(project, project.name(), selection) else {
        return made_for;
    };
    for selected in releases {
        let files = selected.release.files().iter().filter(|file| {
            let dated = selection.as_of.is_none()
                || !selection.unknown_upload_time.excludes()
                || file.file.upload_time.is_some();
            let offered = !file.file.yanked || selected.pinned || selection.yanked;
            dated && offered && existed_file(file, selection)
        });
        for file in files {
            match &file.name {
                FileName::Sdist(_) => made_for.any |= selection.sdist != SdistPolicy::Never,
                FileName::Wheel(wheel) if selection.sdist != SdistPolicy::Only => {
                    if seen.insert(wheel.tag_sets()) {
                        add(wheel, &mut made_for);
                    }
                }
                FileName::Wheel(_) => {}
            }
        }
    }
    made_for
}

/// The `CPython`s that still get security fixes, oldest first.
///
/// Source: <https://devguide.python.org/versions/>, November 2026.
pub const SUPPORTED_PYTHONS: &[PythonVersion] = &[
    PythonVersion::new(3, 11),
    PythonVersion::new(3, 12),
    PythonVersion::new(3, 13),
    PythonVersion::new(3, 14),
    PythonVersion::new(3, 15),
];

/// The Pythons to lay a grid out for where the user names none: those that the selected files of
/// `project` are made for. If a file fits any Python, those that are `present` are added. Where none
/// are present, or no file names a Python, [`SUPPORTED_PYTHONS`] are added.
///
/// `present` is only called if its answer matters, because asking a container engine takes time. It
/// returns nothing where nothing says which Pythons there are.
///
/// # Errors
///
/// As `present`.
pub fn pythons_wanted<E>(
    project: &Project,
    selection: &Selection,
    present: impl FnOnce() -> Result<Vec<PythonVersion>, E>,
) -> Result<BTreeSet<PythonVersion>, E> {
    let PythonsMadeFor { exact: mut wanted, any } = pythons_made_for(project, selection);
    let present = if any { present()? } else { Vec::new() };
    let known = if present.is_empty() { SUPPORTED_PYTHONS } else { &present };
    if any || wanted.is_empty() {
        wanted.extend(known);
    }
    Ok(wanted)
}

fn add(wheel: &WheelName, made_for: &mut PythonsMadeFor) {
    if !wheel.platforms().any(|platform| PlatformTag::of(platform).is_for_linux()) {
        return;
    }
    for python in wheel.pythons() {
        // `py3` and `py311` are for any interpreter of the language.
        let generic = python.strip_prefix("py");
        if generic.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit())) {
            made_for.any = true;
            continue;
        }
        // Of other interpreters, such as `pp39`.
        let Ok(version) = python.parse::<PythonVersion>() else {
            continue;
        };
        for abi in wheel.abis() {
            match abi {
                "abi3" | "abi3t" => made_for.any = true,
                "none" => _ = made_for.exact.insert(version),
                abi if abi.starts_with(python) => {
                    let free_threaded = abi[python.len()..].starts_with('t');
                    made_for.exact.insert(version.with_free_threading(free_threaded));
                }
                _ => {}
            }
        }
    }
}
