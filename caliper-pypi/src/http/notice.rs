use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use caliper_core::names::PackageName;

/// Something worth telling a person who waits, and no error.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A request failed and will be made again.
    Retrying {
        /// How many retries there were, with this one.
        attempt: u32,
        /// How many there will be at most.
        of: u32,
        /// How long until then.
        wait: Duration,
        /// Why it failed.
        reason: String,
    },
    /// An answer could not be kept; the next run will ask again.
    NotKept {
        /// Where it was to be kept.
        path: PathBuf,
        /// Why it was not.
        reason: String,
    },
    /// A mirror could not answer a client, because what stands behind it failed.
    NotServed {
        /// What the client asked for.
        path: String,
        /// Why it did not get it.
        reason: String,
    },
    /// A mirror was asked for a page of a past date, and the index does not say when these files were uploaded.
    NoUploadTime {
        /// The project.
        project: PackageName,
        /// The names of the files.
        filenames: Vec<String>,
        /// Whether the page has them all the same.
        included: bool,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retrying { attempt, of, wait, reason } => {
                let seconds = wait.as_secs_f64();
                write!(formatter, "{reason}; retry {attempt} of {of} in {seconds:.1} s")
            }
            Self::NotServed { path, reason } => write!(formatter, "no answer to {path}: {reason}"),
            Self::NoUploadTime { project, filenames, included } => {
                let (what, rest) = match filenames.as_slice() {
                    [one] => (one.clone(), String::new()),
                    [first, rest @ ..] => {
                        (first.clone(), format!(" and {} more files", rest.len()))
                    }
                    [] => (String::new(), String::new()),
                };
                let done = if *included { "included" } else { "left out" };
                write!(
                    formatter,
                    "the index gives no upload time for `{what}`{rest} of {project}: {done} in pages of a date"
                )
            }
            Self::NotKept { path, reason } => {
                write!(formatter, "could not keep an answer at `{}`: {reason}", path.display())
            }
        }
    }
}

/// Where notices go: nowhere by default.
#[derive(Clone, Default)]
pub struct Notices(Option<Arc<Receiver>>);

type Receiver = dyn Fn(&Notice) + Send + Sync;

impl Notices {
    /// Hands each notice to `receiver`, on the thread that makes the request.
    pub fn to(receiver: impl Fn(&Notice) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(receiver)))
    }

    pub(crate) fn send(&self, notice: &Notice) {
        if let Some(receiver) = &self.0 {
            receiver(notice);
        }
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_some() { "Notices(..)" } else { "Notices(none)" })
    }
}
