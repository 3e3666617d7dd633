//! Which files the distributions in an image came from.
//!
//! pip does not record it. But what it installs keeps the tags of its wheel, and with name, version and tags the file
//! is found among those that an index has of that release. What pip did not install from an index is of the image.

use caliper_core::facts::record::{Installed, RecordedFile};
use caliper_core::names::PackageName;
use pep440_rs::Version;

use super::index::FromIndex;
use super::installed::{Inventory, Told};
use super::{DockerBackend, lock};
use crate::backend::EnvironmentRequest;

impl DockerBackend {
    /// Names the file of each distribution, as far as that is certain, and tells what is of the image. `base` is what
    /// the image has that it is built on.
    pub(super) fn name_files(
        &self,
        request: &EnvironmentRequest<'_>,
        installed: &mut [(Installed, &Told)],
        base: Option<&Inventory>,
    ) {
        self.name_own_file(request, installed);
        let Some(index) = &self.options.build_index else { return };
        let setup = request.setup;
        for (one, told) in installed {
            let Ok(name) = one.name.parse::<PackageName>() else { continue };
            // That of the dependency is known to its cell.
            if one.file.is_some() || name == *request.dependency {
                continue;
            }
            one.of_image = !told.is_of_index() || base.is_some_and(|base| base.has(told));
            let Ok(version) = one.version.parse::<Version>() else { continue };
            if one.of_image {
                continue;
            }
            let found = index.file_of(&FromIndex {
                name: &name,
                version: &version,
                tags: &told.tags,
                build: told.build.as_deref(),
                interpreter: request.interpreter,
                as_of: setup.as_of,
                lock: setup.lock.as_deref(),
            });
            match found {
                Ok(file) => one.file = file.as_ref().map(RecordedFile::from),
                // The measurement is as good without; only its environment cannot be rebuilt.
                Err(error) => {
                    let remark = format!("the files of some packages are not known: {error}");
                    lock(&self.remarks).insert(remark);
                }
            }
        }
    }

    /// Says of the cell's own file where the index has it, where the build had it from the mirror.
    fn name_own_file(
        &self,
        request: &EnvironmentRequest<'_>,
        installed: &mut [(Installed, &Told)],
    ) {
        let Some(file) = request.cell.file() else { return };
        let Ok(index) = self.given_index(request.setup, request.cell.id.python, Some(file)) else {
            return;
        };
        let Some((url, moved)) = index.moved else { return };
        let files = installed.iter_mut().filter_map(|(one, _)| one.file.as_mut());
        for file in files.filter(|file| file.url == moved) {
            file.url.clone_from(&url);
        }
    }
}
