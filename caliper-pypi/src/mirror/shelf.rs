//! The files of a mirror: fetched once, verified before they are served, and kept by digest.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use caliper_core::names::Sha256;
use caliper_core::question::files::FileSource as _;
use caliper_core::question::grid::DistFile;

use super::failure::Failure;
use super::locks::Locks;
use crate::download::Downloader;
use crate::index::{
    CoreMetadata, IndexClient, IndexError, PackageIndex as _, ProjectFile, Release, kind_of,
};
use crate::turns::Turns;
use crate::web::projects_of;

/// A file that is ready to be served.
pub(super) struct Ready {
    pub(super) file: File,
    pub(super) changed: SystemTime,
}

/// Fetches files, and knows which are verified.
#[derive(Debug)]
pub(super) struct Shelf {
    files: Downloader,
    /// The copies that were verified by this mirror, with their size and time of change then: a copy of
    /// which these differ now is verified again.
    verified: Mutex<HashMap<PathBuf, Stamp>>,
    under_way: Turns<PathBuf>,
}

type Stamp = (u64, SystemTime);

impl Shelf {
    pub(super) fn new(files: Downloader) -> Self {
        Self { files, verified: Mutex::default(), under_way: Turns::default() }
    }

    /// The file with this digest, fetched if it is not here.
    pub(super) fn file(
        &self,
        sha256: Sha256,
        filename: &str,
        known: &Known<'_>,
    ) -> Result<Ready, Failure> {
        let (folder, name) = self.files.folder_and_name(sha256, filename)?;
        let path = folder.join(name);
        if let Some(ready) = self.unchanged(&path) {
            return Ok(ready);
        }
        // Clients that ask for the same file at once wait for one download, or one look at all of its bytes.
        self.under_way.alone(&path, || {
            if let Some(ready) = self.unchanged(&path) {
                return Ok(ready); // another thread was faster
            }
            if self.files.cached(&bare(sha256, filename)).is_none() {
                self.files.fetch(&known.find(Some(sha256), filename)?.file)?;
            }
            let file = File::open(&path)?;
            let stamp = stamp(&file)?;
            self.verified().insert(path.clone(), stamp);
            Ok(Ready { file, changed: stamp.1 })
        })
    }

    /// A file of which the index gives no digest: fetched anew each time.
    pub(super) fn unverified(
        &self,
        filename: &str,
        known: &Known<'_>,
    ) -> Result<(Ready, Sha256), Failure> {
        let path = self.files.fetch(&known.find(None, filename)?.file)?;
        let mut file = File::open(path)?;
        let sha256 = crate::download::digest_of(&mut file)?;
        let changed = stamp(&file)?.1;
        Ok((Ready { file, changed }, sha256))
    }

    /// The metadata of the wheel with this digest.
    ///
    /// It is kept beside the wheel's place. What came in pieces, without a digest of its own, is used no
    /// longer than until the verified wheel is here.
    pub(super) fn metadata(
        &self,
        sha256: Sha256,
        wheel: &str,
        known: &Known<'_>,
    ) -> Result<Vec<u8>, Failure> {
        let (folder, name) = self.files.folder_and_name(sha256, wheel)?;
        let place = folder.join(format!("{name}.metadata"));
        if !folder.join(name).exists()
            && let Ok(bytes) = fs::read(&place)
        {
            return Ok(bytes);
        }
        self.under_way.alone(&place, || {
            let described = match self.files.cached(&bare(sha256, wheel)) {
                Some(_) => named(sha256, wheel)?,
                None => known.find(Some(sha256), wheel)?,
            };
            let (bytes, _) = self.files.metadata_bytes(&described)?;
            // Without it the next client costs another request, and nothing else.
            let _ = write_whole(&place, &bytes);
            Ok(bytes)
        })
    }

    /// A copy that is as it was when it was verified.
    fn unchanged(&self, path: &Path) -> Option<Ready> {
        let known = self.verified().get(path).copied()?;
        let file = File::open(path).ok()?;
        let now = stamp(&file).ok()?;
        (now == known).then_some(Ready { file, changed: now.1 })
    }

    fn verified(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Stamp>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamp(file: &File) -> std::io::Result<Stamp> {
    let facts = file.metadata()?;
    Ok((facts.len(), facts.modified().unwrap_or(SystemTime::UNIX_EPOCH)))
}

/// A file of which no more is known than its name and digest.
fn bare(sha256: Sha256, filename: &str) -> DistFile {
    DistFile {
        filename: filename.to_owned(),
        url: String::new(),
        sha256: Some(sha256),
        size: None,
        kind: kind_of(filename),
        upload_time: None,
        requires_python: None,
        yanked: false,
    }
}

/// A wheel that is here, so that no index need be asked of it.
fn named(sha256: Sha256, wheel: &str) -> Result<ProjectFile, Failure> {
    let name = wheel.parse().map_err(|error| Failure::question(&error))?;
    let name = crate::index::FileName::Wheel(name);
    Ok(ProjectFile { file: bare(sha256, wheel), name, core_metadata: CoreMetadata::Absent })
}

/// Who knows where a file is.
pub(super) struct Known<'a> {
    pub(super) locks: &'a Locks,
    pub(super) client: &'a IndexClient,
}

impl Known<'_> {
    /// What a lock says of the file with this name and digest, or else the indexes.
    fn find(&self, sha256: Option<Sha256>, filename: &str) -> Result<ProjectFile, Failure> {
        let locked = sha256.and_then(|sha256| self.locks.file(sha256, filename));
        locked.map_or_else(|| find(self.client, sha256, filename), Ok)
    }
}

/// What the indexes say of the file with this name, and this digest or none.
fn find(
    client: &IndexClient,
    sha256: Option<Sha256>,
    filename: &str,
) -> Result<ProjectFile, Failure> {
    let mut missing = None;
    for (name, _) in projects_of(filename) {
        let project = match client.project(&name) {
            Ok(project) => project,
            // The name may be read in more than one way.
            Err(error @ (IndexError::NotFound { .. } | IndexError::NotFoundAnywhere { .. })) => {
                missing.get_or_insert(Failure::from(error));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let mut files = project.releases().iter().flat_map(Release::files);
        let found = files.find(|file| file.file.filename == filename && file.file.sha256 == sha256);
        if let Some(found) = found {
            return Ok(found.clone());
        }
        let digest =
            sha256.map_or("without a digest".to_owned(), |sha256| format!("with {sha256}"));
        let index = project.index().unwrap_or("memory").to_owned();
        missing = Some(Failure::absent(format!(
            "the index at {index} has no file `{filename}` {digest}"
        )));
    }
    let unreadable =
        || Failure::absent(format!("`{filename}` is not the name of a file of an index"));
    Err(missing.unwrap_or_else(unreadable))
}

/// Writes a file whose readers see all of it or nothing.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
