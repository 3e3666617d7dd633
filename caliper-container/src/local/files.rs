//! The state of the files of an environment, to see later what changed in it.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The state of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    pub(super) device: u64,
    pub(super) inode: u64,
    mode: u32,
    size: u64,
    /// When its content was last changed, in seconds and nanoseconds. A program can set it.
    modified: (i64, i64),
    /// When it was last changed in any way. No program can set it; but it changes also when the file gets or loses
    /// a hard link.
    changed: (i64, i64),
    /// Whether other folders have the file too.
    pub(super) is_linked: bool,
}

impl Stamp {
    fn of(found: &Metadata) -> Self {
        if found.is_dir() {
            // The times of a folder change with the bytecode in it.
            let (device, inode, size, modified, changed) = (0, 0, 0, (0, 0), (0, 0));
            return Self {
                device,
                inode,
                mode: found.mode(),
                size,
                modified,
                changed,
                is_linked: false,
            };
        }
        Self {
            device: found.dev(),
            inode: found.ino(),
            mode: found.mode(),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
            is_linked: found.is_file() && found.nlink() > 1,
        }
    }

    /// Whether it is the same but for what a hard link changes.
    fn is_alike(self, other: Self) -> bool {
        Self { changed: other.changed, is_linked: other.is_linked, ..self } == other
    }
}

/// The state of all files below a folder, by their paths in it. What is not UTF-8 in a path is replaced.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Files {
    pub(super) stamps: BTreeMap<String, Stamp>,
    /// What they take on the disk, in bytes, without those that other folders have too.
    pub(super) size: u64,
}

/// How files differ from what they were.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Differences {
    /// Those that did change, sorted.
    pub(super) changed: Vec<String>,
    /// Those of which only a look at the content can tell: they are shared, and it may be a link that changed.
    pub(super) doubtful: Vec<String>,
}

impl Files {
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let mut files = Self::default();
        files.walk(folder, "")?;
        Ok(files)
    }

    fn walk(&mut self, folder: &Path, above: &str) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let path = format!("{above}{}", name.to_string_lossy());
            let found = entry.metadata()?;
            let stamp = Stamp::of(&found);
            if !stamp.is_linked {
                self.size += found.blocks() * 512;
            }
            if found.is_dir() {
                self.walk(&entry.path(), &format!("{path}/"))?;
            }
            self.stamps.insert(path, stamp);
        }
        Ok(())
    }

    /// How the files of `now` differ from these. Bytecode that is new does not count.
    pub(super) fn compare(&self, now: &Self) -> Differences {
        let mut differences = Differences::default();
        for (path, stamp) in &self.stamps {
            match now.stamps.get(path) {
                Some(other) if stamp == other => {}
                Some(other) if stamp.is_alike(*other) && stamp.is_linked => {
                    differences.doubtful.push(path.clone());
                }
                _ => differences.changed.push(path.clone()),
            }
        }
        let is_new = |path: &&String| !self.stamps.contains_key(*path) && !is_bytecode(path);
        differences.changed.extend(now.stamps.keys().filter(is_new).cloned());
        differences.changed.sort();
        differences
    }

    /// The files that other folders have too.
    pub(super) fn linked(&self) -> impl Iterator<Item = (&String, &Stamp)> {
        self.stamps.iter().filter(|(_, stamp)| stamp.is_linked)
    }

    /// The bytecode.
    pub(super) fn bytecode(&self) -> BTreeMap<String, Stamp> {
        let bytecode = self.stamps.iter().filter(|(path, _)| is_bytecode(path));
        bytecode.map(|(path, stamp)| (path.clone(), *stamp)).collect()
    }
}

/// Whether a path is a folder for bytecode, or in one.
fn is_bytecode(path: &str) -> bool {
    path.split('/').any(|part| part == "__pycache__")
}
