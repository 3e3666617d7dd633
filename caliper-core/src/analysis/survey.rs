//! What a folder tells of the project in it: what it needs, on which Pythons, and how it is tested.
//!
//! A [`Folder`] holds the names of files and the texts of some; a [`Survey`] is what follows from them. Nothing is run:
//! what a `setup.py` or a `noxfile.py` computes is not known, and [`Survey::remarks`] say so.

mod commands;
mod folder;
mod list;
mod needs;
mod pytest;
mod testing;

use pep440_rs::VersionSpecifiers;

use super::suggest::ProjectError;
use crate::names::{PackageName, PythonVersion};
pub use folder::Folder;

/// A project, as its folder describes it.
#[derive(Debug)]
pub struct Survey {
    /// Its name, if it has one.
    pub name: Option<PackageName>,
    /// Whether an installer can build a wheel of it.
    pub is_installable: bool,
    /// Whether its modules are in the folder `src`.
    pub has_src: bool,
    /// The list of requirements that says what it needs, if one does and a configuration can name it.
    pub list: Option<String>,
    /// What it needs at run time. Those that are needed everywhere come first.
    pub needs: Vec<Need>,
    /// What only its extras, groups and lists of test requirements need.
    pub further: Vec<Need>,
    /// Which Pythons it supports, and where it says so.
    pub python: Option<(String, VersionSpecifiers)>,
    /// How it is tested.
    pub testing: Testing,
    /// What could not be read and why, a sentence each.
    pub remarks: Vec<String>,
}

/// A package that a project needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Its name.
    pub name: PackageName,
    /// What an installer is to be told.
    pub text: String,
    /// Which releases; `None` if that cannot be compared with releases.
    pub specifier: Option<VersionSpecifiers>,
    /// Whether it is needed only under a condition.
    pub has_marker: bool,
    /// Where it is declared.
    pub place: String,
}

/// How a project is tested.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Testing {
    /// By what.
    pub runner: Runner,
    /// Which files and folders; empty for all that the runner finds.
    pub paths: Vec<String>,
    /// How this is known.
    pub place: String,
    /// The extras of the project that the tests need.
    pub extras: Vec<String>,
    /// The groups of the project ([PEP 735](https://peps.python.org/pep-0735/)) that the tests need.
    pub groups: Vec<String>,
    /// Lists of what the tests need besides: files of the project.
    pub lists: Vec<String>,
    /// What the tests need besides, for an installer.
    pub requirements: Vec<String>,
}

/// What runs tests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Runner {
    /// pytest
    Pytest,
    /// unittest of the standard library
    Unittest,
    /// A program of the project, with its arguments.
    Program(Vec<String>),
    /// There are no tests.
    #[default]
    None,
}

/// Why a folder cannot be surveyed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SurveyError {
    /// A file is not what its name says.
    #[error("could not read `{file}`")]
    Project {
        /// Which file.
        file: String,
        /// What is wrong.
        source: ProjectError,
    },
    /// A file is not text.
    #[error("`{file}` is not UTF-8 text: save it as UTF-8")]
    NotText {
        /// Which file.
        file: String,
    },
}

/// Why nothing of a project can be measured, or not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChoiceError {
    /// It needs nothing.
    #[error(
        "no dependency of the project is known, so there is nothing to measure; `--dependency NAME` names a package{}",
        told_further(.further)
    )]
    NoDependency {
        /// What its extras, groups and tests need.
        further: Vec<String>,
    },
    /// It does not declare the package.
    #[error(
        "the project does not declare `{name}`, but {}; `dependency` in the configuration may name any package",
        listed(.declared)
    )]
    Undeclared {
        /// The package.
        name: String,
        /// Those that it declares.
        declared: Vec<String>,
    },
}

fn told_further(names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    format!(", such as one that its extras and tests need: {}", listed(names))
}

/// The first few of many names.
fn listed(names: &[String]) -> String {
    const LISTED: usize = 20;
    let shown = names[..names.len().min(LISTED)].join(", ");
    match names.len().saturating_sub(LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

impl Survey {
    /// What a folder tells. `None` if no project is in it: none of the files that declare requirements.
    ///
    /// # Errors
    ///
    /// [`SurveyError`] if a file is not text, or not what its name says.
    pub fn of(folder: &Folder) -> Result<Option<Self>, SurveyError> {
        let Some(found) = needs::Found::of(folder)? else { return Ok(None) };
        let testing = Testing::of(folder, &found)?;
        Ok(Some(found.survey(folder, testing)))
    }

    /// The dependency that is called `name`, or else the first. Where no dependency is known, `name` may be any package.
    ///
    /// # Errors
    ///
    /// [`ChoiceError`] if the project does not declare it, or declares none.
    pub fn choose(&self, name: Option<&PackageName>) -> Result<Need, ChoiceError> {
        let names = |needs: &[Need]| needs.iter().map(|need| need.name.to_string()).collect();
        let Some(name) = name else {
            let none = || ChoiceError::NoDependency { further: names(&self.further) };
            return self.needs.first().cloned().ok_or_else(none);
        };
        let mut all = self.needs.iter().chain(&self.further);
        match all.find(|need| need.name == *name) {
            Some(need) => Ok(need.clone()),
            None if self.needs.is_empty() => Ok(Need {
                name: name.clone(),
                text: name.to_string(),
                specifier: None,
                has_marker: false,
                place: "the command line".to_owned(),
            }),
            None => Err(ChoiceError::Undeclared {
                name: name.to_string(),
                declared: names(&self.needs),
            }),
        }
    }

    /// Those of the Pythons at hand that the project supports; all if it does not say.
    pub fn pythons(&self, at_hand: &[PythonVersion]) -> Vec<PythonVersion> {
        let supports = |python: &&PythonVersion| {
            let Some((_, specifiers)) = &self.python else { return true };
            // `>=3.9.2` supports 3.9, and so does `<3.9.5`.
            [0, 99].into_iter().any(|patch| {
                let numbers = [python.major().into(), python.minor().into(), patch];
                specifiers.contains(&pep440_rs::Version::new(numbers))
            })
        };
        let at_hand = at_hand.iter().filter(|python| !python.is_free_threaded());
        at_hand.filter(supports).copied().collect()
    }
}

#[cfg(test)]
mod tests;
