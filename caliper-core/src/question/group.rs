//! Groups of runs: how often a test is run in a cell, and which random seed each of its runs gets.
//!
//! Two groups split the spread of a result: runs with one seed differ by what the machine does, and runs with
//! a seed each differ by the seed as well.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The runs of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Group {
    /// How many runs each test has; at least 1.
    pub repeat: u32,
    /// The seeds of the runs, if they get any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<Seeds>,
}

/// The random seeds of the runs of a test, and how they are handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Seeds {
    /// The environment variable that holds the seed.
    pub variable: String,
    /// Which seeds.
    pub of_runs: SeedsOfRuns,
}

/// Which seed each run gets.
///
/// How many runs there are is not said here, except by a list: more runs of a group leave what was measured
/// valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SeedsOfRuns {
    /// All runs have this seed.
    Same(u64),
    /// The first run has this seed, and each further run the next number.
    From(u64),
    /// The runs have these, in order.
    Listed(Vec<u64>),
}

impl Seeds {
    /// The variable where the configuration names none.
    pub const VARIABLE: &'static str = "SEED";

    /// The seed of the run `attempt`, counted from 1; `None` for a run behind the end of a list.
    pub fn of(&self, attempt: u32) -> Option<u64> {
        let place = attempt.checked_sub(1)?;
        match &self.of_runs {
            SeedsOfRuns::Same(seed) => Some(*seed),
            SeedsOfRuns::From(first) => first.checked_add(place.into()),
            SeedsOfRuns::Listed(seeds) => seeds.get(place as usize).copied(),
        }
    }

    /// The most runs that can have a seed.
    pub fn most(&self) -> u32 {
        match &self.of_runs {
            SeedsOfRuns::Same(_) | SeedsOfRuns::From(_) => u32::MAX,
            SeedsOfRuns::Listed(seeds) => u32::try_from(seeds.len()).unwrap_or(u32::MAX),
        }
    }
}

/// A range of seeds as it is written: `0..49`, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeedRange {
    /// The first seed.
    pub first: u64,
    /// How many there are; at least 1.
    pub count: u32,
}

/// Why a text is not a range of seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseSeedRangeError;

impl std::error::Error for ParseSeedRangeError {}

impl fmt::Display for ParseSeedRangeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("seeds are written as `0..49`, which is 50 of them, or as a list")
    }
}

impl FromStr for SeedRange {
    type Err = ParseSeedRangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (first, last) = text.split_once("..").ok_or(ParseSeedRangeError)?;
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| ParseSeedRangeError);
        let (first, last) = (number(first)?, number(last)?);
        let further = last.checked_sub(first).and_then(|further| u32::try_from(further).ok());
        let count = further.and_then(|further| further.checked_add(1));
        Ok(Self { first, count: count.ok_or(ParseSeedRangeError)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_both_ends() {
        let parse = |text: &str| text.parse::<SeedRange>();
        assert_eq!(parse("0..49"), Ok(SeedRange { first: 0, count: 50 }));
        assert_eq!(parse("7 .. 7"), Ok(SeedRange { first: 7, count: 1 }));
        for text in ["", "5", "3..2", "a..b", "-1..3", "0..99999999999", "0..=3"] {
            assert_eq!(parse(text), Err(ParseSeedRangeError), "{text}");
        }
    }

    #[test]
    fn each_run_has_its_seed() {
        let of = |of_runs| {
            let seeds = Seeds { variable: "S".into(), of_runs };
            [1, 2, 3].map(|attempt| seeds.of(attempt))
        };
        assert_eq!(of(SeedsOfRuns::Same(4)), [Some(4); 3]);
        assert_eq!(of(SeedsOfRuns::From(4)), [Some(4), Some(5), Some(6)]);
        assert_eq!(of(SeedsOfRuns::Listed(vec![9, 3])), [Some(9), Some(3), None]);
        assert_eq!(of(SeedsOfRuns::From(u64::MAX)), [Some(u64::MAX), None, None]);
    }
}
