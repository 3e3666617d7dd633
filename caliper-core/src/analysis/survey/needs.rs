//! What a project requires, from all of its files.

use std::collections::BTreeSet;

use pep440_rs::VersionSpecifiers;
use toml::{Table, Value};

use super::folder::Folder;
use super::list;
use super::{Need, Survey, SurveyError, Testing};
use crate::analysis::suggest::literal::{Literal, values_of};
use crate::analysis::suggest::{ProjectError, ProjectFile, Requirement, Section, entries};
use crate::names::PackageName;

/// What the files declare.
pub(super) struct Found {
    pub(super) name: Option<PackageName>,
    is_installable: bool,
    /// Each with its file.
    pub(super) all: Vec<(String, Requirement)>,
    /// The file whose requirements are those at run time.
    runtime: Option<String>,
    /// The groups that a group includes, each behind the name of the group.
    pub(super) includes: Vec<(String, String)>,
    python: Option<(String, VersionSpecifiers)>,
    remarks: Vec<String>,
    pub(super) pyproject: Table,
    /// Lists of requirements that a configuration can name.
    pub(super) lists: BTreeSet<String>,
    /// Where something stands that is no requirement.
    pub(super) unsound: BTreeSet<String>,
}

/// The files that describe a project, in the order in which they count.
const DESCRIBED: [&str; 3] = ["pyproject.toml", "setup.cfg", "setup.py"];

/// Lists of what is needed at run time, by their names without ending.
const AT_RUN_TIME: [&str; 7] = [
    "requirements",
    "requirements/base",
    "requirements/main",
    "requirements/requirements",
    "requirements/default",
    "requirements/install",
    "requirements/prod",
];

impl Found {
    /// Reads all files; `None` if there is none that declares requirements.
    pub(super) fn of(folder: &Folder) -> Result<Option<Self>, SurveyError> {
        let lists: Vec<&str> = folder.requirements().collect();
        if lists.is_empty() && !DESCRIBED.iter().any(|name| folder.has_file(name)) {
            return Ok(None);
        }
        let mut found = Self {
            name: None,
            is_installable: folder.has_file("setup.py"),
            all: Vec::new(),
            runtime: None,
            includes: Vec::new(),
            python: None,
            remarks: Vec::new(),
            pyproject: Table::new(),
            lists: lists
                .iter()
                .filter(|file| list::is_sound(file, folder))
                .map(|file| (*file).to_owned())
                .collect(),
            unsound: BTreeSet::new(),
        };
        for file in DESCRIBED.into_iter().chain(lists) {
            let Some(text) = folder.text(file)? else { continue };
            found.read(file, text, folder)?;
        }
        found.runtime = found.runtime.take().or_else(|| found.run_time_list());
        Ok(Some(found))
    }

    fn read(&mut self, file: &str, text: &str, folder: &Folder) -> Result<(), SurveyError> {
        let failed = |source| SurveyError::Project { file: file.to_owned(), source };
        let Some(kind) = ProjectFile::named(file) else { return Ok(()) };
        let read = kind.requirements(text).map_err(failed)?;
        // What is declared as computed, or as text in another file, may be a file that can be read.
        let mut elsewhere = read.elsewhere;
        match kind {
            ProjectFile::Pyproject => {
                self.pyproject = toml::from_str(text).unwrap_or_default();
                self.is_installable |= self.pyproject_is_installable();
                for named in self.dynamic_files() {
                    let known = folder.text(&named)?.is_some();
                    self.runtime = self.runtime.take().or_else(|| known.then_some(named));
                }
            }
            ProjectFile::SetupCfg => {
                let entries = entries(text);
                let value = |place: &str| {
                    let entry = entries.iter().find(|entry| entry.place == place)?;
                    entry.lines.first().map(|line| (*line).to_owned())
                };
                self.is_installable |= value("metadata.name").is_some();
                let name = value("metadata.name").and_then(|name| name.parse().ok());
                self.name = self.name.take().or(name);
                if let Some(named) = value("options.install_requires")
                    .and_then(|text| Some(text.strip_prefix("file:")?.trim().to_owned()))
                    && folder.text(&named)?.is_some()
                {
                    self.runtime = self.runtime.take().or(Some(named));
                    elsewhere = None;
                }
            }
            ProjectFile::SetupPy => {
                let mut names = values_of(text, "name").into_iter().flatten();
                let name = names.find_map(|value| match value {
                    Literal::Text(text) => text.parse().ok(),
                    Literal::List { .. } | Literal::Table(_) => None,
                });
                self.name = self.name.take().or(name);
            }
            ProjectFile::Requirements => elsewhere = None,
        }
        let is_run_time = |one: &Requirement| {
            matches!(
                one.section,
                Section::Dependencies | Section::Poetry | Section::SetupCfg | Section::SetupPy
            )
        };
        if self.runtime.is_none() && read.found.iter().any(is_run_time) {
            self.runtime = Some(file.to_owned());
        }
        let unreadable = read.unreadable.iter().chain(elsewhere.as_ref());
        self.remarks.extend(unreadable.map(|error| remark(file, error)));
        let places = read.unreadable.iter().filter_map(|error| match error {
            ProjectError::Requirement { place, .. } => Some(place.clone()),
            _ => None,
        });
        self.unsound.extend(places);
        self.includes.extend(read.includes);
        match kind.requires_python(text) {
            Ok(Some((place, specifiers))) if self.python.is_none() => {
                self.python = Some((place.to_owned(), specifiers));
            }
            Ok(_) => {}
            Err(error) => self.remarks.push(remark(file, &error)),
        }
        self.all.extend(read.found.into_iter().map(|one| (file.to_owned(), one)));
        Ok(())
    }

    /// Whether `pyproject.toml` describes a package. Without a build system, `uv` takes a project for one that is
    /// not to be installed.
    fn pyproject_is_installable(&mut self) -> bool {
        let poetry = self.tool("poetry");
        let name = self.pyproject.get("project").or(poetry).and_then(|of| of.get("name"));
        let name = name.and_then(Value::as_str).and_then(|name| name.parse().ok());
        let no_package =
            poetry.and_then(|poetry| poetry.get("package-mode")?.as_bool()) == Some(false);
        let is_built = self.pyproject.contains_key("build-system");
        let is_one = is_built && name.is_some() && !no_package;
        self.name = self.name.take().or(name);
        is_one
    }

    /// A table under `tool` of `pyproject.toml`.
    pub(super) fn tool(&self, name: &str) -> Option<&Value> {
        self.pyproject.get("tool")?.get(name)
    }

    /// The files that setuptools takes the dependencies from
    /// (<https://setuptools.pypa.io/en/latest/userguide/pyproject_config.html#dynamic-metadata>).
    fn dynamic_files(&self) -> Vec<String> {
        let dynamic = self.tool("setuptools").and_then(|of| of.get("dynamic")?.get("dependencies"));
        match dynamic.and_then(|of| of.get("file")) {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(all)) => {
                all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The list of requirements that is for running, where no other file says what that is.
    fn run_time_list(&self) -> Option<String> {
        let with_any: BTreeSet<&str> = self
            .all
            .iter()
            .filter(|(_, one)| one.section == Section::Requirements)
            .map(|(file, _)| file.as_str())
            .collect();
        let usual =
            AT_RUN_TIME.iter().flat_map(|stem| [format!("{stem}.in"), format!("{stem}.txt")]);
        let usual = usual.into_iter().find(|file| with_any.contains(file.as_str()));
        usual.or_else(|| with_any.first().map(|file| (*file).to_owned()))
    }

    /// What is concluded.
    pub(super) fn survey(mut self, folder: &Folder, testing: Testing) -> Survey {
        let (mut needs, mut further): (Vec<Need>, Vec<Need>) = (Vec::new(), Vec::new());
        for (file, one) in &self.all {
            let is_run_time = match one.section {
                Section::Dependencies | Section::Poetry | Section::SetupCfg | Section::SetupPy => {
                    !one.optional
                }
                Section::Requirements => self.runtime.as_deref() == Some(file),
                _ => false,
            };
            if let Err(error) = &one.declared {
                if is_run_time {
                    self.remarks.push(remark(file, error));
                }
                // There are no releases of an address to choose from.
                if matches!(error, ProjectError::Address { .. }) {
                    continue;
                }
            }
            if self.name.as_ref() == Some(&one.name) {
                continue;
            }
            let list = if is_run_time { &mut needs } else { &mut further };
            let need = Need {
                name: one.name.clone(),
                text: one.text.clone(),
                // `init` writes no requirement that a configuration refuses, such as one with a malformed marker.
                specifier: one
                    .declared
                    .as_ref()
                    .ok()
                    .filter(|_| list::is_requirement(&one.text))
                    .map(|declared| declared.specifier.clone()),
                has_marker: one.text.contains(';'),
                place: match one.section {
                    Section::Requirements => file.clone(),
                    _ => format!("{} of {file}", one.section),
                },
            };
            match list.iter_mut().find(|known| known.name == need.name) {
                // Declared once for each Python, and for all: what is needed everywhere counts.
                Some(known) if known.has_marker && !need.has_marker => *known = need,
                Some(_) => {}
                None => list.push(need),
            }
        }
        needs.sort_by_key(|need| need.has_marker);
        further.retain(|need| needs.iter().all(|known| known.name != need.name));
        let mut seen = BTreeSet::new();
        self.remarks.retain(|remark| seen.insert(remark.clone()));
        Survey {
            name: self.name,
            is_installable: self.is_installable,
            has_src: folder.has_folder("src"),
            list: self.runtime.filter(|file| self.lists.contains(file)),
            needs,
            further,
            python: self.python,
            testing,
            remarks: self.remarks,
        }
    }
}

/// Why something counts less than it stands there, for one who chooses what to measure.
fn remark(file: &str, error: &ProjectError) -> String {
    match error {
        ProjectError::Address { name, .. } => {
            format!(
                "`{name}` in `{file}` is an address and has no releases to choose from; it is left out"
            )
        }
        ProjectError::Poetry { name, text, .. } => {
            format!("`{text}` of `{name}` in `{file}` is Poetry's own notation; it is left out")
        }
        ProjectError::Dynamic { field } => {
            format!("`{file}` says that `{field}` is computed during the build")
        }
        ProjectError::Elsewhere { place, text } => {
            format!("`{place}` of `{file}` is not all written out there: {text}")
        }
        ProjectError::Specifier { name, source, .. } => {
            format!("the releases of `{name}` in `{file}` are left out: {source}")
        }
        other => format!("`{file}`: {other}"),
    }
}
