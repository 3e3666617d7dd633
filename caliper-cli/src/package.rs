//! The project's own package: built once, and written anew for what is measured.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use caliper_container::backend::BackendError;
use caliper_container::cache;
use caliper_container::interrupt::Interrupt;
use caliper_container::local::{BuiltWheel, WheelNotBuilt, WheelOrder};
use caliper_container::project::Project;
use caliper_core::names::{PackageName, PythonVersion, Sha256, Sha256Stream};
use caliper_core::question::config::Config;
use caliper_core::question::grid::{DistFile, FileKind};
use caliper_core::question::interpreter::Interpreter;
use caliper_core::question::project::{ProjectChoice, ProjectPackage, ProjectWheel};
use caliper_core::question::requirement::Declared;
use caliper_pypi::download::Downloader;
use caliper_pypi::lift::lift;
use caliper_pypi::metadata::{Metadata, read_metadata, record_paths};
use caliper_pypi::wheel::WheelName;
use pep440_rs::{Version, VersionSpecifiers};
use tempfile::TempDir;

use crate::exit::{Exit, Failure};
use crate::sources::{self, Index};
use crate::terminal::{Terminal, printable};

/// How many builds stay in a cache, that of the project as it is now among them.
const KEPT: usize = 32;

/// How much of the log of a build is shown.
const LINES: usize = 20;

/// Where things are that a build needs.
#[derive(Clone, Copy)]
pub(crate) struct Around<'a> {
    pub(crate) config: &'a Config,
    /// The files of the project.
    pub(crate) project: &'a Project,
    pub(crate) index: &'a Index,
    pub(crate) cache: &'a Path,
    /// The folder of the results, for the log of a build that fails.
    pub(crate) results: &'a Path,
    pub(crate) interrupt: &'a Interrupt,
    pub(crate) terminal: Terminal,
}

/// The project's own package, as its wheels say.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: PackageName,
    pub(crate) version: Version,
    /// Each `Requires-Dist`, as written.
    pub(crate) requires_dist: Vec<String>,
    /// The extras, as the package spells them.
    extras: Vec<String>,
    groups: Vec<String>,
    wheels: Vec<(Option<PythonVersion>, PathBuf)>,
}

impl Package {
    /// Builds the package, or takes up what was built of the same sources: once for all of `pythons`, or for each if it
    /// is not pure. Of `pythons` those are left that it declares to support; if they were `chosen`, another one is an
    /// error.
    pub(crate) fn build(
        choice: &ProjectChoice,
        around: Around<'_>,
        pythons: &mut Vec<Interpreter>,
        chosen: bool,
    ) -> Result<Self, Failure> {
        let builds = Builds::of(choice, around)?;
        let first = builds.first_python(pythons)?;
        let wheel = builds.wheel(first)?;
        let (name, version, metadata) = described(&wheel)?;
        if name == around.config.dependency {
            return Err(Failure::question(format!(
                "`project` installs {name} itself, whose releases are measured; leave `project` out"
            )));
        }
        only_supported(&name, &metadata, pythons, chosen, around.terminal)?;
        let wheels = if fits_all(&wheel) {
            vec![(None, wheel)]
        } else {
            let mut wheels = Vec::new();
            for python in pythons.iter().map(|one| one.python) {
                // Another machine's Pythons: the backend refuses what is not pure.
                let with = if builds.has(python) { python } else { first };
                wheels.push((Some(python), builds.wheel(with)?));
            }
            // What is recorded of other Pythons stands as long as their wheels would be the same.
            for (python, wheel) in builds.built() {
                if !wheels.iter().any(|(known, _)| *known == Some(python)) {
                    wheels.push((Some(python), wheel));
                }
            }
            wheels
        };
        let (extras, groups) = (spelled(choice, &metadata)?, choice.groups.clone());
        let requires_dist = metadata.requires_dist;
        Ok(Self { name, version, requires_dist, extras, groups, wheels })
    }

    /// The package where the releases of `measured` are measured, and the ranges of these that it declares, which do
    /// not hold then. Its wheels are among the downloaded files, so that whatever takes files finds them.
    pub(crate) fn without_ranges(
        &self,
        measured: &[PackageName],
        cache: &Path,
        files: &Downloader,
    ) -> Result<(ProjectPackage, Vec<Declared>), Failure> {
        let place = TempDir::with_prefix_in("lift-", cache).map_err(|error| {
            let action = format!("could not make a folder in `{}`", cache.display());
            Failure::infrastructure(action, error)
        })?;
        let (mut wheels, mut lifted) = (Vec::new(), Vec::new());
        for (python, path) in &self.wheels {
            let new = lift(path, measured, place.path()).map_err(not_read)?;
            let filename = new.name.to_string();
            let file = DistFile {
                url: format!("file:///{filename}"),
                filename,
                sha256: Some(new.sha256),
                size: Some(new.size),
                kind: FileKind::Wheel,
                upload_time: None,
                requires_python: new.metadata.requires_python,
                yanked: false,
            };
            files.take_in(&new.path, &file).map_err(|error| {
                Failure::infrastructure("could not keep the project's wheel", error)
            })?;
            for requirement in new.lifted {
                let source = format!("{} {}", self.name, self.version);
                let one = Declared { requirement, source };
                if !lifted.contains(&one) {
                    lifted.push(one);
                }
            }
            wheels.push(ProjectWheel { python: *python, content: new.content, file });
        }
        let (extras, groups) = (self.extras.clone(), self.groups.clone());
        let (name, version) = (self.name.clone(), self.version.clone());
        Ok((ProjectPackage { name, version, wheels, extras, groups }, lifted))
    }

    /// Whether its wheels have a file of the module `name`, which would be installed over that of another package.
    pub(crate) fn has_module(&self, name: &str) -> bool {
        let files = [format!("{name}/__init__.py"), format!("{name}.py")];
        let has = |path: &Path| {
            record_paths(path).is_ok_and(|paths| paths.iter().any(|path| files.contains(path)))
        };
        self.wheels.iter().any(|(_, path)| has(path))
    }
}

/// What was built in a cache of one state of a project.
struct Builds<'a> {
    around: Around<'a>,
    choice: &'a ProjectChoice,
    backend: caliper_container::local::LocalBackend,
    pythons: Vec<Interpreter>,
    /// The folder of the state, in which each Python has one.
    folder: PathBuf,
}

impl<'a> Builds<'a> {
    fn of(choice: &'a ProjectChoice, around: Around<'a>) -> Result<Self, Failure> {
        let backend = sources::builder(around.index, around.cache);
        let pythons = sources::found(&backend);
        if pythons.is_empty() {
            return Err(Failure::question(
                "the project's wheel is built on this machine, which has no Python; install one, or leave `project` out",
            ));
        }
        let all = around.cache.join(cache::PROJECT);
        fs::create_dir_all(&all).map_err(not_kept(&all))?;
        let folder = all.join(&Self::key(choice, around).hex()[..32]);
        Ok(Self { around, choice, backend, pythons, folder })
    }

    /// What decides what a build gives, as far as it is the user's: the sources, their history, from which versions are
    /// taken, and what binds the tools. Newer tools alone are no reason to build again.
    fn key(choice: &ProjectChoice, around: Around<'_>) -> Sha256 {
        let mut digest = Sha256Stream::default();
        digest.field(b"project 1");
        digest.field(around.project.digest().hex().as_bytes());
        digest.field(
            around.project.history().map(|digest| digest.hex()).unwrap_or_default().as_bytes(),
        );
        digest.field(choice.path.as_bytes());
        for constraint in &around.config.build_constraints {
            digest.field(constraint.as_bytes());
        }
        digest.finish()
    }

    fn has(&self, python: PythonVersion) -> bool {
        self.pythons.iter().any(|one| one.python == python)
    }

    /// The Python that it is built with first: the newest that is asked for and that it says to support.
    fn first_python(&self, wanted: &[Interpreter]) -> Result<PythonVersion, Failure> {
        let path = self.around.project.root().join(&self.choice.path).join("pyproject.toml");
        let text = fs::read_to_string(path).unwrap_or_default();
        // What cannot be read here, the build reads.
        let declared = caliper_core::analysis::suggest::requires_python(&text).ok().flatten();
        let fits = |one: &&Interpreter| {
            declared.as_ref().is_none_or(|range| range.contains(&one.version.only_release()))
        };
        let mut fitting: Vec<&Interpreter> = self.pythons.iter().filter(fits).collect();
        fitting
            .sort_by_key(|one| (wanted.iter().any(|other| other.python == one.python), one.python));
        let all =
            self.pythons.iter().map(|one| one.python.to_string()).collect::<Vec<_>>().join(", ");
        fitting.last().map(|one| one.python).ok_or_else(|| {
            let range = declared.map(|range| range.to_string()).unwrap_or_default();
            Failure::question(format!(
                "the project requires Python {range}, and its wheel is built on this machine, which has {all}"
            ))
        })
    }

    /// The wheels that were built of this state, by their Pythons.
    fn built(&self) -> Vec<(PythonVersion, PathBuf)> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut built: Vec<(PythonVersion, PathBuf)> = entries
            .filter_map(|entry| {
                let python = entry.file_name().to_str()?.parse().ok()?;
                Some((python, wheel_in(&entry.path())?))
            })
            .collect();
        built.sort();
        built
    }

    /// The wheel that is built with a Python, or one that was built with another and fits all.
    fn wheel(&self, python: PythonVersion) -> Result<PathBuf, Failure> {
        let folder = self.folder.join(python.to_string());
        if let Some(wheel) = wheel_in(&folder) {
            // It was used now.
            let _ = fs::File::open(&self.folder)
                .and_then(|folder| folder.set_modified(std::time::SystemTime::now()));
            return Ok(wheel);
        }
        if let Some((_, wheel)) = self.built().into_iter().find(|(_, wheel)| fits_all(wheel)) {
            return Ok(wheel);
        }
        self.build(python, &folder)
    }

    fn build(&self, python: PythonVersion, folder: &Path) -> Result<PathBuf, Failure> {
        let Around { project, results, interrupt, terminal, .. } = self.around;
        terminal.note("building the project's wheel …");
        let all = self.folder.parent().unwrap_or(&self.folder);
        let new = TempDir::with_prefix_in(".new-", all).map_err(not_kept(all))?;
        let order = WheelOrder {
            project,
            path: &self.choice.path,
            python,
            build_constraints: &self.around.config.build_constraints,
            into: new.path(),
            interrupt,
        };
        let wheel = match self.backend.build_wheel(&order) {
            Ok(Ok(BuiltWheel { path, .. })) => path,
            Ok(Err(failed)) => return Err(not_built(&failed, results)),
            Err(error @ BackendError::Interrupted) => {
                return Err(Failure { exit: Exit::Interrupted, error: error.into() });
            }
            Err(error) => return Err(error.into()),
        };
        read_metadata(&wheel).map_err(not_read)?;
        fs::create_dir_all(&self.folder).map_err(not_kept(&self.folder))?;
        match fs::rename(new.path(), folder) {
            Ok(()) => drop(new.keep()),
            // Another run was faster.
            Err(_) if wheel_in(folder).is_some() => {}
            Err(error) => return Err(not_kept(folder)(error)),
        }
        forget_others(all, &self.folder);
        wheel_in(folder).ok_or_else(|| not_kept(folder)(io::ErrorKind::NotFound.into()))
    }
}

/// Removes the builds that were not used for the longest time, beyond [`KEPT`].
fn forget_others(all: &Path, used: &Path) {
    let entries = fs::read_dir(all).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| {
        let is_build = !entry.file_name().to_string_lossy().starts_with('.');
        is_build && entry.path() != used
    });
    let mut folders: Vec<(std::time::SystemTime, PathBuf)> = folders
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    folders.sort();
    let surplus = (folders.len() + 1).saturating_sub(KEPT);
    for (_, folder) in folders.into_iter().take(surplus) {
        // What stays is found again by the next run.
        let _ = fs::remove_dir_all(folder);
    }
}

/// The wheel in a folder.
fn wheel_in(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).find(|path| path.extension().is_some_and(|end| end == "whl"))
}

/// Whether a wheel fits every Python on every machine.
fn fits_all(wheel: &Path) -> bool {
    let name = wheel.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.parse().is_ok_and(|name: WheelName| name.fits_all())
}

/// What a wheel says of itself.
fn described(wheel: &Path) -> Result<(PackageName, Version, Metadata), Failure> {
    let metadata = read_metadata(wheel).map_err(not_read)?;
    let name = metadata.name.parse().map_err(Failure::question)?;
    let version = Version::from_str(&metadata.version).map_err(Failure::question)?;
    Ok((name, version, metadata))
}

/// Leaves the Pythons that a package declares to support.
fn only_supported(
    name: &PackageName,
    metadata: &Metadata,
    pythons: &mut Vec<Interpreter>,
    chosen: bool,
    terminal: Terminal,
) -> Result<(), Failure> {
    let Some(text) = &metadata.requires_python else { return Ok(()) };
    // As pip: what cannot be read excludes no Python.
    let Ok(range) = VersionSpecifiers::from_str(text) else { return Ok(()) };
    let fits = |one: &Interpreter| range.contains(&one.version.only_release());
    let others: Vec<String> =
        pythons.iter().filter(|one| !fits(one)).map(|one| one.python.to_string()).collect();
    if others.is_empty() {
        return Ok(());
    }
    let (range, others) = (text, others.join(", "));
    if chosen {
        return Err(Failure::question(format!(
            "{name} requires Python {range}, and {others} is asked for; ask for those that it allows"
        )));
    }
    pythons.retain(fits);
    if pythons.is_empty() {
        return Err(Failure::question(format!(
            "{name} requires Python {range}, and the backend has {others}; install one that fits"
        )));
    }
    terminal.note(&printable(&format!(
        "note: {name} requires Python {range}, so {others} is left out"
    )));
    Ok(())
}

/// The extras that are asked for, as the package spells them.
fn spelled(choice: &ProjectChoice, metadata: &Metadata) -> Result<Vec<String>, Failure> {
    let known = &metadata.provides_extra;
    let of = |extra: &String| {
        let name: Option<PackageName> = extra.parse().ok();
        let same = |one: &&String| one.parse().ok() == name;
        known.iter().find(same).cloned().ok_or_else(|| {
            let known: Vec<String> = known.iter().map(|one| format!("`{one}`")).collect();
            let has = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Failure::question(printable(&format!(
                "{} {} has no extra `{extra}`; it has {has}",
                metadata.name, metadata.version
            )))
        })
    };
    choice.extras.iter().map(of).collect()
}

/// A build that failed, with the end of what it printed, and where the rest is.
fn not_built(failed: &WheelNotBuilt, results: &Path) -> Failure {
    let log = String::from_utf8_lossy(&failed.log);
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let shown = &lines[lines.len().saturating_sub(LINES)..];
    let path = results.join("project-build.log");
    let written = fs::create_dir_all(results).and_then(|()| fs::write(&path, &failed.log));
    let whole = match written {
        Ok(()) if shown.len() < lines.len() => {
            format!("\nall that it printed is in `{}`", path.display())
        }
        _ => String::new(),
    };
    let hint = if log.contains("has no attribute 'build_wheel'") {
        "\nits build backend builds no wheels (PEP 517): a package that can only be installed as editable has no file \
         that environments could share"
    } else {
        ""
    };
    let message = format!(
        "the project's wheel cannot be built ({}), so nothing is measured\n  {}{hint}{whole}",
        failed.reason,
        shown.join("\n  ")
    );
    let exit = if failed.reason.is_spurious() { Exit::Infrastructure } else { Exit::Question };
    Failure { exit, error: message.into() }
}

fn not_read(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure { exit: Exit::Question, error: Box::new(error) }
}

fn not_kept(path: &Path) -> impl FnOnce(io::Error) -> Failure {
    let action = format!("could not keep the project's wheel in `{}`", path.display());
    move |error| Failure::infrastructure(action, error)
}
