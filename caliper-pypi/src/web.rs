//! The server half of HTTP, for whatever offers an index: connections, pages, files and parts of them.

pub(crate) mod answer;
mod body;
mod names;
pub(crate) mod page;
mod range;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;

pub(crate) use body::Content;
pub(crate) use names::projects_of;

/// How long a client may take to send the head of a request, or stay connected without one.
const PATIENCE: Duration = Duration::from_secs(30);

/// What answers requests.
pub(crate) trait Site: Send + Sync + 'static {
    /// The answer to a request for `path`, whose escapes are resolved. Called on a thread that may block.
    fn route(&self, path: &str, headers: &hyper::HeaderMap) -> Response<Content>;
}

/// Answers requests until it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    listening: SocketAddr,
    requests: Arc<AtomicU64>,
    /// Only gone while the server is being dropped.
    runtime: Option<tokio::runtime::Runtime>,
}

impl Server {
    /// Starts to answer for `site`, on threads of its own with this name.
    pub(crate) fn start(listen: SocketAddr, name: &str, site: Arc<impl Site>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name(name)
            .enable_io()
            .enable_time()
            .build()?;
        let listener = runtime.block_on(tokio::net::TcpListener::bind(listen))?;
        let listening = listener.local_addr()?;
        let requests = Arc::new(AtomicU64::new(0));
        runtime.spawn(accept(listener, site, Arc::clone(&requests)));
        Ok(Self { listening, requests, runtime: Some(runtime) })
    }

    pub(crate) fn listening(&self) -> SocketAddr {
        self.listening
    }

    /// How many requests came so far.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Does not wait: a client in the middle of a file does not hold us up.
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: tokio::net::TcpListener, site: Arc<impl Site>, requests: Arc<AtomicU64>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: some come back when connections end.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (site, requests) = (Arc::clone(&site), Arc::clone(&requests));
        let service = hyper::service::service_fn(move |request| {
            requests.fetch_add(1, Ordering::Relaxed);
            let site = Arc::clone(&site);
            // Pages read and hash files, which must not hold up other connections.
            async move {
                tokio::task::spawn_blocking(move || reply(&*site, &request))
                    .await
                    .map_err(io::Error::other)
            }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(hyper_util::rt::TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(hyper_util::rt::TokioIo::new(stream), service);
        // A connection that breaks concerns its client only.
        tokio::spawn(async move { _ = connection.await });
    }
}

fn reply(site: &impl Site, request: &Request<Incoming>) -> Response<Content> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let message = "only GET and HEAD are answered here";
        return answer::text(StatusCode::METHOD_NOT_ALLOWED, message);
    }
    let mut answer = match percent_decode_str(request.uri().path()).decode_utf8() {
        Ok(path) => site.route(&path, request.headers()),
        Err(_) => answer::not_found(),
    };
    if *request.method() == Method::HEAD {
        *answer.body_mut() = Content::empty();
    }
    answer
}
