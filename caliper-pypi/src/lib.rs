//! What can be installed: asks a package index, and finds the file for every release × Python.
//!
//! An [index](index::PackageIndex) answers a project name with a [project](index::Project): its
//! releases, and the files of each. A file is a [wheel](wheel::WheelName) or a source distribution
//! ([`sdist::SdistName`]), and a wheel's name carries [tags](tag::Tag) that say where it fits. What an
//! interpreter accepts is an ordered list of such tags ([`compatibility::SupportedTags`]).
//! [`resolve::resolve`] brings the two together and lays out a [`Grid`](caliper_core::question::grid::Grid)
//! whose every cell holds the file that pip would choose, or the reason why no file fits. A
//! [`download::Downloader`] then fetches and verifies files. With the feature `server` (on by default) a
//! `serve::FolderServer` offers a folder of files as an index; with `testing`, `pack` writes small distributions.
//!
//! ```
//! use caliper_core::question::grid::Choice;
//! use caliper_core::question::interpreter::{Interpreter, Libc, Platform};
//! use caliper_core::question::selection::Selection;
//! use caliper_pypi::index::{IndexInMemory, Project};
//! use caliper_pypi::resolve::resolve;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let package = "demo".parse()?;
//! let index = IndexInMemory::default().with(Project::from_filenames(
//!     "demo".parse()?,
//!     ["demo-1.0.tar.gz", "demo-1.0-cp311-cp311-manylinux2014_x86_64.whl"],
//! ));
//! let debian_12 = Platform::Linux {
//!     arch: "x86_64".to_owned(),
//!     libc: Libc::Glibc { major: 2, minor: 36 },
//! };
//! let pythons = [
//!     Interpreter::assumed("3.11".parse()?, debian_12.clone()),
//!     Interpreter::assumed("3.13".parse()?, debian_12),
//! ];
//!
//! let grid = resolve(&package, &Selection::default(), &pythons, &index)?;
//! let chosen: Vec<String> = grid
//!     .cells
//!     .iter()
//!     .map(|cell| match &cell.choice {
//!         Choice::File { file, .. } => format!("{}: {}", cell.id, file.filename),
//!         Choice::Missing(missing) => format!("{}: {}", cell.id, missing.reason),
//!     })
//!     .collect();
//! assert_eq!(
//!     chosen,
//!     [
//!         "1.0/3.11: demo-1.0-cp311-cp311-manylinux2014_x86_64.whl",
//!         "1.0/3.13: demo-1.0.tar.gz",
//!     ]
//! );
//! # Ok(())
//! # }
//! ```
//!
//! This crate never prints, starts a process, or runs code of a package. Names, answers and archives come from
//! untrusted sources: each is read with a limit on its size.

pub mod cache;
pub mod compatibility;
mod credentials;
pub mod download;
mod excerpt;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod http;
pub mod index;
pub mod lift;
pub mod metadata;
#[cfg(feature = "server")]
pub mod mirror;
pub mod netrc;
pub mod origin;
#[cfg(feature = "testing")]
pub mod pack;
pub mod resolve;
pub mod sdist;
#[cfg(feature = "server")]
pub mod serve;
pub mod tag;
mod turns;
#[cfg(feature = "server")]
mod web;
pub mod wheel;

pub use http::{Notice, Notices, RequestError};
