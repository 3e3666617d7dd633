//! From the bytes of an answer to a project, whichever of the three forms it has.

use std::borrow::Cow;

use caliper_core::grid::DistFile;
use caliper_core::names::PackageName;
use url::Url;

use super::project::{FileFault, Project, ProjectBuilder, kind_of};
use super::{html, json};
use crate::http::Credentials;

/// What an answer holds.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) project: Project,
    /// The credentials that stood in addresses of files, and where they are to be sent.
    pub(super) credentials: Vec<(Url, Credentials)>,
}

/// Reads an answer.
///
/// What was asked for does not matter: a proxy may answer in another form. `base` is the address
/// that the answer came from in the end, against which relative addresses are read.
///
/// # Errors
///
/// What is wrong, as a sentence, if the answer has none of the three forms.
pub(super) fn parse(
    name: &PackageName,
    content_type: &str,
    base: &Url,
    body: &[u8],
) -> Result<Parsed, String> {
    let text = match std::str::from_utf8(body) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) if is_html(content_type) => String::from_utf8_lossy(body),
        Err(_) => return Err("expected UTF-8".to_owned()),
    };
    let mut collector = Collector::new(name.clone(), base);
    if is_json(content_type) {
        json::read(&text, &mut collector)?;
    } else if is_html(content_type) {
        let declared = html::read(&text, &mut collector)?;
        let parsed = collector.finish();
        // A page to log in, say.
        if !declared && parsed.project.releases().is_empty() {
            return Err("expected a page of links to files".to_owned());
        }
        return Ok(parsed);
    } else {
        return Err("expected JSON or HTML".to_owned());
    }
    Ok(collector.finish())
}

fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

fn is_json(content_type: &str) -> bool {
    let media_type = media_type(content_type);
    media_type.eq_ignore_ascii_case("application/json")
        || media_type.to_ascii_lowercase().ends_with("+json")
}

fn is_html(content_type: &str) -> bool {
    let media_type = media_type(content_type);
    ["text/html", "application/vnd.pypi.simple.v1+html", "application/xhtml+xml"]
        .iter()
        .any(|html| media_type.eq_ignore_ascii_case(html))
}

/// Refuses a version of the API whose major number is not 1
/// ([versioning](https://packaging.python.org/en/latest/specifications/simple-repository-api/#versioning-pypi-s-simple-api)).
pub(super) fn check_version(version: &str) -> Result<(), String> {
    match version.split('.').next() {
        Some("1") => Ok(()),
        _ => Err(format!(
            "it speaks version `{}` of the simple API, and only 1 is known here",
            crate::http::excerpt(version)
        )),
    }
}

/// One file as an answer describes it.
#[derive(Debug, Default)]
pub(super) struct Entry<'a> {
    pub(super) filename: Cow<'a, str>,
    pub(super) url: Cow<'a, str>,
    pub(super) sha256: Option<Cow<'a, str>>,
    pub(super) size: Option<u64>,
    pub(super) upload_time: Option<Cow<'a, str>>,
    pub(super) requires_python: Option<Cow<'a, str>>,
    pub(super) yanked: bool,
}

/// Takes entries and makes a project of them.
pub(super) struct Collector {
    builder: ProjectBuilder,
    base: Url,
    credentials: Vec<(Url, Credentials)>,
}

impl Collector {
    fn new(name: PackageName, base: &Url) -> Self {
        Self { builder: ProjectBuilder::new(name), base: base.clone(), credentials: Vec::new() }
    }

    /// Reads later relative addresses against this one, itself read against the present base.
    pub(super) fn set_base(&mut self, text: &str) {
        if let Ok(base) = self.base.join(text.trim()) {
            self.base = base;
        }
    }

    pub(super) fn release(&mut self, version: &str) {
        self.builder.add_release(version);
    }

    pub(super) fn malformed(&mut self, detail: String) {
        self.builder.leave_out(String::new(), FileFault::Entry { detail });
    }

    pub(super) fn file(&mut self, entry: Entry<'_>) {
        let filename = entry.filename.into_owned();
        let sha256 = match ProjectBuilder::digest(&filename, entry.sha256.as_deref()) {
            Ok(sha256) => sha256,
            // Without its digest the file could be taken for one that never had any.
            Err(fault) => return self.builder.leave_out(filename, fault),
        };
        let Some(url) = self.absolute(&entry.url) else {
            let fault = FileFault::Address { filename: filename.clone() };
            return self.builder.leave_out(filename, fault);
        };
        self.builder.add(DistFile {
            kind: kind_of(&filename),
            url,
            sha256,
            size: entry.size,
            // A time that cannot be read is no time, which a date limit reports.
            upload_time: entry.upload_time.and_then(|text| text.parse().ok()),
            requires_python: entry
                .requires_python
                .map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty()),
            yanked: entry.yanked,
            filename,
        });
    }

    /// The address that a file's entry means, without credentials and fragment.
    fn absolute(&mut self, text: &str) -> Option<String> {
        if is_plain(text) {
            return Some(text.to_owned());
        }
        let mut url = self.base.join(text.trim()).ok()?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return None;
        }
        url.set_fragment(None);
        if let Some(credentials) = Credentials::take_from(&mut url) {
            self.credentials.push((url.clone(), credentials));
        }
        Some(url.into())
    }

    fn finish(self) -> Parsed {
        Parsed { project: self.builder.finish(), credentials: self.credentials }
    }
}

/// Whether a text is an absolute address that would come out of a full parse as it went in.
///
/// Thousands of addresses stand in one answer, and nearly all are of this kind.
fn is_plain(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://") else {
        return false;
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host_byte = |byte: u8| byte.is_ascii_lowercase() || b".-".contains(&byte);
    !host.is_empty()
        && host.bytes().all(host_byte)
        && path.len() > 1
        && path.bytes().all(|byte| PLAIN_IN_PATH[usize::from(byte)])
        && !path.contains("/.")
}

/// Which bytes of a path a full parse leaves alone; a table, as each byte of each address is looked at.
const PLAIN_IN_PATH: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        plain[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(byte, b'/' | b'_' | b'.' | b'-' | b'+' | b'!' | b'~');
        byte += 1;
    }
    plain
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_address_is_one_that_parsing_leaves_alone() {
        let cases = [
            ("https://files.example/a/demo-1.0-py3-none-any.whl", true),
            ("https://files.example/a/../b.whl", false),
            ("https://files.example/a%20b.whl", false),
            ("https://me:secret@files.example/b.whl", false),
            ("https://files.example/b.whl#sha256=1", false),
            ("https://FILES.example/b.whl", false),
            ("https://files.example", false),
            ("https:///b.whl", false),
            ("../b.whl", false),
        ];
        for (text, plain) in cases {
            assert_eq!(is_plain(text), plain, "{text}");
            if plain {
                assert_eq!(text.parse::<Url>().unwrap().as_str(), text);
            }
        }
    }

    #[test]
    fn the_content_type_decides_the_form() {
        let name = "demo".parse().unwrap();
        let base = "https://index.example/simple/demo/".parse().unwrap();
        let json = r#"{"meta":{"api-version":"1.1"},"files":[]}"#;
        for content_type in
            ["application/json", "application/vnd.pypi.simple.v1+json; charset=utf-8"]
        {
            assert!(parse(&name, content_type, &base, json.as_bytes()).is_ok());
        }
        let why = |content_type, body: &[u8]| parse(&name, content_type, &base, body).unwrap_err();
        insta::assert_snapshot!(why("text/plain", json.as_bytes()), @"expected JSON or HTML");
        insta::assert_snapshot!(why("application/json", b"\xff"), @"expected UTF-8");
        insta::assert_snapshot!(why("application/json", b"<html>"), @"expected an index's JSON (expected value at line 1 column 1)");
        insta::assert_snapshot!(why("application/json", b"{}"), @"it lists no files");
        insta::assert_snapshot!(why("application/json", br#"{"meta":{"api-version":"2.0"},"files":[]}"#), @"it speaks version `2.0` of the simple API, and only 1 is known here");
        insta::assert_snapshot!(why("text/html", br#"<meta name="pypi:repository-version" content="2.0">"#), @"it speaks version `2.0` of the simple API, and only 1 is known here");
    }
}
