//! Digests are kept in records for years: these hold them still. Where one has to change, raise `key`.

use std::sync::Arc;

use super::*;
use crate::names::PythonVersion;
use crate::question::config::Config;
use crate::question::grid::Grid;
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
    environment sha256:d93f22c066d6089162e66beb83cf8ef1ab9195c588e34acd69b693f4cbfaea68
    import sha256:2ea1f0bc18396a3b0c05df1e085a50b16a77f4d969ffb6e3cb0c70df6983bbdf
    t sha256:bbde130bf7413380252b80108c2da8c9a2c015b84aed35cb15e6d8876015535f
    cell sha256:7d115c3016b40272ec57d3bf3a2325b7a6455160c0ebdc25db69e202dd66f43a
    ");
    insta::assert_snapshot!(told(1), @"
    environment sha256:0f019422424ae1f636f55901da184f3781aa83fe5133c0c8dda471459da4f2d9
    cell sha256:534928c572cf0df72902bfe3aad5677f0cd7290e1e3ab5a5ae8f684afd731b0f
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
    let differing: [Sha256; 5] = [
        changed(&|_, setup| setup.as_of = Some(Timestamp::from_unix_seconds(0))),
        changed(&|_, setup| setup.requirements.push("numpy".to_owned())),
        changed(&|_, setup| setup.constraints.push("numpy<2".to_owned())),
        changed(&|plan, _| plan.index = None),
        changed(&|plan, _| plan.interpreters[0].version = "3.11.9".parse().unwrap()),
    ];
    assert!(!differing.contains(&same));
}
