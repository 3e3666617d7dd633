//! Finds the files that a test left.

#[cfg(feature = "local")]
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
#[cfg(feature = "local")]
use std::path::Path;

use caliper_core::names::Sha256Stream;
use globset::{GlobSet, GlobSetBuilder};

use super::{ContentWriter, ResultFile};
use crate::project::glob;

/// The content of larger files is not kept, only its digest.
const MOST_BYTES: u64 = 64 << 20;
/// How much of the files of one run is kept.
const MOST_BYTES_TOGETHER: u64 = 256 << 20;
/// How many files a run may leave, and how many entries are looked at to find them.
const MOST_FILES: usize = 1000;
const MOST_ENTRIES: usize = 200_000;

/// Takes up the files that match.
#[derive(Debug)]
pub(crate) struct Collector {
    globs: GlobSet,
    files: Vec<ResultFile>,
    left: u64,
    entries: usize,
}

impl Collector {
    /// For these patterns, in which `*` stops at a `/` and `**` does not; `None` without any.
    pub(crate) fn new(patterns: &[String]) -> Option<Self> {
        if patterns.is_empty() {
            return None;
        }
        let mut globs = GlobSetBuilder::new();
        for pattern in patterns {
            // Globs of a configuration were validated; those of an embedder may be invalid.
            globs.add(glob(pattern).ok()?);
        }
        let globs = globs.build().ok()?;
        Some(Self { globs, files: Vec::new(), left: MOST_BYTES_TOGETHER, entries: 0 })
    }

    /// The files, sorted by path.
    pub(crate) fn finish(mut self) -> Vec<ResultFile> {
        self.files.sort_by(|one, other| one.path.cmp(&other.path));
        self.files
    }

    /// Takes up what is in a folder. Links are not followed: they could lead anywhere.
    #[cfg(feature = "local")]
    pub(crate) fn folder(&mut self, root: &Path) -> io::Result<()> {
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            // In order, so that of too many files the same ones are taken each time.
            let entries = fs::read_dir(root.join(&folder))?.take(MOST_ENTRIES + 1);
            let mut entries = entries.collect::<io::Result<Vec<_>>>()?;
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                let Ok(name) = entry.file_name().into_string() else { continue };
                let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                let kind = entry.file_type()?;
                if !self.is_over() && kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file() && self.wants(&path) {
                    self.take(path, File::open(entry.path())?)?;
                }
            }
        }
        Ok(())
    }

    /// Takes up what is in an archive, below its first folder.
    #[cfg(feature = "docker")]
    pub(crate) fn archive(&mut self, archive: impl Read) -> io::Result<()> {
        for entry in tar::Archive::new(archive).entries()? {
            let entry = entry?;
            let path = entry.path()?;
            let Some((_, path)) = path.to_str().and_then(|path| path.split_once('/')) else {
                continue;
            };
            let path = path.to_owned();
            if self.is_over() {
                return Ok(());
            }
            // A second name of a file is no file of its own here: its content came with the first.
            if entry.header().entry_type().is_file() && self.wants(&path) {
                self.take(path, entry)?;
            }
        }
        Ok(())
    }

    /// Whether there is no end to what a test left.
    fn is_over(&mut self) -> bool {
        self.entries += 1;
        self.entries > MOST_ENTRIES || self.files.len() >= MOST_FILES
    }

    fn wants(&self, path: &str) -> bool {
        self.files.len() < MOST_FILES && self.globs.is_match(path)
    }

    fn take(&mut self, path: String, mut content: impl Read) -> io::Result<()> {
        let most = MOST_BYTES.min(self.left);
        let mut kept = Some(ContentWriter::default());
        let mut digest = Sha256Stream::default();
        let mut size = 0;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = content.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            digest.update(&buffer[..count]);
            size += count as u64;
            if size > most {
                kept = None;
            }
            if let Some(kept) = &mut kept {
                kept.write_all(&buffer[..count])?;
            }
        }
        let content = kept.map(ContentWriter::finish);
        self.left -= content.as_ref().map_or(0, |_| size);
        self.files.push(ResultFile { path, size, sha256: digest.finish(), content });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use caliper_core::names::Sha256;

    use super::*;

    fn patterns(patterns: &[&str]) -> Collector {
        let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
        Collector::new(&patterns).unwrap()
    }

    fn read(file: &ResultFile) -> Vec<u8> {
        let mut bytes = Vec::new();
        file.content.as_ref().unwrap().open().read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_folder_gives_what_matches_and_no_links() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("out/deep")).unwrap();
        for path in ["a.csv", "out/b.csv", "out/deep/c.csv", "out/d.txt"] {
            fs::write(at(path), path).unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", at("out/e.csv")).unwrap();
        let found = |globs: &[&str]| {
            let mut collector = patterns(globs);
            collector.folder(folder.path()).unwrap();
            let files = collector.finish();
            files.into_iter().map(|file| file.path).collect::<Vec<_>>()
        };
        assert_eq!(found(&["*.csv"]), ["a.csv"]);
        assert_eq!(found(&["out/*.csv"]), ["out/b.csv"]);
        assert_eq!(found(&["**/*.csv"]), ["a.csv", "out/b.csv", "out/deep/c.csv"]);
        assert!(Collector::new(&[]).is_none());
    }

    #[test]
    fn an_archive_gives_the_same() {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, content) in [("project/out/b.csv", "b"), ("project/x.txt", "x")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            archive.append_data(&mut header, path, content.as_bytes()).unwrap();
        }
        let bytes = archive.into_inner().unwrap();
        let mut collector = patterns(&["out/*.csv"]);
        collector.archive(bytes.as_slice()).unwrap();
        let files = collector.finish();
        assert_eq!((files.len(), &*files[0].path), (1, "out/b.csv"));
        assert_eq!(read(&files[0]), b"b");
        assert_eq!(files[0].sha256, Sha256::of(b"b"));
    }

    #[test]
    fn what_is_too_large_keeps_its_digest() {
        let mut collector = patterns(&["*"]);
        collector.left = 3;
        collector.take("a".into(), &b"abcd"[..]).unwrap();
        collector.take("b".into(), &b"abc"[..]).unwrap();
        collector.take("c".into(), &b"a"[..]).unwrap();
        let kept: Vec<bool> = collector.files.iter().map(|file| file.content.is_some()).collect();
        assert_eq!(kept, [false, true, false]);
        assert_eq!((collector.files[0].size, collector.files[0].sha256), (4, Sha256::of(b"abcd")));
    }
}
