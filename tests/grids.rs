//! The conformance suite: `caliper-cli/grids/` on every backend that this machine has.

use serde_json::Value;

use crate::support::{World, has_uv, skip};

/// Measures all scenarios on `backend`; `false` if it is not there.
fn conforms(backend: &str) -> bool {
    let world = World::new();
    let said = world.caliper(&["selftest", "--backend", backend, "--format", "json"]);
    if said.code == 3 && said.err.contains("could not reach the container engine") {
        return false;
    }
    world.follows("selftest", &said.out);
    // All of them would be more than a log shows.
    let report: Value = serde_json::from_str(&said.out).unwrap();
    let differing: Vec<&Value> =
        report["results"].as_array().unwrap().iter().filter(|one| one["passed"] != true).collect();
    assert!(differing.is_empty(), "{differing:#?}");
    assert_eq!(said.code, 0, "{}{:#}", said.err, report["left_behind"]);
    true
}

#[test]
fn grids_end_on_this_machine_as_they_should() {
    if has_uv() {
        assert!(conforms("local"));
    }
}

#[test]
fn grids_end_in_containers_as_they_should() {
    if !conforms("docker") {
        skip("there is no container engine to measure the scenarios on");
    }
}

#[test]
fn grids_end_in_podman_as_they_should() {
    // Never required: few machines have both engines.
    if std::env::var_os("CONTAINER_HOST").is_some() {
        assert!(conforms("podman"));
    }
}
