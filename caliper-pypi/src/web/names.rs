use caliper_core::names::PackageName;
use caliper_core::question::grid::FileKind;
use pep440_rs::Version;

use crate::index::kind_of;
use crate::sdist::SdistName;
use crate::wheel::WheelName;

/// The projects and versions that a name may speak of, if it is one of a file that can be installed; the
/// likeliest first.
///
/// Nothing says where the project ends in an older source distribution's name: most likely at the first
/// dash behind which there is a version.
pub(crate) fn projects_of(filename: &str) -> Vec<(PackageName, Version)> {
    if kind_of(filename) == FileKind::Wheel {
        let wheel = filename.parse::<WheelName>().ok();
        let read =
            wheel.and_then(|wheel| Some((wheel.project().parse().ok()?, wheel.version().clone())));
        return read.into_iter().collect();
    }
    let read = filename.match_indices('-').filter_map(|(dash, _)| {
        let project: PackageName = filename[..dash].parse().ok()?;
        let sdist = SdistName::parse(filename, &project).ok()?;
        Some((project, sdist.version().clone()))
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_project() {
        let cases: &[(&str, &[(&str, &str)])] = &[
            ("demo-1.0-py3-none-any.whl", &[("demo", "1.0")]),
            ("a-b-1.0.tar.gz", &[("a-b", "1.0")]),
            ("a-2-1.0.zip", &[("a-2", "1.0")]),
            ("a-1-2-1.0.zip", &[("a-1-2", "1.0")]),
            ("demo-1.0.tar.gz.yanked", &[]),
            ("demo-1.0.tar.gz.uploaded", &[]),
            ("notes.txt", &[]),
        ];
        for (filename, expected) in cases {
            let found: Vec<_> = projects_of(filename)
                .into_iter()
                .map(|(project, version)| (project.normalized().to_owned(), version.to_string()))
                .collect();
            let expected: Vec<_> = expected
                .iter()
                .map(|(project, version)| ((*project).to_owned(), (*version).to_owned()))
                .collect();
            assert_eq!(found, expected, "{filename}");
        }
    }
}
