//! What lies in the project's folder and is not part of the project.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A file or folder that no test finds, unless its [`Test::files`](crate::question::plan::Test::files)
/// name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LeftOut {
    /// Its path in the project, with `/` between the components. What is not UTF-8 in it is replaced.
    pub path: String,
    /// Whether it is a folder, which is left out with everything in it.
    pub is_folder: bool,
    /// Why.
    pub why: WhyLeftOut,
    /// How large it is; `None` if nobody looked.
    pub size: Option<Size>,
}

/// How large a file or folder is.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Size {
    /// How many files.
    pub files: u64,
    /// Their size in bytes.
    pub bytes: u64,
}

/// Why a file or folder is not part of the project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum WhyLeftOut {
    /// Caliper's results and its cache.
    Caliper,
    /// A configuration of Caliper. What it says is part of the cells that it describes.
    Configuration,
    /// Something that Caliper itself was told to write here.
    Output,
    /// The data of a version control system.
    VersionControl,
    /// Compiled modules, which Python makes again.
    Bytecode,
    /// A Python environment: a folder with `pyvenv.cfg` or `conda-meta`.
    Environment,
    /// A folder that its `CACHEDIR.TAG` declares to be a cache (<https://bford.info/cachedir/>).
    Cache,
    /// A lock, a backup or a swap file of an editor or a file manager.
    Editor,
    /// Git ignores it.
    Git {
        /// The pattern.
        pattern: String,
        /// The file that has the pattern, relative to the project where it is in it.
        file: String,
    },
    /// `.dockerignore` excludes it.
    Docker,
    /// A link out of the project.
    LinkLeaves {
        /// Where it leads.
        target: String,
    },
    /// A link to something that does not exist.
    LinkDangles {
        /// Where it leads.
        target: String,
    },
    /// Its name is not UTF-8, which the identity of a cell needs.
    NotUnicode,
    /// The user who runs Caliper may not read it.
    Unreadable,
    /// A socket, a pipe or a device.
    Special,
}

impl WhyLeftOut {
    /// Whether a rule of the user excludes it, and not what it is.
    pub fn is_rule(&self) -> bool {
        matches!(self, Self::Git { .. } | Self::Docker)
    }

    /// Whether it can be part of a project at all, if somebody names it.
    pub fn can_be_named(&self) -> bool {
        match self {
            Self::Caliper
            | Self::LinkLeaves { .. }
            | Self::LinkDangles { .. }
            | Self::NotUnicode
            | Self::Unreadable
            | Self::Special => false,
            Self::Configuration
            | Self::Output
            | Self::VersionControl
            | Self::Bytecode
            | Self::Environment
            | Self::Cache
            | Self::Editor
            | Self::Git { .. }
            | Self::Docker => true,
        }
    }
}

impl fmt::Display for WhyLeftOut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caliper => formatter.write_str("Caliper's own"),
            Self::Configuration => formatter.write_str("a configuration of Caliper"),
            Self::Output => formatter.write_str("written by Caliper"),
            Self::VersionControl => formatter.write_str("version control"),
            Self::Bytecode => formatter.write_str("bytecode"),
            Self::Environment => formatter.write_str("a Python environment"),
            Self::Cache => formatter.write_str("a cache (CACHEDIR.TAG)"),
            Self::Editor => formatter.write_str("of an editor"),
            Self::Git { pattern, file } => {
                write!(formatter, "git ignores it: `{pattern}` in {file}")
            }
            Self::Docker => formatter.write_str("excluded by .dockerignore"),
            Self::LinkLeaves { target } => {
                write!(formatter, "a link out of the project, to `{target}`")
            }
            Self::LinkDangles { target } => {
                write!(formatter, "a link to `{target}`, which does not exist")
            }
            Self::NotUnicode => formatter.write_str("its name is not UTF-8"),
            Self::Unreadable => formatter.write_str("you may not read it"),
            Self::Special => formatter.write_str("a socket, pipe or device"),
        }
    }
}
