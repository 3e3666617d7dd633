//! Exit codes, and the one map from errors to them.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use caliper_container::backend::BackendError;
use caliper_container::bundle::BundleError;
use caliper_container::project::ProjectError;
use caliper_container::remote::RemoteError;
use caliper_container::runner::RunError;
use caliper_container::study::PinnedError;
use caliper_core::facts::store::StoreError;
use caliper_core::question::config::ConfigError;
use caliper_core::question::template::TemplateError;
use caliper_pypi::index::{IndexError, ParseIndexAddressError};
use caliper_pypi::netrc::NetrcError;
use caliper_pypi::resolve::ResolveError;

/// The outcome of `caliper`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Every planned cell has an outcome, and every expectation holds.
    Done,
    /// Measured, and an expectation does not hold.
    Unexpected,
    /// A mistake in the request: arguments, configuration, template.
    Question,
    /// An infrastructure failure: at least one cell could not be measured.
    Infrastructure,
    /// SIGINT; what was measured is kept.
    Interrupted,
    /// SIGTERM; what was measured is kept.
    Terminated,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Unexpected => 1,
            Exit::Question => 2,
            Exit::Infrastructure => 3,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
        })
    }
}

/// An error with its exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) error: Box<dyn Error + Send + Sync>,
}

/// The result of a command.
pub(crate) type Outcome = Result<Exit, Failure>;

impl Failure {
    /// A mistake in the request, with its explanation.
    pub(crate) fn question(message: impl fmt::Display) -> Self {
        Self { exit: Exit::Question, error: message.to_string().into() }
    }

    /// An infrastructure failure during `action`.
    pub(crate) fn infrastructure(
        action: impl fmt::Display,
        source: impl Error + Send + Sync + 'static,
    ) -> Self {
        let error = Wrapped { action: action.to_string(), source: source.into() };
        Self { exit: Exit::Infrastructure, error: error.into() }
    }
}

/// An error with the action that failed.
#[derive(Debug, thiserror::Error)]
#[error("{action}")]
struct Wrapped {
    action: String,
    source: Box<dyn Error + Send + Sync>,
}

/// Gives an error type its exit code.
macro_rules! failure_from {
    ($type:ty, $exit:expr) => {
        impl From<$type> for Failure {
            fn from(error: $type) -> Self {
                let exit: fn(&$type) -> Exit = $exit;
                Self { exit: exit(&error), error: error.into() }
            }
        }
    };
}

failure_from!(ConfigError, |_| Exit::Question);
failure_from!(TemplateError, |_| Exit::Question);
failure_from!(ParseIndexAddressError, |_| Exit::Question);
failure_from!(StoreError, |_| Exit::Infrastructure);
failure_from!(BackendError, backend);
failure_from!(ProjectError, project);
failure_from!(RunError, |error| match error {
    RunError::Backend(error) => backend(error),
    RunError::Project(error) => project(error),
    _ => Exit::Infrastructure,
});
failure_from!(PinnedError, |error| match error {
    PinnedError::Run(RunError::Backend(error)) => backend(error),
    PinnedError::Run(RunError::Project(error)) => project(error),
    PinnedError::NotPinned { .. } => Exit::Question,
    _ => Exit::Infrastructure,
});
failure_from!(RemoteError, |error| match error {
    RemoteError::Address(_) | RemoteError::Unfit { .. } => Exit::Question,
    RemoteError::Interrupted => Exit::Interrupted,
    _ => Exit::Infrastructure,
});
failure_from!(BundleError, |error| match error {
    BundleError::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
        Exit::Question
    }
    BundleError::Read { .. }
    | BundleError::Changed { .. }
    | BundleError::Store(_)
    | BundleError::File(_)
    | BundleError::Write { .. } => Exit::Infrastructure,
    _ => Exit::Question,
});
failure_from!(ResolveError, |error| match error {
    ResolveError::Index { source, .. } => index(source),
    _ => Exit::Question,
});
failure_from!(IndexError, index);
failure_from!(NetrcError, |error| match error {
    NetrcError::Malformed { .. } => Exit::Question,
    _ => Exit::Infrastructure,
});

fn backend(error: &BackendError) -> Exit {
    match error {
        BackendError::NoPython { .. }
        | BackendError::Unsupported { .. }
        | BackendError::Template(_) => Exit::Question,
        _ => Exit::Infrastructure,
    }
}

fn project(error: &ProjectError) -> Exit {
    match error {
        ProjectError::Read { .. } => Exit::Infrastructure,
        _ => Exit::Question,
    }
}

fn index(error: &IndexError) -> Exit {
    match error {
        IndexError::NotFound { .. } | IndexError::NotFoundAnywhere { .. } => Exit::Question,
        _ => Exit::Infrastructure,
    }
}
