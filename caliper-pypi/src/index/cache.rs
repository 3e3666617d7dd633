//! Answers kept on disk, with what is needed to know whether they still hold.
//!
//! One file for each project: a line of JSON, then the body. A file that cannot be read is treated as missing.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use caliper_core::names::{PackageName, Sha256};
use serde::{Deserialize, Serialize};
use url::Url;

use super::IndexAddress;
use super::freshness::Freshness;

/// The format of a kept answer; another one is not read.
const FORMAT: u32 = 3;

/// Everything about a kept answer except its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    format: u32,
    /// The address that was requested: an answer is never used for another one, even if its file was moved.
    asked: String,
    /// The address after all redirects.
    pub(super) url: String,
    pub(super) content_type: String,
    pub(super) freshness: Freshness,
    length: u64,
    checksum: u32,
}

impl Head {
    pub(super) fn new(
        asked: &Url,
        url: &Url,
        content_type: String,
        freshness: Freshness,
        body: &[u8],
    ) -> Self {
        Self {
            format: FORMAT,
            asked: asked.to_string(),
            url: url.to_string(),
            content_type,
            freshness,
            length: body.len() as u64,
            checksum: crc32fast::hash(body),
        }
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

    /// The projects of which there is an answer.
    #[cfg(feature = "server")]
    pub(super) fn projects(&self) -> Vec<PackageName> {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return Vec::new() };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.filter_map(|name| name.strip_suffix(".answer")?.parse().ok()).collect()
    }

    /// The kept answer to a request of `asked`; `None` if it is missing or damaged.
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

    /// Keeps an answer and replaces an older one.
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

    /// Whether the index had no such project at the last request. Used offline only: a project may be
    /// registered at any moment, and then no other index may serve it.
    pub(super) fn is_absent(&self, project: &PackageName) -> bool {
        self.absent_path(project).is_file()
    }

    /// Notes that there is no such project. An older answer stays.
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
    fn a_damaged_file_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path(), &"https://index.example/".parse().unwrap());
        let name: PackageName = "demo".parse().unwrap();
        let asked = url("demo");
        assert!(cache.load(&name, &asked).is_none());
        let head =
            Head::new(&asked, &url("moved"), "text/html".into(), Freshness::default(), b"<a>");
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
