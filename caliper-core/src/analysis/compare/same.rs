//! Whether two records have the same result.

use super::comparer::Comparer;
use super::evidence::Evidence;
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
