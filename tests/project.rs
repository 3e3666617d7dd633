//! `project:`: the folder's own package in every cell, on the `local` backend.

use std::fs;

use caliper_pypi::pack;
use serde_json::Value;

use crate::support::{Said, World, cells, has_uv, python};

/// A build backend in the project itself, so that it needs no tool of the index. It counts its calls in a file that is
/// no part of the project.
const BACKEND: &str = r#"
import os, zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    metadata = "".join(line for line in open("METADATA.in"))
    fields = dict(line.split(": ", 1) for line in metadata.splitlines() if not line.startswith("Req"))
    name, version = fields["Name"].replace("-", "_"), fields["Version"]
    tag = open("TAG.in").read().strip() if os.path.exists("TAG.in") else "py3-none-any"
    info = "%s-%s.dist-info" % (name, version)
    files = {
        info + "/METADATA": metadata,
        info + "/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: %s\n" % tag,
    }
    for path in sorted(os.listdir("src")):
        files[path] = open(os.path.join("src", path)).read()
    record = "".join(path + ",,\n" for path in files) + info + "/RECORD,,\n"
    wheel = "%s-%s-%s.whl" % (name, version, tag)
    with zipfile.ZipFile(os.path.join(folder, wheel), "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(info + "/RECORD", record)
    return wheel
"#;

const PYPROJECT: &str =
    "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n";

const METADATA: &str = "Metadata-Version: 2.1\nName: weather-kit\nVersion: 1.2\nRequires-Dist: demo<2,>=1\n\
                        Requires-Dist: helper<2\nProvides-Extra: test\nRequires-Dist: checker; extra == 'test'\n";

/// The project `weather-kit`, which needs `demo<2` and `helper<2`, and an index with 1.0 and 2.0 of both.
fn world(rest: &str) -> World {
    let world = World::with_config(rest);
    world.write("pyproject.toml", PYPROJECT);
    world.write("backend.py", BACKEND);
    world.write("METADATA.in", METADATA);
    world.write("src/weather_kit.py", "import demo\n");
    world.write("use.py", "import demo, helper, weather_kit\nprint(helper.x)\n");
    for version in ["1.0", "2.0"] {
        world.wheel("demo", version, &[("demo.py", "")]);
        let major = version.split('.').next().unwrap();
        world.wheel("helper", version, &[("helper.py", &format!("x = {major}\n"))]);
    }
    world.wheel("checker", "1.0", &[("checker.py", "")]);
    world
}

fn run(world: &World, code: i32) -> Said {
    world.caliper(&["run", "--python", &python(), "--progress", "plain"]).expect(code)
}

fn refused(world: &World) -> String {
    let said = world.caliper(&["run", "--python", &python(), "--progress", "none"]).error(2);
    said.replace(&python(), "[PYTHON]")
}

/// `name version` of what is installed in a cell.
fn installed(cell: &Value) -> Vec<String> {
    let all = cell["environment"]["installed"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    all.map(|one| format!("{} {}", text(&one["name"]), text(&one["version"]))).collect()
}

#[test]
fn releases_outside_of_the_declared_range_are_measured() {
    if !has_uv() {
        return;
    }
    let world = world("  project: {extras: [test]}\n  tests: [use.py]\n");
    let said = run(&world, 0);
    assert!(said.err.contains("building the project's wheel"), "{}", said.err);
    let note = "weather-kit 1.2 is installed in every cell, without what it declares of releases: `demo<2,>=1`";
    assert!(said.err.contains(note), "{}", said.err);
    let results = world.results();
    let passed = "tested [import passed, use.py passed]";
    assert_eq!(cells(&results), [format!("1.0: {passed}"), format!("2.0: {passed}")]);
    for (cell, version) in results["cells"].as_array().unwrap().iter().zip(["1.0", "2.0"]) {
        // The other range holds, and the extra is there.
        let demo = format!("demo {version}");
        assert_eq!(installed(cell), ["checker 1.0", &demo, "helper 1.0", "weather-kit 1.2"]);
        let environment = &cell["environment"];
        assert_eq!(environment["lifted"][0]["requirement"], "demo<2,>=1");
        assert_eq!(environment["lifted"][0]["source"], "weather-kit 1.2");
        let project = &environment["project"];
        assert_eq!((&project["name"], &project["version"]), (&"weather-kit".into(), &"1.2".into()));
        assert_eq!(project["extras"][0], "test");
        assert_eq!(environment["installed"][3]["file"]["sha256"], project["file"]["sha256"]);
        assert_eq!(project["file"]["url"], "file:///weather_kit-1.2-py3-none-any.whl");
    }
    world.follows("results", &world.caliper(&["show", "--format", "json"]).expect(0).out);
    let folder = world.project();
    assert!(!folder.join("build").exists() && !folder.join("src/weather_kit.egg-info").exists());

    // The same sources are not built again, and what was measured stands.
    let again = run(&world, 0);
    assert!(!again.err.contains("building the project's wheel"), "{}", again.err);
    assert!(again.err.contains("0 measured, 2 reused"), "{}", again.err);
    // Neither does another build of the same content.
    fs::remove_dir_all(world.project().join(".caliper/cache")).unwrap();
    let again = run(&world, 0);
    assert!(again.err.contains("building the project's wheel"), "{}", again.err);
    assert!(again.err.contains("0 measured, 2 reused"), "{}", again.err);
    // Another one does, and says why.
    world.write("src/weather_kit.py", "import demo, helper\n");
    let planned = world.caliper(&["plan", "--python", &python()]).expect(0).out;
    assert!(planned.contains("the project's own package changed"), "{planned}");
    let again = run(&world, 0);
    assert!(again.err.contains("2 measured, 0 reused"), "{}", again.err);
}

#[test]
fn groups_and_files_are_installed_too_and_conflicts_name_both_sides() {
    if !has_uv() {
        return;
    }
    let world = world(
        "  project: {groups: [dev]}\n  requirements_files: [requirements/test.txt]\n  constraints: [limits.txt]\n  tests: [use.py]\n",
    );
    world.write(
        "pyproject.toml",
        &format!("{PYPROJECT}[dependency-groups]\ndev = [{{include-group = 'base'}}]\nbase = ['checker', 'demo<2']\n"),
    );
    world.write("requirements/test.txt", "-r more.txt\nhelper\n");
    world.write("requirements/more.txt", "tool; python_version > '3'  # a comment\n");
    world.write("limits.txt", "tool<2\ndemo==1.0\n");
    for version in ["1.0", "2.0"] {
        world.wheel("tool", version, &[("tool.py", "")]);
    }
    run(&world, 0);
    let results = world.results();
    let last = results["cells"].as_array().unwrap().last().unwrap();
    assert_eq!(
        installed(last),
        ["checker 1.0", "demo 2.0", "helper 1.0", "tool 1.0", "weather-kit 1.2"]
    );
    let lifted: Vec<String> = last["environment"]["lifted"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{} in {}", one["requirement"], one["source"]))
        .collect();
    assert_eq!(
        lifted,
        [
            "\"demo<2,>=1\" in \"weather-kit 1.2\"",
            "\"demo<2\" in \"dependency-groups.base\"",
            "\"demo==1.0\" in \"limits.txt\"",
        ]
    );
    assert_eq!(last["environment"]["project"]["groups"][0], "dev");

    // A constraint that contradicts what the project requires.
    world.write("limits.txt", "helper>=2\n");
    let said = run(&world, 0);
    assert_eq!(cells(&world.results()), ["1.0: build_failed []", "2.0: build_failed []"]);
    insta::assert_snapshot!(conflict(&said), @"2x excluded by your requirements: Because weather-kit==1.2 depends on helper<2 and you require weather-kit and helper>=2, we can conclude that your requirements are unsatisfiable. in 1.0, 2.0");

    // A release that needs what the project does not allow is not at fault.
    world.write("limits.txt", "tool<2\n");
    pack::wheel(&world.packages(), "demo", "3.0", &["helper>=2"], &[("demo.py", "")]).unwrap();
    fs::remove_dir_all(world.project().join(".caliper/cache")).unwrap();
    let said = run(&world, 0);
    insta::assert_snapshot!(conflict(&said), @"1x excluded by your requirements: Because weather-kit==1.2 depends on helper<2 and demo==N depends on helper>=2, we can conclude that all versions of demo and all versions of weather-kit are incompatible. And because you require weath… in 3.0");
    assert_eq!(world.results()["cells"][2]["build"]["reason"], "excluded_by_requirements");
}

/// The line that explains a conflict.
fn conflict(said: &Said) -> String {
    let lines = said.out.lines().filter(|line| line.contains("excluded by your requirements:"));
    lines.map(str::trim).collect::<Vec<_>>().join("\n")
}

#[test]
fn declared_hashes_are_checked() {
    if !has_uv() {
        return;
    }
    let world = world("  project: true\n  requirements_files: [pins.txt]\n  tests: [use.py]\n");
    let sha256 = |name: &str| {
        let content = fs::read(world.packages().join(name)).unwrap();
        caliper_core::names::Sha256::of(&content).hex()
    };
    let right = sha256("helper-1.0-py3-none-any.whl");
    let wrong = "0".repeat(64);
    world.write(
        "pins.txt",
        &format!("helper==1.0 --hash=sha256:{wrong} \\\n  --hash=sha256:{right}\ndemo==2.0; python_version < '3' --hash=sha256:{wrong}\n"),
    );
    run(&world, 0);
    assert_eq!(world.results()["cells"][1]["outcome"], "tested");
    world.write("pins.txt", &format!("helper==1.0 --hash=sha256:{wrong}\n"));
    let said = run(&world, 0);
    assert_eq!(cells(&world.results()), ["1.0: build_failed []", "2.0: build_failed []"]);
    insta::assert_snapshot!(conflict(&said).replace(&right, "[RIGHT]"), @"
    1x excluded by your requirements: helper 1.0 was installed from `helper-1.0-py3-none-any.whl` (sha256:N), which is not among the files that the hashes in `pins.txt` allow in 2.0
    1x excluded by your requirements: helper N was installed from `helper-N-py3-none-any.whl` (sha256:N), which is not among the files that the hashes in `pins.txt` allow in 1.0
    ");
}

#[test]
fn a_project_that_cannot_be_built_stops_the_run_with_its_log() {
    if !has_uv() {
        return;
    }
    let world = world("  project: true\n  tests: [use.py]\n");
    // The line is one of the hook of uv.
    let told = || refused(&world).replace("line 11", "line [N]");

    world.write(
        "backend.py",
        "def build_wheel(*a, **k):\n    raise SystemExit('error: nothing is as it should be')\n",
    );
    insta::assert_snapshot!(told(), @"
    error: the project's wheel cannot be built (source build failed), so nothing is measured
      Building wheel...
      error: nothing is as it should be
      error: Failed to build `[HERE]/project/`
        cause: The build backend returned an error
        cause: Call to `backend.build_wheel` failed (exit status: 1)
      hint: Build failures usually indicate a problem with the package or the build environment
    ");
    assert!(!world.project().join(".caliper/results.json").exists());

    // Only editable.
    world.write("backend.py", "def build_editable(*a, **k):\n    pass\n");
    insta::assert_snapshot!(told(), @r#"
    error: the project's wheel cannot be built (source build failed), so nothing is measured
      Building wheel...
      Traceback (most recent call last):
        File "<string>", line [N], in <module>
      AttributeError: module 'backend' has no attribute 'build_wheel'
      error: Failed to build `[HERE]/project/`
        cause: The build backend returned an error
        cause: Call to `backend.build_wheel` failed (exit status: 1)
      hint: Build failures usually indicate a problem with the package or the build environment
    its build backend builds no wheels (PEP 517): a package that can only be installed as editable has no file that environments could share
    "#);

    // No build backend of that name.
    world.write(
        "pyproject.toml",
        "[build-system]\nrequires = ['nobody-has-this']\nbuild-backend = 'nothing'\n",
    );
    insta::assert_snapshot!(told(), @"
    error: the project's wheel cannot be built (no matching distribution), so nothing is measured
      Building wheel...
      error: Failed to build `[HERE]/project/`
        cause: Failed to resolve requirements from `build-system.requires`
        cause: No solution found when resolving: `nobody-has-this`
        cause: Because nobody-has-this was not found in the package registry and you require nobody-has-this, we can conclude that your requirements are unsatisfiable.
    ");

    // None at all is found without network.
    world.write("pyproject.toml", "[tool.ruff]\n");
    insta::assert_snapshot!(world.caliper(&["check"]).error(2), @"
    error: `pyproject.toml` says nothing of a package that can be built: it has no `[build-system]` and no `[project]`
     --> caliper.yaml:3:3
      |
    3 |   project: true
      |   ^^^^^^^
      |
      = help: name a build backend (`[build-system]` with `requires` and `build-backend`), or leave `project` out
    ");
}

#[test]
fn what_only_a_build_tells_is_told_before_any_cell() {
    if !has_uv() {
        return;
    }
    let world = world("  project: {extras: [tests]}\n  tests: [use.py]\n");
    // Its extras are computed.
    world.caliper(&["check"]).expect(0);
    insta::assert_snapshot!(refused(&world), @"error: weather-kit 1.2 has no extra `tests`; it has `test`");
    world.write("caliper.yaml", "analysis: {dependency: weather-kit, project: true}\n");
    world.wheel("weather_kit", "1.0", &[]);
    insta::assert_snapshot!(refused(&world), @"error: `project` installs weather-kit itself, whose releases are measured; leave `project` out");
    world.write("caliper.yaml", "analysis: {dependency: demo, project: true}\n");
    world.write("METADATA.in", &format!("{METADATA}Requires-Python: >=3.99\n"));
    insta::assert_snapshot!(refused(&world), @"error: weather-kit requires Python >=3.99, and [PYTHON] is asked for; ask for those that it allows");
}

#[test]
fn a_build_may_need_the_measured_package() {
    if !has_uv() {
        return;
    }
    let world = world("  project: true\n  tests: [use.py]\n");
    world.write("pyproject.toml", &PYPROJECT.replace("requires = []", "requires = ['demo']"));
    world.write("backend.py", &format!("import demo\n{BACKEND}"));
    run(&world, 0);
    assert_eq!(cells(&world.results()).len(), 2);
}

#[test]
fn a_version_may_come_from_the_history() {
    if !has_uv() {
        return;
    }
    let world =
        world("  project: true\n  tests: [{run: python use.py, name: use, files: [use.py]}]\n");
    let git = |arguments: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.args(["-c", "user.name=x", "-c", "user.email=x@example.org"]);
        let output = command.args(arguments).current_dir(world.project()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let described = BACKEND.replace(
        "    fields = dict",
        "    import subprocess\n    said = subprocess.check_output(['git', 'describe', '--tags', '--dirty']).decode().strip()\n    \
             metadata = metadata.replace('Version: 1.2', 'Version: ' + said)\n    fields = dict",
    );
    world.write("backend.py", &described);
    world.write(".gitignore", ".caliper\n");
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "all"]);
    git(&["tag", "1.3"]);
    let index = || fs::read(world.project().join(".git/index")).unwrap();
    let before = index();
    run(&world, 0);
    let version = || world.results()["cells"][0]["environment"]["project"]["version"].clone();
    assert_eq!(version(), "1.3");
    assert_eq!(index(), before, "nothing is written into the user's folder");
    // The files are the same, and the version is not.
    git(&["tag", "1.4"]);
    git(&["tag", "--delete", "1.3"]);
    let said = run(&world, 0);
    assert!(said.err.contains("building the project's wheel"), "{}", said.err);
    assert_eq!(version(), "1.4");
}

#[test]
fn what_is_not_pure_is_built_for_each_python() {
    if !has_uv() {
        return;
    }
    let world = world("  project: true\n  tests: [use.py]\n");
    world.write("TAG.in", &format!("cp{}-none-linux_x86_64", python().replace('.', "")));
    run(&world, 0);
    let results = world.results();
    let project = &results["cells"][0]["environment"]["project"];
    assert!(project["file"]["filename"].as_str().unwrap().contains("-none-linux_"), "{project}");
    let plan = world.caliper(&["plan", "--python", &python(), "--format", "json"]).expect(0).out;
    let plan: Value = serde_json::from_str(&plan).unwrap();
    let wheels = &plan["plan"]["base"]["project"]["wheels"];
    assert_eq!(wheels[0]["python"], python());
}

#[test]
fn a_plan_and_a_replay_have_the_project_too() {
    if !has_uv() {
        return;
    }
    let world = world("  project: true\n  tests: [use.py]\n");
    let python = python();
    let plan = world.caliper(&["plan", "--python", &python, "--format", "json"]).expect(0).out;
    world.follows("plan", &plan);
    world.write("../plan.json", &world.unmasked(&plan));
    world.caliper(&["run", "--plan", "../plan.json", "--progress", "none"]).expect(0);
    assert_eq!(world.results()["cells"][0]["environment"]["project"]["version"], "1.2");
    world.caliper(&["replay", "all", "--progress", "none"]).expect(0);
    // As it was when it was measured, also if the folder has moved on.
    world.write("src/weather_kit.py", "import demo, helper\n");
    let other = world.caliper(&["run", "--plan", "../plan.json", "--progress", "none"]);
    assert_eq!(other.code, 0, "{}", other.err);
    fs::remove_dir_all(world.project().join(".caliper/cache")).unwrap();
    let other = world.caliper(&["run", "--plan", "../plan.json", "--progress", "none"]).error(2);
    insta::assert_snapshot!(other, @"error: the plan is for another state of the project's own package than that of this folder; make it anew");
}
