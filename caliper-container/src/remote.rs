//! Caliper itself on another machine, over SSH.
//!
//! A [`Job`] is one run of Caliper there, in a folder of its own that nothing else uses:
//!
//! ```text
//! ~/.cache/caliper/remote/         or the path of the address
//!   programs/<sha256>/caliper      this very program
//!   projects/<key>/project/        the files of the project, as they were when the job began
//!   projects/<key>/results/        what is measured there; later jobs of the project go on from it
//!   jobs/<id>/                     log, process, deadline, exit status
//! ```
//!
//! A job does not depend on the connection. Whatever is asked of it is one short `ssh`, which can fail and be asked
//! again. Results are fetched file by file, checked against a digest, and put in their place by renaming.

mod fetch;
mod job;

use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use crate::destination::Destination;
use crate::interrupt::Interrupt;

pub use fetch::Fetched;
pub use job::{Job, JobState, Order, Reaped, State};

/// How much of what `ssh` says on standard error is kept, in bytes.
const WORDS: u64 = 4096;

/// The exit status of `ssh` itself if it could not do its work.
const NOT_CONNECTED: i32 = 255;

/// Why something could not be done on another machine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The text is not the address of a machine.
    #[error(
        "`{0}` is no machine: write `ssh://user@host`, `ssh://host:22` or `ssh://host/path/of/a/folder`"
    )]
    Address(String),
    /// `ssh` could not connect. The same may work later.
    #[error("could not reach {host}: {said}")]
    Unreachable {
        /// The machine.
        host: String,
        /// What `ssh` said.
        said: String,
    },
    /// What was asked for did not work there.
    #[error("{host} could not {action}: {said}")]
    Failed {
        /// The machine.
        host: String,
        /// What it should do.
        action: String,
        /// What it said.
        said: String,
    },
    /// It lacks what the job needs.
    #[error("{host} {what}; {fix}")]
    Unfit {
        /// The machine.
        host: String,
        /// What is missing.
        what: String,
        /// What to do about it.
        fix: String,
    },
    /// Something went wrong on this machine.
    #[error("could not {action}")]
    Here {
        /// What was to be done.
        action: String,
        /// The error.
        source: io::Error,
    },
    /// It was interrupted.
    #[error("interrupted")]
    Interrupted,
}

impl RemoteError {
    /// Whether the same may work later: the connection was lost.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    fn here(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Here { action, source }
    }
}

/// Another machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    destination: Destination,
}

/// What a machine has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Its system and architecture, as `uname -sm` says.
    pub system: String,
    /// How many KiB are free where jobs are kept.
    pub free: Option<u64>,
    /// The version of its container engine; `None` if none answers.
    pub engine: Option<String>,
    /// Whether that engine has a runtime for GPUs.
    pub has_gpus: bool,
}

/// Tells what the machine has, a line for each.
const LOOK: &str = r#"
mkdir -p "$base"
echo "system $(uname -sm)"
echo "free $(df -Pk "$base" | awk 'NR == 2 { print $4 }')"
for engine in docker podman; do
    if version=$($engine version --format '{{.Server.Version}}' 2>/dev/null) && [ -n "$version" ]; then
        echo "engine $engine $version"
        $engine info 2>/dev/null | grep -qi nvidia && echo "gpus"
        break
    fi
done
true
"#;

/// How much must be free there, in KiB, for the program and the first environments.
const LEAST_FREE: u64 = 1 << 20;

impl Host {
    /// Parses `ssh://user@host:port/folder`.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Address`].
    pub fn parse(address: &str) -> Result<Self, RemoteError> {
        let destination = address.strip_prefix("ssh://").and_then(Destination::parse);
        let destination = destination.ok_or_else(|| RemoteError::Address(address.to_owned()))?;
        Ok(Self { destination })
    }

    /// Its address.
    pub fn address(&self) -> String {
        self.destination.to_string()
    }

    /// A name of a folder for what comes from it.
    pub fn name(&self) -> String {
        let kept = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '-' };
        let address = self.address();
        address.trim_start_matches("ssh://").chars().map(kept).collect()
    }

    /// Looks what it has, and whether Caliper can work there.
    ///
    /// # Errors
    ///
    /// [`RemoteError`]; [`RemoteError::Unfit`] if the program of this machine cannot run there, its disk is nearly
    /// full, or it lacks the engine that is needed.
    pub fn look(&self, needs_engine: bool) -> Result<Facts, RemoteError> {
        let said = self.script("look what it has", LOOK, &[])?;
        let mut facts = Facts::default();
        for line in said.lines() {
            match line.split_once(' ').unwrap_or((line, "")) {
                ("system", system) => system.clone_into(&mut facts.system),
                ("free", free) => facts.free = free.parse().ok(),
                ("engine", engine) => facts.engine = Some(engine.to_owned()),
                ("gpus", _) => facts.has_gpus = true,
                _ => {}
            }
        }
        let unfit = |what: String, fix: &str| RemoteError::Unfit {
            host: self.address(),
            what,
            fix: fix.to_owned(),
        };
        let here = format!("Linux {}", std::env::consts::ARCH);
        if facts.system != here {
            let what = format!("is `{}`, and this program is for `{here}`", facts.system);
            return Err(unfit(what, "choose a machine of the same kind"));
        }
        if let Some(free) = facts.free.filter(|free| *free < LEAST_FREE) {
            let what = format!("has only {} MiB free where jobs are kept", free >> 10);
            return Err(unfit(what, "make room, or name another folder: `ssh://host/folder`"));
        }
        if needs_engine && facts.engine.is_none() {
            let what = "has no container engine that answers".to_owned();
            return Err(unfit(what, "start it, or pass `--backend local`"));
        }
        Ok(facts)
    }

    /// Starts a script of the POSIX shell there, in which `$base` is the folder of Caliper and the arguments are `$1`
    /// and so on.
    fn start(&self, script: &str, arguments: &[&str]) -> io::Result<Child> {
        let base = match &self.destination.path {
            Some(folder) => format!("base={}\n", quoted(folder)),
            None => "base=${XDG_CACHE_HOME:-$HOME/.cache}/caliper/remote\n".to_owned(),
        };
        let mut command = format!("exec sh -c {} sh", quoted(&format!("set -eu\n{base}{script}")));
        for argument in arguments {
            let _ = write!(command, " {}", quoted(argument));
        }
        Command::new("ssh")
            .args(self.destination.arguments())
            .arg(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C at the terminal is for Caliper.
            .process_group(0)
            .spawn()
    }

    /// Runs a script to its end, and returns what it printed.
    fn script(
        &self,
        action: &str,
        script: &str,
        arguments: &[&str],
    ) -> Result<String, RemoteError> {
        self.exchange(action, script, arguments, &mut |_| Ok(()), &mut |out| {
            let mut said = Vec::new();
            out.read_to_end(&mut said)?;
            Ok(String::from_utf8_lossy(&said).into_owned())
        })
    }

    /// Runs a script to its end. `give` writes what it reads, and `take` reads what it writes, which begins only once
    /// all was given.
    fn exchange<T>(
        &self,
        action: &str,
        script: &str,
        arguments: &[&str],
        give: &mut dyn FnMut(&mut dyn io::Write) -> io::Result<()>,
        take: &mut dyn FnMut(&mut dyn io::Read) -> io::Result<T>,
    ) -> Result<T, RemoteError> {
        let mut child = self.start(script, arguments).map_err(RemoteError::here("start `ssh`"))?;
        let errors = child.stderr.take().map(|stderr| {
            std::thread::spawn(move || {
                let (mut said, mut stderr) = (Vec::new(), stderr);
                let _ = stderr.by_ref().take(WORDS).read_to_end(&mut said);
                // The rest is not needed, but a full pipe would block the program.
                let _ = io::copy(&mut stderr, &mut io::sink());
                said
            })
        });
        let given = match child.stdin.take() {
            Some(mut stdin) => give(&mut stdin).and_then(|()| stdin.flush()),
            None => Ok(()),
        };
        let taken = match child.stdout.take() {
            Some(mut stdout) => {
                let taken = take(&mut stdout);
                let _ = io::copy(&mut stdout, &mut io::sink());
                taken
            }
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        let status = child.wait().map_err(RemoteError::here("wait for `ssh`"))?;
        let said = errors.and_then(|errors| errors.join().ok()).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let said: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let (host, said) = (self.address(), said.join("; "));
        if status.success() {
            given.map_err(RemoteError::here(format!("send what {host} needs to {action}")))?;
            return taken.map_err(RemoteError::here(format!("read what {host} sent to {action}")));
        }
        // A failure there says more than that the pipe to it broke.
        Err(if status.code() == Some(NOT_CONNECTED) || status.code().is_none() {
            let said = if said.is_empty() { "the connection was closed".to_owned() } else { said };
            RemoteError::Unreachable { host, said }
        } else {
            let said = if said.is_empty() { format!("{status}") } else { said };
            RemoteError::Failed { host, action: action.to_owned(), said }
        })
    }
}

/// A word that a POSIX shell takes as it is.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// An error if a stop was asked for.
fn go_on(interrupt: &Interrupt) -> Result<(), RemoteError> {
    if interrupt.is_raised() { Err(RemoteError::Interrupted) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_machine_and_a_folder() {
        let host = Host::parse("ssh://me@box:2222/data/jobs").unwrap();
        assert_eq!(host.address(), "ssh://me@box:2222/data/jobs");
        assert_eq!(host.name(), "me-box-2222-data-jobs");
        for bad in ["box", "ssh://-oProxyCommand=x", "http://box", "ssh://box/$(x)"] {
            let error = Host::parse(bad).unwrap_err();
            assert!(!error.may_pass() && error.to_string().contains(bad), "{error}");
        }
    }

    #[test]
    fn a_quoted_word_stays_one() {
        for word in ["a b", "it's", "$(x)", "`x`", "", "\\", "a\nb"] {
            let script = format!("printf '%s' {}", quoted(word));
            let said = Command::new("sh").arg("-c").arg(script).output().unwrap();
            assert_eq!(String::from_utf8(said.stdout).unwrap(), word);
        }
    }
}
