//! A way to an engine that a plain socket does not reach: a socket that only this process can find,
//! each connection to which is led on, through TLS or a program of its own.
//!
//! So the clients of an engine need to know nothing but sockets.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::UnixListener;
use tokio::runtime::Runtime;

use super::ssh::Ssh;
use super::tls::Tls;

/// What is at the other end.
#[derive(Debug)]
pub(super) enum Way {
    Tls(Tls),
    Ssh(Ssh),
}

/// The socket. Gone when this is dropped and the runtime ends.
#[derive(Debug)]
pub(super) struct Tunnel {
    /// What keeps the path.
    _socket: Kept,
    path: String,
    /// Why the last connection that failed did.
    trouble: Arc<Mutex<Option<String>>>,
}

#[cfg(target_os = "linux")]
type Kept = std::os::fd::OwnedFd;
#[cfg(not(target_os = "linux"))]
type Kept = tempfile::TempDir;

impl Tunnel {
    /// Opens the socket, and leads on what connects to it.
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
                        // Only now: who is told that it ended asks why.
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

    /// Why the last connection that failed did, for people.
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
