//! Further axes of the grid, from the configuration to `show`, `compare` and `suggest`.

use crate::support::{World, has_uv, python, skip};

/// Releases of two packages, of which the second breaks the first from 2.0 on.
fn world() -> World {
    let world = World::with_config(
        "  tests: [show.py]
  axes:
    as_of: [release, today]
    helper: {releases: '>=1'}
    seed: {env: SEED, values: [0, 1]}
  exclude: [{as_of: release, helper: '>=2'}, {seed: 1, version: '2.0'}]
",
    );
    let wheel = |name: &str, version: &str, uploaded: &str, text: &str| {
        world.wheel(name, version, &[(&format!("{name}.py"), text)]);
        let file = format!("{name}-{version}-py3-none-any.whl.uploaded");
        std::fs::write(world.packages().join(file), uploaded).unwrap();
    };
    wheel("demo", "1.0", "2020-01-01T00:00:00Z", "import helper\nVALUE = 1\n");
    wheel("demo", "2.0", "2021-01-01T00:00:00Z", "import helper\nVALUE = 2\n");
    wheel("helper", "1.0", "2019-01-01T00:00:00Z", "VALUE = 1\n");
    wheel("helper", "2.0", "2020-06-01T00:00:00Z", "VALUE = 2\n");
    world.write(
        "show.py",
        "import demo, helper, os\nassert helper.VALUE == 1 or demo.VALUE == 2\nprint(os.environ['SEED'])\n",
    );
    world
}

#[test]
fn clocks_are_asked_for_on_the_command_line() {
    if !has_uv() {
        return;
    }
    let world = world();
    world.write("caliper.yaml", "analysis:\n  dependency: demo\n  requirements: [helper]\n");
    let python = python();
    let run = |dates: &str| {
        world.caliper(&["run", "--python", &python, "--as-of", dates, "--progress", "none"])
    };
    let said = run("release,today").expect(0);
    assert!(said.out.contains("by the date of the index"), "{}", said.out);
    let cell = |version: &str, date: &str| format!("{version}/{python}[as_of={date}]");
    let cells = |results: &serde_json::Value| -> Vec<String> {
        let cells = results["cells"].as_array().unwrap().iter();
        cells.map(|cell| cell["id"].as_str().unwrap().to_owned()).collect()
    };
    let found = cells(&world.results());
    let both = |version| [cell(version, "release"), cell(version, "today")];
    assert_eq!(found, [both("1.0"), both("2.0")].concat());

    // One date decides which releases there are, too.
    run("2020-03-01").expect(0);
    assert!(cells(&world.results()).contains(&cell("1.0", "2020-03-01")));
    let error = world.caliper(&["resolve", "demo", "--as-of", "release"]).error(2);
    assert!(error.contains("write one such as `--as-of 2021-03-01`"), "{error}");
    run("yesterday").error(2);
}

/// Each column has a baseline of its own, and both cells are as theirs.
#[test]
fn another_result_at_another_date_is_no_result_that_is_the_same() {
    if !has_uv() {
        return;
    }
    let world = world();
    world.write(
        "caliper.yaml",
        "analysis:\n  dependency: demo\n  requirements: [helper]\n  versions: ['1.0']\n  as_of: [release, today]\n  \
         tests: [{name: t, run: python t.py, repeat: 3}]\n",
    );
    world.write("t.py", "import helper\nprint('name', 'one' if helper.VALUE == 1 else 'two')\n");
    let python = python();
    let said = world.caliper(&["run", "--python", &python, "--progress", "none"]).expect(0);
    assert!(said.out.contains("result drifted: 1.0 gives another result today"), "{}", said.out);
    let cell = |date: &str| format!("1.0/{python}[as_of={date}]");
    let compared = world.caliper(&["compare", &cell("release"), &cell("today")]).expect(0).out;
    assert!(compared.contains("changed (1)"), "{compared}");
}

#[test]
fn every_combination_is_a_cell_that_every_command_understands() {
    if !has_uv() {
        return;
    }
    let world = world();
    let python = python();
    let run = ["run", "--python", &python, "--progress", "plain"];
    let said = world.caliper(&run).expect(0);
    let results = world.results();
    let cells: Vec<String> = results["cells"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cell| {
            let test = &cell["tests"][1];
            format!(
                "{} {} {} {}",
                cell["version"],
                cell["variant"],
                test["runs"][0]["outcome"],
                test["runs"][0]["output"]
            )
        })
        .collect();
    insta::assert_snapshot!(cells.join("\n"), @r#"
    "1.0" {"as_of":"release","helper":"1.0","seed":"0"} "passed" "0\n"
    "1.0" {"as_of":"release","helper":"1.0","seed":"1"} "passed" "1\n"
    "1.0" {"as_of":"today","helper":"1.0","seed":"0"} "passed" "0\n"
    "1.0" {"as_of":"today","helper":"1.0","seed":"1"} "passed" "1\n"
    "1.0" {"as_of":"today","helper":"2.0","seed":"0"} "failed" ""
    "1.0" {"as_of":"today","helper":"2.0","seed":"1"} "failed" ""
    "2.0" {"as_of":"release","helper":"1.0","seed":"0"} "passed" "0\n"
    "2.0" {"as_of":"today","helper":"1.0","seed":"0"} "passed" "0\n"
    "2.0" {"as_of":"today","helper":"2.0","seed":"0"} "passed" "0\n"
    "#);
    // One build for all seeds.
    let built = |results: &serde_json::Value| {
        let cells = results["cells"].as_array().unwrap().iter();
        cells.filter(|cell| cell["build"]["reused"].is_null()).count()
    };
    assert_eq!(built(&results), 6);
    insta::assert_snapshot!(said.out.replace(&python, "X.YZ"), @"
    Python  X.YZ
    as_of   release  today
    helper  1.0      1.0   2.0
    seed    0  1     0  1  0  1
    1.0     ✓  ✓     ✓  ✓  ✗  ✗
    2.0     ✓        ✓     ✓

    ✓ same result   ✗ fails: no test passes
    9 cells · 7 same result · 2 fails

    why tests fail
    2x AssertionError (show.py in <module>) in 1.0

    what changes along the releases
    show.py on X.YZ as_of=release,helper=1.0,seed=1, X.YZ as_of=today,helper=1.0,seed=1, X.YZ as_of=today,helper=2.0,seed=1
      not measured after 1.0 (1 release)
    show.py on X.YZ as_of=today,helper=2.0,seed=0
      is fixed between 1.0 and 2.0 (adjacent; a single run)

    by the date of the index
    show.py on X.YZ helper=1.0,seed=0
      fine: 1.0 … 2.0 (2 releases) pass at their date and today
    show.py on X.YZ helper=1.0,seed=1
      fine: 1.0 passes at its date and today

    suggestion: demo>=2.0 (it allows what passes everywhere, and nothing that fails somewhere)
    or, in place of a bound on demo, as cells show that differ in nothing else
      helper<=1.0, with which 1.0 passes; 2.0 fails, and nothing between was measured

    look further
      caliper show '1.0/X.YZ[as_of=today,helper=2.0,seed=0]'  # a cell that fails, with its output
      caliper suggest                                         # what the suggestion rests on
      caliper report                                          # all of it as a page
    ");
    let cell = |variant: &str| format!("1.0/{python}[{variant}]");

    let shown = world.caliper(&["show", &cell("seed=1,as_of=today,helper=1.0")]).expect(0).out;
    assert!(shown.starts_with(&cell("as_of=today,helper=1.0,seed=1")), "{shown}");
    let missing = world.caliper(&["show", &format!("2.0/{python}[seed=9]")]).error(2);
    assert!(missing.contains("of that release and Python there are 2.0/"), "{missing}");

    let (one, other) =
        (cell("as_of=today,helper=1.0,seed=0"), cell("as_of=today,helper=2.0,seed=0"));
    let compared = world.caliper(&["compare", &one, &other]).expect(0).out;
    assert!(compared.contains("`show.py`: passes, then fails"), "{compared}");

    let advice = world.caliper(&["suggest", "--format", "json"]).expect(0).out;
    let advice: serde_json::Value = serde_json::from_str(&advice).unwrap();
    assert_eq!(advice["variants"].as_array().unwrap().len(), 6);

    // Nothing is measured twice, and a part of the axes chooses cells.
    let again = world.caliper(&run).expect(0);
    assert!(again.err.contains("0 measured, 9 reused"), "{}", again.err);
    let only = ["plan", "--python", &python, "--only", "*/*[helper=2.0]", "--format", "json"];
    let forecast: serde_json::Value =
        serde_json::from_str(&world.caliper(&only).expect(0).out).unwrap();
    assert_eq!((&forecast["cells"], &forecast["recorded"]), (&3.into(), &3.into()));
}

#[test]
fn a_plan_is_kept_and_run() {
    if !has_uv() {
        return;
    }
    let world = world();
    let python = python();
    let planned = world.caliper(&["plan", "--python", &python, "--format", "json"]).expect(0).out;
    let forecast: serde_json::Value = serde_json::from_str(&planned).unwrap();
    let schema = world.caliper(&["schema", "plan"]).expect(0).out;
    jsonschema::validate(&serde_json::from_str(&schema).unwrap(), &forecast).unwrap();
    // Two releases, each as of its own date and today with one helper, and today with the other.
    assert_eq!(forecast["plan"]["environments"].as_array().unwrap().len(), 6);
    assert_eq!(forecast["plan"]["cells"].as_array().unwrap().len(), 9);
    world.write("plan.json", &world.unmasked(&planned));
    // What the index offers since is not in the plan.
    world.wheel("demo", "3.0", &[("demo.py", "")]);
    let run = ["run", "--plan", "plan.json", "--progress", "plain", "--only", "1.0/*[seed=0]"];
    let said = world.caliper(&run).expect(0);
    assert!(said.err.contains("3 measured"), "{}", said.err);
    world.write("caliper.yaml", "analysis: {dependency: other}");
    let error = world.caliper(&["run", "--plan", "plan.json"]).error(2);
    assert!(error.contains("it is for demo, and the configuration for other"), "{error}");
}

#[test]
fn a_date_on_the_command_line_replaces_no_record() {
    if !has_uv() {
        return;
    }
    let world = World::with_config("");
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    let uploaded = world.packages().join("demo-1.0-py3-none-any.whl.uploaded");
    std::fs::write(uploaded, "2020-01-01T00:00:00Z").unwrap();
    let python = python();
    let run = ["run", "--python", &python, "--progress", "plain"];
    world.caliper(&run).expect(0);
    let dated = [&run[..], &["--as-of", "2021-03-01"]].concat();
    world.caliper(&dated).expect(0);
    // The cell without a date is recorded, and stays in the results.
    let dates: Vec<serde_json::Value> = {
        let results = world.results();
        let cells = results["cells"].as_array().unwrap().iter();
        cells.map(|cell| cell["variant"]["as_of"].clone()).collect()
    };
    assert_eq!(dates, [serde_json::Value::Null, "2021-03-01".into()]);
    for arguments in [&run[..], &dated] {
        let said = world.caliper(arguments).expect(0);
        assert!(said.err.contains("0 measured, 1 reused"), "{}", said.err);
    }
}

#[test]
fn seeds_and_limits_share_an_image() {
    let world = World::with_config(
        "  dockerfile: Dockerfile
  args: {flavour: plain}
  tests: [show.py]
  axes:
    flavour: {plain: {}, other: {args: {flavour: other}}}
    seed: {env: SEED, values: [0, 1]}
    cpus: [0.5, 1]
",
    );
    for version in ["1.0", "2.0"] {
        world.wheel("demo", version, &[("demo.py", "")]);
    }
    world.write(
        "Dockerfile",
        "FROM {{ base }}\nCOPY {{ basename }} /\nRUN pip install --no-deps /{{ basename }}\n\
         RUN echo {{ flavour }} > /flavour\n",
    );
    world.write("show.py", "import os\nprint(open('/flavour').read(), os.environ['SEED'])\n");
    let run = ["run", "--backend", "docker", "--python", "3.11", "--progress", "json"];
    let said = world.caliper(&run);
    if said.code != 0 && said.err.contains("could not reach the container engine") {
        skip("there is no container engine");
        return;
    }
    let said = said.expect(0);
    let events: Vec<serde_json::Value> =
        said.err.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let count = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!((count("build_started"), count("cell_finished")), (2 * 2, 2 * 2 * 2 * 2));
    let results = world.results();
    let cells = results["cells"].as_array().unwrap();
    let keys: std::collections::BTreeSet<&str> =
        cells.iter().map(|cell| cell["environment"]["key"].as_str().unwrap()).collect();
    assert_eq!((cells.len(), keys.len()), (16, 4));
    for cell in cells {
        let (variant, run) = (&cell["variant"], &cell["tests"][1]["runs"][0]);
        let told = format!(
            "{}\n {}\n",
            variant["flavour"].as_str().unwrap(),
            variant["seed"].as_str().unwrap()
        );
        assert_eq!(run["output"], told);
        assert_eq!(
            variant["cpus"],
            run["limits"]["granted"]["cpus"].to_string().trim_end_matches(".0")
        );
        assert!(cell["environment"]["tools"]["docker"].is_string(), "{cell}");
    }
}

#[test]
fn a_test_that_changes_its_environment_affects_no_other_cell() {
    if !has_uv() {
        return;
    }
    let world =
        World::with_config("  tests: [spoil.py]\n  axes: {seed: {env: SEED, values: [0, 1, 2]}}\n");
    world.wheel("demo", "1.0", &[("demo.py", ""), ("demo_more.py", "")]);
    world.write(
        "spoil.py",
        "import demo_more, os\nif os.environ['SEED'] == '0': os.remove(demo_more.__file__)\n",
    );
    let python = python();
    for schedule in ["parallel", "interleaved"] {
        let run = ["run", "--python", &python, "--schedule", schedule, "--rerun", "all", "-j1"];
        let said = world.caliper(&[&run[..], &["--progress", "plain"]].concat()).expect(0);
        assert!(said.err.contains("3 measured"), "{}", said.err);
        assert!(said.err.contains("a test changed the environment"), "{}", said.err);
        assert!(said.out.contains("3 cells · 3 same result"), "{}", said.out);
    }
}

#[test]
fn a_list_of_releases_is_measured_as_far_as_it_existed_at_a_date() {
    for versions in ["['1.0', '2.0']", "{latest: 2}", "latest-patch", "'>=1'"] {
        let world = World::with_config(&format!(
            "  versions: {versions}\n  axes: {{as_of: ['2020-06-01', today]}}\n"
        ));
        for (version, uploaded) in [("1.0", "2020-01-01"), ("2.0", "2021-01-01")] {
            world.wheel("demo", version, &[("demo.py", "")]);
            let file = format!("demo-{version}-py3-none-any.whl.uploaded");
            std::fs::write(world.packages().join(file), format!("{uploaded}T00:00:00Z")).unwrap();
        }
        let python = python();
        let plan = ["plan", "--python", &python, "--format", "json"];
        let forecast: serde_json::Value =
            serde_json::from_str(&world.caliper(&plan).expect(0).out).unwrap();
        let environments = forecast["plan"]["environments"].as_array().unwrap();
        let files = environments.iter().filter(|one| one["file"].is_object()).count();
        let cells = forecast["plan"]["cells"].as_array().unwrap().len();
        // 1.0 at both dates, 2.0 today.
        assert_eq!((cells, files), (4, 3), "{versions}");
    }
}

#[test]
fn an_interrupted_cell_is_not_part_of_a_summary() {
    if !has_uv() {
        return;
    }
    let world = World::with_config("  tests: [show.py]\n");
    for version in ["1.0", "2.0"] {
        world.wheel("demo", version, &[("demo.py", "")]);
    }
    world.write("show.py", "");
    world.caliper(&["run", "--python", &python()]).expect(0);
    let records = std::fs::read_dir(world.project().join(".caliper/records")).unwrap();
    let record = records.map(|entry| entry.unwrap().path()).min().unwrap();
    let text = std::fs::read_to_string(&record).unwrap();
    std::fs::write(&record, text.replacen("\"build\"", "\"interrupted\": true, \"build\"", 1))
        .unwrap();
    let said = world.caliper(&["show", "--rebuild"]).expect(0);
    assert!(
        said.err.contains("was interrupted, and `caliper run` makes the missing runs"),
        "{}",
        said.err
    );
    assert_eq!(world.results()["cells"].as_array().unwrap().len(), 1);
}

#[test]
fn a_release_that_comes_out_meanwhile_splits_no_grid() {
    if !has_uv() {
        return;
    }
    let world =
        World::with_config("  tests: [show.py]\n  axes: {as_of: [today]}\n  versions: '>=1'\n");
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    world.wheel("demo", "2.0", &[("demo.py", "")]);
    world.write("show.py", "import demo\n");
    let python = python();
    let run = |only: &[&str]| {
        world.caliper(&[&["run", "--python", &python], only].concat()).expect(0);
    };
    let moments = || -> std::collections::BTreeSet<String> {
        let results = world.results();
        let cells = results["cells"].as_array().unwrap().iter();
        cells.map(|cell| cell["environment"]["as_of"].to_string()).collect()
    };
    run(&["--only", &format!("1.0/{python}")]);
    let first = moments();
    assert_eq!(first.len(), 1, "{first:?}");
    // Uploaded now, and so not there at the moment of the run that goes on.
    world.wheel("demo", "3.0", &[("demo.py", "")]);
    run(&[]);
    let results = world.results();
    assert_eq!(moments(), first);
    let outcome = |version: &str| {
        let cells = results["cells"].as_array().unwrap().iter();
        let mut of_version = cells.filter(|cell| cell["version"] == version);
        of_version.next().map(|cell| cell["outcome"].clone())
    };
    assert_eq!(outcome("2.0").unwrap(), "tested");
    assert!(outcome("3.0").is_none_or(|outcome| outcome == "unavailable"), "{results}");
}
