//! The project whose bounds are measured: built once, without the ranges that it declares.

use std::collections::BTreeSet;
use std::path::Path;

use caliper_container::backend::ContainerBackend as _;
use caliper_container::interrupt::Interrupt;
use caliper_container::local::LocalBackend;
use caliper_container::project::Project;
use caliper_core::analysis::bounds::{Declared, declared};
use caliper_core::names::PackageName;
use caliper_core::question::config::Config;
use caliper_core::question::grid::{CellId, Choice, Grid, GridCell, SCHEMA};
use caliper_core::question::interpreter::Interpreter;
use caliper_core::question::plan::{Plan, Setup, TestKind};
use serde_json::json;

use crate::args::Bounds;
use crate::exit::Failure;
use crate::package::{self, Package};
use crate::setting;
use crate::sources::Index;
use crate::subject;
use crate::terminal::Terminal;

/// Where things are.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) how: &'a Bounds,
    pub(super) folder: &'a Path,
    pub(super) files: &'a Project,
    pub(super) index: &'a Index,
    pub(super) cache: &'a Path,
    pub(super) results: &'a Path,
    pub(super) interrupt: &'a Interrupt,
    pub(super) terminal: Terminal,
}

/// What is measured.
pub(super) struct Asked {
    /// The project as the one release of a grid.
    pub(super) plan: Plan,
    /// What it declares of its direct dependencies. In its file these ranges are not.
    pub(super) declared: Vec<Declared>,
    /// What of it has no bounds, and why.
    pub(super) left_out: Vec<String>,
    /// The `pyproject.toml`, as it was read.
    pub(super) pyproject: Option<String>,
}

impl Asked {
    pub(super) fn of(around: &Around<'_>, backend: &LocalBackend) -> Result<Self, Failure> {
        let Around { how, folder, files, index, cache, .. } = *around;
        let says = ["pyproject.toml", "setup.cfg", "setup.py"];
        if !says.iter().any(|name| folder.join(name).is_file()) {
            return Err(Failure::question(format!(
                "there is no package in `{}` (no `pyproject.toml`, `setup.cfg` or `setup.py`): name the folder of a \
                 project",
                folder.display()
            )));
        }
        let pyproject = std::fs::read_to_string(folder.join("pyproject.toml")).ok();
        let config = config(how, folder)?;
        let plain = setup(how, &config);
        let wanted: BTreeSet<_> = how.python.iter().copied().collect();
        let mut interpreters = backend.interpreters(&wanted, &plain)?;
        let choice = config.project.clone().unwrap_or_default();
        let of_package = package::Around {
            config: &config,
            project: files,
            index,
            cache,
            results: around.results,
            interrupt: around.interrupt,
            terminal: around.terminal,
        };
        let package =
            Package::build(&choice, of_package, &mut interpreters, !how.python.is_empty())?;
        let (declared, mut left_out) = declared(&package.requires_dist, &interpreters);
        let names: Vec<PackageName> = declared.iter().map(|one| one.name.clone()).collect();
        let downloader = index.downloader(cache);
        let (built, lifted) = package.without_ranges(&names, cache, &downloader)?;
        let of_extras = lifted.iter().filter(|one| one.requirement.contains("extra"));
        left_out.extend(of_extras.map(|one| {
            format!("`{}`: ranges that extras declare are lifted and not judged", one.requirement)
        }));
        let mut setup = plain;
        if !built.extras.is_empty() {
            // The file is installed by its path, and this asks for its extras.
            let brackets = built.extras_in_brackets();
            setup.requirements.push(format!("{}{brackets}", built.name.normalized()));
        }
        let cell = |one: &Interpreter| {
            let file = built.wheel(one.python)?.file.clone();
            let choice = Choice::File { file, abi: one.abi.clone() };
            Some(GridCell { id: CellId::new(built.version.clone(), one.python), choice })
        };
        let grid = Grid {
            schema: SCHEMA,
            package: built.name.clone(),
            as_of: how.as_of,
            index: None,
            cells: interpreters.iter().filter_map(cell).collect(),
            left_out: Vec::new(),
        };
        let plan = Plan::new(format!("bounds of {}", built.name), setup, interpreters, grid);
        Ok(Self { plan, declared, left_out, pyproject })
    }
}

/// The arguments as a configuration, which is read like any other: what extras, groups and files mean is said there.
fn config(how: &Bounds, folder: &Path) -> Result<Config, Failure> {
    let project = json!({"extras": how.extras, "groups": how.groups});
    let analysis = json!({
        "name": "bounds",
        // Nothing of it is installed.
        "dependency": "caliper-measures-the-project-itself",
        "project": project,
        "requirements": how.with,
        "requirements_files": how.requirements,
    });
    let text = json!({"analysis": analysis}).to_string();
    let read = |name: &str| setting::read_inside(folder, name);
    Config::from_yaml("the arguments of `caliper bounds`", &text, &read)
        .map_err(|error| Failure::question(error.without_places()))
}

/// How the project is tested, and what is installed beside it.
fn setup(how: &Bounds, config: &Config) -> Setup {
    let tested = subject::setup(&how.command, how.timeout, 1);
    let mut setup =
        Setup { tests: tested.tests, as_of: how.as_of, import: tested.import, ..config.setup() };
    let test = &mut setup.tests[0];
    let arguments = match test.command.as_slice() {
        [pytest, arguments @ ..] if pytest == "pytest" => arguments,
        [_, module, pytest, arguments @ ..] if module == "-m" && pytest == "pytest" => arguments,
        _ => return setup,
    };
    // Its report tells whether it came to its end: a suite can leave with status 0 in the middle.
    if !arguments.iter().any(|word| word.starts_with("--junit")) {
        test.command = TestKind::Pytest.command(arguments.to_vec());
        test.kind = TestKind::Pytest;
    }
    let named = |line: &String| PackageName::split(line.trim()).0.eq_ignore_ascii_case("pytest");
    if !setup.requirements.iter().any(named) {
        setup.requirements.push("pytest".to_owned());
    }
    setup
}
