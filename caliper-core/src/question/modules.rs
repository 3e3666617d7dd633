//! What to import in order to see that an installed distribution works.

mod tree;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::names::{ModuleName, PackageName};
use tree::Tree;

/// What the import test imports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Imports {
    /// The distribution installs no module: a program, data, or types for a type checker.
    #[default]
    Nothing,
    /// Each of these must be importable.
    All(Vec<ModuleName>),
    /// It is not known which of these the project is, so one that can be imported is enough.
    Any(Vec<ModuleName>),
}

/// Which modules the import test is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportChoice {
    /// What the dependency is, see [`imports`].
    #[default]
    OfTheDependency,
    /// These.
    Modules(Vec<ModuleName>),
    /// There is no import test.
    Off,
}

/// What an installed distribution says of itself, and its files.
#[derive(Clone, Copy)]
pub struct Distribution<'a> {
    /// The name of the project.
    pub project: &'a PackageName,
    /// The text of `METADATA`.
    pub metadata: &'a str,
    /// The text of `top_level.txt`; empty if there is none.
    pub top_level: &'a str,
    /// The text of `namespace_packages.txt`; empty if there is none.
    pub namespaces: &'a str,
    /// Its files as [`RECORD`](https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file)
    /// lists them, with `/` between components.
    pub paths: &'a [String],
    /// Whether the package with this `__init__.py`, one of `paths`, is shared with other distributions.
    pub is_namespace: &'a dyn Fn(&str) -> bool,
}

/// Chooses what to import of a distribution. The first of these that gives anything decides:
///
/// 1. the names that its metadata declares (`Import-Name`, [PEP 794](https://peps.python.org/pep-0794/)),
///    but for private ones;
/// 2. the module that carries the name of the project, such as `google.cloud.storage` of
///    `google-cloud-storage`;
/// 3. every module that is neither private nor a bystander such as `tests`, of which one must work;
/// 4. every private module, of which one must work.
///
/// Importing a namespace would prove nothing, so that what is inside of it counts as the module:
/// [PEP 420](https://peps.python.org/pep-0420/), `pkgutil` and `pkg_resources` alike.
pub fn imports(distribution: &Distribution<'_>) -> Imports {
    let Distribution { project, metadata, top_level, namespaces, paths, .. } = *distribution;
    if let Some(declared) = declared(metadata) {
        return if declared.is_empty() { Imports::Nothing } else { Imports::All(declared) };
    }
    let mut shared: BTreeSet<&str> = lines(namespaces).collect();
    shared.extend(headers(metadata, "Import-Namespace").map(name_of));
    let tree = Tree::of(paths.iter().map(String::as_str));
    let is_shared =
        |module: &str, init: &str| shared.contains(module) || (distribution.is_namespace)(init);
    let modules = tree.modules(&is_shared);
    let modules: Vec<ModuleName> = modules.iter().filter_map(|name| name.parse().ok()).collect();
    if let Some(own) = carrying(project, &modules, &tree) {
        return Imports::All(vec![own]);
    }
    let listed: BTreeSet<&str> = lines(top_level).collect();
    let of = |accept: &dyn Fn(&ModuleName) -> bool| -> Vec<ModuleName> {
        modules.iter().filter(|name| accept(name)).cloned().collect()
    };
    let public = |name: &ModuleName| !is_private(name) && !is_bystander(name);
    let is_listed = |name: &ModuleName| listed.contains(parts(name).next().unwrap_or_default());
    let choices = [
        of(&|name| public(name) && is_listed(name)),
        of(&public),
        of(&|name| is_private(name) && !is_bystander(name)),
    ];
    let chosen = choices.into_iter().find(|choice| !choice.is_empty()).unwrap_or_default();
    match chosen.len() {
        0 => Imports::Nothing,
        1 => Imports::All(chosen),
        _ => Imports::Any(chosen),
    }
}

/// The public names that the metadata declares; `None` if it declares none. An empty list says that the
/// project has no module.
fn declared(metadata: &str) -> Option<Vec<ModuleName>> {
    let private = |value: &str| value.split(';').skip(1).any(|word| word.trim() == "private");
    let mut says_nothing = true;
    let mut public = Vec::new();
    for value in headers(metadata, "Import-Name") {
        says_nothing = false;
        if !private(value) {
            public.extend(name_of(value).parse());
        }
    }
    (!says_nothing).then_some(public)
}

fn name_of(value: &str) -> &str {
    value.split(';').next().unwrap_or_default().trim()
}

/// The values of a header of the metadata, whose headers end with the first empty line.
fn headers<'a>(metadata: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = metadata.lines().take_while(|line| !line.trim().is_empty());
    lines.filter_map(move |line| {
        let (key, value) = line.split_once(':')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

/// The module that carries the name of the project: as a whole, else without regard to separators, else
/// as a part of a package, else in its last component.
fn carrying(project: &PackageName, modules: &[ModuleName], tree: &Tree<'_>) -> Option<ModuleName> {
    let normalized = |text: &str| text.to_lowercase().replace(['.', '_'], "-");
    let squeezed = |text: &str| normalized(text).replace('-', "");
    let name = project.normalized();
    let last = |module: &ModuleName| parts(module).next_back().map(normalized);
    let find =
        |accept: &dyn Fn(&ModuleName) -> bool| modules.iter().find(|one| accept(one)).cloned();
    find(&|module| normalized(module.as_str()) == name)
        .or_else(|| find(&|module| squeezed(module.as_str()) == squeezed(name)))
        .or_else(|| {
            let mut all = tree.all().into_iter();
            all.find(|module| normalized(module) == name)?.parse().ok()
        })
        .or_else(|| find(&|module| last(module).as_deref() == Some(name)))
}

fn parts(name: &ModuleName) -> std::str::Split<'_, char> {
    name.as_str().split('.')
}

fn is_private(name: &ModuleName) -> bool {
    parts(name).any(|part| part.starts_with('_'))
}

/// Whether a module is for those who develop the project.
fn is_bystander(name: &ModuleName) -> bool {
    const BYSTANDERS: &[&str] = &[
        "test",
        "tests",
        "testing",
        "testsuite",
        "unittests",
        "conftest",
        "noxfile",
        "setup",
        "doc",
        "docs",
        "conf",
        "example",
        "examples",
        "demo",
        "demos",
        "sample",
        "samples",
        "tutorial",
        "tutorials",
        "benchmark",
        "benchmarks",
        "script",
        "scripts",
        "tool",
        "tools",
        "bin",
        "build",
        "dist",
        "ci",
        "versioneer",
    ];
    parts(name).any(|part| {
        let part = part.to_lowercase();
        BYSTANDERS.contains(&part.as_str())
            || part.starts_with("test_")
            || part.ends_with("_test")
            || part.ends_with("_tests")
    })
}

#[cfg(test)]
mod tests;
