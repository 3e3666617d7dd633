//! Results for reading.

pub mod grid;
