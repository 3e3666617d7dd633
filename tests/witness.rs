//! `caliper witness`: a folder that shows a difference, and is tried before it is written.

use std::fs;

use crate::support::{World, has_uv, python};

/// A release of `demo`, measured with two releases of `helper`, of which the second breaks it.
fn measured() -> World {
    let world = World::with_config(
        "  tests: [{name: show, run: python show.py, env: {WORD: 'a b'}}, {name: calm, run: python calm.py}, {name: value, run: python value.py}]
  axes:
    helper: {releases: '>=1'}
",
    );
    let wheel = |name: &str, version: &str, text: &str| {
        world.wheel(name, version, &[(&format!("{name}.py"), text)]);
    };
    wheel("demo", "1.0", "import helper\n");
    wheel("helper", "1.0", "VALUE = 1\n");
    wheel("helper", "2.0", "VALUE = 2\n");
    let show =
        "import demo, helper, os\nprint('```', os.environ['WORD'])\nassert helper.VALUE == 1\n";
    world.write("show.py", show);
    world.write("calm.py", "print('always the same')\n");
    world.write("value.py", "import helper\nprint('helper is', helper.VALUE * 1000)\n");
    world.write("README.md", "of the project\n");
    world.write("data/large.txt", "not for the witness\n");
    world.caliper(&["run", "--python", &python(), "--progress", "none"]).expect(0);
    world
}

fn cells() -> [String; 2] {
    ["2.0", "1.0"].map(|helper| format!("1.0/{}[helper={helper}]", python()))
}

#[test]
fn a_witness_is_written_if_its_commands_show_what_was_recorded() {
    if !has_uv() {
        return;
    }
    let world = measured();
    let [bad, good] = cells();
    let witness = ["witness", &bad, "--against", &good, "-o", "report/one"];
    let said = world.caliper(&witness).error(2);
    assert!(said.contains("`show`, `value`; choose one with `--test`"), "{said}");
    let said = world.caliper(&[&witness[..], &["--test", "show"]].concat()).expect(0);
    assert!(said.out.contains("both sides end as recorded"), "{}", said.out);
    let read =
        |path: &str| fs::read_to_string(world.project().join("report/one").join(path)).unwrap();
    let requirements =
        |helper: &str| format!("--index-url {}\ndemo==1.0\nhelper=={helper}\n", world.index());
    assert_eq!(read("good/requirements.txt"), requirements("1.0"));
    assert_eq!(read("bad/requirements.txt"), requirements("2.0"));
    assert!(read("show.py").contains("import demo"));
    let readme = read("README.md");
    assert!(readme.contains("| helper | 1.0 | 2.0 |"), "{readme}");
    assert!(readme.contains("-- python show.py\n"), "{readme}");
    // The output of the test has a fence of its own.
    assert!(readme.contains("````text\n``` a b\n````\n"), "{readme}");
    assert!(readme.contains("AssertionError"), "{readme}");
    let mut names: Vec<String> = fs::read_dir(world.project().join("report/one"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["README.md", "bad", "good", "show.py"]);
    let beside: Vec<_> = fs::read_dir(world.project().join("report")).unwrap().collect();
    assert_eq!(beside.len(), 1, "nothing else is left: {beside:?}");
    // Two results are a difference, too.
    let witness = ["witness", &bad, "--against", &good, "-o", "value", "--test", "value"];
    world.caliper(&witness).expect(0);
    let page = fs::read_to_string(world.project().join("value/README.md")).unwrap();
    assert!(page.contains("gives another result"), "{page}");
    assert!(page.contains("helper is 1000") && page.contains("helper is 2000"), "{page}");
    // The order of the cells does not matter, and what is there stays.
    let again = world.caliper(&["witness", &good, "--against", &bad, "-o", "report/one"]).error(2);
    assert!(again.contains("is there already and not empty"), "{again}");
    assert_eq!(read("README.md"), readme);
}

#[test]
fn nothing_is_written_if_a_side_does_not_end_as_recorded() {
    if !has_uv() {
        return;
    }
    let world = measured();
    let [bad, good] = cells();
    let witness = ["witness", &bad, "--against", &good, "--test", "show"];
    // It fails still, and from another cause.
    world.write("show.py", "import demo, helper\nassert helper.VALUE == 1 or helper.missing\n");
    let said = world.caliper(&witness).expect(1).err;
    assert!(said.contains("on the bad side the test does not end as in"), "{said}");
    assert!(said.contains("AttributeError"), "{said}");
    assert!(!world.project().join("witness").exists());
    // Without its wheel one side cannot be installed.
    fs::remove_file(world.packages().join("helper-1.0-py3-none-any.whl")).unwrap();
    let said = world.caliper(&witness).expect(1).err;
    assert!(said.contains("on the good side its packages cannot be installed"), "{said}");
    let left = fs::read_dir(world.project()).unwrap();
    let left = left.filter(|entry| {
        entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".caliper-witness")
    });
    assert_eq!(left.count(), 0);
}

#[test]
fn a_witness_needs_a_difference() {
    if !has_uv() {
        return;
    }
    let world = measured();
    let [bad, good] = cells();
    let said = world.caliper(&["witness", &bad, "--against", &bad]).error(2);
    assert!(said.contains("there is nothing to show"), "{said}");
    let said = world.caliper(&["witness", &bad, "--against", &good, "--test", "calm"]).error(2);
    assert!(said.contains("there is nothing to show"), "{said}");
    let said = world.caliper(&["witness", &bad, "--against", &good, "--test", "none"]).error(2);
    assert!(said.contains("there are `show`, `calm`, `value`"), "{said}");
    let said = world.caliper(&["witness", "9.0/3.11", "--against", &good]).error(2);
    assert!(said.contains("there is no cell `9.0/3.11`"), "{said}");
}
