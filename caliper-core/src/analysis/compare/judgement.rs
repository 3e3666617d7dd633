//! What is found when the runs of one cell are compared with those of another.
//!
//! What is the same, by [`Comparison`], is so whatever the noise. The rest is open until all that is open is
//! decided at once, because the more is compared the more differs by chance.

use super::comparer::Comparer;
use super::comparison::{Comparison, PartComparison, Rung};
use super::evidence::{Evidence, MOST_OTHERS, Method, Noise};
use super::noise::{self, constant};
use super::runs::Runs;
use super::verdict::Verdict;

/// What is found of a test in a cell.
#[derive(Default)]
pub(super) struct Judgement {
    /// `None` as long as it is open, and for a test that has no result.
    pub(super) verdict: Option<Verdict>,
    pub(super) evidence: Option<Evidence>,
    /// Set if the two are not the same.
    open: Option<Open>,
}

/// Two cells that are not the same.
struct Open {
    /// What their runs say, if they have enough in common batches.
    said: Option<Said>,
    /// Their runs in common batches.
    batches: Vec<(usize, usize)>,
    /// Whether each of the two always has the same result, so far.
    constant: bool,
    /// How many other cells of the row are compared with others that they are not the same as, so that they
    /// will have as many runs.
    beside: u32,
    /// How many more runs on each side would decide.
    more: Option<u32>,
}

/// What runs say of whether the release makes a difference.
struct Said {
    p: f64,
    smallest_p: f64,
    untestable: bool,
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
    /// Compares `runs` with others. `constant` are the other cells of the row, as [`said`] takes them. It is
    /// open unless they are the same.
    pub(super) fn of(
        runs: &Runs,
        against: &Runs,
        constant: &constant::Runs,
        comparer: &Comparer<'_>,
    ) -> Self {
        let compared = Compared::of(runs, against, comparer);
        let same = compared.is_same();
        let Compared { of_baseline, worst, mut others } = compared;
        let others_left_out = others.len().saturating_sub(MOST_OTHERS);
        others.truncate(MOST_OTHERS);
        let mut evidence = Evidence {
            baseline: against.version.clone(),
            of_baseline,
            part: worst.part,
            comparison: worst.comparison,
            others,
            others_left_out,
            noise: None,
        };
        if same {
            return Self { verdict: Some(Verdict::Same), evidence: Some(evidence), open: None };
        }
        let batches = runs.shared(against);
        let shared = [
            batches.iter().map(|(one, _)| *one).sum(),
            batches.iter().map(|(_, other)| *other).sum(),
        ]
        .map(|runs: usize| u32::try_from(runs).unwrap_or(u32::MAX));
        let mut noise = Noise {
            runs: shared,
            runs_of_other_batches: [runs.count() - shared[0], against.count() - shared[1]],
            ..Noise::of_none(comparer.criteria.alpha)
        };
        if shared[0] > 1 && shared[1] > 1 && runs.agree_in_batches(against, comparer) {
            noise.method = Some(Method::Together);
            evidence.noise = Some(noise);
            let verdict = Some(Verdict::SameWithinNoise);
            return Self { verdict, evidence: Some(evidence), open: None };
        }
        let repeat = [runs, against].map(|runs| runs.is_constant(comparer));
        let said = (shared[0] > 1 && shared[1] > 1)
            .then(|| said(runs, against, repeat, constant, &mut noise, comparer));
        evidence.noise = Some(noise);
        let open = Open { said, batches, constant: repeat == [true, true], beside: 0, more: None };
        Self { verdict: None, evidence: Some(evidence), open: Some(open) }
    }

    /// Whether the two are not the same.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Says how many other cells of the row are open.
    pub(super) fn beside(&mut self, cells: u32) {
        if let Some(open) = &mut self.open {
            open.beside = cells;
        }
    }

    /// How many more runs on each side would decide it, in one batch; `None` if it is decided, or no
    /// number of runs is known to.
    pub(super) fn more(&self) -> Option<u32> {
        self.open.as_ref()?.more
    }

    /// What the runs say before any correction.
    pub(super) fn p(&self) -> Option<f64> {
        Some(self.open.as_ref()?.said.as_ref()?.p)
    }
}

/// What the runs of two cells say, which both have at least two in common batches.
///
/// `repeat` tells for each of the two whether all its runs have the same result. `others` are the cells beside
/// the two whose runs, at least two, all have the same result; empty if a cell beside them varies.
fn said(
    runs: &Runs,
    against: &Runs,
    repeat: [bool; 2],
    others: &constant::Runs,
    noise: &mut Noise,
    comparer: &Comparer<'_>,
) -> Said {
    if repeat == [true, true] {
        let [here, there] = noise.runs;
        let p = constant::p_of_two(here, there, others);
        noise.method = Some(Method::Repeats);
        return Said { p, smallest_p: p, untestable: false };
    }
    let found = against.test(runs, comparer);
    noise.method = Some(match found.found {
        Some(noise::Found::Spread(_)) => Method::Spread,
        Some(noise::Found::Number(_) | noise::Found::Shape) | None => Method::Permutation,
    });
    noise.permutations = found.permutations;
    noise.furthest = found.furthest;
    noise.untestable = found.untestable;
    let mut said = Said { p: found.p, smallest_p: found.smallest_p, untestable: found.untestable };
    // One of the two does not repeat itself exactly, and all other cells of the row do.
    let (varies, repeats) = if repeat[0] { (against, runs) } else { (runs, against) };
    if repeat[0] != repeat[1] && !others.is_empty() {
        let mut others = others.clone();
        *others.entry(repeats.count()).or_default() += 1;
        let p = constant::p_of_one_that_varies(varies.odd(comparer), varies.count(), &others);
        if p < said.p {
            noise.method = Some(Method::Determinism);
        }
        // Two tests of one question.
        said.p = (2.0 * said.p.min(p)).min(1.0);
        said.smallest_p = (2.0 * said.smallest_p.min(p)).min(1.0);
    }
    said
}

/// Decides what is open, all at once.
pub(super) fn decide<'a>(judgements: impl Iterator<Item = &'a mut Judgement>, alpha: f64) {
    let open = judgements.filter_map(|judgement| {
        let noise = judgement.evidence.as_mut()?.noise.as_mut()?;
        Some((&mut judgement.verdict, noise, judgement.open.as_mut()?))
    });
    let open: Vec<_> = open.collect();
    let p = open.iter().map(|(.., open)| open.said.as_ref().map_or(1.0, |said| said.p));
    let adjusted = noise::adjusted(&p.collect::<Vec<_>>());
    let count = open.len();
    #[expect(clippy::cast_precision_loss, reason = "no grid has so many cells")]
    let comparisons = count as f64;
    let constant = open.iter().filter(|(.., open)| open.constant).count();
    // If all of these differ, each has to be below this.
    #[expect(clippy::cast_precision_loss, reason = "no grid has so many cells")]
    let enough = alpha * constant as f64 / comparisons;
    for ((verdict, noise, open), adjusted) in open.into_iter().zip(adjusted) {
        noise.comparisons = u32::try_from(count).unwrap_or(u32::MAX);
        let found = open.said.as_ref().map_or(Verdict::Undecided, |said| {
            (noise.p, noise.adjusted) = (Some(said.p), Some(adjusted));
            if adjusted <= alpha {
                Verdict::Different
            } else if !said.untestable && !open.constant && said.smallest_p * comparisons <= alpha {
                Verdict::SameWithinNoise
            } else {
                Verdict::Undecided
            }
        });
        *verdict = Some(found);
        if found == Verdict::Undecided {
            let [here, there] = noise.runs;
            open.more = if open.constant {
                constant::more_needed(enough, (here, there), open.beside)
            } else if open.said.is_some() && noise::smallest_p(&open.batches) * comparisons <= alpha
            {
                // So many runs would have been enough. That they are not lies in the results: a part never is twice the
                // same, or too few runs have another result than most.
                None
            } else {
                noise::more_needed(alpha, count, &open.batches)
            };
            noise.needed = open.more.map(|more| here.min(there) + more);
        }
    }
}
