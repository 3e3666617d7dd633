use caliper_core::names::PythonVersion;

/// Why a backend could not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The engine did not answer.
    #[error("could not reach the container engine at `{endpoint}`")]
    Unreachable {
        /// Where it should be.
        endpoint: String,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The engine answered that it could not do something.
    #[error("{action}: the container engine refused: {message}")]
    Refused {
        /// What the engine was asked to do.
        action: String,
        /// Its answer.
        message: String,
    },
    /// A base image is not on the engine, and could not be pulled.
    #[error("there is no image `{image}`, and it could not be pulled: {message}")]
    NoImage {
        /// The image.
        image: String,
        /// What the engine said.
        message: String,
    },
    /// A wanted Python is missing.
    #[error("there is no Python {python} for the `{backend}` backend; it has {found}")]
    NoPython {
        /// The Python.
        python: PythonVersion,
        /// The backend.
        backend: &'static str,
        /// The Pythons that it has, and a fix, for people.
        found: String,
    },
    /// This backend does not support what the configuration asks for.
    #[error("the `{backend}` backend cannot give {what}; {fix}")]
    Unsupported {
        /// The backend.
        backend: &'static str,
        /// What was asked for.
        what: String,
        /// What to do instead.
        fix: String,
    },
    /// A template could not be rendered.
    #[error(transparent)]
    Template(#[from] caliper_core::question::template::TemplateError),
    /// A file to install could not be fetched.
    #[error(transparent)]
    File(#[from] caliper_core::question::files::FileError),
    /// The package index failed while an installer in a build asked for something.
    #[error("the index could not answer a build: {reason}")]
    Index {
        /// What was asked for, and why there was no answer.
        reason: String,
    },
    /// The files of an overlay are not for this environment, or could not be laid.
    #[error("{reason}")]
    Overlay {
        /// Why.
        reason: String,
    },
    /// The machine failed: for example a full disk, or a process that could not be started.
    #[error("{action}")]
    Machine {
        /// What was being done.
        action: String,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The run was asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl BackendError {
    /// Whether the same operation may succeed a little later without a change by the user.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Refused { .. } | Self::Machine { .. } => true,
            // Downloads were retried already.
            Self::File(_)
            | Self::Index { .. }
            | Self::NoImage { .. }
            | Self::NoPython { .. }
            | Self::Unsupported { .. }
            | Self::Overlay { .. }
            | Self::Template(_)
            | Self::Interrupted => false,
        }
    }

    /// For `map_err`: an I/O error while doing `action`.
    pub fn machine(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let action = action.into();
        move |source| Self::Machine { action, source }
    }
}
