//! Finds the Pythons of this machine, probes each, and chooses one for each feature release.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use caliper_core::names::PythonVersion;
use caliper_core::question::interpreter::{Implementation, Interpreter};

use super::NAME;
use crate::backend::BackendError;

mod ask;
mod places;

pub(super) use places::Places;

/// The oldest Python that `uv` supports: its probe needs the option `-I` and f-strings.
const OLDEST: PythonVersion = PythonVersion::new(3, 6);

/// The Pythons that were found.
#[derive(Debug, Default)]
pub(super) struct Pythons {
    usable: BTreeMap<PythonVersion, Python>,
    too_old: BTreeMap<PythonVersion, Python>,
    unusable: Vec<String>,
}

/// A Python that can be the base of environments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Python {
    /// Its properties.
    pub(super) interpreter: Interpreter,
    /// The program.
    pub(super) executable: PathBuf,
}

impl Pythons {
    /// Finds the Pythons in `places`. The results of the probes are cached in the file `cache` for a
    /// day.
    pub(super) fn find(places: &Places, cache: &Path) -> Self {
        let mut pythons = Self::default();
        for (path, answer) in ask::all(&places.programs(), cache) {
            let interpreter = match answer.and_then(|answer| {
                // An environment that is made of a script would lead out of itself.
                let executable =
                    if is_script(&path) { answer.executable.clone() } else { path.clone() };
                (!answer.r#virtual)
                    .then(|| {
                        answer.interpreter().map(|interpreter| Python { interpreter, executable })
                    })
                    .transpose()
            }) {
                Ok(Some(python)) => python,
                // A user's virtual environment; its base Python is found separately.
                Ok(None) => continue,
                Err(reason) => {
                    let path = path.display();
                    pythons.unusable.push(format!("`{path}` is not used: {reason}"));
                    continue;
                }
            };
            pythons.add(interpreter);
        }
        pythons
    }

    fn add(&mut self, python: Python) {
        let interpreter = &python.interpreter;
        // What it can install would have to be resolved for it; left out until it is.
        if interpreter.implementation != Implementation::CPython {
            return;
        }
        let feature = interpreter.python;
        let group = if feature < OLDEST { &mut self.too_old } else { &mut self.usable };
        let better = group
            .get(&feature)
            .is_none_or(|present| present.interpreter.version < interpreter.version);
        if better {
            group.insert(feature, python);
        }
    }

    /// The Python of a feature release.
    pub(super) fn of(&self, python: PythonVersion) -> Option<&Python> {
        self.usable.get(&python)
    }

    /// The Pythons in `wanted`, or all.
    pub(super) fn choose(
        &self,
        wanted: &BTreeSet<PythonVersion>,
    ) -> Result<Vec<Interpreter>, BackendError> {
        if let Some(lacking) = wanted.iter().find(|python| !self.usable.contains_key(python)) {
            return Err(self.lacks(*lacking));
        }
        if self.usable.is_empty() {
            return Err(BackendError::Unsupported {
                backend: NAME,
                what: format!("any Python, as none from {OLDEST} on is on this machine"),
                fix: "install one, or pass `--backend docker`".to_owned(),
            });
        }
        let chosen =
            self.usable.iter().filter(|(python, _)| wanted.is_empty() || wanted.contains(python));
        Ok(chosen.map(|(_, python)| python.interpreter.clone()).collect())
    }

    /// The error for a Python that is not among them.
    pub(super) fn lacks(&self, python: PythonVersion) -> BackendError {
        let found: Vec<String> = self.usable.keys().map(ToString::to_string).collect();
        let mut found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
        match self.too_old.get(&python) {
            Some(old) => {
                let path = old.executable.display();
                found.push_str(&format!(
                    " (`{path}` is one, but uv makes no environments for Pythons before {OLDEST})"
                ));
                found.push_str("; pass `--backend docker` to use an image of it");
            }
            None => {
                found.push_str("; install it, or pass `--backend docker` to use an image of it");
            }
        }
        BackendError::NoPython { python, backend: NAME, found }
    }

    /// The Pythons that were found but are not used, with the reason; one sentence each.
    pub(super) fn notes(&self) -> Vec<String> {
        let old = self.too_old.iter().map(|(python, old)| {
            format!(
                "Python {python} (`{}`) is not used: uv makes no environments for Pythons before \
                 {OLDEST}; `--backend docker` can use an image of it",
                old.executable.display()
            )
        });
        old.chain(self.unusable.iter().cloned()).collect()
    }
}

/// Whether a program is a script, such as the shims by which version managers choose a Python.
fn is_script(path: &Path) -> bool {
    let mut start = [0; 2];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == *b"#!"
}

#[cfg(test)]
mod tests {
    use caliper_core::question::interpreter::{Libc, Platform};

    use super::*;

    fn python(version: &str, executable: &str) -> Python {
        let version: pep440_rs::Version = version.parse().unwrap();
        let [major, minor, ..] = version.release() else { unreachable!() };
        let feature = format!("{major}.{minor}").parse().unwrap();
        let libc = Libc::Glibc { major: 2, minor: 36 };
        let platform = Platform::Linux { arch: "x86_64".to_owned(), libc };
        let interpreter = Interpreter { version, ..Interpreter::assumed(feature, platform) };
        Python { interpreter, executable: executable.into() }
    }

    fn pythons(all: &[(&str, &str)]) -> Pythons {
        let mut pythons = Pythons::default();
        for (version, executable) in all {
            pythons.add(python(version, executable));
        }
        pythons
    }

    fn chosen(pythons: &Pythons, wanted: &[&str]) -> Result<String, String> {
        let wanted = wanted.iter().map(|python| python.parse().unwrap()).collect();
        let chosen = pythons.choose(&wanted).map_err(|error| error.to_string())?;
        Ok(chosen.iter().map(|one| one.version.to_string()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn the_newest_of_each_feature_release_is_chosen() {
        let pythons =
            pythons(&[("3.11.2", "/a"), ("3.9.1", "/b"), ("3.11.10", "/c"), ("3.11.10", "/d")]);
        assert_eq!(chosen(&pythons, &[]).unwrap(), "3.9.1 3.11.10");
        assert_eq!(chosen(&pythons, &["3.11"]).unwrap(), "3.11.10");
        // The first of two that are equal, which is the first on PATH.
        assert_eq!(pythons.of("3.11".parse().unwrap()).unwrap().executable, Path::new("/c"));
    }

    #[test]
    fn a_script_stands_for_the_python_that_it_starts() {
        use std::os::unix::fs::PermissionsExt as _;
        let here = Places::of_this_machine();
        let mut of_this_machine = here.programs().into_iter().filter(|path| !is_script(path));
        let Some(real) = of_this_machine.next() else { return };
        let folder = tempfile::tempdir().unwrap();
        let shim = folder.path().join("python3");
        fs::write(&shim, format!("#!/bin/sh\nexec {} \"$@\"\n", real.display())).unwrap();
        fs::set_permissions(&shim, fs::Permissions::from_mode(0o755)).unwrap();
        let places = Places { path: vec![folder.path().to_owned()], ..Places::default() };
        let found = Pythons::find(&places, &folder.path().join("cache.json"));
        let executables: Vec<PathBuf> = found
            .usable
            .values()
            .chain(found.too_old.values())
            .filter_map(|python| fs::canonicalize(&python.executable).ok())
            .collect();
        assert_eq!(executables, [real]);
    }

    #[test]
    fn a_lacking_python_is_named_with_those_that_are_there() {
        let pythons = pythons(&[("3.11.2", "/a"), ("2.7.18", "/usr/bin/python2.7")]);
        insta::assert_snapshot!(chosen(&pythons, &["3.10"]).unwrap_err(), @"there is no Python 3.10 for the `local` backend; it has 3.11; install it, or pass `--backend docker` to use an image of it");
        insta::assert_snapshot!(chosen(&pythons, &["2.7"]).unwrap_err(), @"there is no Python 2.7 for the `local` backend; it has 3.11 (`/usr/bin/python2.7` is one, but uv makes no environments for Pythons before 3.6); pass `--backend docker` to use an image of it");
        insta::assert_snapshot!(chosen(&Pythons::default(), &[]).unwrap_err(), @"the `local` backend cannot give any Python, as none from 3.6 on is on this machine; install one, or pass `--backend docker`");
        insta::assert_snapshot!(pythons.notes().join("\n"), @"Python 2.7 (`/usr/bin/python2.7`) is not used: uv makes no environments for Pythons before 3.6; `--backend docker` can use an image of it");
    }
}
