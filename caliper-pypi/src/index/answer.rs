//! From the bytes of an answer to a project, whichever of the three forms it has.

use std::borrow::Cow;

use caliper_core::names::PackageName;
use caliper_core::question::grid::DistFile;
use url::Url;

use super::project::{CoreMetadata, FileFault, Project, ProjectBuilder, kind_of};
use super::{html, json};
use crate::http::Credentials;

/// The most files, or releases, that are taken from one answer. The largest projects of the public
/// index have some ten thousand; each takes many times the memory of the shortest text that asks
/// for it.
pub(super) const MOST_FILES: usize = 200_000;
/// The longest address of a file, in bytes; servers take no longer ones either.
const LONGEST_ADDRESS: usize = 8192;
/// The longest base of a page's relative addresses, in bytes.
const LONGEST_BASE: usize = 1024;

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
    pub(super) core_metadata: CoreMetadata,
}

/// Takes entries and makes a project of them.
pub(super) struct Collector {
    builder: ProjectBuilder,
    base: Url,
    base_is_set: bool,
    credentials: Vec<(Url, Credentials)>,
}

impl Collector {
    fn new(name: PackageName, base: &Url) -> Self {
        Self {
            builder: ProjectBuilder::new(name),
            base: base.clone(),
            base_is_set: false,
            credentials: Vec::new(),
        }
    }

    /// Reads later relative addresses against this one, itself read against that of the answer. Only
    /// the first counts ([HTML](https://html.spec.whatwg.org/multipage/semantics.html#the-base-element)).
    ///
    /// # Errors
    ///
    /// What is wrong, if it is so long that every link of a page could become a thousand times longer.
    pub(super) fn set_base(&mut self, text: &str) -> Result<(), String> {
        if text.len() > LONGEST_BASE {
            return Err(format!("its `base` is longer than {LONGEST_BASE} bytes"));
        }
        if !std::mem::replace(&mut self.base_is_set, true)
            && let Ok(base) = self.base.join(text.trim())
        {
            self.base = base;
        }
        Ok(())
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
            let fault = FileFault::Address { filename: crate::http::excerpt(&filename) };
            return self.builder.leave_out(filename, fault);
        };
        let file = DistFile {
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
        };
        self.builder.add(file, entry.core_metadata);
    }

    /// The address that a file's entry means, without credentials and fragment.
    fn absolute(&mut self, text: &str) -> Option<String> {
        if text.len() > LONGEST_ADDRESS {
            return None;
        }
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
        && !host.contains("xn--") // which may be none, or stand for characters that hosts don't have
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
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_is_plain_is_left_alone(
            text in "https://([a-z.-]{1,8}|xn--[a-z-]{0,4})/[A-Za-z0-9/_.+!~-]{0,8}"
        ) {
            if is_plain(&text) {
                let url: Url = text.parse().unwrap();
                prop_assert_eq!(url.as_str(), text);
            }
        }
    }

    #[test]
    fn an_answer_makes_no_more_of_itself_than_it_is() {
        let name = "demo".parse().unwrap();
        let base = "https://index.example/simple/demo/".parse().unwrap();
        let html = |body: &str| parse(&name, "text/html", &base, body.as_bytes());
        // Each base stood behind the one before it, so that addresses grew with the page.
        let parsed = html(&("<base href='a/'>".repeat(100) + "<a href=demo-1.zip>")).unwrap();
        let file = &parsed.project.releases()[0].files()[0].file;
        assert_eq!(file.url, "https://index.example/simple/demo/a/demo-1.zip");
        let long = "a".repeat(10_000);
        insta::assert_snapshot!(html(&format!("<base href={long}/>")).unwrap_err(), @"its `base` is longer than 1024 bytes");
        let parsed = html(&format!("Links for <a href='/{long}/demo-1.zip'>")).unwrap();
        insta::assert_snapshot!(parsed.project.malformed()[0].fault, @"the index gives `demo-1.zip` an address that is none");
        // A version that no file could have.
        let json = format!(r#"{{"versions":["1{}"],"files":[]}}"#, ".1".repeat(1000));
        let parsed = parse(&name, "application/json", &base, json.as_bytes()).unwrap();
        assert!(parsed.project.releases().is_empty());
        // What is wrong is said without all that is.
        let why =
            parse(&name, "application/json", &base, format!(r#"{{"files":"{long}"}}"#).as_bytes());
        let why = why.unwrap_err();
        assert!(why.len() < 300, "{} bytes", why.len());
        assert!(why.ends_with("a\", expected a sequence at line 1 column 10011)"), "{why}");
    }

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
            ("https://xn--x/b.whl", false),
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
