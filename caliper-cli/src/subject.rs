//! What is tested where no release of a dependency is measured: the package of a folder, or nothing but what is
//! required beside it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use caliper_container::project::Project;
use caliper_core::names::{PackageName, Sha256};
use caliper_core::question::files::{FileError, FileSource};
use caliper_core::question::grid::{CellId, SCHEMA};
use caliper_core::question::grid::{Choice, DistFile, FileKind, Grid, GridCell};
use caliper_core::question::interpreter::Interpreter;
use caliper_core::question::modules::ImportChoice;
use caliper_core::question::plan::{Plan, Setup, Test, TestKind};
use caliper_pypi::pack;
use pep440_rs::Version;
use tempfile::TempDir;

use crate::exit::Failure;
use crate::sources;

/// What tests a project unless a command is given.
const USUAL: [&str; 3] = ["python", "-m", "pytest"];

/// What is done with it: one command is run, by default pytest, and nothing is imported.
pub(crate) fn setup(command: &[String], timeout: Duration, repeat: u32) -> Setup {
    let usual = || USUAL.map(str::to_owned).to_vec();
    let command = if command.is_empty() { usual() } else { command.to_vec() };
    let test = Test {
        name: command.join(" "),
        command,
        kind: TestKind::Command,
        environment: BTreeMap::new(),
        timeout: Some(timeout),
        repeat,
        seeds: None,
        files: None,
    };
    Setup { tests: vec![test], import: ImportChoice::Off, ..sources::plain_setup() }
}

/// The package of a folder, as the one release of a grid. It is also the source of that release's file.
pub(crate) struct Subject {
    /// The name that the folder gives its package, or its own name.
    pub(crate) name: PackageName,
    /// The version that the folder gives, or 0.
    pub(crate) version: Version,
    /// Whether there is a package to install; if not, an empty one stands for it.
    pub(crate) is_package: bool,
    file: DistFile,
    project: Project,
    /// The copies that were made so far, and how many.
    copies: Mutex<u32>,
    place: TempDir,
}

impl Subject {
    /// The package of the folder of `project`; copies of it are made in `cache`.
    pub(crate) fn of(project: &Project, cache: &Path) -> Result<Self, Failure> {
        let root = project.root();
        let is_package = ["pyproject.toml", "setup.py"].iter().any(|name| {
            let text = fs::read_to_string(root.join(name));
            // A `pyproject.toml` may hold only the settings of tools.
            text.is_ok_and(|text| *name == "setup.py" || builds(&text))
        });
        let said = describe(root);
        let unnamed = || "project".parse::<PackageName>();
        let of_folder = root.file_name().and_then(|name| name.to_str()?.parse().ok());
        let name = said.name.or(of_folder).map_or_else(unnamed, Ok);
        let name = name.map_err(|error| Failure::question(error.to_string()))?;
        let version = said.version.unwrap_or_else(|| Version::new([0]));
        let place = TempDir::with_prefix_in("project-", cache).map_err(|error| {
            Failure::infrastructure(
                format!("could not make a folder in `{}`", cache.display()),
                error,
            )
        })?;
        let filename = if is_package {
            name.normalized().to_owned()
        } else {
            format!("{}-{version}-py3-none-any.whl", name.escaped())
        };
        let digest = if is_package { *project.digest() } else { Sha256::of(filename.as_bytes()) };
        let file = DistFile {
            url: format!("file:///{filename}"),
            filename,
            sha256: Some(digest),
            size: None,
            kind: if is_package { FileKind::Sdist } else { FileKind::Wheel },
            upload_time: None,
            requires_python: None,
            yanked: false,
        };
        let project = project.clone();
        Ok(Self { name, version, is_package, file, project, copies: Mutex::new(0), place })
    }

    /// A plan of one cell: `setup` with this package installed on `interpreter`.
    pub(crate) fn plan(&self, analysis: &str, setup: Setup, interpreter: Interpreter) -> Plan {
        let id = CellId::new(self.version.clone(), interpreter.python);
        let choice = Choice::File { file: self.file.clone(), abi: interpreter.abi.clone() };
        let grid = Grid {
            schema: SCHEMA,
            package: self.name.clone(),
            as_of: setup.as_of,
            index: None,
            cells: vec![GridCell { id, choice }],
            left_out: Vec::new(),
        };
        Plan::new(analysis, setup, vec![interpreter], grid)
    }

    /// A copy of the package that no build has touched. An installer remembers what it built by the path, whatever it
    /// built it with, so each copy has a path of its own.
    fn copy(&self) -> io::Result<PathBuf> {
        let mut copies = self.copies.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *copies += 1;
        let folder = self.place.path().join(copies.to_string());
        let path = folder.join(&self.file.filename);
        if self.is_package {
            self.project.copy_with_history(&path)?;
        } else {
            fs::create_dir_all(&folder)?;
            pack::wheel(&folder, &self.name.escaped(), &self.version.to_string(), &[], &[])?;
        }
        Ok(path)
    }
}

impl FileSource for Subject {
    fn fetch(&self, file: &DistFile) -> Result<PathBuf, FileError> {
        let filename = || file.filename.clone();
        if *file != self.file {
            let source = "it is not the package of this folder".into();
            return Err(FileError { filename: filename(), source });
        }
        self.copy().map_err(|error| FileError { filename: filename(), source: error.into() })
    }
}

/// Whether a `pyproject.toml` belongs to a package.
fn builds(text: &str) -> bool {
    let table: Result<toml::Table, _> = toml::from_str(text);
    table.is_ok_and(|table| table.contains_key("build-system") || table.contains_key("project"))
}

/// What a folder calls its package.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    name: Option<PackageName>,
    version: Option<Version>,
}

/// Reads name and version where they are written down: in `pyproject.toml`, or in the metadata of a source
/// distribution.
fn describe(root: &Path) -> Said {
    let text = |name: &str| fs::read_to_string(root.join(name)).unwrap_or_default();
    let metadata = of_metadata(&text("PKG-INFO"));
    let table: toml::Table = toml::from_str(&text("pyproject.toml")).unwrap_or_default();
    let said = |key: &str| table.get("project")?.get(key)?.as_str().map(str::to_owned);
    Said {
        name: metadata.name.or_else(|| said("name")?.parse().ok()),
        version: metadata.version.or_else(|| said("version")?.parse().ok()),
    }
}

/// Name and version in core metadata.
fn of_metadata(text: &str) -> Said {
    let header = |name: &str| {
        let mut headers = text.lines().take_while(|line| !line.trim().is_empty());
        headers.find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
    };
    Said {
        name: header("Name").and_then(|name| name.parse().ok()),
        version: header("Version").and_then(|version| version.parse().ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(files: &[(&str, &str)]) -> (TempDir, Subject) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("weather-kit");
        fs::create_dir(&root).unwrap();
        for (name, text) in files {
            fs::write(root.join(name), text).unwrap();
        }
        let project = Project::read(&root, None).unwrap();
        let subject = Subject::of(&project, folder.path()).unwrap_or_else(|_| panic!());
        (folder, subject)
    }

    #[test]
    fn a_folder_is_a_package_if_it_can_be_built() {
        let cases: &[(&[(&str, &str)], &str)] = &[
            (&[("setup.py", "")], "weather-kit 0 true"),
            (
                &[("setup.py", ""), ("PKG-INFO", "Name: Other\nVersion: 1.2\n\nVersion: 9\n")],
                "Other 1.2 true",
            ),
            (&[("pyproject.toml", "[project]\nname = 'wk'\nversion = '2.0'\n")], "wk 2.0 true"),
            (&[("pyproject.toml", "[tool.black]\n")], "weather-kit 0 false"),
            (&[], "weather-kit 0 false"),
        ];
        for (files, expected) in cases {
            let (_folder, subject) = subject(files);
            let Subject { name, version, is_package, .. } = &subject;
            assert_eq!(format!("{name} {version} {is_package}"), *expected, "{files:?}");
        }
    }

    #[test]
    fn each_build_gets_a_copy_of_its_own() {
        let (_folder, package) = subject(&[("setup.py", "x")]);
        let (first, second) =
            (package.fetch(&package.file).unwrap(), package.fetch(&package.file).unwrap());
        assert_ne!(first, second);
        assert!(first.ends_with("weather-kit") && first.join("setup.py").is_file());
        fs::write(first.join("built"), "").unwrap();
        assert!(!package.fetch(&package.file).unwrap().join("built").exists());

        let (_folder, nothing) = subject(&[("requirements.txt", "six\n")]);
        let wheel = nothing.fetch(&nothing.file).unwrap();
        assert!(wheel.ends_with("weather_kit-0-py3-none-any.whl") && wheel.is_file());
        let other = DistFile { filename: "other".to_owned(), ..nothing.file.clone() };
        assert!(nothing.fetch(&other).unwrap_err().to_string().contains("other"));
    }
}
