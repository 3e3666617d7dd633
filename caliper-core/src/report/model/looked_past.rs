use std::collections::BTreeSet;
use std::fmt;

use crate::analysis::compare::{Rung, Verdict, Verdicts};

/// What was ignored so that results count as the same although their bytes differ.
#[derive(Debug, Clone, PartialEq)]
pub struct LookedPast {
    /// How many results are the same only because of that.
    pub results: usize,
    /// The rules that applied, as text.
    pub rules: BTreeSet<String>,
    /// The largest relative distance of two numbers that count as equal; 0 if there was none.
    pub farthest: f64,
}

impl LookedPast {
    /// Sums up the verdicts. `None` if all results that are the same are so byte for byte.
    pub fn of(verdicts: &Verdicts) -> Option<Self> {
        let mut past = Self { results: 0, rules: BTreeSet::new(), farthest: 0.0 };
        let same = verdicts.iter().filter(|judged| judged.verdict == Some(Verdict::Same));
        for evidence in same.filter_map(|judged| judged.evidence.as_ref()) {
            past.results += usize::from(evidence.comparison.rung != Rung::SameBytes);
            for comparison in evidence.comparisons() {
                past.rules.extend(comparison.rules.iter().map(ToString::to_string));
                let numbers = comparison.numbers.as_ref();
                let farthest = numbers.and_then(|numbers| numbers.largest_relative);
                past.farthest = past.farthest.max(farthest.unwrap_or(0.0));
            }
        }
        (past.results > 0).then_some(past)
    }
}

impl fmt::Display for LookedPast {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut past: Vec<String> = self.rules.iter().cloned().collect();
        if self.farthest > 0.0 {
            let farthest = self.farthest;
            past.push(format!("distances of numbers of up to {farthest:.1e} of their value"));
        }
        let past = if past.is_empty() { "spelling".to_owned() } else { past.join(", ") };
        let count = match self.results {
            1 => "1 result is".to_owned(),
            more => format!("{more} results are"),
        };
        write!(
            formatter,
            "{count} the same by looking past {past} (`compare` in the configuration)"
        )
    }
}
