//! The commands that measure nothing.

use crate::support::{World, python};

#[test]
fn init_writes_what_check_accepts_and_overwrites_nothing() {
    let world = World::new();
    let said = world.caliper(&["init"]).expect(0);
    insta::assert_snapshot!(said.err, @"
    wrote ./caliper.yaml
    wrote ./Dockerfile
    wrote ./smoke.py
    now edit it, and then: caliper run ./caliper.yaml
    ");
    insta::assert_snapshot!(world.caliper(&["check"]).expect(0).err, @"caliper.yaml: fine; >=3 of jinja2, an import and 1 test; the project has 1 KiB");
    insta::assert_snapshot!(world.caliper(&["init"]).error(2), @"error: `.` has caliper.yaml, Dockerfile, smoke.py already, and nothing that exists is overwritten; choose another folder, or move it away");
    world.caliper(&["init", "another/one"]).expect(0);
    world.caliper(&["check", "another/one/caliper.yaml"]).expect(0);
}

#[test]
fn resolve_says_which_file_and_why_not() {
    let world = World::new();
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    world.wheel("demo", "1.10", &[("demo.py", "")]);
    world.wheel("demo", "1.9", &[("demo.py", "")]);
    std::fs::copy(
        world.packages().join("demo-1.0-py3-none-any.whl"),
        world.packages().join("demo-2.0-cp310-cp310-win_amd64.whl"),
    )
    .unwrap();
    let arguments = [
        "resolve",
        "demo",
        "--platform",
        "manylinux_2_28_x86_64",
        "--python",
        "3.10",
        "--python",
        "2.7",
    ];
    insta::assert_snapshot!(world.caliper(&arguments).expect(0).out, @"
    1.0   2.7   - no compatible wheel (nearest: demo-1.0-py3-none-any.whl)
    1.0   3.10  demo-1.0-py3-none-any.whl
    1.9   2.7   - no compatible wheel (nearest: demo-1.9-py3-none-any.whl)
    1.9   3.10  demo-1.9-py3-none-any.whl
    1.10  2.7   - no compatible wheel (nearest: demo-1.10-py3-none-any.whl)
    1.10  3.10  demo-1.10-py3-none-any.whl
    2.0   2.7   - no compatible wheel (nearest: demo-2.0-cp310-cp310-win_amd64.whl)
    2.0   3.10  - no compatible wheel (nearest: demo-2.0-cp310-cp310-win_amd64.whl)
    8 cells, 3 with a file
    ");
    let mut json = arguments.to_vec();
    json.extend(["--format", "json"]);
    let said = world.caliper(&json).expect(0);
    let grid: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    world.follows("grid", &said.out);
    assert_eq!(grid["cells"][7]["missing"]["mismatch"], "platform");
    let error = world.caliper(&["resolve", "demo", "--platform", "beos"]).error(2);
    insta::assert_snapshot!(error, @"error: `beos` is not the tag of a platform; write one such as `manylinux_2_28_x86_64`, `musllinux_1_2_aarch64`, `macosx_14_0_arm64` or `win_amd64`");
}

#[test]
fn plan_measures_nothing() {
    let world = World::with_config("");
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    world.wheel("demo", "1.1", &[("demo.py", "")]);
    let said = world.caliper(&["plan", "--python", &python(), "--jobs", "2"]).expect(0);
    insta::assert_snapshot!(said.out, @"
    2 cells on the `local` backend
          0  nothing to install
          0  recorded already
          2  to measure, 2 at once
    2 files to download, without what they depend on: 0.0 MiB
    ");
    assert!(!world.project().join(".caliper/records").exists());
    let json = world.caliper(&["plan", "--python", &python(), "--format", "json"]).expect(0).out;
    world.follows("plan", &json);
}

#[test]
fn show_without_results_says_what_to_do() {
    let world = World::with_config("");
    insta::assert_snapshot!(world.caliper(&["show"]).error(2), @"error: there are no results in `./.caliper`; run `caliper run caliper.yaml` first");
    insta::assert_snapshot!(world.caliper(&["show", "caliper.yaml", "nonsense"]).error(2), @"error: `nonsense` is not a cell (it has no `/`); write one such as `2.10.1/3.11` or `2.10.1/3.11[seed=3]`");
}

#[test]
fn schemas_and_completions_are_printed() {
    let world = World::new();
    let formats = [
        "config", "results", "record", "event", "grid", "plan", "suggest", "compare", "doctor",
        "selftest",
    ];
    for format in formats {
        let said = world.caliper(&["schema", format]).expect(0);
        jsonschema::meta::validate(&serde_json::from_str(&said.out).unwrap()).unwrap();
    }
    assert!(world.caliper(&["completions", "bash"]).expect(0).out.contains("caliper"));
}

#[test]
fn doctor_says_what_there_is() {
    let world = World::new();
    let mut command = world.command(&["doctor", "--format", "json"]);
    command.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    command.env("CONTAINER_HOST", "unix:///nowhere/podman.sock");
    let said = world.said(command.output().unwrap()).expect(0);
    let diagnosis: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let pythons = diagnosis["pythons"].as_array().unwrap();
    assert!(pythons.iter().any(|each| each["python"] == python()), "{said}", said = said.out);
    world.follows("doctor", &said.out);
    let engines = diagnosis["engines"].as_array().unwrap();
    assert_eq!(
        engines.iter().map(|each| &each["backend"]).collect::<Vec<_>>(),
        ["docker", "podman"]
    );
    for (engine, fix) in engines.iter().zip(["point DOCKER_HOST", "systemctl --user start podman"])
    {
        let error = engine["engine"]["Err"].as_str().unwrap();
        assert!(error.contains("nowhere") && error.contains(fix), "{error}");
    }
    assert_eq!(diagnosis["local"]["kept"][0], "timeout");
    let local = &diagnosis["local"];
    let known =
        local["kept"].as_array().unwrap().len() + local["refused"].as_object().unwrap().len();
    assert_eq!(known, 14, "{local}");
    assert!(diagnosis["index"]["Ok"].is_string(), "{}", said.out);
}

#[test]
fn clean_removes_the_cache_and_never_results() {
    let world = World::with_config("");
    world.write(".caliper/results.json", "{}");
    world.write(".caliper/records/x.json", "{}");
    world.write(".caliper/cache/index/x", "");
    world.write(".caliper/cache/mine.txt", "not Caliper's");
    let said = world.caliper(&["clean", "--cache", "--dry-run"]).expect(0);
    assert!(said.out.starts_with("would remove the cache [HERE]/"), "{}", said.out);
    assert!(said.out.contains("  index ") && said.out.contains(" 2 files\n"), "{}", said.out);
    assert!(world.project().join(".caliper/cache/index").exists());
    world.caliper(&["clean", "--cache"]).expect(0);
    assert!(!world.project().join(".caliper/cache/index").exists());
    for kept in [".caliper/results.json", ".caliper/records/x.json", ".caliper/cache/mine.txt"] {
        assert!(world.project().join(kept).exists(), "{kept}");
    }
}

#[test]
fn clean_leaves_what_other_projects_may_need() {
    let world = World::with_config("");
    let shared = world.project().join("shared");
    for file in [
        "shared/index/x",
        "shared/images/1.log",
        ".caliper/cache/index/x",
        ".caliper/cache/images/1.log",
    ] {
        world.write(file, "");
    }
    let clean = |arguments: &[&str]| {
        let mut command = world.command(&[&["clean"], arguments].concat());
        command.env("CALIPER_CACHE_DIR", &shared);
        for name in ["DOCKER_HOST", "CONTAINER_HOST"] {
            command.env(name, format!("unix://{}/no.sock", world.project().display()));
        }
        world.said(command.output().unwrap()).expect(0).out
    };
    let has = |path: &str| world.project().join(path).exists();
    let said = clean(&[]);
    assert!(!has(".caliper/cache/index") && has("shared/index/x"), "{said}");
    assert!(said.contains("left the cache [HERE]/project/shared and the images"), "{said}");
    // The images may be on an engine that does not answer now. Without its log no image can be found again.
    assert!(has(".caliper/cache/images/1.log"), "{said}");
    assert!(said.contains("left the logs of kept images"), "{said}");
    let said = clean(&["--cache"]);
    assert!(!has("shared/index") && has("shared/images/1.log"), "{said}");
}
