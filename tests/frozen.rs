//! Files of every format that is kept, as an earlier Caliper wrote them: they must be read for ever.
//!
//! `tests/frozen/1` is a folder of results, with the plan and the events of the run beside it. A file in it is never
//! made anew. When a format changes, its number rises, and a further folder comes beside this one.

use std::fs;
use std::path::PathBuf;

use caliper_core::analysis::results::{self, Results};
use caliper_core::facts::event::Event;
use caliper_core::facts::record::{Record, TestOutcome};
use caliper_core::facts::store::{DirStore, ResultStore as _};
use caliper_core::question::plan::Plan;
use serde_json::Value;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/frozen/1")
}

/// Whether all of `old` is in `new`, which may have more.
fn holds(new: &Value, old: &Value) -> bool {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => {
            old.iter().all(|(key, old)| new.get(key).is_some_and(|new| holds(new, old)))
        }
        (Value::Array(new), Value::Array(old)) => {
            new.len() == old.len() && new.iter().zip(old).all(|(new, old)| holds(new, old))
        }
        (new, old) => new == old,
    }
}

#[test]
fn records_and_blobs_are_read() {
    let store = DirStore::read_only(folder());
    let (records, unreadable) = store.records().unwrap();
    assert!(unreadable.is_empty(), "{unreadable:?}");
    let told: Vec<String> =
        records.iter().map(|record| format!("{} {}", record.id(), record.outcome)).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    1.0/3.11[seed=0] tested
    1.0/3.11[seed=1] tested
    1.1/3.11[seed=0] tested
    1.1/3.11[seed=1] tested
    2.0/3.11[seed=0] tested
    2.0/3.11[seed=1] tested
    2.1/3.11[seed=0] nothing to install
    2.1/3.11[seed=1] nothing to install
    ");
    for record in &records {
        // Nothing that was measured is lost, whatever is added.
        let path = folder().join(format!("records/{}.json", record.id().file_stem()));
        let text = fs::read_to_string(path).unwrap();
        let old: Value = serde_json::from_str(&text).unwrap();
        assert!(holds(&serde_json::to_value(record).unwrap(), &old), "{}", record.id());
    }
    let runs = records.iter().flat_map(Record::runs).map(|(_, run)| run);
    let blobs = runs.flat_map(|run| {
        run.output_blob.into_iter().chain(run.files.iter().filter_map(|file| file.content))
    });
    let mut sizes: Vec<usize> = blobs.map(|blob| store.blob(blob).unwrap().len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [[8; 4].as_slice(), &[20019; 8]].concat());
    let mut runs = records.iter().flat_map(Record::runs);
    assert!(runs.any(|(_, run)| run.outcome == TestOutcome::Failed));
}

#[test]
fn the_summary_is_read() {
    let store = DirStore::read_only(folder());
    let results: Results = store.summary(results::SCHEMA).unwrap().unwrap();
    let text = fs::read_to_string(folder().join("results.json")).unwrap();
    assert!(holds(&serde_json::to_value(&results).unwrap(), &serde_json::from_str(&text).unwrap()));
    assert!(!results.causes.is_empty() && !results.rows.is_empty());
}

#[test]
fn what_was_asked_is_read() {
    let store = DirStore::read_only(folder());
    let (records, _) = store.records().unwrap();
    let sorted = store.asked().unwrap().unwrap().sort(records);
    assert_eq!((sorted.current.len(), sorted.stale.len()), (8, 0));
}

#[test]
fn the_plan_is_read() {
    let text = fs::read_to_string(folder().join("plan.json")).unwrap();
    let plan: Plan = serde_json::from_str(&text).unwrap();
    assert!(holds(&serde_json::to_value(&plan).unwrap(), &serde_json::from_str(&text).unwrap()));
}

#[test]
fn events_are_read() {
    let text = fs::read_to_string(folder().join("events.jsonl")).unwrap();
    for line in text.lines() {
        let event: Event = serde_json::from_str(line).unwrap();
        let old: Value = serde_json::from_str(line).unwrap();
        assert!(holds(&serde_json::to_value(&event).unwrap(), &old), "{line}");
    }
    assert!(text.lines().count() > 10);
}
