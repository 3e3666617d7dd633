//! From a tree to a [`Config`], collecting every problem on the way.

mod axes_key;
mod compare_key;
mod expect_key;
mod files;
mod groups_key;
mod limits_key;
mod overlay_key;
mod project_key;
mod requirements_files_key;
mod requirements_key;
mod template_key;
mod tests_key;
mod values;
mod versions_key;

#[cfg(test)]
pub(super) use axes_key::BUNDLE;
#[cfg(test)]
pub(super) use compare_key::COMPARE;
#[cfg(test)]
pub(super) use expect_key::{EXPECT, EXPECTED_VALUE};
#[cfg(test)]
pub(super) use groups_key::GROUP;
#[cfg(test)]
pub(super) use limits_key::LIMITS;
#[cfg(test)]
pub(super) use overlay_key::OVERLAY;
#[cfg(test)]
pub(super) use project_key::PROJECT;
#[cfg(test)]
pub(super) use tests_key::TEST;
#[cfg(test)]
pub(super) use versions_key::VERSIONS;

use std::collections::BTreeMap;
use std::fmt::Display;

use super::problem::Problem;
use super::yaml::{self, Node, Path, ScalarKind};
use super::{Config, ConfigError, ListProjectFolder, ReadProjectFile};
use crate::question::selection::Selection;
use requirements_files_key::FromFiles;
use values::{list, shorten};

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
    "project",
    "requirements",
    "requirements_files",
    "constraints",
    "build_constraints",
    "overlay",
    "as_of",
    "unknown_upload_time",
    "axes",
    "groups",
    "exclude",
    "include",
    "import",
    "tests",
    "results",
    "export",
    "limits",
    "compare",
    "baseline",
    "expect",
];

/// Larger files are not configurations.
const MOST_BYTES: usize = 1 << 20;

pub(super) fn config(
    name: &str,
    text: &str,
    read: ReadProjectFile<'_>,
    list: ListProjectFolder<'_>,
) -> Result<Config, ConfigError> {
    if text.len() > MOST_BYTES {
        return Err(ConfigError::syntax(name, "", "it is larger than 1 MiB", None));
    }
    let tree = yaml::parse(text)
        .map_err(|(message, place)| ConfigError::syntax(name, text, &message, place))?;
    let mut reader = Reader { read, list, problems: Vec::new() };
    match reader.root(&tree) {
        Some(config) if reader.problems.is_empty() => Ok(config),
        _ => Err(ConfigError::new(name, text, reader.problems)),
    }
}

struct Reader<'a> {
    read: ReadProjectFile<'a>,
    list: ListProjectFolder<'a>,
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

    #[expect(clippy::too_many_lines, reason = "a line or two for each key")]
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
            self.dependency(&node)
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
        let unknown_upload_time = entries.remove("unknown_upload_time");
        let unknown_upload_time =
            unknown_upload_time.and_then(|node| self.unknown_upload_time(&node));
        let requirements =
            entries.remove("requirements").map(|node| self.requirements(&node, "`requirements`"));
        let mut files = FromFiles::default();
        let project = entries.remove("project");
        let project = project
            .and_then(|node| self.project(&node, dependency.as_ref(), &mut files.requirements));
        if let Some(node) = entries.remove("requirements_files") {
            self.requirements_files(&node, &mut files);
        }
        let constraints = entries.remove("constraints");
        let constraints =
            constraints.map(|node| self.constraints(&node, &mut files)).unwrap_or_default();
        let build_constraints = entries.remove("build_constraints");
        let build_constraints = build_constraints.map(|node| {
            let help = "leave the hashes out: the environment of a build is gone when it could be looked at";
            self.constraints_without_hashes(&node, "`build_constraints`", help)
        });
        let build_constraints = build_constraints.unwrap_or_default();
        let overlays =
            entries.remove("overlay").map(|node| self.overlays(&node)).unwrap_or_default();
        // One date is that of the whole analysis, and all else is an axis.
        let as_of = entries.remove("as_of");
        let is_date = as_of.as_ref().is_some_and(|at| match at.node {
            Node::Scalar { text, .. } => !matches!(text.as_str(), "release" | "today"),
            _ => false,
        });
        let (as_of, clocks) = if is_date { (as_of, None) } else { (None, as_of) };
        let as_of = as_of.and_then(|node| self.parsed(&node, "`as_of`"));
        let args = entries.remove("args").map(|node| self.args(&node)).unwrap_or_default();
        let base = self.base(entries.remove("base"), &args);
        let dockerfile = entries.remove("dockerfile").and_then(|node| {
            let template = self.dockerfile(&node, &args)?;
            if project.is_some() && !template.source.contains("project_wheel") {
                let message = format!("`{}` does not install the project", shorten(&template.name));
                let help = "copy `{{ project_wheel }}` and install it with the pip of the image, or leave `project` out";
                self.problem_with_help(&node, message, help);
            }
            Some(template)
        });
        let groups = entries.remove("groups");
        let [axes, exclude, include] =
            ["axes", "exclude", "include"].map(|key| entries.remove(key));
        let axes = self.grid_axes([clocks, axes, groups, exclude, include], &args);
        let compare = entries.remove("compare").map(|node| self.compare(&node));
        let mut compare = compare.unwrap_or_default();
        let tests = entries.remove("tests").map(|node| {
            let tests = self.tests(&node, &mut compare);
            self.seeds_are_there(&node, &tests, &axes);
            tests
        });
        let tests = tests.unwrap_or_default();
        let import = entries.remove("import");
        let import = import.map(|node| self.import(&node, &tests)).unwrap_or_default();
        let results = entries.remove("results");
        let results = results.map(|node| self.results(&node, &mut compare)).unwrap_or_default();
        let (mut tests, mut results) = (tests, results);
        if let Some(node) = entries.remove("export") {
            self.export(&node, &mut tests, &mut results, &mut compare);
        }
        let limits = entries.remove("limits").map(|node| self.limits(&node)).unwrap_or_default();
        let baseline = entries.remove("baseline").and_then(|node| self.parsed(&node, "`baseline`"));
        let expect = entries.remove("expect").map(|node| self.expect(&node, &tests, &axes));
        let (expect, expected) = expect.unwrap_or_default();
        let dependency: crate::names::PackageName = dependency?;
        Some(Config {
            name: name.unwrap_or_else(|| dependency.to_string()),
            selection: Selection {
                versions: versions.unwrap_or_default(),
                sdist: sdist.unwrap_or_default(),
                as_of,
                unknown_upload_time: unknown_upload_time.unwrap_or_default(),
                ..Selection::default()
            },
            dependency,
            python_versions,
            dockerfile,
            base,
            args,
            requirements: requirements.unwrap_or_default(),
            constraints,
            build_constraints,
            project,
            declared: files.requirements,
            declared_constraints: files.constraints,
            allowed_files: files.allowed,
            overlays,
            import,
            axes,
            tests,
            results,
            limits,
            compare,
            baseline,
            expect,
            expected,
        })
    }
}
