//! The main job on the `local` backend.

use std::time::Instant;

use caliper_pypi::pack;

use crate::support::{World, cells, has_uv, python, verdicts};

/// Releases that pass, change their result, fail, need something, and cannot be installed.
fn world() -> World {
    let world = World::with_config("  tests: [show.py]\n");
    world.wheel("demo", "1.0", &[("demo.py", "VALUE = 1\n")]);
    world.wheel("demo", "1.1", &[("demo.py", "raise ImportError('broken')\n")]);
    world.wheel("demo", "1.2", &[("demo.py", "VALUE = 2\n")]);
    let files = [("demo/__init__.py", "import helper\nVALUE = helper.VALUE\n")];
    pack::wheel(&world.packages(), "demo", "1.3", &["helper>=1"], &files).unwrap();
    let files = [("demo.py", "VALUE = 2\n")];
    pack::wheel(&world.packages(), "demo", "1.4", &["nosuch"], &files).unwrap();
    world.wheel("helper", "1.5", &[("helper.py", "VALUE = 2\n")]);
    world.write("show.py", "import demo, data\nprint('value', demo.VALUE, data.EXTRA)\n");
    world.write("data.py", "EXTRA = 'x'\n");
    world
}

#[test]
fn every_rung_of_the_ladder() {
    if !has_uv() {
        return;
    }
    let world = world();
    let python = python();
    let arguments = ["run", "--python", &python, "--progress", "plain"];
    let said = world.caliper(&arguments).expect(0);
    assert_eq!(
        cells(&world.results()),
        [
            "1.0: tested [import passed, show.py passed]",
            "1.1: tested [import failed, show.py failed]",
            "1.2: tested [import passed, show.py passed]",
            "1.3: tested [import passed, show.py passed]",
            "1.4: build_failed []",
        ]
    );
    insta::assert_snapshot!(said.out.replace(&python, "X.YZ"), @"
              X.YZ
    1.0       ≠?
    1.1       ✗
    1.2, 1.3  ✓
    1.4       B

    B cannot be built   ≠? undecided: not the same result, which may be noise
    ✓ same result   ✗ fails: no test passes
    5 cells · 2 same result · 1 undecided · 1 fails · 1 cannot be built

    why tests fail
    1x ImportError: broken (demo.py in <module>) in 1.1
    1x build: Because nosuch was not found in the package registry and demo==N depends on nosuch, we can conclude that demo==N cannot be used. And because you require demo, we can conclude that your requirements ar… in 1.4

    what changes along the releases
    show.py on X.YZ
      breaks between 1.0 and 1.1 (adjacent; a single run)
      is fixed between 1.1 and 1.2 (adjacent; a single run)
      breaks between 1.3 and 1.4 (adjacent; a single run)
      goes back and forth: a bisection would have been wrong here

    1 result is not that of the baseline, which may be noise; 3 runs of each would tell, and `caliper run --confirm` makes them

    suggestion: demo<1.4,!=1.1 (it allows what passes everywhere, and nothing that fails somewhere)

    look further
      caliper show 1.1/X.YZ  # a cell that fails, with its output
      caliper suggest        # what the suggestion rests on
      caliper report         # all of it as a page
    ");

    let results = world.results();
    let schema = world.caliper(&["schema", "results"]).expect(0).out;
    jsonschema::validate(&serde_json::from_str(&schema).unwrap(), &results).unwrap();
    assert_eq!(verdicts(&results, "show.py")[0], "undecided");
    assert_eq!(results["cells"][0]["tests"][1]["runs"][0]["output"], "value 1 x\n");
    let helper = &results["cells"][3]["environment"]["installed"][1];
    assert_eq!(helper["name"], "helper");
    assert_eq!(helper["file"]["filename"], "helper-1.5-py3-none-any.whl");
    assert!(helper["file"]["sha256"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(results["cells"][4]["build"]["reason"], "no_matching_distribution");

    // A second run measures nothing.
    let begun = Instant::now();
    let again = world.caliper(&arguments).expect(0);
    assert!(again.err.contains("0 measured, 5 reused"), "{}", again.err);
    assert_eq!(again.out, said.out);
    assert_eq!(world.results()["cells"], results["cells"]);
    // The limit is the machine's; this is only against something absurd.
    assert!(begun.elapsed().as_secs() < 5);

    // Only what failed; then all that was built, because a file of the project changed.
    let mut failed = arguments.to_vec();
    failed.extend(["--rerun", "failed"]);
    let said = world.caliper(&failed).expect(0);
    assert!(said.err.contains("2 measured, 3 reused"), "{}", said.err);
    world.write("data.py", "EXTRA = 'y'\n");
    let said = world.caliper(&arguments).expect(0);
    assert!(said.err.contains("4 measured, 1 reused"), "{}", said.err);
    let reused = || -> Vec<bool> {
        let results = world.results();
        let tests = results["cells"][0]["tests"].as_array().unwrap();
        tests.iter().map(|test| test["runs"][0]["reused"] == true).collect()
    };
    assert_eq!(reused(), [true, false]);

    // A test that finds only its own files does not care for the others.
    let test = |name: &str| format!("{{run: python {name}, name: {name}, files: [{name}]}}");
    world.write("own.py", "import demo, os; print(sorted(os.listdir()))\n");
    let tests = format!("  tests: [show.py, {}]\n", test("own.py"));
    let configure = |tests: &str| {
        world.write("caliper.yaml", &format!("analysis:\n  dependency: demo\n{tests}"));
    };
    configure(&tests);
    let said = world.caliper(&arguments).expect(0);
    assert!(said.err.contains("4 measured, 1 reused"), "{}", said.err);
    assert_eq!(world.results()["cells"][0]["tests"][2]["runs"][0]["output"], "['own.py']\n");
    world.write("data.py", "EXTRA = 'z'\n");
    world.caliper(&arguments).expect(0);
    assert_eq!(reused(), [true, false, true]);
    let shown = world.caliper(&["show", &format!("1.0/{python}")]).expect(0).out;
    assert_eq!(shown.matches("taken up from an earlier run").count(), 2, "{shown}");

    configure(&tests.replace("[own.py]", "[own.py, nosuch]"));
    let said = world.caliper(&["check"]).error(2);
    assert!(said.contains("`nosuch`: the project has no such file"), "{said}");
}

#[test]
fn a_cell_can_be_traced() {
    if !has_uv() {
        return;
    }
    let world = world();
    let python = python();
    world.caliper(&["run", "--python", &python, "--progress", "none"]).expect(0);
    let shown = world.caliper(&["show", &format!("1.1/{python}")]).expect(0).out;
    for part in ["ImportError: broken", "demo-1.1-py3-none-any.whl", "sha256:", "exit status 1"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let cell = &world.results()["cells"][0];
    assert_eq!(cell["id"], format!("1.0/{python}"));
    assert!(cell["environment"]["tools"]["uv"].is_string(), "{cell}");
    assert_eq!(cell["environment"]["installed"][0]["file"], cell["environment"]["file"]);
    let machine = cell["machine"].as_object().unwrap();
    assert!(machine["cores"].as_u64().unwrap() > 0 && machine["kernel"].is_string());
    if cfg!(target_os = "linux") {
        let run = &cell["tests"][0]["runs"][0];
        assert!(run["cpu_nanoseconds"].is_u64(), "{run}");
    }
    for part in ["built by     uv ", "machine ", "processors, "] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let shown = world.caliper(&["show", &format!("1.4/{python}")]).expect(0).out;
    assert!(shown.contains("nosuch"), "the log of the build says what is missing: {shown}");
    let missing = world.caliper(&["show", "9.9/3.11"]).error(2);
    assert!(missing.contains("there is no cell `9.9/3.11`"), "{missing}");
}

#[test]
fn without_tests_the_import_is_the_test() {
    if !has_uv() {
        return;
    }
    let world = World::with_config("");
    world.wheel("demo", "1.0", &[("other_name.py", "")]);
    world.caliper(&["run", "--python", &python()]).expect(0);
    let results = world.results();
    assert_eq!(cells(&results), ["1.0: tested [import passed]"]);
    // What the file installs is imported, not the project's name.
    let script = results["cells"][0]["tests"][0]["command"][2].as_str().unwrap_or_default();
    assert!(script.contains("__import__('other_name')"), "{script}");
}

#[test]
fn expectations_decide_the_exit_code() {
    if !has_uv() {
        return;
    }
    let world = world();
    let python = python();
    let run = |more: &[&str]| {
        let mut arguments = vec!["run", "--python", &python, "--progress", "none"];
        arguments.extend(more);
        world.caliper(&arguments)
    };
    run(&["--fail-on", "never"]).expect(0);
    let failed = run(&["--fail-on", "failed"]).expect(1);
    assert!(failed.err.contains("not as expected: 1.1/"), "{}", failed.err);
    run(&["--fail-on", "regressed"]).expect(1);
    run(&["--only", "1.2/*", "--fail-on", "failed"]).expect(1);
    world.write(
        "caliper.yaml",
        "analysis: {dependency: demo, tests: [show.py], expect: '>=1.2,<1.4'}",
    );
    run(&[]).expect(0);
    world.write("caliper.yaml", "analysis: {dependency: demo, tests: [show.py], expect: '>=1.1'}");
    run(&[]).expect(1);
}

#[test]
fn tests_cannot_touch_the_project_or_each_other() {
    if !has_uv() {
        return;
    }
    let world = World::with_config("  tests: [a.py, b.py]\n");
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    let program = "import os\nassert sorted(os.listdir('.')) == ['a.py', 'b.py'], os.listdir('.')\n\
                   open('left.txt', 'w').close()\nos.remove('a.py')\nprint(os.environ.get('SECRET'))\n";
    world.write("a.py", program);
    world.write("b.py", program);
    let mut command = world.command(&["run", "--python", &python(), "--progress", "none"]);
    command.env("SECRET", "of the user");
    world.said(command.output().unwrap()).expect(0);
    let results = world.results();
    assert_eq!(cells(&results), ["1.0: tested [import passed, a.py passed, b.py passed]"]);
    assert_eq!(results["cells"][0]["tests"][1]["runs"][0]["output"], "None\n");
    assert!(world.project().join("a.py").exists() && !world.project().join("left.txt").exists());
}

#[test]
fn a_test_that_never_ends_is_ended() {
    if !has_uv() {
        return;
    }
    let world = World::with_config("  tests: [hang.py]\n  limits: {timeout: 1s}\n");
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    let marker = world.project().join("../still-here");
    // Ignores SIGTERM, and has a child in a session of its own that would write in a while.
    world.write(
        "hang.py",
        &format!(
            "import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
             if os.fork() == 0:\n    os.setsid()\n    time.sleep(4)\n    open('{}', 'w').close()\n\
             print('begun', flush=True)\ntime.sleep(100)\n",
            marker.display()
        ),
    );
    let begun = Instant::now();
    world.caliper(&["run", "--python", &python(), "--progress", "none"]).expect(0);
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    let results = world.results();
    assert_eq!(cells(&results), ["1.0: tested [import passed, hang.py timed_out]"]);
    assert_eq!(results["cells"][0]["tests"][1]["runs"][0]["output"], "begun\n");
    std::thread::sleep(std::time::Duration::from_secs(4));
    assert!(!marker.exists(), "no child outlives its test");
}

#[test]
fn paths_of_one_run_do_not_differ_from_the_next() {
    if !has_uv() {
        return;
    }
    let world = World::with_config("  tests: [where.py]\n");
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    world.wheel("demo", "1.1", &[("demo.py", "")]);
    world.write(
        "where.py",
        "import demo, os, tempfile\nprint(demo.__file__.split('lib')[0], os.getcwd(), \
         os.path.expanduser('~'), tempfile.gettempdir())\n",
    );
    world.caliper(&["run", "--python", &python(), "--progress", "none"]).expect(0);
    let results = world.results();
    assert_eq!(verdicts(&results, "where.py"), ["same", "same"]);
    let output = results["cells"][0]["tests"][1]["runs"][0]["output"].as_str().unwrap();
    assert_eq!(output, "/environment/ /project /home /tmp\n");
}

#[test]
fn strange_output_is_kept() {
    if !has_uv() {
        return;
    }
    let world = World::with_config("  tests: [print.py]\n  limits: {output: 100KiB}\n");
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    world.write(
        "print.py",
        "import os\nos.write(1, b'\\xff\\x1b[2J\\x00\\n')\nos.write(2, b'y' * 300000)\n",
    );
    let python = python();
    world.caliper(&["run", "--python", &python, "--progress", "none"]).expect(0);
    let test = &world.results()["cells"][0]["tests"][1]["runs"][0];
    assert_eq!(test["outcome"], "passed");
    assert_eq!(test["truncated"], true);
    assert!(test["output_blob"].as_str().unwrap().starts_with("blob:sha256:"));
    let shown = world.caliper(&["show", &format!("1.0/{python}")]).expect(0).out;
    assert!(!shown.contains('\x1b'), "nothing redraws the terminal");
}

#[test]
fn the_events_follow_their_schema() {
    if !has_uv() {
        return;
    }
    let world = world();
    let said = world.caliper(&["run", "--python", &python(), "--progress", "json"]).expect(0);
    let schema = world.caliper(&["schema", "event"]).expect(0).out;
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let events: Vec<serde_json::Value> =
        said.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for event in &events {
        assert!(validator.is_valid(event), "{event}");
    }
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    // The index is read before it is known what there is to run.
    assert_eq!(names.first(), Some(&"phase_started"));
    let of_run: Vec<&str> =
        names.iter().copied().filter(|name| !name.starts_with("phase_")).collect();
    assert_eq!((of_run.first(), of_run.last()), (Some(&"run_started"), Some(&"run_finished")));
    assert_eq!(names.iter().filter(|name| **name == "cell_finished").count(), 5);
}

#[test]
fn the_spelling_of_the_original_works() {
    if !has_uv() {
        return;
    }
    let world = world();
    let python = python();
    let arguments = ["analyze", "--config", "caliper.yaml", "--python", &python, "--only", "1.0/*"];
    world.caliper(&arguments).expect(0);
    assert_eq!(cells(&world.results()), ["1.0: tested [import passed, show.py passed]"]);
}

/// The disk holds two of four environments: a change costs no more than the first run, and each time the same two are
/// made.
#[test]
fn an_edit_costs_no_more_than_the_first_run_if_the_disk_does_not_hold_all() {
    if !has_uv() {
        return;
    }
    let world = World::with_config("  tests: [show.py]\n");
    for release in ["1.0", "1.1", "1.2", "1.3"] {
        world.wheel("demo", release, &[("demo.py", "value = 1\n")]);
    }
    let python = python();
    let run = |edit: usize, disk: u64| {
        world.write("show.py", &format!("import demo, sys\nprint('{edit}')\n"));
        let disk = disk.to_string();
        let arguments =
            ["run", "--python", &python, "--disk", &disk, "--progress", "plain", "--jobs", "1"];
        let said = world.caliper(&arguments).expect(0);
        assert!(said.err.contains("4 measured"), "{}", said.err);
        let results = world.results();
        let reused = results["cells"].as_array().unwrap().iter();
        let reused: Vec<bool> = reused.map(|cell| cell["build"]["reused"] == true).collect();
        (reused, said.err)
    };
    let (reused, said) = run(1, 1 << 30);
    assert_eq!(reused, [false; 4]);
    assert!(!said.contains("of them anew"), "{said}");
    let environments = world.project().join(".caliper/cache/environments");
    let size = |folder: std::fs::DirEntry| {
        let seal = std::fs::read(folder.path().join("seal.json")).ok()?;
        serde_json::from_slice::<serde_json::Value>(&seal).unwrap()["size"].as_u64()
    };
    let sizes = std::fs::read_dir(environments).unwrap().filter_map(|folder| size(folder.unwrap()));
    let largest = sizes.max().unwrap();
    let disk = largest * 5 / 2;
    let (_, said) = run(2, disk);
    assert!(said.contains("note: the 4 environments of this run take "), "{said}");
    assert!(said.contains("each run makes 2 of them anew; `--disk SIZE` keeps more"), "{said}");
    let (reused, _) = run(3, disk);
    assert_eq!(reused.iter().filter(|reused| **reused).count(), 2, "{reused:?}");
    assert_eq!(run(4, disk).0, reused);
}
