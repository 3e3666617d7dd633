//! Results for other tools: Markdown and `JUnit` for the pages of a CI system, CSV for tables.
//!
//! Each is a function from results to text. What tests and their output say is untrusted, and is escaped for the format.

mod csv;
mod junit;
mod markdown;

pub use csv::csv;
pub use junit::junit;
pub use markdown::{LONGEST, markdown};
