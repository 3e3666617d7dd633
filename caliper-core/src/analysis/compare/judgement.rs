//! What is found when the runs of one cell are held against those of another.
//!
//! What is the same, by [`Comparison`], is so whatever the noise. The rest is open until all that is open is
//! decided at once, because the more is compared the more differs by chance.

use super::comparer::Comparer;
use super::comparison::{Comparison, PartComparison, Rung};
use super::evidence::{Evidence, MOST_OTHERS, Noise};
use super::noise;
use super::runs::Runs;
use super::verdict::Verdict;

/// What is found of a test in a cell.
#[derive(Default)]
pub(super) struct Judgement {
    /// `None` where there is none, and as long as it is open.
    pub(super) verdict: Option<Verdict>,
    pub(super) evidence: Option<Evidence>,
    /// What a test for noise says, where there was one.
    pub(super) said: Option<noise::Evidence>,
}

impl From<Verdict> for Judgement {
    fn from(verdict: Verdict) -> Self {
        Self { verdict: Some(verdict), ..Self::default() }
    }
}

/// How two cells compare by the ladder alone.
pub(super) struct Compared {
    /// Whether it is two runs of the other side that are told of.
    of_baseline: bool,
    /// The part that is least alike.
    worst: PartComparison,
    /// The other parts that do not have the same bytes.
    others: Vec<PartComparison>,
}

impl Compared {
    pub(super) fn of(runs: &Runs, against: &Runs, comparer: &Comparer<'_>) -> Self {
        let all = runs.whole(comparer);
        let compared = Self::new(false, all, against.differing(runs, comparer));
        if !compared.is_same() {
            return compared;
        }
        // Where the other side is not the same twice, being like its first run says little.
        let itself = Self::new(true, all, against.differing(against, comparer));
        if itself.is_same() { compared } else { itself }
    }

    /// `all` names a result of which no part differs.
    fn new(of_baseline: bool, all: &str, differing: Vec<PartComparison>) -> Self {
        let mut differing = differing.into_iter();
        let alike = || PartComparison { part: all.to_owned(), comparison: Comparison::alike() };
        let worst = differing.next().unwrap_or_else(alike);
        Self { of_baseline, worst, others: differing.collect() }
    }

    pub(super) fn is_same(&self) -> bool {
        self.worst.comparison.rung <= Rung::WithinTolerance
    }
}

impl Judgement {
    /// Holds `runs` against others. It is open unless they are the same.
    pub(super) fn of(runs: &Runs, against: &Runs, comparer: &Comparer<'_>) -> Self {
        let compared = Compared::of(runs, against, comparer);
        let same = compared.is_same();
        let Compared { of_baseline, worst, mut others } = compared;
        let others_left_out = others.len().saturating_sub(MOST_OTHERS);
        others.truncate(MOST_OTHERS);
        let noise = (!same).then(|| Noise {
            runs: [runs.count(), against.count()],
            p: None,
            adjusted: None,
            permutations: 0,
            comparisons: 0,
            alpha: comparer.criteria.alpha,
            needed: None,
        });
        let enough = runs.count() > 1 && against.count() > 1;
        Self {
            verdict: same.then_some(Verdict::Same),
            evidence: Some(Evidence {
                baseline: against.version.clone(),
                of_baseline,
                part: worst.part,
                comparison: worst.comparison,
                others,
                others_left_out,
                noise,
            }),
            said: (!same && enough).then(|| against.test(runs, comparer)),
        }
    }

    fn open(&mut self) -> Option<(&mut Option<Verdict>, &mut Noise, Option<&noise::Evidence>)> {
        let noise = self.evidence.as_mut()?.noise.as_mut()?;
        Some((&mut self.verdict, noise, self.said.as_ref()))
    }
}

/// Decides what is open, all at once.
pub(super) fn decide<'a>(judgements: impl Iterator<Item = &'a mut Judgement>, alpha: f64) {
    let open: Vec<_> = judgements.filter_map(Judgement::open).collect();
    let p: Vec<f64> = open.iter().map(|(_, _, said)| said.map_or(1.0, |said| said.p)).collect();
    let adjusted = noise::adjusted(&p);
    let count = open.len();
    let needed = noise::repeats_needed(alpha, count);
    #[expect(clippy::cast_precision_loss, reason = "no grid has so many cells")]
    let comparisons = count as f64;
    for ((verdict, noise, said), adjusted) in open.into_iter().zip(adjusted) {
        noise.comparisons = u32::try_from(count).unwrap_or(u32::MAX);
        let Some(said) = said else {
            (*verdict, noise.needed) = (Some(Verdict::Undecided), needed);
            continue;
        };
        (noise.p, noise.adjusted) = (Some(said.p), Some(adjusted));
        noise.permutations = said.permutations;
        *verdict = Some(if adjusted <= alpha {
            Verdict::Different
        } else if said.smallest_p * comparisons <= alpha {
            Verdict::SameWithinNoise
        } else {
            // However far apart they were, these runs could not have shown it: they are too few, or
            // never twice the same.
            noise.needed = needed.filter(|needed| noise.runs.iter().any(|runs| runs < needed));
            Verdict::Undecided
        });
    }
}
