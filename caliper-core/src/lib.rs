//! wip

pub mod files;
pub mod grid;
pub mod interpreter;
pub mod names;
pub mod selection;
