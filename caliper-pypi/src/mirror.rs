//! A mirror of package indexes on this machine, for pip, uv and ourselves: for installers that know no limit
//! by date, and for places that must not, or cannot, ask the indexes themselves.
//!
//! | path | answer |
//! |---|---|
//! | `/simple/NAME/` | what the indexes offer of a project, from the first that has it |
//! | `/as-of/TIME/simple/NAME/` | the same, of the files that were uploaded by then: `2021-03-01`, or a moment of RFC 3339 |
//! | `/lock/DIGEST/simple/NAME/` | of a project in the lock with that digest its one file; of others, as of the date of the lock |
//! | `/files/SHA256/FILENAME` | the file with that digest, whichever page names it |
//! | `/files/SHA256/FILENAME.metadata` | the metadata of that wheel ([PEP 658](https://peps.python.org/pep-0658/)), also where the index has none |
//! | `/files/unverified/FILENAME` | a file of which the index gives no digest |
//! | `/simple/` | the projects that were asked for so far |
//!
//! Pages are JSON for clients that ask for it, and else HTML that pip 20.3 reads on Python 2.7. A file is
//! fetched once and verified as a whole before its first byte is served, so that no client can take a part of
//! it, or another file, for the file. What fails behind the mirror is answered with 502, or with 504 where it
//! must not ask (offline), and the reason; with 404 only what the indexes do not have, because installers
//! take that for "there is no such package".
//!
//! ```
//! use caliper_pypi::download::{DownloadOptions, Downloader};
//! use caliper_pypi::index::{ClientOptions, IndexClient, PackageIndex as _};
//! use caliper_pypi::mirror::{Mirror, MirrorOptions};
//! use caliper_pypi::serve::{FolderServer, ServeOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (folder, cache) = (tempfile::tempdir()?, tempfile::tempdir()?);
//! std::fs::write(folder.path().join("demo-1.0.tar.gz"), b"an archive")?;
//! std::fs::write(folder.path().join("demo-1.0.tar.gz.uploaded"), "2020-01-01")?;
//! let upstream = FolderServer::start(folder.path(), ServeOptions::default())?;
//!
//! let client = IndexClient::new(upstream.address(), ClientOptions::default());
//! let files = Downloader::new(&client, cache.path(), DownloadOptions::default());
//! let mirror = Mirror::start(client, files, MirrorOptions::default())?;
//!
//! let as_of = Some("2019-01-01".parse()?);
//! assert!(mirror.address(as_of).as_str().ends_with("/as-of/2019-01-01/simple/"));
//! let then = IndexClient::new(mirror.address(as_of), ClientOptions::default());
//! assert!(then.project(&"demo".parse()?)?.releases().is_empty());
//! let now = IndexClient::new(mirror.address(None), ClientOptions::default());
//! assert_eq!(now.project(&"demo".parse()?)?.releases().len(), 1);
//! # Ok(())
//! # }
//! ```

mod failure;
mod locks;
mod pages;
mod shelf;
mod site;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use caliper_core::names::{PackageName, Timestamp};
use caliper_core::question::grid::DistFile;
use caliper_core::question::lock::Lock;
pub use caliper_core::question::selection::UnknownUploadTime;

use crate::download::Downloader;
use crate::index::{IndexAddress, IndexClient};
use crate::web::Server;
use site::Site;

/// What builds from source are done with, by the normalized names: their pages may have a date of their own.
pub const BUILD_TOOLS: [&str; 2] = ["setuptools", "wheel"];

/// How a mirror is offered.
#[derive(Debug, Clone, Copy)]
pub struct MirrorOptions {
    /// Where to listen; port 0 lets the operating system choose one. A client that reaches the address can read
    /// all that the indexes offer, with the logins of the mirror.
    pub listen: SocketAddr,
    /// What is done with files that have no upload time, in pages of a date.
    pub unknown_upload_time: UnknownUploadTime,
}

impl Default for MirrorOptions {
    /// This machine only, any free port; files without upload time are left out of pages of a date.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            unknown_upload_time: UnknownUploadTime::default(),
        }
    }
}

/// Serves what indexes offer, until it is dropped.
#[derive(Debug)]
pub struct Mirror {
    site: Arc<Site>,
    server: Server,
}

impl Mirror {
    /// Starts to serve what `indexes` offers, with `files` as its store, on threads of its own.
    ///
    /// # Errors
    ///
    /// [`MirrorError`] if the address cannot be listened on.
    pub fn start(
        indexes: IndexClient,
        files: Downloader,
        options: MirrorOptions,
    ) -> Result<Self, MirrorError> {
        let listen = options.listen;
        let site = Arc::new(Site::new(indexes, files, options.unknown_upload_time));
        let server = Server::start(listen, "mirror", Arc::clone(&site))
            .map_err(|source| MirrorError { address: listen, source })?;
        Ok(Self { site, server })
    }

    /// The address to give to an installer as its index: of what the indexes offer now, or offered at a
    /// moment.
    pub fn address(&self, as_of: Option<Timestamp>) -> IndexAddress {
        let dated = as_of.map(|time| format!("as-of/{}/", in_address(time)));
        self.at(&dated.unwrap_or_default())
    }

    /// The same for builds from source: of the [`BUILD_TOOLS`] it offers what there was at the moment
    /// `tools`. A Python may need newer ones than there were at `as_of`.
    pub fn address_for_builds(&self, as_of: Timestamp, tools: Timestamp) -> IndexAddress {
        self.at(&format!("as-of/{}/tools/{}/", in_address(as_of), in_address(tools)))
    }

    fn at(&self, path: &str) -> IndexAddress {
        match format!("http://{}/{path}simple/", self.listening()).parse() {
            Ok(address) => address,
            Err(error) => unreachable!("{error}"),
        }
    }

    /// The address to give to an installer that must end with the files of `lock`: of the projects in it, these are
    /// offered alone, from the addresses in the lock, whatever the indexes say of them now. Of others, which a build from
    /// source may need, it has what the indexes offered when the lock was made; of the [`BUILD_TOOLS`] what there was at the
    /// moment `tools`, if one is given.
    pub fn lock_address(&self, lock: &Lock, tools: Option<Timestamp>) -> IndexAddress {
        let digest = self.site.locks.offer(lock).hex();
        let tools = tools.map(|tools| format!("tools/{}/", in_address(tools)));
        self.at(&format!("lock/{digest}/{}", tools.unwrap_or_default()))
    }

    /// Where it offers a file of the indexes.
    pub fn file_address(&self, file: &DistFile) -> String {
        format!("http://{}/{}", self.listening(), pages::path_of(file))
    }

    /// Where it listens.
    pub fn listening(&self) -> SocketAddr {
        self.server.listening()
    }

    /// How many requests came so far.
    pub fn requests(&self) -> u64 {
        self.server.requests()
    }

    /// How many requests could not be answered so far, because what stands behind the mirror failed.
    pub fn failures(&self) -> u64 {
        self.site.failures.count()
    }

    /// Why the last of these could not be answered.
    pub fn last_failure(&self) -> Option<String> {
        self.site.failures.last()
    }

    /// The names of the files without upload time that pages of a date have met so far, by project.
    pub fn without_upload_time(&self) -> BTreeMap<PackageName, Vec<String>> {
        self.site.pages.without_upload_time()
    }

    /// The names of the files without upload time of one project, if an index was asked for it, now or in an earlier
    /// run. Asks none.
    pub fn without_upload_time_of(&self, project: &PackageName) -> Vec<String> {
        self.site.without_upload_time_of(project)
    }
}

/// A moment as it stands in an address: a day, where it is the beginning of one.
fn in_address(time: Timestamp) -> String {
    let text = time.to_string();
    text.strip_suffix("T00:00:00Z").unwrap_or(&text).to_owned()
}

/// The mirror cannot listen on an address.
#[derive(Debug, thiserror::Error)]
#[error(
    "the mirror cannot listen on {address}: choose another address, or port 0 for any free one"
)]
pub struct MirrorError {
    /// The address.
    pub address: SocketAddr,
    /// What the operating system says.
    pub source: io::Error,
}
