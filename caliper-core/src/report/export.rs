//! Results for other tools: for the pages of a CI system and of a project, for tables and databases, and for viewers.
//!
//! Each is a function from results to text or bytes. What tests and their output say is untrusted, and is escaped for the
//! format.

mod badge;
mod columns;
mod csv;
#[cfg(feature = "sqlite")]
mod database;
mod junit;
mod legacy;
mod markdown;
mod ndjson;
#[cfg(feature = "parquet")]
mod parquet;
mod sarif;
#[cfg(feature = "sqlite")]
mod sqlite;
mod trace;

pub use badge::badge;
pub use columns::{Column, ColumnKind};
pub use csv::csv;
#[cfg(feature = "sqlite")]
pub use database::{DatabaseError, history, remember};
pub use junit::junit;
pub use legacy::{LegacyFile, LegacyFiles, legacy};
pub use markdown::{LONGEST, markdown, markdown_table};
pub use ndjson::ndjson;
pub(in crate::report) use ndjson::schema as schema_of_rows;
#[cfg(feature = "parquet")]
pub use parquet::{ParquetError, parquet};
pub use sarif::{SourceTree, sarif};
#[cfg(feature = "sqlite")]
pub use sqlite::sqlite;
pub use trace::trace;

#[cfg(test)]
pub(in crate::report) mod tests;
