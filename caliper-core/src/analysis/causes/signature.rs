//! What ended a program, in one line.

use std::fmt;

/// What ended a program or a build: the cause, and the place where it surfaced.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::analysis) struct Signature {
    /// The exception with its message, the signal, the limit, or the last line that was printed.
    pub(in crate::analysis) cause: String,
    /// The innermost line of the project or of a package, `jinja2/filters.py in <module>`; `None` if
    /// nothing names one.
    pub(super) at: Option<String>,
}

impl Signature {
    pub(super) fn new(cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), at: None }
    }

    pub(super) fn at(self, place: impl Into<String>) -> Self {
        Self { at: Some(place.into()), ..self }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.cause)?;
        match &self.at {
            Some(place) => write!(formatter, " ({place})"),
            None => Ok(()),
        }
    }
}
