//! What the readers of JSON and HTML hand over, and the project that it becomes.
//!
//! The readers know a form; this knows the rules that hold in every form: limits, addresses, digests.

use std::borrow::Cow;

use caliper_core::names::PackageName;
use caliper_core::question::grid::DistFile;
use url::Url;

use super::project::{CoreMetadata, FileFault, Project, ProjectBuilder, kind_of};
use crate::credentials::Credentials;

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
    pub(super) fn new(name: PackageName, base: &Url) -> Self {
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
            let fault = FileFault::Address { filename: crate::excerpt::excerpt(&filename) };
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

    pub(super) fn finish(self) -> Parsed {
        Parsed { project: self.builder.finish(), credentials: self.credentials }
    }
}

/// Refuses a version of the API whose major number is not 1
/// ([versioning](https://packaging.python.org/en/latest/specifications/simple-repository-api/#versioning-pypi-s-simple-api)).
pub(super) fn check_version(version: &str) -> Result<(), String> {
    match version.split('.').next() {
        Some("1") => Ok(()),
        _ => Err(format!(
            "it speaks version `{}` of the simple API, and only 1 is known here",
            crate::excerpt::excerpt(version)
        )),
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
}
