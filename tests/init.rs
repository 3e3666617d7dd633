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
    let line = |line: &str| match line.trim_start().strip_prefix("python_versions: [\"") {
        Some(_) => "  python_versions: [PYTHONS]".to_owned(),
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
    insta::assert_snapshot!(text, @"");
    insta::assert_snapshot!(said, @"");
    let (text, said) =
        written(&[("pyproject.toml", pyproject), SRC, TEST], &["--dependency", "Click"]);
    assert!(text.contains("dependency: click\n"), "{text}");
    insta::assert_snapshot!(said, @"");
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
    insta::assert_snapshot!(text, @"");
    insta::assert_snapshot!(said, @"");
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
    insta::assert_snapshot!(text, @"");
    insta::assert_snapshot!(said, @"");

    let py = "from setuptools import setup\nNEEDS = [\n    'requests>=2',  # the web\n    'idna',\n] + extra()\n\
              setup(name='weatherkit', python_requires='>=3.6', install_requires=['requests>=2', version('idna')],\n      \
              extras_require={'dev': ['pytest']})\n";
    let (text, said) = written(&[("setup.py", py), TEST], &[]);
    insta::assert_snapshot!(text, @"");
    insta::assert_snapshot!(said, @"");

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
    insta::assert_snapshot!(text, @"");
    insta::assert_snapshot!(said, @"");
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
    insta::assert_snapshot!(tail.join("\n"), @"");

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
    insta::assert_snapshot!(said, @"");
}

#[test]
fn hostile_names_stay_what_they_are() {
    let pyproject = "[build-system]\nrequires = []\n[project]\nname = 'x'\ndependencies = [\n  'a-b>=1',\n  'c @ https://example.org/c.zip',\n  \
        \"d; python_version < '3'\",\n]\n[project.optional-dependencies]\ntest = ['pytest', \"e; extra == '\\\"]}#'\"]\n\
        'test]}: \\\"\u{202e}' = []\n[tool.pytest.ini_options]\ntestpaths = ['t: [1] # \"x\"']\n";
    let files = [("pyproject.toml", pyproject), ("t: [1] # \"x\"/test_a.py", "")];
    let (text, said) = written(&files, &[]);
    insta::assert_snapshot!(text, @"");
    insta::assert_snapshot!(said, @"");
    let many: Vec<String> = (0..200).map(|number| format!("'package-{number}>=1'")).collect();
    let pyproject = format!("[project]\nname = 'x'\ndependencies = [{}]\n", many.join(", "));
    let (text, said) = written(&[("pyproject.toml", &pyproject)], &[]);
    assert!(
        text.contains("dependency: package-0\n") && text.contains("    - \"package-199>=1\"\n"),
        "{text}"
    );
    insta::assert_snapshot!(said, @"");
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
    insta::assert_snapshot!(told.join("\n"), @"");
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
    insta::assert_snapshot!(said.out.replace('\r', ""), @"");
    let text = std::fs::read_to_string(world.project().join("caliper.yaml")).unwrap();
    assert!(text.contains("dependency: numpy\n"), "{text}");
}
