//! The parts of a project, for an archive of it.

use super::{Kind, Project};

/// A part of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bundled<'a> {
    Folder { path: &'a str },
    Link { path: &'a str },
    File { path: &'a str, executable: bool },
}

impl Project {
    /// All of its parts, sorted by path.
    pub(crate) fn bundled(&self) -> impl Iterator<Item = Bundled<'_>> {
        self.entries.iter().map(|entry| {
            let path = entry.path.as_str();
            match entry.kind {
                Kind::Directory => Bundled::Folder { path },
                Kind::Link { .. } => Bundled::Link { path },
                Kind::File { executable, .. } => Bundled::File { path, executable },
            }
        })
    }
}
