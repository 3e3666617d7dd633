use std::fmt;

use crate::analysis::compare::{Verdict, Verdicts};

/// Results of which too few runs tell whether they differ from the baseline, or only by noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenQuestions {
    /// How many results more runs would decide.
    pub decidable: usize,
    /// How many runs of each test would decide all of these.
    pub runs: u32,
    /// How many results vary so much that no number of runs is known to decide them.
    pub undecidable: usize,
}

impl OpenQuestions {
    /// Counts the open questions. `None` if nothing is open.
    pub fn of(verdicts: &Verdicts) -> Option<Self> {
        let mut open = Self { decidable: 0, runs: 0, undecidable: 0 };
        for judged in verdicts.iter().filter(|one| one.verdict == Some(Verdict::Undecided)) {
            let evidence = judged.evidence.as_ref();
            match evidence.and_then(|evidence| evidence.noise.as_ref()).map(|noise| noise.needed) {
                Some(Some(needed)) => {
                    open.decidable += 1;
                    open.runs = open.runs.max(needed);
                }
                Some(None) => open.undecidable += 1,
                None => {}
            }
        }
        (open.decidable + open.undecidable > 0).then_some(open)
    }
}

impl fmt::Display for OpenQuestions {
    /// A line for each kind, without a line break at the end.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { decidable, runs, undecidable } = self;
        let count = |count: usize| match count {
            1 => "1 result is not that of the baseline".to_owned(),
            more => format!("{more} results are not those of the baseline"),
        };
        if *decidable > 0 {
            write!(
                formatter,
                "{}, which may be noise; {runs} runs of each would tell, and `caliper run \
                 --confirm` makes them",
                count(*decidable)
            )?;
        }
        if *decidable > 0 && *undecidable > 0 {
            formatter.write_str("\n")?;
        }
        if *undecidable > 0 {
            let count = count(*undecidable);
            write!(
                formatter,
                "{count}, and runs as different as these do not tell whether that is noise"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_question_has_its_line() {
        let text = |decidable, runs, undecidable| {
            OpenQuestions { decidable, runs, undecidable }.to_string()
        };
        insta::assert_snapshot!(text(1, 4, 0), @"1 result is not that of the baseline, which may be noise; 4 runs of each would tell, and `caliper run --confirm` makes them");
        insta::assert_snapshot!(text(2, 5, 3), @"
        2 results are not those of the baseline, which may be noise; 5 runs of each would tell, and `caliper run --confirm` makes them
        3 results are not those of the baseline, and runs as different as these do not tell whether that is noise
        ");
        assert_eq!(OpenQuestions::of(&Verdicts::default()), None);
    }
}
