//! Runs a command of a witness as a stranger would: by a shell, in a fresh copy of the folder.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use caliper_container::interrupt::Interrupt;
use caliper_core::facts::record::{Run, TestOutcome};

use crate::exit::Failure;

/// How long packages may take to be installed, beside the time that the test itself may take.
const INSTALLING: Duration = Duration::from_secs(600);

/// How commands are tried.
pub(super) struct Trial<'a> {
    /// The witness.
    pub(super) folder: &'a Path,
    /// The folder of the Python's program; `None` if no Python of the machine is needed.
    pub(super) python: Option<&'a Path>,
    /// How long the test may take.
    pub(super) limit: Duration,
    pub(super) interrupt: &'a Interrupt,
}

/// How a command ended.
pub(super) struct Ended {
    /// `None` if it did not exit by itself.
    pub(super) status: Option<i32>,
    pub(super) timed_out: bool,
    pub(super) output: String,
    pub(super) error: String,
}

impl Trial<'_> {
    /// The version of a program that the commands need.
    pub(super) fn version(&self, program: &str) -> Result<String, Failure> {
        let lacking = |error| {
            let action = format!(
                "this witness is tried with `{program}`, and there is none on PATH; install it"
            );
            Failure::infrastructure(action, error)
        };
        let said = self.command(&format!("exec {program} --version")).output().map_err(lacking)?;
        if !said.status.success() {
            return Err(lacking(io::Error::other(
                String::from_utf8_lossy(&said.stderr).into_owned(),
            )));
        }
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let number = |word: &&str| word.starts_with(|first: char| first.is_ascii_digit());
        let version = said.split_whitespace().find(number).unwrap_or("of unknown version");
        Ok(version.trim_end_matches(',').to_owned())
    }

    /// Runs a command whose outcome does not matter, also after an interrupt.
    pub(super) fn finish(&self, text: &str) {
        let mut command = self.command(text);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // What cannot be removed was perhaps never made.
        let _ = command.process_group(0).status();
    }

    /// Runs a command in a fresh copy of the folder.
    pub(super) fn run(&self, text: &str) -> Result<Ended, Failure> {
        self.try_run(text)
            .map_err(|error| Failure::infrastructure("could not try the witness", error))
    }

    fn try_run(&self, text: &str) -> io::Result<Ended> {
        let fresh = tempfile::Builder::new().prefix("caliper-witness-").tempdir()?;
        let (here, printed) = (fresh.path().join("here"), fresh.path());
        copy(self.folder, &here)?;
        let [output, error] = ["output", "error"].map(|name| printed.join(name));
        let mut command = self.command(text);
        command.current_dir(&here).stdin(Stdio::null());
        command.stdout(File::create(&output)?).stderr(File::create(&error)?);
        // A group of its own, so that all that it started can be ended with it.
        let mut child = command.process_group(0).spawn()?;
        let (status, timed_out) = self.wait(&mut child)?;
        let read = |path: PathBuf| -> io::Result<String> {
            Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
        };
        Ok(Ended { status, timed_out, output: read(output)?, error: read(error)? })
    }

    fn command(&self, text: &str) -> Command {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let python = self.python.map(Path::to_owned);
        let folders = python.into_iter().chain(std::env::split_paths(&path));
        let mut command = Command::new("/bin/sh");
        command.args(["-c", text]);
        // Fails only if a folder's name contains a colon.
        command.env("PATH", std::env::join_paths(folders).unwrap_or(path));
        // The Python that was measured, and not one that `uv` would fetch.
        command.env("UV_PYTHON_DOWNLOADS", "never");
        command
    }

    /// Waits until it ends, must end, or is to be ended.
    fn wait(&self, child: &mut Child) -> io::Result<(Option<i32>, bool)> {
        let end = Instant::now() + self.limit + INSTALLING;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok((status.code(), false));
            }
            let timed_out = Instant::now() > end;
            if timed_out || self.interrupt.is_raised() {
                // The standard library ends only the process itself.
                let group = format!("-{}", child.id());
                Command::new("kill").args(["-KILL", "--", &group]).status()?;
                child.wait()?;
                return Ok((None, timed_out));
            }
            std::thread::sleep(Interrupt::POLL);
        }
    }
}

impl Ended {
    /// The same as a run of a test.
    pub(super) fn as_run(&self) -> Run {
        let outcome = match self.status {
            Some(0) => TestOutcome::Passed,
            Some(_) => TestOutcome::Failed,
            None if self.timed_out => TestOutcome::TimedOut,
            None => TestOutcome::Killed,
        };
        let mut run = Run::new(1, outcome);
        run.retval = self.status;
        run.output.clone_from(&self.output);
        run.error.clone_from(&self.error);
        run
    }
}

/// Copies a folder with all that is in it. Links are copied as links.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
