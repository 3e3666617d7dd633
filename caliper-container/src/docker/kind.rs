//! The kinds of engines, and their usual addresses.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::backend::BackendError;

/// Docker's default address.
const DOCKER_SOCKET: &str = "unix:///var/run/docker.sock";

/// The engines that speak Docker's protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum EngineKind {
    /// Docker, or any engine at the address where Docker is expected.
    #[default]
    Docker,
    /// Podman, through the socket of its service.
    Podman,
}

impl EngineKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Docker, Self::Podman];

    /// The name by which people choose the backend: `docker`, `podman`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }

    /// The environment variable that says where the engine is.
    pub(super) fn variable(self) -> &'static str {
        match self {
            Self::Docker => "DOCKER_HOST",
            Self::Podman => "CONTAINER_HOST",
        }
    }

    /// How to start an engine whose socket does not exist.
    pub(super) fn how_to_start(self) -> &'static str {
        match self {
            Self::Docker => {
                "there is no such socket: install and start a container engine, or point \
                 DOCKER_HOST at one"
            }
            Self::Podman => {
                "there is no such socket: start Podman's service with `systemctl --user start \
                 podman.socket`, or without systemd with `podman system service --time=0 &`, or \
                 point CONTAINER_HOST at it"
            }
        }
    }

    /// The folder of the certificates if TLS is requested, from the variables that the command `docker`
    /// reads.
    pub(super) fn certificates(self) -> Result<Option<PathBuf>, BackendError> {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        if self != Self::Docker {
            return Ok(None);
        }
        if variable("DOCKER_TLS_VERIFY").is_none() {
            return match variable("DOCKER_TLS") {
                None => Ok(None),
                Some(_) => Err(BackendError::Unsupported {
                    backend: self.name(),
                    what: "TLS without verification of the server (DOCKER_TLS)".to_owned(),
                    fix: "set DOCKER_TLS_VERIFY instead".to_owned(),
                }),
            };
        }
        let folder = variable("DOCKER_CERT_PATH").map(PathBuf::from);
        Ok(Some(folder.unwrap_or_else(|| {
            PathBuf::from(variable("HOME").unwrap_or_default()).join(".docker")
        })))
    }

    /// The usual addresses of engines of this kind; a run uses the first by default. Never empty. Whether
    /// an engine answers there is not checked.
    pub fn addresses(self) -> Vec<String> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        match (variable(self.variable()), self) {
            (Some(address), _) => vec![address],
            (None, Self::Docker) => vec![DOCKER_SOCKET.to_owned()],
            (None, Self::Podman) => {
                let user = rustix::process::getuid();
                let runtime = variable("XDG_RUNTIME_DIR")
                    .map_or_else(|| format!("/run/user/{}", user.as_raw()).into(), PathBuf::from);
                podman_sockets(&runtime, user.is_root(), Path::exists)
                    .iter()
                    .map(|socket| format!("unix://{}", socket.display()))
                    .collect()
            }
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Docker => "Docker",
            Self::Podman => "Podman",
        })
    }
}

/// The sockets of Podman's services that exist: the user's own before the machine's. If neither exists,
/// the one that this user would start.
fn podman_sockets(runtime: &Path, is_root: bool, exists: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let own = runtime.join("podman/podman.sock");
    let machine = PathBuf::from("/run/podman/podman.sock");
    match (exists(&own), exists(&machine)) {
        (true, true) => vec![own, machine],
        (true, false) => vec![own],
        (false, true) => vec![machine],
        (false, false) => vec![if is_root { machine } else { own }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_of_podman_is_the_users_own_before_the_machines() {
        let (own, machine) = ("/run/user/7/podman/podman.sock", "/run/podman/podman.sock");
        for (is_root, there, expected) in [
            (false, &[own, machine][..], &[own, machine][..]),
            (false, &[machine], &[machine]),
            (false, &[], &[own]), // to be named in the error
            (true, &[own, machine], &[own, machine]),
            (true, &[], &[machine]),
        ] {
            let exists = |path: &Path| there.iter().any(|one| Path::new(one) == path);
            let found = podman_sockets(Path::new("/run/user/7"), is_root, exists);
            let expected: Vec<_> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(found, expected, "{is_root} {there:?}");
        }
    }
}
