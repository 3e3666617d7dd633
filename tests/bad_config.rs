//! A question that is wrong: exit code 2, every problem at once, each with its place and its fix.

use crate::support::World;

fn check(rest: &str) -> String {
    let world = World::with_config(rest);
    world.write("test.py", "");
    world.write("good.Dockerfile", "FROM {{ base }}\n");
    world.write("bad.Dockerfile", "FROM {{ base }}\nRUN pip install {{ filname }}\n");
    world.caliper(&["check"]).error(2)
}

#[test]
fn unknown_and_misspelt_keys() {
    insta::assert_snapshot!(check("  verions: '>1'\n  colour: red\n"), @"
    error: unknown key `verions`
     --> caliper.yaml:3:3
      |
    3 |   verions: '>1'
      |   ^^^^^^^
      |
      = help: did you mean `versions`?

    unknown key `colour`
     --> caliper.yaml:4:3
      |
    4 |   colour: red
      |   ^^^^^^
      |
      = help: the keys here are `name`, `packagemanager`, `dependency`, `versions`, `python_versions`, `sdist`, `dockerfile`, `base`, `args`, `project`, `requirements`, `requirements_files`, `constraints`, `build_constraints`, `overlay`, `as_of`, `unknown_upload_time`, `axes`, `groups`, `exclude`, `include`, `import`, `tests`, `results`, `export`, `limits`, `compare`, `baseline`, `expect`
    ");
}

#[test]
fn a_key_that_stands_there_twice() {
    insta::assert_snapshot!(check("  versions: '>1'\n  versions: '>2'\n"), @"
    error: `versions` stands here a second time
     --> caliper.yaml:4:3
      |
    4 |   versions: '>2'
      |   ^^^^^^^^
      |
      = help: keep one of the two
    ");
}

#[test]
fn a_dockerfile_that_is_missing() {
    insta::assert_snapshot!(check("  dockerfile: Dockerfile\n"), @"
    error: there is no file `Dockerfile`
     --> caliper.yaml:3:15
      |
    3 |   dockerfile: Dockerfile
      |               ^^^^^^^^^^
      |
      = help: paths are relative to the folder of the configuration
    ");
}

#[test]
fn a_template_variable_that_is_unknown() {
    insta::assert_snapshot!(check("  dockerfile: bad.Dockerfile\n"), @"
    error: template `bad.Dockerfile`, line 2: there is no variable `filname`
              2 | RUN pip install {{ filname }}
           help: did you mean `filename`?
           help: the variables are base, filename, basename, sha256, dependency, version, python, abi, requirements, constraints, build_constraints, project_wheel, project_extras
     --> caliper.yaml:3:15
      |
    3 |   dockerfile: bad.Dockerfile
      |               ^^^^^^^^^^^^^^
    ");
}

#[test]
fn a_test_file_that_is_missing() {
    insta::assert_snapshot!(check("  tests: [tset.py]\n"), @"
    error: there is no file `tset.py`
     --> caliper.yaml:3:11
      |
    3 |   tests: [tset.py]
      |           ^^^^^^^
      |
      = help: paths are relative to the folder of the configuration
    ");
}

#[test]
fn a_path_that_leaves_the_project() {
    insta::assert_snapshot!(check("  tests: [../test.py, /etc/passwd]\n"), @"
    error: `../test.py` leaves the project
     --> caliper.yaml:3:11
      |
    3 |   tests: [../test.py, /etc/passwd]
      |           ^^^^^^^^^^
      |
      = help: only files in the folder of the configuration reach a test; move it there

    `/etc/passwd` leaves the project
     --> caliper.yaml:3:23
      |
    3 |   tests: [../test.py, /etc/passwd]
      |                       ^^^^^^^^^^^
      |
      = help: only files in the folder of the configuration reach a test; move it there
    ");
}

#[test]
fn a_link_that_leaves_the_project() {
    let world = World::with_config("  tests: [link.py]\n");
    std::os::unix::fs::symlink("/etc/hostname", world.project().join("link.py")).unwrap();
    insta::assert_snapshot!(world.caliper(&["check"]).error(2), @"
    error: could not read `link.py`: it leads out of the project
     --> caliper.yaml:3:11
      |
    3 |   tests: [link.py]
      |           ^^^^^^^
    ");
}

#[test]
fn no_configuration_at_all() {
    let world = World::new();
    insta::assert_snapshot!(world.caliper(&["run"]).error(2), @"error: there is no `caliper.yaml`; `caliper init` writes one to start from");
    insta::assert_snapshot!(world.caliper(&["run", "."]).error(2), @"error: `.` is a folder; name the file: `./caliper.yaml`");
}

#[test]
fn versions_without_quotes_are_the_versions_that_they_look_like() {
    let world = World::with_config("  versions: [0.1]\n");
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    world.wheel("demo", "1.10", &[("demo.py", "")]);
    insta::assert_snapshot!(world.caliper(&["plan"]).error(2), @"error: `demo` has no release 0.1: the nearest is 1.0");
    world.write("caliper.yaml", "analysis: {dependency: demo, versions: [1.10]}\n");
    let said = world.caliper(&["plan", "--format", "json"]).expect(0);
    assert!(said.out.contains("\"1.10/"), "{}", said.out);
}

#[test]
fn specifiers_that_select_nothing() {
    let world = World::with_config("  versions: '>5'\n");
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    insta::assert_snapshot!(world.caliper(&["plan"]).error(2), @"error: `>5` selects none of the 1 releases of `demo` (1.0 to 1.0)");
}

#[test]
fn patterns_that_match_nothing() {
    let world = World::with_config("");
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    let python = crate::support::python();
    let said = world.caliper(&["plan", "--python", &python, "--only", "9.*/*"]);
    insta::assert_snapshot!(said.error(2).replace(&python, "X.Y"), @"error: `--only` matches none of the 1 cells; they are called like `1.0/X.Y`, and `*` stands for no `/`");
}

#[test]
fn a_limit_that_the_backend_cannot_give() {
    let world = World::with_config("  limits: {network: none}\n");
    insta::assert_snapshot!(world.caliper(&["run"]).error(2), @"error: the `local` backend cannot give tests without a network (`limits.network`); pass `--backend docker`, or remove it from the configuration");
}

#[test]
fn a_python_that_is_not_there() {
    let world = World::with_config("  python_versions: ['3.99']\n");
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    let error = world.caliper(&["run"]).error(2);
    let (head, _) = error.split_once("it has").expect("it says which there are");
    insta::assert_snapshot!(head, @"error: there is no Python 3.99 for the `local` backend;");
}
