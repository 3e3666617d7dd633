use std::io;
use std::path::PathBuf;

use caliper_core::facts::store::StoreError;
use caliper_core::question::files::FileError;
use caliper_core::report::ro_crate::ReadCrateError;

/// Why a bundle cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// A file of this machine cannot be read.
    #[error("could not read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
    /// A file changed while it was put into the bundle.
    #[error("`{}` changed while the bundle was written; try again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The project has something that a bundle cannot hold.
    #[error(
        "`{path}` is a link, which not every machine can unpack: put a file in its place, or name it in `.dockerignore`"
    )]
    Link {
        /// Its path in the project.
        path: String,
    },
    /// The results cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of a lock cannot be had.
    #[error(transparent)]
    File(#[from] FileError),
    /// The bundle cannot be written, or the folder to unpack it into.
    #[error("could not write `{}`", path.display())]
    Write {
        /// What.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
    /// It is no zip, or a damaged one.
    #[error("`{}` is not a bundle of `caliper bundle`: {problem}", path.display())]
    NotBundle {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Its description cannot be taken.
    #[error("`{}` is not a bundle of `caliper bundle`", path.display())]
    Description {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ReadCrateError,
    },
    /// A file in it is not what is described.
    #[error("`{}` is damaged: `{name}` {fault}", path.display())]
    Damaged {
        /// The bundle.
        path: PathBuf,
        /// The file in it.
        name: String,
        /// What is wrong.
        fault: &'static str,
    },
    /// A lock in it is not that of its record.
    #[error("`{}` is damaged: the lock of {cell} is not that of its record", path.display())]
    OtherLock {
        /// The bundle.
        path: PathBuf,
        /// The cell.
        cell: String,
    },
    /// It is too large.
    #[error("`{}` is too large: more than {most} {what}", path.display())]
    TooLarge {
        /// The bundle.
        path: PathBuf,
        /// How much is allowed.
        most: u64,
        /// Of what.
        what: &'static str,
    },
    /// The folder to unpack it into is there already.
    #[error("`{}` exists already: name another folder with `--into`", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
}
