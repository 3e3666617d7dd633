//! Digests are kept in records for years: these hold them still. Where one has to change, raise `key`.

use std::sync::Arc;

use super::*;
use crate::names::PythonVersion;
use crate::question::config::Config;
use crate::question::grid::Grid;
use crate::question::overlay::tests::overlay;
use crate::question::plan::{Base, Setup};
use crate::question::testing;

pub(super) fn plan() -> Plan {
    let text = "analysis: {dependency: demo, requirements: [six], tests: [{run: python t.py, name: t, env: {A: b}, timeout: 9s}]}";
    let config = Config::from_yaml("c", text, &|_| Ok(Vec::new())).unwrap();
    let python = PythonVersion::new(3, 11);
    let cells = vec![testing::cell("1.0", python), testing::empty_cell("2.0", python)];
    let index = Some("https://index.example/simple/".to_owned());
    let grid = Grid { index, ..testing::grid(cells) };
    Plan::new("demo", config.setup(), vec![testing::interpreter("3.11")], grid)
}

pub(super) fn recipe() -> Recipe {
    Recipe {
        backend: "docker".to_owned(),
        base: Some(Base { name: "python:3.11".to_owned(), digest: "sha256:0".to_owned() }),
        dockerfile: Some("FROM python:3.11\n".to_owned()),
        context: Some(Sha256::of(b"project")),
    }
}

fn identity(plan: &Plan, cell: usize) -> Identity {
    Identity::of(plan, &plan.cells[cell], &recipe(), &|_| Sha256::of(b"files"))
}

#[test]
fn digests_hold_still() {
    let plan = plan();
    let told = |cell| {
        let Identity { environment, tests, cell } = identity(&plan, cell);
        let tests = tests.into_iter().map(|(name, digest)| format!("{name} {digest}"));
        let all = [format!("environment {environment}")].into_iter().chain(tests);
        all.chain([format!("cell {cell}")]).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(told(0), @"
    environment sha256:4d5562e862335a15e19b623db377c3a44990cc80a18ddad1c78b0c8dc0e4f368
    import sha256:b31d44daf36da66b55cb14ecd662cb51eeeae20b11a7524514af2685ea15c66c
    t sha256:17ac6b4826a00204c928919929f612dc049d79d75728dfa45b8837959e036c25
    cell sha256:08d9e4a46dc80d43e95e056132a871c393034a6d1d7289d8d36549d4bc8c4249
    ");
    insta::assert_snapshot!(told(1), @"
    environment sha256:d8beabced80dabe02b6c7c724a1c21eb72bdb71e31442af7f79f05dce85339c6
    cell sha256:2a4b09194de38cfdbc51482b7ca1f5dc9b8c24a4993a9e04b59ea31e1f42138d
    ");
}

#[test]
fn what_acts_at_run_time_makes_no_other_environment() {
    let mut plan = plan();
    let before = identity(&plan, 0);
    let mut seeded = plan.setup.clone();
    seeded.set_variables(&[("SEED".to_owned(), "1".to_owned())].into());
    seeded.limits.cpus = Some(1.0);
    plan.cells[0].id.variant.insert("seed", "1");
    plan.cells[0].setup = Some(Arc::new(seeded));
    let after = identity(&plan, 0);
    assert_eq!(before.environment, after.environment);
    assert_ne!(before.test("import"), after.test("import"));
    assert_ne!(before.test("t"), after.test("t"));
    assert_ne!(before.cell, after.cell);
}

#[test]
fn an_overlay_of_another_release_decides_by_being_there() {
    let of = |version: &str, text: &str| {
        let mut plan = plan();
        let mut overlay = overlay("Demo", version);
        overlay.files[0].sha256 = Sha256::of(text.as_bytes());
        plan.setup.overlays.push(overlay);
        identity(&plan, 0).environment
    };
    assert_ne!(of("1.0", "a"), of("1.0", "b"));
    assert_eq!(of("3.0", "a"), of("3.0", "b"));
    assert_ne!(of("3.0", "a"), identity(&plan(), 0).environment);
    assert_ne!(of("3.0", "a"), of("1.0", "a"));
}

#[test]
fn what_decides_an_environment_is_in_its_digest() {
    let changed = |change: &dyn Fn(&mut Plan, &mut Setup)| {
        let mut plan = plan();
        let mut setup = plan.setup.clone();
        change(&mut plan, &mut setup);
        plan.cells[0].setup = Some(Arc::new(setup));
        identity(&plan, 0).environment
    };
    let same = changed(&|_, _| {});
    assert_eq!(same, identity(&plan(), 0).environment);
    let lock = |name: &str| {
        let text = format!(
            "lock-version = \"1.0\"\n[[packages]]\nname = \"{name}\"\nversion = \"1\"\n\
             sdist = {{ url = \"https://x/a-1.zip\", hashes = {{ sha256 = \"{}\" }} }}",
            "a".repeat(64)
        );
        Some(Arc::new(crate::question::lock::Lock::from_toml(&text).unwrap()))
    };
    let locked = |name: &'static str| changed(&move |_, setup| setup.lock = lock(name));
    assert_ne!(locked("a"), locked("b"));
    let overlaid = |text: &'static str| {
        changed(&move |_, setup| {
            let mut overlay = overlay("six", "1.16");
            overlay.files[0].sha256 = Sha256::of(text.as_bytes());
            setup.overlays.push(overlay);
        })
    };
    assert_ne!(overlaid("a"), overlaid("b"));
    let differing: [Sha256; 8] = [
        overlaid("a"),
        locked("a"),
        changed(&|_, setup| setup.as_of = Some(Timestamp::from_unix_seconds(0))),
        changed(&|_, setup| setup.requirements.push("numpy".to_owned())),
        changed(&|_, setup| setup.constraints.push("numpy<2".to_owned())),
        changed(&|_, setup| setup.build_constraints.push("setuptools<58".to_owned())),
        changed(&|plan, _| plan.index = None),
        changed(&|plan, _| plan.interpreters[0].version = "3.11.9".parse().unwrap()),
    ];
    assert!(!differing.contains(&same));
}
