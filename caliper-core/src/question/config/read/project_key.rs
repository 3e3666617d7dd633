//! Reads the key `project`, and what `pyproject.toml` says about it without being built.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::{At, Node, Reader, ScalarKind, list, shorten};
use crate::names::PackageName;
use crate::question::project::ProjectChoice;
use crate::question::requirement::Declared;
use crate::question::template::nearest;

/// The keys under `project`.
pub(in crate::question::config) const PROJECT: &[&str] = &["path", "extras", "groups"];

const FORMS: &str = "write `project: true`, or `project: {extras: [test]}`";

impl Reader<'_> {
    /// The project's own package. What its groups require goes to `required`.
    pub(super) fn project(
        &mut self,
        at: &At<'_>,
        dependency: Option<&PackageName>,
        required: &mut Vec<Declared>,
    ) -> Option<ProjectChoice> {
        let mut entries = match at.node {
            Node::Scalar { text, kind: ScalarKind::Boolean } => {
                if !text.eq_ignore_ascii_case("true") {
                    return None;
                }
                super::Entries::new()
            }
            Node::Mapping(_) => self.mapping(at, "`project`", PROJECT)?,
            _ => {
                self.problem_with_help(at, "`project` must be `true` or keys with values", FORMS);
                return None;
            }
        };
        let path = entries.remove("path");
        let path = match &path {
            Some(node) => self.folder_of_project(node)?,
            None => String::new(),
        };
        let pyproject = self.pyproject(at, &path)?;
        if let (Some(dependency), Some(name)) = (dependency, static_name(&pyproject))
            && *dependency == name
        {
            let message = format!("`project` installs {name} itself, whose releases are measured");
            let help = "leave `project` out: the tests measure the releases and not the folder";
            self.push(at, true, message, Some(help.to_owned()));
        }
        let extras = entries.remove("extras").map(|node| self.extras(&node, &pyproject));
        let groups = entries.remove("groups").map(|node| self.groups(&node, &pyproject, required));
        Some(ProjectChoice {
            path,
            extras: extras.unwrap_or_default(),
            groups: groups.unwrap_or_default(),
        })
    }

    /// The folder of the package, without a `.`.
    fn folder_of_project(&mut self, at: &At<'_>) -> Option<String> {
        let text = self.text(at, "`path`")?;
        if text.starts_with('/') || text.split('/').any(|part| part == "..") {
            let message = format!("`{}` leaves the project", shorten(&text));
            let help = "the package is the folder of the configuration or one in it; put the configuration beside it";
            self.problem_with_help(at, message, help);
            return None;
        }
        let parts: Vec<&str> =
            text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        Some(parts.join("/"))
    }

    /// The `pyproject.toml` of the package; empty where a `setup.py` or `setup.cfg` says all.
    fn pyproject(&mut self, at: &At<'_>, folder: &str) -> Option<Table> {
        let name = |file: &str| {
            if folder.is_empty() { file.to_owned() } else { format!("{folder}/{file}") }
        };
        let is_old = ["setup.py", "setup.cfg"].iter().any(|file| (self.read)(&name(file)).is_ok());
        let path = name("pyproject.toml");
        let content = match (self.read)(&path) {
            Ok(content) => content,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if is_old {
                    return Some(Table::new());
                }
                let place = if folder.is_empty() { "beside the configuration" } else { folder };
                let message = format!(
                    "there is no package to install: no `pyproject.toml`, `setup.cfg` or `setup.py` {}",
                    if folder.is_empty() {
                        place.to_owned()
                    } else {
                        format!("in `{}`", shorten(place))
                    }
                );
                let help = "leave `project` out, or name the folder of the package: `project: {path: python}`";
                self.push(at, true, message, Some(help.to_owned()));
                return None;
            }
            Err(error) => {
                self.problem(at, format!("could not read `{}`: {error}", shorten(&path)));
                return None;
            }
        };
        let text = String::from_utf8_lossy(&content);
        let table: Table = match toml::from_str(&text) {
            Ok(table) => table,
            Err(error) => {
                let error: toml::de::Error = error;
                let start = error.span().map_or(0, |span| span.start);
                let line = text.get(..start).unwrap_or_default().matches('\n').count() + 1;
                let message =
                    format!("line {line} of `{}` is not TOML: {}", shorten(&path), error.message());
                self.problem(at, message);
                return None;
            }
        };
        if !is_old && !table.contains_key("build-system") && !table.contains_key("project") {
            let message = format!(
                "`{}` says nothing of a package that can be built: it has no `[build-system]` and no `[project]`",
                shorten(&path)
            );
            let help = "name a build backend (`[build-system]` with `requires` and `build-backend`), or leave `project` out";
            self.push(at, true, message, Some(help.to_owned()));
            return None;
        }
        Some(table)
    }

    /// The extras, as the package spells them. Those that it computes are known once it is built.
    fn extras(&mut self, at: &At<'_>, pyproject: &Table) -> Vec<String> {
        let known = static_extras(pyproject);
        let mut extras = Vec::new();
        for node in self.list(at, "`extras`") {
            let Some(text) = self.text(&node, "an extra") else { continue };
            let extra = match (&known, text.parse::<PackageName>()) {
                (_, Err(_)) => None,
                (None, Ok(_)) => Some(text.clone()),
                (Some(known), Ok(name)) => spelled(&name, known).map(str::to_owned),
            };
            match extra {
                Some(extra) if extras.contains(&extra) => {}
                Some(extra) => extras.push(extra),
                None => {
                    let known = known.as_deref().unwrap_or_default();
                    let message = format!("the project has no extra `{}`", shorten(&text));
                    let help = help("extras", "`[project.optional-dependencies]`", &text, known);
                    self.problem_with_help(&node, message, help);
                }
            }
        }
        extras
    }

    /// The groups, and what they require.
    fn groups(
        &mut self,
        at: &At<'_>,
        pyproject: &Table,
        required: &mut Vec<Declared>,
    ) -> Vec<String> {
        let empty = Table::new();
        let all = pyproject.get("dependency-groups").and_then(Value::as_table).unwrap_or(&empty);
        let mut groups = Vec::new();
        for node in self.list(at, "`groups`") {
            let Some(text) = self.text(&node, "a group") else { continue };
            let known: Vec<String> = all.keys().cloned().collect();
            let name = text.parse::<PackageName>().ok();
            let Some(group) = name.and_then(|name| spelled(&name, &known)) else {
                let message = format!("the project has no dependency group `{}`", shorten(&text));
                self.problem_with_help(
                    &node,
                    message,
                    help("groups", "`[dependency-groups]`", &text, &known),
                );
                continue;
            };
            if groups.iter().any(|known| known == group) {
                continue;
            }
            let mut found = Vec::new();
            match expand(all, group, &mut Vec::new(), &mut found, &mut BTreeSet::new()) {
                Ok(()) => {
                    // A group that several include is installed once.
                    found.retain(|one| !required.contains(one));
                    required.extend(found);
                    groups.push(group.to_owned());
                }
                Err(message) => self.problem(&node, message),
            }
        }
        groups
    }
}

/// The name of a package, if it is not computed.
fn static_name(pyproject: &Table) -> Option<PackageName> {
    pyproject.get("project")?.get("name")?.as_str()?.parse().ok()
}

/// The extras of a package, if they are not computed.
fn static_extras(pyproject: &Table) -> Option<Vec<String>> {
    let project = pyproject.get("project")?.as_table()?;
    let dynamic = project.get("dynamic").and_then(Value::as_array);
    let is_dynamic = dynamic.is_some_and(|fields| {
        fields.iter().any(|field| field.as_str() == Some("optional-dependencies"))
    });
    let extras = project.get("optional-dependencies").and_then(Value::as_table);
    (!is_dynamic).then(|| extras.into_iter().flat_map(Table::keys).cloned().collect())
}

/// A name among those of a package, which may spell it in another way
/// ([PEP 685](https://peps.python.org/pep-0685/)).
fn spelled<'a>(name: &PackageName, known: &'a [String]) -> Option<&'a str> {
    let same = |one: &&String| one.parse::<PackageName>().is_ok_and(|one| one == *name);
    known.iter().find(same).map(String::as_str)
}

fn help(what: &str, table: &str, text: &str, known: &[String]) -> String {
    if known.is_empty() {
        return format!("`pyproject.toml` declares none: add it under {table}, or leave it out");
    }
    if let Some(similar) = nearest(text, known.iter().map(String::as_str)) {
        return format!("did you mean `{similar}`?");
    }
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    format!("its {what} are {}", list(&known))
}

/// What a group requires, with what it includes ([PEP 735](https://peps.python.org/pep-0735/)). `within` are the
/// groups that include it. Fails with a message.
fn expand(
    all: &Table,
    group: &str,
    within: &mut Vec<String>,
    found: &mut Vec<Declared>,
    done: &mut BTreeSet<String>,
) -> Result<(), String> {
    let source = format!("dependency-groups.{group}");
    let place = shorten(&source);
    if within.iter().any(|above| above == group) {
        let way: Vec<&str> = within.iter().map(String::as_str).chain([group]).collect();
        return Err(format!(
            "the dependency group `{}` includes itself: {}",
            shorten(group),
            shorten(&way.join(" → "))
        ));
    }
    // However often it is included.
    if !done.insert(group.to_owned()) {
        return Ok(());
    }
    let Some(entries) = all.get(group).and_then(Value::as_array) else {
        return Err(format!("`{place}` of `pyproject.toml` is not a list"));
    };
    within.push(group.to_owned());
    for entry in entries {
        let included = entry.as_table().filter(|table| table.len() == 1);
        let included = included.and_then(|table| table.get("include-group")?.as_str());
        if let Some(included) = included {
            let known: Vec<String> = all.keys().cloned().collect();
            let name = included.parse::<PackageName>().ok();
            let Some(included) = name.and_then(|name| spelled(&name, &known)) else {
                return Err(format!(
                    "`{place}` includes the group `{}`, which is not there",
                    shorten(included)
                ));
            };
            expand(all, included, within, found, done)?;
            continue;
        }
        let text = entry.as_str().ok_or_else(|| {
            format!("`{place}` holds something that is neither a requirement nor `{{include-group = \"…\"}}`")
        })?;
        let is_plain = !text.contains(['\n', '\r', '`', '$', '\\']);
        if !is_plain || text.parse::<crate::question::requirement::Requirement>().is_err() {
            return Err(format!("`{}` in `{place}` is not a requirement", shorten(text)));
        }
        let one = Declared { requirement: text.to_owned(), source: source.clone() };
        if !found.contains(&one) {
            found.push(one);
        }
    }
    within.pop();
    Ok(())
}
