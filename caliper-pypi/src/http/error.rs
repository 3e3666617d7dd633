use std::error::Error;
use std::io;
use std::time::Duration;

/// Why a request got no answer that could be used. No address in it holds credentials.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The server answered with another status that is an error.
    #[error("{url} answered with status {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The server wants fewer requests.
    #[error(
        "{url} asks for fewer requests (status {status}{}): try again later",
        match retry_after {
            Some(wait) => format!(", retry after {} s", wait.as_secs()),
            None => String::new(),
        }
    )]
    RateLimited {
        /// What was asked for.
        url: String,
        /// The HTTP status: 429 or 503.
        status: u16,
        /// How long it wants us to wait.
        retry_after: Option<Duration>,
    },
    /// Time ran out.
    #[error("{url} took too long ({phase})")]
    TimedOut {
        /// What was asked for.
        url: String,
        /// What took too long.
        phase: &'static str,
    },
    /// The answer is larger than allowed.
    #[error("the answer from {url} is larger than the limit of {limit} bytes")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// The limit, in bytes after decompression.
        limit: u64,
    },
    /// The connection ended before the answer did.
    #[error(
        "the answer from {url} ended early, after {received}{} bytes",
        match expected {
            Some(expected) => format!(" of {expected}"),
            None => String::new(),
        }
    )]
    Truncated {
        /// What was asked for.
        url: String,
        /// How many bytes came.
        received: u64,
        /// How many were announced.
        expected: Option<u64>,
    },
    /// No trusted connection could be made.
    #[error(
        "no trusted connection to {url}: if a proxy re-signs connections here, \
         let SSL_CERT_FILE name the file with its certificate"
    )]
    Tls {
        /// What was asked for.
        url: String,
        /// What the TLS library says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// No connection could be made, or it broke before the answer began.
    #[error("could not reach {url}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// What the operating system says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// One redirect led to the next without end.
    #[error("{url} redirects too often")]
    Redirects {
        /// What was asked for.
        url: String,
    },
    /// The environment names a proxy with an invalid address.
    #[error(
        "{url} cannot be asked: `{variable}` is not the address of a proxy over HTTP, such as \
         `http://host:port`"
    )]
    Proxy {
        /// What was asked for.
        url: String,
        /// The environment variable that names it.
        variable: String,
    },
    /// A redirect led to no server.
    #[error("{url} redirects to what is not an address of the web")]
    BadRedirect {
        /// What was asked for.
        url: String,
    },
    /// What came is not HTTP, or cannot be decompressed.
    #[error("the answer from {url} is garbled")]
    Garbled {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl RequestError {
    /// Whether the same request may well succeed a little later.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(status, 408 | 425 | 500 | 502 | 503 | 504),
            Self::RateLimited { .. }
            | Self::TimedOut { .. }
            | Self::Truncated { .. }
            | Self::Unreachable { .. }
            | Self::Garbled { .. } => true,
            Self::TooLarge { .. }
            | Self::Tls { .. }
            | Self::Proxy { .. }
            | Self::Redirects { .. }
            | Self::BadRedirect { .. } => false,
        }
    }

    /// What `error`, met before the body of an answer began, means.
    pub(crate) fn before_body(url: String, error: ureq::Error) -> Self {
        match error {
            ureq::Error::Timeout(timeout) => Self::TimedOut { url, phase: phase(timeout) },
            ureq::Error::Rustls(source) => Self::Tls { url, source: source.into() },
            ureq::Error::Tls(source) => Self::Tls { url, source: source.into() },
            ureq::Error::Io(source) if is_tls(&source) => Self::Tls { url, source: source.into() },
            ureq::Error::Io(source) if source.kind() == io::ErrorKind::TimedOut => {
                Self::TimedOut { url, phase: "waiting for bytes" }
            }
            ureq::Error::Io(source) => Self::Unreachable { url, source: source.into() },
            error @ (ureq::Error::HostNotFound
            | ureq::Error::ConnectionFailed
            | ureq::Error::ConnectProxyFailed(_)
            | ureq::Error::InvalidProxyUrl) => Self::Unreachable { url, source: error.into() },
            error => Self::Garbled { url, source: error.into() },
        }
    }

    /// What `error`, met after `received` bytes of a body, means.
    pub(crate) fn in_body(
        url: String,
        error: io::Error,
        received: u64,
        expected: Option<u64>,
    ) -> Self {
        match ureq::Error::from(error) {
            ureq::Error::Timeout(timeout) => Self::TimedOut { url, phase: phase(timeout) },
            ureq::Error::Io(source) if source.kind() == io::ErrorKind::TimedOut => {
                Self::TimedOut { url, phase: "waiting for bytes" }
            }
            ureq::Error::Io(source)
                if matches!(
                    source.kind(),
                    io::ErrorKind::UnexpectedEof
                        | io::ErrorKind::ConnectionReset
                        | io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::BrokenPipe
                ) =>
            {
                Self::Truncated { url, received, expected }
            }
            error => Self::Garbled { url, source: error.into() },
        }
    }
}

fn phase(timeout: ureq::Timeout) -> &'static str {
    match timeout {
        ureq::Timeout::Resolve => "looking up its host",
        ureq::Timeout::Connect => "connecting",
        ureq::Timeout::RecvResponse => "waiting for an answer",
        ureq::Timeout::PerRead => "waiting for bytes",
        _ => "from start to end",
    }
}

/// Whether an error of a stream comes from the TLS inside of it.
fn is_tls(error: &io::Error) -> bool {
    error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_some()
}
