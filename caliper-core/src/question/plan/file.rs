//! A plan as it is written down: environments, and cells that name theirs.

use std::collections::BTreeMap;
use std::sync::Arc;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use super::{Plan, PlannedCell, Setup, Test};
use crate::names::{AbiTag, PackageName, PythonVersion, Timestamp};
use crate::question::grid::{CellId, Choice, DistFile, Missing};
use crate::question::group::Group;
use crate::question::interpreter::Interpreter;
use crate::question::limits::Limits;
use crate::question::lock::Lock;
use crate::question::modules::ImportChoice;
use crate::question::overlay::PackageOverlay;
use crate::question::project::ProjectPackage;
use crate::question::requirement::Declared;
use crate::question::requirements_file::AllowedFiles;
use crate::question::selection::UnknownUploadTime;
use crate::question::template::{Args, Template};

/// The version of the format that a [`Plan`] is written in.
///
/// 1: the first.
pub const SCHEMA: u32 = 1;

/// The shape of a [`Plan`] on the wire.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "Plan")]
pub(super) struct PlanFile {
    /// The version of this format.
    schema: u32,
    /// The title of the analysis.
    analysis: String,
    /// The package whose releases are measured.
    dependency: PackageName,
    /// The address of the index that its files are from, without credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    index: Option<String>,
    /// What the import test is about, which is run before the others.
    #[serde(default)]
    import: ImportChoice,
    /// The tests, without what an axis changes in them.
    tests: Vec<Test>,
    /// The files that a test leaves as its results, as globs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    results: Vec<String>,
    /// What a test may use in cells that say nothing else.
    limits: Limits,
    /// How environments are made where no axis says anything else.
    base: EnvironmentSpec,
    /// The Pythons, one for each column of the grid.
    interpreters: Vec<Interpreter>,
    /// The environments.
    environments: Vec<EnvironmentSpec>,
    /// The cells, in the order in which they are measured.
    cells: Vec<CellSpec>,
    /// The final releases that the index offers and the selection leaves out, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    left_out: Vec<Version>,
}

/// How one environment is made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EnvironmentSpec {
    /// Its Python.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python: Option<PythonVersion>,
    /// The ABI tag that the file was chosen for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abi: Option<AbiTag>,
    /// The file to install.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<DistFile>,
    /// Why there is nothing to install.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
    /// Requirements that are installed beside the dependency.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requirements: Vec<String>,
    /// Requirements that bind what is installed anyway.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<String>,
    /// Constraints of what a source distribution is built with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub build_constraints: Vec<String>,
    /// The project's own package, which is installed too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectPackage>,
    /// The ranges of the dependency that the project declares and that do not hold here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lifted: Vec<Declared>,
    /// The files that may be installed of some packages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_files: Vec<AllowedFiles>,
    /// The files of the project that are laid over packages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overlays: Vec<PackageOverlay>,
    /// Install what the index offered then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// Install these files and no others, in place of what the requirements lead to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<Lock>,
    /// What is done with files without upload time, where there is a date.
    #[serde(default, skip_serializing_if = "UnknownUploadTime::excludes")]
    pub unknown_upload_time: UnknownUploadTime,
    /// The user's Dockerfile template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dockerfile: Option<Template>,
    /// The template of the base image's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Template>,
    /// The user's own template variables.
    #[serde(default, skip_serializing_if = "Args::is_empty")]
    pub args: Args,
}

/// One cell: its environment, and what acts when its tests are run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CellSpec {
    /// Which cell it is.
    pub id: CellId,
    /// Its place in the list of environments.
    pub environment: usize,
    /// Environment variables of all tests, in place of those of the same name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The runs of all tests, where the cell belongs to a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    /// What a test may use, where that is not what the plan says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
}

impl EnvironmentSpec {
    fn of_setup(setup: &Setup) -> Self {
        Self {
            requirements: setup.requirements.clone(),
            constraints: setup.constraints.clone(),
            build_constraints: setup.build_constraints.clone(),
            project: setup.project.as_deref().cloned(),
            lifted: setup.lifted.clone(),
            allowed_files: setup.allowed_files.clone(),
            overlays: setup.overlays.clone(),
            as_of: setup.as_of,
            lock: setup.lock.as_deref().cloned(),
            unknown_upload_time: setup.unknown_upload_time,
            dockerfile: setup.dockerfile.clone(),
            base: Some(setup.base.clone()),
            args: setup.args.clone(),
            ..Self::default()
        }
    }

    /// How the environment of a cell with this setup is made.
    pub fn of(cell: &PlannedCell, setup: &Setup) -> Self {
        let (file, abi, missing) = match &cell.choice {
            Choice::File { file, abi } => (Some(file.clone()), Some(abi.clone()), None),
            Choice::Missing(missing) => (None, None, Some(missing.clone())),
        };
        Self { python: Some(cell.id.python), abi, file, missing, ..Self::of_setup(setup) }
    }

    /// `setup` with all that is said here in its place.
    fn applied(&self, setup: &Setup) -> Setup {
        Setup {
            requirements: self.requirements.clone(),
            constraints: self.constraints.clone(),
            build_constraints: self.build_constraints.clone(),
            project: self.project.clone().map(Arc::new),
            lifted: self.lifted.clone(),
            allowed_files: self.allowed_files.clone(),
            overlays: self.overlays.clone(),
            as_of: self.as_of,
            lock: self.lock.clone().map(Arc::new),
            unknown_upload_time: self.unknown_upload_time,
            dockerfile: self.dockerfile.clone(),
            base: self.base.clone().unwrap_or_else(|| setup.base.clone()),
            args: self.args.clone(),
            ..setup.clone()
        }
    }

    fn choice(&self) -> Result<Choice, &'static str> {
        match (&self.file, &self.abi, &self.missing) {
            (Some(file), Some(abi), None) => {
                Ok(Choice::File { file: file.clone(), abi: abi.clone() })
            }
            (None, None, Some(missing)) => Ok(Choice::Missing(missing.clone())),
            _ => Err("an environment has either `file` and `abi`, or `missing`"),
        }
    }
}

impl From<Plan> for PlanFile {
    fn from(plan: Plan) -> Self {
        let mut environments: Vec<EnvironmentSpec> = Vec::new();
        // Found by their canonical text; comparing each with each would take minutes on large grids.
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        let mut cells = Vec::with_capacity(plan.cells.len());
        for cell in &plan.cells {
            let setup = plan.setup_of(cell);
            let spec = EnvironmentSpec::of(cell, setup);
            // The release is not in the specification, but its file or the lack of one is its own.
            let text = serde_json::to_string(&(&cell.id.version.to_string(), &spec));
            let text = text.unwrap_or_else(|error| unreachable!("{error}"));
            let environment = *places.entry(text).or_insert_with(|| {
                environments.push(spec);
                environments.len() - 1
            });
            let limits = (setup.limits != plan.setup.limits).then(|| setup.limits.clone());
            let (env, group) = (setup.variables.clone(), setup.group.clone());
            cells.push(CellSpec { id: cell.id.clone(), environment, env, group, limits });
        }
        Self {
            schema: SCHEMA,
            analysis: plan.analysis,
            dependency: plan.dependency,
            index: plan.index,
            base: EnvironmentSpec::of_setup(&plan.setup),
            import: plan.setup.import,
            tests: plan.setup.tests,
            results: plan.setup.results,
            limits: plan.setup.limits,
            interpreters: plan.interpreters,
            environments,
            cells,
            left_out: plan.left_out,
        }
    }
}

impl TryFrom<PlanFile> for Plan {
    type Error = String;

    fn try_from(file: PlanFile) -> Result<Self, String> {
        if file.schema > SCHEMA {
            return Err(format!(
                "it has format {}, and this Caliper reads up to {SCHEMA}; use a newer Caliper",
                file.schema
            ));
        }
        let base =
            file.base.base.clone().ok_or("`base` names no image: there is no `base.base`")?;
        let setup = file.base.applied(&Setup {
            dockerfile: None,
            base,
            args: Args::default(),
            requirements: Vec::new(),
            constraints: Vec::new(),
            build_constraints: Vec::new(),
            project: None,
            lifted: Vec::new(),
            allowed_files: Vec::new(),
            overlays: Vec::new(),
            import: file.import,
            tests: file.tests,
            variables: BTreeMap::new(),
            group: None,
            results: file.results,
            limits: file.limits,
            as_of: None,
            lock: None,
            unknown_upload_time: UnknownUploadTime::default(),
        });
        let mut cells = Vec::with_capacity(file.cells.len());
        // Cells share a setup where they say the same, as they did when they were written.
        let mut last: Option<Arc<Setup>> = None;
        for cell in file.cells {
            let spec = file.environments.get(cell.environment).ok_or_else(|| {
                format!("{} names environment {}, which is not there", cell.id, cell.environment)
            })?;
            if spec.python != Some(cell.id.python) {
                return Err(format!("the environment of {} has another Python", cell.id));
            }
            let mut own = spec.applied(&setup);
            own.set_variables(&cell.env);
            if let Some(group) = &cell.group {
                own.set_group(group);
            }
            own.limits = cell.limits.unwrap_or(own.limits);
            let own = if own == setup {
                None
            } else {
                let shared = last.take().filter(|last| **last == own);
                last = Some(shared.unwrap_or_else(|| Arc::new(own)));
                last.clone()
            };
            cells.push(PlannedCell { id: cell.id, choice: spec.choice()?, setup: own });
        }
        Ok(Self {
            analysis: file.analysis,
            dependency: file.dependency,
            index: file.index,
            setup,
            interpreters: file.interpreters,
            cells,
            left_out: file.left_out,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::axes::{AsOf, Axes, Axis, AxisValue, Grids, Overlay};
    use crate::question::config::Config;
    use crate::question::testing;

    fn plan() -> Plan {
        let text = "analysis: {dependency: demo, requirements: [six], tests: [{run: python t.py, timeout: 9s}]}";
        let config = Config::from_yaml("c", text, &|_| Ok(Vec::new())).unwrap();
        let python = PythonVersion::new(3, 11);
        let cell = |version: &str| {
            let mut cell = testing::cell(version, python);
            if let Choice::File { file, .. } = &mut cell.choice {
                file.size = Some(7);
                file.upload_time = Some("2020-01-01".parse().unwrap());
            }
            cell
        };
        let grid = testing::grid(vec![cell("1.0"), cell("2.0")]);
        let seeds = ["0", "1"].map(|seed| AxisValue {
            label: seed.to_owned(),
            overlay: Overlay {
                env: [("SEED".to_owned(), seed.to_owned())].into(),
                ..Overlay::default()
            },
        });
        let dates = vec![AxisValue::named("any"), AxisValue::as_of("release", AsOf::Release)];
        let axes = Axes {
            axes: vec![Axis::new("as_of", dates), Axis::new("seed", seeds.to_vec())],
            ..Axes::default()
        };
        let grids = Grids { plain: &grid, dated: &BTreeMap::new() };
        let cells = axes.lay_out(&config.setup(), grids, Timestamp::from_unix_seconds(0));
        let interpreters = vec![testing::interpreter("3.11")];
        Plan { cells, ..Plan::new("demo", config.setup(), interpreters, grid.clone()) }
    }

    #[test]
    fn a_plan_is_written_as_environments_and_cells() {
        let plan = plan();
        let text = serde_json::to_string(&plan).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        // Two releases with two dates each; the seeds share.
        assert_eq!(value["environments"].as_array().unwrap().len(), 4);
        assert_eq!(value["cells"].as_array().unwrap().len(), 8);
        insta::assert_snapshot!(value["cells"][3], @r#"{"env":{"SEED":"1"},"environment":1,"id":"1.0/3.11[as_of=release,seed=1]"}"#);
        let read: Plan = serde_json::from_str(&text).unwrap();
        for (cell, again) in plan.cells.iter().zip(&read.cells) {
            assert_eq!(plan.setup_of(cell), read.setup_of(again), "{}", cell.id);
            assert_eq!((&cell.id, &cell.choice), (&again.id, &again.choice));
        }
        assert_eq!((plan.setup, plan.interpreters), (read.setup, read.interpreters));
    }

    #[test]
    fn a_plan_that_contradicts_itself_is_refused() {
        let mut value = serde_json::to_value(plan()).unwrap();
        value["cells"][0]["environment"] = 99.into();
        let error = serde_json::from_value::<Plan>(value.clone()).unwrap_err();
        insta::assert_snapshot!(error, @"1.0/3.11[as_of=any,seed=0] names environment 99, which is not there");
        value["schema"] = 2.into();
        let error = serde_json::from_value::<Plan>(value).unwrap_err();
        insta::assert_snapshot!(error, @"it has format 2, and this Caliper reads up to 1; use a newer Caliper");
    }

    #[test]
    fn a_part_of_a_plan_has_the_same_setups() {
        let plan = plan();
        assert_eq!(plan.setups().len(), 1 + 2 + 4);
        let part = plan.part(|cell| cell.variant.get("seed") == Some("1"));
        assert_eq!(part.cells.len(), 4);
        assert_eq!(part.setup_of(&part.cells[0]), plan.setup_of(&plan.cells[1]));
    }
}
