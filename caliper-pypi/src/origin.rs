//! Which file of an index a distribution was installed from.
//!
//! An installed distribution does not tell, but it keeps the tags of its wheel
//! ([WHEEL](https://packaging.python.org/en/latest/specifications/binary-distribution-format/#file-contents)). The file
//! is the wheel of its release with exactly these tags, or else the source distribution that it was built from.

use std::collections::BTreeSet;

use caliper_core::names::Timestamp;
use caliper_core::question::grid::DistFile;
use caliper_core::question::interpreter::Interpreter;
use pep440_rs::Version;

use crate::compatibility::SupportedTags;
use crate::index::{FileName, Project, ProjectFile, Release};
use crate::wheel::WheelName;

/// What an installed distribution keeps of its wheel.
#[derive(Debug, Clone, Copy)]
pub struct BuiltWheel<'a> {
    /// The version of the distribution.
    pub version: &'a Version,
    /// The tags of the wheel, each written out; none of what was installed without one.
    pub tags: &'a [String],
    /// Its build tag.
    pub build: Option<&'a str>,
    /// The Python that it is installed for.
    pub interpreter: &'a Interpreter,
}

/// The file of `project` that `wheel` is, or was built from, of those that were there at `as_of`; `None` where that is
/// not certain.
///
/// ```
/// use caliper_core::question::interpreter::{Interpreter, Libc, Platform};
/// use caliper_pypi::index::Project;
/// use caliper_pypi::origin::{BuiltWheel, file_of};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let names = ["demo-1.0.tar.gz", "demo-1.0-py3-none-any.whl", "demo-1.0-cp311-cp311-linux_x86_64.whl"];
/// let project = Project::from_filenames("demo".parse()?, names);
/// let platform = Platform::Linux { arch: "x86_64".into(), libc: Libc::Glibc { major: 2, minor: 36 } };
/// let interpreter = Interpreter::assumed("3.11".parse()?, platform);
/// let (version, tags) = ("1.0".parse()?, ["py3-none-any".to_owned()]);
/// let wheel = BuiltWheel { version: &version, tags: &tags, build: None, interpreter: &interpreter };
/// let found = file_of(&project, &wheel, None).map(|file| file.filename.as_str());
/// assert_eq!(found, Some("demo-1.0-py3-none-any.whl"));
/// # Ok(())
/// # }
/// ```
pub fn file_of<'a>(
    project: &'a Project,
    wheel: &BuiltWheel<'_>,
    as_of: Option<Timestamp>,
) -> Option<&'a DistFile> {
    let release = project.releases().iter().find(|release| release.version() == wheel.version)?;
    let existed = |file: &&ProjectFile| {
        as_of.is_none_or(|as_of| file.file.upload_time.is_none_or(|time| time <= as_of))
    };
    let files: Vec<&ProjectFile> = Release::files(release).iter().filter(existed).collect();
    let wheels = || {
        files.iter().filter_map(|file| match &file.name {
            FileName::Wheel(name) => Some((name, &file.file)),
            FileName::Sdist(_) => None,
        })
    };
    let mut same = wheels().filter(|(name, _)| is_same(name, wheel)).map(|(_, file)| file);
    if let Some(first) = same.next() {
        return same.next().is_none().then_some(first);
    }
    // It has other tags than any wheel. If a wheel fits this Python, an installer would have taken that: then the file
    // says something else than its name, and nothing is certain.
    let supported = SupportedTags::of(wheel.interpreter);
    if wheels().any(|(name, _)| supported.mismatch(name).is_none()) {
        return None;
    }
    let mut sdists = files.iter().filter(|file| matches!(file.name, FileName::Sdist(_)));
    let first = sdists.next()?;
    sdists.next().is_none().then_some(&first.file)
}

/// Whether a wheel of this name has exactly the tags that were kept.
fn is_same(name: &WheelName, wheel: &BuiltWheel<'_>) -> bool {
    let named: BTreeSet<String> = name.tags().map(|tag| tag.to_string()).collect();
    let kept: BTreeSet<String> = wheel.tags.iter().map(|tag| tag.to_lowercase()).collect();
    let build = name.build().map(|build| format!("{}{}", build.number(), build.rest()));
    !kept.is_empty() && named == kept && build.as_deref() == wheel.build
}

#[cfg(test)]
mod tests {
    use caliper_core::question::interpreter::{Libc, Platform};

    use super::*;

    /// The files of a release; tags and build tag of what is installed; its file.
    type Case<'a> = (&'a [&'a str], &'a [&'a str], Option<&'a str>, Option<&'a str>);

    #[test]
    fn a_file_is_named_only_where_it_is_certain() {
        let many = "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64";
        let (many, both) = (
            format!("d-1-{many}.whl"),
            ["cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-manylinux2014_x86_64"],
        );
        let platform =
            Platform::Linux { arch: "x86_64".into(), libc: Libc::Glibc { major: 2, minor: 36 } };
        let interpreter = Interpreter::assumed("3.11".parse().unwrap(), platform);
        let version = "1.0".parse().unwrap();
        let found = |names: &[&str], tags: &[&str], build: Option<&str>| {
            let project = Project::from_filenames("d".parse().unwrap(), names.iter().copied());
            let tags: Vec<String> = tags.iter().map(ToString::to_string).collect();
            let wheel =
                BuiltWheel { version: &version, tags: &tags, build, interpreter: &interpreter };
            file_of(&project, &wheel, None).map(|file| file.filename.clone())
        };
        let cases: &[Case<'_>] = &[
            (&["d-1.tar.gz", &many], &both, None, Some(&many)),
            // A part of its tags is another wheel's.
            (&["d-1.tar.gz", &many], &both[..1], None, None),
            // Built here: of a release that has no wheel for this Python.
            (
                &["d-1.tar.gz", "d-1-cp39-cp39-win32.whl"],
                &["cp311-cp311-linux_x86_64"],
                None,
                Some("d-1.tar.gz"),
            ),
            // Installed without a wheel.
            (&["d-1.tar.gz"], &[], None, Some("d-1.tar.gz")),
            (&["d-1.tar.gz", "d-1.zip"], &[], None, None),
            (&["d-1.tar.gz", "d-1-py3-none-any.whl"], &[], None, None),
            // Told apart by the build tag.
            (
                &["d-1-py3-none-any.whl", "d-1-2b-py3-none-any.whl"],
                &["py3-none-any"],
                Some("2b"),
                Some("d-1-2b-py3-none-any.whl"),
            ),
            (
                &["d-1-py3-none-any.whl", "d-1-2b-py3-none-any.whl"],
                &["py3-none-any"],
                None,
                Some("d-1-py3-none-any.whl"),
            ),
            (&["d-2-py3-none-any.whl"], &["py3-none-any"], None, None),
        ];
        for (names, tags, build, expected) in cases {
            assert_eq!(found(names, tags, *build).as_deref(), *expected, "{names:?} {tags:?}");
        }
    }

    #[test]
    fn what_came_later_was_not_installed() {
        let mut project =
            Project::from_filenames("d".parse().unwrap(), ["d-1.tar.gz", "d-1-py3-none-any.whl"]);
        let times = [("d-1.tar.gz", "2020-01-01"), ("d-1-py3-none-any.whl", "2021-01-01")];
        let files = project.releases()[0].files().iter().map(|file| {
            let (_, time) = times.iter().find(|(name, _)| *name == file.file.filename).unwrap();
            DistFile { upload_time: Some(time.parse().unwrap()), ..file.file.clone() }
        });
        project = Project::from_files("d".parse().unwrap(), files.collect::<Vec<_>>());
        let platform =
            Platform::Linux { arch: "x86_64".into(), libc: Libc::Glibc { major: 2, minor: 36 } };
        let interpreter = Interpreter::assumed("3.11".parse().unwrap(), platform);
        let (version, tags) = ("1".parse().unwrap(), ["py3-none-any".to_owned()]);
        let wheel =
            BuiltWheel { version: &version, tags: &tags, build: None, interpreter: &interpreter };
        let found = |date: &str| {
            file_of(&project, &wheel, Some(date.parse().unwrap()))
                .map(|file| file.filename.as_str())
        };
        assert_eq!(
            (found("2020-06-01"), found("2022-01-01")),
            (Some("d-1.tar.gz"), Some("d-1-py3-none-any.whl"))
        );
    }
}
