//! The metadata of a wheel, by the shortest way that its server allows.

use std::time::Instant;

use caliper_core::names::{PackageName, Sha256};
use pep440_rs::Version;
use url::Url;

use super::ranges::Remote;
use super::{DownloadError, Downloader};
use crate::http::{RequestError, shown};
use crate::index::{CoreMetadata, FileName, ProjectFile};
use crate::metadata::{LARGEST_METADATA, Metadata, WheelError, metadata_in, read_metadata_bytes};
use crate::wheel::WheelName;

/// The metadata of a wheel, and how it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WheelMetadata {
    /// What the wheel says of itself.
    pub metadata: Metadata,
    /// How it came.
    pub way: Way,
}

/// How the metadata of a wheel came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Way {
    /// From the verified file, which is on this machine now, or was before.
    File,
    /// By itself, from beside the wheel ([PEP 658](https://peps.python.org/pep-0658/)); verified if the
    /// index gives a digest.
    Beside,
    /// In pieces, out of the wheel on its server. No digest is known of a piece.
    Ranges,
}

impl Downloader {
    /// What a wheel says of itself.
    ///
    /// Where the wheel is not on this machine, its index is asked for the metadata alone (PEP 658,
    /// [PEP 714](https://peps.python.org/pep-0714/)); then its server for the pieces of the archive in
    /// which the metadata is; then the whole file is fetched, as by
    /// [`fetch`](caliper_core::question::files::FileSource::fetch). The next way is taken where the one before
    /// is not offered, or where the pieces that came make no sense: some servers ignore ranges, and
    /// some answer wrongly.
    ///
    /// # Errors
    ///
    /// [`MetadataError`]; also if the metadata is of another project or release than the file's name
    /// says.
    pub fn metadata(&self, file: &ProjectFile) -> Result<WheelMetadata, MetadataError> {
        let (_, read) = self.metadata_bytes(file)?;
        Ok(read)
    }

    /// As [`metadata`](Self::metadata), with the file as it is in the wheel.
    pub(crate) fn metadata_bytes(
        &self,
        file: &ProjectFile,
    ) -> Result<(Vec<u8>, WheelMetadata), MetadataError> {
        let FileName::Wheel(name) = &file.name else {
            return Err(MetadataError::NotWheel { filename: file.file.filename.clone() });
        };
        if let Some(path) = self.cached(&file.file) {
            return Self::checked(name, read_metadata_bytes(&path)?, Way::File);
        }
        self.refuse_offline()?;
        let address = || DownloadError::Address { url: crate::excerpt::excerpt(&file.file.url) };
        let url: Url = file.file.url.parse().map_err(|_| address())?;
        let deadline = Instant::now() + self.client.options().whole_timeout;
        if let CoreMetadata::Offered(sha256) = file.core_metadata
            && let Some(bytes) = self.beside(&url, sha256, deadline)?
        {
            return Self::checked(name, bytes, Way::Beside);
        }
        if let Some(bytes) = self.in_pieces(&url, file.file.size, deadline)?
            && let Ok(read) = Self::checked(name, bytes, Way::Ranges)
        {
            return Ok(read);
        }
        let path = self.fetch_file(&file.file, &mut |_| {})?;
        Self::checked(name, read_metadata_bytes(&path)?, Way::File)
    }

    /// The file beside the wheel; `None` if it is not there after all, as behind some proxies.
    fn beside(
        &self,
        url: &Url,
        sha256: Option<Sha256>,
        deadline: Instant,
    ) -> Result<Option<Vec<u8>>, MetadataError> {
        let http = self.client.http();
        let mut url = url.clone();
        url.set_path(&format!("{}.metadata", url.path()));
        let answer = http.with_retries(deadline, |_| {
            http.get_ok(&url, &[], &[], deadline)?.read(LARGEST_METADATA)
        });
        let bytes = match answer {
            Err(RequestError::Status { status: 404 | 410, .. }) => return Ok(None),
            answer => answer?,
        };
        let actual = Sha256::of(&bytes);
        match sha256 {
            Some(expected) if expected != actual => {
                Err(MetadataError::Digest { url: shown(&url), expected, actual })
            }
            _ => Ok(Some(bytes)),
        }
    }

    /// The metadata out of the wheel on its server; `None` if it cannot be had in this way.
    fn in_pieces(
        &self,
        url: &Url,
        size: Option<u64>,
        deadline: Instant,
    ) -> Result<Option<Vec<u8>>, MetadataError> {
        let Some(mut remote) = Remote::open(self.client.http(), url, size, deadline)? else {
            return Ok(None);
        };
        let read = metadata_in(&mut remote);
        match remote.failure {
            Some(failure) => Err(failure.into()),
            // Whether the file is at fault or the pieces are, only the whole can tell.
            None => Ok(read.ok()),
        }
    }

    fn checked(
        name: &WheelName,
        bytes: Vec<u8>,
        way: Way,
    ) -> Result<(Vec<u8>, WheelMetadata), MetadataError> {
        let metadata = Metadata::parse(&String::from_utf8_lossy(&bytes))
            .ok_or_else(|| MetadataError::Malformed { filename: name.to_string() })?;
        let project = metadata.name.parse::<PackageName>();
        let version = metadata.version.parse::<Version>();
        if project.is_ok_and(|project| name.is_of(&project))
            && version.is_ok_and(|version| version == *name.version())
        {
            return Ok((bytes, WheelMetadata { metadata, way }));
        }
        Err(MetadataError::OtherRelease {
            filename: name.to_string(),
            name: crate::excerpt::excerpt(&metadata.name),
            version: crate::excerpt::excerpt(&metadata.version),
        })
    }
}

/// Why the metadata of a wheel is not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// A source distribution says of itself what it likes when it is built.
    #[error("`{filename}` is no wheel: what it needs is known once it is built")]
    NotWheel {
        /// The name of the file.
        filename: String,
    },
    /// What came is not the metadata that the index describes.
    #[error(
        "{url} is not the metadata that the index describes: expected {expected}, got {actual}"
    )]
    Digest {
        /// Where it came from.
        url: String,
        /// The digest that the index gives.
        expected: Sha256,
        /// The digest of what came.
        actual: Sha256,
    },
    /// It has no name or no version.
    #[error("the metadata of `{filename}` has no `Name` and `Version`")]
    Malformed {
        /// The name of the wheel.
        filename: String,
    },
    /// It speaks of something else.
    #[error("the metadata of `{filename}` is that of `{name}` {version}")]
    OtherRelease {
        /// The name of the wheel.
        filename: String,
        /// The project that it speaks of.
        name: String,
        /// The version that it speaks of.
        version: String,
    },
    /// The wheel cannot be read.
    #[error(transparent)]
    Wheel(#[from] WheelError),
    /// The request failed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The whole file could not be fetched.
    #[error(transparent)]
    Download(#[from] DownloadError),
}
