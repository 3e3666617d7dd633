//! Making the image of an environment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use caliper_core::facts::record::Installed;
use caliper_core::names::Sha256;
use caliper_core::question::grid::FileKind;
use caliper_core::question::modules::Imports;
use caliper_core::question::plan::Recipe;
use pep440_rs::Version;

use super::dockerfile::Dockerfile;
use super::environment::{DockerEnvironment, Held};
use super::installed::{self, Inventory};
use super::kept::Kept;
use super::labels::{self, Owner};
use super::{BuildReason, DockerBackend, Interrupt, build, images, leftovers, lock};
use crate::backend::{BackendError, BuildEstimate, Built, EnvironmentRequest, RunId};

/// The version that is installed in place of the cell's own: what is measured would be something else.
///
/// A source distribution often gives itself another version than its file name, and did in many releases.
fn another<'a>(request: &EnvironmentRequest<'_>, inventory: &'a Inventory) -> Option<&'a str> {
    let wheel = request.cell.file().is_some_and(|file| file.kind == FileKind::Wheel);
    let version = inventory.version(request.dependency).filter(|_| wheel)?;
    let same = version.parse().is_ok_and(|version: Version| version == request.cell.id.version);
    (!same).then_some(version)
}

impl DockerBackend {
    pub(super) fn build_image<'a>(
        &'a self,
        request: &EnvironmentRequest<'_>,
        recipe: &Recipe,
        key: &Sha256,
    ) -> Result<Built<'a>, BackendError> {
        let of_base = recipe.base.as_ref().map(|base| base.digest.as_str());
        let (dockerfile, base) = Self::dockerfile(request)?;
        let base = dockerfile.base.clone().unwrap_or(base);
        let variables = self.check_base(recipe, &base)?;
        let index = self.given_index(request.setup, request.cell.id.python, request.cell.file())?;
        let mentioned =
            |names: &BTreeSet<&str>, options: &[&str]| dockerfile.mentions(names, options);
        self.refuse_other_indexes(&index, mentioned, &base, &variables)?;
        let project = dockerfile.part_of(request.project);
        let key = self.key(request, recipe, &dockerfile, key)?;
        let tag = self.fresh_tag(request.run);
        if let Some(key) = key.as_ref().filter(|_| !self.options.anew)
            && let Some(Kept { image, layers, log }) = self.take_up(key, &tag)?
        {
            let held = Held {
                tag,
                layers,
                sets_locale: image.sets_locale(),
                base,
                key: Some(key.clone()),
            };
            let built = self.hold(request, of_base, &image.id, held, dockerfile.copies_all, log)?;
            return Ok(Built { reused: true, ..built });
        }
        let wheel = request.setup.project_wheel(request.interpreter.python);
        let own = request.cell.file().filter(|_| dockerfile.uses_file);
        let wheel = wheel.map(|wheel| &wheel.file).filter(|_| dockerfile.uses_wheel);
        let files = own.into_iter().chain(wheel).map(|file| request.files.fetch(file));
        let files = files.collect::<Result<Vec<_>, _>>()?;
        self.hold_beginning(request, &base);
        let action = format!("build the image of {} {}", request.dependency, request.cell.id);
        let build = build::Order {
            action,
            dockerfile: &dockerfile,
            files,
            project,
            tag: &tag,
            mark: self.mark(request.run),
            index: &index,
        };
        let failures = self.mark_of_mirror(&index);
        let (finished, held) = self.try_build(&build, &base, request.interrupt)?;
        let image = match finished.image {
            Ok(image) => image,
            Err(reason) => {
                self.let_go(&held)?;
                if let Some(failure) = self.failure_of_mirror(&index, failures) {
                    return Err(failure);
                }
                let without_upload_time = self.left_out_of_date(request.setup, None);
                return Ok(Built { without_upload_time, ..Built::failed(reason, finished.log) });
            }
        };
        let mut log = finished.log;
        let (image, held) = self.overlaid(request, image, held, &mut log)?;
        if key.is_some() && self.options.keep > 0 {
            self.keep_log(&image.id, &log);
        }
        let held = Held { sets_locale: image.sets_locale(), key, ..held };
        self.hold(request, of_base, &image.id, held, dockerfile.copies_all, log)
    }

    /// The environment of an image, if the dependency is in it. `base` is the digest of the image that it is built on.
    fn hold<'a>(
        &'a self,
        request: &EnvironmentRequest<'_>,
        base: Option<&str>,
        image: &str,
        held: Held,
        copies_all: bool,
        mut log: Vec<u8>,
    ) -> Result<Built<'a>, BackendError> {
        let mut environment = DockerEnvironment {
            backend: self,
            run: request.run.clone(),
            image: image.to_owned(),
            held: Some(held),
            installed: Vec::new(),
            imports: Imports::Nothing,
            copies_all,
        };
        match self.look_into(request, base, image)? {
            Ok((installed, imports)) => {
                let names = installed.iter().filter_map(|one| one.name.parse().ok()).collect();
                let without_upload_time = self.left_out_of_date(request.setup, Some(&names));
                let overlays = self.laid(request, image, &installed)?;
                (environment.installed, environment.imports) = (installed, imports);
                Ok(Built {
                    without_upload_time,
                    overlays,
                    ..Built::new(Ok(Box::new(environment)), log)
                })
            }
            Err(problem) => {
                environment.abandon()?;
                let wheel =
                    if request.setup.project.is_some() { ", and {{ project_wheel }}," } else { "" };
                log.extend_from_slice(
                    format!(
                        "caliper: the image was built, but {problem}. The Dockerfile must install \
                         {{{{ filename }}}} or {{{{ basename }}}}{wheel} with the pip of that `python`.\n"
                    )
                    .as_bytes(),
                );
                Ok(Built::failed(BuildReason::Unknown, log))
            }
        }
    }

    /// What it takes to have the image of a cell.
    pub(super) fn estimate_of(
        &self,
        request: &EnvironmentRequest<'_>,
        recipe: &Recipe,
        key: &Sha256,
    ) -> Result<BuildEstimate, BackendError> {
        let (dockerfile, base) = Self::dockerfile(request)?;
        let key = self.key(request, recipe, &dockerfile, key)?;
        let ready = match key.filter(|_| !self.options.anew) {
            Some(key) => self.has_kept(&key)?,
            None => false,
        };
        Ok(BuildEstimate {
            ready,
            fetches: dockerfile.uses_file && !ready,
            base: Some(dockerfile.base.unwrap_or(base)),
            pulls: recipe.base.is_none(),
        })
    }

    /// Builds, and leaves nothing behind if that ends with an error.
    pub(super) fn try_build(
        &self,
        build: &build::Order<'_>,
        base: &str,
        interrupt: &Interrupt,
    ) -> Result<(build::Finished, Held), BackendError> {
        let began = SystemTime::now();
        let mut reached = build::Reached::default();
        let finished = build::build(&self.engine, build, interrupt, &mut reached);
        let given_up = match &finished {
            Ok(finished) => matches!(finished.image, Err(BuildReason::TimedOut)),
            Err(_) => true,
        };
        if given_up {
            // The first error says more than that something stayed behind because of it.
            let _ = self.engine.block_on(leftovers::after_giving_up(&self.engine, &reached, began));
        }
        let held = Held {
            tag: build.tag.to_owned(),
            layers: reached.layers,
            sets_locale: false,
            base: base.to_owned(),
            key: None,
        };
        if finished.is_err() {
            let _ = self.let_go(&held);
        }
        finished.map(|finished| (finished, held))
    }

    /// Makes the layers that all cells with this base begin with, at least the one with Caliper's
    /// label: side by side each cell would make its own, and the storage of some engines takes seconds
    /// for any layer.
    fn hold_beginning(&self, request: &EnvironmentRequest<'_>, base: &str) {
        // One at a time on each base; what stands on another base does not wait.
        let turn = Arc::clone(lock(&self.turns).entry(base.to_owned()).or_default());
        let mut tried = lock(&turn);
        if std::mem::replace(&mut *tried, true) {
            return;
        }
        let dockerfile = {
            let planned = lock(&self.planned);
            let texts = planned.get(base).filter(|texts| texts.len() > 1);
            let texts = texts.into_iter().flat_map(BTreeMap::values);
            Dockerfile::beginning(base, texts.map(String::as_str))
        };
        let Ok(index) = self.given_index(request.setup, request.cell.id.python, None) else {
            return;
        };
        let tag = self.fresh_tag(request.run);
        let build = build::Order {
            action: format!("build on the image `{base}`"),
            dockerfile: &dockerfile,
            files: Vec::new(),
            project: dockerfile.part_of(request.project),
            tag: &tag,
            mark: self.mark(request.run),
            index: &index,
        };
        // Only saves time: the build of the cell says what is wrong.
        match self.try_build(&build, base, request.interrupt) {
            Ok((build::Finished { image: Ok(_), .. }, layers)) => {
                lock(&self.standing).insert(base.to_owned(), layers);
            }
            Ok((_, layers)) => {
                let _ = self.let_go(&layers);
            }
            Err(_) => {}
        }
    }

    /// The value of Caliper's label. The engine takes up layers only from builds with the same one.
    pub(super) fn mark<'a>(&self, run: &'a RunId) -> &'a str {
        if self.options.anew { run.as_str() } else { "1" }
    }

    /// Removes the last images that were built on each base.
    pub(super) fn release_all(&self) {
        for held in std::mem::take(&mut *lock(&self.standing)).into_values() {
            // The backend is being dropped, so an error cannot be reported. The next run removes what stays.
            let _ = self.let_go(&held);
        }
    }

    /// A name that holds on to an image.
    pub(super) fn fresh_tag(&self, run: &RunId) -> String {
        let owner = Owner::this().map_or_else(|| "0-0-0".to_owned(), ToString::to_string);
        format!("{}:{owner}_{}", labels::HELD, self.fresh_name(Some(run)))
    }

    /// Makes sure that the image is there, and still the one that the cell's key speaks of. Its variables.
    fn check_base(&self, recipe: &Recipe, name: &str) -> Result<Vec<String>, BackendError> {
        let engine = &self.engine;
        let failed = |fault| engine.error(format!("look at the image `{name}`"), fault);
        let Some(base) = &recipe.base else {
            let failure = self.bases.failure(name);
            let message = failure.unwrap_or_else(|| "it was not there when the run began".into());
            return Err(BackendError::NoImage { image: name.to_owned(), message });
        };
        let now = engine.block_on(images::inspect(engine, name)).map_err(failed)?;
        match now {
            Some(image) if image.id == base.digest => Ok(image.variables().to_vec()),
            Some(image) => Err(BackendError::Refused {
                action: format!("start from the image `{name}`"),
                message: format!(
                    "it was {} when the run began and is {} now; run again to measure with that",
                    base.digest, image.id
                ),
            }),
            None => Err(BackendError::NoImage {
                image: name.to_owned(),
                message: "it was removed while the run went on".to_owned(),
            }),
        }
    }

    /// What is installed in an image that was just built, and what to import of the dependency. The inner
    /// error says what is wrong with the image.
    fn look_into(
        &self,
        request: &EnvironmentRequest<'_>,
        base: Option<&str>,
        image: &str,
    ) -> Result<Result<(Vec<Installed>, Imports), String>, BackendError> {
        let read = |output: &[u8]| Inventory::parse(output).map_err(|error| error.to_string());
        let question = installed::question(request.dependency);
        let answer = self.ask_image(image, &question, Some(request.interrupt), read)?;
        // A base without a Python has nothing installed.
        let base = match base {
            Some(base) => self.ask_image(base, &question, Some(request.interrupt), read)?.ok(),
            None => None,
        };
        let dependency = request.dependency;
        if let (Ok(inventory), Some(package)) = (&answer, &request.setup.project) {
            let name = &package.name;
            let version = inventory.version(name).and_then(|version| version.parse().ok());
            if version.as_ref() != Some(&package.version) {
                return Ok(Err(format!(
                    "{name} {} is not installed for its `python`",
                    package.version
                )));
            }
        }
        Ok(match &answer {
            Ok(inventory) => match (another(request, inventory), inventory.imports(dependency)) {
                (Some(version), _) => {
                    Err(format!("{dependency} {version} is installed for its `python`"))
                }
                (None, Some(imports)) => {
                    let mut all = inventory.installed();
                    self.name_files(request, &mut all, base.as_ref());
                    Ok((all.into_iter().map(|(one, _)| one).collect(), imports))
                }
                (None, None) => Err(format!("{dependency} is not installed for its `python`")),
            },
            Err(problem) => Err(format!("its `python` does not say what is installed: {problem}")),
        })
    }

    /// Takes a name off its image and removes its layers, as far as no other image uses them.
    pub(super) fn let_go(&self, held: &Held) -> Result<(), BackendError> {
        let engine = &self.engine;
        let removing = async {
            images::untag(engine, &held.tag).await?;
            for layer in held.layers.iter().rev() {
                // What stays is needed by an image of another cell, and goes with that.
                images::remove_layer(engine, layer).await?;
            }
            Ok(())
        };
        engine.block_on(removing).map_err(|fault| engine.error("remove an image", fault))
    }
}
