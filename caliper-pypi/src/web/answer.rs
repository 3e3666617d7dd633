//! Answers, as values: pages in the form that a client likes, files and parts of them, and words.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::time::SystemTime;

use caliper_core::names::Sha256;
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName};
use hyper::{Response, StatusCode, header};

use super::body::Content;
use super::range::{self, Wanted};

/// The simple API as JSON.
pub(crate) const JSON: &str = "application/vnd.pypi.simple.v1+json";
const HTML: &str = "application/vnd.pypi.simple.v1+html";
/// The simple API as HTML, under the name that every client knows.
pub(crate) const OLD_HTML: &str = "text/html";
/// The content type of files.
pub(crate) const BYTES: &str = "application/octet-stream";

/// An answer before it is known whether the client has it already.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    content_type: &'static str,
    body: Bytes,
    etag: String,
}

impl Page {
    pub(crate) fn new(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self { content_type, etag: etag(Sha256::of(&body)), body }
    }

    /// Its length in bytes.
    pub(crate) fn length(&self) -> usize {
        self.body.len()
    }

    /// The page, or word that the client's copy of it still holds.
    pub(crate) fn unless_known(self, headers: &HeaderMap) -> Response<Content> {
        if knows(headers, &self.etag) {
            return not_modified(&self.etag);
        }
        let length = self.body.len().to_string();
        let mut answer = Response::new(Content::Bytes(self.body));
        set(&mut answer, header::CONTENT_LENGTH, &length);
        set(&mut answer, header::CONTENT_TYPE, self.content_type);
        set(&mut answer, header::ETAG, &self.etag);
        answer
    }
}

/// The bytes of a file, or those that the client lacks of it, where its digest and the time of its last
/// change are known.
pub(crate) fn file(
    mut file: File,
    sha256: Sha256,
    changed: SystemTime,
    headers: &HeaderMap,
) -> io::Result<Response<Content>> {
    let etag = etag(sha256);
    if knows(headers, &etag) {
        return Ok(not_modified(&etag));
    }
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
    set(&mut answer, header::CONTENT_TYPE, BYTES);
    set(&mut answer, header::ACCEPT_RANGES, "bytes");
    set(&mut answer, header::ETAG, &etag);
    set(&mut answer, header::LAST_MODIFIED, &httpdate::fmt_http_date(changed));
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {}-{}/{length}", part.start, part.end - 1);
        set(&mut answer, header::CONTENT_RANGE, &range);
    }
    Ok(answer)
}

/// The form of a page that the client likes best; `None` if it likes none.
pub(crate) fn best_form_for(headers: &HeaderMap) -> Option<&'static str> {
    best_form(value(headers, &header::ACCEPT))
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

pub(crate) fn set(answer: &mut Response<Content>, name: HeaderName, value: &str) {
    // All values are made here, out of characters that headers may have.
    if let Ok(value) = value.parse() {
        answer.headers_mut().insert(name, value);
    }
}

/// An answer in words.
pub(crate) fn text(status: StatusCode, message: &str) -> Response<Content> {
    let mut answer = Response::new(Content::Bytes(format!("{message}\n").into()));
    *answer.status_mut() = status;
    set(&mut answer, header::CONTENT_TYPE, "text/plain; charset=utf-8");
    answer
}

/// For a client that takes none of the forms of a page.
pub(crate) fn not_acceptable() -> Response<Content> {
    text(StatusCode::NOT_ACCEPTABLE, "there are HTML and JSON here")
}

pub(crate) fn not_found() -> Response<Content> {
    text(StatusCode::NOT_FOUND, "there is no such page here; projects are under /simple/")
}

fn not_modified(etag: &str) -> Response<Content> {
    let mut answer = Response::new(Content::empty());
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    set(&mut answer, header::ETAG, etag);
    answer
}

pub(crate) fn redirect(to: &str) -> Response<Content> {
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
