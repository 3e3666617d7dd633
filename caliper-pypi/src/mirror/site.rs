//! Which answer a request gets.

use caliper_core::names::{PackageName, Sha256, Timestamp};
use caliper_core::question::lock::Lock;
use hyper::header::HeaderMap;
use hyper::{Response, header};

use super::failure::{Failure, Failures};
use super::locks;
use super::locks::Locks;
use super::pages::{Pages, UNVERIFIED, Which, without_upload_time};
use super::shelf::{Known, Shelf};
use super::{BUILD_TOOLS, UnknownUploadTime};
use crate::Notice;
use crate::download::Downloader;
use crate::index::{IndexClient, PackageIndex as _};
use crate::web::answer::{self, Page, not_found, redirect, set};
use crate::web::page;
use crate::web::{self, Content};

/// What the name of a file can be kept for: it has a digest in its address.
const FOR_EVER: &str = "max-age=365000000, immutable";

/// Where a page is, and as of when it is.
#[derive(Debug, Clone, Copy)]
struct At {
    as_of: Option<Timestamp>,
    /// How many folders below the root.
    depth: usize,
}

/// What is served.
#[derive(Debug)]
pub(super) struct Site {
    client: IndexClient,
    /// Answers from what is kept of the indexes.
    kept: IndexClient,
    shelf: Shelf,
    unknown: UnknownUploadTime,
    pub(super) locks: Locks,
    pub(super) pages: Pages,
    pub(super) failures: Failures,
}

impl Site {
    pub(super) fn new(client: IndexClient, files: Downloader, unknown: UnknownUploadTime) -> Self {
        Self {
            kept: client.of_cache(),
            client,
            shelf: Shelf::new(files),
            unknown,
            locks: Locks::default(),
            pages: Pages::default(),
            failures: Failures::default(),
        }
    }

    /// The files without upload time of a project, as far as an index was asked for it.
    pub(super) fn without_upload_time_of(&self, project: &PackageName) -> Vec<String> {
        let offered = self.kept.project(project);
        offered.map(|project| without_upload_time(&project)).unwrap_or_default()
    }

    fn answer(&self, path: &str, headers: &HeaderMap) -> Result<Response<Content>, Failure> {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let known = Known { locks: &self.locks, client: &self.client };
        let mut lock = None;
        let (mut before, as_of, mut rest) = match parts[..] {
            ["lock", digest, ref rest @ ..] => {
                let of_digest = digest.parse().ok().and_then(|digest| self.locks.of(digest));
                let Some(found) = of_digest else { return Ok(not_found()) };
                let as_of = found.tools_as_of();
                lock = Some(found);
                (format!("/lock/{digest}"), as_of, rest)
            }
            ["as-of", time, ref rest @ ..] => {
                let as_of: Timestamp = time.parse().map_err(|error| Failure::question(&error))?;
                (format!("/as-of/{time}"), Some(as_of), rest)
            }
            ref rest => (String::new(), None, rest),
        };
        let mut tools = None;
        if let (false, ["tools", time, after @ ..]) = (before.is_empty(), rest) {
            tools = Some(time.parse().map_err(|error| Failure::question(&error))?);
            before += &format!("/tools/{time}");
            rest = after;
        }
        match *rest {
            ["simple", ""] => Ok(self.list(headers)),
            ["simple"] => Ok(redirect(&format!("{before}/simple/"))),
            ["simple", name] | ["simple", name, ""] => {
                let Ok(project) = name.parse::<PackageName>() else { return Ok(not_found()) };
                let canonical = format!("{before}/simple/{}/", project.normalized());
                if path != canonical {
                    return Ok(redirect(&canonical));
                }
                let is_tool = BUILD_TOOLS.contains(&project.normalized());
                let as_of = tools.filter(|_| is_tool).or(as_of);
                let depth = before.matches('/').count() + 2;
                let at = At { as_of, depth };
                match lock {
                    Some(lock) => self.of_lock(project, &lock, at, headers),
                    None => self.project(project, at, self.unknown, headers),
                }
            }
            ["files", UNVERIFIED, filename] if before.is_empty() => {
                let (ready, sha256) = self.shelf.unverified(filename, &known)?;
                Ok(answer::file(ready.file, sha256, ready.changed, headers)?)
            }
            ["files", sha256, filename] if before.is_empty() => {
                let Ok(sha256) = sha256.parse::<Sha256>() else { return Ok(not_found()) };
                let mut answer = self.file(sha256, filename, &known, headers)?;
                set(&mut answer, header::CACHE_CONTROL, FOR_EVER);
                Ok(answer)
            }
            _ => Ok(not_found()),
        }
    }

    /// The projects that were asked for so far: the indexes have many more.
    fn list(&self, headers: &HeaderMap) -> Response<Content> {
        let projects = self.client.kept();
        let page = match answer::best_form_for(headers) {
            Some(answer::JSON) => Page::new(answer::JSON, page::list_json(&projects)),
            Some(form) => Page::new(form, page::list_html(&projects)),
            None => return answer::not_acceptable(),
        };
        page.unless_known(headers)
    }

    /// The page of a project for a build from a lock.
    fn of_lock(
        &self,
        project: PackageName,
        lock: &Lock,
        at: At,
        headers: &HeaderMap,
    ) -> Result<Response<Content>, Failure> {
        if let Some(row) = locks::row(lock, &project, at.depth) {
            let page = match answer::best_form_for(headers) {
                Some(answer::JSON) => Page::new(answer::JSON, page::project_json(&project, &[row])),
                Some(form) => Page::new(form, page::project_html(&project, &[row])),
                None => return Ok(answer::not_acceptable()),
            };
            return Ok(page.unless_known(headers));
        }
        // A lock without a date was made from all that was there.
        let undated = if lock.as_of.is_some() { self.unknown } else { UnknownUploadTime::Include };
        self.project(project, at, undated, headers)
    }

    fn project(
        &self,
        project: PackageName,
        At { as_of, depth }: At,
        undated: UnknownUploadTime,
        headers: &HeaderMap,
    ) -> Result<Response<Content>, Failure> {
        let Some(form) = answer::best_form_for(headers) else {
            return Ok(answer::not_acceptable());
        };
        let page =
            self.pages.page(&Which { project, as_of, depth, undated, form }, &self.client)?;
        let mut answer = page.unless_known(headers);
        // Whether the indexes' answer still holds is for the mirror to know.
        set(&mut answer, header::CACHE_CONTROL, "no-cache");
        set(&mut answer, header::VARY, "Accept");
        Ok(answer)
    }

    fn file(
        &self,
        sha256: Sha256,
        filename: &str,
        known: &Known<'_>,
        headers: &HeaderMap,
    ) -> Result<Response<Content>, Failure> {
        if let Some(wheel) = filename.strip_suffix(".metadata") {
            let metadata = self.shelf.metadata(sha256, wheel, known)?;
            return Ok(Page::new(answer::BYTES, metadata).unless_known(headers));
        }
        let ready = self.shelf.file(sha256, filename, known)?;
        Ok(answer::file(ready.file, sha256, ready.changed, headers)?)
    }
}

impl web::Site for Site {
    fn route(&self, path: &str, headers: &HeaderMap) -> Response<Content> {
        self.answer(path, headers).unwrap_or_else(|failure| {
            if failure.is_ours() {
                self.failures.add(failure.reason());
                let (path, reason) = (path.to_owned(), failure.reason().to_owned());
                self.client.http().notify(&Notice::NotServed { path, reason });
            }
            failure.answer()
        })
    }
}
