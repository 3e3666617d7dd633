//! Modules of the project that tests would import in place of the release under test.

use std::path::{Path, PathBuf};

use caliper_core::names::PackageName;
use caliper_core::question::plan::Setup;

use crate::package::Package;
use crate::terminal::{Terminal, printable};

/// Warns of a module that carries the name of the dependency, where tests look for modules: in the project's
/// folder, and on the `PYTHONPATH` that the configuration sets.
pub(crate) fn warn(project: &Path, dependency: &PackageName, setup: &Setup, terminal: Terminal) {
    let name = dependency.normalized().replace('-', "_");
    for folder in folders(setup) {
        let is_there = [format!("{name}/__init__.py"), format!("{name}.py")]
            .iter()
            .any(|file| project.join(&folder).join(file).is_file());
        if is_there {
            let module = folder.join(&name);
            terminal.warning(&printable(&format!(
                "the project has a module `{}`: tests that look for modules in its folder measure that one, and \
                 not the release; rename it, or give the tests `files` without it",
                module.display()
            )));
        }
    }
}

/// Warns of a module that carries the name of the dependency in the project's own package, which is installed over that
/// of the release.
pub(crate) fn warn_of_package(package: &Package, dependency: &PackageName, terminal: Terminal) {
    let name = dependency.normalized().replace('-', "_");
    if package.has_module(&name) {
        terminal.warning(&format!(
            "{} has a module `{name}` itself: tests measure that one or that of the release, whichever was installed \
             last; rename it",
            package.name
        ));
    }
}

/// The project's folder, and the relative ones on the `PYTHONPATH` of the tests.
fn folders(setup: &Setup) -> Vec<PathBuf> {
    let paths = setup.tests.iter().filter_map(|test| test.environment.get("PYTHONPATH"));
    let named = paths.flat_map(|path| path.split(':')).map(PathBuf::from);
    let mut folders = vec![PathBuf::new()];
    folders.extend(named.filter(|folder| folder.is_relative()));
    folders.sort();
    folders.dedup();
    folders
}
