use std::collections::BTreeMap;
use std::fmt;

use crate::analysis::compare::{Rung, Verdict, Verdicts};

/// What was ignored so that results of a test count as the same although their bytes differ.
#[derive(Debug, Clone, PartialEq)]
pub struct LookedPast {
    /// The tests of which this holds.
    pub tests: Vec<String>,
    /// How many results are the same only because of that.
    pub results: usize,
    /// The rules that were needed and what the configuration leaves out, each with how often over all
    /// results.
    pub past: BTreeMap<String, u64>,
    /// The largest relative distance of two numbers that count as equal; 0 if there was none.
    pub farthest: f64,
}

impl LookedPast {
    /// Sums up the verdicts, test by test; tests of which the same is to be said stand together. Empty if all
    /// results that are the same are so byte for byte.
    pub fn of(verdicts: &Verdicts) -> Vec<Self> {
        let mut by_test: BTreeMap<&str, Self> = BTreeMap::new();
        let same = verdicts.iter().filter(|judged| judged.verdict == Some(Verdict::Same));
        for judged in same {
            let Some(evidence) = &judged.evidence else { continue };
            if evidence.comparisons().all(|comparison| comparison.rung == Rung::SameBytes) {
                continue;
            }
            let one = by_test.entry(&judged.test).or_insert_with(|| Self {
                tests: vec![judged.test.clone()],
                results: 0,
                past: BTreeMap::new(),
                farthest: 0.0,
            });
            one.results += 1;
            for comparison in evidence.comparisons() {
                for (what, times) in &comparison.looked_past {
                    *one.past.entry(what.clone()).or_default() += times;
                }
                let numbers = comparison.numbers.as_ref();
                let farthest = numbers.and_then(|numbers| numbers.largest_relative);
                one.farthest = one.farthest.max(farthest.unwrap_or(0.0));
            }
        }
        let mut together: Vec<Self> = Vec::new();
        for one in by_test.into_values() {
            let alike = together.iter_mut().find(|known| {
                (known.results, &known.past, known.farthest.to_bits())
                    == (one.results, &one.past, one.farthest.to_bits())
            });
            match alike {
                Some(known) => known.tests.extend(one.tests),
                None => together.push(one),
            }
        }
        together
    }
}

impl fmt::Display for LookedPast {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// More tests than these are counted, not named.
        const NAMED: usize = 3;
        let mut past: Vec<String> =
            self.past.iter().map(|(what, times)| format!("{what} ({times})")).collect();
        if self.farthest > 0.0 {
            let farthest = self.farthest;
            past.push(format!("distances of numbers of up to {farthest:.1e} of their value"));
        }
        let past = if past.is_empty() { "the order of keys".to_owned() } else { past.join(", ") };
        let mut tests: Vec<String> = self.tests.iter().take(NAMED).cloned().collect();
        let more = self.tests.len().saturating_sub(NAMED);
        if more > 0 {
            tests.push(format!("{more} more"));
        }
        let count = match self.results {
            1 => "1 result is".to_owned(),
            more => format!("{more} results are"),
        };
        write!(formatter, "{}: {count} the same by looking past {past}", tests.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Analysis;
    use crate::facts::record::TestOutcome::Passed;
    use crate::facts::record::tests::{record, test};
    use crate::question::criteria::Criteria;

    #[test]
    fn each_test_tells_what_it_needs() {
        let cell = |version, seconds: &str, zero| {
            let mut record = record(version, "3.11");
            let timed = format!("took {seconds} s\nloss 0.5 in {seconds}0 s\n");
            record.tests = vec![
                test("fit", Passed, &timed),
                test("plot", Passed, zero),
                test("again", Passed, &timed),
            ];
            record
        };
        let records =
            [cell("1.0", "1.5", "1.10"), cell("1.1", "2.5", "1.1"), cell("1.2", "2.6", "1.1")];
        let verdicts =
            Analysis::new(&records, None, &Criteria::default(), &|_| None).into_verdicts();
        let told: Vec<String> = LookedPast::of(&verdicts).iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(told.join("\n"), @"
        again, fit: 2 results are the same by looking past durations (4)
        plot: 1 result is the same by looking past spelling (1)
        ");
    }
}
