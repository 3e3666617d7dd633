//! Where a cell runs: from a plan to records.
//!
//! A [`ContainerBackend`](backend::ContainerBackend) makes the environment of a cell and runs tests
//! in it. There are three:
//!
//! - [`LocalBackend`](local::LocalBackend) needs no engine: isolated environments on this machine's
//!   own Pythons;
//! - [`DockerBackend`](docker::DockerBackend): an image for each cell, and a fresh container for
//!   each run of a test, on Docker or Podman;
//! - [`FakeBackend`](fake::FakeBackend) answers as it was told to, for tests.
//!
//! [`runner::run`] takes a [`Plan`](caliper_core::question::plan::Plan) through a backend. Every test finds a
//! fresh copy of the user's [`Project`](project::Project). What a cell came to is a
//! [`Record`](caliper_core::facts::record::Record): it is saved in a
//! [`ResultStore`](caliper_core::facts::store::ResultStore), and only then reported to a
//! [`Reporter`](caliper_core::facts::event::Reporter). An [`Interrupt`](interrupt::Interrupt) stops a run
//! at any moment, and what was measured is kept. [`study::measure`] does all that a whole measurement
//! takes: it searches, repeats what is undecided, and checks itself.
//!
//! ```
//! use std::collections::BTreeSet;
//!
//! use caliper_container::backend::ContainerBackend as _;
//! use caliper_container::fake::{FakeBackend, FakeRun};
//! use caliper_container::interrupt::Interrupt;
//! use caliper_container::project::Project;
//! use caliper_container::runner::{RunContext, RunOptions, run};
//! use caliper_core::question::config::Config;
//! use caliper_core::facts::event::Collected;
//! use caliper_core::question::files::FilesInMemory;
//! use caliper_core::question::plan::Plan;
//! use caliper_core::facts::store::MemoryStore;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let grid = serde_json::from_str(
//! #     r#"{"schema": 1, "package": "demo", "as_of": null, "cells": [
//! #          {"version": "1.0", "python": "3.11", "abi": "cp311", "missing": null,
//! #           "file": {"filename": "demo-1.0-py3-none-any.whl", "kind": "wheel", "yanked": false,
//! #                    "url": "https://files.example/demo.whl", "sha256": null}}]}"#,
//! # )?;
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! let text = "analysis: {dependency: demo, tests: [{name: smoke, run: python -m demo}]}";
//! let config = Config::from_yaml("caliper.yaml", text, &|_| unreachable!("no files are named"))?;
//!
//! // The import passes, and whatever is tested then exits with status 1.
//! let backend = FakeBackend::new(["3.11".parse()?])
//!     .running(|_cell, test| Ok(FakeRun::exits(i32::from(test != "import"))));
//! let pythons = backend.interpreters(&BTreeSet::new(), &config.setup())?;
//! // `grid` comes from `caliper_pypi::resolve::resolve`: one release, 1.0.
//! let plan = Plan::new(&config.name, config.setup(), pythons, grid);
//!
//! let store = MemoryStore::default();
//! let context = RunContext {
//!     backend: &backend,
//!     project: &Project::read(folder, None)?,
//!     files: &FilesInMemory::default(),
//!     store: &store,
//!     reporter: &Collected::default(),
//!     interrupt: &Interrupt::default(),
//! };
//! let outcome = run(&plan, context, &RunOptions { jobs: 2, ..RunOptions::default() })?;
//!
//! let ends: Vec<String> =
//!     outcome.records[0].runs().map(|(test, run)| format!("{} {}", test.name, run.outcome)).collect();
//! assert_eq!(ends, ["import passed", "smoke failed"]);
//! assert_eq!(store.records(), outcome.records);
//! # Ok(())
//! # }
//! ```
//!
//! A build or a test that fails is a result like any other, and `Err` means that the backend itself
//! could not do its work: such a cell is not measured, and never passes for a regression.
//!
//! Nothing here asks a package index, prints, or removes what Caliper did not make. All of it
//! blocks: the threads of the runner are its own, and an embedder needs no async runtime.

#[cfg(any(feature = "docker", feature = "local"))]
mod activity;
pub mod backend;
#[cfg(feature = "bundle")]
pub mod bundle;
pub mod cache;
pub mod capture;
#[cfg(any(feature = "docker", feature = "remote"))]
mod destination;
mod digest;
#[cfg(any(feature = "docker", feature = "local"))]
mod direct_url;
#[cfg(feature = "docker")]
pub mod docker;
pub mod fake;
pub mod interrupt;
#[cfg(feature = "local")]
pub mod local;
#[cfg(any(feature = "docker", feature = "local"))]
mod machine;
#[cfg(any(feature = "docker", feature = "local"))]
mod overlay;
#[cfg(any(feature = "docker", feature = "local"))]
mod probe;
pub mod project;
#[cfg(feature = "remote")]
pub mod remote;
pub mod results;
pub mod runner;
pub mod study;
