//! Where the files of a plan come from.

use std::path::PathBuf;

use crate::names::PackageName;
use crate::question::grid::DistFile;

/// Provides files of the index as paths on this machine.
///
/// The implementation in `caliper-pypi` downloads into a cache; [`FilesInMemory`] is for tests.
pub trait FileSource: Send + Sync {
    /// The path of a local copy whose digest was verified. The last component of the path is
    /// [`DistFile::filename`].
    ///
    /// # Errors
    ///
    /// [`FileError`] if the file could not be fetched or differs from the index's description.
    fn fetch(&self, file: &DistFile) -> Result<PathBuf, FileError>;

    /// As [`fetch`](Self::fetch), telling `progress` how many bytes are here, and of how many if that is known.
    /// A file that is on this machine already is not told of.
    ///
    /// # Errors
    ///
    /// As [`fetch`](Self::fetch).
    fn fetch_with_progress(
        &self,
        file: &DistFile,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<PathBuf, FileError> {
        let _ = progress;
        self.fetch(file)
    }

    /// The path of a verified copy that is on this machine already, without any request.
    fn kept(&self, file: &DistFile) -> Option<PathBuf> {
        let _ = file;
        None
    }

    /// Asks where the files come from whether it can be reached now; `project` is one that it has. A
    /// source that needs no network can always be reached.
    ///
    /// # Errors
    ///
    /// [`FileError`] if it does not answer.
    fn check(&self, project: &PackageName) -> Result<(), FileError> {
        let _ = project;
        Ok(())
    }
}

/// Why a file could not be fetched. Always an infrastructure failure, never a fault of the package.
#[derive(Debug, thiserror::Error)]
#[error("could not get `{filename}`")]
pub struct FileError {
    /// The name of the file.
    pub filename: String,
    /// The cause.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// A [`FileSource`] that returns paths given in advance and does not access the disk.
#[derive(Debug, Clone, Default)]
pub struct FilesInMemory {
    paths: std::collections::BTreeMap<String, PathBuf>,
}

impl FilesInMemory {
    /// Returns `path` for the file called `filename`.
    #[must_use]
    pub fn with(mut self, filename: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        self.paths.insert(filename.into(), path.into());
        self
    }
}

impl FileSource for FilesInMemory {
    fn fetch(&self, file: &DistFile) -> Result<PathBuf, FileError> {
        self.paths.get(&file.filename).cloned().ok_or_else(|| FileError {
            filename: file.filename.clone(),
            source: "`FilesInMemory` does not have this file".into(),
        })
    }
}
