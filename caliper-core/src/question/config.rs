//! `caliper.yaml`: what to measure, read strictly.
//!
//! All problems are reported at once, each with its line, an excerpt and the fix. Unknown keys are
//! errors.

#[cfg(feature = "config")]
mod problem;
#[cfg(feature = "config")]
mod read;
mod units;
#[cfg(feature = "config")]
mod yaml;

use std::io;

use pep440_rs::{Version, VersionSpecifiers};

#[cfg(feature = "config")]
pub use problem::ConfigError;
pub use units::bytes;
#[cfg(feature = "config")]
pub use units::duration;

use crate::names::{PackageName, PythonVersion};
use crate::question::axes::Axes;
use crate::question::criteria::Criteria;
use crate::question::expected::ExpectedValue;
use crate::question::limits::Limits;
use crate::question::modules::ImportChoice;
use crate::question::overlay::PackageOverlay;
use crate::question::plan::{Setup, Test};
use crate::question::project::ProjectChoice;
use crate::question::requirement::{Declared, Requirement, lift};
use crate::question::requirements_file::AllowedFiles;
use crate::question::selection::Selection;
use crate::question::template::{Args, Template};

/// The validated contents of a `caliper.yaml`, with defaults filled in.
#[derive(Debug, Clone)]
pub struct Config {
    /// The title of the analysis.
    pub name: String,
    /// The package whose releases are measured.
    pub dependency: PackageName,
    /// Which of its releases and files.
    pub selection: Selection,
    /// The Pythons; empty for the backend's default.
    pub python_versions: Vec<PythonVersion>,
    /// The user's Dockerfile template, if there is one.
    pub dockerfile: Option<Template>,
    /// The template of a base image's name.
    pub base: Template,
    /// The user's own template variables.
    pub args: Args,
    /// Requirements that are installed together with the dependency.
    pub requirements: Vec<String>,
    /// What binds what is installed anyway.
    pub constraints: Vec<String>,
    /// Constraints of what a source distribution is built with.
    pub build_constraints: Vec<String>,
    /// What is asked for of the project's own package; `None` if it is not installed.
    pub project: Option<ProjectChoice>,
    /// What dependency groups and requirements files require. Their ranges of what is measured do not hold, in
    /// contrast to those in [`requirements`](Self::requirements); see [`Config::setup_for`].
    pub declared: Vec<Declared>,
    /// What stands in files of constraints, likewise.
    pub declared_constraints: Vec<Declared>,
    /// The files that requirements files allow of packages.
    pub allowed_files: Vec<AllowedFiles>,
    /// The files that are laid over packages.
    pub overlays: Vec<PackageOverlay>,
    /// What the import test is about.
    pub import: ImportChoice,
    /// The further axes of the grid.
    pub axes: Axes,
    /// The tests, in order.
    pub tests: Vec<Test>,
    /// The files that tests write as results, as globs.
    pub results: Vec<String>,
    /// Resource limits of a test.
    pub limits: Limits,
    /// The release that results are compared with; by default the newest at which the test passes.
    pub baseline: Option<Version>,
    /// The criteria for comparing results.
    pub compare: Criteria,
    /// The releases that must pass.
    pub expect: Option<VersionSpecifiers>,
    /// The numbers that tests must give; the first that applies counts.
    pub expected: Vec<ExpectedValue>,
}

/// Reads a file of the project, named relative to the configuration's folder.
///
/// The caller defines the project, and returns an error for a file that is missing or outside of it.
pub type ReadProjectFile<'a> = &'a dyn Fn(&str) -> io::Result<Vec<u8>>;

/// Lists the files below a folder of the project, with `/` between the components of their paths in that folder.
///
/// The caller returns an error for a folder that is missing or outside of the project, and for one that holds a symbolic
/// link.
pub type ListProjectFolder<'a> = &'a dyn Fn(&str) -> io::Result<Vec<String>>;

impl Config {
    /// The default of `base`: the name under which the Docker community publishes Pythons.
    pub const BASE: &'static str = "python:{{ python }}";

    /// Reads a configuration. Needs the feature `config`.
    ///
    /// `name` is its name in errors. `read` loads the template and checks that the tests' files
    /// exist.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] holds every problem at once.
    #[cfg(feature = "config")]
    pub fn from_yaml(
        name: &str,
        text: &str,
        read: ReadProjectFile<'_>,
    ) -> Result<Self, ConfigError> {
        let list = |_: &str| Err(io::Error::other("the folders of the project are not known here"));
        read::config(name, text, read, &list)
    }

    /// As [`Config::from_yaml`], where `list` lists the folders that the key `overlay` names.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] holds every problem at once.
    #[cfg(feature = "config")]
    pub fn from_project(
        name: &str,
        text: &str,
        read: ReadProjectFile<'_>,
        list: ListProjectFolder<'_>,
    ) -> Result<Self, ConfigError> {
        read::config(name, text, read, list)
    }

    /// What is done in every cell, without the project's own package, which has to be built first.
    pub fn setup(&self) -> Setup {
        self.setup_for(std::slice::from_ref(&self.dependency))
    }

    /// The same where the releases of `measured` are measured: what groups and files declare of these is lifted.
    pub fn setup_for(&self, measured: &[PackageName]) -> Setup {
        let (declared, mut lifted) = lift(&self.declared, measured);
        let (mut bounds, of_constraints) = lift(&self.declared_constraints, measured);
        lifted.extend(of_constraints);
        // A constraint without a range says nothing.
        bounds.retain(|constraint| {
            constraint.parse().is_ok_and(|bound: Requirement| !bound.range.is_empty())
        });
        Setup {
            dockerfile: self.dockerfile.clone(),
            base: self.base.clone(),
            args: self.args.clone(),
            requirements: [&self.requirements[..], &declared].concat(),
            constraints: [&self.constraints[..], &bounds].concat(),
            build_constraints: self.build_constraints.clone(),
            project: None,
            lifted,
            allowed_files: self.allowed_files.clone(),
            overlays: self.overlays.clone(),
            import: self.import.clone(),
            variables: std::collections::BTreeMap::new(),
            group: None,
            tests: self.tests.clone(),
            results: self.results.clone(),
            limits: self.limits.clone(),
            as_of: self.selection.as_of,
            lock: None,
            unknown_upload_time: self.selection.unknown_upload_time,
        }
    }
}

#[cfg(test)]
mod tests;

/// For the test of the schema.
#[cfg(test)]
pub(crate) mod tests_support {
    use super::read::{
        ANALYSIS, BUNDLE, COMPARE, EXPECT, EXPECTED_VALUE, GROUP, LIMITS, OVERLAY, PROJECT, TEST,
        VERSIONS,
    };

    /// The keys of `analysis`, `limits`, a test, `versions`, `compare`, a bundle, `project`, a group,
    /// `expect`, an expected value and an overlay, each sorted.
    pub(crate) fn keys() -> [Vec<String>; 11] {
        let sorted = |keys: &[&str]| {
            let mut keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            keys.sort();
            keys
        };
        [
            ANALYSIS,
            LIMITS,
            TEST,
            VERSIONS,
            COMPARE,
            BUNDLE,
            PROJECT,
            GROUP,
            EXPECT,
            EXPECTED_VALUE,
            OVERLAY,
        ]
        .map(sorted)
    }
}
