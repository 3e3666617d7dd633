//! wip

pub mod backend;
pub mod capture;
pub mod docker;
pub mod interrupt;
pub mod local;
mod probe;
pub mod project;
