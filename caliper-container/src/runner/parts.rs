//! Keeps what identities were made from, and says by it why cells must be measured again.

use std::collections::{BTreeMap, BTreeSet};

use caliper_core::facts::identity::{Manifest, Parts, Stale};
use caliper_core::facts::record::{BlobRef, CellOutcome, Record};
use caliper_core::facts::store::{ResultStore, StoreError};
use caliper_core::names::Sha256;
use caliper_core::question::plan::Plan;

use super::task::{Found, Task, missing};
use super::{CellAction, Rerun, RunOptions};

/// The manifests of the files that tests find.
pub(super) struct Manifests {
    by_test: BTreeMap<String, BlobRef>,
    texts: BTreeMap<BlobRef, Vec<u8>>,
}

impl Manifests {
    pub(super) fn of(found: &Found) -> Self {
        let mut manifests = Self { by_test: BTreeMap::new(), texts: BTreeMap::new() };
        for (test, project) in found {
            let text = json(&project.manifest());
            let blob = BlobRef(Sha256::of(&text));
            manifests.by_test.insert(test.clone(), blob);
            manifests.texts.insert(blob, text);
        }
        manifests
    }

    fn parts(&self, plan: &Plan, task: &Task<'_>) -> Parts {
        Parts::of(plan, task.cell, &task.recipe, &|test| self.by_test[&test.name])
    }

    /// Keeps the parts of the cells that are to be measured, and notes them in the tasks.
    pub(super) fn keep(
        &self,
        plan: &Plan,
        tasks: &mut [Task<'_>],
        store: &dyn ResultStore,
    ) -> Result<(), StoreError> {
        let mut kept = BTreeSet::new();
        for task in tasks {
            if !matches!(task.action, CellAction::ToMeasure(_)) {
                continue;
            }
            let text = json(&self.parts(plan, task));
            let blob = BlobRef(Sha256::of(&text));
            if kept.insert(blob) {
                for text in self.texts.values().filter(|_| kept.len() == 1) {
                    store.save_blob(text)?;
                }
                store.save_blob(&text)?;
            }
            task.parts = Some(blob);
        }
        Ok(())
    }

    /// Why a cell is to be measured, which has this record.
    pub(super) fn why(
        &self,
        plan: &Plan,
        task: &Task<'_>,
        record: Option<&Record>,
        options: &RunOptions,
        store: &dyn ResultStore,
    ) -> Vec<Stale> {
        let Some(record) = record else { return vec![Stale::New] };
        let lacking = |older: &Record| {
            let tests = plan.setup_of(task.cell).all_tests();
            let lacking = tests
                .filter(|test| !missing(Some(older), &task.attempts, test).is_empty())
                .map(|test| test.name);
            lacking.collect::<Vec<_>>()
        };
        if let Some(older) = task.identity.part_of(record.clone()) {
            let is_whole = older.tests.len() == record.tests.len();
            let asked = match options.rerun {
                Rerun::Nothing => false,
                Rerun::Failed => !older.passed(),
                Rerun::All => true,
            };
            if asked {
                return vec![Stale::Asked];
            }
            if is_whole && older.outcome == CellOutcome::Tested && !record.interrupted {
                let known = |test: &String| older.test(test).is_some();
                let more = |test| {
                    if known(&test) { Stale::MoreRuns { test } } else { Stale::NewTest { test } }
                };
                return lacking(&older).into_iter().map(more).collect();
            }
        }
        let read = |blob: BlobRef| store.blob(blob).ok();
        let older: Option<Parts> =
            record.parts.and_then(read).and_then(|text| serde_json::from_slice(&text).ok());
        let manifest = |blob: BlobRef| -> Option<Manifest> {
            let text = self.texts.get(&blob).cloned().or_else(|| read(blob))?;
            serde_json::from_slice(&text).ok()
        };
        let now = self.parts(plan, task);
        Stale::between(record, older.as_ref(), (plan, task.cell, &task.recipe), &now, &manifest)
    }
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    // Plain values under textual keys can always be written.
    serde_json::to_vec(value).unwrap_or_else(|error| unreachable!("{error}"))
}
