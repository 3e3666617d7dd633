//! A configuration for a folder that holds a library: what do the releases of one of its dependencies do to it?

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use caliper_core::names::PackageName;
use toml::{Table, Value};

/// A library, as its folder describes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Library {
    /// What it needs at run time, as requirements; never empty.
    needs: Vec<String>,
    /// Its modules are in `src`.
    has_src: bool,
    /// The folder of its tests.
    tests: Option<&'static str>,
    /// Its name, as it is imported if that is the usual one.
    module: String,
}

impl Library {
    /// The library in a folder. `None` if it holds none, or one that needs nothing.
    pub(super) fn read(folder: &Path) -> Option<Self> {
        let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
        let pyproject: Table = toml::from_str(&text("pyproject.toml")).unwrap_or_default();
        let places = [
            of_project(&pyproject),
            of_poetry(&pyproject),
            of_setup_cfg(&text("setup.cfg")),
            of_setup_py(&text("setup.py")),
        ];
        let mut needs = places.into_iter().find(|needs| !needs.is_empty())?;
        // Addresses and paths cannot be requirements here.
        needs.retain(|need| name(need).is_some() && !need.contains(['@', '/']));
        // One that is needed everywhere: a marker would leave cells without it.
        let first = needs.iter().position(|need| !need.contains(';'))?;
        needs[..=first].rotate_right(1);
        let own = pyproject.get("project").and_then(|project| project.get("name"));
        let own = own.and_then(Value::as_str).unwrap_or_default();
        let is_folder = |name: &&str| folder.join(name).is_dir();
        Some(Self {
            needs,
            has_src: folder.join("src").is_dir(),
            tests: ["tests", "test"].into_iter().find(is_folder),
            module: own.to_lowercase().replace(['-', '.'], "_"),
        })
    }

    /// The configuration.
    pub(super) fn configuration(&self) -> String {
        let quoted = |text: &str| format!("{:?}", text.replace('\'', "\""));
        let first = &self.needs[0];
        let package = name(first).unwrap_or_default();
        let declared = first[package.len()..].trim();
        let declared = declared.strip_prefix('[').map_or(declared, |rest| {
            rest.split_once(']').map_or("", |(_, specifiers)| specifiers.trim())
        });
        let declared = declared.trim_matches(['(', ')']);
        let versions = if declared.is_empty() {
            "latest-patch, latest: 10".to_owned()
        } else {
            format!("{declared}, latest-patch, latest: 10")
        };
        let mut requirements: Vec<String> =
            self.needs[1..].iter().map(|need| quoted(need)).collect();
        let run = match self.tests {
            Some(tests) => {
                requirements.push("pytest".to_owned());
                format!("python -m pytest -q {tests}")
            }
            None => format!("python -c 'import {}'", self.module),
        };
        let path = if self.has_src { ", env: {PYTHONPATH: src}" } else { "" };
        // A warning that comes or goes is no other result of a test suite.
        let compare = if self.tests.is_some() { ", compare: exit-status" } else { "" };
        let mut text = String::from(
            "# What do the releases of a dependency do to this library? Run `caliper run` here to see.\n\
             # Every key but `dependency` has a default. `caliper schema config` describes them all.\n\
             analysis:\n",
        );
        let others: Vec<&str> = self.needs[1..].iter().filter_map(|need| name(need)).collect();
        if !others.is_empty() {
            let _ = writeln!(text, "  # The library also needs {}.", others.join(", "));
        }
        let _ = write!(
            text,
            "  dependency: {package}\n\n  \
             # Those that it declares: the newest patch of each series, and of these the ten newest.\n  \
             versions: {}\n\n  \
             # Installed beside the dependency: what else the library and its tests need. The library itself is not\n  \
             # installed; its files are there.\n  \
             requirements: [{}]\n\n  \
             tests:\n    - {{name: {}, run: {}{path}{compare}}}\n\n  \
             # The releases that must pass: `caliper run` exits with 1 if one does not.\n  \
             # expect: {}\n",
            quoted(&versions),
            requirements.join(", "),
            if self.tests.is_some() { "pytest" } else { "library" },
            quoted(&run).replace("\\\"", "'"),
            quoted(if declared.is_empty() { ">=1" } else { declared }),
        );
        text
    }
}

/// The name at the beginning of a requirement.
fn name(requirement: &str) -> Option<&str> {
    let end = requirement
        .find(|character: char| !character.is_ascii_alphanumeric() && !"-_.".contains(character));
    let name = &requirement[..end.unwrap_or(requirement.len())];
    name.parse::<PackageName>().is_ok().then_some(name)
}

fn of_project(pyproject: &Table) -> Vec<String> {
    let list = pyproject.get("project").and_then(|project| project.get("dependencies"));
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(|text| text.trim().to_owned()).collect()
}

/// Without the specifiers, which Poetry writes in its own way.
fn of_poetry(pyproject: &Table) -> Vec<String> {
    let poetry = pyproject.get("tool").and_then(|tool| tool.get("poetry"));
    let table = poetry.and_then(|poetry| poetry.get("dependencies")).and_then(Value::as_table);
    table
        .into_iter()
        .flatten()
        .map(|(name, _)| name.clone())
        .filter(|name| name != "python")
        .collect()
}

/// The lines under `install_requires`
/// (<https://setuptools.pypa.io/en/latest/userguide/declarative_config.html>).
fn of_setup_cfg(text: &str) -> Vec<String> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with("install_requires"));
    let first = lines.next().and_then(|line| line.split_once('=')).map_or("", |(_, rest)| rest);
    let below = lines.take_while(|line| line.starts_with([' ', '\t']) || line.is_empty());
    let all = first.split(',').chain(below).map(str::trim);
    all.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

/// The texts in the list after `install_requires`, if it is written out.
fn of_setup_py(text: &str) -> Vec<String> {
    let Some((_, rest)) = text.split_once("install_requires") else { return Vec::new() };
    let rest = rest.trim_start().trim_start_matches(['=', ':']).trim_start();
    let Some(list) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
        return Vec::new();
    };
    let mut texts = Vec::new();
    let mut rest = list.0;
    while let Some(start) = rest.find(['"', '\'']) {
        let quote = &rest[start..=start];
        let Some((text, after)) = rest[start + 1..].split_once(quote) else { break };
        texts.push(text.trim().to_owned());
        rest = after;
    }
    texts
}

#[cfg(test)]
mod tests {
    use caliper_core::question::config::Config;

    use super::*;

    fn library(files: &[(&str, &str)]) -> Option<Library> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
            fs::write(folder.path().join(name), text).unwrap();
        }
        Library::read(folder.path())
    }

    #[test]
    fn the_configuration_is_for_a_dependency_of_the_library() {
        let files = [
            (
                "pyproject.toml",
                "[project]\nname = 'Weather-Kit'\ndependencies = ['tomli>=2; python_version < \"3.11\"', \
                 'pandas[plot]>=1.3,<3', 'numpy']\n",
            ),
            ("src/weather_kit/__init__.py", ""),
            ("tests/test_a.py", ""),
        ];
        let text = library(&files).unwrap().configuration();
        insta::assert_snapshot!(text, @r#"
        # What do the releases of a dependency do to this library? Run `caliper run` here to see.
        # Every key but `dependency` has a default. `caliper schema config` describes them all.
        analysis:
          # The library also needs tomli, numpy.
          dependency: pandas

          # Those that it declares: the newest patch of each series, and of these the ten newest.
          versions: ">=1.3,<3, latest-patch, latest: 10"

          # Installed beside the dependency: what else the library and its tests need. The library itself is not
          # installed; its files are there.
          requirements: ["tomli>=2; python_version < \"3.11\"", "numpy", pytest]

          tests:
            - {name: pytest, run: "python -m pytest -q tests", env: {PYTHONPATH: src}, compare: exit-status}

          # The releases that must pass: `caliper run` exits with 1 if one does not.
          # expect: ">=1.3,<3"
        "#);
        let read = |_: &str| Ok(Vec::new());
        Config::from_yaml("caliper.yaml", &text, &read).unwrap();
        let poetry = [(
            "pyproject.toml",
            "[project]\nname = 'x.y'\n[tool.poetry.dependencies]\npython = '^3.9'\nrich = '^13'\n",
        )];
        let text = library(&poetry).unwrap().configuration();
        assert!(text.contains("dependency: rich\n") && text.contains("import x_y"), "{text}");
        Config::from_yaml("caliper.yaml", &text, &read).unwrap();
    }

    #[test]
    fn older_forms_are_read_too() {
        let cfg = "[options]\ninstall_requires =\n    # why\n    attrs>=20\n    click\n\n[other]\nx = 1\n";
        assert_eq!(of_setup_cfg(cfg), ["attrs>=20", "click"]);
        let py =
            "setup(name='x', install_requires=['attrs>=20', \"click; python_version > '3'\"],)";
        assert_eq!(of_setup_py(py), ["attrs>=20", "click; python_version > '3'"]);
        assert_eq!(of_setup_py("setup(install_requires=read())"), Vec::<String>::new());
        assert_eq!(library(&[("setup.py", "setup()")]), None);
        assert_eq!(library(&[]), None);
    }
}
