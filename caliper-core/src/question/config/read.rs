//! From a tree to a [`Config`], collecting every problem on the way.

mod axes_key;
mod compare_key;
mod limits_key;
mod tests_key;

#[cfg(test)]
pub(super) use axes_key::BUNDLE;
#[cfg(test)]
pub(super) use compare_key::COMPARE;
#[cfg(test)]
pub(super) use limits_key::LIMITS;
#[cfg(test)]
pub(super) use tests_key::TEST;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use super::problem::Problem;
use super::yaml::{self, Node, Path, ScalarKind};
use super::{Config, ConfigError, ReadProjectFile, units};
use crate::names::PythonVersion;
use crate::question::selection::{Among, SdistPolicy, Selection, Versions};
use crate::question::template::{Args, Template, nearest};

/// The keys under `analysis`.
pub(super) const ANALYSIS: &[&str] = &[
    "name",
    "packagemanager",
    "dependency",
    "versions",
    "python_versions",
    "sdist",
    "dockerfile",
    "base",
    "args",
    "requirements",
    "constraints",
    "as_of",
    "axes",
    "exclude",
    "include",
    "tests",
    "results",
    "limits",
    "compare",
    "baseline",
    "expect",
];

/// The keys under `versions`, where it is a mapping.
pub(super) const VERSIONS: &[&str] = &["specifiers", "since", "latest-patch", "latest"];

/// Larger files are not configurations.
const MOST_BYTES: usize = 1 << 20;

pub(super) fn config(
    name: &str,
    text: &str,
    read: ReadProjectFile<'_>,
) -> Result<Config, ConfigError> {
    if text.len() > MOST_BYTES {
        return Err(ConfigError::syntax(name, "", "it is larger than 1 MiB", None));
    }
    let tree = yaml::parse(text)
        .map_err(|(message, place)| ConfigError::syntax(name, text, &message, place))?;
    let mut reader = Reader { read, problems: Vec::new() };
    match reader.root(&tree) {
        Some(config) if reader.problems.is_empty() => Ok(config),
        _ => Err(ConfigError::new(name, text, reader.problems)),
    }
}

struct Reader<'a> {
    read: ReadProjectFile<'a>,
    problems: Vec<Problem>,
}

/// A node and the way to it.
#[derive(Clone)]
struct At<'a> {
    node: &'a Node,
    path: Path,
}

impl<'a> At<'a> {
    fn child(&self, index: usize, node: &'a Node) -> Self {
        let mut path = self.path.clone();
        path.push(index);
        Self { node, path }
    }
}

/// The entries of a mapping, each to be taken once.
type Entries<'a> = BTreeMap<&'a str, At<'a>>;

impl Reader<'_> {
    fn problem(&mut self, at: &At<'_>, message: impl Display) {
        self.push(at, false, message, None);
    }

    fn problem_with_help(&mut self, at: &At<'_>, message: impl Display, help: impl Display) {
        self.push(at, false, message, Some(help.to_string()));
    }

    fn push(&mut self, at: &At<'_>, key: bool, message: impl Display, help: Option<String>) {
        let message = message.to_string();
        self.problems.push(Problem { path: at.path.clone(), key, message, help });
    }

    fn root(&mut self, tree: &Node) -> Option<Config> {
        let root = At { node: tree, path: Path::new() };
        let mut entries = self.mapping(&root, "the configuration", &["analysis"])?;
        let Some(analysis) = entries.remove("analysis") else {
            if self.problems.is_empty() {
                self.problem_with_help(
                    &root,
                    "there is no `analysis`",
                    "start with `analysis:` and `dependency:` below it; `caliper init` writes an example",
                );
            }
            return None;
        };
        self.analysis(&analysis)
    }

    fn analysis(&mut self, at: &At<'_>) -> Option<Config> {
        let mut entries = self.mapping(at, "`analysis`", ANALYSIS)?;
        if let Some(manager) = entries.remove("packagemanager")
            && let Some(text) = self.text(&manager, "`packagemanager`")
            && text != "pypi"
        {
            let message = format!("`{text}` is not a package manager that Caliper knows");
            self.problem_with_help(&manager, message, "leave the line out, or write `pypi`");
        }
        let dependency = if let Some(node) = entries.remove("dependency") {
            self.parsed(&node, "`dependency`")
        } else {
            let help = "name a package: `dependency: jinja2`".to_owned();
            self.push(at, true, "there is no `dependency`", Some(help));
            None
        };
        let name = entries.remove("name").and_then(|node| self.text(&node, "`name`"));
        let versions = entries.remove("versions").and_then(|node| self.versions(&node));
        let python_versions =
            entries.remove("python_versions").map(|node| self.pythons(&node)).unwrap_or_default();
        let sdist = entries.remove("sdist").and_then(|node| self.sdist(&node));
        let requirements =
            entries.remove("requirements").map(|node| self.requirements(&node, "`requirements`"));
        let constraints =
            entries.remove("constraints").map(|node| self.constraints(&node)).unwrap_or_default();
        let as_of = entries.remove("as_of").and_then(|node| self.parsed(&node, "`as_of`"));
        let args = entries.remove("args").map(|node| self.args(&node)).unwrap_or_default();
        let base = self.base(entries.remove("base"), &args);
        let dockerfile =
            entries.remove("dockerfile").and_then(|node| self.dockerfile(&node, &args));
        let axes = ["axes", "exclude", "include"].map(|key| entries.remove(key));
        let axes = self.grid_axes(axes, &args);
        let tests = entries.remove("tests").map(|node| self.tests(&node)).unwrap_or_default();
        let results = entries.remove("results").map(|node| {
            let help = "a test runs in a copy of the project, and leaves its results there";
            self.globs(&node, "`results`", help)
        });
        let results = results.unwrap_or_default();
        let limits = entries.remove("limits").map(|node| self.limits(&node)).unwrap_or_default();
        let compare = entries.remove("compare").map(|node| self.compare(&node)).unwrap_or_default();
        let baseline = entries.remove("baseline").and_then(|node| self.parsed(&node, "`baseline`"));
        let expect = entries.remove("expect").and_then(|node| self.parsed(&node, "`expect`"));
        let dependency: crate::names::PackageName = dependency?;
        Some(Config {
            name: name.unwrap_or_else(|| dependency.to_string()),
            selection: Selection {
                versions: versions.unwrap_or_default(),
                sdist: sdist.unwrap_or_default(),
                as_of,
                ..Selection::default()
            },
            dependency,
            python_versions,
            dockerfile,
            base,
            args,
            requirements: requirements.unwrap_or_default(),
            constraints,
            axes,
            tests,
            results,
            limits,
            compare,
            baseline,
            expect,
        })
    }

    /// The entries of a mapping; says which keys are unknown or stand there twice.
    fn mapping<'n>(&mut self, at: &At<'n>, what: &str, known: &[&str]) -> Option<Entries<'n>> {
        let Node::Mapping(pairs) = at.node else {
            let help = format!("it holds {}", list(known));
            self.problem_with_help(at, format!("{what} must be keys with values"), help);
            return None;
        };
        let mut entries = Entries::new();
        for (index, (key, node)) in pairs.iter().enumerate() {
            let child = at.child(index, node);
            if !known.contains(&key.as_str()) {
                let help = match nearest(key, known.iter().copied()) {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => format!("the keys here are {}", list(known)),
                };
                self.push(&child, true, format!("unknown key `{}`", shorten(key)), Some(help));
            } else if entries.contains_key(key.as_str()) {
                let message = format!("`{key}` stands here a second time");
                self.push(&child, true, message, Some("keep one of the two".into()));
            } else if *node == Node::Null {
                let message = format!("`{key}` has no value");
                self.push(&child, true, message, Some("give it one, or leave the line out".into()));
            } else {
                entries.insert(key, child);
            }
        }
        Some(entries)
    }

    /// The words of a scalar, whatever YAML takes it for.
    fn text(&mut self, at: &At<'_>, what: &str) -> Option<String> {
        match at.node {
            Node::Scalar { text, .. } if !text.trim().is_empty() => Some(text.clone()),
            Node::Scalar { .. } => {
                self.problem(at, format!("{what} is empty"));
                None
            }
            Node::Tagged => {
                self.problem(at, "YAML tags have no meaning here; leave the `!…` out");
                None
            }
            Node::Null | Node::Sequence(_) | Node::Mapping(_) => {
                self.problem(at, format!("{what} must be one value"));
                None
            }
        }
    }

    fn parsed<T: FromStr<Err: Display>>(&mut self, at: &At<'_>, what: &str) -> Option<T> {
        let text = self.text(at, what)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                // Some errors of the version library draw the text on further lines.
                let error = error.to_string();
                self.problem(at, format!("{what}: {}", error.lines().next().unwrap_or_default()));
                None
            }
        }
    }

    /// The elements of a list.
    fn list<'n>(&mut self, at: &At<'n>, what: &str) -> Vec<At<'n>> {
        let Node::Sequence(nodes) = at.node else {
            self.problem(at, format!("{what} must be a list: `[one, another]`"));
            return Vec::new();
        };
        nodes.iter().enumerate().map(|(index, node)| at.child(index, node)).collect()
    }

    fn versions(&mut self, at: &At<'_>) -> Option<Versions> {
        match at.node {
            Node::Sequence(_) => {}
            Node::Mapping(_) => return self.among(at).map(Versions::Among),
            _ => return self.parsed(at, "`versions`"),
        }
        let nodes = self.list(at, "`versions`");
        if nodes.is_empty() {
            self.problem_with_help(
                at,
                "`versions` is an empty list",
                "leave the line out to take all final releases",
            );
        }
        let versions = nodes.iter().map(|node| self.parsed(node, "a version"));
        versions.collect::<Vec<_>>().into_iter().collect::<Option<_>>().map(Versions::Listed)
    }

    /// A rule as keys and values; as text it is read by [`Versions`].
    fn among(&mut self, at: &At<'_>) -> Option<Among> {
        let before = self.problems.len();
        let mut among = Among::default();
        for (key, node) in self.mapping(at, "`versions`", VERSIONS)? {
            if key == "specifiers" {
                among.specifiers = self.parsed(&node, "`specifiers`").unwrap_or_default();
            } else if let Some(text) = self.text(&node, &format!("`{key}`"))
                && let Err(error) = among.set(key, &text)
            {
                self.problem(&node, error);
            }
        }
        (self.problems.len() == before).then_some(among)
    }

    fn pythons(&mut self, at: &At<'_>) -> Vec<PythonVersion> {
        let mut pythons: Vec<PythonVersion> = Vec::new();
        for node in self.list(at, "`python_versions`") {
            let Some(python) = self.parsed(&node, "a Python") else { continue };
            if pythons.contains(&python) {
                self.problem(&node, format!("Python {python} is in the list twice"));
            }
            pythons.push(python);
        }
        pythons
    }

    fn sdist(&mut self, at: &At<'_>) -> Option<SdistPolicy> {
        self.choice(
            at,
            "`sdist`",
            &[
                ("fallback", SdistPolicy::Fallback),
                ("never", SdistPolicy::Never),
                ("only", SdistPolicy::Only),
            ],
        )
    }

    fn choice<T: Copy>(&mut self, at: &At<'_>, what: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(at, what)?;
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
            return Some(*value);
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        self.problem(at, format!("{what} is {}, not `{}`", list(&names), shorten(&text)));
        None
    }

    fn requirements(&mut self, at: &At<'_>, what: &str) -> Vec<String> {
        let mut requirements = Vec::new();
        for node in self.list(at, what) {
            let Some(text) = self.text(&node, "a requirement") else { continue };
            if self.is_requirement(&node, &text) {
                requirements.push(text);
            }
        }
        requirements
    }

    /// Anything else could pass for an option of the installer, or break a Dockerfile.
    fn is_requirement(&mut self, at: &At<'_>, text: &str) -> bool {
        let first = text.chars().next().unwrap_or(' ');
        let fine = first.is_ascii_alphanumeric() && !text.contains(['\n', '\r', '`', '$', '\\']);
        if !fine {
            self.problem_with_help(
                at,
                format!("`{}` is not a requirement", shorten(text)),
                "name a package and what may be installed of it: `numpy<2`",
            );
        }
        fine
    }

    /// Constraints, and files of the project that hold one on each line: names that end in `.txt`.
    fn constraints(&mut self, at: &At<'_>) -> Vec<String> {
        let mut constraints = Vec::new();
        for node in self.list(at, "`constraints`") {
            let Some(text) = self.text(&node, "a constraint") else { continue };
            let ends_in_txt =
                std::path::Path::new(&text).extension().is_some_and(|end| end == "txt");
            let lines = if ends_in_txt {
                let Some(content) = self.file(&node, &text) else { continue };
                let content = String::from_utf8_lossy(&content).into_owned();
                let lines =
                    content.lines().map(|line| line.split(" #").next().unwrap_or(line).trim());
                let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
                lines.map(str::to_owned).collect()
            } else {
                vec![text]
            };
            for line in lines {
                if self.is_requirement(&node, &line) {
                    constraints.push(line);
                }
            }
        }
        constraints
    }

    fn args(&mut self, at: &At<'_>) -> Args {
        let mut args = Args::default();
        let Node::Mapping(pairs) = at.node else {
            self.problem(at, "`args` must be names with values");
            return args;
        };
        for (index, (name, node)) in pairs.iter().enumerate() {
            let child = at.child(index, node);
            let identifier = name.chars().all(|next| next.is_ascii_alphanumeric() || next == '_')
                && !name.starts_with(|first: char| first.is_ascii_digit());
            if !identifier || name.is_empty() {
                let message =
                    format!("`{}` cannot be the name of a template variable", shorten(name));
                self.push(&child, true, message, Some("use letters, digits and `_`".into()));
            } else if args.names().any(|known| known == name) {
                let message = format!("`{name}` stands here a second time");
                self.push(&child, true, message, Some("keep one of the two".into()));
            } else if let Some(value) = self.value(&child)
                && args.insert(name, value).is_err()
            {
                let message = format!("`{name}` is a template variable of Caliper's own");
                self.push(&child, true, message, Some("choose another name".into()));
            }
        }
        args
    }

    /// Globs of files in the project.
    fn globs(&mut self, at: &At<'_>, what: &str, help: &str) -> Vec<String> {
        let mut globs = Vec::new();
        for node in self.list(at, what) {
            let Some(text) = self.text(&node, "a file") else { continue };
            if text.starts_with('/') || text.split('/').any(|part| part == "..") {
                let message = format!("`{}` leaves the project", shorten(&text));
                self.problem_with_help(&node, message, help);
            } else if let Err(error) = globset::Glob::new(&text) {
                self.problem(&node, format!("`{}`: {}", shorten(&text), error.kind()));
            } else {
                globs.push(text);
            }
        }
        globs
    }

    /// Any node as JSON, for a template.
    fn value(&mut self, at: &At<'_>) -> Option<serde_json::Value> {
        use serde_json::Value;
        Some(match at.node {
            Node::Null => Value::Null,
            Node::Scalar { text, kind: ScalarKind::Boolean } => {
                Value::Bool(text.eq_ignore_ascii_case("true"))
            }
            // The words as they were written: `3.10` must not render as `3.1`.
            Node::Scalar { text, .. } => Value::String(text.clone()),
            Node::Sequence(nodes) => {
                let values: Option<Vec<Value>> = nodes
                    .iter()
                    .enumerate()
                    .map(|(index, node)| self.value(&at.child(index, node)))
                    .collect();
                Value::Array(values?)
            }
            Node::Mapping(pairs) => {
                let mut map = serde_json::Map::new();
                for (index, (name, node)) in pairs.iter().enumerate() {
                    map.insert(name.clone(), self.value(&at.child(index, node))?);
                }
                Value::Object(map)
            }
            Node::Tagged => {
                self.problem(at, "YAML tags have no meaning here; leave the `!…` out");
                return None;
            }
        })
    }

    fn base(&mut self, at: Option<At<'_>>, args: &Args) -> Template {
        let text = at.as_ref().and_then(|node| self.text(node, "`base`"));
        let template = Template::new("base", text.unwrap_or_else(|| Config::BASE.to_owned()));
        if let (Some(at), Err(error)) = (at, template.check(args)) {
            self.problem(&at, error);
        }
        template
    }

    fn dockerfile(&mut self, at: &At<'_>, args: &Args) -> Option<Template> {
        let path = self.text(at, "`dockerfile`")?;
        let content = self.file(at, &path)?;
        let Ok(source) = String::from_utf8(content) else {
            self.problem(at, format!("`{}` is not UTF-8 text", shorten(&path)));
            return None;
        };
        let template = Template::new(path, source);
        if let Err(error) = template.check(args) {
            self.problem(at, error);
        }
        Some(template)
    }

    /// The content of a file of the project.
    fn file(&mut self, at: &At<'_>, path: &str) -> Option<Vec<u8>> {
        if path.starts_with('/') || path.split('/').any(|part| part == "..") {
            self.problem_with_help(
                at,
                format!("`{}` leaves the project", shorten(path)),
                "only files in the folder of the configuration reach a test; move it there",
            );
            return None;
        }
        match (self.read)(path) {
            Ok(content) => Some(content),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.problem_with_help(
                    at,
                    format!("there is no file `{}`", shorten(path)),
                    "paths are relative to the folder of the configuration",
                );
                None
            }
            Err(error) => {
                self.problem(at, format!("could not read `{}`: {error}", shorten(path)));
                None
            }
        }
    }

    fn duration(&mut self, at: &At<'_>) -> Option<Duration> {
        let text = self.text(at, "a time")?;
        units::duration(&text).map_err(|message| self.problem(at, message)).ok()
    }

    fn bytes(&mut self, at: &At<'_>) -> Option<u64> {
        let text = self.text(at, "a size")?;
        units::bytes(&text).map_err(|message| self.problem(at, message)).ok()
    }
}

/// `a`, `b` and `c`, for people.
fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// Enough of a text to recognise it by.
fn shorten(text: &str) -> String {
    if text.chars().count() <= 80 {
        text.to_owned()
    } else {
        text.chars().take(79).chain(['…']).collect()
    }
}
