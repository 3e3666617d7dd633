//! What the image of a cell will be made of.

use caliper_core::names::PythonVersion;
use caliper_core::question::files::FileError;
use caliper_core::question::plan::Base;
use caliper_core::question::plan::{Recipe, Setup};
use caliper_core::question::template::Variables;

use super::dockerfile::{Dockerfile, built_in};
use super::{DockerBackend, lock};
use crate::backend::{BackendError, EnvironmentRequest};

impl DockerBackend {
    /// The name of the base image of a Python, of which nothing else is known yet.
    pub(super) fn base_name(python: PythonVersion, setup: &Setup) -> Result<String, BackendError> {
        let variables = Variables {
            python: python.to_string(),
            abi: python.usual_abi().to_string(),
            requirements: setup.requirements.clone(),
            constraints: setup.constraints.clone(),
            build_constraints: setup.build_constraints.clone(),
            ..Variables::default()
        };
        Ok(setup.base.render(&variables, &setup.args)?.trim().to_owned())
    }

    pub(super) fn recipe_of(
        &self,
        request: &EnvironmentRequest<'_>,
    ) -> Result<Recipe, BackendError> {
        let (dockerfile, base) = Self::dockerfile(request)?;
        let name = dockerfile.base.clone().unwrap_or(base);
        let digest = self
            .engine
            .block_on(self.bases.digest(&self.engine, &name))
            .map_err(|fault| self.engine.error(format!("look at the image `{name}`"), fault))?;
        let context = Some(*dockerfile.part_of(request.project).digest());
        Ok(Recipe {
            backend: self.options.kind.name().to_owned(),
            // Without an image the cell cannot be built, which its build will say.
            base: digest.map(|digest| Base { name, digest }),
            dockerfile: Some(dockerfile.text),
            context,
        })
    }

    /// Takes down what the Dockerfiles have before their file to install: what many have in common is
    /// built once.
    pub(super) fn take_down<'a>(&self, requests: impl Iterator<Item = &'a EnvironmentRequest<'a>>) {
        for request in requests {
            // Its build will say what is wrong with it.
            let Ok((dockerfile, base)) = Self::dockerfile(request) else { continue };
            let name = dockerfile.base.unwrap_or(base);
            let cell = request.cell.id.clone();
            lock(&self.planned).entry(name).or_default().insert(cell, dockerfile.general);
        }
    }

    /// The Dockerfile of a cell, and the name of its Python's base image.
    pub(super) fn dockerfile(
        request: &EnvironmentRequest<'_>,
    ) -> Result<(Dockerfile, String), BackendError> {
        let setup = request.setup;
        let file = request.cell.file();
        if let Some(file) = file {
            refuse_commands(&file.filename, &file.filename)?;
            if setup.dockerfile.is_some() {
                refuse_commands(&file.filename, &file.url)?;
            }
        }
        let wheel = setup.project_wheel(request.interpreter.python);
        if let Some(wheel) = wheel {
            refuse_commands(&wheel.file.filename, &wheel.file.filename)?;
        }
        let mut variables = Variables {
            base: String::new(),
            filename: file.map(|file| file.url.clone()).unwrap_or_default(),
            basename: file.map(|file| file.filename.clone()).unwrap_or_default(),
            sha256: file
                .and_then(|file| file.sha256.as_ref())
                .map(caliper_core::names::Sha256::hex)
                .unwrap_or_default(),
            dependency: request.dependency.to_string(),
            version: request.cell.id.version.to_string(),
            python: request.interpreter.python.to_string(),
            abi: request.interpreter.abi.to_string(),
            requirements: setup.requirements.clone(),
            constraints: setup.constraints.clone(),
            build_constraints: setup.build_constraints.clone(),
            project_wheel: wheel.map(|wheel| wheel.file.filename.clone()).unwrap_or_default(),
            project_extras: setup
                .project
                .as_ref()
                .map(|package| package.extras.clone())
                .unwrap_or_default(),
        };
        let base = setup.base.render(&variables, &setup.args)?.trim().to_owned();
        variables.base.clone_from(&base);
        let template = setup.dockerfile.clone().unwrap_or_else(built_in);
        let rendered = template.render(&variables, &setup.args)?;
        Ok((Dockerfile::new(&rendered, &variables.basename, &variables.project_wheel), base))
    }
}

/// Names and addresses come from an index, and templates put them into commands without quotes.
fn refuse_commands(filename: &str, text: &str) -> Result<(), FileError> {
    let meant = |character: char| {
        // What a shell or a Dockerfile reads as more than itself.
        character.is_whitespace()
            || character.is_control()
            || "$`;|&<>()\"'\\!{}".contains(character)
    };
    match text.find(meant) {
        None => Ok(()),
        Some(_) => Err(FileError {
            filename: filename.to_owned(),
            source: format!("a shell would read a command in `{text}`, which the index names")
                .into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_run_is_refused() {
        let refused = |text| refuse_commands("demo.whl", text).is_err();
        for fine in ["demo-1.0+cu11.8-1-py3-none-any.whl", "https://x.org/a%20b/d.whl#sha256=0"] {
            assert!(!refused(fine), "{fine}");
        }
        for bad in ["demo-1.0-1$(id)-py3-none-any.whl", "d`id`.whl", "https://x/d.whl;id", "a b"] {
            assert!(refused(bad), "{bad}");
        }
    }
}
