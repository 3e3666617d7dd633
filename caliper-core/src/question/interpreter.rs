//! The properties of a Python and its machine that decide which files it can install.

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use crate::names::{AbiTag, PythonVersion};

/// One Python, as it describes itself.
///
/// A backend runs the interpreter to get these facts. They are guessed from a name only by
/// [`Interpreter::assumed`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Interpreter {
    /// The feature release, which names the column of the grid.
    pub python: PythonVersion,
    /// The exact version, such as 3.11.7, which must satisfy `Requires-Python`.
    #[schemars(with = "String")]
    pub version: Version,
    /// Which implementation of Python it is.
    pub implementation: Implementation,
    /// The ABI tag that it gives to extension modules.
    pub abi: AbiTag,
    /// The platform that it runs on.
    pub platform: Platform,
}

impl Interpreter {
    /// The usual CPython of this version on this platform, if no interpreter can be asked.
    pub fn assumed(python: PythonVersion, platform: Platform) -> Self {
        Self {
            python,
            version: Version::new([u64::from(python.major()), u64::from(python.minor())]),
            implementation: Implementation::CPython,
            abi: python.usual_abi(),
            platform,
        }
    }
}

/// An implementation of the Python language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Implementation {
    /// The reference implementation; Python tag `cp`.
    CPython,
    /// PyPy; Python tag `pp`.
    PyPy,
    /// GraalPy; Python tag `graalpy`.
    GraalPy,
}

/// An operating system, a processor and a C library, as far as wheel tags distinguish them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "os", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Platform {
    /// Linux.
    Linux {
        /// The processor, in the words of `uname -m`: `x86_64`, `aarch64`, `i686`.
        arch: String,
        /// The C library.
        libc: Libc,
    },
    /// macOS.
    MacOs {
        /// The 14 of macOS 14.2.
        major: u16,
        /// The 2 of macOS 14.2.
        minor: u16,
        /// `x86_64` or `arm64`.
        arch: String,
    },
    /// Windows.
    Windows {
        /// The end of the platform tag: `amd64`, `arm64` or `32`.
        arch: String,
    },
}

/// A C library and its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "name", rename_all = "lowercase")]
pub enum Libc {
    /// The GNU C library; decides the manylinux tags (PEP 600).
    Glibc {
        /// The 2 of 2.36.
        major: u16,
        /// The 36 of 2.36.
        minor: u16,
    },
    /// musl; decides the musllinux tags (PEP 656).
    Musl {
        /// The 1 of 1.2.
        major: u16,
        /// The 2 of 1.2.
        minor: u16,
    },
}
