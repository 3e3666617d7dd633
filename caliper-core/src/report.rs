//! How results are shown, and the schemas of all formats.
//!
//! Builds on [`analysis`](crate::analysis). Nothing here draws a conclusion of its own.

pub mod advice;
pub mod details;
pub mod export;
pub mod functions;
pub mod grid;
pub mod history;
pub mod measures;
pub mod model;
pub mod morin;
#[cfg(feature = "page")]
pub mod page;
pub mod probe;
pub mod ro_crate;
pub mod rows;
pub mod schema;
pub mod spread;
pub mod stages;
pub mod starter;
pub mod suspects;
mod table;
pub mod witness;
