//! Asking a Python what it is.

use std::path::PathBuf;

use caliper_core::names::PythonVersion;
use caliper_core::question::interpreter::{Implementation, Interpreter, Libc, Platform};
use serde::{Deserialize, Serialize};

/// A program for any Python, to be run with `python -c`, that prints one line for [`Answer::parse`].
pub(crate) const PROBE: &str = include_str!("probe.py");

/// What a Python says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    implementation: String,
    version: String,
    abi: String,
    free_threaded: bool,
    system: String,
    machine: String,
    mac: String,
    libc: Option<(String, String)>,
    /// The path of the program.
    pub(crate) executable: PathBuf,
    /// Where its library is: tells apart installations that are linked under several names.
    pub(crate) prefix: PathBuf,
    /// Whether it is a virtual environment, which belongs to a user and is not used as a base.
    pub(crate) r#virtual: bool,
}

impl Answer {
    /// Reads what [`PROBE`] printed.
    pub(crate) fn parse(output: &[u8]) -> Result<Self, String> {
        let text = String::from_utf8_lossy(output);
        // A site that prints at start-up puts its lines first.
        let line = text.lines().last().unwrap_or_default();
        serde_json::from_str(line).map_err(|error| format!("{error} in {:?}", shorten(line)))
    }

    /// The facts that decide what this Python can install.
    pub(crate) fn interpreter(&self) -> Result<Interpreter, String> {
        let implementation = match self.implementation.as_str() {
            "cpython" => Implementation::CPython,
            "pypy" => Implementation::PyPy,
            "graalvm" | "graalpy" => Implementation::GraalPy,
            other => {
                return Err(format!("`{}` is not a Python that Caliper knows", shorten(other)));
            }
        };
        // Distributions append to the version: `3.13.5+`.
        let version: pep440_rs::Version = self
            .version
            .trim_end_matches('+')
            .parse()
            .map_err(|_| format!("`{}` is not a version", shorten(&self.version)))?;
        let feature = match version.release() {
            [major, minor, ..] => format!("{major}.{minor}"),
            _ => return Err(format!("`{version}` is not the version of a Python")),
        };
        let python: PythonVersion = feature
            .parse()
            .map_err(|error: caliper_core::names::ParsePythonVersionError| error.to_string())?;
        let python = python.with_free_threading(self.free_threaded);
        let abi = self
            .abi
            .parse()
            .map_err(|error: caliper_core::names::ParseAbiTagError| error.to_string())?;
        Ok(Interpreter { python, version, implementation, abi, platform: self.platform()? })
    }

    fn platform(&self) -> Result<Platform, String> {
        let pair = |text: &str| -> Option<(u16, u16)> {
            let mut parts = text.split('.');
            let major = parts.next()?.parse().ok()?;
            Some((major, parts.next().map_or(Some(0), |minor| minor.parse().ok())?))
        };
        let arch = self.machine.clone();
        match (self.system.as_str(), &self.libc) {
            ("Linux", Some((name, version))) => {
                let (major, minor) = pair(version)
                    .ok_or_else(|| format!("`{}` is not a version of {name}", shorten(version)))?;
                let libc = match name.as_str() {
                    "musl" => Libc::Musl { major, minor },
                    _ => Libc::Glibc { major, minor },
                };
                Ok(Platform::Linux { arch, libc })
            }
            ("Linux", None) => Err("its C library is neither glibc nor musl".to_owned()),
            ("Darwin", _) => {
                let (major, minor) = pair(&self.mac)
                    .ok_or_else(|| format!("`{}` is not a version of macOS", shorten(&self.mac)))?;
                Ok(Platform::MacOs { major, minor, arch })
            }
            ("Windows", _) => Ok(Platform::Windows { arch: arch.to_lowercase() }),
            (other, _) => Err(format!("`{}` is not a system that Caliper knows", shorten(other))),
        }
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_becomes_an_interpreter() {
        let line = r#"{"implementation": "cpython", "version": "3.13.5+", "abi": "cp313", "free_threaded": false,
            "system": "Linux", "machine": "x86_64", "mac": "", "libc": ["glibc", "2.41"],
            "executable": "/usr/bin/python3", "prefix": "/usr", "virtual": false}"#
            .replace('\n', " ");
        let answer = Answer::parse(format!("hello\n{line}\n").as_bytes()).unwrap();
        let interpreter = answer.interpreter().unwrap();
        assert_eq!(interpreter.python.to_string(), "3.13");
        assert_eq!(interpreter.version.to_string(), "3.13.5");
        let libc = Libc::Glibc { major: 2, minor: 41 };
        assert_eq!(interpreter.platform, Platform::Linux { arch: "x86_64".into(), libc });
        assert!(Answer::parse(b"").is_err());
        assert!(Answer::parse(b"Traceback").is_err());
    }
}
