use std::io;
use std::path::PathBuf;

use caliper_core::question::left_out::WhyLeftOut;

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
    /// The command of a test names something that is left out of the project.
    #[error("the test `{test}` names `{path}`, which is not part of the project ({why}); {fix}")]
    NotFound {
        /// The test.
        test: String,
        /// What it names.
        path: String,
        /// Why it is left out.
        why: WhyLeftOut,
        /// What to do about it.
        fix: String,
    },
    /// There is too much to copy for every test.
    #[error(
        "the project `{}` has {entries} files and folders with {mebibytes} MiB, and every test gets a copy \
         of it: at most 50000 and 1024 MiB; the largest are {largest}; list what no test needs in .gitignore \
         or .dockerignore",
        root.display()
    )]
    TooLarge {
        /// The folder.
        root: PathBuf,
        /// How many files and folders were seen.
        entries: usize,
        /// How large they are.
        mebibytes: u64,
        /// The largest folders and files in it, as text.
        largest: String,
    },
    /// `.dockerignore` is not valid.
    #[error(transparent)]
    Ignore(#[from] IgnoreError),
}
