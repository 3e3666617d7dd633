//! How often the method itself is wrong: cells that were measured twice, as if they were two releases.
//!
//! Whatever is called different between two measurements of one cell is called so wrongly. The judge is
//! not told: it is the same one, with the same criteria, that releases are judged by. In the
//! terms of experiments this is an A/A test.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::cells::Cells;
use super::comparison::Rung;
use super::judgement::{Judgement, decide};
use super::noise::constant;
use super::runs::Runs;
use super::verdict::Verdict;
use crate::facts::record::State;
use crate::facts::record::{CellOutcome, Record, test_names};
use crate::question::grid::CellId;
use crate::question::plan::Test;

/// What became of the results that were measured twice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Blind {
    /// How many cells were measured twice.
    pub cells: u32,
    /// How many tests pass in one measurement and not in the other: whatever is read from their
    /// passing is noise.
    pub other_outcome: u32,
    /// How many results there are twice: tests that pass in both, the import left out, because it
    /// prints nothing.
    pub results: u32,
    /// How many of these are equal byte for byte. They are among the `same`.
    pub same_bytes: u32,
    /// How many are the same by the ladder.
    pub same: u32,
    /// How many are the same within noise.
    pub same_within_noise: u32,
    /// How many have too few runs to tell.
    pub undecided: u32,
    /// How many are called different, wrongly.
    pub different: u32,
    /// Where, as `CELL test`.
    pub wrong: Vec<String>,
    /// The error rate that was asked for.
    pub alpha: f64,
    /// How many tests for noise were made.
    pub tests_for_noise: u32,
    /// How many of these have a p-value of `alpha` or less before they are corrected for being many. If
    /// runs are independent, as the test assumes, that is a share of `alpha` on average, or less.
    pub below_alpha: u32,
    /// The share of wrongly different ones among the results that were decided; `None` if none was.
    pub rate: Option<f64>,
    /// What that rate is below, with a confidence of 95 %.
    pub at_most: Option<f64>,
}

/// The cells to measure twice: this share, rounded up, of those whose tests were run. They are taken in
/// the order of their keys, so the outcome has no say in it, and the same cells are taken again.
pub fn choose(records: &[Record], share: f64) -> BTreeSet<CellId> {
    let tested = |record: &&Record| record.outcome == CellOutcome::Tested;
    let mut tested: Vec<&Record> = records.iter().filter(tested).collect();
    tested.sort_by_key(|record| &record.key);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a number of cells"
    )]
    let count = (share.clamp(0.0, 1.0) * tested.len() as f64).ceil() as usize;
    tested.into_iter().take(count).map(Record::id).collect()
}

impl Blind {
    /// Judges cells that are in `records` and, under the same key, in `again`. `None` if there is none.
    pub(in crate::analysis) fn of(cells: &Cells<'_>, again: &[Record]) -> Option<Self> {
        let comparer = &cells.comparer;
        let alpha = comparer.criteria.alpha;
        let again: BTreeMap<CellId, &Record> =
            again.iter().map(|record| (record.id(), record)).collect();
        let pairs =
            cells.records.iter().filter_map(|record| Some((record, *again.get(&record.id())?)));
        let mut twice = 0;
        let mut other_outcome = 0;
        let mut judged: Vec<(String, Judgement)> = Vec::new();
        let both = |(first, second): &(&Record, &Record)| {
            let tested = [*first, *second].iter().all(|one| one.outcome == CellOutcome::Tested);
            tested && first.key == second.key
        };
        for (first, second) in pairs.filter(both) {
            twice += 1;
            for test in test_names(&first.tests).into_iter().filter(|test| *test != Test::IMPORT) {
                let states = [first, second].map(|record| record.state_of(Some(test)));
                // What the world kept from being measured says nothing.
                if states.iter().any(|state| matches!(state, None | Some(State::NotMeasured))) {
                    continue;
                }
                match states.map(|state| state == Some(State::Passed)) {
                    [true, true] => {}
                    [false, false] => continue,
                    [true, false] | [false, true] => {
                        other_outcome += 1;
                        continue;
                    }
                }
                // They were measured one after the other. Taken as one batch, they also show what the time of
                // the measurement does.
                let of_one_batch = |record| Runs::of(record, test, comparer).of_one_batch();
                let (runs, again) = (of_one_batch(first), of_one_batch(second));
                let judgement = Judgement::of(&runs, &again, &constant::Runs::new(), comparer);
                judged.push((format!("{} {test}", first.id()), judgement));
            }
        }
        if twice == 0 {
            return None;
        }
        decide(judged.iter_mut().map(|(_, judgement)| judgement), alpha);
        let count = |of: &dyn Fn(&Judgement) -> bool| {
            let count = judged.iter().filter(|(_, judgement)| of(judgement)).count();
            u32::try_from(count).unwrap_or(u32::MAX)
        };
        let verdict = |verdict| count(&|judgement| judgement.verdict == Some(verdict));
        let same_bytes = |judgement: &Judgement| {
            judgement.evidence.as_ref().is_some_and(|said| said.comparison.rung == Rung::SameBytes)
        };
        let below_alpha = |judgement: &Judgement| judgement.p().is_some_and(|p| p <= alpha);
        let (results, different) = (count(&|_| true), verdict(Verdict::Different));
        let undecided = verdict(Verdict::Undecided);
        let decided = results - undecided;
        let wrong = judged.iter().filter(|(_, one)| one.verdict == Some(Verdict::Different));
        Some(Self {
            cells: twice,
            other_outcome,
            results,
            same_bytes: count(&same_bytes),
            same: verdict(Verdict::Same),
            same_within_noise: verdict(Verdict::SameWithinNoise),
            undecided,
            different,
            wrong: wrong.map(|(name, _)| name.clone()).collect(),
            alpha,
            tests_for_noise: count(&|judgement| judgement.p().is_some()),
            below_alpha: count(&below_alpha),
            rate: (decided > 0).then(|| f64::from(different) / f64::from(decided)),
            at_most: (decided > 0).then(|| upper_bound(different, decided)),
        })
    }
}

/// What the probability of a hit is below, with a confidence of 95 %, after so many hits in so many
/// trials: the exact bound of C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits
/// illustrated in the case of the binomial", 1934.
fn upper_bound(hits: u32, trials: u32) -> f64 {
    if hits >= trials {
        return 1.0;
    }
    // The chance of so few hits falls as the probability rises.
    let (mut low, mut high) = (f64::from(hits) / f64::from(trials), 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if so_few(hits, trials, middle) > 0.05 {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// The chance of `hits` or fewer in `trials`, each a hit with the probability `p`, between 0 and 1.
fn so_few(hits: u32, trials: u32, p: f64) -> f64 {
    // In logarithms, since the chance of none may be too small for a number.
    let mut term = f64::from(trials) * (-p).ln_1p();
    let mut sum = term.exp();
    for hit in 1..=hits {
        term += (f64::from(trials - hit + 1) / f64::from(hit) * p / (1.0 - p)).ln();
        sum += term.exp();
    }
    sum
}

impl fmt::Display for Blind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count: u32, one: &str, many: &str| {
            if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
        };
        writeln!(
            formatter,
            "blind check: {} of {} measured twice, as if by two releases: {} same, {} same within noise, \
             {} undecided, {} called different",
            plural(self.results, "result", "results"),
            plural(self.cells, "cell", "cells"),
            self.same,
            self.same_within_noise,
            self.undecided,
            self.different,
        )?;
        if let (Some(rate), Some(at_most)) = (self.rate, self.at_most) {
            write!(
                formatter,
                "  wrongly different: {:.1} % of what was decided, and below {:.1} % with a confidence of 95 %",
                100.0 * rate,
                100.0 * at_most,
            )?;
        } else {
            write!(formatter, "  nothing was decided, so this says nothing of the error rate")?;
        }
        if self.tests_for_noise > 0 {
            write!(
                formatter,
                "\n  {} of {} had p <= {} before the correction",
                self.below_alpha,
                plural(self.tests_for_noise, "test for noise", "tests for noise"),
                self.alpha,
            )?;
        }
        if self.other_outcome > 0 {
            let tests = plural(self.other_outcome, "test passes", "tests pass");
            write!(formatter, "\n  {tests} in one measurement and not in the other")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Analysis;
    use crate::facts::record::TestOutcome::{Failed, Passed};
    use crate::facts::record::tests::{record, test};
    use crate::question::criteria::Criteria;

    fn measured(outputs: &[&str]) -> Record {
        let mut tests = vec![test(Test::IMPORT, Passed, "")];
        tests.extend(outputs.iter().map(|output| test("a", Passed, output)));
        record("1.0", "3.11").with_runs(tests)
    }

    fn check(first: &Record, second: &Record) -> Option<Blind> {
        let (first, second) = (std::slice::from_ref(first), std::slice::from_ref(second));
        Analysis::new(first, None, &Criteria::default(), &|_| None).blind(second)
    }

    #[test]
    fn what_is_the_same_twice_is_no_error() {
        let blind = check(&measured(&["1.5\n"]), &measured(&["1.5\n"])).unwrap();
        assert_eq!((blind.results, blind.same, blind.same_bytes, blind.different), (1, 1, 1, 0));
        insta::assert_snapshot!(blind, @r"
        blind check: 1 result of 1 cell measured twice, as if by two releases: 1 same, 0 same within noise, 0 undecided, 0 called different
          wrongly different: 0.0 % of what was decided, and below 95.0 % with a confidence of 95 %
        ");
    }

    #[test]
    fn what_is_called_different_is_an_error_of_the_method() {
        let outputs = |from: u32| -> Vec<String> {
            (from..from + 5).map(|number| format!("{number}.5\n")).collect()
        };
        let [first, second] = [0, 50].map(|from| {
            let outputs = outputs(from);
            measured(&outputs.iter().map(String::as_str).collect::<Vec<_>>())
        });
        let blind = check(&first, &second).unwrap();
        assert_eq!((blind.different, blind.below_alpha, blind.tests_for_noise), (1, 1, 1));
        assert_eq!(blind.wrong, ["1.0/3.11 a"]);
        assert_eq!((blind.rate, blind.at_most), (Some(1.0), Some(1.0)));
        let mixed = check(&first, &measured(&["0.5\n", "3.5\n", "1.5\n", "4.5\n", "2.5\n"]));
        assert_eq!(mixed.unwrap().same_within_noise, 1);
    }

    #[test]
    fn single_runs_decide_nothing_and_other_outcomes_are_counted() {
        let blind = check(&measured(&["1.5\n"]), &measured(&["2.5\n"])).unwrap();
        assert_eq!((blind.undecided, blind.rate, blind.tests_for_noise), (1, None, 0));
        let mut failed = measured(&[]);
        failed.tests.push(test("a", Failed, ""));
        let blind = check(&measured(&["1.5\n"]), &failed).unwrap();
        assert_eq!((blind.other_outcome, blind.results), (1, 0));
        // What the world kept from being measured is neither.
        failed.tests[1].runs[0].outcome = crate::facts::record::TestOutcome::NotMeasured;
        let blind = check(&measured(&["1.5\n"]), &failed).unwrap();
        assert_eq!((blind.other_outcome, blind.results), (0, 0));
        // Under another key it is another cell.
        failed.key = crate::names::Sha256::of(b"other");
        assert_eq!(check(&measured(&["1.5\n"]), &failed), None);
    }

    /// Against `scipy.stats.beta.ppf(0.95, hits + 1, trials - hits)`.
    #[test]
    fn the_bound_is_that_of_clopper_and_pearson() {
        let known = [
            (0, 1, 0.95),
            (0, 12, 0.220_922_191_945_555_85),
            (1, 20, 0.216_106_164_206_847_3),
            (7, 100, 0.127_458_015_582_970_26),
            (300, 20_000, 0.016_492_255_422_804_285),
        ];
        for (hits, trials, expected) in known {
            let found = upper_bound(hits, trials);
            assert!((found - expected).abs() < 1e-9, "{hits} of {trials}: {found}");
        }
    }

    #[test]
    fn a_share_of_the_cells_is_chosen_whatever_their_outcome() {
        let records: Vec<Record> =
            (0..10).map(|minor| record(&format!("1.{minor}"), "3.11")).collect();
        assert_eq!(choose(&records, 0.25).len(), 3);
        assert_eq!(choose(&records, 1.0).len(), 10);
        let fewer = choose(&records, 0.1);
        assert!(fewer.is_subset(&choose(&records, 0.5)));
    }
}
