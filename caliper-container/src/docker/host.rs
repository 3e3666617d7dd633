//! Where the engine is.

use std::fmt;
use std::path::PathBuf;

use crate::destination::Destination;

/// The address of an engine, as `DOCKER_HOST` spells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    /// The path of a socket on this machine.
    Unix(String),
    /// `name:port`, without encryption.
    Tcp(String),
    /// `name:port`, with TLS and the certificates in a folder.
    Tls(String, PathBuf),
    /// Another machine, by `ssh`.
    Ssh(Destination),
}

/// Why an address is not valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BadHost {
    /// It is malformed or incomplete.
    Malformed,
    /// It is a kind of address that Caliper does not know, such as `npipe`.
    Scheme(String),
}

impl Host {
    /// Reads an address: `unix:///path`, `tcp://name:port` or `ssh://user@name:port/path`.
    /// `certificates` is the folder with those for TLS, if `tcp` is to be encrypted.
    ///
    /// shiplift would panic on anything that is malformed, so it only gets what passed here.
    pub(super) fn parse(text: &str, certificates: Option<PathBuf>) -> Result<Self, BadHost> {
        let (scheme, rest) = text.split_once("://").ok_or(BadHost::Malformed)?;
        match scheme {
            "unix" if rest.starts_with('/') && rest.len() > 1 => Ok(Self::Unix(rest.to_owned())),
            "tcp" | "http" => {
                let authority = rest.trim_end_matches('/');
                let uri: hyper::Uri =
                    format!("http://{authority}").parse().map_err(|_| BadHost::Malformed)?;
                let host = uri.host().filter(|host| !host.is_empty()).ok_or(BadHost::Malformed)?;
                let port = uri.port_u16();
                let rest = authority.len() - host.len();
                if uri.path() != "/" || authority.contains('@') || (port.is_none() && rest > 0) {
                    return Err(BadHost::Malformed);
                }
                // The ports that the engine's documentation names for each kind of connection.
                let authority = |usual| format!("{host}:{}", port.unwrap_or(usual));
                Ok(match certificates {
                    Some(folder) => Self::Tls(authority(2376), folder),
                    None => Self::Tcp(authority(2375)),
                })
            }
            "ssh" => Destination::parse(rest).map(Self::Ssh).ok_or(BadHost::Malformed),
            "https" | "npipe" | "fd" => Err(BadHost::Scheme(scheme.to_owned())),
            _ => Err(BadHost::Malformed),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(formatter, "unix://{path}"),
            Self::Tcp(authority) | Self::Tls(authority, _) => {
                write!(formatter, "tcp://{authority}")
            }
            Self::Ssh(destination) => destination.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_validated_before_the_client_gets_it() {
        let scheme = |name: &str| Err(BadHost::Scheme(name.to_owned()));
        let unix = |path: &str| Ok(Host::Unix(path.to_owned()));
        let tcp = |authority: &str| Ok(Host::Tcp(authority.to_owned()));
        for (text, expected) in [
            ("unix:///var/run/docker.sock", unix("/var/run/docker.sock")),
            ("tcp://10.0.0.1:2376", tcp("10.0.0.1:2376")),
            ("tcp://box", tcp("box:2375")),
            ("tcp://[::1]:2375/", tcp("[::1]:2375")),
            ("http://localhost:8000", tcp("localhost:8000")),
            ("npipe:////./pipe/docker_engine", scheme("npipe")),
            ("ssh://-oProxyCommand=x", Err(BadHost::Malformed)),
            ("https://box:2376", scheme("https")),
            ("unix://", Err(BadHost::Malformed)),
            ("unix://docker.sock", Err(BadHost::Malformed)),
            ("/var/run/docker.sock", Err(BadHost::Malformed)),
            ("tcp://", Err(BadHost::Malformed)),
            ("tcp://:2375", Err(BadHost::Malformed)),
            ("tcp://a b:1", Err(BadHost::Malformed)),
            ("tcp://box:port", Err(BadHost::Malformed)),
            ("tcp://box/path", Err(BadHost::Malformed)),
            ("", Err(BadHost::Malformed)),
        ] {
            assert_eq!(Host::parse(text, None), expected, "{text}");
        }
        let folder = PathBuf::from("/certificates");
        let tls = |text| Host::parse(text, Some(folder.clone()));
        assert_eq!(tls("tcp://box"), Ok(Host::Tls("box:2376".to_owned(), folder.clone())));
        assert_eq!(tls("unix:///engine.sock"), unix("/engine.sock"));
        let far = "ssh://me@box:22/run/docker.sock";
        assert_eq!(Host::parse(far, None).unwrap().to_string(), far);
    }
}
