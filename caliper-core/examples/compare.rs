//! Compares pairs of files: `compare FOLDER`, with a line of JSON for each pair on standard input, and
//! a line of JSON for each comparison on standard output.
//!
//! A line names the two files in the folder, and says how they are compared:
//!
//! ```json
//! {"expected": "1.a.npy", "actual": "1.b.npy", "policy": {"tolerance": {"relative": 1e-5}}}
//! ```
//!
//! `tests/comparison/numpy_check.py` holds the answers against NumPy's.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program, and not the library"
)]

use std::error::Error;
use std::io::BufRead as _;
use std::path::Path;

use caliper_core::analysis::compare::{Format, compare};
use caliper_core::question::criteria::Policy;

/// A pair of files.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    expected: String,
    actual: String,
    #[serde(default)]
    policy: Policy,
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("say in which folder the files are")?;
    for line in std::io::stdin().lock().lines() {
        let pair: Pair = serde_json::from_str(&line?)?;
        let read = |name: &str| std::fs::read(Path::new(&folder).join(name));
        let (expected, actual) = (read(&pair.expected)?, read(&pair.actual)?);
        let format = Format::of_name(&pair.expected);
        println!("{}", serde_json::to_string(&compare(format, &expected, &actual, &pair.policy))?);
    }
    Ok(())
}
