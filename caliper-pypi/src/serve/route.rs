//! Which answer a request gets.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::path::PathBuf;

use caliper_core::names::{PackageName, Sha256};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderMap, HeaderName};
use hyper::{Method, Request, Response, StatusCode, header};
use percent_encoding::percent_decode_str;

use super::body::Content;
use super::folder::{Folder, Offered};
use super::page::{self, Row};
use super::range::{self, Wanted};
use super::{Forms, ServeOptions};

const JSON: &str = "application/vnd.pypi.simple.v1+json";
const HTML: &str = "application/vnd.pypi.simple.v1+html";
const OLD_HTML: &str = "text/html";

/// What is served.
#[derive(Debug)]
pub(super) struct Site {
    folder: Folder,
    options: ServeOptions,
}

/// An answer before it is known whether the client has it already.
struct Page {
    content_type: String,
    body: Vec<u8>,
}

impl Site {
    pub(super) fn new(folder: PathBuf, options: ServeOptions) -> Self {
        Self { folder: Folder::new(folder), options }
    }

    pub(super) fn answer(&self, request: &Request<Incoming>) -> Response<Content> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here");
        }
        let answer = self.route(request.uri().path(), request.headers());
        let mut answer = answer.unwrap_or_else(|error| {
            text(StatusCode::INTERNAL_SERVER_ERROR, &format!("the folder cannot be read: {error}"))
        });
        if *request.method() == Method::HEAD {
            *answer.body_mut() = Content::Bytes(Bytes::new());
        }
        answer
    }

    fn route(&self, path: &str, headers: &HeaderMap) -> io::Result<Response<Content>> {
        let Ok(path) = percent_decode_str(path).decode_utf8() else {
            return Ok(not_found());
        };
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match parts[..] {
            ["simple", ""] => self.list(headers),
            ["simple"] => Ok(redirect("/simple/")),
            ["simple", project] | ["simple", project, ""] => {
                let Ok(project) = project.parse::<PackageName>() else {
                    return Ok(not_found());
                };
                let canonical = format!("/simple/{}/", project.normalized());
                if path != canonical {
                    return Ok(redirect(&canonical));
                }
                self.project(&project, headers)
            }
            ["files", name] => self.file(name, headers),
            _ => Ok(not_found()),
        }
    }

    fn list(&self, headers: &HeaderMap) -> io::Result<Response<Content>> {
        let files = self.folder.files()?;
        let projects: BTreeSet<PackageName> = files.into_iter().map(|file| file.project).collect();
        Ok(self.page(
            headers,
            || page::list_json(&projects).to_string(),
            || page::list_html(&projects),
        ))
    }

    fn project(&self, project: &PackageName, headers: &HeaderMap) -> io::Result<Response<Content>> {
        let mut rows = Vec::new();
        for file in self.folder.files()?.into_iter().filter(|file| file.project == *project) {
            rows.push(Row {
                learnt: self.folder.learn(&file)?,
                upload_time: file.upload_time(),
                yanked: file.yanked(),
                size: file.size,
                version: file.version,
                filename: file.filename,
                metadata: self.options.metadata,
            });
        }
        if rows.is_empty() {
            return Ok(not_found());
        }
        Ok(self.page(
            headers,
            || page::project_json(project, &rows).to_string(),
            || page::project_html(project, &rows),
        ))
    }

    /// The form that the client likes best.
    fn page(
        &self,
        headers: &HeaderMap,
        json: impl FnOnce() -> String,
        html: impl FnOnce() -> String,
    ) -> Response<Content> {
        let content_type = match self.options.forms {
            Forms::Html => Some(OLD_HTML),
            Forms::Json => Some(JSON),
            Forms::Negotiated => best_form(value(headers, &header::ACCEPT)),
        };
        let Some(content_type) = content_type else {
            return text(StatusCode::NOT_ACCEPTABLE, "there are HTML and JSON here");
        };
        let body = if content_type == JSON { json() } else { html() };
        let page = Page { content_type: content_type.to_owned(), body: body.into_bytes() };
        let cache_control = match self.options.max_age.as_secs() {
            0 => "no-cache".to_owned(),
            seconds => format!("max-age={seconds}"),
        };
        let mut answer = page.unless_known(headers);
        set(&mut answer, header::CACHE_CONTROL, &cache_control);
        set(&mut answer, header::VARY, "Accept");
        answer
    }

    fn file(&self, name: &str, headers: &HeaderMap) -> io::Result<Response<Content>> {
        let files = self.folder.files()?;
        // What is looked for must be in the folder's list, so no name leads out of it.
        if let Some(file) = files.iter().find(|file| file.filename == name) {
            return self.bytes_of(file, headers);
        }
        let wheel = name.strip_suffix(".metadata").filter(|_| self.options.metadata);
        let wheel = wheel.and_then(|wheel| files.iter().find(|file| file.filename == wheel));
        if let Some(wheel) = wheel
            && let Some(metadata) = &self.folder.learn(wheel)?.metadata
        {
            let content_type = "application/octet-stream".to_owned();
            return Ok(Page { content_type, body: metadata.clone() }.unless_known(headers));
        }
        Ok(not_found())
    }

    fn bytes_of(&self, offered: &Offered, headers: &HeaderMap) -> io::Result<Response<Content>> {
        let etag = etag(self.folder.learn(offered)?.sha256);
        if knows(headers, &etag) {
            return Ok(not_modified(&etag));
        }
        let mut file = File::open(&offered.path)?;
        let length = file.metadata()?.len();
        // A part of another version than the client has would be of no use to it.
        let same = value(headers, &header::IF_RANGE).is_none_or(|known| known == etag);
        let header = value(headers, &header::RANGE).filter(|_| same);
        let (status, part) = match range::read(header, length) {
            Wanted::Whole => (StatusCode::OK, 0..length),
            Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
            Wanted::Outside => {
                let mut answer = text(StatusCode::RANGE_NOT_SATISFIABLE, "no such bytes");
                set(&mut answer, header::CONTENT_RANGE, &format!("bytes */{length}"));
                return Ok(answer);
            }
        };
        file.seek(SeekFrom::Start(part.start))?;
        let left = part.end - part.start;
        let mut answer = Response::new(Content::File { file, left });
        *answer.status_mut() = status;
        set(&mut answer, header::CONTENT_LENGTH, &left.to_string());
        set(&mut answer, header::CONTENT_TYPE, "application/octet-stream");
        set(&mut answer, header::ACCEPT_RANGES, "bytes");
        set(&mut answer, header::ETAG, &etag);
        set(&mut answer, header::LAST_MODIFIED, &httpdate::fmt_http_date(offered.changed));
        if status == StatusCode::PARTIAL_CONTENT {
            let range = format!("bytes {}-{}/{length}", part.start, part.end - 1);
            set(&mut answer, header::CONTENT_RANGE, &range);
        }
        Ok(answer)
    }
}

impl Page {
    /// The page, or word that the client's copy of it still holds.
    fn unless_known(self, headers: &HeaderMap) -> Response<Content> {
        let etag = etag(Sha256::of(&self.body));
        if knows(headers, &etag) {
            return not_modified(&etag);
        }
        let length = self.body.len().to_string();
        let mut answer = Response::new(Content::Bytes(self.body.into()));
        set(&mut answer, header::CONTENT_LENGTH, &length);
        set(&mut answer, header::CONTENT_TYPE, &self.content_type);
        set(&mut answer, header::ETAG, &etag);
        answer
    }
}

/// Chooses by the weights of an `Accept` header; of equal ones JSON, then the newer name of HTML.
///
/// No header, as of a person with a simple client, gets HTML
/// ([PEP 691](https://peps.python.org/pep-0691/#version-format-selection)).
fn best_form(accept: Option<&str>) -> Option<&'static str> {
    let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else {
        return Some(OLD_HTML);
    };
    let weight_of = |form: &str| {
        let ranges = accept.split(',').filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next()?.to_ascii_lowercase();
            let group = form.split('/').next()?;
            // The more exact range counts.
            let exactness = if name == form || form == JSON && name == JSON.replace("v1", "latest")
            {
                2
            } else if name == format!("{group}/*") {
                1
            } else if name == "*/*" {
                0
            } else {
                return None;
            };
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
            Some((exactness, weight.unwrap_or(1.0)))
        });
        ranges.max_by_key(|(exactness, _)| *exactness).map_or(0.0, |(_, weight)| weight)
    };
    // A browser and `curl` accept anything: HTML is what they can show.
    let forms = if accept.contains(JSON) { [JSON, HTML, OLD_HTML] } else { [OLD_HTML, HTML, JSON] };
    let mut best: Option<(&'static str, f32)> = None;
    for form in forms {
        let weight = weight_of(form);
        if weight > 0.0 && best.is_none_or(|(_, best)| weight > best) {
            best = Some((form, weight));
        }
    }
    best.map(|(form, _)| form)
}

fn value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn etag(sha256: Sha256) -> String {
    format!("\"{}\"", sha256.hex())
}

fn knows(headers: &HeaderMap, etag: &str) -> bool {
    value(headers, &header::IF_NONE_MATCH).is_some_and(|known| {
        known.split(',').any(|known| matches!(known.trim(), "*") || known.trim() == etag)
    })
}

fn set(answer: &mut Response<Content>, name: HeaderName, value: &str) {
    // All values are made here, out of characters that headers may have.
    if let Ok(value) = value.parse() {
        answer.headers_mut().insert(name, value);
    }
}

fn text(status: StatusCode, message: &str) -> Response<Content> {
    let mut answer = Response::new(Content::Bytes(format!("{message}\n").into()));
    *answer.status_mut() = status;
    set(&mut answer, header::CONTENT_TYPE, "text/plain; charset=utf-8");
    answer
}

fn not_found() -> Response<Content> {
    text(StatusCode::NOT_FOUND, "there is no such page here; projects are under /simple/")
}

fn not_modified(etag: &str) -> Response<Content> {
    let mut answer = Response::new(Content::Bytes(Bytes::new()));
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    set(&mut answer, header::ETAG, etag);
    answer
}

fn redirect(to: &str) -> Response<Content> {
    let mut answer = text(StatusCode::MOVED_PERMANENTLY, to);
    set(&mut answer, header::LOCATION, to);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_the_one_that_the_client_likes_best() {
        let pip = "application/vnd.pypi.simple.v1+json, \
                   application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01";
        let cases: &[(Option<&str>, Option<&str>)] = &[
            (Some(pip), Some(JSON)),
            (Some("application/vnd.pypi.simple.latest+json"), Some(JSON)),
            (Some("text/html"), Some(OLD_HTML)),
            (Some("*/*"), Some(OLD_HTML)), // curl
            (None, Some(OLD_HTML)),
            (Some("application/vnd.pypi.simple.v1+json;q=0.1, text/html"), Some(OLD_HTML)),
            (Some("image/png"), None),
            (Some("text/html;q=0"), None),
        ];
        for (accept, form) in cases {
            assert_eq!(best_form(*accept), *form, "{accept:?}");
        }
    }
}
