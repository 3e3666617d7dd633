//! The way to the engine: one private runtime, one client, and what its answers mean.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use hyper::client::HttpConnector;
use hyper::{Body, Method, Request, Response};
use hyperlocal::UnixConnector;
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;

use super::host::Host;
use super::kind::EngineKind;
use super::ssh::Ssh;
use super::tls::Tls;
use super::tunnel::{Tunnel, Way};
use crate::backend::BackendError;
use crate::interrupt::Interrupt;

/// How long the engine may take over a request that is not a build, a pull or a test. Generous: an
/// engine under load takes seconds to start a container.
const PATIENCE: Duration = Duration::from_secs(180);

/// The version of the API that requests ask for if the engine offers it: that of Docker 20.10, the
/// oldest engine in the tests.
const TESTED_API: (u32, u32) = (1, 41);

/// An engine, and the runtime on which everything that is asked of it runs.
pub(super) struct Engine {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    /// What shiplift has a call for: attach, start, wait, stop, remove.
    pub(super) docker: shiplift::Docker,
    client: Client,
    /// What leads to an engine that no plain socket reaches.
    tunnel: Option<Tunnel>,
    host: Host,
    /// What was asked for.
    kind: EngineKind,
    /// What answers, once that was asked.
    pub(super) answers: EngineKind,
    /// Whether it keeps its images in containerd's store, once that was asked.
    pub(super) containerd_store: bool,
    /// What the paths of requests begin with (`/v1.41`), once the version is negotiated.
    prefix: OnceLock<String>,
}

enum Client {
    Unix { client: hyper::Client<UnixConnector>, path: String },
    Tcp { client: hyper::Client<HttpConnector>, authority: String },
}

impl fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Engine").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Dropping a runtime waits, which panics on a thread that belongs to another one.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Engine {
    /// A way to the engine at `host`. Does not talk to it yet.
    pub(super) fn new(host: Host, kind: EngineKind) -> Result<Self, BackendError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            // Bytes are handed on here, nothing is computed.
            .worker_threads(2)
            .thread_name("caliper-docker")
            .enable_all()
            .build()
            .map_err(BackendError::machine(
                "could not start the threads that talk to the engine",
            ))?;
        let unreachable = |source: Box<dyn Error + Send + Sync>| BackendError::Unreachable {
            endpoint: host.to_string(),
            source,
        };
        let open = |way| {
            Tunnel::open(&runtime, way)
                .map_err(BackendError::machine("could not open a way to the engine"))
        };
        let tunnel = match &host {
            Host::Unix(_) | Host::Tcp(_) => None,
            Host::Tls(authority, folder) => {
                let tls = Tls::new(authority, folder).map_err(|error| unreachable(error.into()))?;
                Some(open(Way::Tls(tls))?)
            }
            Host::Ssh(destination) => Some(open(Way::Ssh(Ssh::new(destination, kind)))?),
        };
        let socket = match &host {
            Host::Unix(path) => Some(path.as_str()),
            _ => tunnel.as_ref().map(Tunnel::path),
        };
        let (docker, client) = match (socket, &host) {
            (Some(path), _) => {
                let mut client = hyper::Client::builder();
                if tunnel.is_none() {
                    // A kept connection goes stale when the engine restarts, and a socket costs
                    // nothing.
                    client.pool_max_idle_per_host(0);
                }
                (
                    shiplift::Docker::unix(path),
                    Client::Unix { client: client.build(UnixConnector), path: path.to_owned() },
                )
            }
            (None, Host::Tcp(authority)) => {
                let address = format!("http://{authority}").parse();
                let address = address
                    .map_err(|error: hyper::http::uri::InvalidUri| unreachable(error.into()))?;
                (
                    shiplift::Docker::host(address),
                    Client::Tcp { client: hyper::Client::new(), authority: authority.clone() },
                )
            }
            (None, _) => unreachable!("all others have a socket"),
        };
        Ok(Self {
            runtime: Some(runtime),
            docker,
            client,
            tunnel,
            host,
            kind,
            answers: kind,
            containerd_store: false,
            prefix: OnceLock::new(),
        })
    }

    /// Chooses the version of the API for all further requests. `least` and `most` are what the engine
    /// offers. Without a version in its path, a request gets the newest that the engine knows, whose
    /// answers can differ from those that this code was tested with.
    pub(super) fn negotiate(&self, least: Option<&str>, most: &str) {
        if let Some((major, minor)) = nearest_api(least, most) {
            // A second call changes nothing: an engine's answer does not depend on who asks.
            let _ = self.prefix.set(format!("/v{major}.{minor}"));
        }
    }

    /// `path` with the negotiated version. Podman's own paths have one of another kind already.
    fn versioned(&self, path: &str) -> String {
        let has_version = path
            .strip_prefix("/v")
            .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
        match self.prefix.get() {
            Some(prefix) if !has_version => format!("{prefix}{path}"),
            _ => path.to_owned(),
        }
    }

    /// Waits for `future` on the private runtime. Safe to call from any thread, also from one that
    /// belongs to a runtime of the embedder's.
    pub(super) fn block_on<F>(&self, future: F) -> F::Output
    where
        F: Future + Send,
        F::Output: Send,
    {
        let runtime = self.runtime.as_ref().expect("the runtime lives as long as its owner");
        if tokio::runtime::Handle::try_current().is_err() {
            return runtime.block_on(future);
        }
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| runtime.block_on(future));
            waiting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// As [`Engine::block_on`], and gives up when `interrupt` is raised.
    pub(super) fn block_on_until<F, T>(
        &self,
        interrupt: &Interrupt,
        future: F,
    ) -> Result<T, BackendError>
    where
        F: Future<Output = Result<T, BackendError>> + Send,
        T: Send,
    {
        self.block_on(async {
            tokio::select! {
                result = future => result,
                () = raised(interrupt) => Err(BackendError::Interrupted),
            }
        })
    }

    /// Sends a request and hands out the answer, whose body is still to come.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(Body, &'static str)>,
    ) -> Result<Response<Body>, Fault> {
        let path = self.versioned(path);
        let uri: hyper::Uri = match &self.client {
            Client::Unix { path: socket, .. } => hyperlocal::Uri::new(socket, &path).into(),
            Client::Tcp { authority, .. } => {
                format!("http://{authority}{path}").parse().map_err(Fault::transport)?
            }
        };
        // The engine wants a host, and does not look at it.
        let mut request = Request::builder().method(method).uri(uri).header("Host", "caliper");
        if let Some((_, kind)) = &body {
            request = request.header("Content-Type", *kind);
        }
        let body = body.map_or_else(Body::empty, |(body, _)| body);
        let request = request.body(body).map_err(Fault::transport)?;
        let response = match &self.client {
            Client::Unix { client, .. } => client.request(request).await,
            Client::Tcp { client, .. } => client.request(request).await,
        };
        let response = response.map_err(Fault::transport)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let code = response.status().as_u16();
        let bytes = hyper::body::to_bytes(response.into_body()).await.map_err(Fault::transport)?;
        Err(Fault::Status { code, message: message(&bytes) })
    }

    /// Sends a request and reads the whole answer.
    pub(super) async fn bytes(
        &self,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<Vec<u8>, Fault> {
        let body = body.map(|value| (Body::from(value.to_string()), "application/json"));
        let all = async {
            let response = self.send(method, path, body).await?;
            let bytes = hyper::body::to_bytes(response.into_body()).await;
            Ok(bytes.map_err(Fault::transport)?.to_vec())
        };
        patiently(all).await
    }

    /// Sends a request and reads the answer as JSON.
    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<T, Fault> {
        let bytes = self.bytes(method, path, body).await?;
        serde_json::from_slice(&bytes).map_err(Fault::transport)
    }

    /// Asks for JSON.
    pub(super) async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        self.json(Method::GET, path, None).await
    }

    /// The error for `action`, at which `fault` came about.
    pub(super) fn error(&self, action: impl Into<String>, fault: Fault) -> BackendError {
        match fault {
            Fault::Status { message, .. } => {
                BackendError::Refused { action: action.into(), message }
            }
            Fault::Transport(source) => BackendError::Unreachable {
                endpoint: self.host.to_string(),
                source: Box::new(Trouble { fix: self.fix(source.as_ref()), source }),
            },
        }
    }

    fn fix(&self, error: &(dyn Error + 'static)) -> String {
        if let Some(trouble) = self.tunnel.as_ref().and_then(Tunnel::trouble) {
            return trouble;
        }
        let variable = self.kind.variable();
        match (io_kind(error), &self.host) {
            (Some(io::ErrorKind::PermissionDenied), _) => match self.kind {
                EngineKind::Docker => {
                    "this user may not use the engine's socket: add the user to its group (on most \
                     systems `sudo usermod -aG docker $USER`, then log in again)"
                        .to_owned()
                }
                EngineKind::Podman => {
                    "this user may not use that socket: start this user's own with `systemctl \
                     --user start podman.socket`"
                        .to_owned()
                }
            },
            (Some(io::ErrorKind::NotFound), Host::Unix(_)) => self.kind.how_to_start().to_owned(),
            (Some(io::ErrorKind::ConnectionRefused), _) => {
                format!(
                    "nothing listens there: start the container engine, or point {variable} at one"
                )
            }
            (_, Host::Ssh(destination)) => {
                format!(
                    "no engine answers there; see what `{}` prints",
                    destination.by_hand(self.kind)
                )
            }
            _ => "the connection to the engine failed".to_owned(),
        }
    }
}

/// The version nearest to [`TESTED_API`] of those from `least` to `most`; `None` if the engine's answer
/// is not of the form `1.41`.
fn nearest_api(least: Option<&str>, most: &str) -> Option<(u32, u32)> {
    let read = |text: &str| {
        let (major, minor) = text.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    let most = read(most)?;
    let least = least.and_then(read).unwrap_or(most).min(most);
    Some(TESTED_API.clamp(least, most))
}

/// Ends when `interrupt` is raised.
pub(super) async fn raised(interrupt: &Interrupt) {
    while !interrupt.is_raised() {
        tokio::time::sleep(Interrupt::POLL).await;
    }
}

/// Waits for an answer as long as one may take.
pub(super) async fn patiently<T>(
    future: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| {
        let message = format!("no answer for {} seconds", PATIENCE.as_secs());
        Err(Fault::transport(io::Error::new(io::ErrorKind::TimedOut, message)))
    })
}

/// Why a request did not do what it was for.
#[derive(Debug)]
pub(super) enum Fault {
    /// The engine answered that it would not.
    Status { code: u16, message: String },
    /// There was no answer, or not one that can be understood.
    Transport(Box<dyn Error + Send + Sync>),
}

impl Fault {
    /// For `map_err`.
    pub(super) fn transport(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Transport(Box::new(error))
    }

    /// Whether the thing that was asked for does not exist.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Status { code: 404, .. })
    }

    /// Whether Podman met an image that went while it looked at all of them, for example in order to remove another
    /// one. What was asked for was not done.
    pub(super) fn is_of_vanished_image(&self) -> bool {
        matches!(self, Self::Status { code: 500, message } if message.contains("image not known"))
    }

    /// Whether something else needs what was to be changed.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::Status { code: 409, .. })
    }
}

impl From<shiplift::Error> for Fault {
    fn from(error: shiplift::Error) -> Self {
        match error {
            shiplift::Error::Fault { code, message } => {
                Self::Status { code: code.as_u16(), message }
            }
            // shiplift's own text hides the cause, which is where an `io::Error` says what happened.
            shiplift::Error::Hyper(error) => Self::transport(error),
            other => Self::transport(other),
        }
    }
}

/// A failed connection, with what a person can do about it.
#[derive(Debug, thiserror::Error)]
#[error("{fix}")]
struct Trouble {
    fix: String,
    source: Box<dyn Error + Send + Sync>,
}

/// What the operating system said, where it is at the bottom of `error`.
fn io_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    let mut next = Some(error);
    let mut found = None;
    while let Some(error) = next {
        found = error.downcast_ref::<io::Error>().map(io::Error::kind).or(found);
        next = error.source();
    }
    found
}

/// The engine's words in the body of an answer that is not a success.
fn message(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Answer {
        message: String,
    }
    match serde_json::from_slice::<Answer>(body) {
        Ok(answer) => answer.message.trim().to_owned(),
        Err(_) => String::from_utf8_lossy(body).trim().chars().take(500).collect(),
    }
}

/// `path?name=value&…`, encoded.
pub(super) fn query<'a>(path: &str, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("{path}?{query}")
}

/// A name as it may stand in the path of a request.
pub(super) fn segment(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/@".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_the_api_is_the_tested_one_or_the_nearest() {
        for (least, most, expected) in [
            (Some("1.12"), "1.41", Some((1, 41))), // Docker 20.10
            (Some("1.24"), "1.50", Some((1, 41))), // Docker 28
            (Some("1.44"), "1.52", Some((1, 44))), // one that no longer answers in older forms
            (Some("1.24"), "1.40", Some((1, 40))), // Podman 3
            (None, "1.41", Some((1, 41))),
            (Some("1.9"), "1.10", Some((1, 10))), // numbers, not text
            (None, "new", None),
        ] {
            assert_eq!(nearest_api(least, most), expected, "{least:?} to {most}");
        }
    }

    #[test]
    fn only_paths_without_a_version_get_one() {
        let host = Host::parse("unix:///nowhere", None).unwrap();
        let engine = Engine::new(host, EngineKind::Docker).unwrap();
        assert_eq!(engine.versioned("/version"), "/version");
        engine.negotiate(Some("1.12"), "1.41");
        assert_eq!(engine.versioned("/volumes"), "/v1.41/volumes");
        assert_eq!(engine.versioned("/v4.0.0/libpod/info"), "/v4.0.0/libpod/info");
    }
}
