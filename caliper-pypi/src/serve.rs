//! A folder of files as a package index of one's own, for pip, uv and ourselves.
//!
//! The folder holds wheels and source distributions of any projects side by side. Beside a file
//! `x.whl` may stand
//!
//! - `x.whl.yanked`: withdraws it; the text is the reason ([PEP 592](https://peps.python.org/pep-0592/));
//! - `x.whl.uploaded`: the moment of its upload, such as `2021-03-01T12:00:00Z`; without it the moment
//!   is the last change of the file.
//!
//! The folder may change while it is served.
//!
//! ```
//! use caliper_pypi::index::{ClientOptions, IndexClient, PackageIndex as _};
//! use caliper_pypi::serve::{FolderServer, ServeOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! std::fs::write(folder.path().join("demo-1.0.tar.gz"), b"an archive")?;
//! let server = FolderServer::start(folder.path(), ServeOptions::default())?;
//!
//! let client = IndexClient::new(server.address(), ClientOptions::default());
//! let project = client.project(&"demo".parse()?)?;
//! assert_eq!(project.releases()[0].files()[0].file.size, Some(10));
//! # Ok(())
//! # }
//! ```

mod folder;
mod route;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::index::IndexAddress;
use crate::web::Server;
use route::Site;

/// How a folder is served.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Where to listen; port 0 lets the operating system choose one.
    pub listen: SocketAddr,
    /// In which forms the pages are offered.
    pub forms: Forms,
    /// How long clients may keep a page without asking again (`Cache-Control: max-age`).
    pub max_age: Duration,
    /// Whether the metadata of wheels is offered by itself
    /// ([PEP 658](https://peps.python.org/pep-0658/)).
    pub metadata: bool,
}

impl Default for ServeOptions {
    /// This machine only, any free port, both forms, no keeping, with metadata.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            forms: Forms::Negotiated,
            max_age: Duration::ZERO,
            metadata: true,
        }
    }
}

/// In which forms pages are offered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Forms {
    /// The one that the client likes best ([PEP 691](https://peps.python.org/pep-0691/)).
    #[default]
    Negotiated,
    /// HTML alone, whatever is asked for, as older indexes and some proxies do.
    Html,
    /// JSON alone.
    Json,
}

/// Serves a folder until it is dropped.
#[derive(Debug)]
pub struct FolderServer {
    server: Server,
}

impl FolderServer {
    /// Starts to serve `folder`, on threads of its own.
    ///
    /// # Errors
    ///
    /// [`ServeError`] if the folder cannot be read, or the address not be listened on.
    pub fn start(folder: impl AsRef<Path>, options: ServeOptions) -> Result<Self, ServeError> {
        let folder = folder.as_ref().to_owned();
        if let Err(source) = std::fs::read_dir(&folder) {
            return Err(ServeError::Folder { folder, source });
        }
        let listen = options.listen;
        let site = Arc::new(Site::new(folder, options));
        let server = Server::start(listen, "folder-server", site)
            .map_err(|source| ServeError::Listen { address: listen, source })?;
        Ok(Self { server })
    }

    /// The address to give to an installer as its index.
    pub fn address(&self) -> IndexAddress {
        match format!("http://{}/simple/", self.listening()).parse() {
            Ok(address) => address,
            Err(error) => unreachable!("{error}"),
        }
    }

    /// Where it listens.
    pub fn listening(&self) -> SocketAddr {
        self.server.listening()
    }

    /// How many requests came so far.
    pub fn requests(&self) -> u64 {
        self.server.requests()
    }
}

/// Why a folder is not served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The folder cannot be read.
    #[error("cannot serve the folder `{}`", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: std::io::Error,
    },
}
