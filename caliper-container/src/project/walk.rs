//! Finds the files of a project.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use caliper_core::names::{Sha256, Sha256Stream};

use super::{Entry, Ignore, Kind, ProjectError};

/// Never part of a project: Caliper's results, the data of version control, and Python's bytecode. They
/// change although no file of the user changes.
const NEVER: &[&str] = &[".caliper", ".git", ".hg", ".svn", "__pycache__"];

/// A project is copied for every test. A larger one is probably a mistake, such as a data set or an
/// environment in its folder.
const MOST_BYTES: u64 = 1 << 30;
const MOST_ENTRIES: usize = 50_000;

/// The files and folders below `root` that belong to the project, sorted by path, without the file `config`.
pub(super) fn entries(root: &Path, config: Option<PathBuf>) -> Result<Vec<Entry>, ProjectError> {
    let ignore = Ignore::read(root)?;
    let mut walk =
        Walk { root, config, ignore, entries: Vec::new(), included: BTreeSet::new(), bytes: 0 };
    walk.directory("")?;
    let mut entries = walk.entries;
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(entries)
}

struct Walk<'a> {
    root: &'a Path,
    config: Option<PathBuf>,
    ignore: Ignore,
    entries: Vec<Entry>,
    /// The ignored folders that are in `entries`, because something below them was included again.
    included: BTreeSet<String>,
    bytes: u64,
}

impl Walk<'_> {
    fn directory(&mut self, relative: &str) -> Result<(), ProjectError> {
        let path = self.root.join(relative);
        let failed = |source| ProjectError::Read { path: path.clone(), source };
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else {
                return Err(ProjectError::NotUnicode { path: entry.path() });
            };
            if NEVER.contains(&name.as_str()) {
                continue;
            }
            let child = if relative.is_empty() { name } else { format!("{relative}/{name}") };
            self.entry(child, &entry.path())?;
        }
        Ok(())
    }

    fn entry(&mut self, relative: String, path: &Path) -> Result<(), ProjectError> {
        let failed = |source| ProjectError::Read { path: path.to_owned(), source };
        let metadata = fs::symlink_metadata(path).map_err(failed)?;
        let ignored = self.ignore.matches(&relative);
        if metadata.is_dir() {
            // A `!` line may include files below an ignored folder again.
            if ignored && !self.ignore.has_exceptions() {
                return Ok(());
            }
            if !ignored {
                self.push(relative.clone(), Kind::Directory)?;
            }
            return self.directory(&relative);
        }
        if ignored || self.config.as_deref() == Some(path) {
            return Ok(());
        }
        self.parents(&relative)?;
        if metadata.is_symlink() {
            let target = fs::read_link(path).map_err(failed)?;
            let inside = fs::canonicalize(path).is_ok_and(|real| real.starts_with(self.root));
            // An absolute target points to the original, which a test could then change.
            if !inside || target.is_absolute() {
                return Err(ProjectError::LinkLeaves { path: path.to_owned(), target });
            }
            self.push(relative, Kind::Link { target })
        } else if metadata.is_file() {
            use std::os::unix::fs::PermissionsExt as _;
            let executable = metadata.permissions().mode() & 0o111 != 0;
            let size = metadata.len();
            self.check_size(size)?;
            let content = digest_file(path).map_err(failed)?;
            self.push(relative, Kind::File { executable, size, content })
        } else {
            // Sockets, pipes and devices cannot be copied and are not part of a project.
            Ok(())
        }
    }

    /// Adds the ignored parent folders of a file that was included again.
    fn parents(&mut self, relative: &str) -> Result<(), ProjectError> {
        for (index, _) in relative.match_indices('/') {
            let parent = &relative[..index];
            if self.ignore.matches(parent) && self.included.insert(parent.to_owned()) {
                self.push(parent.to_owned(), Kind::Directory)?;
            }
        }
        Ok(())
    }

    fn push(&mut self, path: String, kind: Kind) -> Result<(), ProjectError> {
        let entry = Entry { path, kind };
        self.bytes += entry.bytes();
        self.entries.push(entry);
        self.check_size(0)
    }

    /// Whether `more` bytes would exceed the limit; checked before they are read.
    fn check_size(&self, more: u64) -> Result<(), ProjectError> {
        let bytes = self.bytes + more;
        if self.entries.len() > MOST_ENTRIES || bytes > MOST_BYTES {
            return Err(ProjectError::TooLarge {
                root: self.root.to_owned(),
                entries: self.entries.len(),
                mebibytes: bytes >> 20,
            });
        }
        Ok(())
    }
}

fn digest_file(path: &Path) -> io::Result<Sha256> {
    let mut file = fs::File::open(path)?;
    let mut stream = Sha256Stream::default();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(stream.finish()),
            read => stream.update(&buffer[..read]),
        }
    }
}
