//! What is on the screen after a run of a part of the grid, during a run, and after an edit.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{World, has_uv, python, verdicts};

/// Releases that pass from 1.1 on, and a test that sleeps as long as a file says.
fn world() -> World {
    let world = World::with_config("  tests: [show.py]\n");
    for version in ["1.0", "1.1", "1.2"] {
        world.wheel("demo", version, &[("demo.py", &format!("VERSION = '{version}'\n"))]);
    }
    world.write("show.py", "import demo, sys\nsys.exit(demo.VERSION == '1.0')\n");
    world
}

/// The releases in a list of records.
fn releases(results: &Value, key: &str) -> Vec<String> {
    let records = results[key].as_array().into_iter().flatten();
    records.map(|record| record["version"].as_str().unwrap().to_owned()).collect()
}

/// From the grid on: what is above it holds causes.
fn grid(out: &str, python: &str) -> String {
    let out = out.replace(python, "X.YZ");
    let start = out.find("  X.YZ\n").unwrap_or_default();
    let start = out[..start].rfind('\n').map_or(0, |line| line + 1);
    out[start..].to_owned()
}

#[test]
fn a_partial_run_takes_nothing_away() {
    if !has_uv() {
        return;
    }
    let world = world();
    let python = python();
    let run = ["run", "--python", &python, "--progress", "plain"];
    let whole = world.caliper(&run).expect(0);
    let with = |more: &[&str]| world.caliper(&[&run[..], more].concat()).expect(0);
    for part in [&["--versions", "1.1"][..], &["--only", "1.1/*"], &["--search"]] {
        let said = with(part);
        // A search that finds all recorded begins no round.
        assert!(said.err.is_empty() || said.err.contains("0 measured"), "{}", said.err);
        assert_eq!(grid(&said.out, &python), grid(&whole.out, &python), "{part:?}");
    }

    world.write("show.py", "import demo, sys\nsys.exit(demo.VERSION == '1.0')  # edited\n");
    let said = with(&["--versions", "1.1"]);
    assert!(said.err.contains("1 measured"), "{}", said.err);
    insta::assert_snapshot!(grid(&said.out, &python), @"
         X.YZ
    1.0  (✗)
    1.1  ✓
    1.2  (○)

    ( ) stale: answers an earlier question, counts for nothing
    ○ passes, nothing to compare with   ✓ same result   ✗ fails: no test passes
    3 cells · 1 same result · 2 stale

    what changes along the releases
    show.py on X.YZ
      not measured before 1.1 (1 release)
      not measured after 1.1 (1 release)

    look further
      caliper report  # all of it as a page
    ");
    let results = world.results();
    assert_eq!(releases(&results, "cells"), ["1.1"]);
    assert_eq!(releases(&results, "stale"), ["1.0", "1.2"]);
    assert_eq!(verdicts(&results, "show.py"), ["same"]);
    let shown = world.caliper(&["show"]).expect(0);
    assert!(shown.out.ends_with(&said.out), "{}", shown.out);
    let json = world.caliper(&["show", "--format", "json"]).expect(0).out;
    world.follows("results", &json);
    assert_eq!(releases(&serde_json::from_str(&json).unwrap(), "stale"), ["1.0", "1.2"]);

    // Nothing rests on a stale cell.
    let suggested = world.caliper(&["suggest"]).expect(0).out;
    assert!(suggested.contains("2 cells are stale"), "{suggested}");
    assert!(suggested.contains("without evidence: 1.2"), "{suggested}");
    let json = world.caliper(&["suggest", "--format", "json"]).expect(0).out;
    world.follows("suggest", &json);
    insta::assert_snapshot!(world.caliper(&["compare", "1.1", "1.2"]).error(2), @"error: all that is recorded of `1.2` is stale; `caliper run` measures it again");
    let cell = world.caliper(&["show", &format!("1.2/{python}")]).expect(0).out;
    assert!(cell.contains("it answered another question"), "{cell}");

    let said = with(&["--search", "--probes", "2"]);
    assert!(!said.out.contains("stale"), "all three were needed: {}", said.out);
    assert_eq!(releases(&world.results(), "cells"), ["1.0", "1.1", "1.2"]);
    // What the configuration no longer selects is not shown.
    let edited = "analysis:\n  dependency: demo\n  versions: \">=1.1\"\n  tests: [show.py]\n";
    world.write("caliper.yaml", edited);
    assert!(with(&[]).out.contains("\n2 cells"));
}

#[test]
fn a_python_that_is_left_out_stays() {
    if !has_uv() {
        return;
    }
    let world = world();
    let python = python();
    world.caliper(&["run", "--python", &python, "--progress", "none"]).expect(0);
    // Its records are made for another Python by their names: no second one is needed on this machine.
    let records = world.project().join(".caliper/records");
    for entry in std::fs::read_dir(&records).unwrap() {
        let path = entry.unwrap().path();
        let mut record: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let other = "3.99";
        let version = record["version"].as_str().unwrap().to_owned();
        record["python"] = other.into();
        record["environment"]["interpreter"]["python"] = other.into();
        let path = records.join(format!("{version}-py{other}.json"));
        std::fs::write(path, record.to_string()).unwrap();
    }
    let said = world.caliper(&["run", "--python", &python, "--progress", "none"]).expect(0);
    assert!(said.out.contains("6 cells"), "{}", said.out);
    assert!(said.out.lines().any(|line| line.trim_end().ends_with("3.99")), "{}", said.out);
}

#[test]
fn what_a_run_cannot_judge_is_stale_and_stays() {
    if !has_uv() {
        return;
    }
    let world = world();
    let python = python();
    for version in ["1.0", "1.1", "1.2"] {
        let uploaded = format!("demo-{version}-py3-none-any.whl.uploaded");
        std::fs::write(world.packages().join(uploaded), "2020-01-01T00:00:00Z").unwrap();
    }
    let select = ["--python", &python, "--format", "json"];
    world.caliper(&[&["run", "--progress", "none"], &select[..]].concat()).expect(0);
    let plan = [&["plan", "--versions", "1.1"], &select[..]].concat();
    world.write("../plan.json", &world.unmasked(&world.caliper(&plan).expect(0).out));
    world.caliper(&["run", "--plan", "../plan.json", "--progress", "none"]).expect(0);
    let results = world.results();
    assert_eq!(releases(&results, "cells"), ["1.1"]);
    assert_eq!(releases(&results, "stale"), ["1.0", "1.2"]);
    // A date has cells of its own; those without it are laid out beside.
    let dated = ["run", "--as-of", "2021-01-01", "--progress", "none", "--python", &python];
    world.caliper(&[&dated[..], &["--versions", "1.1,1.2"]].concat()).expect(0);
    world.caliper(&[&dated[..], &["--versions", "1.1"]].concat()).expect(0);
    let results = world.results();
    let ids = |key: &str| -> Vec<String> {
        let records = results[key].as_array().into_iter().flatten();
        records.map(|record| record["id"].as_str().unwrap().replace(&python, "X.YZ")).collect()
    };
    let dated = |version: &str| format!("{version}/X.YZ[as_of=2021-01-01]");
    let all = ["1.0/X.YZ", "1.1/X.YZ", &dated("1.1"), "1.2/X.YZ", &dated("1.2")];
    assert_eq!((ids("cells"), ids("stale").len()), (all.map(str::to_owned).to_vec(), 0));
}

#[test]
fn results_are_shown_while_a_run_goes_on() {
    if !has_uv() {
        return;
    }
    let world = world();
    let python = python();
    world.write(
        "show.py",
        "import demo, os, time\nwhile demo.VERSION == '1.2' and not os.path.exists(os.environ['GO']): time.sleep(0.05)\n",
    );
    let go = world.packages().join("go");
    let config =
        format!("  tests: [{{run: python show.py, name: show, env: {{GO: {}}}}}]\n", go.display());
    world.write("caliper.yaml", &format!("analysis:\n  dependency: demo\n{config}"));
    let run = ["run", "--python", &python, "--progress", "none", "--jobs", "1"];
    let mut run = world.command(&run).stdout(std::process::Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    let shown = loop {
        let shown = world.caliper(&["show"]);
        if shown.err.contains("2 of 3 cells are recorded so far") {
            break shown;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "{}{}", shown.out, shown.err);
        std::thread::sleep(Duration::from_millis(100));
    };
    assert!(shown.err.contains(&format!("a run is under way (process {})", run.id())));
    assert!(shown.out.contains("\n2 cells"), "{}", shown.out);
    std::fs::write(go, "").unwrap();
    assert!(run.wait().unwrap().success());
    let shown = world.caliper(&["show"]).expect(0);
    assert_eq!((shown.err.as_str(), shown.out.contains("\n3 cells")), ("", true), "{}", shown.out);
}

#[test]
fn an_edit_of_the_criteria_needs_no_run() {
    if !has_uv() {
        return;
    }
    let world = world();
    let python = python();
    world.write("show.py", "import demo\nprint('demo', demo.VERSION)\n");
    world.caliper(&["run", "--python", &python, "--progress", "none"]).expect(0);
    let shown = |world: &World| -> Vec<String> {
        let json = world.caliper(&["show", "--format", "json"]).expect(0).out;
        verdicts(&serde_json::from_str(&json).unwrap(), "show.py")
    };
    assert_eq!(shown(&world), ["same", "same", "same"]);
    let config = "  compare: {keep: [version]}\n  tests: [show.py]\n";
    world.write("caliper.yaml", &format!("analysis:\n  dependency: demo\n{config}"));
    assert_eq!(shown(&world), ["undecided", "undecided", "same"]);
    let compared = world.caliper(&["compare", "1.1", "1.2"]).expect(0).out;
    assert!(compared.contains("may be noise"), "{compared}");
}

/// What the configuration does not select exists all the same.
#[test]
fn a_change_across_releases_that_are_not_selected_is_bracketed() {
    if !has_uv() {
        return;
    }
    let world = World::with_config("  versions: ['1.0', '1.3']\n");
    for (version, module) in [("0.9", ""), ("1.0", ""), ("1.1", ""), ("1.2", "1/0"), ("1.3", "1/0")]
    {
        world.wheel("demo", version, &[("demo.py", module)]);
    }
    let said = world.caliper(&["run", "--python", &python(), "--progress", "none"]).expect(0).out;
    let change =
        "breaks somewhere from 1.0 to 1.3 (bracketed, 2 releases not measured; a single run)";
    assert!(said.contains(change), "{said}");
    assert!(!said.contains("0.9") && !said.contains("1.1 "), "they have no line: {said}");
    let results = world.results();
    assert_eq!(results["left_out"], serde_json::json!(["0.9", "1.1", "1.2"]));
    world.follows("results", &results.to_string());
    let check = world.caliper(&["suggest", "--check", "<1.3"]).expect(0).out;
    let open = "<1.3: without evidence, it allows 3 unmeasured releases: 0.9, 1.1, 1.2";
    assert!(check.contains(open), "{check}");
    assert!(
        check.contains("<1.3: holds, it allows 1 passing release and no failing one"),
        "{check}"
    );
}
