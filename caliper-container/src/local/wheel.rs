//! Builds the wheel of a project's own package ([PEP 517](https://peps.python.org/pep-0517/)), with `uv build`.
//!
//! It is built in a copy, so that nothing is written into the user's folder, and with the indexes, logins and cache that
//! environments are made with.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use caliper_core::facts::record::BuildReason;
use caliper_core::names::PythonVersion;

use super::install::{TIMEOUT, fault, uv_failed};
use super::supervise::{How, Program};
use super::{LocalBackend, variables};
use crate::backend::{BackendError, RunId};
use crate::interrupt::Interrupt;
use crate::project::Project;

/// A wheel to build.
#[derive(Clone, Copy)]
pub struct WheelOrder<'a> {
    /// The files of the project.
    pub project: &'a Project,
    /// The folder of the package in it; empty for the project itself.
    pub path: &'a str,
    /// The Python that it is built with, and for unless it is pure.
    pub python: PythonVersion,
    /// Constraints of what it is built with.
    pub build_constraints: &'a [String],
    /// The folder that the wheel is written into.
    pub into: &'a Path,
    /// Raised when the build must stop.
    pub interrupt: &'a Interrupt,
}

/// A wheel that was built.
#[derive(Debug)]
pub struct BuiltWheel {
    /// Where it is.
    pub path: PathBuf,
    /// All that the build printed.
    pub log: Vec<u8>,
}

/// A build that failed because of what is built.
#[derive(Debug)]
pub struct WheelNotBuilt {
    /// Why, as far as the log tells.
    pub reason: BuildReason,
    /// All that the build printed.
    pub log: Vec<u8>,
}

impl LocalBackend {
    /// Builds a wheel. What the build needs is taken as a resolver picks it now.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if the backend itself failed, for example because the machine has no such Python.
    pub fn build_wheel(
        &self,
        order: &WheelOrder<'_>,
    ) -> Result<Result<BuiltWheel, WheelNotBuilt>, BackendError> {
        let python = self.pythons().of(order.python);
        let python = python.ok_or_else(|| self.pythons().lacks(order.python))?;
        let ready = self.ready(&RunId::fresh())?;
        let builder = self.builder(&ready, ready.link_mode);
        let around = ready.workspace.place('w')?;
        let (home, temporary) = (around.folder("home")?, around.folder("tmp")?);
        let out = around.folder("out")?;
        // Some tools take the name of a package from that of its folder.
        let name = order.project.root().file_name().unwrap_or(OsStr::new("project"));
        let copy = around.folder("copy")?.join(name);
        order.project.copy_with_history(&copy).map_err(BackendError::machine(format!(
            "could not copy the project to `{}`",
            copy.display()
        )))?;
        let mut command = Command::new(&ready.uv);
        command.args(["build", "--wheel", "--no-progress", "--no-python-downloads"]);
        command.arg("--config-file").arg(&ready.configuration);
        command.arg("--python").arg(&python.executable).arg("--out-dir").arg(&out);
        if self.options.offline {
            command.arg("--offline");
        }
        if !order.build_constraints.is_empty() {
            let path = around.path().join("build-constraints.txt");
            let what = format!("could not write `{}`", path.display());
            fs::write(&path, order.build_constraints.join("\n") + "\n")
                .map_err(BackendError::machine(what))?;
            command.arg("--build-constraints").arg(&path);
        }
        command.arg("--").arg(copy.join(order.path));
        command.env_clear().envs(variables::clean(None, &home, &temporary));
        command.envs(builder.variables()).envs(GIT).current_dir(around.path());
        let program = Program::new(command, TIMEOUT).until(order.interrupt).merged();
        let ended = program
            .run()
            .map_err(BackendError::machine(format!("could not run `{}`", ready.uv.display())))?;
        // Who reads it knows the project and not the copy.
        let (copied, own) = (copy.as_os_str().as_encoded_bytes(), order.project.root().as_os_str());
        let log = replaced(&ended.output.bytes, copied, own.as_encoded_bytes());
        let not_built = |reason, log| Ok(Err(WheelNotBuilt { reason, log }));
        match ended.how {
            How::Interrupted => return Err(BackendError::Interrupted),
            How::TimedOut | How::Idle | How::OutOfMemory => {
                return not_built(BuildReason::TimedOut, log);
            }
            How::Ended(status) if status.success() => {}
            How::Ended(status) => match status.code() {
                Some(code) => match fault(code, &String::from_utf8_lossy(&log)) {
                    Ok(reason) => return not_built(reason, log),
                    Err(line) => return Err(uv_failed("uv could not build", line)),
                },
                None => {
                    return Err(uv_failed("uv could not build", format!("it ended with {status}")));
                }
            },
        }
        let failed = |path: &Path| {
            BackendError::machine(format!("could not take a wheel out of `{}`", path.display()))
        };
        let mut wheels = Vec::new();
        for entry in fs::read_dir(&out).map_err(failed(&out))? {
            let path = entry.map_err(failed(&out))?.path();
            if path.extension().is_some_and(|end| end == "whl") {
                wheels.push(path);
            }
        }
        let [wheel] = wheels.as_slice() else {
            return not_built(
                BuildReason::Unknown,
                [&log[..], b"error: the build left no wheel\n"].concat(),
            );
        };
        let path = order.into.join(wheel.file_name().unwrap_or_default());
        fs::copy(wheel, &path).map_err(failed(&out))?;
        Ok(Ok(BuiltWheel { path, log }))
    }
}

/// A text with `to` in place of each `from`.
fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(text.len());
    let mut end = 0;
    for start in memchr::memmem::find_iter(text, from) {
        replaced.extend_from_slice(&text[end..start]);
        replaced.extend_from_slice(to);
        end = start + from.len();
    }
    replaced.extend_from_slice(&text[end..]);
    replaced
}

/// The history belongs to whoever's folder the project is, which Git refuses for others unless it is told.
const GIT: [(&str, &str); 3] = [
    ("GIT_CONFIG_COUNT", "1"),
    ("GIT_CONFIG_KEY_0", "safe.directory"),
    ("GIT_CONFIG_VALUE_0", "*"),
];
