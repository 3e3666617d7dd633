//! The nouns of Caliper, and the pure functions between them.
//!
//! Caliper measures what the releases of a dependency do to somebody's code. This crate says what
//! that means, in values:
//!
//! - A [`Config`](question::config::Config) is what a `caliper.yaml` says: a package, which of its releases
//!   ([`Selection`](question::selection::Selection)), and what is done in every cell ([`Setup`](question::plan::Setup):
//!   tests, limits, a [`Template`](question::template::Template) of a Dockerfile).
//! - A [`Grid`](question::grid::Grid) lays out every release × Python. Each of its cells, named by a
//!   [`CellId`](question::grid::CellId), holds the file to install or the reason why there is none. Which
//!   Pythons there are is told by [`Interpreter`](question::interpreter::Interpreter)s.
//! - A [`Plan`](question::plan::Plan) joins the two. [`Identity`](facts::identity::Identity) is what a cell is known by:
//!   a digest over all that decides its result.
//! - A [`Record`](facts::record::Record) is what happened in one cell. A
//!   [`ResultStore`](facts::store::ResultStore) keeps it, an [`Event`](facts::event::Event) tells a
//!   [`Reporter`](facts::event::Reporter) of it.
//! - An [`Analysis`](analysis::Analysis) holds records against a baseline, gives every test a
//!   [`Verdict`](analysis::compare::Verdict), and says where results change; [`violations`](analysis::expect::violations) says what is not as
//!   expected; [`Results`](analysis::results::Results) sums up; [`report`] makes it readable.
//! - A [`Row`](analysis::row::Row) is one test along the releases, and says where it changes and how well that
//!   is known. A [`Search`](analysis::search::Search) plans what to measure next instead of everything, and
//!   [`Coverage`](analysis::search::Coverage) says what it did not look at.
//! - [`cluster`](analysis::causes::cluster) gathers failures by their [`Cause`](analysis::causes::Cause);
//!   [`suggest`](analysis::suggest::suggest) says which specifier the results support, and
//!   [`check`](analysis::suggest::check) whether a declared one holds.
//!
//! Between a configuration and a grid stands a package index, and between a plan and its records a
//! machine that runs things. Both are other crates: `caliper-pypi` and `caliper-container`. Neither
//! knows of the other, and what they exchange is defined here.
//!
//! ```
//! use caliper_core::question::config::Config;
//! use caliper_core::question::grid::Grid;
//! use caliper_core::facts::identity::Identity;
//! use caliper_core::names::Sha256;
//! use caliper_core::question::plan::{Plan, Recipe};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A configuration is read strictly, and every problem is told with its place and its fix.
//! let script = |_: &str| Ok(b"import demo".to_vec());
//! let error = Config::from_yaml("caliper.yaml", "analysis: {dependancy: demo}", &script);
//! assert!(error.unwrap_err().to_string().contains("did you mean `dependency`?"));
//!
//! let text = "analysis: {dependency: demo, tests: [smoke.py]}";
//! let config = Config::from_yaml("caliper.yaml", text, &script)?;
//!
//! // A grid, as `caliper resolve --format json` prints it.
//! let grid: Grid = serde_json::from_str(
//!     r#"{"schema": 1, "package": "demo", "as_of": null, "cells": [
//!          {"version": "1.0", "python": "3.11", "abi": "cp311", "missing": null,
//!           "file": {"filename": "demo-1.0-py3-none-any.whl", "kind": "wheel", "yanked": false,
//!                    "url": "https://files.example/demo.whl", "sha256": null}}]}"#,
//! )?;
//! let plan = Plan::new(&config.name, config.setup(), Vec::new(), grid);
//! let cell = &plan.cells[0];
//! assert_eq!(cell.id.to_string(), "1.0/3.11");
//!
//! // A record stands for a cell only as long as nothing that decides its result has changed.
//! let recipe = Recipe { backend: "local".to_owned(), ..Recipe::default() };
//! let identity = |script: &[u8]| Identity::of(&plan, cell, &recipe, &|_| Sha256::of(script));
//! let (before, edited) = (identity(b"import demo"), identity(b"import demo, sys"));
//! assert_ne!(before.cell, edited.cell);
//! // But the environment is still the same.
//! assert_eq!(before.environment, edited.environment);
//! # Ok(())
//! # }
//! ```
//!
//! Nothing here opens a socket, starts a process, reads a clock or the environment, or prints. The
//! one place that touches files is [`DirStore`](facts::store::DirStore), the folder in which results are
//! kept.

pub mod analysis;
pub mod facts;
pub mod names;
pub mod question;
pub mod report;
