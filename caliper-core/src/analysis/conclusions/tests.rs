use std::cell::RefCell;

use super::*;
use crate::facts::record::tests::{record, run};
use crate::facts::record::{
    BuildReason, BuildRecord, CellOutcome, RecordedResult, Run, TestOutcome, TestRecord,
};
use crate::facts::store::Content;
use crate::names::Sha256;
use crate::question::criteria::TestCriteria;

/// A store of blobs that counts how often each is read.
#[derive(Default)]
struct Counting {
    blobs: RefCell<BTreeMap<BlobRef, Vec<u8>>>,
    read: RefCell<BTreeMap<BlobRef, u32>>,
}

impl Counting {
    fn save(&self, content: &str) -> BlobRef {
        let blob = BlobRef(Sha256::of(content.as_bytes()));
        self.blobs.borrow_mut().insert(blob, content.into());
        blob
    }

    fn read(&self, blob: BlobRef) -> Option<Content> {
        *self.read.borrow_mut().entry(blob).or_default() += 1;
        self.blobs.borrow().get(&blob).cloned().map(Content::from)
    }

    fn times(&self, content: &str) -> u32 {
        let blob = BlobRef(Sha256::of(content.as_bytes()));
        self.read.borrow().get(&blob).copied().unwrap_or_default()
    }

    /// A run that printed `content`, too long for a record, and left it in a file.
    fn run(&self, outcome: TestOutcome, content: &str, file: &str) -> Run {
        let mut run = run(outcome, "shortened");
        run.output_blob = Some(self.save(content));
        run.error_blob = Some(self.save("warning\n"));
        let kept = self.save(file);
        let path = "out.csv".to_owned();
        run.files = vec![RecordedResult {
            path,
            size: file.len() as u64,
            sha256: kept.0,
            content: Some(kept),
        }];
        run
    }

    /// `count` more runs of the test of a record, that print `loss` with noise.
    fn measure(&self, record: &mut Record, loss: f64, count: u32) {
        for _ in 0..count {
            let attempt = f64::from(record.attempts("t"));
            let seed = loss.to_bits() % 89;
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            let noise = (attempt * 37.0 + seed as f64) % 11.0 * 1e-3;
            let (output, file) = (format!("loss {}\n", loss + noise), format!("{loss},{noise}\n"));
            let run = self.run(TestOutcome::Passed, &output, &file);
            record.add_run(&TestRecord::new("t", ["python", "t.py"]), run);
        }
    }
}

/// Releases with equal results, with others, one that fails, and one that cannot be built.
fn measured(store: &Counting) -> Vec<Record> {
    let mut records: Vec<Record> =
        (0..8).map(|minor| record(&format!("1.{minor}"), "3.11")).collect();
    for (minor, record) in records.iter_mut().enumerate() {
        match minor {
            2 => {
                let run = store.run(TestOutcome::Failed, "failed\n", "none\n");
                record.add_run(&TestRecord::new("t", ["python", "t.py"]), run);
            }
            3 | 4 => {
                record.outcome = CellOutcome::BuildFailed;
                let mut build = BuildRecord::new(Some(BuildReason::CompilerMissing), 1);
                build.log = Some(store.save("error: no compiler\n"));
                record.build = Some(build);
            }
            0 | 1 => store.measure(record, 2.0, 2),
            _ => store.measure(record, f64::from(u8::try_from(minor % 2).unwrap()), 2),
        }
    }
    records
}

#[test]
fn every_blob_is_read_once() {
    let store = Counting::default();
    let records = measured(&store);
    let again: Vec<Record> = records
        .iter()
        .cloned()
        .map(|mut record| {
            if let Some(test) = record.tests.first_mut() {
                for run in &mut test.runs {
                    run.output_blob =
                        run.output_blob.map(|_| store.save(&format!("loss {}\n", run.attempt)));
                }
            }
            record
        })
        .collect();
    let criteria = Criteria {
        usual: TestCriteria { stderr: true, ..TestCriteria::default() },
        ..Criteria::default()
    };
    let blobs = |blob| store.read(blob);
    let analysis = Analysis::new(&records, None, &criteria, &blobs);
    assert!(analysis.verdicts().iter().any(|one| one.evidence.is_some()));
    assert!(analysis.rows().iter().any(|row| !row.transitions.is_empty()));
    assert!(analysis.blind(&again).is_some_and(|blind| blind.results > 0));
    assert!(!analysis.repeats_to_decide().is_empty());
    assert!(!analysis.causes().is_empty());
    // No two runs of a release print the same, so two are too few to say that it is the same.
    assert!(records.iter().skip(5).all(|other| !analysis.same(&records[0], other, "t")));

    let read = store.read.borrow().clone();
    assert!(read.values().all(|times| *times == 1), "{read:?}");
    // What is the same everywhere, or of a test that failed, need not be read.
    assert_eq!((store.times("warning\n"), store.times("failed\n")), (0, 0));
    assert_eq!((store.times("loss 1\n"), store.times("error: no compiler\n")), (1, 1));
    // Six cells that pass with two runs; those of equal releases are equal.
    assert!(read.len() > 10, "{read:?}");
}

#[test]
fn further_rounds_read_only_what_is_new() {
    let store = Counting::default();
    let mut records = measured(&store);
    let (criteria, outputs) = (Criteria::default(), Arc::default());
    let blobs = |blob| store.read(blob);
    let question = Analysis::new(&[], None, &criteria, &blobs).sharing(&outputs);
    let mut known = 0;
    for _ in 0..2 {
        let wanted = question.with(&records).repeats_to_decide();
        let read = store.read.borrow().len();
        assert!(read > known, "the runs that were added are read");
        known = read;
        for record in &mut records {
            let wanted = wanted.get(&record.id()).and_then(|tests| tests.get("t"));
            if record.outcome == CellOutcome::Tested && record.passed() {
                let lacking =
                    wanted.map_or(0, |wanted| wanted.saturating_sub(record.attempts("t")));
                let loss: f64 = if record.version.release()[1] < 2 { 2.0 } else { 1.0 };
                store.measure(record, loss, lacking.max(1));
            }
        }
    }
    // As a study does at its end, with another function to read with.
    let summary = |blob| store.read(blob);
    let analysis = Analysis::new(&records, None, &criteria, &summary).sharing(&outputs);
    assert_eq!(analysis.verdicts().iter().count(), 6);
    analysis.rows();
    assert!(store.read.borrow().values().all(|times| *times == 1), "{:?}", store.read.borrow());
}

#[test]
fn a_change_across_a_withdrawn_release_is_bracketed() {
    use crate::question::grid::{Missing, MissingReason};
    let cell = |version, outcome| {
        let runs = [crate::facts::record::tests::test("t", outcome, "")];
        record(version, "3.11").with_runs(runs)
    };
    let mut yanked = record("1.1", "3.11");
    yanked.outcome = CellOutcome::Unavailable;
    let reason = MissingReason::Yanked;
    yanked.missing = Some(Missing { reason, nearest: None, mismatch: None });
    let records = [cell("1.0", TestOutcome::Passed), yanked, cell("1.2", TestOutcome::Failed)];
    let criteria = Criteria::default();
    let rows = Analysis::new(&records, None, &criteria, &|_| None).rows();
    assert_eq!(
        rows[0].transitions[0].to_string(),
        "breaks somewhere from 1.0 to 1.2 (bracketed, 1 release not measured; a single run)"
    );
}
