//! `overlay`: files of the project over a package of an exact version, on the `local` backend.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{Said, World, cells, has_uv, python};

const OVERLAY: &str = "  overlay:\n    - {package: demo, version: '1.0', files: patches/demo}\n";

/// Writes a wheel that records the digests of its files, as all of an index do: only such files does an environment share
/// with the cache.
const WHEEL: &str = r#"
import base64, hashlib, sys, zipfile
folder, version, code = sys.argv[1:]
info = "demo-%s.dist-info/" % version
files = {
    "demo/__init__.py": "",
    "demo/code.py": code,
    info + "METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: %s\n" % version,
    info + "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
record = info + "RECORD,,\n"
for path, text in files.items():
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
    record += "%s,sha256=%s,%d\n" % (path, digest, len(text))
with zipfile.ZipFile("%s/demo-%s-py3-none-any.whl" % (folder, version), "w") as archive:
    for path, text in files.items():
        archive.writestr(path, text)
    archive.writestr(info + "RECORD", record)
"#;

fn wheel_with_digests(world: &World, version: &str, code: &str) {
    let mut command = Command::new("python3");
    command.args(["-c", WHEEL]).arg(world.packages()).args([version, code]);
    assert!(command.status().unwrap().success());
}

/// Two releases, of which one is patched, and `helper`, which both need.
fn world(rest: &str) -> World {
    let world = World::with_config(&format!(
        "  requirements: [helper]\n  tests: [{{run: python t.py, name: t, files: [t.py]}}]\n{rest}"
    ));
    world.write("t.py", "import demo.code\nprint(demo.code.VALUE)\n");
    for version in ["1.0", "2.0"] {
        let code = format!("# The value.\nVALUE = '{version}'\n");
        wheel_with_digests(&world, version, &code);
    }
    world.wheel("helper", "1.0", &[("helper/__init__.py", "VALUE = 1\n")]);
    world.write("patches/demo/demo/code.py", "# The value.\nVALUE = 'patched'\n");
    world
}

fn run(world: &World, code: i32) -> Said {
    world.caliper(&["run", "--python", &python(), "--progress", "plain"]).expect(code)
}

fn output(cell: &Value) -> &str {
    cell["tests"][1]["runs"][0]["output"].as_str().unwrap_or("?")
}

/// The files of this name below a folder.
fn named(folder: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(named(&path, name));
        } else if path.ends_with(name) {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_package_is_measured_with_the_files_that_lie_over_it() {
    if !has_uv() {
        return;
    }
    let world = world("  versions: ['1.0']\n");
    // Unpatched first: so the cache has the files, and an environment has links to them.
    run(&world, 0);
    let in_cache = || {
        let all = named(&world.project().join(".caliper/cache/uv"), "demo/code.py");
        let all = all.into_iter().map(|path| {
            let found = fs::metadata(&path).unwrap();
            (found.ino(), found.mtime_nsec(), fs::read_to_string(&path).unwrap())
        });
        all.collect::<std::collections::BTreeSet<_>>()
    };
    let before = in_cache();
    assert_eq!(before.len(), 1, "{before:?}");
    let kept = named(&world.project().join(".caliper/cache/environments"), "demo/code.py");
    let inode = |path: &PathBuf| fs::metadata(path).unwrap().ino();
    // Where the file system clones files, nothing is shared.
    if fs::metadata(&kept[0]).unwrap().nlink() > 1 {
        assert!(before.iter().any(|(shared, ..)| *shared == inode(&kept[0])));
    } else {
        eprintln!("files are cloned here, so that the cache cannot be written to");
    }
    let configuration = fs::read_to_string(world.project().join("caliper.yaml")).unwrap();
    let configuration = configuration.replace("versions: ['1.0']", "versions: '>=1'");
    world.write("caliper.yaml", &format!("{configuration}{OVERLAY}"));

    let said = run(&world, 3);
    let reason = "the overlay of demo is for 1.0, and this environment has 2.0";
    let told = format!("2.0/{}  could not be measured: {reason}", python());
    assert!(said.err.contains(&told), "{}", said.err);
    assert!(!said.err.contains("trying again"), "{}", said.err);
    assert!(said.err.contains("1 measured, 0 reused"), "{}", said.err);
    let results = world.results();
    assert_eq!(cells(&results), ["1.0: tested [import passed, t passed]", "2.0: not_measured []"]);
    assert_eq!(output(&results["cells"][0]), "patched\n");
    assert_eq!(results["cells"][1]["reason"], reason);
    world.follows("results", &world.caliper(&["show", "--format", "json"]).expect(0).out);
    let overlay = &results["cells"][0]["environment"]["overlays"][0];
    assert_eq!((&overlay["package"], &overlay["version"]), (&"demo".into(), &"1.0".into()));
    let file = &overlay["files"][0];
    assert_eq!(file["path"], "demo/code.py");
    assert_eq!((&file["added"], &file["removed"]), (&1.into(), &1.into()));
    assert!(file["before"].is_string() && file["before"] != file["after"], "{file}");

    // Nothing of it reached what environments share.
    assert_eq!(in_cache(), before);

    let cell = format!("1.0/{}", python());
    let shown = world.caliper(&["show", &cell]).expect(0).out;
    assert!(shown.contains("  overlay      demo 1.0: demo/code.py (+1 −1)\n"), "{shown}");
    assert!(shown.contains("`-v` shows the diff"), "{shown}");
    let shown = world.caliper(&["show", &cell, "-v"]).expect(0).out;
    let start = shown.find("overlay of demo").unwrap();
    let diff: Vec<&str> = shown[start..].lines().take(8).collect();
    insta::assert_snapshot!(diff.join("\n"), @"
    overlay of demo 1.0:
        --- a/demo/code.py
        +++ b/demo/code.py
        @@ -1,2 +1,2 @@
         # The value.
        -VALUE = '1.0'
        +VALUE = 'patched'
    ");

    let lock = world.caliper(&["show", &cell, "--lock"]).expect(0);
    assert!(lock.err.contains("the overlay of demo 1.0 is no part of the lock"), "{}", lock.err);

    // The environment that is kept has it, and says so.
    let again = ["run", "--python", &python(), "--progress", "plain", "--rerun", "all"];
    world.caliper(&again).expect(3);
    let results = world.results();
    assert_eq!(results["cells"][0]["build"]["reused"], true);
    assert_eq!(results["cells"][0]["environment"]["overlays"][0], *overlay);

    // An edit of it is another question.
    world.write("patches/demo/demo/code.py", "VALUE = 'patched again'\n");
    let planned = world.caliper(&["plan", "--python", &python()]).expect(0);
    let why = "the overlay of demo 1.0: demo/code.py changed";
    assert!(planned.out.contains(why), "{}", planned.out);
    let said = run(&world, 3);
    assert!(said.err.contains("1 measured, 0 reused"), "{}", said.err);
    assert_eq!(output(&world.results()["cells"][0]), "patched again\n");
    assert_eq!(in_cache(), before);
    // Without it all releases are what they are.
    world.write("caliper.yaml", &configuration);
    run(&world, 0);
    let results = world.results();
    let outputs = [0, 1].map(|cell: usize| output(&results["cells"][cell]).to_owned());
    assert_eq!(outputs, ["1.0\n", "2.0\n"]);
    assert_eq!(in_cache().len(), 2);
}

#[test]
fn a_package_that_others_need_is_known_once_it_is_there() {
    if !has_uv() {
        return;
    }
    let overlay = |version: &str| {
        format!(
            "  overlay:\n    - {{package: Helper, version: '{version}', files: patches/helper}}\n"
        )
    };
    let world = world(&overlay("1.1"));
    world.write("t.py", "import helper\nprint(helper.VALUE)\n");
    world.write("patches/helper/helper/__init__.py", "VALUE = 'patched'\n");
    let said = run(&world, 3);
    assert_eq!(cells(&world.results()), ["1.0: not_measured []", "2.0: not_measured []"]);
    let reason = "the overlay of Helper is for 1.1, and this environment has 1.0";
    let told = said.err.lines().find(|line| line.starts_with("warning: 2 cells")).unwrap();
    assert!(told.ends_with(&format!("could not be measured: {reason}")), "{told}");
    assert!(!said.err.contains("trying again"), "{}", said.err);

    let configuration = fs::read_to_string(world.project().join("caliper.yaml")).unwrap();
    let configuration = configuration.replace("version: '1.1'", "version: '1.0'");
    world.write("caliper.yaml", &configuration);
    run(&world, 0);
    let outputs = |results: &Value| {
        let cells = results["cells"].as_array().unwrap();
        cells.iter().map(|cell| output(cell).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(outputs(&world.results()), ["patched\n", "patched\n"]);

    // A file of another package.
    world.write("patches/helper/demo/code.py", "");
    let said = run(&world, 3);
    let reason = "the overlay could not be laid: `demo/code.py` is not a file of helper";
    assert!(said.err.contains(reason), "{}", said.err);
}

#[test]
fn a_replay_has_the_overlay_or_says_that_it_cannot() {
    if !has_uv() {
        return;
    }
    let world = world(&format!("  versions: ['1.0']\n{OVERLAY}"));
    // What a rule leaves out of the project is of the overlay all the same.
    world.write(".gitignore", "patches/\n");
    run(&world, 0);
    let replay = ["replay", "all", "--progress", "none", "--rerun", "all"];
    let said = world.caliper(&replay).expect(0);
    assert!(said.out.contains("1 the same in files and results, 0 not"), "{}", said.out);

    world.caliper(&["bundle", "-o", "study.zip"]).expect(0);
    let run_it = ["run", "--from", "study.zip", "--into", "elsewhere", "--progress", "none"];
    let said = world.caliper(&run_it).expect(0);
    assert!(said.out.contains("1 the same in files and results, 0 not"), "{}", said.out);
    assert!(world.project().join("elsewhere/patches/demo/demo/code.py").is_file());

    // An environment that is kept has it still.
    world.write("patches/demo/demo/code.py", "VALUE = 'another'\n");
    world.caliper(&replay).expect(0);
    fs::remove_dir_all(world.project().join(".caliper/cache/environments")).unwrap();
    let said = world.caliper(&replay).expect(3);
    let reason =
        "`patches/demo/demo/code.py` of the overlay of demo is not the file that is asked for";
    assert!(said.err.contains(reason), "{}", said.err);
}

#[test]
fn links_are_refused() {
    let world = world(OVERLAY);
    let folder = world.project().join("patches/demo/demo");
    std::os::unix::fs::symlink("code.py", folder.join("link.py")).unwrap();
    insta::assert_snapshot!(world.caliper(&["check"]).error(2), @"
    error: could not list `patches/demo`: `demo/link.py` is a symbolic link; put a copy in its place
     --> caliper.yaml:6:46
      |
    6 |     - {package: demo, version: '1.0', files: patches/demo}
      |                                              ^^^^^^^^^^^^
      |
      = help: the files lie in it as in site-packages, such as `keras/engine/training.py`
    ");
    fs::remove_file(folder.join("link.py")).unwrap();
    let other = world.project().join("other");
    fs::rename(world.project().join("patches"), &other).unwrap();
    std::os::unix::fs::symlink("other", world.project().join("patches")).unwrap();
    assert!(world.caliper(&["check"]).error(2).contains("`patches` is a symbolic link"));
}
