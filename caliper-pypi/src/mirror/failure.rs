//! What a client is told that does not get what it asked for.

use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use caliper_core::names::Timestamp;
use caliper_core::question::files::FileError;
use hyper::{Response, StatusCode};

use crate::download::{DownloadError, MetadataError};
use crate::index::IndexError;
use crate::web::Content;
use crate::web::answer::text;

/// Why a request is not answered.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    reason: String,
}

impl Failure {
    /// There is no such thing, as far as the indexes know.
    pub(super) fn absent(reason: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, reason: reason.into() }
    }

    /// The request makes no sense.
    pub(super) fn question(error: &impl ToString) -> Self {
        Self { status: StatusCode::BAD_REQUEST, reason: error.to_string() }
    }

    /// Nothing can be said of a date, since no file of the project has an upload time.
    pub(super) fn undated(project: &str, index: &str, as_of: Timestamp) -> Self {
        let reason = format!(
            "the index at {index} gives no upload times for {project}, so what it offered at {as_of} cannot \
             be told: ask for it without a date, or start the mirror so that it includes files without \
             upload time"
        );
        Self { status: StatusCode::BAD_GATEWAY, reason }
    }

    pub(super) fn reason(&self) -> &str {
        &self.reason
    }

    /// Whether what stands behind the mirror is at fault, and not the question.
    pub(super) fn is_ours(&self) -> bool {
        self.status.is_server_error()
    }

    pub(super) fn answer(&self) -> Response<Content> {
        text(self.status, &self.reason)
    }

    /// A download that failed.
    fn of_download(error: &DownloadError, reason: String) -> Self {
        let status = match error {
            // RFC 9111, 5.2.1.7: what must come from a cache and is not there. Unlike 503 it makes no
            // installer ask again.
            DownloadError::Offline => StatusCode::GATEWAY_TIMEOUT,
            DownloadError::Keep { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            DownloadError::Name { .. } | DownloadError::NotOfIndex => StatusCode::NOT_FOUND,
            DownloadError::Digest { .. }
            | DownloadError::NoDigest
            | DownloadError::Address { .. }
            | DownloadError::Request(_) => StatusCode::BAD_GATEWAY,
        };
        Self { status, reason }
    }
}

impl From<IndexError> for Failure {
    fn from(error: IndexError) -> Self {
        let status = match &error {
            IndexError::NotFound { .. } | IndexError::NotFoundAnywhere { .. } => {
                StatusCode::NOT_FOUND
            }
            IndexError::Offline { .. } => StatusCode::GATEWAY_TIMEOUT,
            IndexError::Unauthorised { .. }
            | IndexError::Rubbish { .. }
            | IndexError::Request(_) => StatusCode::BAD_GATEWAY,
        };
        Self { status, reason: chain(&error) }
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        let reason = chain(&error);
        match error.source.downcast_ref::<DownloadError>() {
            Some(error) => Self::of_download(error, reason),
            None => Self { status: StatusCode::BAD_GATEWAY, reason },
        }
    }
}

impl From<DownloadError> for Failure {
    fn from(error: DownloadError) -> Self {
        Self::of_download(&error, chain(&error))
    }
}

impl From<MetadataError> for Failure {
    fn from(error: MetadataError) -> Self {
        let reason = chain(&error);
        match &error {
            MetadataError::Download(error) => Self::of_download(error, reason),
            MetadataError::NotWheel { .. } => Self::absent(reason),
            _ => Self { status: StatusCode::BAD_GATEWAY, reason },
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let reason = format!("the mirror cannot read its own files: {error}");
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, reason }
    }
}

/// An error and what caused it, on one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

/// The requests that could not be answered.
#[derive(Debug, Default)]
pub(super) struct Failures {
    count: AtomicU64,
    last: Mutex<Option<String>>,
}

impl Failures {
    pub(super) fn add(&self, reason: &str) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(reason.to_owned());
        // Counted last, so that who sees the number finds the reason.
        self.count.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    pub(super) fn last(&self) -> Option<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
