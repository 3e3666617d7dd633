use std::collections::BTreeSet;

use super::commands::{self, Session};
use super::folder::Folder;
use super::list;
use super::needs::Found;
use super::pytest;
use super::{Runner, SurveyError, Testing};
use crate::analysis::suggest::{ProjectError, Section};
use crate::names::PackageName;

/// The names of extras and groups for tests, which are taken whatever is in them.
const FOR_TESTS: [&str; 3] = ["test", "tests", "testing"];

/// Those for all that developers need, which are taken if nothing else has the runner.
const FOR_DEVELOPERS: [&str; 5] = ["dev", "develop", "development", "devel", "all"];

impl Testing {
    /// How the project in a folder is tested. What tox or nox runs counts before what is there.
    pub(super) fn of(folder: &Folder, found: &Found) -> Result<Self, SurveyError> {
        let session = match commands::of_tox(folder, found)? {
            Some(session) => Some(session),
            None => commands::of_nox(folder)?,
        };
        let mut testing = match session {
            Some(session) => Self::of_session(session, folder, found)?,
            None => Self::default(),
        };
        if testing.runner == Runner::None {
            (testing.runner, testing.place) = runner_of_files(folder, found)?;
        }
        if testing.paths.is_empty() {
            testing.paths = match testing.runner {
                Runner::Pytest => pytest::paths(folder, found)?,
                Runner::Unittest => folder.of_tests(),
                Runner::Program(_) | Runner::None => Vec::new(),
            };
        }
        if testing.runner == Runner::Pytest {
            testing.find_pytest(folder, found)?;
        }
        Ok(testing)
    }

    /// What a session of tox or nox runs and installs.
    fn of_session(session: Session, folder: &Folder, found: &Found) -> Result<Self, SurveyError> {
        let Session { runner, paths, place, extras, groups, requirements } = session;
        let is_there = |path: &String| folder.has(path.trim_end_matches('/'));
        let paths = paths.into_iter().filter(is_there).collect();
        let mut testing = Self { runner, paths, place, ..Self::default() };
        let places = Place::all(found);
        let named =
            extras.into_iter().map(Place::Extra).chain(groups.into_iter().map(Place::Group));
        for place in named.filter(|place| places.contains(place)) {
            testing.take(&place, folder, found)?;
        }
        for requirement in requirements {
            match requirement.strip_prefix("-r") {
                Some(file) => testing.take(&Place::List(file.trim().to_owned()), folder, found)?,
                None if list::is_requirement(&requirement) => {
                    testing.requirements.push(requirement);
                }
                None => {}
            }
        }
        Ok(testing)
    }

    /// Finds where pytest comes from, unless that is known.
    fn find_pytest(&mut self, folder: &Folder, found: &Found) -> Result<(), SurveyError> {
        let extras = self.extras.iter().cloned().map(Place::Extra);
        let groups = self.groups.iter().cloned().map(Place::Group);
        let lists = self.lists.iter().cloned().map(Place::List);
        let has_it = extras.chain(groups).chain(lists).any(|place| place.has_pytest(found));
        if has_it || is_listed(&self.requirements) {
            return Ok(());
        }
        let places = Place::all(found);
        let is_for_tests = |place: &&Place| FOR_TESTS.contains(&&*place.name());
        let for_tests: Vec<&Place> = places.iter().filter(is_for_tests).collect();
        for place in &for_tests {
            self.take(place, folder, found)?;
        }
        if for_tests.iter().any(|place| place.has_pytest(found)) {
            return Ok(());
        }
        // One is enough: what else developers need would only be in the way.
        let with_pytest = || places.iter().filter(|place| place.has_pytest(found));
        let about_tests = with_pytest().find(|place| place.name().contains("test"));
        let for_developers =
            || with_pytest().find(|place| FOR_DEVELOPERS.contains(&&*place.name()));
        match about_tests.or_else(for_developers) {
            Some(place) => self.take(place, folder, found)?,
            None => self.requirements.push("pytest".to_owned()),
        }
        Ok(())
    }

    fn take(&mut self, place: &Place, folder: &Folder, found: &Found) -> Result<(), SurveyError> {
        let add = |list: &mut Vec<String>, name: &String| {
            if !list.contains(name) {
                list.push(name.clone());
            }
        };
        match place {
            Place::Extra(extra) => add(&mut self.extras, extra),
            Place::Group(group) => add(&mut self.groups, group),
            Place::List(file) if found.lists.contains(file) => add(&mut self.lists, file),
            Place::PoetryGroup(_) | Place::List(_) => {
                for text in place.texts(found) {
                    add(&mut self.requirements, &text);
                }
            }
        }
        // A list that cannot be named as it is may install the project itself.
        if let Place::List(file) = place
            && let Some(text) = folder.text(file)?
        {
            for extra in list::extras(text).into_iter().map(Place::Extra) {
                if Place::all(found).contains(&extra) {
                    self.take(&extra, folder, found)?;
                }
            }
        }
        Ok(())
    }
}

/// Where a project says what its tests need.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Extra(String),
    Group(String),
    PoetryGroup(String),
    List(String),
}

impl Place {
    fn all(found: &Found) -> BTreeSet<Self> {
        let place = |(file, one): &(String, crate::analysis::suggest::Requirement)| {
            Some(match &one.section {
                Section::Optional(name)
                | Section::SetupCfgExtra(name)
                | Section::SetupPyExtra(name) => Self::Extra(name.clone()),
                Section::Group(name) => Self::Group(name.clone()),
                Section::PoetryGroup(name) => Self::PoetryGroup(name.clone()),
                Section::Requirements => Self::List(file.clone()),
                _ => return None,
            })
        };
        let includes = found.includes.iter().map(|(group, _)| Self::Group(group.clone()));
        let all = found.all.iter().filter_map(place).chain(includes);
        all.filter(|place| place.is_sound(found)).collect()
    }

    /// Whether a configuration can name it: an extra or group has a name, and a group holds what it should.
    fn is_sound(&self, found: &Found) -> bool {
        match self {
            Self::Extra(name) => name.parse::<PackageName>().is_ok(),
            Self::Group(name) => is_sound_group(name, found, 0),
            Self::PoetryGroup(_) | Self::List(_) => true,
        }
    }

    /// What it is for: `dev` of `requirements-dev.txt` and `requirements/dev.in`.
    fn name(&self) -> String {
        match self {
            Self::Extra(name) | Self::Group(name) | Self::PoetryGroup(name) => name.to_lowercase(),
            Self::List(file) => {
                let stem = file.rsplit_once('.').map_or(&**file, |(stem, _)| stem).to_lowercase();
                stem.replace("requirements", "").trim_matches(['-', '_', '/', '.']).to_owned()
            }
        }
    }

    /// The requirements in it, as they are written. Those that an installer is not to be told are left out.
    fn texts(&self, found: &Found) -> Vec<String> {
        let own = found.all.iter().filter(|(file, one)| match (self, &one.section) {
            (
                Self::Extra(name),
                Section::Optional(of) | Section::SetupCfgExtra(of) | Section::SetupPyExtra(of),
            )
            | (Self::Group(name), Section::Group(of))
            | (Self::PoetryGroup(name), Section::PoetryGroup(of)) => name == of,
            (Self::List(name), Section::Requirements) => name == file,
            _ => false,
        });
        let own = own.filter(|(_, one)| found.name.as_ref() != Some(&one.name));
        own.map(|(_, one)| one.text.clone()).filter(|text| list::is_requirement(text)).collect()
    }

    fn has_pytest(&self, found: &Found) -> bool {
        let mut seen = BTreeSet::new();
        let mut next = vec![self.clone()];
        while let Some(place) = next.pop() {
            if is_listed(&place.texts(found)) {
                return true;
            }
            if let Self::Group(group) = &place {
                let included = found.includes.iter().filter(|(of, _)| of == group);
                next.extend(
                    included
                        .map(|(_, name)| Self::Group(name.clone()))
                        .filter(|one| !seen.contains(one)),
                );
            }
            seen.insert(place);
        }
        false
    }
}

/// Whether all of a group is a requirement, and each group that it includes is there and does not include it.
fn is_sound_group(name: &str, found: &Found, depth: usize) -> bool {
    let section = Section::Group(name.to_owned());
    let own = found.all.iter().filter(|(_, one)| one.section == section);
    let is_usable = |one: &crate::analysis::suggest::Requirement| {
        matches!(one.declared, Ok(_) | Err(ProjectError::Address { .. }))
    };
    let included = || found.includes.iter().filter(|(of, _)| of == name);
    let is_there =
        found.all.iter().any(|(_, one)| one.section == section) || included().next().is_some();
    is_there
        && depth <= found.includes.len()
        && depth <= DEEPEST
        && name.parse::<PackageName>().is_ok()
        && !found.unsound.contains(&section.to_string())
        && own.map(|(_, one)| one).all(is_usable)
        && included().all(|(_, other)| is_sound_group(other, found, depth + 1))
}

/// How many groups may include each other behind each other.
const DEEPEST: usize = 8;

/// Whether pytest is among requirements.
fn is_listed(requirements: &[String]) -> bool {
    requirements.iter().any(|text| {
        let (name, _) = PackageName::split(text.trim());
        name.parse::<PackageName>().is_ok_and(|name| name.normalized() == "pytest")
    })
}

/// What runs the tests, by what is there, and how that is known.
fn runner_of_files(folder: &Folder, found: &Found) -> Result<(Runner, String), SurveyError> {
    // A source distribution may lack the tests that it has settings for.
    let has_tests = folder.tests().next().is_some() || !pytest::paths(folder, found)?.is_empty();
    if has_tests && let Some(place) = pytest::configured(folder, found)? {
        return Ok((Runner::Pytest, place));
    }
    let is_declared = Place::all(found).iter().any(|place| place.has_pytest(found));
    let tests: Vec<(&str, _)> = folder.tests().collect();
    let Some((first, _)) = tests.first() else { return Ok((Runner::None, String::new())) };
    let mentions = |what: &str| tests.iter().any(|(_, text)| text.contains(what));
    if !is_declared && !mentions("pytest") && mentions("unittest") {
        return Ok((Runner::Unittest, format!("`{first}` and others use unittest")));
    }
    Ok((Runner::Pytest, format!("there are tests such as `{first}`")))
}
