//! Answers kept on disk, with what is needed to know whether they still hold.
//!
//! One file for each project: a line of JSON, then the body. What cannot be read, for whatever
//! reason, was never there.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use caliper_core::names::{PackageName, Sha256};
use serde::{Deserialize, Serialize};
use url::Url;

use super::IndexAddress;

/// The format of a kept answer; another one is not read.
const FORMAT: u32 = 2;
/// However long a server says that its answer holds, we ask again after this.
const LONGEST_FRESHNESS: Duration = Duration::from_secs(24 * 60 * 60);

/// What is known of a kept answer beside its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    format: u32,
    /// What was asked for: an answer never serves another question, wherever its file lies.
    asked: String,
    /// Where the answer came from, behind all redirects.
    pub(super) url: String,
    pub(super) content_type: String,
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
    /// When it came, in seconds since 1970, less the age that it had by then.
    fetched: u64,
    /// For how many seconds it holds.
    max_age: u64,
    length: u64,
    checksum: u32,
}

impl Head {
    /// The head of an answer that came just now.
    pub(super) fn new(asked: &Url, url: &Url, content_type: String, body: &[u8]) -> Self {
        Self {
            format: FORMAT,
            asked: asked.to_string(),
            url: url.to_string(),
            content_type,
            etag: None,
            last_modified: None,
            fetched: 0,
            max_age: 0,
            length: body.len() as u64,
            checksum: crc32fast::hash(body),
        }
    }

    /// Takes what the headers of an answer say about how long it holds
    /// ([RFC 9111, 4.2](https://www.rfc-editor.org/rfc/rfc9111#section-4.2)).
    /// Where they say nothing, `assumed` counts (4.2.2).
    pub(super) fn renew(&mut self, freshness: Freshness, assumed: Duration, now: SystemTime) {
        self.fetched = seconds(now).saturating_sub(freshness.age);
        let max_age = freshness.max_age.unwrap_or(assumed.as_secs());
        self.max_age = max_age.min(LONGEST_FRESHNESS.as_secs());
    }

    pub(super) fn is_fresh(&self, now: SystemTime) -> bool {
        // A clock that went back must not make an answer hold for ever.
        seconds(now).checked_sub(self.fetched).is_some_and(|age| age < self.max_age)
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

/// For how long an answer holds, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Freshness {
    /// `None` if the answer does not say.
    max_age: Option<u64>,
    age: u64,
    /// Whether it may be kept at all.
    pub(super) keep: bool,
}

impl Freshness {
    /// Reads the `Cache-Control` and `Age` headers.
    pub(super) fn of(cache_control: Option<&str>, age: Option<&str>) -> Self {
        let mut freshness = Self {
            max_age: None,
            age: age.and_then(|text| text.trim().parse().ok()).unwrap_or(0),
            keep: true,
        };
        let mut must_ask = false;
        for directive in cache_control.unwrap_or_default().split(',') {
            let directive = directive.trim().to_ascii_lowercase();
            match directive.split_once('=') {
                Some(("max-age", text)) => {
                    freshness.max_age = Some(text.trim_matches('"').parse().unwrap_or(0));
                }
                None if directive == "no-store" => freshness.keep = false,
                None if directive == "no-cache" => must_ask = true,
                _ => {}
            }
        }
        if must_ask {
            freshness.max_age = Some(0);
        }
        freshness
    }
}

/// The answers of one index.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    pub(super) fn new(root: &Path, index: &IndexAddress) -> Self {
        let index = Sha256::of(index.as_str().as_bytes()).hex();
        Self { folder: root.join("index").join(&index[..16]) }
    }

    pub(super) fn path(&self, project: &PackageName) -> PathBuf {
        self.folder.join(format!("{}.answer", project.normalized()))
    }

    /// The kept answer to a request of `asked`, or `None` if there is none that is whole.
    pub(super) fn load(&self, project: &PackageName, asked: &Url) -> Option<(Head, Vec<u8>)> {
        let mut bytes = std::fs::read(self.path(project)).ok()?;
        let line = bytes.iter().position(|byte| *byte == b'\n')?;
        let head: Head = serde_json::from_slice(&bytes[..line]).ok()?;
        bytes.drain(..=line);
        let whole = head.format == FORMAT
            && head.asked == asked.as_str()
            && head.length == bytes.len() as u64
            && head.checksum == crc32fast::hash(&bytes);
        whole.then_some((head, bytes))
    }

    /// Keeps an answer, in the place of an older one.
    pub(super) fn store(&self, project: &PackageName, head: &Head, body: &[u8]) -> io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        // Readers see the old answer or the new one, never half of one.
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        serde_json::to_writer(&mut file, head)?;
        file.write_all(b"\n")?;
        file.write_all(body)?;
        file.persist(self.path(project)).map_err(|error| error.error)?;
        match std::fs::remove_file(self.absent_path(project)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether the index had no such project when it was asked last. Only for whoever may not ask:
    /// a project may come to be at any moment, and then another index must not serve it.
    pub(super) fn is_absent(&self, project: &PackageName) -> bool {
        self.absent_path(project).is_file()
    }

    /// Keeps that there is no such project, beside what may be kept of it.
    pub(super) fn store_absent(&self, project: &PackageName) -> io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        std::fs::write(self.absent_path(project), b"")
    }

    fn absent_path(&self, project: &PackageName) -> PathBuf {
        self.folder.join(format!("{}.absent", project.normalized()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(path: &str) -> Url {
        format!("https://index.example/{path}/").parse().unwrap()
    }

    #[test]
    fn an_answer_holds_for_as_long_as_it_says() {
        let empty = || Head::new(&url("a"), &url("a"), String::new(), b"");
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let fresh_after = |cache_control: Option<&str>, age: Option<&str>, after: u64| {
            let mut head = empty();
            head.renew(Freshness::of(cache_control, age), Duration::from_secs(60), now);
            head.is_fresh(now + Duration::from_secs(after))
        };
        assert!(fresh_after(Some("max-age=600, public"), None, 599));
        assert!(!fresh_after(Some("max-age=600, public"), None, 600));
        assert!(!fresh_after(Some("max-age=600"), Some("500"), 100)); // it had an age when it came
        assert!(!fresh_after(Some("max-age=600, no-cache"), None, 0));
        assert!(fresh_after(None, None, 59)); // as assumed, where nothing is said
        assert!(!fresh_after(None, None, 60));
        assert!(!fresh_after(Some("max-age=99999999999"), None, 90_000));
        assert!(!Freshness::of(Some("no-store"), None).keep);
        let mut head = empty();
        let freshness = Freshness::of(Some("max-age=600"), None);
        head.renew(freshness, Duration::ZERO, now);
        assert!(!head.is_fresh(now - Duration::from_secs(1)), "the clock went back");
    }

    #[test]
    fn what_is_not_whole_was_never_there() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path(), &"https://index.example/".parse().unwrap());
        let name: PackageName = "demo".parse().unwrap();
        let asked = url("demo");
        assert!(cache.load(&name, &asked).is_none());
        let head = Head::new(&asked, &url("moved"), "text/html".into(), b"<a>");
        cache.store(&name, &head, b"<a>").unwrap();
        assert_eq!(cache.load(&name, &asked), Some((head, b"<a>".to_vec())));
        assert!(cache.load(&name, &url("other")).is_none());
        let other = "other".parse().unwrap();
        std::fs::copy(cache.path(&name), cache.path(&other)).unwrap();
        assert!(cache.load(&other, &url("other")).is_none(), "an answer in another's place");

        let path = cache.path(&name);
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(cache.load(&name, &asked).is_none(), "cut at {length}");
        }
        let mut flipped = whole;
        *flipped.last_mut().unwrap() ^= 1;
        std::fs::write(&path, flipped).unwrap();
        assert!(cache.load(&name, &asked).is_none());
    }
}
