//! Whether two records have the same result.

use super::comparer::Comparer;
use super::evidence::Evidence;
use super::family::Variation;
use super::judgement::{Judgement, decide};
use super::noise::constant;
use super::runs::Runs;
use super::verdict::Verdict;
use crate::facts::record::Record;

/// A test in two records, of which the second is compared with the first.
pub type Pair<'a> = (&'a Record, &'a Record, &'a str);

/// The results of a test in pairs of records, as one family. `is_one_batch` says whether all runs count as
/// measured under the same conditions.
pub(in crate::analysis) fn judge_pairs(
    pairs: &[Pair<'_>],
    is_one_batch: bool,
    comparer: &Comparer<'_>,
) -> Vec<(Option<Verdict>, Option<Evidence>)> {
    let judge = |(one, other, test): &Pair<'_>| {
        let runs = |record| {
            let runs = Runs::of(record, test, comparer);
            if is_one_batch { runs.of_one_batch() } else { runs }
        };
        Judgement::of(&runs(other), &runs(one), &constant::Runs::new(), comparer)
    };
    let mut judgements: Vec<Judgement> = pairs.iter().map(judge).collect();
    decide(judgements.iter_mut(), comparer.criteria.alpha);
    judgements.into_iter().map(|judgement| (judgement.verdict, judgement.evidence)).collect()
}

/// How the results of a test compare with those in the first of some records, and whether the runs of each are alike.
pub(in crate::analysis) struct Beside {
    /// For each record, whether all its runs have the same result.
    pub(in crate::analysis) is_constant: Vec<bool>,
    /// For each record, whether all its runs have the same bytes.
    pub(in crate::analysis) is_byte_constant: Vec<bool>,
    /// For each record, how many runs do not have the result that most of its runs have.
    pub(in crate::analysis) odd: Vec<u32>,
    /// For each record behind the first, how it compares with the first.
    pub(in crate::analysis) judged: Vec<(Option<Verdict>, Option<Evidence>)>,
}

/// Compares a test in the first of some records with the same test in each other one, for tests that all pass there.
/// All comparisons are one family, and all runs count as measured under the same conditions. What the records beside two
/// say of how much the test varies by itself counts for these two.
pub(in crate::analysis) fn judge_beside(
    questions: &[(&str, Vec<&Record>)],
    comparer: &Comparer<'_>,
) -> Vec<Beside> {
    let mut judgements: Vec<Vec<Judgement>> = Vec::new();
    let mut all: Vec<Beside> = Vec::new();
    for (test, records) in questions {
        let runs: Vec<Runs> =
            records.iter().map(|record| Runs::of(record, test, comparer).of_one_batch()).collect();
        let known: Vec<(u32, bool)> =
            runs.iter().map(|runs| (runs.count(), runs.is_constant(comparer))).collect();
        all.push(Beside {
            is_constant: known.iter().map(|(_, is_constant)| *is_constant).collect(),
            is_byte_constant: runs.iter().map(Runs::has_equal_bytes).collect(),
            odd: runs.iter().map(|runs| runs.odd(comparer)).collect(),
            judged: Vec::new(),
        });
        let variation = Variation { cells: known.into_iter().enumerate().collect() };
        let judge = |place: usize| {
            let beside = variation.constant_beside([0, place]);
            Judgement::of(&runs[place], &runs[0], &beside, comparer)
        };
        judgements.push((1..runs.len()).map(judge).collect());
    }
    decide(judgements.iter_mut().flatten(), comparer.criteria.alpha);
    for (beside, judgements) in all.iter_mut().zip(judgements) {
        let judged = judgements.into_iter();
        beside.judged = judged.map(|judgement| (judgement.verdict, judgement.evidence)).collect();
    }
    all
}

/// Whether a test gives the same result in two records: the same but for what is looked past, or, where
/// they have runs enough to tell, not to be told apart from noise.
pub(in crate::analysis) fn same_results(
    one: &Record,
    other: &Record,
    test: &str,
    comparer: &Comparer<'_>,
) -> bool {
    let judged = judge_pairs(&[(one, other, test)], false, comparer);
    let verdict = judged.into_iter().next().and_then(|(verdict, _)| verdict);
    matches!(verdict, Some(Verdict::Same | Verdict::SameWithinNoise))
}
