//! Results for reading.

pub mod grid;
pub mod rows;
