use std::fmt;

use serde::{Deserialize, Serialize};

use super::answers::Outcome;
use crate::analysis::Analysis;
use crate::analysis::compare::Verdict;
use crate::analysis::row::State;
use crate::facts::record::{CellOutcome, Record};

/// What the bad end has and the good one does not.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Symptom {
    /// The test fails.
    Fails,
    /// The environment cannot be built.
    CannotBeBuilt,
    /// The test passes with another result.
    OtherResult,
}

impl fmt::Display for Symptom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Fails => "fails",
            Self::CannotBeBuilt => "cannot be built",
            Self::OtherResult => "gives another result",
        })
    }
}

/// Why two measurements are no two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoDifference {
    /// The test passes in both, with the same result.
    SameResult,
    /// The test passes in both, and more runs must show whether the result is the same.
    Undecided,
    /// The test passes in neither.
    NeitherPasses,
    /// The test passes and fails in at least one of them.
    Flaky,
    /// At least one of them has no run of the test.
    NotMeasured,
}

impl fmt::Display for NoDifference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::SameResult => "the test passes with both, with the same result",
            Self::Undecided => {
                "the test passes with both, and it is not known whether its result is the same: more repeats would tell"
            }
            Self::NeitherPasses => "the test passes with neither",
            Self::Flaky => "the test is flaky with at least one of them",
            Self::NotMeasured => "the test was not run with both",
        })
    }
}

/// A good and a bad measurement of one test, with which others are compared.
#[derive(Debug, Clone, Copy)]
pub struct Ends<'a> {
    /// The test passes here.
    pub good: &'a Record,
    /// Here it does not, or with another result.
    pub bad: &'a Record,
    /// The test.
    pub test: &'a str,
    /// How they differ.
    pub symptom: Symptom,
}

impl<'a> Ends<'a> {
    /// Two measurements as ends. The one that passes is good; if both pass with different results, `one` is.
    ///
    /// # Errors
    ///
    /// [`NoDifference`] if they are alike, or if this is not known.
    pub fn of(
        one: &'a Record,
        other: &'a Record,
        test: &'a str,
        analysis: &Analysis<'_>,
    ) -> Result<Self, NoDifference> {
        let is_built = |record: &Record| record.outcome == CellOutcome::Tested;
        let bad = |good, bad: &'a Record| {
            let symptom = if is_built(bad) { Symptom::Fails } else { Symptom::CannotBeBuilt };
            Ok(Self { good, bad, test, symptom })
        };
        match (State::of(one, test), State::of(other, test)) {
            (State::Flaky, _) | (_, State::Flaky) => Err(NoDifference::Flaky),
            (State::Unmeasured, _) | (_, State::Unmeasured) => Err(NoDifference::NotMeasured),
            (State::Passed, State::Passed) => {
                let verdict = analysis.compare(&[(one, other, test)]).pop();
                match verdict.and_then(|(verdict, _)| verdict) {
                    Some(Verdict::Different) => {
                        Ok(Self { good: one, bad: other, test, symptom: Symptom::OtherResult })
                    }
                    Some(Verdict::Same | Verdict::SameWithinNoise) => Err(NoDifference::SameResult),
                    Some(Verdict::Flaky) => Err(NoDifference::Flaky),
                    Some(Verdict::Undecided | Verdict::NoBaseline) | None => {
                        Err(NoDifference::Undecided)
                    }
                }
            }
            (State::Passed, State::Failed | State::Unavailable) => bad(one, other),
            (State::Failed | State::Unavailable, State::Passed) => bad(other, one),
            (State::Failed | State::Unavailable, State::Failed | State::Unavailable) => {
                Err(NoDifference::NeitherPasses)
            }
        }
    }

    /// Which end a measurement is like.
    ///
    /// It is bad only if it fails as the bad end does, by [`Analysis::same`]: a mixture of two locks may fail in ways
    /// of its own.
    pub fn judge(&self, record: &Record, analysis: &Analysis<'_>) -> Outcome {
        let Self { good, bad, test, symptom } = *self;
        let is_like = |end: &Record| analysis.same(end, record, test);
        match (State::of(record, test), symptom) {
            (State::Flaky, _) => Outcome::Flaky,
            (State::Unavailable | State::Unmeasured, _) => Outcome::Unresolvable,
            (State::Passed, Symptom::Fails | Symptom::CannotBeBuilt) => Outcome::Good,
            (State::Passed, Symptom::OtherResult) => match (is_like(good), is_like(bad)) {
                (true, false) => Outcome::Good,
                (false, true) => Outcome::Bad,
                (false, false) => Outcome::Unresolvable,
                // Its noise covers both.
                (true, true) => Outcome::Flaky,
            },
            (State::Failed, Symptom::Fails | Symptom::CannotBeBuilt) if is_like(bad) => {
                Outcome::Bad
            }
            (State::Failed, _) => Outcome::Unresolvable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::record::TestOutcome::{Failed, Passed};
    use crate::facts::testing::{record, test};
    use crate::question::criteria::Criteria;

    /// A cell in which the test `t` ran three times: `+` passes and `-` fails, both print the text behind.
    fn cell(runs: &str) -> Record {
        if runs == "not built" {
            let mut record = record("1.0", "3.11");
            record.outcome = CellOutcome::BuildFailed;
            return record;
        }
        let (ends, printed) = runs.split_at(3);
        let each = ends.chars().map(|end| {
            let mut test = test("t", if end == '+' { Passed } else { Failed }, printed);
            if end == '-' {
                test.runs[0].error = format!("{printed}\n");
            }
            test
        });
        record("1.0", "3.11").with_runs(each)
    }

    #[test]
    fn a_measurement_is_like_one_end_or_like_none() {
        use Outcome::{Bad, Flaky, Good, Unresolvable};
        let criteria = Criteria::default();
        let analysis = Analysis::new(&[], None, &criteria, &|_| None);
        for (good, bad, symptom, judged) in [
            (
                "+++1",
                "---ValueError: a",
                Symptom::Fails,
                vec![
                    ("+++1", Good),
                    ("+++2", Good), // the result does not matter
                    ("---ValueError: a", Bad),
                    ("---TypeError: a", Unresolvable),
                    ("+-+ValueError: a", Flaky),
                    ("not built", Unresolvable),
                ],
            ),
            (
                "+++1",
                "not built",
                Symptom::CannotBeBuilt,
                vec![("+++1", Good), ("not built", Bad), ("---ValueError: a", Unresolvable)],
            ),
            (
                "+++1",
                "+++2",
                Symptom::OtherResult,
                vec![
                    ("+++1", Good),
                    ("+++2", Bad),
                    ("+++3", Unresolvable),
                    ("---ValueError: a", Unresolvable),
                ],
            ),
        ] {
            let (good, bad) = (cell(good), cell(bad));
            let ends = Ends::of(&good, &bad, "t", &analysis).unwrap();
            assert_eq!(ends.symptom, symptom);
            for (runs, outcome) in judged {
                assert_eq!(ends.judge(&cell(runs), &analysis), outcome, "{symptom}: {runs}");
            }
            if symptom != Symptom::OtherResult {
                let turned = Ends::of(&bad, &good, "t", &analysis).unwrap();
                assert!(std::ptr::eq(turned.good, &raw const good));
            }
        }
    }

    #[test]
    fn two_measurements_that_are_alike_are_no_ends() {
        let criteria = Criteria::default();
        let analysis = Analysis::new(&[], None, &criteria, &|_| None);
        for (one, other, why) in [
            ("+++1", "+++1", NoDifference::SameResult),
            ("---a", "---b", NoDifference::NeitherPasses),
            ("not built", "---b", NoDifference::NeitherPasses),
            ("+++1", "+-+1", NoDifference::Flaky),
        ] {
            let told = Ends::of(&cell(one), &cell(other), "t", &analysis).map(|_| ()).unwrap_err();
            assert_eq!(told, why, "{one} and {other}");
        }
        let cell = cell("+++1");
        let none = Ends::of(&cell, &cell, "u", &analysis);
        assert_eq!(none.map(|_| ()).unwrap_err(), NoDifference::NotMeasured);
    }
}
