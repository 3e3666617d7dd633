//! Strict Tera templates: an unknown variable is an error, which gives its name, its line and the
//! known names. A Dockerfile that silently lacks a line would be a wrong measurement.

#[cfg(feature = "template")]
mod engine;

use std::fmt;

use serde::{Deserialize, Serialize};

#[cfg(feature = "config")]
pub(crate) use engine::nearest;

/// A template and its name for error messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Template {
    /// The name in error messages: a path, or a key of the configuration.
    pub name: String,
    /// Its text.
    pub source: String,
}

/// The user's template variables: the key `args` of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Args(serde_json::Map<String, serde_json::Value>);

impl Args {
    /// Adds a variable. The value can be anything that serde can convert to JSON.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] if the value cannot be converted to JSON, or if the name is one of [`VARIABLES`].
    pub fn insert(&mut self, name: &str, value: impl Serialize) -> Result<(), TemplateError> {
        let error = |message: String| {
            let (name, line, help) = ("args".to_owned(), None, Vec::new());
            TemplateError(Box::new(Problem { name, line, message, help }))
        };
        if VARIABLES.contains(&name) {
            return Err(error(format!("`{name}` is a variable of Caliper's own")));
        }
        let value = serde_json::to_value(value).map_err(|source| error(source.to_string()))?;
        self.0.insert(name.to_owned(), value);
        Ok(())
    }

    /// Takes the variables of `others` too, in place of those of the same name.
    pub fn extend(&mut self, others: &Self) {
        self.0.extend(others.0.clone());
    }

    /// Whether it holds no variables.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of the variables, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// The variables that every template has, beside the user's own.
pub const VARIABLES: &[&str] = &[
    "base",
    "filename",
    "basename",
    "sha256",
    "dependency",
    "version",
    "python",
    "abi",
    "requirements",
    "constraints",
    "build_constraints",
    "project_wheel",
    "project_extras",
];

/// The values of [`VARIABLES`].
#[derive(Debug, Clone, Default, Serialize)]
pub struct Variables {
    /// The name of the base image.
    pub base: String,
    /// The URL of the file to install.
    pub filename: String,
    /// The name of the file to install.
    pub basename: String,
    /// The digest of the file to install: 64 hexadecimal digits.
    pub sha256: String,
    /// The name of the package.
    pub dependency: String,
    /// The release.
    pub version: String,
    /// The Python: `3.11`.
    pub python: String,
    /// Its ABI tag: `cp311`.
    pub abi: String,
    /// Requirements that are installed together with the dependency.
    pub requirements: Vec<String>,
    /// What binds what is installed anyway.
    pub constraints: Vec<String>,
    /// Constraints of what a source distribution is built with.
    pub build_constraints: Vec<String>,
    /// The name of the wheel of the project's own package; empty if that is not installed.
    pub project_wheel: String,
    /// The extras of the project's own package to install.
    pub project_extras: Vec<String>,
}

impl Template {
    /// A template called `name` with the text `source`.
    pub fn new(name: impl Into<String>, source: impl Into<String>) -> Self {
        Self { name: name.into(), source: source.into() }
    }
}

/// Why a template could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError(Box<Problem>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    /// The name of the template.
    name: String,
    /// The number of the line, from 1, and its text.
    line: Option<(usize, String)>,
    message: String,
    /// What helps, one line each.
    help: Vec<String>,
}

impl std::error::Error for TemplateError {}

impl fmt::Display for TemplateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { name, line, message, help } = &*self.0;
        write!(formatter, "template `{name}`")?;
        if let Some((number, _)) = line {
            write!(formatter, ", line {number}")?;
        }
        write!(formatter, ": {message}")?;
        if let Some((number, text)) = line {
            write!(formatter, "\n{number:>4} | {text}")?;
        }
        help.iter().try_for_each(|help| write!(formatter, "\nhelp: {help}"))
    }
}
