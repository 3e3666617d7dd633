//! A local socket for an engine that is reached by TLS or `ssh`. Only this process can connect to it; each
//! connection is forwarded to the engine.
//!
//! So the clients of an engine only need to support sockets.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::UnixListener;
use tokio::runtime::Runtime;

use super::ssh::Ssh;
use super::tls::Tls;

/// How connections are forwarded.
#[derive(Debug)]
pub(super) enum Way {
    Tls(Tls),
    Ssh(Ssh),
}

/// The socket; removed when this is dropped and the runtime ends.
#[derive(Debug)]
pub(super) struct Tunnel {
    /// Keeps the path valid.
    _socket: Kept,
    path: String,
    /// The reason of the last failed connection.
    trouble: Arc<Mutex<Option<String>>>,
}

#[cfg(target_os = "linux")]
type Kept = std::os::fd::OwnedFd;
#[cfg(not(target_os = "linux"))]
type Kept = tempfile::TempDir;

impl Tunnel {
    /// Opens the socket, and forwards each connection.
    pub(super) fn open(runtime: &Runtime, way: Way) -> io::Result<Self> {
        let _inside = runtime.enter();
        let (listener, kept, path) = bind()?;
        let trouble = Arc::new(Mutex::new(None));
        let way = Arc::new(way);
        runtime.spawn({
            let trouble = Arc::clone(&trouble);
            async move {
                while let Ok((mut client, _)) = listener.accept().await {
                    let (way, trouble) = (Arc::clone(&way), Arc::clone(&trouble));
                    tokio::spawn(async move {
                        let ended = match &*way {
                            Way::Tls(tls) => tls.lead(&mut client).await,
                            Way::Ssh(ssh) => ssh.lead(&mut client).await,
                        };
                        if let Err(why) = ended {
                            *lock(&trouble) = Some(why);
                        }
                        // Only now: a client that sees the end asks for the reason.
                        drop(client);
                    });
                }
            }
        });
        Ok(Self { _socket: kept, path, trouble })
    }

    /// Where to connect to.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The reason of the last failed connection, for users.
    pub(super) fn trouble(&self) -> Option<String> {
        lock(&self.trouble).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A socket without a name: only an open file of this process refers to it. So no other process can
/// connect, and nothing is left however this process ends.
#[cfg(target_os = "linux")]
fn bind() -> io::Result<(UnixListener, Kept, String)> {
    use rustix::fs::{Mode, OFlags, open};
    use std::os::fd::AsRawFd as _;

    let folder = tempfile::Builder::new().prefix("caliper-").tempdir()?;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let opened = open(folder.path(), flags | OFlags::DIRECTORY, Mode::empty())?;
    // Through the open folder, as the name of a socket may have no more than 107 bytes.
    let name = format!("/proc/self/fd/{}/engine", opened.as_raw_fd());
    let listener = UnixListener::bind(&name)?;
    let socket = open(&name, flags, Mode::empty())?;
    let path = format!("/proc/self/fd/{}", socket.as_raw_fd());
    Ok((listener, socket, path))
}

/// A socket in a folder that only this user may enter.
#[cfg(not(target_os = "linux"))]
fn bind() -> io::Result<(UnixListener, Kept, String)> {
    let folder = tempfile::Builder::new().prefix("caliper-").tempdir()?;
    let path = folder.path().join("engine");
    let listener = UnixListener::bind(&path)?;
    Ok((listener, folder, path.display().to_string()))
}
