//! A group against another: which varies more?

use serde::Serialize;

use super::bootstrap::{BootstrapInterval, bootstrap};
use super::levene::{Levene, levene};
use super::ranks::{MannWhitney, mann_whitney};
use super::ratio::{RunsNeeded, f_test, runs_needed};
use super::repeating::{Repeating, repeating};
use super::values::{ALPHA, Undefined, Values};

/// How a group varies beside another one, for one metric. Each p stands alone: none is corrected for the number of
/// metrics.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Contrast {
    /// The group.
    pub group: String,
    /// The group that it is held against.
    pub reference: String,
    /// The standard deviation (`ddof` 1) of the group, over that of the reference.
    pub ratio: Option<f64>,
    /// The 95 % interval of the ratio by the F distribution, for numbers that are normally distributed.
    pub interval_f: Option<[f64; 2]>,
    /// The 95 % interval of the ratio by resampling.
    pub interval_bootstrap: Option<BootstrapInterval>,
    /// The p of the F test that both vary alike, two-sided; for numbers that are normally distributed.
    pub p_f: Option<f64>,
    /// The p of Levene's test that both vary alike, with distances from the medians.
    pub p_levene: Option<f64>,
    /// Fisher's exact test that both repeat their most frequent number alike, where one of them is constant.
    pub repeating: Option<Repeating>,
    /// Whether the numbers of the group tend to be larger or smaller; that is about their position, not their spread.
    pub mann_whitney: Option<MannWhitney>,
    /// How many runs would decide, if the ratio is what it seems; `None` without a ratio.
    pub runs_needed: Option<RunsNeeded>,
    /// Which varies more.
    pub verdict: Verdict,
    /// The tests that the verdict rests on: those that say which varies more, or else those that cannot separate the
    /// groups or do not agree; empty if none has a value.
    pub decided_by: Vec<SpreadTest>,
    /// Why statistics are missing.
    pub undefined: Vec<Undefined>,
}

/// What two groups say about their spreads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Verdict {
    /// The spread of one group is larger: the F test and Levene's test say so, or the one that has a value. If one group is
    /// constant, Levene's test or Fisher's exact test says so.
    Larger {
        /// The group.
        group: String,
    },
    /// The data cannot separate the groups.
    NotSeparated,
    /// The F test and Levene's test do not agree, as they may with single far numbers.
    Disagree,
    /// No test has a value.
    Unknown,
}

/// A test of whether two groups vary alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SpreadTest {
    /// The F test.
    F,
    /// Levene's test with medians.
    Levene,
    /// Fisher's exact test of how often the most frequent number is repeated.
    FisherExact,
}

impl Contrast {
    /// Holds a group against a reference, by their numbers in any order. Those that are not finite are left out.
    pub fn of(group: (&str, &[f64]), reference: (&str, &[f64])) -> Self {
        let (here, there) = (Values::of(group.1), Values::of(reference.1));
        let mut undefined = Vec::new();
        let deviations = [(&there, reference.0), (&here, group.0)].map(|(values, name)| {
            values.deviation(name).map_err(|reason| undefined.push(reason)).ok()
        });
        let ratio = match deviations {
            [Some(below), Some(above)] => {
                let ratio = above / below * (here.unit() / there.unit());
                let ratio = Some(ratio).filter(|ratio| ratio.is_finite() && *ratio > 0.0);
                if ratio.is_none() {
                    undefined.push(Undefined::OutOfRange);
                }
                ratio
            }
            _ => None,
        };
        let f = ratio.and_then(|ratio| f_test(ratio, here.count(), there.count()));
        if ratio.is_some() && f.is_none() && !undefined.contains(&Undefined::OutOfRange) {
            undefined.push(Undefined::OutOfRange);
        }
        let levene = Self::levene(&there, &here, &mut undefined);
        // In the units of their own, numbers of two groups have no order.
        let [here_sorted, there_sorted] = [&here, &there].map(|values| {
            let numbers = values.sorted().iter().map(|number| number * values.unit());
            numbers.collect::<Vec<f64>>()
        });
        let mann_whitney = mann_whitney(&here_sorted, &there_sorted);
        if mann_whitney.is_none() && here.count() > 0 && there.count() > 0 {
            undefined.push(Undefined::AllEqual);
        }
        let repeating = repeating(&here, &there);
        let (said, decided_by) = match repeating {
            Some(repeating) => beside_constant(repeating, there.is_constant(), levene),
            None => by_both(f.map(|f| f.p), ratio, levene),
        };
        let verdict = match said {
            Said::Group => Verdict::Larger { group: group.0.to_owned() },
            Said::Reference => Verdict::Larger { group: reference.0.to_owned() },
            Said::NotSeparated => Verdict::NotSeparated,
            Said::Disagree => Verdict::Disagree,
            Said::Nothing => Verdict::Unknown,
        };
        Self {
            group: group.0.to_owned(),
            reference: reference.0.to_owned(),
            ratio,
            interval_f: f.map(|f| f.interval),
            interval_bootstrap: ratio.map(|_| bootstrap(&here, &there)),
            p_f: f.map(|f| f.p),
            p_levene: levene.map(|levene| levene.p),
            repeating,
            mann_whitney,
            runs_needed: ratio.map(runs_needed),
            verdict,
            decided_by,
            undefined,
        }
    }

    /// Levene's test, where each group has two runs and one of them varies.
    fn levene(there: &Values, here: &Values, undefined: &mut Vec<Undefined>) -> Option<Levene> {
        let are_many = there.count() > 1 && here.count() > 1;
        if !are_many || (there.is_constant() && here.is_constant()) {
            return None;
        }
        levene(there, here).map_err(|reason| undefined.push(reason)).ok()
    }
}

enum Said {
    Group,
    Reference,
    NotSeparated,
    Disagree,
    Nothing,
}

/// Which group varies more if neither is constant. The F test alone would call many groups different that only have far
/// numbers, so that Levene's test must agree where it has a value.
fn by_both(
    p_f: Option<f64>,
    ratio: Option<f64>,
    levene: Option<Levene>,
) -> (Said, Vec<SpreadTest>) {
    let by_f = p_f.zip(ratio).map(|(p, ratio)| (p < ALPHA, ratio > 1.0));
    let by_levene = levene.map(|levene| (levene.p < ALPHA, levene.second_is_wider));
    let said = match (by_f, by_levene) {
        (Some((true, here)), Some((true, there))) if here != there => Said::Disagree,
        (Some((one, _)), Some((other, _))) if one != other => Said::Disagree,
        (Some((decides, is_group)), _) | (None, Some((decides, is_group))) => {
            match (decides, is_group) {
                (false, _) => Said::NotSeparated,
                (true, true) => Said::Group,
                (true, false) => Said::Reference,
            }
        }
        (None, None) => Said::Nothing,
    };
    let f = by_f.map(|_| SpreadTest::F);
    let levene = by_levene.map(|_| SpreadTest::Levene);
    (said, f.into_iter().chain(levene).collect())
}

/// Which group varies more if one is constant and the other is not. It can only be the other one, and the question is
/// whether that is more than chance. One test is enough: Levene's is the stronger one where few runs differ by about as
/// much, and Fisher's where distances are so unequal that their mean says little.
fn beside_constant(
    repeating: Repeating,
    reference_is_constant: bool,
    levene: Option<Levene>,
) -> (Said, Vec<SpreadTest>) {
    let levene = levene.map(|levene| (SpreadTest::Levene, levene.p));
    let all: Vec<(SpreadTest, f64)> =
        levene.into_iter().chain([(SpreadTest::FisherExact, repeating.p)]).collect();
    let deciding: Vec<SpreadTest> =
        all.iter().filter(|(_, p)| *p < ALPHA).map(|(test, _)| *test).collect();
    if deciding.is_empty() {
        return (Said::NotSeparated, all.into_iter().map(|(test, _)| test).collect());
    }
    (if reference_is_constant { Said::Group } else { Said::Reference }, deciding)
}
