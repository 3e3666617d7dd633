//! Another machine that is reached with `ssh`, whose settings in `~/.ssh/config` apply.

use std::fmt;

/// An address of the form `ssh://user@host:port/path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    user: Option<String>,
    host: String,
    port: Option<u16>,
    /// A path there: of an engine's socket, or of a folder; `None` for the default.
    pub(crate) path: Option<String>,
}

impl Destination {
    /// Parses the part behind `ssh://`.
    ///
    /// Nothing that gets through can be taken for an option, by `ssh` or by the shell at the other
    /// end: [CVE-2017-1000117](https://nvd.nist.gov/vuln/detail/CVE-2017-1000117) and its likes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
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
        let at = path.trim_end_matches('/');
        let sound = plain(host, address)
            && user.is_none_or(|user| plain(user, "-._+@"))
            && (at.is_empty() || plain(at, "/-._+@"));
        sound.then_some(())?;
        Some(Self {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port: if port.is_empty() { None } else { Some(port.parse().ok()?) },
            path: (!at.is_empty()).then(|| at.to_owned()),
        })
    }

    /// The arguments of `ssh` before the command that is to be run there.
    pub(crate) fn arguments(&self) -> Vec<String> {
        // A password cannot be asked for, because each connection would ask again.
        let mut words = vec!["-o", "ConnectTimeout=30", "-o", "BatchMode=yes", "-T"];
        if let Some(user) = &self.user {
            words.extend(["-l", user]);
        }
        let port = self.port.map(|port| port.to_string());
        if let Some(port) = &port {
            words.extend(["-p", port]);
        }
        words.extend(["--", &self.host]);
        words.into_iter().map(str::to_owned).collect()
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
        formatter.write_str(self.path.as_deref().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_cannot_be_an_option() {
        let words = Destination::parse("me@box:2222/x").unwrap().arguments().join(" ");
        assert_eq!(words, "-o ConnectTimeout=30 -o BatchMode=yes -T -l me -p 2222 -- box");
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
