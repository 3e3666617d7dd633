//! What is asked: a configuration, the grid of releases × Python, and the plan made from both.
//!
//! Builds on [`names`](crate::names) alone.

pub mod axes;
pub mod config;
pub mod criteria;
pub mod expected;
#[cfg(feature = "config")]
mod export;
pub mod factor;
pub mod files;
pub mod grid;
pub mod group;
pub mod interpreter;
pub mod left_out;
pub mod limits;
pub mod lock;
pub mod lockfile;
pub(crate) mod marker;
pub mod modules;
pub mod overlay;
pub mod plan;
pub mod project;
pub mod requirement;
pub mod requirements_file;
pub mod selection;
mod started;
pub mod template;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
