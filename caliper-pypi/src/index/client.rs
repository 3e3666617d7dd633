use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use caliper_core::names::PackageName;
use url::Url;

use super::answer;
use super::cache::{Cache, Freshness, Head};
use super::{IndexAddress, IndexError, PackageIndex, Project};
use crate::http::{Answer, Http, Notice, Notices, RequestError};
use crate::netrc::Netrc;

/// What to accept, the richest form first; the same weights as pip's.
const ACCEPT: &str = "application/vnd.pypi.simple.v1+json, \
     application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1, application/json;q=0.1";

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
    /// How long a kept answer holds whose server does not say (`Cache-Control`).
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
    /// freshness; 256 MiB.
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
            largest_answer: 256 << 20,
            netrc: Netrc::default(),
            notices: Notices::default(),
        }
    }
}

/// Asks a package index over the network.
///
/// Understands the simple API as JSON and as HTML, and project JSON, whichever the answer's content
/// type says. An address that ends in `/pypi` is asked for project JSON (`/pypi/NAME/json`), any other
/// for the simple API. TLS trusts the operating system's certificates and `SSL_CERT_FILE`; proxies
/// come from `ALL_PROXY`, `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`.
#[derive(Debug, Clone)]
pub struct IndexClient {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    address: IndexAddress,
    options: ClientOptions,
    http: Http,
    cache: Option<Cache>,
}

impl IndexClient {
    /// A client of the index at `address`. Makes no request.
    pub fn new(address: IndexAddress, options: ClientOptions) -> Self {
        let http = Http::new(&options);
        http.name(address.url());
        if let Some(credentials) = address.credentials() {
            http.remember(address.url(), credentials.clone());
        }
        let cache = options.cache.as_deref().map(|root| Cache::new(root, &address));
        Self { inner: Arc::new(Inner { address, options, http, cache }) }
    }

    /// The index that is asked.
    pub fn address(&self) -> &IndexAddress {
        &self.inner.address
    }

    /// Whether it is asked with a name or a password, from its address or from a netrc file.
    pub fn has_login(&self) -> bool {
        let address = self.address();
        let named = |host| self.options().netrc.names(host);
        address.has_credentials() || address.url().host_str().is_some_and(named)
    }

    /// How it is asked.
    pub fn options(&self) -> &ClientOptions {
        &self.inner.options
    }

    pub(crate) fn http(&self) -> &Http {
        &self.inner.http
    }
}

impl PackageIndex for IndexClient {
    fn project(&self, name: &PackageName) -> Result<Project, IndexError> {
        self.inner.project(name)
    }
}

impl Inner {
    fn project(&self, name: &PackageName) -> Result<Project, IndexError> {
        let mut kept = self.cache.as_ref().and_then(|cache| cache.load(name));
        let now = SystemTime::now();
        if let Some((head, body)) = &kept
            && (self.options.offline || head.is_fresh(now))
        {
            match self.parse(name, head, body) {
                Ok(project) => return Ok(project),
                // What was kept cannot be read: ask again.
                Err(_) => kept = None,
            }
        }
        if self.options.offline {
            let index = self.address.to_string();
            return Err(IndexError::Offline { index, project: name.clone() });
        }
        let (head, body, freshness) = self.ask(name, kept)?;
        // Only what can be read is kept.
        let project = self.parse(name, &head, &body)?;
        if let Some(cache) = self.cache.as_ref().filter(|_| freshness.keep)
            && let Err(error) = cache.store(name, &head, &body)
        {
            let (path, reason) = (cache.path(name), error.to_string());
            self.http.notify(&Notice::NotKept { path, reason });
        }
        Ok(project)
    }

    /// Asks for a project, or whether what was kept of it still holds.
    fn ask(
        &self,
        name: &PackageName,
        kept: Option<(Head, Vec<u8>)>,
    ) -> Result<(Head, Vec<u8>, Freshness), IndexError> {
        let url = self.project_url(name);
        let mut headers = vec![("Accept", ACCEPT)];
        if let Some((head, _)) = &kept {
            headers.extend(head.etag.as_deref().map(|etag| ("If-None-Match", etag)));
            headers.extend(head.last_modified.as_deref().map(|date| ("If-Modified-Since", date)));
        }
        let deadline = Instant::now() + self.options.whole_timeout;
        let limit = self.options.largest_answer;
        let answer = self.http.with_retries(deadline, |_| {
            let answer = self.http.get_ok(&url, &headers, &[304], deadline)?;
            let freshness = freshness(&answer);
            if answer.status == 304 {
                return Ok((None, freshness));
            }
            let header = |name| answer.header(name).map(str::to_owned);
            let (content_type, final_url) = (header("content-type"), answer.url.to_string());
            let (etag, last_modified) = (header("etag"), header("last-modified"));
            let body = answer.read(limit)?;
            let content_type = content_type.unwrap_or_default();
            let mut head = Head::new(final_url, content_type, &body);
            (head.etag, head.last_modified) = (etag, last_modified);
            Ok((Some((head, body)), freshness))
        });
        let (fresh, freshness) = answer.map_err(|error| self.name_project(name, error))?;
        let Some((mut head, body)) = fresh.or(kept) else {
            // Not modified since nothing: no index says so.
            let url = crate::http::shown(&url);
            return Err(RequestError::Status { url, status: 304 }.into());
        };
        head.renew(freshness, self.options.assumed_freshness, SystemTime::now());
        Ok((head, body, freshness))
    }

    fn project_url(&self, name: &PackageName) -> Url {
        let mut url = self.address.url().clone();
        let path = url.path();
        // A normal form holds nothing that would need an escape.
        let path = if path.ends_with("/pypi/") {
            format!("{path}{}/json", name.normalized())
        } else {
            format!("{path}{}/", name.normalized())
        };
        url.set_path(&path);
        url
    }

    fn parse(&self, name: &PackageName, head: &Head, body: &[u8]) -> Result<Project, IndexError> {
        let base: Url = head.url.parse().unwrap_or_else(|_| self.project_url(name));
        match answer::parse(name, &head.content_type, &base, body) {
            Ok(parsed) => {
                for (url, credentials) in parsed.credentials {
                    self.http.remember(&url, credentials);
                }
                Ok(parsed.project)
            }
            Err(expected) => Err(IndexError::Rubbish {
                url: crate::http::shown(&base),
                expected,
                content_type: crate::http::excerpt(&head.content_type),
                start: crate::http::excerpt(&String::from_utf8_lossy(&body[..body.len().min(60)])),
            }),
        }
    }

    /// Says what a status means for a project.
    fn name_project(&self, name: &PackageName, error: RequestError) -> IndexError {
        let (index, project) = (self.address.to_string(), name.clone());
        match error {
            RequestError::Status { status: 404 | 410, .. } => {
                IndexError::NotFound { index, project }
            }
            RequestError::Status { status: status @ (401 | 403), .. } => {
                IndexError::Unauthorised { index, project, status }
            }
            error => error.into(),
        }
    }
}

fn freshness(answer: &Answer) -> Freshness {
    Freshness::of(answer.header("cache-control"), answer.header("age"))
}
