//! The key `project`, and files of requirements and constraints.

use super::*;
use crate::question::project::ProjectChoice;

/// Reads a configuration for `demo` in a project with these files.
fn read_in(files: &[(&str, &str)], rest: &str) -> Result<Config, String> {
    let read = |path: &str| {
        let found = files.iter().find(|(name, _)| *name == path);
        found.map(|(_, text)| text.as_bytes().to_vec()).ok_or(io::ErrorKind::NotFound.into())
    };
    let text = format!("analysis:\n  dependency: demo\n{rest}");
    Config::from_yaml("caliper.yaml", &text, &read).map_err(|error| error.to_string())
}

const PYPROJECT: &str = r#"
[build-system]
requires = ["hatchling"]
[project]
name = "weatherkit"
optional-dependencies = {test = ["pytest"], Plot_All = ["matplotlib"]}
[dependency-groups]
test = ["pytest>=8", "demo>=1.3,<2"]
dev = ["ruff", {include-group = "Test"}, {include-group = "test"}]
round = [{include-group = "about"}]
about = [{include-group = "round"}]
lost = [{include-group = "nowhere"}]
odd = [{a = 1}]
bad = ["-e ."]
"#;

#[test]
fn the_project_is_chosen_with_extras_and_groups() {
    let pyproject = [("pyproject.toml", PYPROJECT)];
    let config =
        read_in(&pyproject, "  project: {extras: [test, plot-all, test], groups: [dev, test]}\n")
            .unwrap();
    let choice = ProjectChoice {
        path: String::new(),
        extras: vec!["test".to_owned(), "Plot_All".to_owned()],
        groups: vec!["dev".to_owned(), "test".to_owned()],
    };
    assert_eq!(config.project, Some(choice));
    let setup = config.setup();
    assert_eq!(setup.requirements, ["ruff", "pytest>=8", "demo"]);
    let lifted: Vec<String> =
        setup.lifted.iter().map(|one| format!("{} ({})", one.requirement, one.source)).collect();
    assert_eq!(lifted, ["demo>=1.3,<2 (dependency-groups.test)"]);
    // Where something else is measured, that range holds.
    let other = config.setup_for(&["pytest".parse().unwrap()]);
    assert_eq!(other.requirements, ["ruff", "pytest", "demo>=1.3,<2"]);

    for (text, expected) in [
        ("  project: true\n", Some("")),
        ("  project: {}\n", Some("")),
        ("  project: false\n", None),
        ("", None),
    ] {
        let project = read_in(&pyproject, text).unwrap().project;
        assert_eq!(project.map(|choice| choice.path).as_deref(), expected, "{text}");
    }
    let below = [("python/setup.py", "")];
    let project = read_in(&below, "  project: {path: ./python/, extras: [computed]}\n").unwrap();
    let choice = project.project.unwrap();
    assert_eq!((choice.path.as_str(), choice.extras), ("python", vec!["computed".to_owned()]));
}

#[test]
fn all_that_is_wrong_with_the_project_is_told_at_once() {
    let rest = "  project:\n    extras: [tests, docs]\n    groups: [devel, round, lost, odd, bad]\n  requirements: [\".[test]\", .]\n";
    insta::assert_snapshot!(read_in(&[("pyproject.toml", PYPROJECT)], rest).unwrap_err(), @r#"
    the project has no extra `tests`
     --> caliper.yaml:4:14
      |
    4 |     extras: [tests, docs]
      |              ^^^^^
      |
      = help: did you mean `test`?

    the project has no extra `docs`
     --> caliper.yaml:4:21
      |
    4 |     extras: [tests, docs]
      |                     ^^^^
      |
      = help: its extras are `Plot_All`, `test`

    the project has no dependency group `devel`
     --> caliper.yaml:5:14
      |
    5 |     groups: [devel, round, lost, odd, bad]
      |              ^^^^^
      |
      = help: its groups are `about`, `bad`, `dev`, `lost`, `odd`, `round`, `test`

    the dependency group `round` includes itself: round → about → round
     --> caliper.yaml:5:21
      |
    5 |     groups: [devel, round, lost, odd, bad]
      |                     ^^^^^

    `dependency-groups.lost` includes the group `nowhere`, which is not there
     --> caliper.yaml:5:28
      |
    5 |     groups: [devel, round, lost, odd, bad]
      |                            ^^^^

    `dependency-groups.odd` holds something that is neither a requirement nor `{include-group = "…"}`
     --> caliper.yaml:5:34
      |
    5 |     groups: [devel, round, lost, odd, bad]
      |                                  ^^^

    `-e .` in `dependency-groups.bad` is not a requirement
     --> caliper.yaml:5:39
      |
    5 |     groups: [devel, round, lost, odd, bad]
      |                                       ^^^

    `.[test]` is not a requirement
     --> caliper.yaml:6:18
      |
    6 |   requirements: [".[test]", .]
      |                  ^^^^^^^^^
      |
      = help: install the project itself by the key `project: {extras: [test]}`

    `.` is not a requirement
     --> caliper.yaml:6:29
      |
    6 |   requirements: [".[test]", .]
      |                             ^
      |
      = help: install the project itself by the key `project: true`
    "#);
}

#[test]
fn a_project_that_cannot_be_installed_is_refused() {
    let told = |files: &[(&str, &str)], rest: &str| read_in(files, rest).unwrap_err();
    insta::assert_snapshot!(told(&[], "  project: true\n"), @"
    there is no package to install: no `pyproject.toml`, `setup.cfg` or `setup.py` beside the configuration
     --> caliper.yaml:3:3
      |
    3 |   project: true
      |   ^^^^^^^
      |
      = help: leave `project` out, or name the folder of the package: `project: {path: python}`
    ");
    let tools = [("pyproject.toml", "[tool.ruff]\n")];
    insta::assert_snapshot!(told(&tools, "  project: true\n"), @"
    `pyproject.toml` says nothing of a package that can be built: it has no `[build-system]` and no `[project]`
     --> caliper.yaml:3:3
      |
    3 |   project: true
      |   ^^^^^^^
      |
      = help: name a build backend (`[build-system]` with `requires` and `build-backend`), or leave `project` out
    ");
    let broken = [("pyproject.toml", "[project]\nname = \n")];
    insta::assert_snapshot!(told(&broken, "  project: true\n"), @"
    line 2 of `pyproject.toml` is not TOML: string values must be quoted, expected literal string
     --> caliper.yaml:3:12
      |
    3 |   project: true
      |            ^^^^
    ");
    let measured = [("pyproject.toml", "[project]\nname = 'Demo'\n")];
    insta::assert_snapshot!(told(&measured, "  project: true\n"), @"
    `project` installs Demo itself, whose releases are measured
     --> caliper.yaml:3:3
      |
    3 |   project: true
      |   ^^^^^^^
      |
      = help: leave `project` out: the tests measure the releases and not the folder
    ");
    insta::assert_snapshot!(told(&measured, "  project: {path: ../other}\n"), @"
    `../other` leaves the project
     --> caliper.yaml:3:19
      |
    3 |   project: {path: ../other}
      |                   ^^^^^^^^
      |
      = help: the package is the folder of the configuration or one in it; put the configuration beside it
    ");
    insta::assert_snapshot!(told(&measured, "  project: .\n"), @"
    `project` must be `true` or keys with values
     --> caliper.yaml:3:12
      |
    3 |   project: .
      |            ^
      |
      = help: write `project: true`, or `project: {extras: [test]}`
    ");
    let template = [
        ("pyproject.toml", PYPROJECT),
        ("Dockerfile", "FROM {{ base }}\nCOPY {{ basename }} /\nRUN pip install /{{ basename }}\n"),
    ];
    insta::assert_snapshot!(told(&template, "  project: true\n  dockerfile: Dockerfile\n"), @"
    `Dockerfile` does not install the project
     --> caliper.yaml:4:15
      |
    4 |   dockerfile: Dockerfile
      |               ^^^^^^^^^^
      |
      = help: copy `{{ project_wheel }}` and install it with the pip of the image, or leave `project` out
    ");
    let nothing = [("pyproject.toml", "[project]\nname = 'x'\n")];
    insta::assert_snapshot!(told(&nothing, "  project: {extras: [test], groups: [dev]}\n"), @"
    the project has no extra `test`
     --> caliper.yaml:3:22
      |
    3 |   project: {extras: [test], groups: [dev]}
      |                      ^^^^
      |
      = help: `pyproject.toml` declares none: add it under `[project.optional-dependencies]`, or leave it out

    the project has no dependency group `dev`
     --> caliper.yaml:3:38
      |
    3 |   project: {extras: [test], groups: [dev]}
      |                                      ^^^
      |
      = help: `pyproject.toml` declares none: add it under `[dependency-groups]`, or leave it out
    ");
}

#[test]
fn requirements_files_are_read_with_what_they_include() {
    let digest = "a".repeat(64);
    let pins =
        format!("six==1.16.0 ; python_version >= '3' \\\n    --hash=sha256:{digest}\ndemo==2.0\n");
    let files = [
        ("requirements/test.txt", "-r base.txt\n-c ../limits.txt\npytest>=8  # the runner\n"),
        ("requirements/base.txt", "-r test.txt\nDemo[fast]>=1.3,<2\n"),
        ("limits.txt", pins.as_str()),
    ];
    let rest = "  requirements: [\"demo[slow]<9\"]\n  requirements_files: [requirements/test.txt]\n  constraints: [\"numpy<2\", limits.txt]\n";
    let config = read_in(&files, rest).unwrap();
    let setup = config.setup();
    // What is written in the configuration itself holds.
    assert_eq!(setup.requirements, ["demo[slow]<9", "Demo[fast]", "pytest>=8"]);
    assert_eq!(setup.constraints, ["numpy<2", "six==1.16.0 ; python_version >= '3'"]);
    let lifted: Vec<&str> = setup.lifted.iter().map(|one| one.requirement.as_str()).collect();
    assert_eq!(lifted, ["Demo[fast]>=1.3,<2", "demo==2.0"]);
    let allowed: Vec<String> = setup
        .allowed_files
        .iter()
        .map(|one| format!("{} {} {}", one.source, one.requirement, one.sha256.len()))
        .collect();
    assert_eq!(allowed, ["limits.txt six==1.16.0 ; python_version >= '3' 1"]);
}

#[test]
fn what_a_requirements_file_cannot_say_is_told_with_its_line() {
    let digest = "a".repeat(64);
    let hashed = format!("tool<2 --hash=sha256:{digest}\n");
    let files = [
        (
            "all.txt",
            "numpy\n-e .[test]\n--index-url https://x\n-r missing.txt\n-r ../out.txt\ntwo words\nsix --hash=md5:0\n",
        ),
        ("limits.txt", "-r all.txt\n$HOME\n"),
        ("tools.txt", hashed.as_str()),
    ];
    let rest = "  requirements_files: [all.txt]\n  constraints: [limits.txt]\n  build_constraints: [tools.txt]\n";
    insta::assert_snapshot!(read_in(&files, rest).unwrap_err(), @"
    `all.txt`, line 2: `-e .[test]` is no requirement
     --> caliper.yaml:3:24
      |
    3 |   requirements_files: [all.txt]
      |                        ^^^^^^^
      |
      = help: install the project itself by the key `project: {extras: [test]}`

    `all.txt`, line 3: the option `--index-url` has no meaning here
     --> caliper.yaml:3:24
      |
    3 |   requirements_files: [all.txt]
      |                        ^^^^^^^
      |
      = help: name the index when Caliper is called, with `--index` or CALIPER_INDEX_URL

    `all.txt`, line 4: there is no file `missing.txt`
     --> caliper.yaml:3:24
      |
    3 |   requirements_files: [all.txt]
      |                        ^^^^^^^
      |
      = help: paths are relative to the folder of the configuration

    `all.txt`, line 5: `../out.txt` leaves the project
     --> caliper.yaml:3:24
      |
    3 |   requirements_files: [all.txt]
      |                        ^^^^^^^
      |
      = help: only files in the folder of the configuration are read; move it there

    `all.txt`, line 6: `two words` is not a requirement
     --> caliper.yaml:3:24
      |
    3 |   requirements_files: [all.txt]
      |                        ^^^^^^^
      |
      = help: name a package and what may be installed of it: `numpy<2`, or `demo @ file:///absolute/path.whl`

    `all.txt`, line 7: `md5:0` is no hash that can be checked
     --> caliper.yaml:3:24
      |
    3 |   requirements_files: [all.txt]
      |                        ^^^^^^^
      |
      = help: write `--hash=sha256:` and 64 hexadecimal digits

    `limits.txt`, line 1: a file of constraints includes no requirements
     --> caliper.yaml:4:17
      |
    4 |   constraints: [limits.txt]
      |                 ^^^^^^^^^^
      |
      = help: include constraints with `-c`, or name the file in `requirements_files`

    `limits.txt`, line 2: `$HOME` is not a requirement
     --> caliper.yaml:4:17
      |
    4 |   constraints: [limits.txt]
      |                 ^^^^^^^^^^
      |
      = help: name a package and what may be installed of it: `numpy<2`, or `demo @ file:///absolute/path.whl`

    the hashes of `tool<2` in `build_constraints` are not checked
     --> caliper.yaml:5:23
      |
    5 |   build_constraints: [tools.txt]
      |                       ^^^^^^^^^
      |
      = help: leave the hashes out: the environment of a build is gone when it could be looked at
    ");
}
