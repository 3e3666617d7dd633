//! An engine on another machine, through `ssh`.
//!
//! As the command `docker` does it: `ssh HOST docker system dial-stdio` forwards its standard input to the
//! engine there. So the settings of that machine in `~/.ssh/config` apply.

use std::fmt;
use std::process::Stdio;

use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::process::{ChildStderr, Command};

use super::carry::{PARTING, carry};
use super::kind::EngineKind;

/// How much of the standard error of `ssh` is kept, in bytes.
const WORDS: u64 = 4096;

/// An address of the form `ssh://user@host:port/path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Destination {
    user: Option<String>,
    host: String,
    port: Option<u16>,
    /// The path of the engine's socket there; `None` for the default.
    socket: Option<String>,
}

impl Destination {
    /// Parses the part behind `ssh://`.
    ///
    /// Nothing that gets through can be taken for an option, by `ssh` or by the shell at the other
    /// end: [CVE-2017-1000117](https://nvd.nist.gov/vuln/detail/CVE-2017-1000117) and its likes.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (authority, path) = match text.find('/') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let (host, port) = match place.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']')?;
                (host, port.strip_prefix(':').or(port.is_empty().then_some(""))?)
            }
            None => place.split_once(':').unwrap_or((place, "")),
        };
        let plain = |text: &str, also: &str| {
            !text.is_empty()
                && !text.starts_with('-')
                && text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
        };
        let address = if place.starts_with('[') { ":." } else { "-._" };
        let socket = path.trim_end_matches('/');
        let sound = plain(host, address)
            && user.is_none_or(|user| plain(user, "-._+@"))
            && (socket.is_empty() || plain(socket, "/-._+@"));
        sound.then_some(())?;
        Some(Self {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port: if port.is_empty() { None } else { Some(port.parse().ok()?) },
            socket: (!socket.is_empty()).then(|| socket.to_owned()),
        })
    }

    fn arguments(&self, kind: EngineKind) -> Vec<String> {
        // A password cannot be asked for, because each connection would ask again.
        let mut words = vec!["-o", "ConnectTimeout=30", "-o", "BatchMode=yes", "-T"];
        if let Some(user) = &self.user {
            words.extend(["-l", user]);
        }
        let port = self.port.map(|port| port.to_string());
        if let Some(port) = &port {
            words.extend(["-p", port]);
        }
        let address = self.socket.as_ref().map(|socket| format!("unix://{socket}"));
        words.extend(["--", &self.host, kind.name()]);
        if let Some(address) = &address {
            let option = match kind {
                EngineKind::Docker => "--host",
                EngineKind::Podman => "--url",
            };
            words.extend([option, address]);
        }
        words.extend(["system", "dial-stdio"]);
        words.into_iter().map(str::to_owned).collect()
    }
}

impl Destination {
    /// The command for users to try by hand.
    pub(super) fn by_hand(&self, kind: EngineKind) -> String {
        format!("ssh {}", self.arguments(kind).join(" "))
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ssh://")?;
        if let Some(user) = &self.user {
            write!(formatter, "{user}@")?;
        }
        if self.host.contains(':') {
            write!(formatter, "[{}]", self.host)?;
        } else {
            formatter.write_str(&self.host)?;
        }
        if let Some(port) = self.port {
            write!(formatter, ":{port}")?;
        }
        formatter.write_str(self.socket.as_deref().unwrap_or_default())
    }
}

/// Connects to a [`Destination`].
#[derive(Debug)]
pub(super) struct Ssh {
    arguments: Vec<String>,
}

impl Ssh {
    pub(super) fn new(destination: &Destination, kind: EngineKind) -> Self {
        Self { arguments: destination.arguments(kind) }
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
    fn a_destination_is_read_and_cannot_be_an_option() {
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
            let arguments = destination.arguments(EngineKind::Docker).join(" ");
            assert_eq!(arguments.split_once(" -- ").unwrap().1, expected, "{text}");
            assert_eq!(destination.to_string(), format!("ssh://{}", text.trim_end_matches('/')));
        }
        let arguments = Destination::parse("me@box:2222").unwrap().arguments(EngineKind::Podman);
        assert_eq!(
            arguments.join(" "),
            "-o ConnectTimeout=30 -o BatchMode=yes -T -l me -p 2222 -- box podman system dial-stdio"
        );
        for bad in [
            "",
            "/var/run/docker.sock",
            "me@",
            "-oProxyCommand=x",
            "me@-oProxyCommand=x",
            "-l@box",
            "a b",
            "box:port",
            "box:99999",
            "[::1",
            "[::1]22",
            "$(touch x)",
            "me:secret@box",
            "me;x@box",
            "box/run/$(x).sock",
            "box/run/a b.sock",
            "box?x=1",
        ] {
            assert_eq!(Destination::parse(bad), None, "{bad}");
        }
    }
}
