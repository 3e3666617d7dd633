//! What a change of its surroundings does to a test.

use std::fmt;

use serde::Serialize;

use super::Analysis;
use super::compare::noise::{self, constant};
use super::compare::same::{Beside, judge_beside};
use super::compare::{Evidence, Rung, Verdict};
use crate::facts::record::{Record, State, TestOutcome, test_names};

/// What changes of its surroundings do to one test.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct TestProbed {
    /// The test.
    pub test: String,
    /// How it ends in the usual surroundings.
    pub usual: State,
    /// How often it was run in them.
    pub runs: u32,
    /// How many of these runs passed.
    pub passed: u32,
    /// Whether all these runs have the same result; of a test that does not pass it is not asked.
    pub is_constant: bool,
    /// How many of them do not have the result that most of them have; 0 for a test that does not pass.
    pub odd: u32,
    /// What each change does, in the order in which they were given.
    pub effects: Vec<Effect>,
}

/// What one change does to a test.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Effect {
    /// What it does.
    pub kind: EffectKind,
    /// How the test ends with it; `None` if it was not run.
    pub state: Option<State>,
    /// How often it was run with it.
    pub runs: u32,
    /// How many of these runs passed.
    pub passed: u32,
    /// The probability of so different an ending if the change does nothing, corrected for the number of changes; `None`
    /// where the test ends as usual.
    pub p: Option<f64>,
    /// How many of these runs do not have the result that most of them have, where the test passes with the change and
    /// without.
    pub odd: u32,
    /// How the results compare, where it passes with the change and without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Box<Evidence>>,
}

/// What a change does to a test.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EffectKind {
    /// It ends in another way: it fails and did not, or fails for another reason.
    EndsOtherwise,
    /// It has another result.
    OtherResult,
    /// Its runs have the same result in the usual surroundings, and not with the change.
    Unsettles,
    /// Its runs have different results in the usual surroundings, and the same with the change.
    Settles,
    /// Its result differs only in what the configuration looks past, and does not do so by itself.
    LookedPast,
    /// Nothing that could be told from how the test varies by itself.
    Nothing,
    /// The results are not the same, and the runs are too few to tell whether that is the change.
    Undecided,
    /// It was not measured.
    NotMeasured,
}

impl EffectKind {
    /// Whether the change acts on the test.
    pub fn is_effect(self) -> bool {
        match self {
            Self::EndsOtherwise | Self::OtherResult | Self::Unsettles | Self::Settles => true,
            Self::LookedPast | Self::Nothing | Self::Undecided | Self::NotMeasured => false,
        }
    }
}

impl fmt::Display for EffectKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::EndsOtherwise => "ends otherwise",
            Self::OtherResult => "other result",
            Self::Unsettles => "its runs differ",
            Self::Settles => "its runs agree",
            Self::LookedPast => "only what is looked past",
            Self::Nothing => "no effect seen",
            Self::Undecided => "undecided",
            Self::NotMeasured => "not measured",
        })
    }
}

/// What changes do to the tests of a cell: `usual` is its record without a change, and `changed` are its records with each
/// change, `None` for a change with which it could not be measured.
pub fn probe(
    usual: &Record,
    changed: &[Option<&Record>],
    analysis: &Analysis<'_>,
) -> Vec<TestProbed> {
    let tests = test_names(usual.judged());
    let state = |record: &Record, test: &str| record.state_of(Some(test));
    let passes = |record: &Record, test: &str| state(record, test) == Some(State::Passed);
    // Those that pass with a change and without, of each test that passes without.
    let compared: Vec<(&str, Vec<usize>)> = tests
        .iter()
        .filter(|test| passes(usual, test))
        .map(|test| {
            let places = 0..changed.len();
            let is_it = |place: &usize| changed[*place].is_some_and(|record| passes(record, test));
            (*test, places.filter(is_it).collect())
        })
        .collect();
    let questions: Vec<(&str, Vec<&Record>)> = compared
        .iter()
        .map(|(test, places)| {
            let with_changes = places.iter().filter_map(|place| changed[*place]);
            (*test, std::iter::once(usual).chain(with_changes).collect())
        })
        .collect();
    let mut judged = judge_beside(&questions, analysis.comparer()).into_iter().zip(compared);
    let probed = |test: &str| {
        let usually = state(usual, test).unwrap_or(State::NotMeasured);
        let mut effects: Vec<Effect> = changed
            .iter()
            .zip(endings(usual, changed, test, analysis))
            .map(|(record, (kind, p))| {
                let state = record.and_then(|record| state(record, test));
                let rate = record.and_then(|record| Rate::of(record, test));
                let runs = record.map_or(0, |record| record.attempts(test));
                let passed = rate.map_or(0, |rate| rate.passed);
                Effect { kind, state, runs, passed, p, odd: 0, evidence: None }
            })
            .collect();
        let (mut is_constant, mut usually_odd) = (false, 0);
        if usually == State::Passed
            && let Some((found, (_, places))) = judged.next()
        {
            let Beside { is_constant: constant, is_byte_constant, odd, judged } = found;
            (is_constant, usually_odd) = (constant[0], odd[0]);
            let repeats = constant[1..].iter().zip(&odd[1..]);
            let each = places.into_iter().zip(judged).zip(repeats);
            for ((place, (verdict, evidence)), (with_change, odd)) in each {
                effects[place].odd = *odd;
                effects[place].kind = of_results(verdict, is_constant, *with_change);
                let differs = |evidence: &Evidence| evidence.comparison.rung > Rung::SameBytes;
                if verdict == Some(Verdict::Same)
                    && is_byte_constant[0]
                    && evidence.as_ref().is_some_and(differs)
                {
                    effects[place].kind = EffectKind::LookedPast;
                }
                effects[place].evidence = evidence.map(Box::new);
            }
        }
        let runs = usual.attempts(test);
        TestProbed {
            test: test.to_owned(),
            usual: usually,
            runs,
            passed: Rate::of(usual, test).map_or(0, |rate| rate.passed),
            is_constant,
            odd: usually_odd,
            effects,
        }
    };
    tests.into_iter().map(probed).collect()
}

/// How often a test passed, of how many runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rate {
    passed: u32,
    runs: u32,
}

impl Rate {
    /// `None` if it is not known of each run how it ended.
    fn of(record: &Record, test: &str) -> Option<Self> {
        let is_known = matches!(
            record.state_of(Some(test)),
            Some(State::Passed | State::Failed | State::Flaky)
        );
        let runs = record.test(test).filter(|_| is_known)?.runs.iter();
        let passed = runs.filter(|run| run.outcome == TestOutcome::Passed).count();
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        Some(Self { passed, runs: record.attempts(test) })
    }

    fn is_constant(self) -> bool {
        self.passed == 0 || self.passed == self.runs
    }
}

/// What changes do by how the test ends, where it does not pass both times, each with its p.
fn endings(
    usual: &Record,
    changed: &[Option<&Record>],
    test: &str,
    analysis: &Analysis<'_>,
) -> Vec<(EffectKind, Option<f64>)> {
    let rate = |record: Option<&Record>| record.and_then(|record| Rate::of(record, test));
    let (usually, rates) = (rate(Some(usual)), changed.iter().map(|one| rate(*one)));
    let rates: Vec<Option<Rate>> = rates.collect();
    let p_of = |place: usize| -> Option<f64> {
        let (usually, rate) = (usually?, rates[place]?);
        let both_fail = usually.passed + rate.passed == 0;
        let is_other = if both_fail {
            changed[place].is_some_and(|record| !analysis.same(usual, record, test))
        } else {
            usually.passed * rate.runs != rate.passed * usually.runs
        };
        if !is_other {
            return None;
        }
        if !usually.is_constant() || !rate.is_constant() {
            return Some(fisher(usually, rate));
        }
        // Two endings that each repeat themselves. What the cells beside them do says whether the test is a coin.
        let beside = rates.iter().enumerate().filter(|(other, _)| *other != place);
        let beside: Vec<Rate> = beside.filter_map(|(_, rate)| *rate).collect();
        let mut runs = constant::Runs::new();
        if beside.iter().all(|rate| rate.is_constant()) {
            for rate in beside.iter().filter(|rate| rate.runs > 1) {
                *runs.entry(rate.runs).or_default() += 1;
            }
        }
        Some(constant::p_of_two(usually.runs, rate.runs, &runs))
    };
    let all: Vec<Option<f64>> = (0..changed.len()).map(p_of).collect();
    let known: Vec<f64> = all.iter().flatten().copied().collect();
    let mut adjusted = noise::adjusted(&known).into_iter();
    let alpha = analysis.comparer().criteria.alpha;
    let judged = |(p, rate): (Option<f64>, &Option<Rate>)| {
        let is_flaky = usually.is_some_and(|usually| !usually.is_constant());
        match (p.and_then(|_| adjusted.next()), usually, rate) {
            (_, None, _) | (_, _, None) => (EffectKind::NotMeasured, None),
            (Some(p), ..) if p <= alpha => (EffectKind::EndsOtherwise, Some(p)),
            (Some(p), ..) => (EffectKind::Undecided, Some(p)),
            // What passes both times is compared by its results.
            (None, ..) if is_flaky => (EffectKind::Undecided, None),
            (None, ..) => (EffectKind::Nothing, None),
        }
    };
    all.into_iter().zip(&rates).map(judged).collect()
}

/// The probability that two samples of runs differ by at least so much in how many pass, if both pass equally often.
///
/// Source: R. A. Fisher's exact test, two-sided: over all tables that are at most as likely as the observed one.
fn fisher(one: Rate, other: Rate) -> f64 {
    let (passed, runs) = (one.passed + other.passed, one.runs + other.runs);
    // The logarithm of the number of ways to choose.
    let ways = |of: u32, choose: u32| -> f64 {
        (0..choose).map(|k| (f64::from(of - k) / f64::from(choose - k)).ln()).sum()
    };
    let likely = |passed_of_one: u32| {
        ways(one.runs, passed_of_one) + ways(other.runs, passed - passed_of_one)
            - ways(runs, passed)
    };
    let tables = passed.saturating_sub(other.runs)..=passed.min(one.runs);
    let observed = likely(one.passed);
    let far = tables.map(likely).filter(|table| *table <= observed + 1e-9).map(f64::exp);
    far.sum::<f64>().min(1.0)
}

/// What a change does by its results, which `verdict` compares: whether all runs have the same, without the change and
/// with it.
fn of_results(verdict: Option<Verdict>, usually: bool, with_change: bool) -> EffectKind {
    match verdict {
        Some(Verdict::Different) => match (usually, with_change) {
            (true, false) => EffectKind::Unsettles,
            (false, true) => EffectKind::Settles,
            (true, true) | (false, false) => EffectKind::OtherResult,
        },
        Some(Verdict::Undecided | Verdict::Flaky) => EffectKind::Undecided,
        Some(Verdict::Same | Verdict::SameWithinNoise | Verdict::NoBaseline) | None => {
            EffectKind::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_compared_as_fisher_does() {
        let p = |one: (u32, u32), other: (u32, u32)| {
            let rate = |(passed, runs)| Rate { passed, runs };
            fisher(rate(one), rate(other))
        };
        // scipy.stats.fisher_exact([[16, 4], [2, 18]]), and so on.
        for (one, other, expected) in [
            ((16, 20), (2, 20), 1.664_38e-5),
            ((3, 3), (0, 3), 0.1),
            ((5, 10), (5, 10), 1.0),
            ((1, 7), (6, 8), 0.040_559),
        ] {
            assert!(
                (p(one, other) / expected - 1.0).abs() < 1e-3,
                "{one:?} {other:?} {}",
                p(one, other)
            );
        }
    }
    use crate::facts::record::tests::{record, test};
    use crate::question::criteria::Criteria;
    use TestOutcome::{Failed, Passed};

    #[test]
    fn a_change_is_named_by_what_it_does() {
        let with = |outputs: &[&str]| {
            record("1.0", "3.11").with_runs(outputs.iter().map(|output| {
                let outcome = if output.starts_with('!') { Failed } else { Passed };
                test("t", outcome, output)
            }))
        };
        let criteria = Criteria::default();
        let analysis = Analysis::new(&[], None, &criteria, &|_| None);
        let kinds = |usual: &[&str], changed: &[&[&str]]| -> String {
            let changed: Vec<Record> = changed.iter().map(|outputs| with(outputs)).collect();
            let changed: Vec<Option<&Record>> = changed.iter().map(Some).chain([None]).collect();
            let probed = probe(&with(usual), &changed, &analysis);
            let kinds = probed[0].effects.iter().map(|effect| effect.kind.to_string());
            kinds.collect::<Vec<_>>().join(", ")
        };
        let (same, other): (&[&str], &[&str]) = (&["a"; 3], &["b"; 3]);
        insta::assert_snapshot!(kinds(same, &[same, other, &["!x"; 3], &["a", "a", "!x"]]), @"no effect seen, other result, undecided, undecided, not measured");
        // Another one that varies says that this may be noise.
        insta::assert_snapshot!(kinds(same, &[other, &["a", "b", "c"]]), @"undecided, undecided, not measured");
        insta::assert_snapshot!(kinds(&["{'a', 'b'}"; 3], &[&["{'b', 'a'}"; 3]]), @"only what is looked past, not measured");
        insta::assert_snapshot!(
            kinds(&["{'a', 'b'}", "{'b', 'a'}", "{'a', 'b'}"], &[&["{'b', 'a'}"; 3]]),
            @"no effect seen, not measured"
        );
        // What is constant beside two that differ says that this is no noise.
        insta::assert_snapshot!(kinds(same, &[same, same, same, same, &["a", "b", "c"]]), @"no effect seen, no effect seen, no effect seen, no effect seen, its runs differ, not measured");
        insta::assert_snapshot!(kinds(&["a"], &[&["b"], &["!x"]]), @"undecided, undecided, not measured");
        let noise = &["a", "b", "c", "a", "b", "c", "a", "b"];
        insta::assert_snapshot!(kinds(noise, &[noise, &["a"; 8], &["d"; 8]]), @"no effect seen, its runs agree, its runs agree, not measured");
        // A coin: some surroundings fail three times by chance.
        insta::assert_snapshot!(
            kinds(&["!x"; 3], &[&["a", "!x", "a"], &["a"; 3], &["!x", "a", "a"]]),
            @"undecided, undecided, undecided, not measured"
        );
        let (rarely, often) =
            (&["!x", "a", "a", "a", "a"].repeat(4), &["!x", "!x", "!x", "!x", "a"].repeat(4));
        insta::assert_snapshot!(kinds(rarely, &[rarely, often]), @"undecided, ends otherwise, not measured");
        insta::assert_snapshot!(kinds(&["!x"; 3], &[&["!x"; 3], same]), @"no effect seen, ends otherwise, not measured");
    }
}
