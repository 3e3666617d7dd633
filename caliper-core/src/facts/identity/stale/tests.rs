use super::*;
use crate::facts::identity::Identity;
use crate::facts::identity::tests::{plan, recipe};
use crate::facts::record::CellOutcome;
use crate::names::{Sha256, Timestamp};
use crate::question::overlay::tests::overlay;
use crate::question::plan::{Setup, Test};

const FILES: &str = r#"{"a.py": "file 1", "data": "folder", "old.py": "file 2"}"#;

fn blob(text: &str) -> BlobRef {
    BlobRef(Sha256::of(text.as_bytes()))
}

fn parts(plan: &Plan, recipe: &Recipe, files: &str) -> Parts {
    Parts::of(plan, &plan.cells[0], recipe, &|_| blob(files))
}

/// The record of the first cell.
fn record(plan: &Plan) -> Record {
    let cell = &plan.cells[0];
    let identity = Identity::of(plan, cell, &recipe(), &|_| Sha256::of(b"files"));
    let now = Timestamp::from_unix_seconds(0);
    let mut record = Record::new(&cell.id, identity.cell, "docker", CellOutcome::Tested, now);
    let environment = &mut record.environment;
    environment.base = recipe().base;
    environment.dockerfile = recipe().dockerfile;
    environment.interpreter = plan.interpreter(cell.id.python).cloned();
    environment.file = cell.file().map(crate::facts::record::RecordedFile::from);
    record
}

/// What is said after a change.
fn said(files: &str, change: impl Fn(&mut Plan, &mut Setup, &mut Recipe)) -> String {
    let before = plan();
    let (mut now, mut recipe_now) = (plan(), recipe());
    let mut setup = now.setup.clone();
    change(&mut now, &mut setup, &mut recipe_now);
    now.setup = setup;
    let older = parts(&before, &recipe(), FILES);
    let manifests = [FILES, files].map(|text| (blob(text), text.to_owned()));
    let manifest = |wanted: BlobRef| {
        let found = manifests.iter().find(|(blob, _)| *blob == wanted)?;
        serde_json::from_str(&found.1).ok()
    };
    let reasons = Stale::between(
        &record(&before),
        Some(&older),
        (&now, &now.cells[0], &recipe_now),
        &parts(&now, &recipe_now, files),
        &manifest,
    );
    reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn files_of_overlays_are_named() {
    let with = |versions: &'static [&'static str]| {
        said(FILES, |_, setup, _| {
            setup.overlays = versions.iter().map(|version| overlay("six", version)).collect();
        })
    };
    insta::assert_snapshot!(with(&["1.0", "2.0"]), @"
    the overlay of six 1.0: six/__init__.py is new
    the overlay of six 2.0: six/__init__.py is new
    ");
    let mut before = plan();
    before.setup.overlays = vec![overlay("six", "1.0"), overlay("six", "2.0")];
    let mut now = plan();
    now.setup.overlays = vec![overlay("six", "1.0")];
    now.setup.overlays[0].files[0].sha256 = Sha256::of(b"edited");
    let between = |now: &Plan| {
        let [older, newer] = [&before, now].map(|plan| parts(plan, &recipe(), FILES));
        let what = (now, &now.cells[0], &recipe());
        let reasons = Stale::between(&record(&before), Some(&older), what, &newer, &|_| None);
        reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(between(&now), @"
    the overlay of six 1.0: six/__init__.py changed
    the overlay of six 2.0: six/__init__.py is gone
    ");
    insta::assert_snapshot!(between(&plan()), @"
    the overlay of six 1.0: six/__init__.py is gone
    the overlay of six 2.0: six/__init__.py is gone
    ");
}

#[test]
fn each_part_that_changed_is_named() {
    let files = r#"{"a.py": "file 3", "data": "folder", "out.txt": "file 4"}"#;
    insta::assert_snapshot!(said(files, |_, _, _| {}), @"
    `a.py` changed
    `old.py` is gone
    `out.txt` is new
    ");
    insta::assert_snapshot!(said(FILES, |plan, setup, _| {
        plan.interpreters[0].version = "3.11.9".parse().unwrap();
        setup.requirements.push("numpy<2".to_owned());
        setup.constraints.push("six".to_owned());
    }), @"
    the interpreter: 3.11 → 3.11.9
    `six` in `constraints` is new
    `numpy<2` in `requirements` is new
    ");
    insta::assert_snapshot!(said(FILES, |_, setup, _| {
        setup.as_of = Some(Timestamp::from_unix_seconds(0));
        setup.limits.timeout = std::time::Duration::from_secs(5);
        setup.tests[0].command.push("--fast".to_owned());
        setup.tests[0].environment.insert("SEED".to_owned(), "1".to_owned());
        setup.tests.push(Test { name: "other".to_owned(), ..setup.tests[0].clone() });
    }), @"
    the test `other` is new
    the date of the index: now 1970-01-01T00:00:00Z
    `limits.timeout` of the test `t`: 600.0 → 5.0
    the command of the test `t`: python t.py → python t.py --fast
    the variable `SEED` of the test `t`: now 1
    ");
    insta::assert_snapshot!(said(FILES, |_, _, recipe| {
        recipe.dockerfile = Some("FROM scratch\n".to_owned());
        recipe.base.as_mut().unwrap().digest = "sha256:1".to_owned();
        recipe.context = Some(Sha256::of(b"another"));
    }), @"
    the Dockerfile changed
    the base image: python:3.11 0 → python:3.11 1
    what the Dockerfile copies of the project changed
    ");
}

#[test]
fn what_is_not_known_is_said() {
    let plan = plan();
    let now = parts(&plan, &recipe(), FILES);
    let of = |record: &Record| {
        let cell = (&plan, &plan.cells[0], &recipe());
        Stale::between(record, None, cell, &now, &|_| None)
    };
    assert_eq!(of(&record(&plan)), [Stale::Unknown]);
    let mut unfinished = record(&plan);
    unfinished.interrupted = true;
    assert_eq!(of(&unfinished), [Stale::Unfinished]);
}
