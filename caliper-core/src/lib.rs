//! wip

pub mod compare;
pub mod config;
pub mod event;
pub mod files;
pub mod grid;
pub mod interpreter;
pub mod modules;
pub mod names;
pub mod plan;
pub mod record;
pub mod selection;
pub mod template;
