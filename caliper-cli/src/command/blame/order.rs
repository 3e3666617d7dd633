//! Which packages require which, from the metadata of their wheels.

use std::collections::{BTreeMap, BTreeSet};

use caliper_core::analysis::blame::Pin;
use caliper_core::names::{PackageName, Timestamp};
use caliper_core::question::grid::{Choice, FileKind};
use caliper_core::question::interpreter::Interpreter;
use caliper_core::question::selection::{Selection, Versions};
use caliper_pypi::download::Downloader;
use caliper_pypi::index::{PackageIndex as _, Release};
use caliper_pypi::resolve::resolve_project;

use crate::sources::Index;

/// What each package requires that differs, as far as its wheel tells, by a request or two.
///
/// It only makes a search shorter. So what the index does not tell is left out, and nothing is asked if there is no
/// more than one order.
pub(super) fn requires(
    pins: &[Pin],
    as_of: Option<Timestamp>,
    interpreter: &Interpreter,
    index: &Index,
    downloader: &Downloader,
) -> BTreeMap<PackageName, BTreeSet<PackageName>> {
    if pins.len() < 3 {
        return BTreeMap::new();
    }
    let of = |pin: &Pin| -> Option<BTreeSet<PackageName>> {
        let version = pin.to.as_ref().or(pin.from.as_ref())?;
        let project = index.client.project(&pin.name).ok()?;
        let selection = Selection {
            versions: Versions::Listed(vec![version.clone()]),
            yanked: true,
            pre: true,
            as_of,
            ..Selection::default()
        };
        let grid =
            resolve_project(&project, &pin.name, &selection, std::slice::from_ref(interpreter))
                .ok()?;
        let Choice::File { file, .. } = grid.cells.into_iter().next()?.choice else { return None };
        if file.kind != FileKind::Wheel {
            return None;
        }
        let mut files = project.releases().iter().flat_map(Release::files);
        let file = files.find(|known| known.file.filename == file.filename)?;
        let metadata = downloader.metadata(file).ok()?.metadata;
        Some(metadata.requires_dist.iter().filter_map(|text| name(text)).collect())
    };
    pins.iter().filter_map(|pin| Some((pin.name.clone(), of(pin)?))).collect()
}

/// The name of a requirement that holds without an extra.
fn name(requirement: &str) -> Option<PackageName> {
    if requirement.split_once(';').is_some_and(|(_, marker)| marker.contains("extra")) {
        return None;
    }
    PackageName::split(requirement).0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_of_extras_do_not_count() {
        let named = |text: &str| name(text).map(|name| name.to_string());
        assert_eq!(named("MarkupSafe (>=0.23)").as_deref(), Some("MarkupSafe"));
        assert_eq!(named("tzdata>=2022.1; sys_platform == 'win32'").as_deref(), Some("tzdata"));
        assert_eq!(named("numpy[all]>=1"), Some("numpy".to_owned()));
        assert_eq!(named("pytest>=7; extra == 'test'"), None);
        assert_eq!(named("-bad"), None);
    }
}
