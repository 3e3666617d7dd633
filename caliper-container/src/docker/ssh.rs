//! An engine on another machine, through `ssh`.
//!
//! As the command `docker` does it: `ssh HOST docker system dial-stdio` forwards its standard input to the
//! engine there. So the settings of that machine in `~/.ssh/config` apply.

use std::process::Stdio;

use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::process::{ChildStderr, Command};

use crate::destination::Destination;

use super::carry::{PARTING, carry};
use super::kind::EngineKind;

/// How much of the standard error of `ssh` is kept, in bytes.
const WORDS: u64 = 4096;

impl Destination {
    /// The arguments of `ssh` to reach the engine of this kind.
    fn of_engine(&self, kind: EngineKind) -> Vec<String> {
        let mut words = self.arguments();
        words.push(kind.name().to_owned());
        if let Some(socket) = &self.path {
            let option = match kind {
                EngineKind::Docker => "--host",
                EngineKind::Podman => "--url",
            };
            words.extend([option.to_owned(), format!("unix://{socket}")]);
        }
        words.extend(["system", "dial-stdio"].map(str::to_owned));
        words
    }

    /// The command for users to try by hand.
    pub(super) fn by_hand(&self, kind: EngineKind) -> String {
        format!("ssh {}", self.of_engine(kind).join(" "))
    }
}

/// Connects to a [`Destination`].
#[derive(Debug)]
pub(super) struct Ssh {
    arguments: Vec<String>,
}

impl Ssh {
    pub(super) fn new(destination: &Destination, kind: EngineKind) -> Self {
        Self { arguments: destination.of_engine(kind) }
    }

    /// Forwards one connection. The error is what `ssh`, or the program that it ran, printed.
    pub(super) async fn lead(&self, client: &mut UnixStream) -> Result<(), String> {
        let mut child = Command::new("ssh")
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C at the terminal is for Caliper, which still has to clean up over this.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("could not start `ssh`: {error}"))?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            unreachable!("all three were asked for");
        };
        let said = tokio::spawn(listen(stderr));
        let carried = carry(client, stdout, stdin).await;
        let status = tokio::time::timeout(PARTING, child.wait()).await;
        if matches!(&status, Ok(Ok(status)) if !status.success()) {
            let said = tokio::time::timeout(PARTING, said).await;
            let said = said.ok().and_then(Result::ok).unwrap_or_default();
            let said = String::from_utf8_lossy(&said);
            let said: Vec<&str> =
                said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            return Err(format!("`ssh {}`: {}", self.arguments.join(" "), said.join("; ")));
        }
        carried.map_err(|error| error.to_string())
    }
}

/// Reads the standard error of `ssh` to its end, and returns the beginning.
async fn listen(stderr: ChildStderr) -> Vec<u8> {
    let mut said = Vec::new();
    let mut start = stderr.take(WORDS);
    let _ = start.read_to_end(&mut said).await;
    // The rest is not needed, but a full pipe would block the program.
    let _ = tokio::io::copy(&mut start.into_inner(), &mut tokio::io::sink()).await;
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_named_to_the_program_at_the_other_end() {
        for (text, expected) in [
            ("box", "box docker system dial-stdio"),
            ("box/", "box docker system dial-stdio"),
            ("me@box:2222", "box docker system dial-stdio"),
            ("me@[::1]:22", "::1 docker system dial-stdio"),
            (
                "box/run/user/7/docker.sock",
                "box docker --host unix:///run/user/7/docker.sock system dial-stdio",
            ),
        ] {
            let destination = Destination::parse(text).unwrap();
            let arguments = destination.of_engine(EngineKind::Docker).join(" ");
            assert_eq!(arguments.split_once(" -- ").unwrap().1, expected, "{text}");
            assert_eq!(destination.to_string(), format!("ssh://{}", text.trim_end_matches('/')));
        }
        let arguments = Destination::parse("me@box:2222").unwrap().of_engine(EngineKind::Podman);
        assert_eq!(
            arguments.join(" "),
            "-o ConnectTimeout=30 -o BatchMode=yes -T -l me -p 2222 -- box podman system dial-stdio"
        );
    }
}
