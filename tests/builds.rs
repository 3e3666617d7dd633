//! What is imported, what is built, and what keeps it from being built, on the `local` backend.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use caliper_pypi::pack;
use serde_json::Value;

use crate::support::faults::{Answer, Faults, response};
use crate::support::{Said, World, cells, has_uv, python};

fn run(world: &World, code: i32) -> Said {
    let python = python();
    world.caliper(&["run", "--python", &python, "--progress", "plain"]).expect(code)
}

/// The program of the import test, cell by cell.
fn programs(results: &Value) -> Vec<String> {
    let cells = results["cells"].as_array().unwrap().iter();
    let import =
        cells.map(|cell| cell["tests"][0]["command"][2].as_str().unwrap_or("?").to_owned());
    import.collect()
}

#[test]
fn the_import_decides_nothing_where_the_tests_pass() {
    if !has_uv() {
        return;
    }
    let world = World::with_config("  tests: [use.py]\n  expect: '>=1.0'\n");
    world.write("use.py", "import part\nprint(part.x)\n");
    let part = ("part.py", "x = 1\n");
    world.wheel("demo", "1.0", &[("demo/__init__.py", "import nothing_of_the_kind\n"), part]);
    world.wheel("demo", "1.1", &[("demo/__init__.py", ""), part, ("tests/__init__.py", "1/0\n")]);
    world.wheel("demo", "1.2", &[("demo/__init__.py", "import nothing_of_the_kind\n")]);
    let said = run(&world, 1);
    assert!(said.err.contains("1.0/"), "{}", said.err);
    assert!(said.err.contains("passed (note: import failed)"), "{}", said.err);
    let results = world.results();
    assert_eq!(
        cells(&results),
        [
            "1.0: tested [import failed, use.py passed]",
            "1.1: tested [import passed, use.py passed]",
            "1.2: tested [import failed, use.py failed]",
        ]
    );
    // It is no row, and no expectation; only 1.2 is not as expected.
    let rows = results["rows"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["test"] == "use.py"), "{rows:?}");
    assert_eq!(said.err.matches("not as expected").count(), 1, "{}", said.err);
    let note = "note: the import fails where all tests pass: 1x ModuleNotFoundError: No module named \
                'nothing_of_the_kind' (demo/__init__.py in <module>) in 1.0\n";
    assert!(said.out.contains(note), "{}", said.out);
    assert_eq!(results["notes"][0]["cells"].as_array().unwrap().len(), 1);
    let shown = world.caliper(&["show", &format!("1.0/{}", python())]).expect(0).out;
    assert!(shown.contains("the import fails, and all tests pass"), "{shown}");
    let suggested = world.caliper(&["suggest"]).expect(0).out;
    assert!(suggested.starts_with("demo<1.2\n"), "{suggested}");
    world.follows("results", &world.caliper(&["show", "--format", "json"]).expect(0).out);
}

#[test]
fn another_package_that_moved_is_named_beside_the_release() {
    if !has_uv() {
        return;
    }
    let world = World::with_config("  requirements: [helper]\n  tests: [use.py]\n");
    world.write("use.py", "import helper\nhelper.works()\n");
    let works = ("helper.py", "def works(): pass\n");
    world.wheel("helper", "1.0", &[works]);
    world.wheel("demo", "1.5", &[("demo.py", "")]);
    world.wheel("demo", "1.6", &[("demo.py", "")]);
    run(&world, 0);
    world.wheel("helper", "2.0", &[("helper.py", "")]);
    world.wheel("demo", "1.7", &[("demo.py", "")]);
    // Kept answers of the index do not know of the new ones.
    std::fs::remove_dir_all(world.project().join(".caliper/cache")).unwrap();
    let said = run(&world, 0).out;
    let moved = "breaks between 1.6 and 1.7 (adjacent; a single run); not only the release differs: \
                 helper 1.0 → 2.0\n";
    assert!(said.contains(moved), "{said}");
    let suggested = world.caliper(&["suggest"]).expect(0).out;
    assert!(suggested.starts_with("demo<1.7\n"), "{suggested}");
    assert!(suggested.contains(moved), "{suggested}");
}

#[test]
fn the_import_is_of_what_there_is_to_import() {
    if !has_uv() {
        return;
    }
    let world = World::with_config("");
    let shared = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n";
    world.wheel(
        "demo",
        "1.0",
        &[("ns/__init__.py", shared), ("ns/part.py", "import nothing_here\n")],
    );
    world.wheel("demo", "1.1", &[("ns/__init__.py", shared), ("ns/part.py", "")]);
    // Types and programs have nothing to import.
    world.wheel("demo", "1.2", &[("demo-stubs/__init__.pyi", ""), ("docs/conf.py", "1/0\n")]);
    // One that works is enough where nobody says which it is.
    world.wheel("demo", "1.3", &[("broken.py", "1/0\n"), ("works.py", "")]);
    // What ends the process has not been imported.
    world.wheel("demo", "1.4", &[("demo.py", "import os\nos._exit(0)\n")]);
    world.wheel("demo", "1.5", &[("demo.py", ""), ("demo.pth", "import os; os._exit(0)\n")]);
    world.wheel("demo", "1.6", &[("demo.py", "print('hello', end='')\n")]);
    let said = run(&world, 0);
    let results = world.results();
    assert_eq!(
        cells(&results),
        [
            "1.0: tested [import failed]",
            "1.1: tested [import passed]",
            "1.2: tested [import passed]",
            "1.3: tested [import passed]",
            "1.4: tested [import failed]",
            "1.5: tested [import failed]",
            "1.6: tested [import passed]",
        ]
    );
    assert!(programs(&results)[1].contains("'ns.part'"), "{results}");
    assert!(
        said.out.contains("2x the process ended before everything was imported"),
        "{}",
        said.out
    );
    // What Caliper prints itself is not part of the result.
    assert_eq!(results["cells"][6]["tests"][0]["runs"][0]["output"], "hello");
}

#[test]
fn the_import_is_chosen_or_switched_off() {
    if !has_uv() {
        return;
    }
    let world = World::with_config("  import: [other]\n");
    world.wheel("demo", "1.0", &[("demo.py", ""), ("other.py", "import nothing_here\n")]);
    run(&world, 0);
    assert_eq!(cells(&world.results()), ["1.0: tested [import failed]"]);
    let key = world.results()["cells"][0]["key"].clone();
    world.write("use.py", "import demo\n");
    let off = "analysis: {dependency: demo, import: false, tests: [use.py]}\n";
    world.write("caliper.yaml", off);
    run(&world, 0);
    assert_eq!(cells(&world.results()), ["1.0: tested [use.py passed]"]);
    assert_ne!(world.results()["cells"][0]["key"], key);
}

#[test]
fn a_release_that_the_users_requirements_exclude_does_not_break() {
    if !has_uv() {
        return;
    }
    let world =
        World::with_config("  requirements: ['lib<2']\n  tests: [use.py]\n  expect: '>=1.0'\n");
    world.write("use.py", "import demo\n");
    for (version, requires) in [("1.0", "lib>=1"), ("1.1", "lib>=2")] {
        pack::wheel(&world.packages(), "demo", version, &[requires], &[("demo.py", "")]).unwrap();
    }
    for version in ["1.0", "2.0"] {
        world.wheel("lib", version, &[("lib.py", "")]);
    }
    let said = run(&world, 0);
    assert!(said.err.contains("excluded by your requirements"), "{}", said.err);
    assert!(said.out.contains("R excluded by your requirements"), "{}", said.out);
    assert!(!said.out.contains("breaks"), "{}", said.out);
    let results = world.results();
    assert_eq!(results["cells"][1]["build"]["reason"], "excluded_by_requirements");
    assert!(results["rows"][0]["transitions"].as_array().is_none_or(Vec::is_empty), "{results}");
    let suggested = world.caliper(&["suggest"]).expect(0).out;
    assert!(suggested.starts_with("demo>=1.0\n"), "{suggested}");
}

#[test]
fn builds_from_source_are_announced_and_can_be_bound() {
    if !has_uv() {
        return;
    }
    // The build fails with this release of what it is built with, and works with the one before.
    let backend = "def build_wheel(*arguments, **options):\n    raise SystemExit('error: too new')\n\
                   def get_requires_for_build_wheel(*arguments): return []\n";
    let world = World::with_config("");
    world.wheel("tool", "2.0", &[("tool.py", backend)]);
    let works = backend
        .replace("raise SystemExit('error: too new')", "raise SystemExit('error: old enough')");
    world.wheel("tool", "1.0", &[("tool.py", &works)]);
    let project = "[build-system]\nrequires = ['tool']\nbuild-backend = 'tool'\n";
    pack::sdist(&world.packages(), "demo", "1.0", &[], &[("pyproject.toml", project)]).unwrap();
    let python = python();
    let planned = world.caliper(&["plan", "--python", &python]).expect(0).out;
    let told = format!("1  of these built from source, which may take long: 1.0/{python}\n");
    assert!(planned.contains(&told), "{planned}");
    let said = run(&world, 0);
    assert!(said.err.contains("1 cell to measure, 1 of them built from source"), "{}", said.err);
    assert!(said.err.contains("building demo 1.0 from source"), "{}", said.err);
    assert!(said.out.contains("build: too new"), "{}", said.out);
    world.write("caliper.yaml", "analysis: {dependency: demo, build_constraints: ['tool<2']}\n");
    let said = run(&world, 0);
    assert!(said.out.contains("build: old enough"), "{}", said.out);
}

#[test]
fn an_index_that_dies_ends_the_run() {
    if !has_uv() {
        return;
    }
    let world = World::with_config("");
    for minor in 0..6 {
        let version = format!("1.{minor}");
        pack::wheel(&world.packages(), "demo", &version, &["lib"], &[("demo.py", "")]).unwrap();
    }
    let names: Vec<String> = (0..6)
        .map(|minor| format!("demo-1.{minor}-py3-none-any.whl"))
        .map(|name| format!("<a href='{name}'>{name}</a>"))
        .collect();
    let page = response("200 OK\r\nContent-Type: text/html", names.concat().as_bytes());
    let (alive, packages) = (Arc::new(AtomicBool::new(true)), world.packages());
    let lives = Arc::clone(&alive);
    let faults = Faults::start(move |_, request| {
        let name = request.path.rsplit('/').next().unwrap_or_default();
        if let Ok(file) = std::fs::read(packages.join(name)) {
            return Answer::Bytes(response("200 OK", &file));
        }
        // It dies once somebody asks for what the package needs.
        if request.path.contains("/lib") {
            lives.store(false, Ordering::SeqCst);
        }
        if lives.load(Ordering::SeqCst) {
            Answer::Bytes(page.clone())
        } else {
            Answer::Bytes(response("500 Internal Server Error", b""))
        }
    });
    let python = python();
    let arguments =
        ["run", "--python", &python, "--progress", "plain", "--retries", "1", "-j", "1"];
    let mut command = world.command(&arguments);
    command.args(["--index", &faults.url()]);
    let said = world.said(command.output().unwrap()).expect(3);
    assert_eq!(
        said.err.matches("the package index does not answer").count(),
        1 + 5 + 1,
        "{}",
        said.err
    );
    assert!(said.err.contains("5 cells, such as 1.1/"), "{}", said.err);
    assert!(!alive.load(Ordering::SeqCst));
}

#[test]
fn an_index_without_dates_cannot_be_seen_as_of_one() {
    let page = b"<a href='demo-1.0-py3-none-any.whl'>demo-1.0-py3-none-any.whl</a>";
    let faults = Faults::always("200 OK\r\nContent-Type: text/html", page);
    let world = World::new();
    let arguments = ["resolve", "demo", "--python", "3.11", "--as-of", "2020-01-01"];
    let mut command = world.command(&arguments);
    command.args(["--index", &faults.url()]);
    let error = world.said(command.output().unwrap()).error(2);
    insta::assert_snapshot!(error, @"error: the index does not say when any file of `demo` was uploaded, so it cannot be looked at as of 2020-01-01T00:00:00Z: leave the date out, or use an index that says");
}

#[test]
fn a_module_is_led_to_its_project() {
    let world = World::new();
    insta::assert_snapshot!(world.caliper(&["resolve", "cv2"]).error(2), @"error: the index at http://[INDEX]/simple/ has no project `cv2`: the project with that module is `opencv-python`; use that name, or name another index");
    let world = World::new();
    world.write("caliper.yaml", "analysis: {dependency: 'requests[socks]'}\n");
    insta::assert_snapshot!(world.caliper(&["check"]).error(2), @r#"
    error: the extras of the dependency do not stand here
     --> caliper.yaml:1:24
      |
    1 | analysis: {dependency: 'requests[socks]'}
      |                        ^^^^^^^^^^^^^^^^^
      |
      = help: write `dependency: requests` and `requirements: ["requests[socks]"]`
    "#);
}

#[test]
fn declarations_of_every_kind_are_checked() {
    if !has_uv() {
        return;
    }
    let world = World::with_config("");
    world.wheel("demo", "1.0", &[("demo.py", "1/0\n")]);
    world.wheel("demo", "1.1", &[("demo.py", "")]);
    run(&world, 0);
    let check = |what: &str, code| world.caliper(&["suggest", "--check", what]).expect(code);
    assert!(check(">=1.1,<2", 0).out.contains("--check\n  >=1.1,<2: holds"));
    assert!(check("<2", 1).out.contains("<2: refuted, it allows 1 failing release: 1.0"));
    world.write("setup.cfg", "[options]\ninstall_requires =\n    demo>=1.0\n");
    assert!(check("setup.cfg", 1).out.contains("options.install_requires\n  >=1.0: refuted"));
    world.write("requirements.txt", "demo==1.1\n");
    assert!(check("requirements.txt", 0).out.contains("requirements\n  ==1.1: holds"));
    let python = python();
    world.write(
        "pyproject.toml",
        &format!(
            "[project]\nname = 'x'\ndependencies = [\"demo; python_version < '3'\", \"demo>=1.1; python_version >= '3'\"]\n\
             requires-python = '>={python}'\n"
        ),
    );
    let said = check("pyproject.toml", 0).out;
    assert!(said.contains("project.dependencies\n  >=1.1: holds"), "{said}");
    assert!(said.contains("project.requires-python\n"), "{said}");
    let missing = world.caliper(&["suggest", "--check", "nosuch.toml"]).error(2);
    assert!(missing.contains("could not read `nosuch.toml`"), "{missing}");
    let other = world.caliper(&["suggest", "--check", "setup.yaml"]).error(2);
    assert!(other.contains("it is neither a `pyproject.toml`"), "{other}");
}

#[test]
fn a_cache_in_use_is_not_removed() {
    if !has_uv() {
        return;
    }
    let world = World::with_config("  tests: [{name: waits, run: python wait.py}]\n");
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    let stop = world.project().join("stop");
    world.write(
        "wait.py",
        &format!(
            "import os, time\nwhile not os.path.exists('{}'): time.sleep(0.05)\n",
            stop.display()
        ),
    );
    let mut running =
        world.command(&["run", "--python", &python(), "--progress", "none"]).spawn().unwrap();
    let lock = world.project().join(".caliper/cache/.lock");
    while !lock.exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // Of another project, with a lock of its own and the same cache.
    world.write("other/caliper.yaml", "analysis: {dependency: demo}\n");
    let mut other = world.command(&["clean", "other/caliper.yaml", "--cache"]);
    other.env("CALIPER_CACHE_DIR", lock.parent().unwrap());
    let refused = world.said(other.output().unwrap()).error(2);
    assert!(refused.contains("is in use: a run is using it"), "{refused}");
    std::fs::write(&stop, "").unwrap();
    assert!(running.wait().unwrap().success());
    world.caliper(&["clean", "--cache"]).expect(0);
    assert!(!lock.exists());
}

/// Python writes it anew, because it was compiled from a source of another time.
#[test]
fn bytecode_of_a_wheel_is_not_what_a_test_changed() {
    if !has_uv() {
        return;
    }
    let world = World::with_config("  tests: [use.py]\n");
    world.write("use.py", "import demo\n");
    let tag = python().replace('.', "");
    let compiled = format!("__pycache__/demo.cpython-{tag}.pyc");
    world.wheel("demo", "1.0", &[("demo.py", "x = 1\n"), (&compiled, "of another time")]);
    let said = run(&world, 0);
    assert!(!said.err.contains("changed the environment"), "{}", said.err);
}
