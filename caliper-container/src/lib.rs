//! wip

pub mod backend;
pub mod capture;
pub mod docker;
pub mod interrupt;
mod probe;
pub mod project;
