//! `caliper heal`: the last day on which a project worked, and what it takes today.

use std::fs;

use caliper_pypi::pack;

use crate::support::{World, has_uv, python};

/// Builds a wheel by itself, so that it needs no tool of the index. It fails where it is not a fresh copy.
const BACKEND: &str = r#"
import os, zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    assert not os.path.exists("built"), "this copy was built before"
    open("built", "w").close()
    name = "weather_kit-1.2-py3-none-any.whl"
    info = "weather_kit-1.2.dist-info"
    files = {
        info + "/METADATA": "Metadata-Version: 2.1\nName: weather-kit\nVersion: 1.2\nRequires-Dist: helper\nRequires-Dist: other\n",
        info + "/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "weather_kit.py": open("weather_kit.py").read(),
    }
    record = "".join(path + ",,\n" for path in files) + info + "/RECORD,,\n"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
        wheel.writestr(info + "/RECORD", record)
    return name
"#;

/// Puts a wheel with the module `NAME` on the index.
fn release(world: &World, name: &str, version: &str, uploaded: &str, text: &str) {
    let file = format!("{name}.py");
    let path = pack::wheel(&world.packages(), name, version, &[], &[(&file, text)]).unwrap();
    fs::write(format!("{}.uploaded", path.display()), uploaded).unwrap();
}

/// All is newer than any Python, so that the project's own day is the first that is tried.
///
/// A project that needs `helper` before 2 and `tool` before 3; `other` moves too, and does no harm.
fn world() -> World {
    let world = World::new();
    world.write(
        "pyproject.toml",
        "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n\
         [project]\nname = 'weather-kit'\nversion = '1.2'\ndependencies = ['helper', 'other']\n",
    );
    world.write("backend.py", BACKEND);
    world.write("weather_kit.py", "import helper, other\n");
    world.write(
        "check.py",
        "import weather_kit, helper, tool\nassert helper.VALUE < 2, 'helper is too new'\nassert tool.VALUE < 3, 'tool is too new'\n",
    );
    for (name, version, uploaded) in [
        ("helper", "1.0", "2025-11-01"),
        ("helper", "1.5", "2026-01-10"),
        ("helper", "2.0", "2026-03-05"),
        ("other", "1.0", "2025-11-01"),
        ("other", "2.0", "2026-04-01"),
        ("tool", "2.0", "2025-11-01"),
        ("tool", "3.0", "2026-05-01"),
        ("setuptools", "60.0", "2025-11-01"),
    ] {
        let major = version.split('.').next().unwrap();
        release(&world, name, version, uploaded, &format!("VALUE = {major}\n"));
    }
    world
}

#[test]
fn an_old_project_is_healed_with_the_pins_that_it_needs() {
    if !has_uv() {
        return;
    }
    let (world, python) = (world(), python());
    let command = [
        "heal",
        "--python",
        &python,
        "--came-out",
        "2026-01-01",
        "--with",
        "tool",
        "--format",
        "json",
        "--progress",
        "none",
        "--",
        "python",
        "check.py",
    ];
    let said = world.caliper(&command).expect(0);
    let found: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let state = &found[0]["state"];
    let (state, worked) = (&state["state"], &state["worked"]);
    assert_eq!((state, &found[0]["version"]), (&"healed".into(), &"1.2".into()));
    assert_eq!(worked["last"], "2026-03-05T00:00:00Z", "the release of that day is not there yet");
    let text = |python: &str| {
        let kept = world.project().join(format!(".caliper/heal/constraints-{python}.txt"));
        fs::read_to_string(kept).unwrap()
    };
    let lines: Vec<String> =
        text(&python).lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    assert_eq!(lines, ["helper==1.5", "tool==2.0"]);
    assert!(!world.project().join("built").exists(), "the user's folder is not built in");

    // What was measured is not measured again, and says the same.
    let requests = fs::read_dir(world.project().join(".caliper/heal/records")).unwrap().count();
    let again = world.caliper(&command).expect(0);
    assert_eq!(again.out, said.out);
    let after = fs::read_dir(world.project().join(".caliper/heal/records")).unwrap().count();
    assert_eq!(after, requests);

    let text = world.caliper(&[&command[..7], &command[9..]].concat()).expect(0).out;
    let text = text.replace(&python, "[PYTHON]");
    // How many dates are tried depends on how long ago the project came out.
    let depends = |line: &&str| line.contains("as of today") || line.contains("it took");
    let text: Vec<&str> = text.lines().filter(|line| !depends(line)).collect();
    insta::assert_snapshot!(text.join("\n"), @"
    weather-kit 1.2 on Python [PYTHON]
      as of 2026-01-01 and 2026-03-05 it works, as of 2026-03-06 it fails
      what differs between these: helper 1.5 → 2.0
      healed with 2 pins of 4 that differ:
        helper==1.5
        tool==2.0
      uv pip install --constraints [HERE]/project/.caliper/heal/constraints-[PYTHON].txt .
    ");
}

#[test]
fn what_works_or_never_worked_is_said() {
    if !has_uv() {
        return;
    }
    let (world, python) = (world(), python());
    let run = |code: &str| {
        let command =
            ["heal", "--python", &python, "--came-out", "2026-01-01", "--progress", "none"];
        world.caliper(&[&command[..], &["--", "python", "-c", code]].concat())
    };
    assert!(run("import helper").expect(0).out.contains("it works"));
    let never = run("raise SystemExit('nothing helps')").expect(1).out;
    assert!(never.contains("it failed at each date that was tried"), "{never}");
    assert!(never.contains("nothing helps"), "{never}");
    // Without a package there is nothing but what is required.
    fs::remove_file(world.project().join("pyproject.toml")).unwrap();
    let refused = run("import helper").error(2);
    assert!(refused.contains("there is no package in"), "{refused}");
    let with = ["heal", "--python", &python, "--came-out", "2026-01-01", "--with", "helper"];
    let command = ["--", "python", "-c", "import helper, weather_kit"];
    let error = world.caliper(&[&with[..], &command].concat()).expect(1).out;
    assert!(error.contains("No module named 'other'"), "{error}");
    world.write("pip.txt", "-e .\n");
    let refused = world.caliper(&["heal", "-r", "pip.txt"]).error(2);
    insta::assert_snapshot!(refused, @"error: `pip.txt`: `-e .` is more than a requirement: write the requirements alone, one on each line");
}
