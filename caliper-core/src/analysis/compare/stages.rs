//! In which stage the runs of a test part.
//!
//! The runs of one cell have the same environment, so that what differs between them is the doing of the seed, of
//! the test or of the machine. The stages say since when: if what the runs begin with is the same and what they end
//! with is not, the difference comes from the computation.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::cells::Cells;
use super::comparer::Comparer;
use super::comparison::{PartComparison, Rung};
use super::runs::{Runs, STDOUT};
use crate::facts::record::{CellOutcome, Record, Run, TestOutcome, TestRecord};
use crate::question::criteria::Stage;
use crate::question::grid::CellId;

/// How alike the runs of a test in a cell are, stage by stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StagesOfRuns {
    /// The cell.
    #[schemars(with = "String")]
    pub cell: CellId,
    /// The test.
    pub test: String,
    /// The run that the others are compared with: the first that passed, counted from 1.
    pub first: u32,
    /// How many runs were compared with it: all others that passed.
    pub compared: u32,
    /// How many runs did not pass. They are not compared.
    pub failed: u32,
    /// Whether the runs have different seeds, as far as they have any.
    pub seeds_differ: bool,
    /// The stages, in the order of the configuration; what the test prints is the last.
    pub stages: Vec<StageVerdict>,
}

/// What is found of one stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StageVerdict {
    /// Its name.
    pub stage: String,
    /// How many files it has in the first run.
    pub files: u32,
    /// Whether the runs agree.
    pub agreement: Agreement,
    /// The runs that do not agree with the first, counted from 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differing: Vec<u32>,
    /// What differs in the first of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartComparison>,
}

/// Whether runs agree in a stage.
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
pub enum Agreement {
    /// The same bytes, or the same after what the criteria look past.
    Same,
    /// They differ in numbers, all within their tolerance.
    WithinTolerance,
    /// They differ.
    Differs,
    /// No run has a file of the stage, so that nothing is known of it.
    NoFiles,
}

impl fmt::Display for Agreement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Same => "same",
            Self::WithinTolerance => "within tolerance",
            Self::Differs => "differs",
            Self::NoFiles => "no files",
        })
    }
}

impl Agreement {
    fn of(rung: Rung) -> Self {
        match rung {
            Rung::SameBytes | Rung::SameNormalised => Self::Same,
            Rung::WithinTolerance => Self::WithinTolerance,
            Rung::OtherNumbers | Rung::OtherText => Self::Differs,
        }
    }
}

/// How many differing parts of a stage are kept.
const MOST_PARTS: usize = 20;

impl StagesOfRuns {
    /// Of each test in each cell with at least two runs that passed, where the criteria name stages.
    pub(in crate::analysis) fn all(cells: &Cells<'_>) -> Vec<Self> {
        let stages = &cells.comparer.criteria.stages;
        if stages.is_empty() {
            return Vec::new();
        }
        let find = Stage::finder(stages);
        let tested = cells.records.iter().filter(|record| record.outcome == CellOutcome::Tested);
        let of_cell = |record| Record::judged(record).iter().map(move |test| (record, test));
        let tests = tested.flat_map(of_cell);
        tests.filter_map(|(record, test)| Self::of(record, test, &find, &cells.comparer)).collect()
    }

    /// Of a test in a cell; `find` tells the place of the stage that a file belongs to. `None` if there is nothing to
    /// compare.
    fn of(
        record: &Record,
        test: &TestRecord,
        find: &dyn Fn(&str) -> Option<usize>,
        comparer: &Comparer<'_>,
    ) -> Option<Self> {
        // With `exit-status` nothing of its files is compared, and nothing is said of them.
        if comparer.criteria.of(&test.name).exit_status {
            return None;
        }
        let passed: Vec<&Run> =
            test.runs.iter().filter(|run| run.outcome == TestOutcome::Passed).collect();
        let (first, others) = passed.split_first().filter(|(_, others)| !others.is_empty())?;
        let runs = Runs::of_passed(record, &test.name, comparer);
        let names = comparer.criteria.stages.iter().map(|stage| stage.name.as_str());
        let mut verdicts: Vec<StageVerdict> =
            names.chain([Stage::OUTPUT]).map(StageVerdict::nothing).collect();
        let output = verdicts.len() - 1;
        let place = |part: &str| if part == STDOUT { Some(output) } else { find(part) };
        for place in runs.parts_of(0).filter_map(place) {
            verdicts[place].files += 1;
            verdicts[place].agreement = Agreement::Same;
        }
        for (run, parts) in others.iter().zip(runs.against_first(comparer, &|_| true)) {
            let mut of_stages: BTreeMap<usize, Vec<PartComparison>> = BTreeMap::new();
            for part in parts {
                if let Some(place) = place(&part.part) {
                    of_stages.entry(place).or_default().push(part);
                }
            }
            for (place, parts) in of_stages {
                verdicts[place].add(run.attempt, parts);
            }
        }
        // What a test prints is no stage where it is not compared.
        verdicts.retain(|verdict| verdict.stage != Stage::OUTPUT || verdict.files > 0);
        let seeds: BTreeSet<u64> = passed.iter().filter_map(|run| run.seed).collect();
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Some(Self {
            cell: record.id(),
            test: test.name.clone(),
            first: first.attempt,
            compared: number(others.len()),
            failed: number(test.runs.len() - passed.len()),
            seeds_differ: seeds.len() > 1,
            stages: verdicts,
        })
    }

    /// Where the runs part, in a sentence.
    pub fn conclusion(&self) -> String {
        let is_known = |one: &&StageVerdict| one.agreement != Agreement::NoFiles;
        let part = |one: &StageVerdict| {
            matches!(one.agreement, Agreement::WithinTolerance | Agreement::Differs)
        };
        let Some(parting) = self.stages.iter().position(part) else {
            let (known, unknown): (Vec<_>, Vec<_>) = self.stages.iter().partition(is_known);
            return match (known.as_slice(), unknown.as_slice()) {
                ([], _) => "no run left a file of a stage, so nothing is known".to_owned(),
                (known, []) => format!("all runs agree in {}", list(known)),
                (known, unknown) => format!(
                    "all runs agree in {}; no run left a file of {}",
                    list(known),
                    list(unknown)
                ),
            };
        };
        let (before, from) = self.stages.split_at(parting);
        let (before, unknown): (Vec<_>, Vec<_>) = before.iter().partition(is_known);
        let from: Vec<&StageVerdict> = from.iter().filter(is_known).collect();
        let agreement = match from[0].agreement {
            Agreement::WithinTolerance => "differs within the tolerance",
            _ => "differs",
        };
        let first = format!("`{}` {agreement}", from[0].stage);
        if !unknown.is_empty() {
            let before =
                if before.is_empty() { String::new() } else { format!("{}, ", are(&before)) };
            return format!(
                "{before}{first}; no run left a file of {}, so it is not known where the runs part",
                list(&unknown)
            );
        }
        match (before.as_slice(), from.as_slice()) {
            ([], [_]) => format!("{first}, and it is the only stage that is known"),
            ([], _) => format!("{first}: the runs do not begin with the same"),
            (before, [last]) if last.stage == Stage::OUTPUT => {
                format!("{}, {first}: only what the test prints differs", are(before))
            }
            (before, from) if is_end(from) => {
                let seeds = if self.seeds_differ { ", which had other seeds" } else { "" };
                format!(
                    "{}, {first}: the difference comes from the computation{seeds}",
                    are(before)
                )
            }
            (before, _) => format!("{}, {first}: the runs part there", are(before)),
        }
    }
}

/// Whether what is left is the end of an experiment: its last files, or what it prints, or both.
fn is_end(from: &[&StageVerdict]) -> bool {
    matches!(from, [_]) || matches!(from, [_, last] if last.stage == Stage::OUTPUT)
}

/// That stages are the same.
fn are(stages: &[&StageVerdict]) -> String {
    let verb = if stages.len() == 1 { "is" } else { "are" };
    format!("{} {verb} the same", list(stages))
}

fn list(stages: &[&StageVerdict]) -> String {
    let names: Vec<String> = stages.iter().map(|one| format!("`{}`", one.stage)).collect();
    match names.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => names.concat(),
    }
}

impl StageVerdict {
    fn nothing(stage: &str) -> Self {
        Self {
            stage: stage.to_owned(),
            files: 0,
            agreement: Agreement::NoFiles,
            differing: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// Takes what differs in a run.
    fn add(&mut self, attempt: u32, mut parts: Vec<PartComparison>) {
        let worst = parts.iter().map(|part| Agreement::of(part.comparison.rung)).max();
        let worst = worst.unwrap_or(Agreement::Same);
        if self.agreement == Agreement::NoFiles || worst > self.agreement {
            self.agreement = worst;
        }
        if worst > Agreement::Same {
            self.differing.push(attempt);
            if self.parts.is_empty() {
                parts.retain(|part| Agreement::of(part.comparison.rung) > Agreement::Same);
                parts.truncate(MOST_PARTS);
                self.parts = parts;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Analysis;
    use crate::facts::record::TestOutcome::{Failed, Passed};
    use crate::facts::record::tests::{record, test};
    use crate::facts::record::{BlobRef, RecordedResult};
    use crate::names::Sha256;
    use crate::question::criteria::Criteria;

    /// Of a run: its files with their content, what it prints, and how it ends.
    type Left<'a> = (&'a [(&'a str, &'a str)], &'a str, TestOutcome);

    /// What is said of runs, of each of which these are the files with their content, and what it prints.
    fn told(stages: &[(&str, &str)], runs: &[Left<'_>]) -> StagesOfRuns {
        let mut record = record("1.0", "3.11");
        for (files, printed, outcome) in runs {
            let mut one = test("t", *outcome, printed);
            one.runs[0].files = files
                .iter()
                .map(|(path, content)| {
                    let sha256 = Sha256::of(content.as_bytes());
                    RecordedResult {
                        path: (*path).to_owned(),
                        size: content.len() as u64,
                        sha256,
                        content: Some(BlobRef(sha256)),
                    }
                })
                .collect();
            record = record.with_runs([one]);
        }
        let all: Vec<&str> =
            runs.iter().flat_map(|(files, ..)| files.iter().map(|(_, content)| *content)).collect();
        let blobs = |blob: BlobRef| {
            let found = all.iter().find(|content| Sha256::of(content.as_bytes()) == blob.0);
            found.map(|content| content.as_bytes().to_vec().into())
        };
        let stage = |(name, files): &(&str, &str)| Stage {
            name: (*name).to_owned(),
            files: vec![(*files).to_owned()],
        };
        let criteria =
            Criteria { stages: stages.iter().map(stage).collect(), ..Criteria::default() };
        let records = [record];
        let analysis = Analysis::new(&records, None, &criteria, &blobs);
        analysis.stages().pop().unwrap()
    }

    const STAGES: &[(&str, &str)] =
        &[("init", "init*"), ("batches", "order*"), ("final", "final*")];

    fn files(contents: [&str; 3]) -> [(&'static str, &str); 3] {
        let [init, order, last] = contents;
        [("final.txt", last), ("init.txt", init), ("order 0.txt", order)]
    }

    #[test]
    fn the_stage_in_which_runs_part_is_named() {
        let conclusion = |first: [&str; 3], second: [&str; 3], printed: [&str; 2]| {
            let (first, second) = (files(first), files(second));
            let runs = [(&first[..], printed[0], Passed), (&second[..], printed[1], Passed)];
            told(STAGES, &runs).conclusion()
        };
        let same = ["1", "2", "3"];
        let cases = [
            conclusion(same, same, ["", ""]),
            conclusion(same, ["1", "2", "4"], ["", ""]),
            conclusion(same, ["1", "2", "4"], ["loss 1", "loss 2"]),
            conclusion(same, same, ["loss 1", "loss 2"]),
            conclusion(same, ["1", "5", "4"], ["", ""]),
            conclusion(same, ["6", "5", "4"], ["", ""]),
            conclusion(["1.0", "2", "3"], ["1.00000000001", "2", "3"], ["", ""]),
        ];
        insta::assert_snapshot!(cases.join("\n"), @r"
        all runs agree in `init`, `batches`, `final` and `output`
        `init` and `batches` are the same, `final` differs: the difference comes from the computation
        `init` and `batches` are the same, `final` differs: the difference comes from the computation
        `init`, `batches` and `final` are the same, `output` differs: only what the test prints differs
        `init` is the same, `batches` differs: the runs part there
        `init` differs: the runs do not begin with the same
        `init` differs within the tolerance: the runs do not begin with the same
        ");
        // A stage of which no run left a file.
        let lone = |second| {
            let runs: [Left<'_>; 2] =
                [(&[("init.txt", "1")], "", Passed), (&[("init.txt", second)], "", Passed)];
            let of = |stages: &[(&str, &str)]| {
                let mut found = told(stages, &runs);
                found.stages.retain(|one| one.stage != Stage::OUTPUT);
                found.conclusion()
            };
            let (lost, init) = (("lost", "lost*"), ("init", "init*"));
            [of(&[init]), of(&[lost, init]), of(&[init, lost]), of(&[lost])].join("\n")
        };
        insta::assert_snapshot!(lone("2"), @r"
        `init` differs, and it is the only stage that is known
        `init` differs; no run left a file of `lost`, so it is not known where the runs part
        `init` differs, and it is the only stage that is known
        no run left a file of a stage, so nothing is known
        ");
        insta::assert_snapshot!(lone("1"), @r"
        all runs agree in `init`
        all runs agree in `init`; no run left a file of `lost`
        all runs agree in `init`; no run left a file of `lost`
        no run left a file of a stage, so nothing is known
        ");
    }

    #[test]
    fn runs_that_fail_are_counted_and_not_compared() {
        let [first, second] = [files(["1", "2", "3"]), files(["1", "2", "9"])];
        let runs = [
            (&second[..], "", Failed),
            (&first[..], "", Passed),
            (&first[..], "", Passed),
            (&second[..], "", Passed),
        ];
        let found = told(STAGES, &runs);
        assert_eq!((found.first, found.compared, found.failed), (2, 2, 1));
        let last = &found.stages[2];
        assert_eq!((last.agreement, &last.differing[..]), (Agreement::Differs, &[4][..]));
        assert_eq!(last.parts[0].part, "final.txt");
        // A file that only one of two runs left.
        let less = [("init.txt", "1"), ("order 0.txt", "2")];
        let runs = [(&less[..], "", Passed), (&first[..], "", Passed)];
        let last = &told(STAGES, &runs).stages[2];
        assert_eq!((last.files, last.agreement), (0, Agreement::Differs));
    }
}
