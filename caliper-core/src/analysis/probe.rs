//! What a change of its surroundings does to a test.

use std::fmt;

use serde::Serialize;

use super::Analysis;
use super::compare::same::{Beside, judge_beside};
use super::compare::{Evidence, Rung, Verdict};
use crate::facts::record::{Record, State, test_names};

/// What changes of its surroundings do to one test.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct TestProbed {
    /// The test.
    pub test: String,
    /// How it ends in the usual surroundings.
    pub usual: State,
    /// How often it was run in them.
    pub runs: u32,
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

/// What changes do to the tests of a cell: `changed` are its records with each of them, `None` where there is none, and
/// `usual` is the one without.
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
            .map(|record| {
                let state = record.and_then(|record| state(record, test));
                let runs = record.map_or(0, |record| record.attempts(test));
                let kind = ends(usual, *record, test, analysis);
                Effect { kind, state, runs, odd: 0, evidence: None }
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
            is_constant,
            odd: usually_odd,
            effects,
        }
    };
    tests.into_iter().map(probed).collect()
}

/// What a change does by how the test ends, where it does not pass both times.
fn ends(
    usual: &Record,
    changed: Option<&Record>,
    test: &str,
    analysis: &Analysis<'_>,
) -> EffectKind {
    let Some(changed) = changed else { return EffectKind::NotMeasured };
    let states = [usual, changed].map(|record| record.state_of(Some(test)));
    match states {
        // What passes both times is compared by its results.
        [Some(State::Passed), Some(State::Passed)] | [Some(State::Flaky), Some(State::Flaky)] => {
            EffectKind::Nothing
        }
        [Some(State::Failed), Some(State::Failed)] if analysis.same(usual, changed, test) => {
            EffectKind::Nothing
        }
        [Some(State::Passed | State::Failed), Some(State::Passed | State::Failed)] => {
            // One run each may be chance.
            let runs = usual.attempts(test).min(changed.attempts(test));
            if runs > 1 { EffectKind::EndsOtherwise } else { EffectKind::Undecided }
        }
        [Some(State::Flaky), Some(State::Passed | State::Failed)]
        | [Some(State::Passed | State::Failed), Some(State::Flaky)] => EffectKind::Undecided,
        _ => EffectKind::NotMeasured,
    }
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
    use crate::facts::record::TestOutcome::{Failed, Passed};
    use crate::facts::record::tests::{record, test};
    use crate::question::criteria::Criteria;

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
        insta::assert_snapshot!(kinds(same, &[same, other, &["!x"; 3], &["a", "a", "!x"]]), @"no effect seen, other result, ends otherwise, undecided, not measured");
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
        insta::assert_snapshot!(kinds(&["!x"; 3], &[&["!x"; 3], same]), @"no effect seen, ends otherwise, not measured");
    }
}
