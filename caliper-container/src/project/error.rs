use std::io;
use std::path::PathBuf;

use super::IgnoreError;

/// Why a project cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectError {
    /// A file or folder cannot be read.
    #[error("could not read `{}`", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
    /// A test names files that do not exist.
    #[error("`files` of the test `{test}`: `{pattern}`: {problem}")]
    Files {
        /// The test.
        test: String,
        /// The glob.
        pattern: String,
        /// The problem.
        problem: String,
    },
    /// A name is not Unicode.
    #[error("the name of `{}` is not Unicode; rename it or list it in .dockerignore", path.display())]
    NotUnicode {
        /// Which.
        path: PathBuf,
    },
    /// A link points out of the project, or to an absolute path.
    #[error(
        "the link `{}` leads to `{}`, out of the project; copy what it leads to, or list the link \
         in .dockerignore",
        path.display(),
        target.display()
    )]
    LinkLeaves {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// There is too much to copy for every test.
    #[error(
        "the project `{}` has more than {entries} files or {mebibytes} MiB, and every test gets a \
         copy of it; list what tests don't need in .dockerignore",
        root.display()
    )]
    TooLarge {
        /// The folder.
        root: PathBuf,
        /// How many files and folders were seen.
        entries: usize,
        /// How large they are.
        mebibytes: u64,
    },
    /// `.dockerignore` is not valid.
    #[error(transparent)]
    Ignore(#[from] IgnoreError),
}
