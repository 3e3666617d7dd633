//! A file that is not whole yet.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use caliper_core::names::{Sha256, Sha256Stream};
use url::Url;

use super::Progress;
use crate::http::{Http, RequestError};

/// How much is read before it is written and told.
const PART: usize = 128 << 10;

/// What came of a file so far.
pub(super) struct Partial {
    path: PathBuf,
    file: File,
    length: u64,
    /// The greatest length so far: beyond it, bytes are new.
    furthest: u64,
    digest: Sha256Stream,
    /// What the server called the version that the present bytes are of.
    etag: Option<String>,
}

/// Why an attempt ended early.
pub(super) enum Broken {
    /// The request failed, and came further than any before it, or not.
    Request { error: RequestError, progress: bool },
    /// The bytes could not be written.
    Disk(io::Error),
}

impl From<RequestError> for Broken {
    fn from(error: RequestError) -> Self {
        Self::Request { error, progress: false }
    }
}

/// Reads a file to its end; gives its length too, in bytes.
pub(super) fn digest_of(file: &mut File) -> io::Result<(Sha256Stream, u64)> {
    let mut digest = Sha256Stream::default();
    let mut length = 0;
    let mut buffer = vec![0; PART];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok((digest, length));
        }
        digest.update(&buffer[..count]);
        length += count as u64;
    }
}

impl Partial {
    /// Opens what an earlier process left at `path`, or starts anew.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let (digest, length) = digest_of(&mut file)?;
        Ok(Self { path: path.to_owned(), file, length, furthest: length, digest, etag: None })
    }

    /// Whether there is something already.
    pub(super) fn is_begun(&self) -> bool {
        self.length > 0
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Asks for what is missing, and takes it.
    pub(super) fn attempt(
        &mut self,
        http: &Http,
        url: &Url,
        size: Option<u64>,
        limit: u64,
        deadline: Instant,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), Broken> {
        if size.is_some_and(|size| size == self.length) && self.length > 0 {
            return Ok(());
        }
        if size.is_some_and(|size| self.length > size) {
            self.restart().map_err(Broken::Disk)?;
        }
        let range = format!("bytes={}-", self.length);
        // Compressed on the way, the bytes could not be counted.
        let mut headers = vec![("Accept-Encoding", "identity")];
        if self.length > 0 {
            headers.push(("Range", range.as_str()));
            headers.extend(self.etag.as_deref().map(|etag| ("If-Range", etag)));
        }
        let answer = http.get_ok(url, &headers, &[206, 416], deadline)?;
        let address = crate::http::shown(&answer.url);
        let starts_here = answer.status == 206
            && answer
                .header("content-range")
                .is_some_and(|text| text.trim().starts_with(&format!("bytes {}-", self.length)));
        if !starts_here && self.length > 0 {
            self.restart().map_err(Broken::Disk)?;
        }
        if answer.status == 416 || (answer.status == 206 && !starts_here) {
            // What is here is no start of what is there.
            let error = RequestError::Truncated { url: address, received: 0, expected: size };
            return Err(error.into());
        }
        // A weak validator does not promise equal bytes.
        self.etag = answer.header("etag").filter(|etag| !etag.starts_with("W/")).map(str::to_owned);
        let declared: Option<u64> =
            answer.header("content-length").and_then(|text| text.parse().ok());
        let expected = declared.map(|declared| declared.saturating_add(self.length));
        let total = size.or(expected);
        if expected.is_some_and(|expected| expected > limit) {
            return Err(RequestError::TooLarge { url: address, limit }.into());
        }
        self.take(answer.into_reader(), &address, limit, total, progress)
    }

    fn take(
        &mut self,
        mut reader: impl io::Read,
        address: &str,
        limit: u64,
        total: Option<u64>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), Broken> {
        let mut buffer = vec![0; PART];
        progress(Progress { done: self.length, total });
        loop {
            let url = || address.to_owned();
            let count = match reader.read(&mut buffer) {
                Ok(count) => count,
                Err(error) => {
                    let error = RequestError::in_body(url(), error, self.length, total);
                    return Err(self.broken(error));
                }
            };
            if count == 0 {
                break;
            }
            if self.length + count as u64 > limit {
                self.restart().map_err(Broken::Disk)?;
                return Err(RequestError::TooLarge { url: url(), limit }.into());
            }
            self.file.write_all(&buffer[..count]).map_err(Broken::Disk)?;
            self.digest.update(&buffer[..count]);
            self.length += count as u64;
            progress(Progress { done: self.length, total });
        }
        if total.is_some_and(|total| self.length < total) {
            let url = address.to_owned();
            let error = RequestError::Truncated { url, received: self.length, expected: total };
            return Err(self.broken(error));
        }
        Ok(())
    }

    fn broken(&mut self, error: RequestError) -> Broken {
        // A server without ranges starts again each time, which leads nowhere.
        let progress = self.length > self.furthest;
        self.furthest = self.furthest.max(self.length);
        Broken::Request { error, progress }
    }

    fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.length = 0;
        self.digest = Sha256Stream::default();
        self.etag = None;
        Ok(())
    }

    /// The digest of what is here, once it is on the disk.
    pub(super) fn digest(&mut self) -> io::Result<Sha256> {
        self.file.sync_all()?;
        Ok(self.digest.clone().finish())
    }

    /// Gives the file its final name.
    pub(super) fn name(&self, path: &Path) -> io::Result<()> {
        std::fs::rename(&self.path, path)
    }

    /// Removes what came.
    pub(super) fn discard(self) -> io::Result<()> {
        drop(self.file);
        std::fs::remove_file(&self.path)
    }
}
