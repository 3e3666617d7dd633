use std::sync::Arc;
use std::time::{Instant, SystemTime};

use caliper_core::names::PackageName;
use ureq::http::HeaderMap;
use url::Url;

use super::answer;
use super::cache::{Cache, Head};
use super::freshness::Freshness;
use super::{IndexAddress, IndexError, PackageIndex, Project};
use crate::http::{ClientOptions, Http, Notice, RequestError};

/// What to accept, the richest form first; the same weights as pip's.
const ACCEPT: &str = "application/vnd.pypi.simple.v1+json, \
     application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1, application/json;q=0.1";

/// Asks package indexes over the network.
///
/// Understands the simple API as JSON and as HTML, and project JSON, whichever the answer's content
/// type says. An address that ends in `/pypi` is asked for project JSON (`/pypi/NAME/json`), any other
/// for the simple API. TLS trusts the operating system's certificates and `SSL_CERT_FILE`; proxies
/// come from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`.
///
/// Of several indexes the *first that has a project at all* is asked for it, and no other: what a
/// later one offers under the same name may be of another author (dependency confusion). Only the answer
/// that there is no such project (404, 410) leads to the next index. One that cannot be asked, or
/// wants another login, is an error.
#[derive(Debug, Clone)]
pub struct IndexClient {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// In the order in which they are asked; at least one.
    sources: Vec<Source>,
    options: ClientOptions,
    http: Http,
}

/// One index, and what is kept of it.
#[derive(Debug)]
struct Source {
    address: IndexAddress,
    cache: Option<Cache>,
}

/// What an index replies to a request for a project.
enum Reply {
    New(Head, Vec<u8>),
    /// 304: what was kept still holds, with these headers.
    Unchanged(HeaderMap, SystemTime),
}

impl IndexClient {
    /// A client of the index at `address`. Makes no request.
    pub fn new(address: IndexAddress, options: ClientOptions) -> Self {
        Self::of_several(address, [], options)
    }

    /// A client of several indexes, in this order. Makes no request.
    pub fn of_several(
        first: IndexAddress,
        others: impl IntoIterator<Item = IndexAddress>,
        options: ClientOptions,
    ) -> Self {
        let http = Http::new(&options);
        let source = |address: IndexAddress| {
            http.name(address.url());
            if let Some(credentials) = address.credentials() {
                http.remember(address.url(), credentials.clone());
            }
            let cache = options.cache.as_deref().map(|root| Cache::new(root, &address));
            Source { address, cache }
        };
        let sources = std::iter::once(first).chain(others).map(source).collect();
        Self { inner: Arc::new(Inner { sources, options, http }) }
    }

    /// The indexes that are asked, in this order.
    pub fn addresses(&self) -> impl Iterator<Item = &IndexAddress> {
        self.inner.sources.iter().map(|source| &source.address)
    }

    /// Whether an index is asked with a name or a password, from its address or from a netrc file.
    pub fn has_login(&self) -> bool {
        let named = |host| self.options().netrc.names(host);
        self.addresses()
            .any(|address| address.has_credentials() || address.url().host_str().is_some_and(named))
    }

    /// How it is asked.
    pub fn options(&self) -> &ClientOptions {
        &self.inner.options
    }

    /// Asks every index once whether it answers, whatever it says of `project`. Nothing is taken from the
    /// cache; offline, nothing is asked.
    ///
    /// # Errors
    ///
    /// [`IndexError::Request`] if one does not answer, or only with an error of its own.
    pub fn check(&self, project: &PackageName) -> Result<(), IndexError> {
        if self.options().offline {
            return Ok(());
        }
        for source in &self.inner.sources {
            let url = source.project_url(project);
            let deadline = Instant::now() + self.options().answer_timeout;
            let answer = self.http().get(&url, &[("Accept", ACCEPT)], deadline)?;
            if answer.status >= 500 {
                let (url, status) = (crate::http::shown(&url), answer.status);
                return Err(RequestError::Status { url, status }.into());
            }
        }
        Ok(())
    }

    /// The same, making no request: answers come from the cache, however old.
    #[cfg(feature = "server")]
    pub(crate) fn of_cache(&self) -> Self {
        let options = ClientOptions { offline: true, ..self.options().clone() };
        let mut addresses = self.addresses().cloned();
        let first = addresses.next().unwrap_or_default();
        Self::of_several(first, addresses, options)
    }

    /// The projects of which an answer is kept, whichever index gave it.
    #[cfg(feature = "server")]
    pub(crate) fn kept(&self) -> std::collections::BTreeSet<PackageName> {
        let caches = self.inner.sources.iter().filter_map(|source| source.cache.as_ref());
        caches.flat_map(Cache::projects).collect()
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
        for source in &self.sources {
            match self.project_of(source, name) {
                Err(IndexError::NotFound { .. }) if self.sources.len() > 1 => {}
                answer => return answer,
            }
        }
        let indexes = self.sources.iter().map(|source| source.address.to_string()).collect();
        Err(IndexError::NotFoundAnywhere { indexes, project: name.clone() })
    }

    fn project_of(&self, source: &Source, name: &PackageName) -> Result<Project, IndexError> {
        let url = source.project_url(name);
        let mut kept = source.cache.as_ref().and_then(|cache| cache.load(name, &url));
        let now = SystemTime::now();
        if let Some((head, body)) = &kept
            && (self.options.offline
                || head.freshness.is_fresh(self.options.assumed_freshness, now))
        {
            match self.parse(source, name, head, body) {
                Ok(project) => return Ok(project),
                // What was kept cannot be read: ask again.
                Err(_) => kept = None,
            }
        }
        if self.options.offline {
            let (index, project) = (source.address.to_string(), name.clone());
            let absent = source.cache.as_ref().is_some_and(|cache| cache.is_absent(name));
            return Err(if absent {
                IndexError::NotFound { index, project }
            } else {
                IndexError::Offline { index, project }
            });
        }
        let asked = self.ask(source, &url, name, kept);
        let (head, body) = match asked {
            Err(error @ IndexError::NotFound { .. }) => {
                self.keep(source, name, |cache| cache.store_absent(name));
                return Err(error);
            }
            asked => asked?,
        };
        // Only what can be read is kept.
        let project = self.parse(source, name, &head, &body)?;
        if head.freshness.may_be_kept() {
            self.keep(source, name, |cache| cache.store(name, &head, &body));
        }
        Ok(project)
    }

    fn keep(
        &self,
        source: &Source,
        name: &PackageName,
        store: impl FnOnce(&Cache) -> std::io::Result<()>,
    ) {
        if let Some(cache) = &source.cache
            && let Err(error) = store(cache)
        {
            let (path, reason) = (cache.path(name), error.to_string());
            self.http.notify(&Notice::NotKept { path, reason });
        }
    }

    /// Asks for a project, or whether what was kept of it still holds.
    fn ask(
        &self,
        source: &Source,
        url: &Url,
        name: &PackageName,
        kept: Option<(Head, Vec<u8>)>,
    ) -> Result<(Head, Vec<u8>), IndexError> {
        let mut headers = vec![("Accept", ACCEPT)];
        if let Some((head, _)) = &kept {
            headers.extend(head.freshness.conditions());
        }
        let deadline = Instant::now() + self.options.whole_timeout;
        let limit = self.options.largest_answer;
        let reply = self.http.with_retries(deadline, |_| {
            let answer = self.http.get_ok(url, &headers, &[304], deadline)?;
            let now = SystemTime::now();
            if answer.status == 304 {
                return Ok(Reply::Unchanged(answer.headers().clone(), now));
            }
            let freshness = Freshness::of(answer.headers(), now);
            let content_type = answer.header("content-type").unwrap_or_default().to_owned();
            // A query may hold a signature, and relative addresses do not need it.
            let mut final_url = answer.url.clone();
            final_url.set_query(None);
            let body = answer.read(limit)?;
            let head = Head::new(url, &final_url, content_type, freshness, &body);
            Ok(Reply::New(head, body))
        });
        match (reply.map_err(|error| source.name_project(name, error))?, kept) {
            (Reply::New(head, body), _) => Ok((head, body)),
            (Reply::Unchanged(headers, now), Some((mut head, body))) => {
                head.freshness.confirm(&headers, now);
                Ok((head, body))
            }
            // The request had no condition, so this answer breaks the protocol.
            (Reply::Unchanged(..), None) => {
                Err(RequestError::Status { url: crate::http::shown(url), status: 304 }.into())
            }
        }
    }

    fn parse(
        &self,
        source: &Source,
        name: &PackageName,
        head: &Head,
        body: &[u8],
    ) -> Result<Project, IndexError> {
        let base: Url = head.url.parse().unwrap_or_else(|_| source.project_url(name));
        match answer::parse(name, &head.content_type, &base, body) {
            Ok(parsed) => {
                for (url, credentials) in parsed.credentials {
                    self.http.remember(&url, credentials);
                }
                Ok(parsed.project.offered_by(&crate::http::shown(source.address.url())))
            }
            Err(expected) => Err(IndexError::Rubbish {
                url: crate::http::shown(&base),
                expected,
                content_type: crate::excerpt::excerpt(&head.content_type),
                start: crate::excerpt::excerpt(&String::from_utf8_lossy(
                    &body[..body.len().min(60)],
                )),
            }),
        }
    }
}

impl Source {
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
