//! Files of an index on this machine: fetched once, verified, and kept by digest.

mod error;
mod metadata;
mod partial;
mod ranges;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use caliper_core::names::{PackageName, Sha256};
use caliper_core::question::files::{FileError, FileSource};
use caliper_core::question::grid::DistFile;
use url::Url;

pub use error::DownloadError;
pub use metadata::{MetadataError, Way, WheelMetadata};

use crate::cache;
use crate::http::Http;
use crate::index::IndexClient;
use crate::turns::Turns;
use partial::Partial;

/// Limits on downloads.
#[derive(Debug, Clone)]
pub struct DownloadOptions {
    /// The largest file to accept, in bytes, whatever size the index declares.
    pub largest_file: u64,
    /// How long one file may take in all, retries and waits included.
    pub whole_timeout: Duration,
    /// Take files for which the index gives no digest. They are fetched anew each time.
    pub allow_unverified: bool,
}

impl Default for DownloadOptions {
    /// 8 GiB, one hour, and a digest for every file.
    fn default() -> Self {
        Self {
            largest_file: 8 << 30,
            whole_timeout: Duration::from_secs(60 * 60),
            allow_unverified: false,
        }
    }
}

/// How far a download has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The bytes that are here, with those of an earlier attempt.
    pub done: u64,
    /// The expected size in bytes, if it is known.
    pub total: Option<u64>,
}

/// Fetches files into a folder: `files/<sha256>/<filename>` under it.
///
/// A file bears its name only once its digest was verified. Threads and processes that ask for the
/// same file at once fetch it once; what was fetched before a connection broke, or before a process
/// was killed, is not fetched again.
#[derive(Debug)]
pub struct Downloader {
    client: IndexClient,
    folder: PathBuf,
    options: DownloadOptions,
    /// The files that are being fetched by this process.
    under_way: Turns<Sha256>,
}

impl Downloader {
    /// Fetches with the limits, credentials and notices of `client` into `folder`, which is made when
    /// it is needed.
    pub fn new(client: &IndexClient, folder: impl Into<PathBuf>, options: DownloadOptions) -> Self {
        Self { client: client.clone(), folder: folder.into(), options, under_way: Turns::default() }
    }

    /// The copy that is here already, without any request. It is read as a whole and verified once
    /// more: a disk, or a program that ran on this machine, may have changed it.
    pub fn cached(&self, file: &DistFile) -> Option<PathBuf> {
        let path = self.place_of(file)?;
        let digest = partial::digest_of(&mut File::open(&path).ok()?).ok()?.0.finish();
        (file.sha256 == Some(digest)).then_some(path)
    }

    /// The folder of the file with this digest, and the name of its copy there, if `filename` can be the name
    /// of a file.
    #[cfg(feature = "server")]
    pub(crate) fn folder_and_name<'a>(
        &self,
        sha256: Sha256,
        filename: &'a str,
    ) -> Result<(PathBuf, &'a str), DownloadError> {
        Ok((self.folder_of(sha256), checked_name(filename)?))
    }

    /// Takes a file that no index has among those that are here already, so that it is found as if it had been
    /// fetched. `file` describes it.
    ///
    /// # Errors
    ///
    /// [`DownloadError`] if it is not the file that `file` describes, or if it cannot be kept.
    pub fn take_in(&self, path: &Path, file: &DistFile) -> Result<PathBuf, DownloadError> {
        let name = checked_name(&file.filename)?;
        let Some(sha256) = file.sha256 else { return Err(DownloadError::NoDigest) };
        let keep = |path: &Path| {
            let path = path.to_owned();
            move |source: io::Error| DownloadError::Keep { path, source }
        };
        if let Some(path) = self.cached(file) {
            return Ok(path);
        }
        let folder = self.folder_of(sha256);
        std::fs::create_dir_all(&folder).map_err(keep(&folder))?;
        // Copied beside its place and renamed: a file bears its name only once it is whole and verified.
        let mut part = tempfile::Builder::new();
        let mut part = part.prefix(".part-").tempfile_in(&folder).map_err(keep(&folder))?;
        let mut from = File::open(path).map_err(keep(path))?;
        io::copy(&mut from, &mut part).map_err(keep(path))?;
        io::Seek::rewind(part.as_file_mut()).map_err(keep(&folder))?;
        let actual = digest_of(part.as_file_mut()).map_err(keep(&folder))?;
        if actual != sha256 {
            let url = shown_address(&file.url);
            return Err(DownloadError::Digest { url, expected: sha256, actual });
        }
        let path = folder.join(name);
        part.persist(&path).map_err(|error| keep(&path)(error.error))?;
        Ok(path)
    }

    /// Whether there is a copy, of which nothing is known but its name and size: for foretelling what
    /// will be fetched.
    pub fn has_copy(&self, file: &DistFile) -> bool {
        self.place_of(file).is_some()
    }

    fn place_of(&self, file: &DistFile) -> Option<PathBuf> {
        let path = self.folder_of(file.sha256?).join(checked_name(&file.filename).ok()?);
        let there = std::fs::metadata(&path).ok()?;
        let as_declared = file.size.is_none_or(|size| size == there.len());
        (there.is_file() && as_declared).then_some(path)
    }

    /// As [`FileSource::fetch`], telling `progress` after each part that came.
    ///
    /// # Errors
    ///
    /// [`FileError`], whose source is a [`DownloadError`].
    pub fn fetch_with_progress(
        &self,
        file: &DistFile,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<PathBuf, FileError> {
        self.fetch_file(file, progress).map_err(|source| FileError {
            filename: crate::excerpt::excerpt(&file.filename),
            source: source.into(),
        })
    }

    fn fetch_file(
        &self,
        file: &DistFile,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<PathBuf, DownloadError> {
        let name = checked_name(&file.filename)?;
        let Some(sha256) = file.sha256 else {
            return self.fetch_unverified(file, name, progress);
        };
        if let Some(path) = self.cached(file) {
            return Ok(path);
        }
        self.under_way.alone(&sha256, || match self.cached(file) {
            Some(path) => Ok(path), // another thread was faster
            None => self.fetch_locked(file, name, sha256, progress),
        })
    }

    fn fetch_locked(
        &self,
        file: &DistFile,
        name: &str,
        sha256: Sha256,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<PathBuf, DownloadError> {
        if file.url.starts_with("file:") {
            return Err(DownloadError::NotOfIndex);
        }
        let folder = self.folder_of(sha256);
        let keep = |path: &Path| {
            let path = path.to_owned();
            move |source: io::Error| DownloadError::Keep { path, source }
        };
        self.refuse_offline()?;
        std::fs::create_dir_all(&folder).map_err(keep(&folder))?;
        let lock_path = folder.join(".lock");
        let lock = File::create(&lock_path).map_err(keep(&lock_path))?;
        // Where a file system has no locks two processes may fetch twice; neither harms the other,
        // as each verifies what it renames.
        let exclusive = lock.lock().is_ok();
        if let Some(path) = self.cached(file) {
            return Ok(path); // another process was faster
        }
        let partial_path = if exclusive {
            folder.join(".part")
        } else {
            folder.join(format!(".part-{}", std::process::id()))
        };
        let partial = loop {
            let mut partial = Partial::open(&partial_path).map_err(keep(&partial_path))?;
            let left_over = partial.is_begun();
            self.stream(file, &mut partial, progress)?;
            let actual = partial.digest().map_err(keep(&partial_path))?;
            if actual == sha256 {
                break partial;
            }
            partial.discard().map_err(keep(&partial_path))?;
            // The fault may be in what an earlier process left: try again without it.
            if !left_over {
                let url = shown_address(&file.url);
                return Err(DownloadError::Digest { url, expected: sha256, actual });
            }
        };
        let path = folder.join(name);
        partial.name(&path).map_err(keep(&path))?;
        Ok(path)
    }

    fn fetch_unverified(
        &self,
        file: &DistFile,
        name: &str,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<PathBuf, DownloadError> {
        if !self.options.allow_unverified {
            return Err(DownloadError::NoDigest);
        }
        self.refuse_offline()?;
        let folder = self.folder.join("unverified").join(Sha256::of(file.url.as_bytes()).hex());
        let keep = |source| DownloadError::Keep { path: folder.clone(), source };
        std::fs::create_dir_all(&folder).map_err(keep)?;
        let temporary = tempfile::Builder::new().prefix(".part-").tempfile_in(&folder);
        let temporary = temporary.map_err(keep)?.into_temp_path();
        let mut partial = Partial::open(&temporary).map_err(keep)?;
        self.stream(file, &mut partial, progress)?;
        let path = folder.join(name);
        partial.name(&path).map_err(keep)?;
        Ok(path)
    }

    /// Brings `partial` to its full length, going on from where an attempt broke off.
    fn stream(
        &self,
        file: &DistFile,
        partial: &mut Partial,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), DownloadError> {
        let url: Url = file
            .url
            .parse()
            .map_err(|_| DownloadError::Address { url: crate::excerpt::excerpt(&file.url) })?;
        let limit = self.options.largest_file.min(file.size.unwrap_or(u64::MAX));
        if file.size.is_some_and(|size| size > self.options.largest_file) {
            let url = crate::http::shown(&url);
            return Err(crate::http::RequestError::TooLarge { url, limit }.into());
        }
        let deadline = Instant::now() + self.options.whole_timeout;
        let http: &Http = self.client.http();
        let mut kept_back = None;
        http.with_retries(deadline, |failures| {
            match partial.attempt(http, &url, file.size, limit, deadline, progress) {
                Ok(()) => Ok(()),
                Err(partial::Broken::Request { error, progress }) => {
                    if progress && error.is_passing() {
                        *failures = 0; // it goes on, however often it breaks
                    }
                    Err(error)
                }
                Err(partial::Broken::Disk(error)) => {
                    kept_back = Some(error);
                    Ok(())
                }
            }
        })?;
        match kept_back {
            None => Ok(()),
            Some(source) => Err(DownloadError::Keep { path: partial.path().to_owned(), source }),
        }
    }

    fn refuse_offline(&self) -> Result<(), DownloadError> {
        if self.client.options().offline { Err(DownloadError::Offline) } else { Ok(()) }
    }

    fn folder_of(&self, sha256: Sha256) -> PathBuf {
        self.folder.join(cache::FILES).join(sha256.hex())
    }
}

impl FileSource for Downloader {
    fn fetch(&self, file: &DistFile) -> Result<PathBuf, FileError> {
        Downloader::fetch_with_progress(self, file, &mut |_| {})
    }

    fn fetch_with_progress(
        &self,
        file: &DistFile,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<PathBuf, FileError> {
        Downloader::fetch_with_progress(self, file, &mut |now| progress(now.done, now.total))
    }

    fn kept(&self, file: &DistFile) -> Option<PathBuf> {
        self.cached(file)
    }

    fn check(&self, project: &PackageName) -> Result<(), FileError> {
        self.client
            .check(project)
            .map_err(|error| FileError { filename: project.to_string(), source: error.into() })
    }
}

/// The digest of a file that was just opened, which then stands at its beginning again.
pub(crate) fn digest_of(file: &mut File) -> io::Result<Sha256> {
    let (digest, _) = partial::digest_of(file)?;
    io::Seek::rewind(file)?;
    Ok(digest.finish())
}

/// The name of a file, if it can only be the name of a file.
///
/// It is untrusted text and becomes a path: no separators, nothing that means another folder, no
/// control characters, nothing that hides or that we use ourselves.
fn checked_name(name: &str) -> Result<&str, DownloadError> {
    let safe = !name.is_empty()
        && name.len() <= 255
        && !name.starts_with('.')
        && !name.ends_with(['.', ' ']) // Windows drops these
        && !name.contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|'])
        && !name.chars().any(char::is_control);
    if safe { Ok(name) } else { Err(DownloadError::Name { name: crate::excerpt::excerpt(name) }) }
}

fn shown_address(url: &str) -> String {
    url.parse().map_or_else(|_| crate::excerpt::excerpt(url), |url| crate::http::shown(&url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_more_than_names_are_refused() {
        for good in ["demo-1.0-py3-none-any.whl", "Demo+x-1.0.tar.gz"] {
            assert!(checked_name(good).is_ok(), "{good}");
        }
        for bad in
            ["", ".", "..", "../x", "a/b", "a\\b", "C:x", ".part", ".lock", "a\nb", "a\u{7f}"]
        {
            assert!(checked_name(bad).is_err(), "{bad}");
        }
    }
}
