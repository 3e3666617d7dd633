//! The files of the user's project: which of them a cell gets, and their digest.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use caliper_core::facts::identity::Manifest;
use caliper_core::names::{Sha256, Sha256Stream};
use globset::{Glob, GlobBuilder};

#[cfg(feature = "docker")]
mod archive;
#[cfg(feature = "bundle")]
mod bundled;
mod error;
mod files;
mod git;
mod ignore;
mod kinds;
mod left_out;
mod named;
mod outside;
mod walk;

#[cfg(feature = "bundle")]
pub(crate) use bundled::Bundled;
pub use error::ProjectError;
pub use ignore::IgnoreError;
use outside::Outside;

/// The files of the user's project, as every test sees them.
///
/// What lies in the folder besides ([`Project::left_out`]) is no part of it: what a rule of the user excludes
/// (`.gitignore`, `.dockerignore`), and what is no part of any project, such as environments and caches.
#[derive(Debug, Clone)]
pub struct Project {
    root: PathBuf,
    /// Sorted by path. Shared, because every run of a test holds the project.
    entries: Arc<[Entry]>,
    /// What else lies in the folder, sorted by path.
    outside: Arc<[Outside]>,
    digest: Sha256,
    bytes: u64,
}

#[derive(Debug, Clone)]
struct Entry {
    /// Relative to the root; `/` between the components.
    path: String,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Directory,
    File { executable: bool, size: u64, content: Sha256 },
    Link { target: PathBuf },
}

impl Project {
    /// Reads the folder `root`, without the file `config` in it.
    ///
    /// # Errors
    ///
    /// [`ProjectError`] if a file cannot be read, `.dockerignore` is not valid, or the folder is too large to
    /// be copied for every test.
    pub fn read(root: &Path, config: Option<&Path>) -> Result<Self, ProjectError> {
        Self::read_without(root, config, &[])
    }

    /// Reads the folder `root`, without the file `config` and without `outputs`, files in it that the caller
    /// writes.
    ///
    /// # Errors
    ///
    /// As [`Project::read`].
    pub fn read_without(
        root: &Path,
        config: Option<&Path>,
        outputs: &[PathBuf],
    ) -> Result<Self, ProjectError> {
        let root = fs::canonicalize(root)
            .map_err(|source| ProjectError::Read { path: root.to_owned(), source })?;
        let config = config.and_then(|config| fs::canonicalize(config).ok());
        let outputs = outputs.iter().filter_map(|output| fs::canonicalize(output).ok()).collect();
        let walk::Found { entries, outside } = walk::folder(&root, config, &outputs)?;
        let (bytes, digest) = (entries.iter().map(Entry::bytes).sum(), digest(&entries));
        Ok(Self { root, entries: entries.into(), outside: outside.into(), digest, bytes })
    }

    fn only(&self, entries: Vec<Entry>) -> Self {
        let bytes = entries.iter().map(Entry::bytes).sum();
        let digest = digest(&entries);
        let (root, outside) = (self.root.clone(), Arc::clone(&self.outside));
        Self { root, entries: entries.into(), outside, digest, bytes }
    }

    fn has(&self, path: &str) -> bool {
        self.entries.binary_search_by(|entry| entry.path.as_str().cmp(path)).is_ok()
    }

    /// The digest over the names, kinds and contents of all files.
    pub fn digest(&self) -> &Sha256 {
        &self.digest
    }

    /// The files, each with a word for its kind and the digest of its content. Equal manifests have equal
    /// digests, and the other way round.
    pub fn manifest(&self) -> Manifest {
        let entries = self.entries.iter().map(|entry| {
            let description = match &entry.kind {
                Kind::Directory => "folder".to_owned(),
                Kind::Link { target } => format!("link to {}", target.display()),
                Kind::File { executable: true, content, .. } => format!("program {content}"),
                Kind::File { executable: false, content, .. } => format!("file {content}"),
            };
            (entry.path.clone(), description)
        });
        entries.collect()
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The total size in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Copies the project to `target`, which must not exist, and shows the copy the history of the project, from which
    /// some packages take their version. The copy has an index of its own, so that Git writes nothing into the project,
    /// and in which what is left out counts as unchanged.
    ///
    /// # Errors
    ///
    /// The error of the file system.
    pub fn copy_with_history(&self, target: &Path) -> io::Result<()> {
        self.copy_to(target)?;
        git::show_history(&self.root, target, &|path| self.has(path))
    }

    /// A digest over its history, as far as a version may be taken from it: where it stands, and all names in it. `None`
    /// if its folder is not the top of a repository.
    pub fn history(&self) -> Option<Sha256> {
        git::history(&self.root)
    }

    /// Copies the project to `target`, which must not exist.
    ///
    /// # Errors
    ///
    /// The error of the file system.
    pub fn copy_to(&self, target: &Path) -> io::Result<()> {
        fs::create_dir_all(target)?;
        for entry in self.entries.iter() {
            let to = target.join(&entry.path);
            match &entry.kind {
                Kind::Directory => fs::create_dir(&to)?,
                // Copies the permissions too.
                Kind::File { .. } => fs::copy(self.root.join(&entry.path), &to).map(drop)?,
                Kind::Link { target } => std::os::unix::fs::symlink(target, &to)?,
            }
        }
        Ok(())
    }
}

/// A path pattern in which `*` does not match `/` and `**` does.
pub(crate) fn glob(pattern: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(pattern).literal_separator(true).build()
}

impl Entry {
    fn bytes(&self) -> u64 {
        match self.kind {
            Kind::File { size, .. } => size,
            Kind::Directory | Kind::Link { .. } => 0,
        }
    }
}

fn digest(entries: &[Entry]) -> Sha256 {
    let mut all = Sha256Stream::default();
    for entry in entries {
        all.field(entry.path.as_bytes());
        match &entry.kind {
            Kind::Directory => all.field(b"directory"),
            Kind::Link { target } => {
                all.field(b"link");
                all.field(target.as_os_str().as_encoded_bytes());
            }
            Kind::File { executable, content, .. } => {
                all.field(if *executable { b"program" } else { b"file" });
                all.field(content.hex().as_bytes());
            }
        }
    }
    all.finish()
}

#[cfg(test)]
mod tests;
