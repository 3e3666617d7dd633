//! `caliper bounds`: a project's declared ranges, measured one by one and together.

use std::fs;

use crate::support::{World, has_uv, python};

/// A build backend in the project itself, so that it needs no tool of the index.
const BACKEND: &str = r#"
import os, re, zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    assert not os.path.exists("built"), "the user's folder is built in"
    open("built", "w").close()
    listed = re.search(r"dependencies = \[(.*?)\n\]", open("pyproject.toml").read(), re.S).group(1)
    requires = "".join("Requires-Dist: %s\n" % one for one in re.findall('"(.*?)"', listed))
    info = "weather_kit-1.2.dist-info"
    files = {
        info + "/METADATA": "Metadata-Version: 2.1\nName: weather-kit\nVersion: 1.2\n" + requires,
        info + "/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "weather_kit.py": "",
    }
    record = "".join(path + ",,\n" for path in files) + info + "/RECORD,,\n"
    name = "weather_kit-1.2-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(info + "/RECORD", record)
    return name
"#;

/// A project that needs `alpha` and `beta`, of which the index has 1.0, 1.1, … 1.9, and `gamma`, of which it has the
/// same and 2.0.
fn world(dependencies: &[&str], check: &str) -> World {
    let world = World::new();
    let listed: Vec<String> =
        dependencies.iter().map(|one| format!("    \"{one}\",  # as of old\n")).collect();
    let listed = listed.concat();
    world.write(
        "pyproject.toml",
        &format!(
            "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n\n\
             [project]\nname = 'weather-kit'\nversion = '1.2'\ndependencies = [\n{listed}]\n"
        ),
    );
    world.write("backend.py", BACKEND);
    world.write("check.py", &format!("import weather_kit\nfrom alpha import A\nfrom beta import B\nfrom gamma import C\n{check}\n"));
    for minor in 0..10 {
        for (name, letter) in [("alpha", 'A'), ("beta", 'B'), ("gamma", 'C')] {
            let (file, text) = (format!("{name}.py"), format!("{letter} = {minor}\n"));
            world.wheel(name, &format!("1.{minor}"), &[(&file, &text)]);
        }
    }
    world.wheel("gamma", "2.0", &[("gamma.py", "C = 10\n")]);
    world
}

fn bounds<'a>(python: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let start = ["bounds", "--python", python, "--progress", "none"];
    let command = ["--", "python", "check.py"];
    [&start[..], more, &command[..]].concat()
}

/// What is printed, without what differs from machine to machine.
fn shown(text: &str, python: &str) -> String {
    let seconds = |line: &str| match line.rsplit_once(", ") {
        Some((start, end)) if end.ends_with(" s") => format!("{start}, [TIME]"),
        _ => line.to_owned(),
    };
    let lines: Vec<String> = text.lines().map(seconds).collect();
    lines.join("\n").replace(python, "[PYTHON]")
}

fn records(world: &World) -> usize {
    fs::read_dir(world.project().join(".caliper/bounds/records")).unwrap().count()
}

/// A project of which one lower end, one upper end and the lower ends together do not hold.
fn refuted() -> World {
    let check = "assert A >= 4, 'alpha is too old'\nassert B >= 3 or A >= 7, 'both are old'\nassert C < 8, 'gamma is too new'";
    world(&["alpha>=1.1", "beta>=1.2,!=1.5", "gamma>=1,<3"], check)
}

#[test]
fn declared_ranges_are_measured_and_checked() {
    if !has_uv() {
        return;
    }
    let (world, python) = (refuted(), python());
    let said = world.caliper(&bounds(&python, &[])).expect(0);
    insta::assert_snapshot!(shown(&said.out, &python), @"
    weather-kit on Python [PYTHON]
      with what a resolver picks today the suite fails
        AssertionError: gamma is too new

    alpha >=1.1: refuted
      oldest that passes: 1.4 (proven: 1.3 fails)
      newest that passes: 1.9 (proven: there is no other)
      fails with 1.1, 1.3
        AssertionError: alpha is too old
      not tried: 4 of 9 releases
      measured with gamma<=1.7
      declare alpha>=1.7

    beta >=1.2,!=1.5: holds
      oldest that passes: 1.2 (proven: the end of the declared range)
      newest that passes: 1.9 (proven: there is no other)
      not tried: 5 of 7 releases
      measured with gamma<=1.7

    gamma >=1,<3: refuted
      oldest that passes: 1.0 (proven: there is no other)
      newest that passes: 1.7 (proven: 1.8 fails)
      fails with 1.8, 2.0
        AssertionError: gamma is too new
      not tried: 6 of 11 releases
      declare gamma>=1,<1.8

    all together
      oldest: fail; to blame: alpha 1.4, beta 1.2
        AssertionError: both are old
        with alpha 1.7 in place of 1.4 they pass together on [PYTHON]
      newest: fail; to blame: gamma 2.0
    18 installs and their tests, [TIME]
    ");
    assert!(said.out.lines().all(|line| line.chars().count() <= 80), "{}", said.out);
    assert!(!world.project().join("built").exists(), "the user's folder is not built in");

    // What was measured is not measured again, in another format either.
    let (before, requests) = (records(&world), world.requests());
    let json = world.caliper(&bounds(&python, &["--format", "json", "--check"])).expect(1).out;
    world.follows("bounds", &json);
    assert_eq!(records(&world), before);
    assert!(world.requests() - requests <= 12, "{}", world.requests() - requests);
    let mut found: serde_json::Value = serde_json::from_str(&json).unwrap();
    found["seconds"] = 0.into();
    let found = serde_json::to_string_pretty(&found).unwrap();
    insta::assert_snapshot!("bounds", shown(&found, &python));
}

#[test]
fn what_holds_is_shown_and_written() {
    if !has_uv() {
        return;
    }
    let (world, python) = (refuted(), python());
    // The difference is shown, and written only if that is asked for.
    let file = world.project().join("pyproject.toml");
    let old = fs::read_to_string(&file).unwrap();
    let said = world.caliper(&bounds(&python, &["--diff"])).expect(0);
    assert_eq!(fs::read_to_string(&file).unwrap(), old);
    let at = said.err.find("--- pyproject").unwrap();
    insta::assert_snapshot!(&said.err[at..], @r#"
    --- pyproject.toml
    +++ pyproject.toml
    @@ -7,7 +7,7 @@
     name = 'weather-kit'
     version = '1.2'
     dependencies = [
    -    "alpha>=1.1",  # as of old
    +    "alpha>=1.7",  # as of old
         "beta>=1.2,!=1.5",  # as of old
    -    "gamma>=1,<3",  # as of old
    +    "gamma>=1,<1.8",  # as of old
     ]
    "#);
    world.caliper(&bounds(&python, &["--write"])).expect(0);
    let new = fs::read_to_string(&file).unwrap();
    assert_eq!(new.matches("# as of old").count(), 3, "{new}");

    // What was written holds.
    let said = world.caliper(&bounds(&python, &["--check"])).expect(0);
    insta::assert_snapshot!(shown(&said.out, &python), @"
    weather-kit on Python [PYTHON]

    alpha >=1.7: holds
      oldest that passes: 1.7 (proven: the end of the declared range)
      newest that passes: 1.9 (proven: there is no other)
      not tried: 1 of 3 releases

    beta >=1.2,!=1.5: holds
      oldest that passes: 1.2 (proven: the end of the declared range)
      newest that passes: 1.9 (proven: there is no other)
      not tried: 5 of 7 releases

    gamma >=1,<1.8: holds
      oldest that passes: 1.0 (proven: there is no other)
      newest that passes: 1.7 (proven: the end of the declared range)
      not tried: 6 of 8 releases

    all together
      oldest: pass
      newest: pass
    5 installs and their tests, [TIME]
    ");
}

#[test]
fn beyond_the_range_and_one_dependency_alone() {
    if !has_uv() {
        return;
    }
    let world = world(&["alpha>=1.5,<1.8", "beta", "gamma"], "assert A >= 2");
    let python = python();
    let said = world.caliper(&bounds(&python, &["--dependency", "alpha", "--widen"])).expect(0);
    insta::assert_snapshot!(shown(&said.out, &python), @"
    weather-kit on Python [PYTHON]

    alpha >=1.5,<1.8: holds
      oldest that passes: 1.2 (proven: 1.1 fails)
      newest that passes: 1.9 (proven: there is no other)
      not tried: 2 of 10 releases
      declare alpha>=1.2

    all together
      oldest: pass
      newest: pass
    not measured: beta: not chosen
    not measured: gamma: not chosen
    8 installs and their tests, [TIME]
    ");
}

#[test]
fn what_is_asked_wrongly_is_told() {
    if !has_uv() {
        return;
    }
    let python = python();
    let refused = |world: &World, more: &[&str]| {
        let said = world.caliper(&bounds(&python, more)).error(2);
        said.trim_end().replace(&python, "[PYTHON]")
    };
    let none = world(&[], "");
    let other = world(&["alpha"], "");
    let told = [
        refused(&none, &[]),
        refused(&other, &["--dependency", "numpy"]),
        refused(&other, &["nowhere"]),
        refused(&other, &["--extra", "test"]),
        refused(&World::new(), &[]),
    ];
    insta::assert_snapshot!(told.join("\n"), @"
    error: the project has no direct dependencies, so there are no bounds
    error: `--dependency numpy`: it is no direct dependency of the project; it has alpha
    error: there is no folder `nowhere`: No such file or directory (os error 2)
    error: the project has no extra `test`
    help: `pyproject.toml` declares none: add it under `[project.optional-dependencies]`, or leave it out
    error: there is no package in `[HERE]/project` (no `pyproject.toml`, `setup.cfg` or `setup.py`): name the folder of a project
    ");
}

#[test]
fn a_suite_that_fails_with_everything_is_said_first() {
    if !has_uv() {
        return;
    }
    let world = world(&["alpha", "beta", "gamma"], "raise SystemExit('it never worked')");
    let python = python();
    let said = world.caliper(&bounds(&python, &["--check"])).expect(1);
    insta::assert_snapshot!(shown(&said.out, &python), @"
    weather-kit on Python [PYTHON]
      with what a resolver picks today the suite fails
        exit status 1: it never worked
        and with older releases of its dependencies too: no bound can be measured

    alpha any release: undecided

    beta any release: undecided

    gamma any release: undecided

    all together
      oldest: not measured
      newest: fail
    8 installs and their tests, [TIME]
    ");
}
