//! wip

pub mod compare;
pub mod config;
pub mod event;
pub mod expect;
pub mod files;
pub mod grid;
pub mod interpreter;
pub mod modules;
pub mod names;
pub mod plan;
pub mod record;
pub mod report;
pub mod results;
pub mod schema;
pub mod selection;
pub mod store;
pub mod template;
