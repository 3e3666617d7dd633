//! What a project declares of its dependencies in `pyproject.toml`.

use std::fmt;

use pep440_rs::VersionSpecifiers;
use toml::{Table, Value};

use super::declared::{ParseSpecifierError, parsed};
use crate::names::{PackageName, excerpt};

/// A place where a project declares that it needs a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// Where.
    pub section: Section,
    /// Which releases; empty for any.
    pub specifier: VersionSpecifiers,
    /// The extras that it asks for.
    pub extras: Vec<String>,
    /// The [environment marker](https://packaging.python.org/en/latest/specifications/dependency-specifiers/#environment-markers)
    /// under which it does, as it is written.
    pub marker: Option<String>,
}

/// A part of a `pyproject.toml`, or of another file that declares requirements.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// `[project] dependencies`
    Dependencies,
    /// `[project.optional-dependencies]`, and the name of the extra.
    Optional(String),
    /// `[dependency-groups]` ([PEP 735](https://peps.python.org/pep-0735/)), and the name of the group.
    Group(String),
    /// `[tool.poetry.dependencies]`
    Poetry,
    /// `[tool.poetry.group.NAME.dependencies]`, and the name of the group.
    PoetryGroup(String),
    /// `[options] install_requires` of `setup.cfg`
    SetupCfg,
    /// `[options.extras_require]` of `setup.cfg`, and the name of the extra.
    SetupCfgExtra(String),
    /// `install_requires` in `setup.py`
    SetupPy,
    /// `extras_require` in `setup.py`, and the name of the extra.
    SetupPyExtra(String),
    /// A requirements file of pip.
    Requirements,
}

impl fmt::Display for Section {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dependencies => formatter.write_str("project.dependencies"),
            Self::Optional(extra) => {
                write!(formatter, "project.optional-dependencies.{}", excerpt(extra, 80))
            }
            Self::Group(group) => write!(formatter, "dependency-groups.{}", excerpt(group, 80)),
            Self::Poetry => formatter.write_str("tool.poetry.dependencies"),
            Self::SetupCfg => formatter.write_str("options.install_requires"),
            Self::SetupCfgExtra(extra) => {
                write!(formatter, "options.extras_require.{}", excerpt(extra, 80))
            }
            Self::PoetryGroup(group) => {
                write!(formatter, "tool.poetry.group.{}.dependencies", excerpt(group, 80))
            }
            Self::SetupPy => formatter.write_str("install_requires"),
            Self::SetupPyExtra(extra) => write!(formatter, "extras_require.{}", excerpt(extra, 80)),
            Self::Requirements => formatter.write_str("requirements"),
        }
    }
}

/// A requirement of a project, as one of its files states it.
#[derive(Debug)]
pub struct Requirement {
    /// Where.
    pub section: Section,
    /// Which package.
    pub name: PackageName,
    /// What an installer is to be told; only the name where Poetry's notation cannot be translated.
    pub text: String,
    /// Whether it is needed only by an extra, as Poetry says of what stands among the others.
    pub optional: bool,
    /// Which releases it allows, or why that cannot be compared with releases.
    pub declared: Result<Declaration, ProjectError>,
}

/// All that a file of a project requires.
#[derive(Debug, Default)]
pub struct Requirements {
    /// The requirements, in the order of the file.
    pub found: Vec<Requirement>,
    /// What stands among them and is none.
    pub unreadable: Vec<ProjectError>,
    /// The groups that a group includes, each behind the name of the group.
    pub includes: Vec<(String, String)>,
    /// Why there may be more than what stands here.
    pub elsewhere: Option<ProjectError>,
}

impl Requirements {
    /// What is declared about `package`. Empty if nothing.
    ///
    /// # Errors
    ///
    /// [`ProjectError`] if something among the requirements is none, if a declaration of `package` cannot be compared
    /// with releases, or if nothing is declared here and the file says that more stands elsewhere.
    pub fn of(self, package: &PackageName) -> Result<Vec<Declaration>, ProjectError> {
        if let Some(error) = self.unreadable.into_iter().next() {
            return Err(error);
        }
        // What only Poetry reads, and only for those who work on the project, binds nobody else.
        let binds = |one: &Requirement| {
            one.name == *package && !matches!(one.section, Section::PoetryGroup(_))
        };
        let found = self.found.into_iter().filter(binds);
        let found: Vec<Declaration> = found.map(|one| one.declared).collect::<Result<_, _>>()?;
        match self.elsewhere {
            Some(error) if found.is_empty() => Err(error),
            _ => Ok(found),
        }
    }

    /// Adds what a text requires.
    pub(super) fn add(&mut self, text: &str, section: &Section) {
        match split_name(text, &section.to_string()) {
            Ok((name, rest)) => self.found.push(Requirement {
                declared: requirement(&name, rest, text, section),
                section: section.clone(),
                text: text.trim().to_owned(),
                optional: false,
                name,
            }),
            Err(error) => self.unreadable.push(error),
        }
    }
}

/// Why the declarations of a `pyproject.toml` cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectError {
    /// It is not TOML.
    #[error("line {line} of `pyproject.toml` is not TOML: {detail}")]
    Syntax {
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        detail: String,
    },
    /// Something is of another type than the specification says.
    #[error("`{place}` of `pyproject.toml` is not {expected}")]
    Shape {
        /// Where.
        place: String,
        /// What should stand there.
        expected: &'static str,
    },
    /// A requirement cannot be read.
    #[error(
        "`{text}` in `{place}` is not a requirement: write a name and a specifier, such as `demo>=1.0,<2`"
    )]
    Requirement {
        /// Where.
        place: String,
        /// What stands there.
        text: String,
    },
    /// A specifier cannot be read.
    #[error("`{name}` in `{place}` cannot be compared with releases")]
    Specifier {
        /// Where.
        place: String,
        /// Of which package.
        name: String,
        /// What is wrong.
        source: ParseSpecifierError,
    },
    /// A specifier is in Poetry's notation.
    #[error(
        "`{text}` of `{name}` in `{place}` is Poetry's own notation: write what it means as a PEP 440 \
         specifier, such as `>=1.2,<2` for `^1.2`"
    )]
    Poetry {
        /// Where.
        place: String,
        /// Of which package.
        name: String,
        /// What stands there.
        text: String,
    },
    /// A requirement names a file or a repository.
    #[error(
        "`{name}` in `{place}` names an address and no releases, so there is nothing to hold it against"
    )]
    Address {
        /// Where.
        place: String,
        /// Of which package.
        name: String,
    },
    /// The declaration is computed during the build.
    #[error(
        "`project.dynamic` of `pyproject.toml` says that `{field}` is computed: name the specifier itself (`'>=1.2,<2'`)"
    )]
    Dynamic {
        /// The computed field.
        field: &'static str,
    },
    /// The declaration stands in another file.
    #[error(
        "`{place}` is taken from elsewhere (`{text}`): name that file, or the specifier itself \
         (`'>=1.2,<2'`)"
    )]
    Elsewhere {
        /// Where.
        place: String,
        /// What stands there.
        text: String,
    },
}

/// Finds what `pyproject` declares about `package`: in `[project] dependencies`, in
/// `[project.optional-dependencies]`, in `[dependency-groups]`, and in `[tool.poetry.dependencies]`. Empty
/// if nothing.
///
/// # Errors
///
/// [`ProjectError`] if the text is not TOML, if a list holds an invalid requirement, or if the
/// declaration of `package` cannot be compared with releases. Invalid specifiers of other packages are
/// ignored.
pub fn declarations(
    pyproject: &str,
    package: &PackageName,
) -> Result<Vec<Declaration>, ProjectError> {
    requirements(pyproject)?.of(package)
}

/// Finds all requirements in `pyproject`.
///
/// # Errors
///
/// [`ProjectError`] if the text is not TOML, or something is of another type than the specification says.
pub(super) fn requirements(pyproject: &str) -> Result<Requirements, ProjectError> {
    let root = read(pyproject)?;
    let mut all = Requirements::default();
    let project = table(&root, "project", "project")?;
    if let Some(project) = project {
        if let Some(list) = project.get("dependencies") {
            of_list(list, &Section::Dependencies, &mut all)?;
        }
        let place = "project.optional-dependencies";
        for (extra, list) in table(project, "optional-dependencies", place)?.into_iter().flatten() {
            of_list(list, &Section::Optional(extra.clone()), &mut all)?;
        }
    }
    let place = "dependency-groups";
    for (group, list) in table(&root, "dependency-groups", place)?.into_iter().flatten() {
        let Value::Array(list) = list else { return Err(shape(place, "a table of lists")) };
        // A table among the texts includes another group, which is read by itself.
        let (tables, texts): (Vec<_>, Vec<_>) = list.iter().cloned().partition(Value::is_table);
        let included = tables.iter().filter_map(|table| table.get("include-group")?.as_str());
        all.includes.extend(included.map(|name| (group.clone(), name.to_owned())));
        of_list(&Value::Array(texts), &Section::Group(group.clone()), &mut all)?;
    }
    let poetry = poetry(&root)?;
    let place = "tool.poetry.dependencies";
    let needed = poetry.map(|poetry| table(poetry, "dependencies", place)).transpose()?.flatten();
    of_poetry_table(needed, &Section::Poetry, &mut all);
    // Before there were groups, Poetry had one that had no name.
    let develop = poetry.and_then(|poetry| poetry.get("dev-dependencies")?.as_table());
    of_poetry_table(develop, &Section::PoetryGroup("dev".to_owned()), &mut all);
    let groups = poetry.and_then(|poetry| poetry.get("group")?.as_table());
    for (group, entry) in groups.into_iter().flatten() {
        let needed = entry.get("dependencies").and_then(Value::as_table);
        of_poetry_table(needed, &Section::PoetryGroup(group.clone()), &mut all);
    }
    if is_dynamic(project, "dependencies") {
        all.elsewhere = Some(ProjectError::Dynamic { field: "dependencies" });
    }
    Ok(all)
}

fn of_poetry_table(needed: Option<&Table>, section: &Section, all: &mut Requirements) {
    for (name, value) in needed.into_iter().flatten().filter(|(name, _)| *name != "python") {
        let Ok(package) = name.parse::<PackageName>() else {
            let (place, text) = (section.to_string(), excerpt(name, 80));
            all.unreadable.push(ProjectError::Requirement { place, text });
            continue;
        };
        let declared = of_poetry(name, value, section);
        let text = declared.as_ref().map_or_else(|_| name.clone(), |one| one.with_name(name));
        let optional = value.get("optional").and_then(Value::as_bool).unwrap_or_default();
        let section = section.clone();
        all.found.push(Requirement { section, name: package, text, optional, declared });
    }
}

impl Declaration {
    /// As a dependency specifier.
    fn with_name(&self, name: &str) -> String {
        let extras = match self.extras.as_slice() {
            [] => String::new(),
            extras => format!("[{}]", extras.join(",")),
        };
        let marker = self.marker.as_ref().map(|marker| format!("; {marker}"));
        format!("{name}{extras}{}{}", self.specifier, marker.unwrap_or_default())
    }
}

/// Finds which Pythons `pyproject` declares to support: `[project] requires-python`, or else
/// `python` in `[tool.poetry.dependencies]`.
///
/// # Errors
///
/// As for [`declarations`].
pub fn requires_python(pyproject: &str) -> Result<Option<VersionSpecifiers>, ProjectError> {
    let root = read(pyproject)?;
    let project = table(&root, "project", "project")?;
    let place = "project.requires-python";
    match project.and_then(|project| project.get("requires-python")) {
        Some(Value::String(text)) => return specifiers(text, place, "python").map(Some),
        Some(_) => return Err(shape(place, "a text")),
        None => {}
    }
    let of_poetry_itself = |poetry: &Table| poetry.get("dependencies")?.get("python").cloned();
    if let Some(value) = poetry(&root)?.and_then(of_poetry_itself) {
        let declaration = of_poetry("python", &value, &Section::Poetry);
        return declaration.map(|declaration| Some(declaration.specifier));
    }
    if is_dynamic(project, "requires-python") {
        return Err(ProjectError::Dynamic { field: "requires-python" });
    }
    Ok(None)
}

fn read(pyproject: &str) -> Result<Table, ProjectError> {
    toml::from_str(pyproject).map_err(|error: toml::de::Error| {
        let start = error.span().map_or(0, |span| span.start);
        let before = pyproject.get(..start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        ProjectError::Syntax { line, detail: excerpt(error.message(), 80) }
    })
}

fn shape(place: &str, expected: &'static str) -> ProjectError {
    ProjectError::Shape { place: place.to_owned(), expected }
}

fn table<'a>(within: &'a Table, key: &str, place: &str) -> Result<Option<&'a Table>, ProjectError> {
    match within.get(key) {
        Some(Value::Table(table)) => Ok(Some(table)),
        Some(_) => Err(shape(place, "a table")),
        None => Ok(None),
    }
}

fn poetry(root: &Table) -> Result<Option<&Table>, ProjectError> {
    let Some(tool) = table(root, "tool", "tool")? else { return Ok(None) };
    table(tool, "poetry", "tool.poetry")
}

/// Whether `[project] dynamic` names a field.
fn is_dynamic(project: Option<&Table>, field: &str) -> bool {
    let dynamic = project.and_then(|project| project.get("dynamic")?.as_array());
    dynamic.is_some_and(|fields| fields.iter().any(|name| name.as_str() == Some(field)))
}

fn of_list(list: &Value, section: &Section, all: &mut Requirements) -> Result<(), ProjectError> {
    let place = section.to_string();
    let Value::Array(list) = list else { return Err(shape(&place, "a list")) };
    for text in list {
        let Value::String(text) = text else { return Err(shape(&place, "a list of texts")) };
        all.add(text, section);
    }
    Ok(())
}

/// Splits a [dependency specifier](https://packaging.python.org/en/latest/specifications/dependency-specifiers/)
/// behind its name.
fn split_name<'a>(text: &'a str, place: &str) -> Result<(PackageName, &'a str), ProjectError> {
    let text = text.trim();
    let (name, rest) = PackageName::split(text);
    let name = name.parse();
    let name = name.map_err(|_| ProjectError::Requirement {
        place: place.to_owned(),
        text: excerpt(text, 80),
    })?;
    Ok((name, rest.trim_start()))
}

/// Reads what stands behind the name: `[extras] specifier ; marker`.
fn requirement(
    name: &PackageName,
    rest: &str,
    text: &str,
    section: &Section,
) -> Result<Declaration, ProjectError> {
    let place = section.to_string();
    let unreadable = || ProjectError::Requirement { place: place.clone(), text: excerpt(text, 80) };
    let (extras, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or_else(unreadable)?,
        None => ("", rest),
    };
    let rest = rest.trim_start();
    if rest.starts_with('@') {
        return Err(ProjectError::Address { place, name: name.to_string() });
    }
    let (specifier, marker) = match rest.split_once(';') {
        Some((specifier, marker)) => (specifier.trim(), Some(marker.trim().to_owned())),
        None => (rest.trim(), None),
    };
    // Metadata once had it in parentheses.
    let specifier = match specifier.strip_prefix('(') {
        Some(inner) => inner.strip_suffix(')').ok_or_else(unreadable)?,
        None => specifier,
    };
    let extras = extras.split(',').map(str::trim).filter(|extra| !extra.is_empty());
    Ok(Declaration {
        section: section.clone(),
        specifier: specifiers(specifier, &place, &name.to_string())?,
        extras: extras.map(str::to_owned).collect(),
        marker,
    })
}

pub(super) fn specifiers(
    text: &str,
    place: &str,
    name: &str,
) -> Result<VersionSpecifiers, ProjectError> {
    parsed(text).map_err(|source| ProjectError::Specifier {
        place: place.to_owned(),
        name: name.to_owned(),
        source,
    })
}

/// Reads an entry of `[tool.poetry.dependencies]`: a text, or a table with a `version`
/// (<https://python-poetry.org/docs/dependency-specification/>).
fn of_poetry(name: &str, value: &Value, section: &Section) -> Result<Declaration, ProjectError> {
    let place = section.to_string();
    let (text, details) = match value {
        Value::String(text) => (text, None),
        Value::Table(details) => match details.get("version") {
            Some(Value::String(text)) => (text, Some(details)),
            Some(_) => return Err(shape(&format!("{place}.{name}.version"), "a text")),
            None => return Err(ProjectError::Address { place, name: name.to_owned() }),
        },
        _ => return Err(shape(&format!("{place}.{}", excerpt(name, 80)), "a text or a table")),
    };
    let own = |clause: &str| {
        let clause = clause.trim_start();
        clause.starts_with('^') || clause.starts_with('~') && !clause.starts_with("~=")
    };
    if text.contains('|') || text.split(',').any(own) {
        return Err(ProjectError::Poetry { place, name: name.to_owned(), text: excerpt(text, 80) });
    }
    let text = match text.trim() {
        "*" => String::new(),
        // A bare version is that version.
        bare if bare.starts_with(|first: char| first.is_ascii_digit()) => format!("=={bare}"),
        other => other.to_owned(),
    };
    let field = |key: &str| details.and_then(|details| details.get(key));
    let extras = field("extras").and_then(Value::as_array);
    let extras = extras.into_iter().flatten().filter_map(Value::as_str);
    Ok(Declaration {
        section: section.clone(),
        specifier: specifiers(&text, &place, name)?,
        extras: extras.map(str::to_owned).collect(),
        marker: field("markers").and_then(Value::as_str).map(str::to_owned),
    })
}
