//! Package indexes: what they offer, and how they are asked.
//!
//! Specification: [simple repository API](https://packaging.python.org/en/latest/specifications/simple-repository-api/)
//! ([PEP 503](https://peps.python.org/pep-0503/), [PEP 691](https://peps.python.org/pep-0691/),
//! [PEP 700](https://peps.python.org/pep-0700/)).

mod address;
mod answer;
mod cache;
mod client;
mod collector;
mod error;
mod freshness;
mod html;
mod json;
mod memory;
mod project;

use caliper_core::names::PackageName;

pub use crate::http::ClientOptions;
pub use address::{DEFAULT_INDEX, IndexAddress, ParseIndexAddressError};
pub use client::IndexClient;
pub use error::IndexError;
pub use memory::IndexInMemory;
#[cfg(feature = "server")]
pub(crate) use project::kind_of;
pub use project::{
    CoreMetadata, FileFault, FileName, MalformedFile, Project, ProjectFile, Release,
};

/// Something that knows projects and their files.
///
/// [`IndexClient`] asks a server, [`IndexInMemory`] is for tests, and `serve::FolderServer` makes a server out of a
/// folder.
pub trait PackageIndex: Send + Sync {
    /// Everything that the index offers of the project called `name`.
    ///
    /// # Errors
    ///
    /// [`IndexError::NotFound`] if there is no such project; any other variant if the index could
    /// not be asked.
    fn project(&self, name: &PackageName) -> Result<Project, IndexError>;
}

/// The project in an answer with these bytes, which came from `base`.
#[cfg(any(test, fuzzing))]
pub(crate) fn read_answer(
    name: &PackageName,
    content_type: &str,
    base: &url::Url,
    body: &[u8],
) -> Result<Project, String> {
    answer::parse(name, content_type, base, body).map(|parsed| parsed.project)
}
