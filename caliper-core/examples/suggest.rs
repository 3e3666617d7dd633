//! Suggests specifiers for outcomes, one JSON object a line, for `tests/suggest/check.py`.
//!
//! In: `{"releases": [["1.0", "passed"], …], "declared": ">=1.0"}`, where `declared` may be missing.
//! Out: what [`caliper_core::analysis::suggest::suggest`] and [`caliper_core::analysis::suggest::check`] answer.

#![expect(clippy::print_stdout, reason = "the answer")]

use std::error::Error;
use std::io::BufRead as _;

use caliper_core::analysis::suggest::{Known, check, suggest};
use pep440_rs::Version;

#[derive(serde::Deserialize)]
struct Asked {
    releases: Vec<(Version, Known)>,
    declared: Option<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    for line in std::io::stdin().lock().lines() {
        let asked: Asked = serde_json::from_str(&line?)?;
        let declared = asked.declared.map(|declared| check(&declared, &asked.releases));
        let answer = serde_json::json!({
            "suggested": suggest(&asked.releases),
            "declared": declared.transpose()?,
        });
        println!("{answer}");
    }
    Ok(())
}
