use std::fmt;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use super::answers::{Answers, Effort, Known, Outcome, Unproven, Wanted};
use super::{Pin, Step};

/// A search for the first bad release of one pin.
///
/// All other pins stay as they are: for a pin of [`Found`](super::Found), the other found ones as in the bad lock, and
/// everything else as in the good one. Then both ends were measured already. As with any bisection, if the releases
/// change between good and bad more than once, one of the changes is found.
#[derive(Debug, Clone)]
pub struct Bisect {
    /// From the good one to the bad one, at least these two.
    releases: Vec<Version>,
    answers: Answers<Version>,
}

/// Where the outcome changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FirstBad {
    /// The nearest release before the change that was measured: the outcome is good.
    #[schemars(with = "String")]
    pub last_good: Version,
    /// The nearest release after the change that was measured: the outcome is bad.
    #[schemars(with = "String")]
    pub first_bad: Version,
    /// The releases between them, and why they were not judged. Each of them may be the first bad one.
    #[schemars(with = "Vec<(String, Unproven)>")]
    pub between: Vec<(Version, Unproven)>,
    /// How many measurements it took, each repeat of a flaky one included.
    pub runs: u32,
}

/// Why the releases of a guilty pin are not bisected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoBisection {
    /// One of the locks has no release of it.
    NotInBoth,
    /// It was not shown to be needed.
    NotNeeded,
    /// Its releases are not known.
    UnknownReleases,
}

impl fmt::Display for NoBisection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotInBoth => "only one side has it",
            Self::NotNeeded => "it was not shown to be needed",
            Self::UnknownReleases => "the index does not tell its releases",
        })
    }
}

impl FirstBad {
    /// Whether `first_bad` is the first guilty release: nothing lies between it and the last good one.
    pub fn is_adjacent(&self) -> bool {
        self.between.is_empty()
    }
}

impl Bisect {
    /// A search among those of `releases` that lie between the versions of `pin`.
    ///
    /// The order of `releases` does not matter. If the bad lock has the older version, the first bad release is the
    /// newest bad one. `None` if one of the locks does not have the package, because then there is no release to
    /// begin at, or if both have the same version.
    pub fn new(pin: &Pin, releases: &[Version], effort: Effort) -> Option<Self> {
        let (from, to) = (pin.from.as_ref()?, pin.to.as_ref()?);
        if from == to {
            return None;
        }
        let (oldest, newest) = if from < to { (from, to) } else { (to, from) };
        let between = releases.iter().filter(|release| oldest <= *release && *release <= newest);
        let mut sorted: Vec<Version> = between.chain([from, to]).cloned().collect();
        sorted.sort();
        sorted.dedup();
        if from > to {
            sorted.reverse();
        }
        Some(Self { releases: sorted, answers: Answers::new(effort) })
    }

    /// The releases, from the good one to the bad one.
    pub fn releases(&self) -> &[Version] {
        &self.releases
    }

    /// Which release to measure next, or the conclusion.
    ///
    /// A release is asked for again only if it was [`Outcome::Flaky`].
    pub fn step(&self) -> Step<Version, FirstBad> {
        match self.conclude() {
            Ok(first_bad) => Step::Done(first_bad),
            Err(Wanted(release)) => Step::Try(release),
        }
    }

    /// Records the outcome of one measurement of `release`.
    pub fn answer(&mut self, release: Version, outcome: Outcome) {
        self.answers.record(release, outcome);
    }

    fn conclude(&self) -> Result<FirstBad, Wanted<Version>> {
        let (mut good, mut bad) = (0, self.releases.len() - 1);
        let mut between: Vec<(usize, Unproven)> = Vec::new();
        // Releases that cannot be judged split those between the ends into stretches. The middle of the longest one
        // narrows the ends most, and is far from releases that fail for the same reason.
        while let Some(middle) = middle_of_longest(good, bad, &between) {
            match self.answers.known(&self.releases[middle])? {
                Known::Good => good = middle,
                Known::Bad => bad = middle,
                Known::Unproven(why) => between.push((middle, why)),
            }
            between.retain(|(release, _)| (good..bad).contains(release));
        }
        between.sort_by_key(|(release, _)| *release);
        let version = |release: usize| self.releases[release].clone();
        Ok(FirstBad {
            last_good: version(good),
            first_bad: version(bad),
            between: between.into_iter().map(|(release, why)| (version(release), why)).collect(),
            runs: self.answers.runs(),
        })
    }
}

/// The middle of the longest stretch between `good` and `bad` without a member of `skipped`.
fn middle_of_longest(good: usize, bad: usize, skipped: &[(usize, Unproven)]) -> Option<usize> {
    let mut walls: Vec<usize> = skipped.iter().map(|(release, _)| *release).collect();
    walls.extend([good, bad]);
    walls.sort_unstable();
    let stretches = walls.windows(2).map(|pair| (pair[0], pair[1]));
    let open = stretches.filter(|(from, to)| to - from > 1);
    // The first of several equally long ones.
    let longest = open.min_by_key(|(from, to)| usize::MAX - (to - from));
    longest.map(|(from, to)| from + (to - from) / 2)
}
