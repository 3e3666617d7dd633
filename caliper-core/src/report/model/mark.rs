use crate::analysis::compare::{Verdict, Verdicts};
use crate::facts::record::{CellOutcome, Record, State};

/// How good something is. A renderer chooses the colour by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// Neither good nor bad.
    Plain,
    /// Less important than the rest.
    Dim,
    /// All is well.
    Good,
    /// It works, and is not the same.
    Notable,
    /// It does not work.
    Bad,
    /// An infrastructure failure.
    Spurious,
}

/// Where one cell ended, over all of its tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Mark {
    /// All results are those of the baseline.
    Same,
    /// The same, with differences within noise.
    WithinNoise,
    /// All tests pass, and there is nothing to compare with.
    Passed,
    /// A result is not the same, which may be noise.
    Undecided,
    /// A result is different.
    Different,
    /// A test passes and fails.
    Flaky,
    /// Some tests fail.
    Failed {
        /// How many pass.
        passed: usize,
        /// How many there are.
        of: usize,
    },
    /// No test passes.
    NothingPasses,
    /// The environment cannot be built.
    BuildFailed,
    /// The user's own requirements exclude the release.
    Excluded,
    /// There is nothing to install.
    Unavailable,
    /// It could not be measured because of an infrastructure failure.
    NotMeasured,
    /// It was not measured.
    NoRecord,
}

impl Mark {
    /// The mark of a cell.
    pub fn of(record: &Record, verdicts: &Verdicts) -> Self {
        Self::over(&record.states(), record, verdicts)
    }

    /// The mark of a cell as far as one test goes. `None` if the record has other tests, but not this one.
    pub fn of_test(record: &Record, verdicts: &Verdicts, test: &str) -> Option<Self> {
        let state = record.state_of(Some(test))?;
        Some(Self::over(&[(test, state)], record, verdicts))
    }

    fn over(tests: &[(&str, State)], record: &Record, verdicts: &Verdicts) -> Self {
        match record.outcome {
            CellOutcome::Unavailable => return Self::Unavailable,
            CellOutcome::BuildFailed if record.is_excluded() => return Self::Excluded,
            CellOutcome::BuildFailed => return Self::BuildFailed,
            CellOutcome::NotMeasured => return Self::NotMeasured,
            CellOutcome::Tested => {}
        }
        // Repeats count as one: a test that passes now and then is flaky, and has not failed.
        let of = tests.len();
        let works = |state: &State| matches!(state, State::Passed | State::Flaky);
        let passed = tests.iter().filter(|(_, state)| works(state)).count();
        let id = record.id();
        let of_tests: Vec<Option<Verdict>> =
            tests.iter().map(|(test, _)| verdicts.verdict(&id, test)).collect();
        let verdict = |verdict| of_tests.contains(&Some(verdict));
        if of > 0 && passed == 0 {
            Self::NothingPasses
        } else if passed < of {
            Self::Failed { passed, of }
        } else if tests.iter().any(|(_, state)| *state == State::Flaky) {
            Self::Flaky
        } else if verdict(Verdict::Different) {
            Self::Different
        } else if verdict(Verdict::Undecided) {
            Self::Undecided
        } else if verdict(Verdict::NoBaseline) || of_tests.contains(&None) {
            Self::Passed
        } else if verdict(Verdict::SameWithinNoise) {
            Self::WithinNoise
        } else {
            Self::Same
        }
    }

    /// How good that is.
    pub fn tone(self) -> Tone {
        match self {
            Self::Same | Self::WithinNoise | Self::Passed => Tone::Good,
            Self::Undecided | Self::Different | Self::Flaky => Tone::Notable,
            Self::Failed { .. } | Self::NothingPasses | Self::BuildFailed => Tone::Bad,
            Self::Excluded | Self::Unavailable | Self::NoRecord => Tone::Dim,
            Self::NotMeasured => Tone::Spurious,
        }
    }

    /// The sign for it, without the numbers of [`Mark::Failed`], and what it means; `None` for a cell that
    /// was not measured.
    pub fn legend(self) -> Option<Legend> {
        let (sign, more) = match self {
            Self::Same => ("✓", ""),
            Self::WithinNoise => ("≈", ""),
            Self::Passed => ("○", ", nothing to compare with"),
            Self::Undecided => ("≠?", ": not the same result, which may be noise"),
            Self::Different => ("≠", ""),
            Self::Flaky => ("~", ": passes now and then"),
            Self::Failed { .. } => ("✗ n/m", ": n of m tests pass"),
            Self::NothingPasses => ("✗", ": no test passes"),
            Self::BuildFailed => ("B", ""),
            Self::Excluded => ("R", ""),
            Self::Unavailable => ("·", ""),
            Self::NotMeasured => ("?", ""),
            Self::NoRecord => return None,
        };
        Some(Legend { sign, word: self.word(), more })
    }

    /// The word for it, in legends and sums. It is the word of the [`State`] or the [`Verdict`] that it stands
    /// for.
    pub fn word(self) -> &'static str {
        match self {
            Self::Same => "same result",
            Self::WithinNoise => "same result, within noise",
            Self::Passed => "passes",
            Self::Undecided => "undecided",
            Self::Different => "different result",
            Self::Flaky => "flaky",
            Self::Failed { .. } | Self::NothingPasses => "fails",
            Self::BuildFailed => "cannot be built",
            Self::Excluded => "excluded by your requirements",
            Self::Unavailable => "nothing to install",
            Self::NotMeasured => "could not be measured",
            Self::NoRecord => "not measured",
        }
    }

    /// As what the cell counts in a sum, and where that stands among the others.
    pub(super) fn counts_as(self) -> (u8, Tone, &'static str) {
        let (place, tone) = match self {
            Self::Same | Self::WithinNoise | Self::Passed => (0, Tone::Good),
            Self::Undecided | Self::Different | Self::Flaky => (1, Tone::Notable),
            Self::Failed { .. } | Self::NothingPasses => (2, Tone::Bad),
            Self::BuildFailed => (3, Tone::Bad),
            Self::Unavailable | Self::Excluded => (4, Tone::Dim),
            Self::NotMeasured | Self::NoRecord => (5, Tone::Spurious),
        };
        (place, tone, self.word())
    }
}

impl std::fmt::Display for Mark {
    /// A sign as short as it can be, such as `✓` or `✗ 1/2`; a blank for a cell that was not measured.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self, self.legend()) {
            (Self::Failed { passed, of }, _) => write!(formatter, "✗ {passed}/{of}"),
            (_, Some(Legend { sign, .. })) => formatter.write_str(sign),
            (_, None) => formatter.write_str(" "),
        }
    }
}

/// The mark of a cell in a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CellMark {
    /// Where its record ended.
    pub mark: Mark,
    /// Whether the record is [stale](crate::analysis::results::Results::stale).
    pub is_stale: bool,
}

impl CellMark {
    /// The word for what is stale.
    const STALE: &'static str = "stale";

    /// What its signs mean.
    pub fn legends(self) -> impl Iterator<Item = Legend> {
        const STALE: Legend = Legend {
            sign: "( )",
            word: CellMark::STALE,
            more: ": answers an earlier question, counts for nothing",
        };
        self.mark.legend().into_iter().chain(self.is_stale.then_some(STALE))
    }

    /// How good that is.
    pub fn tone(self) -> Tone {
        if self.is_stale { Tone::Dim } else { self.mark.tone() }
    }

    /// As [`Mark::counts_as`].
    pub(super) fn counts_as(self) -> (u8, Tone, &'static str) {
        if self.is_stale { (6, Tone::Dim, Self::STALE) } else { self.mark.counts_as() }
    }
}

impl std::fmt::Display for CellMark {
    /// The mark, in parentheses if it is stale.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { mark, is_stale } = self;
        if *is_stale { write!(formatter, "({mark})") } else { write!(formatter, "{mark}") }
    }
}

/// What a sign means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Legend {
    /// The sign.
    pub sign: &'static str,
    /// The word for it.
    pub word: &'static str,
    /// What explains the word, with the punctuation before it; may be empty.
    pub more: &'static str,
}

impl std::fmt::Display for Legend {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}{}", self.sign, self.word, self.more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_has_one_word_wherever_it_is_said() {
        for (mark, state) in [
            (Mark::Passed, State::Passed),
            (Mark::Flaky, State::Flaky),
            (Mark::NothingPasses, State::Failed),
            (Mark::BuildFailed, State::BuildFailed),
            (Mark::Excluded, State::Excluded),
            (Mark::Unavailable, State::Unavailable),
            (Mark::NotMeasured, State::NotMeasured),
        ] {
            assert_eq!(mark.word(), state.to_string());
        }
        for (mark, verdict) in [
            (Mark::Same, Verdict::Same),
            (Mark::WithinNoise, Verdict::SameWithinNoise),
            (Mark::Different, Verdict::Different),
            (Mark::Undecided, Verdict::Undecided),
            (Mark::Flaky, Verdict::Flaky),
        ] {
            let legend = mark.legend().unwrap();
            assert!(verdict.to_string().starts_with(mark.word()), "{verdict}");
            assert!(legend.to_string().contains(mark.word()), "{legend}");
        }
        for (mark, outcome) in [
            (Mark::BuildFailed, CellOutcome::BuildFailed),
            (Mark::Unavailable, CellOutcome::Unavailable),
            (Mark::NotMeasured, CellOutcome::NotMeasured),
        ] {
            assert_eq!(mark.word(), outcome.to_string());
        }
    }
}
