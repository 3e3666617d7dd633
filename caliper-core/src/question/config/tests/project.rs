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
    insta::assert_snapshot!(read_in(&[("pyproject.toml", PYPROJECT)], rest).unwrap_err(), @"");
}

#[test]
fn a_project_that_cannot_be_installed_is_refused() {
    let told = |files: &[(&str, &str)], rest: &str| read_in(files, rest).unwrap_err();
    insta::assert_snapshot!(told(&[], "  project: true\n"), @"");
    let tools = [("pyproject.toml", "[tool.ruff]\n")];
    insta::assert_snapshot!(told(&tools, "  project: true\n"), @"");
    let broken = [("pyproject.toml", "[project]\nname = \n")];
    insta::assert_snapshot!(told(&broken, "  project: true\n"), @"");
    let measured = [("pyproject.toml", "[project]\nname = 'Demo'\n")];
    insta::assert_snapshot!(told(&measured, "  project: true\n"), @"");
    insta::assert_snapshot!(told(&measured, "  project: {path: ../other}\n"), @"");
    insta::assert_snapshot!(told(&measured, "  project: .\n"), @"");
    let template = [
        ("pyproject.toml", PYPROJECT),
        ("Dockerfile", "FROM {{ base }}\nCOPY {{ basename }} /\nRUN pip install /{{ basename }}\n"),
    ];
    insta::assert_snapshot!(told(&template, "  project: true\n  dockerfile: Dockerfile\n"), @"");
    let nothing = [("pyproject.toml", "[project]\nname = 'x'\n")];
    insta::assert_snapshot!(told(&nothing, "  project: {extras: [test], groups: [dev]}\n"), @"");
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
    insta::assert_snapshot!(read_in(&files, rest).unwrap_err(), @"");
}
