//! Reading a bundle.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use caliper_core::facts::lock;
use caliper_core::facts::store::DirStore;
use caliper_core::names::{Sha256, Sha256Stream};
use caliper_core::report::ro_crate::{self, Contents, Listed};
use zip::ZipArchive;

use super::{BundleError, FILES, LOCKS, PROJECT, RESULTS};

/// So many files at most.
const MOST_FILES: u64 = 200_000;
/// So many bytes at most when unpacked.
const MOST_BYTES: u64 = 256 << 30;
/// So long may the description be.
const LONGEST_DESCRIPTION: u64 = 256 << 20;

/// Where things go that are not part of the project; relative to its folder, or elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// The results.
    pub results: &'a Path,
    /// The files of the locks, each in a folder that is named after its digest.
    pub files: &'a Path,
}

/// A bundle that was opened, and whose description was read.
#[derive(Debug)]
pub struct Bundle {
    path: PathBuf,
    archive: ZipArchive<File>,
    contents: Contents,
}

/// What was unpacked.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Unpacked {
    /// How many files of the project and the results.
    pub parts: usize,
    /// How many files of locks.
    pub files: usize,
}

impl Bundle {
    /// Opens a bundle and reads what it holds.
    ///
    /// # Errors
    ///
    /// [`BundleError`] if the file is not a bundle, or was written by a newer Caliper.
    pub fn open(path: &Path) -> Result<Self, BundleError> {
        let file = File::open(path)
            .map_err(|source| BundleError::Read { path: path.to_owned(), source })?;
        let not = |problem: String| BundleError::NotBundle { path: path.to_owned(), problem };
        let mut archive = ZipArchive::new(file).map_err(|error| not(error.to_string()))?;
        let too_large = |most, what| BundleError::TooLarge { path: path.to_owned(), most, what };
        if archive.len() as u64 > MOST_FILES {
            return Err(too_large(MOST_FILES, "files"));
        }
        let mut text = String::new();
        {
            let name = ro_crate::FILE;
            let entry = archive.by_name(name).map_err(|_| not(format!("it has no `{name}`")))?;
            let mut entry = entry.take(LONGEST_DESCRIPTION + 1);
            entry.read_to_string(&mut text).map_err(|error| not(format!("`{name}`: {error}")))?;
        }
        if text.len() as u64 > LONGEST_DESCRIPTION {
            return Err(too_large(LONGEST_DESCRIPTION, "bytes of description"));
        }
        let contents = Contents::read(&text)
            .map_err(|source| BundleError::Description { path: path.to_owned(), source })?;
        let bytes = contents.files.values().try_fold(0_u64, |sum, one| sum.checked_add(one.size));
        if bytes.is_none_or(|bytes| bytes > MOST_BYTES) {
            return Err(too_large(MOST_BYTES, "bytes"));
        }
        let bundle = Self { path: path.to_owned(), archive, contents };
        bundle.check_names()?;
        Ok(bundle)
    }

    /// Unpacks the project and its results into `folder`, which must not exist. If this fails, there is no `folder`.
    ///
    /// # Errors
    ///
    /// [`BundleError`] if a file is not what is described, or cannot be written.
    pub fn unpack(&mut self, folder: &Path, places: Places<'_>) -> Result<Unpacked, BundleError> {
        if fs::symlink_metadata(folder).is_ok() {
            return Err(BundleError::Exists { path: folder.to_owned() });
        }
        let failed = |source| BundleError::Write { path: folder.to_owned(), source };
        let parent = match folder.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(failed)?;
        let unfinished = tempfile::Builder::new()
            .prefix(".caliper-bundle-")
            .tempdir_in(parent)
            .map_err(failed)?;
        let root = unfinished.path().join("study");
        fs::create_dir(&root).map_err(failed)?;
        let mut done = Unpacked::default();
        for index in 0..self.archive.len() {
            self.unpack_one(index, &root, places, &mut done)?;
        }
        self.check_locks(&root.join(places.results))?;
        fs::rename(&root, folder).map_err(failed)?;
        Ok(done)
    }

    /// The digest of the whole file.
    ///
    /// # Errors
    ///
    /// [`BundleError::Read`] if it cannot be read.
    pub fn digest(&self) -> Result<Sha256, BundleError> {
        let failed = |source| BundleError::Read { path: self.path.clone(), source };
        let mut file = File::open(&self.path).map_err(failed)?;
        let mut digest = Sha256Stream::default();
        let mut buffer = vec![0; 64 << 10];
        loop {
            match file.read(&mut buffer).map_err(failed)? {
                0 => return Ok(digest.finish()),
                count => digest.update(&buffer[..count]),
            }
        }
    }

    /// The name of the configuration in the project.
    pub fn configuration(&self) -> &str {
        let inside = self.contents.configuration.strip_prefix(PROJECT);
        inside.unwrap_or_default().trim_start_matches('/')
    }

    /// Refuses what is not described, what is described and not there, and what belongs nowhere.
    fn check_names(&self) -> Result<(), BundleError> {
        let damaged = |name: &str, fault| BundleError::Damaged {
            path: self.path.clone(),
            name: name.chars().take(120).flat_map(char::escape_debug).collect(),
            fault,
        };
        let configuration = &self.contents.configuration;
        // Directly in the project: beside it are the results.
        if self.configuration().is_empty() || self.configuration().contains('/') {
            return Err(damaged(configuration, "is no configuration of a project"));
        }
        let mut seen = HashSet::new();
        for name in self.archive.file_names() {
            let name = name.map_err(|error| BundleError::NotBundle {
                path: self.path.clone(),
                problem: error.to_string(),
            })?;
            let name = name.as_ref();
            if name == ro_crate::FILE || is_folder(name) {
                continue;
            }
            if !self.contents.files.contains_key(name) {
                return Err(damaged(name, "is not described"));
            }
            if self.place(name).is_none() {
                return Err(damaged(name, "belongs nowhere"));
            }
            if !seen.insert(name.to_owned()) {
                return Err(damaged(name, "is there twice"));
            }
        }
        match self.contents.files.keys().find(|name| !seen.contains(*name)) {
            Some(name) => Err(damaged(name, "is missing")),
            None => Ok(()),
        }
    }

    /// Where a file belongs. Its path is known to stay in the bundle.
    fn place<'n>(&self, name: &'n str) -> Option<Place<'n>> {
        let Some((top, rest)) = name.split_once('/') else {
            return RESULTS.1.contains(&name).then_some(Place::Results(name));
        };
        match top {
            // Its own folder is Caliper's, which believes what is in it.
            PROJECT => (rest.split('/').next() != Some(".caliper")).then_some(Place::Project(rest)),
            LOCKS => Some(Place::Lock),
            FILES => {
                let (sha256, filename) = rest.split_once('/')?;
                let sha256: Sha256 = sha256.parse().ok()?;
                let is_its = self.contents.files.get(name)?.sha256 == sha256;
                (is_its && !filename.contains('/')).then_some(Place::File(filename, sha256))
            }
            top if RESULTS.0.contains(&top) => {
                (!rest.contains('/')).then_some(Place::Results(name))
            }
            _ => None,
        }
    }

    fn unpack_one(
        &mut self,
        index: usize,
        root: &Path,
        places: Places<'_>,
        done: &mut Unpacked,
    ) -> Result<(), BundleError> {
        let bundle = self.path.clone();
        let not = |problem: String| BundleError::NotBundle { path: bundle.clone(), problem };
        let name = self.archive.by_index(index).and_then(|entry| Ok(entry.name()?.into_owned()));
        let name = name.map_err(|error| not(error.to_string()))?;
        if name == ro_crate::FILE {
            return Ok(());
        }
        if is_folder(&name) {
            let inside = name.trim_end_matches('/').to_owned();
            return match self.place(&format!("{inside}/x")) {
                Some(Place::Project(_)) if ro_crate::is_inside(&inside) => {
                    let path = root.join(
                        inside.strip_prefix(PROJECT).unwrap_or_default().trim_start_matches('/'),
                    );
                    fs::create_dir_all(&path).map_err(|source| BundleError::Write { path, source })
                }
                _ => Err(not(format!("it has a folder `{}`", inside.escape_debug()))),
            };
        }
        let Some(listed) = self.contents.files.get(&name).copied() else { return Ok(()) };
        let place = self.place(&name).map(Place::owned);
        let entry = self.archive.by_index(index).map_err(|error| not(error.to_string()))?;
        let executable = entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
        let mut content = Checked::new(entry, listed);
        let counted = match place {
            Some(OwnedPlace::File(..)) => &mut done.files,
            _ => &mut done.parts,
        };
        let path = match place {
            Some(OwnedPlace::Project(path)) => root.join(path),
            Some(OwnedPlace::Results(path)) => root.join(places.results).join(path),
            // It is made again from its record, and compared; see `check_locks`.
            Some(OwnedPlace::Lock) => {
                let read = io::copy(&mut content, &mut io::sink());
                return read.map(drop).map_err(|error| not(format!("`{name}`: {error}")));
            }
            Some(OwnedPlace::File(filename, sha256)) => {
                root.join(places.files).join(sha256.hex()).join(filename)
            }
            None => return Ok(()),
        };
        let failed = |source| BundleError::Write { path: path.clone(), source };
        let parent = path.parent().unwrap_or(root);
        fs::create_dir_all(parent).map_err(failed)?;
        // What is read before its end may be anything: it gets its name at the end.
        let mut file =
            tempfile::Builder::new().prefix(".part-").tempfile_in(parent).map_err(failed)?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count =
                content.read(&mut buffer).map_err(|error| not(format!("`{name}`: {error}")))?;
            if count == 0 {
                break;
            }
            file.write_all(&buffer[..count]).map_err(failed)?;
        }
        let mode = fs::Permissions::from_mode(if executable { 0o755 } else { 0o644 });
        file.as_file().set_permissions(mode).map_err(failed)?;
        file.persist(&path).map_err(|error| failed(error.error))?;
        *counted += 1;
        Ok(())
    }

    /// Refuses locks that are not those of the records: the records are what is rebuilt.
    fn check_locks(&self, results: &Path) -> Result<(), BundleError> {
        let (records, unreadable) = DirStore::read_only(results).records()?;
        if let Some(one) = unreadable.into_iter().next() {
            let here = format!("{}/", results.display());
            let problem = one.error.to_string().replace(&here, "");
            return Err(BundleError::NotBundle { path: self.path.clone(), problem });
        }
        let mut expected = BTreeSet::new();
        for record in &records {
            let Ok(lock) = lock::of(record) else { continue };
            let name = format!("{LOCKS}/{}/pylock.toml", record.id().file_stem());
            let listed = self.contents.files.get(&name);
            // Stale records are in the bundle without a lock.
            if listed.is_some_and(|listed| listed.sha256 != Sha256::of(lock.to_toml().as_bytes())) {
                let (path, cell) = (self.path.clone(), record.id().to_string());
                return Err(BundleError::OtherLock { path, cell });
            }
            expected.insert(name);
        }
        let locks = self.contents.files.keys().filter(|name| name.starts_with(LOCKS));
        match locks.into_iter().find(|name| !expected.contains(*name)) {
            Some(name) => {
                Err(BundleError::OtherLock { path: self.path.clone(), cell: name.clone() })
            }
            None => Ok(()),
        }
    }
}

/// Where a file of a bundle belongs.
enum Place<'a> {
    Project(&'a str),
    Results(&'a str),
    Lock,
    File(&'a str, Sha256),
}

enum OwnedPlace {
    Project(String),
    Results(String),
    Lock,
    File(String, Sha256),
}

impl Place<'_> {
    fn owned(self) -> OwnedPlace {
        match self {
            Place::Project(path) => OwnedPlace::Project(path.to_owned()),
            Place::Results(path) => OwnedPlace::Results(path.to_owned()),
            Place::Lock => OwnedPlace::Lock,
            Place::File(name, sha256) => OwnedPlace::File(name.to_owned(), sha256),
        }
    }
}

fn is_folder(name: &str) -> bool {
    name.ends_with('/')
}

/// A file of the bundle that fails where it is not what is described.
struct Checked<R> {
    entry: R,
    listed: Listed,
    size: u64,
    digest: Sha256Stream,
    has_ended: bool,
}

impl<R> Checked<R> {
    fn new(entry: R, listed: Listed) -> Self {
        Self { entry, listed, size: 0, digest: Sha256Stream::default(), has_ended: false }
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wrong = |what| io::Error::new(io::ErrorKind::InvalidData, what);
        if self.has_ended || buffer.is_empty() {
            return Ok(0);
        }
        let count = self.entry.read(buffer)?;
        self.digest.update(&buffer[..count]);
        self.size += count as u64;
        if self.size > self.listed.size {
            return Err(wrong("it is longer than described"));
        }
        if count == 0 {
            self.has_ended = true;
            if self.size < self.listed.size {
                return Err(wrong("it is shorter than described"));
            }
            if std::mem::take(&mut self.digest).finish() != self.listed.sha256 {
                return Err(wrong("it does not have the digest that is described"));
            }
        }
        Ok(count)
    }
}
