//! Blaming for two lock files: the packages of one are mixed with those of the other, around the project of the current
//! folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use caliper_container::backend::ContainerBackend as _;
use caliper_container::project::Project;
use caliper_container::runner::{RunContext, during};
use caliper_container::study::PinnedCell;
use caliper_core::analysis::blame::Pin;
use caliper_core::facts::event::Phase;
use caliper_core::names::{PackageName, PythonVersion, Sha256};
use caliper_core::question::criteria::Criteria;
use caliper_core::question::interpreter::Interpreter;
use caliper_core::question::lockfile::{LockFile, Pinned};
use caliper_core::question::plan::{Pins, PlannedCell, Setup};

use super::{Around, Sides, order, releases_between};
use crate::args::BlameArgs;
use crate::cache_lock::CacheLock;
use crate::exit::{Failure, Outcome};
use crate::own;
use crate::progress;
use crate::setting::{self, OWN};
use crate::sources::{self, Index};
use crate::subject::{self, Subject};

/// No lock file is larger.
const LARGEST: u64 = 64 << 20;

/// The axis of what is installed, beside that of the constraints.
const AXIS: &str = "lock";

pub(super) fn run(from: &Path, to: &Path, around: &Around<'_>) -> Outcome {
    let Around { how, terminal, .. } = *around;
    let files = [read(from)?, read(to)?];
    let folder = std::env::current_dir()
        .map_err(|error| Failure::infrastructure("could not find the current folder", error))?;
    let cache = setting::cache(&folder.join(setting::FILE));
    let _in_use = CacheLock::open(&folder, &cache)?;
    let index = Index::open(&how.index, &cache, terminal)?;
    let reporter = progress::reporter(how.progress, terminal);
    let backend = sources::local(&index, &cache, None);
    let setup = subject::setup(&how.command, how.timeout, how.repeats);
    backend.check(&setup)?;
    let wanted: BTreeSet<_> = how.python.or_else(|| usual_python(&folder)).into_iter().collect();
    let found = during(&*reporter, Phase::Pythons, || backend.interpreters(&wanted, &setup))?;
    let interpreter = python(found, [(from, &files[0]), (to, &files[1])])?;
    let [first, second] = [(from, &files[0]), (to, &files[1])]
        .map(|(path, file)| file.pins(&interpreter).map_err(|error| told(path, &error)));
    let (first, second) = (first?, second?);
    let project = Project::read_without(&folder, None, &own::outputs(&folder))?;
    let subject = Subject::of(&project, &cache)?;
    let mut sides = sides(from, to, [first, second], &subject, &setup.tests[0].name);
    refuse(&sides, how, &interpreter)?;
    sides.hold(&how.except)?;
    let downloader = index.downloader(&cache);
    if sides.requires.is_empty() {
        sides.requires = during(&*reporter, Phase::Index, || {
            order::requires(&sides.differing(), None, &interpreter, &index, &downloader)
        });
    }
    let kind = if subject.is_package {
        "with the package of this folder"
    } else {
        "around the files of this folder"
    };
    terminal.note(&format!("Python {}, {kind}", interpreter.version));

    let store = Around::store(&folder.join(OWN))?;
    let context = RunContext {
        backend: &backend,
        project: &project,
        files: &subject,
        store: &store,
        reporter: &*reporter,
        interrupt: around.interrupt,
    };
    let plan = subject.plan("blame", setup.clone(), interpreter.clone());
    let in_one = sides.in_one();
    let options = around.options();
    let pinned = PinnedCell::new(&plan, context, options);
    let measure = |mixture: &Pins, repeats| {
        let cell = cell(&plan.cells[0], &setup, mixture);
        // What is required all the same comes in the version that is known.
        let mut pins = mixture.clone();
        for (name, version) in &in_one {
            pins.entry(name.clone()).or_insert_with(|| version.clone());
        }
        pinned.measure(&cell, &pins, repeats)
    };
    let releases = |pin: &Pin| releases_between(pin, &interpreter, None, &index);
    around.answer(&sides, &store, &Criteria::default(), &measure, &releases)
}

/// Reads a lock file.
fn read(path: &Path) -> Result<LockFile, Failure> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text));
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            return Err(told(path, &"it is not UTF-8 text"));
        }
        Err(error) => return Err(told(path, &error)),
        Ok(length) if length as u64 > LARGEST => {
            return Err(told(path, &"it is too large for a lock file"));
        }
        Ok(_) => {}
    }
    LockFile::read(&text).map_err(|error| told(path, &error))
}

fn told(path: &Path, problem: &dyn std::fmt::Display) -> Failure {
    Failure::question(format!("`{}`: {problem}", path.display()))
}

/// The Python of the project: that of its environment, or else the one that pyenv and uv take there.
fn usual_python(folder: &Path) -> Option<PythonVersion> {
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let feature = |version: &str| {
        let mut parts = version.trim().split('.');
        let (major, minor) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(PythonVersion::new(major, minor))
    };
    // `version` is of the standard library, `version_info` of uv and virtualenv.
    let of_environment = text(".venv/pyvenv.cfg").and_then(|text| {
        text.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            matches!(key.trim(), "version" | "version_info").then(|| feature(value)).flatten()
        })
    });
    of_environment.or_else(|| feature(text(".python-version")?.lines().next()?))
}

/// The newest Python that both locks allow.
fn python(found: Vec<Interpreter>, files: [(&Path, &LockFile); 2]) -> Result<Interpreter, Failure> {
    let names: Vec<String> = found.iter().map(|one| one.version.to_string()).collect();
    let mut fit = found.into_iter().filter(|one| files.iter().all(|(_, file)| file.allows(one)));
    let newest =
        std::iter::from_fn(|| fit.next()).max_by(|one, other| one.version.cmp(&other.version));
    newest.ok_or_else(|| {
        let wanted = files.iter().filter_map(|(path, file)| {
            Some(format!("`{}` is for {}", path.display(), file.requires_python()?))
        });
        let wanted: Vec<String> = wanted.collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Failure::question(format!(
            "no Python of this machine fits both locks: there is {names}, and {}",
            if wanted.is_empty() { "one is needed".to_owned() } else { wanted.join(", ") }
        ))
    })
}

/// What both locks say, apart from the project itself.
fn sides<'a>(
    from: &Path,
    to: &Path,
    pinned: [Pinned; 2],
    subject: &Subject,
    test: &'a str,
) -> Sides<'a> {
    let mut left_out: Vec<_> = pinned.iter().flat_map(|one| one.left_out.iter().cloned()).collect();
    left_out.sort();
    left_out.dedup();
    let mut requires: BTreeMap<PackageName, BTreeSet<PackageName>> = BTreeMap::new();
    let mut locks = pinned.map(|one| {
        for (name, required) in one.requires {
            requires.entry(name).or_default().extend(required);
        }
        one.pins
    });
    requires.retain(|_, required| !required.is_empty());
    for lock in &mut locks {
        // It is installed from the folder.
        lock.remove(&subject.name);
    }
    let names = [from, to].map(|path| path.display().to_string());
    Sides { names, locks, requires, left_out, test }
}

fn refuse(sides: &Sides<'_>, how: &BlameArgs, interpreter: &Interpreter) -> Result<(), Failure> {
    let [first, second] = &sides.names;
    if sides.differing().is_empty() {
        return Err(Failure::question(format!(
            "{first} and {second} have the same packages on Python {}, so no package is guilty",
            interpreter.version
        )));
    }
    let pytest = "pytest".parse().ok();
    let has_pytest = |lock: &Pins| pytest.as_ref().is_some_and(|name| lock.contains_key(name));
    if how.command.is_empty() && !sides.locks.iter().any(has_pytest) {
        return Err(Failure::question(
            "neither lock has pytest, which is the default; write the command that tests the project, such as \
             `-- python -m unittest`",
        ));
    }
    Ok(())
}

/// The cell with all packages of a mixture.
fn cell(plain: &PlannedCell, setup: &Setup, mixture: &Pins) -> PlannedCell {
    let requirements: Vec<String> =
        mixture.iter().map(|(name, version)| format!("{name}=={version}")).collect();
    let mut cell = plain.clone();
    let digest = Sha256::of(requirements.join("\n").as_bytes()).hex();
    cell.id.variant.insert(AXIS, &digest[..12]);
    cell.setup = Some(Arc::new(Setup { requirements, ..setup.clone() }));
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_python_of_a_project_is_that_of_its_environment() {
        let folder = tempfile::tempdir().unwrap();
        let usual = || usual_python(folder.path()).map(|python| python.to_string());
        assert_eq!(usual(), None);
        std::fs::write(folder.path().join(".python-version"), "3.10.13\n3.9\n").unwrap();
        assert_eq!(usual().as_deref(), Some("3.10"));
        std::fs::create_dir(folder.path().join(".venv")).unwrap();
        let text = "home = /usr/bin\nimplementation = CPython\nversion_info = 3.11.7\n";
        std::fs::write(folder.path().join(".venv/pyvenv.cfg"), text).unwrap();
        assert_eq!(usual().as_deref(), Some("3.11"));
        std::fs::write(folder.path().join(".venv/pyvenv.cfg"), "nothing").unwrap();
        assert_eq!(usual().as_deref(), Some("3.10"));
    }
}
