//! A study as one file, which outlives the index's deletions: a zip with the configuration and the project, the records
//! and their outputs, the lock of each cell, and if wanted the files of the locks.
//!
//! ```text
//! ro-crate-metadata.json    what everything is, with sizes and digests (RO-Crate 1.2)
//! project/                  the configuration, and the files that tests see
//! records/ blobs/ asked.json results.json     as in the folder of results
//! locks/<cell>/pylock.toml  for uv and pip
//! files/<sha256>/<name>     wheels and source distributions
//! ```
//!
//! Equal studies give equal bytes. What is read comes from anywhere: nothing is unpacked that is not described, nothing
//! that leads out of its folder, and nothing with another digest.

mod error;
mod unpack;
mod write;

pub use error::BundleError;
pub use unpack::{Bundle, Places, Unpacked};
pub use write::{StudyFiles, Written, write};

/// The folder of the configuration and the project.
const PROJECT: &str = "project";
/// The files of the locks.
const FILES: &str = "files";
/// The locks.
const LOCKS: &str = "locks";
/// What of a folder of results is in a bundle: folders, and files.
const RESULTS: ([&str; 2], [&str; 2]) = (["records", "blobs"], ["asked.json", "results.json"]);

#[cfg(test)]
mod tests;
