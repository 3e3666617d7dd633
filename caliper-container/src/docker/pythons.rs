//! Which Pythons the base images hold.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use caliper_core::facts::record::TestEnd;
use caliper_core::names::{PythonVersion, Sha256};
use caliper_core::question::interpreter::{Interpreter, Libc, Platform};
use caliper_core::question::limits::Network;
use caliper_core::question::plan::Setup;

use super::{DockerBackend, images};
use crate::backend::BackendError;
use crate::interrupt::Interrupt;
use crate::probe::{Answer, PROBE};

/// The releases of CPython whose images are looked for by default: 2.7, and all from the first with
/// common Linux wheels.
fn usual() -> impl Iterator<Item = PythonVersion> {
    std::iter::once(PythonVersion::new(2, 7))
        .chain((5..=15).map(|minor| PythonVersion::new(3, minor)))
}

/// What an image is asked.
pub(super) struct Question<'a> {
    /// Those of the Python.
    pub(super) options: &'a [&'a str],
    /// For any Python, without anything installed.
    pub(super) program: &'a str,
    pub(super) argument: Option<&'a str>,
}

impl DockerBackend {
    /// The usual Pythons whose base images are there.
    pub(super) fn present(&self, setup: &Setup) -> Result<Vec<Interpreter>, BackendError> {
        let engine = &self.engine;
        let names = engine
            .block_on(images::names(engine))
            .map_err(|fault| engine.error("list the images", fault))?;
        let mut found = Vec::new();
        for python in usual() {
            let name = Self::base_name(python, setup)?;
            if !names.contains(&images::plain_name(&name)) {
                continue;
            }
            let digest = engine
                .block_on(self.bases.digest(engine, &name))
                .map_err(|fault| engine.error(format!("look at the image `{name}`"), fault))?;
            if let Some(digest) = digest {
                // A name that does not depend on the Python is found for each of them.
                let interpreter = self.probe(&name, &digest)?;
                found.extend(Some(interpreter).filter(|found| found.python == python));
            }
        }
        Ok(found)
    }

    /// The Pythons in `wanted`: asked, or assumed where there is no image to ask and none to be had.
    pub(super) fn wanted(
        &self,
        wanted: &BTreeSet<PythonVersion>,
        setup: &Setup,
    ) -> Result<Vec<Interpreter>, BackendError> {
        let engine = &self.engine;
        let mut names = Vec::new();
        for python in wanted {
            names.push((*python, Self::base_name(*python, setup)?));
        }
        // Side by side: a registry that cannot be reached is waited for only once.
        let obtained = engine.block_on(futures_util::future::join_all(names.iter().map(
            |(_, name)| async move {
                if self.options.pull_nothing {
                    let digest = self.bases.digest(engine, name).await?;
                    return Ok(digest.ok_or_else(|| "it is not there".to_owned()));
                }
                self.bases.obtain(engine, name).await
            },
        )));
        let mut found = Vec::new();
        for ((python, name), digest) in names.into_iter().zip(obtained) {
            let digest = digest
                .map_err(|fault| engine.error(format!("look at the image `{name}`"), fault))?;
            let Ok(digest) = digest else {
                // So that the other cells can be planned. Those of this Python have no base, and
                // are not measured.
                found.push(Interpreter::assumed(python, self.usual_platform()));
                continue;
            };
            let interpreter = self.probe(&name, &digest)?;
            if interpreter.python != python {
                return Err(BackendError::NoPython {
                    python,
                    backend: self.options.kind.name(),
                    found: format!("Python {} in the image `{name}`", interpreter.python),
                });
            }
            found.push(interpreter);
        }
        Ok(found)
    }

    /// What the official images of Python are at the time of writing.
    fn usual_platform(&self) -> Platform {
        let libc = Libc::Glibc { major: 2, minor: 36 };
        Platform::Linux { arch: self.facts.arch.clone(), libc }
    }

    /// Asks the Python of an image what it is. An image never changes, so it is asked only once.
    fn probe(&self, name: &str, digest: &str) -> Result<Interpreter, BackendError> {
        let failed = |what: String| BackendError::Refused {
            action: format!("ask the image `{name}` which Python it has"),
            message: what,
        };
        let question = Question { options: &[], program: PROBE, argument: None };
        let answered = self.ask_image(digest, &question, None, |output| {
            let answer = Answer::parse(output)?;
            answer.interpreter()
        });
        answered?.map_err(failed)
    }

    /// Runs a Python program in an image and keeps what it answered under the digests of both. The
    /// inner error says why the image gave no answer.
    pub(super) fn ask_image<T>(
        &self,
        digest: &str,
        question: &Question<'_>,
        interrupt: Option<&Interrupt>,
        read: impl FnOnce(&[u8]) -> Result<T, String>,
    ) -> Result<Result<T, String>, BackendError>
    where
        T: serde::Serialize + serde::de::DeserializeOwned,
    {
        let mut command: Vec<&str> = vec!["python"];
        command.extend(question.options);
        command.extend(["-c", question.program]);
        command.extend(question.argument);
        let asked = command.join("\0");
        let folder = self.options.cache.join(crate::cache::IMAGES);
        let image = digest.strip_prefix("sha256:").unwrap_or(digest);
        let kept =
            folder.join(format!("{image}-{}.json", &Sha256::of(asked.as_bytes()).hex()[..12]));
        if let Some(answer) =
            fs::read(&kept).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok())
        {
            return Ok(Ok(answer));
        }
        let mut order = self.container("ask an image about its Python", digest, None);
        order.command = command.into_iter().map(str::to_owned).collect();
        order.environment = vec!["PYTHONDONTWRITEBYTECODE=1".to_owned()];
        // It starts no processes, and one program less to start is a fifth of a second on some engines.
        order.init = false;
        order.limits.network = Network::None;
        order.limits.timeout = Duration::from_secs(120);
        let finished = order.run(&self.engine, interrupt, None)?;
        let said = String::from_utf8_lossy(&finished.error.bytes);
        let answer = match finished.end {
            TestEnd::Exited(0) => read(&finished.output.bytes),
            TestEnd::NotRun { reason } => Err(format!("it has no program `python`: {reason}")),
            end => Err(format!("{}: {}", end.outcome(), said.trim())),
        };
        if let Ok(answer) = &answer {
            // Only saves time: that it cannot be kept is no error.
            let _ = serde_json::to_vec(answer).is_ok_and(|text| write_whole(&kept, &text).is_ok());
        }
        Ok(answer)
    }
}

/// Writes a file that others may read at the same moment, and the folder that it is in.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    let unfinished = path.with_extension(format!("{}.unfinished", std::process::id()));
    fs::write(&unfinished, bytes)?;
    fs::rename(unfinished, path)
}
