//! The life of a cell's image: built, looked into, run, removed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use caliper_core::question::grid::FileKind;
use caliper_core::question::limits::Limits;
use caliper_core::question::plan::{Recipe, Test};
use pep440_rs::Version;
use serde_json::json;

use super::dockerfile::{Dockerfile, WORK};
use super::installed::{self, Inventory};
use super::kept::{Kept, Key};
use super::labels::{self, Owner};
use super::{BuildReason, DockerBackend, Interrupt, build, container, images, leftovers, lock};
use crate::backend::{
    BackendError, BuildEstimate, Built, CellRequest, Environment, Granted, RunId, TestRun,
};

/// How many processes and threads a test may have that was given no limit: far more than any needs
/// that is not out of hand, and few enough for the machine to live with.
const MOST_PROCESSES: u32 = 4096;

/// The version that is installed in place of the cell's own: what is measured would be something else.
///
/// What is built from source may well call itself otherwise than its file, and did in many releases.
fn another<'a>(order: &CellRequest<'_>, inventory: &'a Inventory) -> Option<&'a str> {
    let wheel = order.cell.file().is_some_and(|file| file.kind == FileKind::Wheel);
    let version = inventory.version(order.dependency).filter(|_| wheel)?;
    let same = version.parse().is_ok_and(|version: Version| version == order.cell.id.version);
    (!same).then_some(version)
}

/// How this run holds on to an image.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) tag: String,
    /// The layers of the image that may be Caliper's, the lowest first.
    pub(super) layers: Vec<String>,
    /// Whether the image says which language its programs speak.
    sets_locale: bool,
    /// The name of the image that it is built on.
    base: String,
    /// Under which it is kept, if that may be.
    key: Option<Key>,
}

impl DockerBackend {
    pub(super) fn build_cell(
        &self,
        order: &CellRequest<'_>,
        recipe: &Recipe,
    ) -> Result<Built, BackendError> {
        let (dockerfile, base) = Self::dockerfile(order)?;
        let base = dockerfile.base.clone().unwrap_or(base);
        self.check_base(recipe, &base)?;
        let project = dockerfile.part_of(order.project);
        let key = self.key(order, recipe, &dockerfile, &project)?;
        let tag = self.fresh_tag(order.run);
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
            let built = self.hold(order, &image, held, log)?;
            return Ok(Built { reused: true, ..built });
        }
        let file = match order.cell.file() {
            Some(file) if dockerfile.uses_file => Some(order.files.fetch(file)?),
            _ => None,
        };
        self.hold_beginning(order, &base);
        let action = format!("build the image of {} {}", order.dependency, order.cell.id);
        let build = build::Order {
            action,
            dockerfile: &dockerfile,
            file,
            project,
            tag: &tag,
            mark: self.mark(order.run),
            index_url: self.options.index_url.as_deref(),
        };
        let (finished, held) = self.try_build(&build, &base, order.interrupt)?;
        let image = match finished.image {
            Ok(image) => image,
            Err(reason) => {
                self.let_go(&held)?;
                return Ok(Built::new(Err(reason), finished.log));
            }
        };
        if key.is_some() && self.options.keep > 0 {
            self.keep_log(&image.id, &finished.log);
        }
        let held = Held { sets_locale: image.sets_locale(), key, ..held };
        self.hold(order, &image, held, finished.log)
    }

    /// Takes an image down as that of a cell, if the dependency is in it.
    fn hold(
        &self,
        order: &CellRequest<'_>,
        image: &images::Image,
        held: Held,
        log: Vec<u8>,
    ) -> Result<Built, BackendError> {
        lock(&self.held).entry(image.id.clone()).or_default().push(held);
        let looked = self.look_into(order, &image.id, log);
        if !matches!(&looked, Ok(Built { environment: Ok(_), .. })) {
            let removed = self.give_back(&image.id).map_or(Ok(()), |held| self.let_go(&held));
            if looked.is_ok() {
                removed?;
            }
        }
        looked
    }

    /// What it takes to have the image of a cell.
    pub(super) fn estimate_of(
        &self,
        order: &CellRequest<'_>,
        recipe: &Recipe,
    ) -> Result<BuildEstimate, BackendError> {
        let (dockerfile, base) = Self::dockerfile(order)?;
        let key = self.key(order, recipe, &dockerfile, &dockerfile.part_of(order.project))?;
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
    fn try_build(
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
    fn hold_beginning(&self, order: &CellRequest<'_>, base: &str) {
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
        let tag = self.fresh_tag(order.run);
        let build = build::Order {
            action: format!("build on the image `{base}`"),
            dockerfile: &dockerfile,
            file: None,
            project: dockerfile.part_of(order.project),
            tag: &tag,
            mark: self.mark(order.run),
            index_url: self.options.index_url.as_deref(),
        };
        // Only saves time: the build of the cell says what is wrong.
        match self.try_build(&build, base, order.interrupt) {
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
    fn mark<'a>(&self, run: &'a RunId) -> &'a str {
        if self.options.anew { run.as_str() } else { "1" }
    }

    /// Lets go of everything.
    pub(super) fn release(&self) {
        let layers = std::mem::take(&mut *lock(&self.standing));
        let held = std::mem::take(&mut *lock(&self.held));
        for held in held.into_values().flatten().chain(layers.into_values()) {
            // Nobody is left to tell; the next run finds what stays.
            let _ = self.let_go(&held);
        }
    }

    /// A name that holds on to an image.
    fn fresh_tag(&self, run: &RunId) -> String {
        let owner = Owner::this().map_or_else(|| "0-0-0".to_owned(), ToString::to_string);
        format!("{}:{owner}_{}", labels::HELD, self.fresh_name(Some(run)))
    }

    /// Makes sure that the image is there, and still the one that the cell's key speaks of.
    fn check_base(&self, recipe: &Recipe, name: &str) -> Result<(), BackendError> {
        let engine = &self.engine;
        let failed = |fault| engine.error(format!("look at the image `{name}`"), fault);
        let Some(base) = &recipe.base else {
            let failure = self.bases.failure(name);
            let message = failure.unwrap_or_else(|| "it was not there when the run began".into());
            return Err(BackendError::NoImage { image: name.to_owned(), message });
        };
        let now = engine.block_on(images::inspect(engine, name)).map_err(failed)?;
        match now {
            Some(image) if image.id == base.digest => Ok(()),
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

    /// Finds out what is installed in an image that was just built.
    fn look_into(
        &self,
        order: &CellRequest<'_>,
        image: &str,
        mut log: Vec<u8>,
    ) -> Result<Built, BackendError> {
        let read = |output: &[u8]| Inventory::parse(output).map_err(|error| error.to_string());
        let question = installed::question(order.dependency);
        let answer = self.ask_image(image, &question, Some(order.interrupt), read)?;
        let problem = match &answer {
            Ok(inventory) => match (another(order, inventory), inventory.modules(order.dependency))
            {
                (Some(version), _) => {
                    format!("{} {version} is installed for its `python`", order.dependency)
                }
                (None, Some(modules)) => {
                    let installed = inventory.installed();
                    let environment = Environment { id: image.to_owned(), installed, modules };
                    return Ok(Built::new(Ok(environment), log));
                }
                (None, None) => format!("{} is not installed for its `python`", order.dependency),
            },
            Err(problem) => format!("its `python` does not say what is installed: {problem}"),
        };
        log.extend_from_slice(
            format!(
                "caliper: the image was built, but {problem}. The Dockerfile must install \
                 {{{{ filename }}}} or {{{{ basename }}}} with the pip of that `python`.\n"
            )
            .as_bytes(),
        );
        Ok(Built::new(Err(BuildReason::Unknown), log))
    }

    pub(super) fn run_test(
        &self,
        order: &CellRequest<'_>,
        environment: &Environment,
        test: &Test,
    ) -> Result<TestRun, BackendError> {
        let action = format!("run the test `{}` of {}", test.name, order.cell.id);
        let mut container = self.container(&action, &environment.id, Some(order.run));
        container.labels[labels::CELL] = json!(order.cell.id.to_string());
        container.command.clone_from(&test.command);
        let (dockerfile, _) = Self::dockerfile(order)?;
        // A template that copies the project is taken at its word, but for a test that is not to find
        // all of it.
        if !dockerfile.copies_all || test.files.is_some() {
            container.folder = Some(WORK);
            container.project = Some(order.project.clone());
        }
        container.results.clone_from(&order.setup.results);
        let limits = &order.setup.limits;
        container.limits = Limits {
            timeout: test.timeout.unwrap_or(limits.timeout),
            pids: limits.pids.or(self.facts.limits_pids.then_some(MOST_PROCESSES)),
            ..limits.clone()
        };
        let sets_locale = {
            let held = lock(&self.held);
            held.get(&environment.id).and_then(|held| held.first()).map(|held| held.sets_locale)
        };
        if sets_locale == Some(false) {
            // Python 3.6 and older print only ASCII where nobody says otherwise.
            container.environment.push("LANG=C.UTF-8".to_owned());
        }
        // As on the `local` backend: between releases the order of sets is noise.
        container.environment.push("PYTHONHASHSEED=0".to_owned());
        container
            .environment
            .extend(test.environment.iter().map(|(name, value)| format!("{name}={value}")));
        let finished = container.run(&self.engine, Some(order.interrupt))?;
        Ok(TestRun {
            end: finished.end,
            seconds: finished.seconds,
            granted: self.granted(finished.granted),
            // The engine does not keep it, and to ask it while a test runs would slow the test down.
            peak_memory: None,
            output: finished.output,
            error: finished.error,
            files: finished.files,
        })
    }

    fn granted(&self, limits: Limits) -> Granted {
        let cgroup = self.facts.cgroup_version.as_deref();
        let cgroup = cgroup.map(|version| format!(", control groups v{version}"));
        let version = &self.facts.version;
        let by = format!("{} {version}{}", self.facts.kind.name(), cgroup.unwrap_or_default());
        Granted { limits, by }
    }

    /// A container from `image` without limits, to be told what to run.
    pub(super) fn container(
        &self,
        action: &str,
        image: &str,
        run: Option<&RunId>,
    ) -> container::Order {
        let mut labels = json!({ labels::OURS: "1" });
        if let Some(owner) = Owner::this() {
            labels[labels::OWNER] = json!(owner.to_string());
        }
        if let Some(run) = run {
            labels[labels::RUN] = json!(run.as_str());
        }
        container::Order {
            action: action.to_owned(),
            name: format!("caliper-{}", self.fresh_name(run)),
            image: image.to_owned(),
            command: Vec::new(),
            folder: None,
            project: None,
            results: Vec::new(),
            environment: Vec::new(),
            labels,
            limits: Limits::default(),
            swap_limit: self.facts.limits_swap,
            init: self.facts.init,
        }
    }

    /// Gives the image of a cell back. It stays if it is to be kept, and until the next cell on the
    /// same base is done.
    pub(super) fn remove_image(&self, image: &str) -> Result<(), BackendError> {
        let Some(held) = self.give_back(image) else { return Ok(()) };
        if let Some(key) = held.key.as_ref().filter(|_| self.options.keep > 0) {
            self.keep(image, key)?;
        }
        let last = lock(&self.standing).insert(held.base.clone(), held);
        last.map_or(Ok(()), |last| self.let_go(&last))
    }

    /// Takes one hold on an image out of the account.
    fn give_back(&self, image: &str) -> Option<Held> {
        let mut all = lock(&self.held);
        let held = all.get_mut(image).and_then(Vec::pop);
        if all.get(image).is_some_and(Vec::is_empty) {
            all.remove(image);
        }
        held
    }

    /// Takes a name off its image and removes the layers that nobody else needs.
    fn let_go(&self, held: &Held) -> Result<(), BackendError> {
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
