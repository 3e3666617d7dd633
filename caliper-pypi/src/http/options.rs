//! What may be asked of servers, and how long they may take.

use std::path::PathBuf;
use std::time::Duration;

use super::Notices;
#[cfg(doc)]
use crate::index::IndexClient;
use crate::netrc::Netrc;

/// How an index is asked.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// The folder in which answers are kept from run to run; `None` keeps nothing.
    pub cache: Option<PathBuf>,
    /// Make no request: answer from the cache, however old, or fail.
    pub offline: bool,
    /// How often a request that failed in passing is made again.
    pub retries: u32,
    /// The longest `Retry-After` that is waited for; a longer one is an error at once.
    pub longest_retry_after: Duration,
    /// How long looking up a host may take, and how long connecting to it.
    pub connect_timeout: Duration,
    /// How long a server may let us wait for its answer to begin, and for any next byte.
    pub answer_timeout: Duration,
    /// How long a project's answer may take in all, retries and waits included.
    pub whole_timeout: Duration,
    /// How long a kept answer holds whose server does not say (`Cache-Control`, `Expires`).
    pub assumed_freshness: Duration,
    /// The largest answer to accept, in bytes after decompression.
    pub largest_answer: u64,
    /// The logins for hosts whose address has none; [`Netrc::of_user`] reads the user's own.
    pub netrc: Netrc,
    /// Where notices of retries go.
    pub notices: Notices,
}

impl Default for ClientOptions {
    /// No cache, no netrc file; 4 retries; 10 s to connect, 30 s for an answer and 3 minutes in all; 10 minutes of
    /// freshness; 100 MiB.
    fn default() -> Self {
        Self {
            cache: None,
            offline: false,
            retries: 4,
            longest_retry_after: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(30),
            whole_timeout: Duration::from_secs(180),
            assumed_freshness: Duration::from_secs(600),
            largest_answer: 100 << 20,
            netrc: Netrc::default(),
            notices: Notices::default(),
        }
    }
}
