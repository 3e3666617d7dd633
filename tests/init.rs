//! `caliper init` in folders that hold a project.

use std::process::{Command, Stdio};

use crate::support::World;

/// What is written for a project of these files, and what is said meanwhile. It passes `check`, or the test fails.
fn written(files: &[(&str, &str)], arguments: &[&str]) -> (String, String) {
    let world = World::new();
    for (name, text) in files {
        world.write(name, text);
    }
    let said = world.caliper(&[&["init"], arguments].concat()).expect(0);
    world.caliper(&["check"]).expect(0);
    let text = std::fs::read_to_string(world.project().join("caliper.yaml")).unwrap();
    (without_pythons(&text), said.err)
}

/// Which Pythons there are differs from machine to machine.
fn without_pythons(text: &str) -> String {
    let line = |line: &str| match line.split_once("python_versions: [\"") {
        Some((before, _)) => format!("{before}python_versions: [PYTHONS]"),
        None => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// What is said in place of writing.
fn refused(files: &[(&str, &[u8])], arguments: &[&str]) -> String {
    let world = World::new();
    for (name, content) in files {
        std::fs::write(world.project().join(name), content).unwrap();
    }
    let said = world.caliper(&[&["init"], arguments].concat());
    assert!(!world.project().join("caliper.yaml").exists());
    said.error(2)
}

const SRC: (&str, &str) = ("src/weatherkit/__init__.py", "");
const TEST: (&str, &str) = ("tests/test_it.py", "def test_it():\n    pass\n");

#[test]
fn a_project_of_today() {
    let pyproject = r#"
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "weatherkit"
version = "1.0"
requires-python = ">=3.9"
dependencies = ["tomli>=2; python_version < '3.11'", "pandas[plot]>=1.3,<3", "click"]

[project.optional-dependencies]
test = ["pytest>=8", "hypothesis"]

[dependency-groups]
tests = ["pytest-cov"]
docs = ["sphinx"]

[tool.pytest.ini_options]
testpaths = ["tests"]
"#;
    let (text, said) = written(&[("pyproject.toml", pyproject), SRC, TEST], &[]);
    insta::assert_snapshot!(text, @r#"
    # What do the releases of pandas do to weatherkit? Run `caliper run` here to see.
    # Every key but `dependency` has a default. `caliper schema config` describes them all.
    analysis:
      name: "pandas in weatherkit"

      # It also needs click, tomli. Each can be measured in place of this one.
      dependency: pandas

      # Those that the project declares: the newest patch of each series, and of these the ten newest.
      versions: ">=1.3, <3, latest-patch, latest: 10"

      # Those of this machine that the project supports: `project.requires-python` is ">=3.9".
      python_versions: [PYTHONS]

      # The project is installed in every cell, with what its tests need.
      project: {extras: ["test"], groups: ["tests"]}

      # Found: `tool.pytest` of pyproject.toml.
      tests:
        - {pytest: "tests"}

      # The releases that must pass: `caliper run` exits with 1 if one does not.
      # expect: ">=1.3, <3"
    "#);
    insta::assert_snapshot!(said, @"
    pandas is the first of 3 dependencies (project.dependencies of pyproject.toml); `--dependency` chooses another: click, tomli
    wrote ./caliper.yaml
    now edit it, and then: caliper run ./caliper.yaml
    ");
    let (text, said) =
        written(&[("pyproject.toml", pyproject), SRC, TEST], &["--dependency", "Click"]);
    assert!(text.contains("dependency: click\n"), "{text}");
    insta::assert_snapshot!(said, @"
    wrote ./caliper.yaml
    now edit it, and then: caliper run ./caliper.yaml
    ");
}

#[test]
fn a_project_of_poetry() {
    let pyproject = r#"
[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"

[tool.poetry]
name = "weatherkit"
version = "1.0"

[tool.poetry.dependencies]
python = "^3.9"
rich = "^13"
click = {version = ">=8", extras = ["x"], markers = "os_name == 'posix'"}
local = {path = "../local"}

[tool.poetry.group.test.dependencies]
pytest = "^8"
"#;
    let files = [("pyproject.toml", pyproject), ("weatherkit/__init__.py", ""), TEST];
    let (text, said) = written(&files, &[]);
    insta::assert_snapshot!(text, @r#"
    # What do the releases of rich do to weatherkit? Run `caliper run` here to see.
    # Every key but `dependency` has a default. `caliper schema config` describes them all.
    analysis:
      name: "rich in weatherkit"

      # It also needs click. Each can be measured in place of this one.
      dependency: rich

      # Of all releases the newest patch of each series, and of these the ten newest.
      versions: "latest-patch, latest: 10"

      # On which Pythons. Default: every Python of this machine, or every one that the container engine can serve.
      # python_versions: [PYTHONS]

      # The project is installed in every cell.
      project: true

      # What its tests need besides.
      requirements: ["pytest"]

      # Found: there are tests such as `tests/test_it.py`.
      tests:
        - {pytest: "tests"}

      # The releases that must pass: `caliper run` exits with 1 if one does not.
      # expect: ">=1"
    "#);
    insta::assert_snapshot!(said, @"
    warning: `^3.9` of `python` in `pyproject.toml` is Poetry's own notation; it is left out
    warning: `local` in `pyproject.toml` is an address and has no releases to choose from; it is left out
    warning: `^13` of `rich` in `pyproject.toml` is Poetry's own notation; it is left out
    rich is the first of 2 dependencies (tool.poetry.dependencies of pyproject.toml); `--dependency` chooses another: click
    wrote ./caliper.yaml
    now edit it, and then: caliper run ./caliper.yaml
    ");
}

#[test]
fn a_project_of_setuptools() {
    let cfg = "[metadata]\nname = weatherkit\n\n[options]\npython_requires = >=3.8\ninstall_requires =\n    # why\n    \
               attrs>=20\n    click\n\n[options.extras_require]\ntesting =\n    pytest\n";
    let tox = "[testenv]\nextras = testing\ndeps =\n    pytest-cov\n    py39: backport\n    -r more.txt\ncommands =\n    \
               python -m pip install wheel\n    pytest --cov {posargs:tests} -q\n";
    let files = [
        ("setup.cfg", cfg),
        ("setup.py", "from setuptools import setup\nsetup()\n"),
        ("tox.ini", tox),
        TEST,
    ];
    let (text, said) = written(&files, &[]);
    insta::assert_snapshot!(text, @r#"
    # What do the releases of attrs do to weatherkit? Run `caliper run` here to see.
    # Every key but `dependency` has a default. `caliper schema config` describes them all.
    analysis:
      name: "attrs in weatherkit"

      # It also needs click. Each can be measured in place of this one.
      dependency: attrs

      # Those that the project declares: the newest patch of each series, and of these the ten newest.
      versions: ">=20, latest-patch, latest: 10"

      # Those of this machine that the project supports: `options.python_requires` is ">=3.8".
      python_versions: [PYTHONS]

      # The project is installed in every cell, with what its tests need.
      project: {extras: ["testing"]}

      # What its tests need besides.
      requirements: ["pytest-cov"]

      # Found: `[testenv]` of tox.ini.
      tests:
        - {pytest: "tests"}

      # The releases that must pass: `caliper run` exits with 1 if one does not.
      # expect: ">=20"
    "#);
    insta::assert_snapshot!(said, @"
    attrs is the first of 2 dependencies (options.install_requires of setup.cfg); `--dependency` chooses another: click
    wrote ./caliper.yaml
    now edit it, and then: caliper run ./caliper.yaml
    ");

    let py = "from setuptools import setup\nNEEDS = [\n    'requests>=2',  # the web\n    'idna',\n] + extra()\n\
              setup(name='weatherkit', python_requires='>=3.6', install_requires=['requests>=2', version('idna')],\n      \
              extras_require={'dev': ['pytest']})\n";
    let (text, said) = written(&[("setup.py", py), TEST], &[]);
    insta::assert_snapshot!(text, @r#"
    # What do the releases of requests do to weatherkit? Run `caliper run` here to see.
    # Every key but `dependency` has a default. `caliper schema config` describes them all.
    analysis:
      name: "requests in weatherkit"

      # Declared in install_requires of setup.py.
      dependency: requests

      # Those that the project declares: the newest patch of each series, and of these the ten newest.
      versions: ">=2, latest-patch, latest: 10"

      # Those of this machine that the project supports: `python_requires` is ">=3.6".
      python_versions: [PYTHONS]

      # The project is installed in every cell, with what its tests need.
      project: {extras: ["dev"]}

      # Found: there are tests such as `tests/test_it.py`.
      tests:
        - {pytest: "tests"}

      # The releases that must pass: `caliper run` exits with 1 if one does not.
      # expect: ">=2"
    "#);
    insta::assert_snapshot!(said, @"
    warning: `install_requires` of `setup.py` is not all written out there: computed in `setup.py`
    requests is its only dependency (install_requires of setup.py)
    wrote ./caliper.yaml
    now edit it, and then: caliper run ./caliper.yaml
    ");

    let files = [
        (
            "pyproject.toml",
            "[build-system]\nrequires = ['setuptools']\n[project]\nname = 'x'\ndynamic = ['dependencies']\n\
          [tool.setuptools.dynamic]\ndependencies = {file = ['requirements.in']}\n",
        ),
        ("requirements.in", "click>=8\n"),
        ("requirements.txt", "click==8.1.7\ncolorama==0.4\n"),
    ];
    let (text, _) = written(&files, &[]);
    assert!(text.contains("versions: \">=8, latest-patch, latest: 10\""), "{text}");
}

#[test]
fn a_program_with_lists_of_requirements() {
    let files = [
        (
            "requirements.txt",
            "# what is needed\nDjango==4.2.1\npsycopg2>=2 --hash=sha256:00\n-e ./other\n",
        ),
        ("requirements-dev.txt", "-r requirements.txt\npytest>=8\nruff\n"),
        ("app/test_views.py", "import pytest\n"),
    ];
    let (text, said) = written(&files, &[]);
    insta::assert_snapshot!(text, @r#"
    # What do the releases of Django do to this project? Run `caliper run` here to see.
    # Every key but `dependency` has a default. `caliper schema config` describes them all.
    analysis:
      # It also needs psycopg2. Each can be measured in place of this one.
      dependency: Django

      # The project pins it (==4.2.1). The newest patch of each series, and of these the ten newest.
      versions: "latest-patch, latest: 10"

      # On which Pythons. Default: every Python of this machine, or every one that the container engine can serve.
      # python_versions: [PYTHONS]

      # Installed beside the dependency: what else the project and its tests need. The project itself is no
      # package; its files are there.
      requirements: ["psycopg2>=2", "pytest>=8", "ruff"]

      # Found: there are tests such as `app/test_views.py`.
      tests:
        - {pytest: "."}

      # The releases that must pass: `caliper run` exits with 1 if one does not.
      # expect: "==4.2.1"
    "#);
    insta::assert_snapshot!(said, @"
    Django is the first of 2 dependencies (requirements.txt); `--dependency` chooses another: psycopg2
    wrote ./caliper.yaml
    now edit it, and then: caliper run ./caliper.yaml
    ");
}

#[test]
fn unittest_nox_and_programs_are_found() {
    let needs = ("requirements.txt", "click\n");
    let unittest = [needs, ("tests/test_it.py", "import unittest\n")];
    assert!(written(&unittest, &[]).0.contains("- {unittest: \"tests\"}"));

    let nox = "import nox\n\n@nox.session\ndef lint(session):\n    session.run('ruff')\n\n@nox.session(python=['3.11'])\n\
               def tests(session):\n    session.install('-e', '.[http]', 'pytest-xdist')\n    session.install('-r', 'requirements-test.txt')\n    \
               session.run('coverage', 'run', '-m', 'pytest', 'tests/unit', *session.posargs)\n";
    let files = [
        (
            "pyproject.toml",
            "[build-system]\nrequires = []\n[project]\nname = 'x'\ndependencies = ['click']\noptional-dependencies.http = ['httpx']\n",
        ),
        ("requirements-test.txt", "pytest\n"),
        ("noxfile.py", nox),
        ("tests/unit/test_it.py", ""),
    ];
    let (text, _) = written(&files, &[]);
    let tail: Vec<&str> = text.lines().skip_while(|line| !line.contains("installed")).collect();
    insta::assert_snapshot!(tail.join("\n"), @r#"
    # The project is installed in every cell, with what its tests need.
    project: {extras: ["http"]}

    # What its tests need besides.
    requirements_files: ["requirements-test.txt"]
    requirements: ["pytest-xdist"]

    # Found: session `tests` of noxfile.py.
    tests:
      - {pytest: "tests/unit"}

    # The releases that must pass: `caliper run` exits with 1 if one does not.
    # expect: ">=1"
    "#);

    let files = [
        needs,
        ("tox.ini", "[testenv]\ncommands = {envpython} run_tests.py -v\n"),
        ("run_tests.py", ""),
    ];
    assert!(written(&files, &[]).0.contains("run: \"python run_tests.py -v\""));
    let tox = "[build-system]\nrequires = []\n[project]\nname = 'x'\ndependencies = ['click']\n[dependency-groups]\nunit = ['pytest']\n\
               [tool.tox.env_run_base]\ndependency_groups = ['unit']\ncommands = [['pytest', { replace = 'posargs' }, 'tests']]\n";
    let (text, _) = written(&[("pyproject.toml", tox), TEST], &[]);
    assert!(text.contains("groups: [\"unit\"]"), "{text}");
    // No tests at all.
    let (text, said) = written(
        &[(
            "pyproject.toml",
            "[build-system]\nrequires = []\n[project]\nname = 'a.B'\ndependencies = ['click']\n",
        )],
        &[],
    );
    assert!(text.contains("python -c 'import a_b'"), "{text}");
    insta::assert_snapshot!(said, @"
    click is its only dependency (project.dependencies of pyproject.toml)
    warning: no tests were found; the test is that the project can be imported
    wrote ./caliper.yaml
    now edit it, and then: caliper run ./caliper.yaml
    ");
}

#[test]
fn hostile_names_stay_what_they_are() {
    let pyproject = "[build-system]\nrequires = []\n[project]\nname = 'x'\ndependencies = [\n  'a-b>=1',\n  'c @ https://example.org/c.zip',\n  \
        \"d; python_version < '3'\",\n]\n[project.optional-dependencies]\ntest = ['pytest', \"e; extra == '\\\"]}#'\"]\n\
        'test]}: \\\"\u{202e}' = []\n[tool.pytest.ini_options]\ntestpaths = ['t: [1] # \"x\"']\n";
    let files = [("pyproject.toml", pyproject), ("t: [1] # \"x\"/test_a.py", "")];
    let (text, said) = written(&files, &[]);
    insta::assert_snapshot!(text, @r#"
    # What do the releases of a-b do to x? Run `caliper run` here to see.
    # Every key but `dependency` has a default. `caliper schema config` describes them all.
    analysis:
      name: "a-b in x"

      # It also needs d. Each can be measured in place of this one.
      dependency: a-b

      # Those that the project declares: the newest patch of each series, and of these the ten newest.
      versions: ">=1, latest-patch, latest: 10"

      # On which Pythons. Default: every Python of this machine, or every one that the container engine can serve.
      # python_versions: [PYTHONS]

      # The project is installed in every cell, with what its tests need.
      project: {extras: ["test"]}

      # Found: `tool.pytest` of pyproject.toml.
      tests:
        - {pytest: "'t: [1] # \"x\"'"}

      # The releases that must pass: `caliper run` exits with 1 if one does not.
      # expect: ">=1"
    "#);
    insta::assert_snapshot!(said, @"
    warning: `c` in `pyproject.toml` is an address and has no releases to choose from; it is left out
    a-b is the first of 2 dependencies (project.dependencies of pyproject.toml); `--dependency` chooses another: d
    wrote ./caliper.yaml
    now edit it, and then: caliper run ./caliper.yaml
    ");
    let many: Vec<String> = (0..200).map(|number| format!("'package-{number}>=1'")).collect();
    let pyproject = format!("[project]\nname = 'x'\ndependencies = [{}]\n", many.join(", "));
    let (text, said) = written(&[("pyproject.toml", &pyproject)], &[]);
    assert!(
        text.contains("dependency: package-0\n") && text.contains("    - \"package-199>=1\"\n"),
        "{text}"
    );
    insta::assert_snapshot!(said, @"
    package-0 is the first of 200 dependencies (project.dependencies of pyproject.toml); `--dependency` chooses another: package-1, package-2, package-3, package-4, package-5, package-6, package-7, package-8, package-9, package-10, package-11, package-12, package-13, package-14, package-15, package-16, package-17, package-18, package-19, package-20 and 179 more
    warning: no tests were found; the test is that the project can be imported
    wrote ./caliper.yaml
    now edit it, and then: caliper run ./caliper.yaml
    ");
}

#[test]
fn what_cannot_be_done_is_said() {
    let told = [
        refused(&[("pyproject.toml", b"[project\n")], &[]),
        refused(&[("pyproject.toml", b"project = 1\n")], &[]),
        refused(&[("pyproject.toml", b"# \xff\n")], &[]),
        refused(&[("tox.ini", b"\xff"), ("requirements.txt", b"a")], &[]),
        refused(&[("pyproject.toml", b"[project]\nname = 'x'\n")], &[]),
        refused(
            &[("pyproject.toml", b"[project]\nname = 'x'\noptional-dependencies.a = ['b', 'c']\n")],
            &[],
        ),
        refused(
            &[("pyproject.toml", b"[project]\nname = 'x'\ndependencies = ['pandas', 'numpy']\n")],
            &["--dependency", "pandsa"],
        ),
        refused(&[("setup.py", b"setup(install_requires=read())")], &[]),
    ];
    insta::assert_snapshot!(told.join("\n"), @"
    error: could not read `pyproject.toml`: line 1 of `pyproject.toml` is not TOML: unclosed table, expected `]` (in `.`)

    error: could not read `pyproject.toml`: `project` of `pyproject.toml` is not a table (in `.`)

    error: `pyproject.toml` is not UTF-8 text: save it as UTF-8 (in `.`)

    error: `tox.ini` is not UTF-8 text: save it as UTF-8 (in `.`)

    error: no dependency of the project is known, so there is nothing to measure; `--dependency NAME` names a package

    error: no dependency of the project is known, so there is nothing to measure; `--dependency NAME` names a package, such as one that its extras and tests need: b, c

    error: the project does not declare `pandsa`, but pandas, numpy; `dependency` in the configuration may name any package

    error: no dependency of the project is known, so there is nothing to measure; `--dependency NAME` names a package
    ");
}

#[test]
fn a_package_is_named_for_a_folder_without_a_project() {
    let world = World::new();
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    world.caliper(&["init", "study", "--dependency", "demo"]).expect(0);
    world.caliper(&["check", "study/caliper.yaml"]).expect(0);
    let said = world.caliper(&["run", "study/caliper.yaml", "--fail-on", "failed"]).expect(0);
    assert!(said.out.contains("same result"), "{}", said.out);
}

/// A person chooses at a terminal, which Python makes here.
#[test]
fn at_a_terminal_it_asks() {
    let world = World::new();
    world.write("requirements.txt", "pandas>=1\nnumpy\n");
    let script = "import pty, os, sys\n\
                  pid, fd = pty.fork()\n\
                  if pid == 0:\n    os.execv(sys.argv[1], sys.argv[1:])\n\
                  os.write(fd, b'7\\nNumPy\\n')\n\
                  out = b''\n\
                  try:\n    while (more := os.read(fd, 999)): out += more\n\
                  except OSError: pass\n\
                  sys.stdout.buffer.write(out)\n\
                  sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n";
    let command = world.command(&["init", "--no-color"]);
    let mut python = Command::new("python3");
    python.args(["-c", script]).arg(command.get_program()).args(command.get_args());
    python.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    python.current_dir(world.project()).stdin(Stdio::null());
    let said = world.said(python.output().unwrap()).expect(0);
    insta::assert_snapshot!(said.out.replace('\r', ""), @"
    7
    NumPy
    Which dependency is to be measured?
       1  pandas>=1
       2  numpy
    Its number or name; Enter takes the first:
    7 is not between 1 and 2
    Its number or name; Enter takes the first:
    warning: no tests were found; the test is that the project can be imported
    wrote ./caliper.yaml
    now edit it, and then: caliper run ./caliper.yaml
    ");
    let text = std::fs::read_to_string(world.project().join("caliper.yaml")).unwrap();
    assert!(text.contains("dependency: numpy\n"), "{text}");
}
