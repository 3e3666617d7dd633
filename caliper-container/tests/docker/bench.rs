//! What the tests share: an engine, a project, a package, and a look at what is left afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use caliper_container::backend::{
    BackendError, BuildEstimate, Built, ContainerBackend as _, Environment, EnvironmentRequest,
    RunId, RunRequest, TestRun,
};
use caliper_container::docker::{DockerBackend, DockerOptions, EngineKind};
use caliper_container::interrupt::Interrupt;
use caliper_container::project::Project;
use caliper_container::results::ResultFile;
use caliper_core::facts::record::TestEnd;
use caliper_core::names::{PackageName, Sha256};
use caliper_core::question::files::FilesInMemory;
use caliper_core::question::grid::{CellId, Choice, DistFile};
use caliper_core::question::interpreter::Interpreter;
use caliper_core::question::limits::Limits;
use caliper_core::question::modules::ImportChoice;
use caliper_core::question::plan::{PlannedCell, Recipe, Setup, Test};
use caliper_core::question::selection::UnknownUploadTime;
use caliper_core::question::template::{Args, Template};
use caliper_core::question::testing;

pub(crate) const IMAGE: &str = "python:3.11";

/// One run of Caliper on one cell, of the package `tiny`.
pub(crate) struct Bench {
    pub(crate) backend: DockerBackend,
    pub(crate) setup: Setup,
    pub(crate) interrupt: Interrupt,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) run: RunId,
    dependency: PackageName,
    cell: PlannedCell,
    interpreter: Interpreter,
    files: FilesInMemory,
    before: Seen,
    // One after the other: each looks at what the engine has before and after.
    _alone: MutexGuard<'static, ()>,
}

/// What an engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Containers and layers that carry Caliper's label.
    pub(crate) ours: BTreeSet<String>,
    /// All images with names, and what the names stand for.
    pub(crate) named: BTreeSet<String>,
    pub(crate) volumes: BTreeSet<String>,
}

/// Which engine is tested.
pub(crate) fn engine() -> EngineKind {
    match std::env::var("CALIPER_TEST_ENGINE").as_deref() {
        Ok("podman") => EngineKind::Podman,
        Ok("docker") | Err(_) => EngineKind::Docker,
        Ok(other) => panic!("CALIPER_TEST_ENGINE is `{other}`, and neither docker nor podman"),
    }
}

/// The command of that engine.
pub(crate) fn command() -> Command {
    match engine() {
        EngineKind::Podman => {
            let mut command = Command::new("podman");
            // Through the socket, of which CONTAINER_HOST says where it is.
            command.arg("--remote");
            command
        }
        _ => Command::new("docker"),
    }
}

/// What the command of the engine prints.
pub(crate) fn docker(arguments: &[&str]) -> String {
    let output = command().args(arguments).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub(crate) fn lines(text: &str) -> BTreeSet<String> {
    text.lines().map(str::to_owned).collect()
}

impl Seen {
    pub(crate) fn now() -> Self {
        let label = ["--filter", "label=dev.caliper"];
        let containers = docker(&[&["ps", "-aq", "--no-trunc"], &label[..]].concat());
        let layers = docker(&[&["images", "-aq", "--no-trunc"], &label[..]].concat());
        Self {
            ours: lines(&containers).union(&lines(&layers)).cloned().collect(),
            named: lines(&docker(&[
                "images",
                "--no-trunc",
                "--filter",
                "dangling=false",
                "--format",
                "{{.Repository}}:{{.Tag}} {{.ID}}",
            ])),
            volumes: lines(&docker(&["volume", "ls", "-q"])),
        }
    }
}

impl Bench {
    /// `None`, loudly, without an engine.
    pub(crate) fn new() -> Option<Self> {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let skip = |why: String| {
            assert!(std::env::var_os("CALIPER_REQUIRE_ENGINE").is_none(), "{why}");
            // Past the capture of the test runner, which would hide it.
            let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
            None
        };
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        let options = DockerOptions { kind: engine(), cache, ..DockerOptions::default() };
        let backend = match DockerBackend::connect(options) {
            Ok(backend) => backend,
            Err(error) => return skip(format!("no engine: {error}")),
        };
        if command()
            .args(["image", "inspect", IMAGE])
            .output()
            .is_ok_and(|output| !output.status.success())
        {
            return skip(format!("no image {IMAGE}; tests/images/build.sh makes it"));
        }
        let before = Seen::now();
        let setup = Setup {
            dockerfile: None,
            base: Template::new("base", "python:{{ python }}"),
            args: Args::default(),
            requirements: Vec::new(),
            constraints: Vec::new(),
            build_constraints: Vec::new(),
            project: None,
            lifted: Vec::new(),
            allowed_files: Vec::new(),
            overlays: Vec::new(),
            import: ImportChoice::default(),
            variables: BTreeMap::new(),
            group: None,
            tests: Vec::new(),
            results: Vec::new(),
            limits: Limits { timeout: Duration::from_secs(60), ..Limits::default() },
            as_of: None,
            lock: None,
            unknown_upload_time: UnknownUploadTime::default(),
        };
        let python = "3.11".parse().unwrap();
        let interpreters = backend.interpreters(&BTreeSet::from([python]), &setup).unwrap();
        let project = folder.path().join("project");
        std::fs::create_dir_all(project.join("data")).unwrap();
        std::fs::write(project.join("script.py"), "print('from the project')\n").unwrap();
        std::fs::write(project.join("data/numbers.txt"), "1 2 3\n").unwrap();
        let (file, path) = wheel(folder.path());
        let cell = PlannedCell {
            id: CellId::new("1.0".parse().unwrap(), python),
            choice: Choice::File { abi: "cp311".parse().unwrap(), file: file.clone() },
            setup: None,
        };
        Some(Self {
            backend,
            setup,
            interrupt: Interrupt::default(),
            run: RunId::fresh(),
            dependency: "Tiny".parse().unwrap(),
            cell,
            interpreter: interpreters.into_iter().next().unwrap(),
            files: FilesInMemory::default().with(file.filename, path),
            before,
            folder,
            _alone: alone,
        })
    }

    /// Connects anew.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut DockerOptions)) -> Self {
        let cache = self.folder.path().join("cache");
        let mut options = DockerOptions { kind: engine(), cache, ..DockerOptions::default() };
        change(&mut options);
        self.backend = DockerBackend::connect(options).unwrap();
        self
    }

    pub(crate) fn dockerfile(&mut self, text: &str) {
        self.setup.dockerfile = Some(Template::new("Dockerfile", text));
    }

    pub(crate) fn order<T>(&self, work: impl FnOnce(&EnvironmentRequest<'_>) -> T) -> T {
        self.order_of(&self.cell, work)
    }

    /// The same cell in another variant.
    pub(crate) fn variant(&self, name: &str) -> PlannedCell {
        let mut cell = self.cell.clone();
        cell.id.variant.insert("which", name);
        cell
    }

    pub(crate) fn order_of<T>(
        &self,
        cell: &PlannedCell,
        work: impl FnOnce(&EnvironmentRequest<'_>) -> T,
    ) -> T {
        let project = Project::read(&self.folder.path().join("project"), None).unwrap();
        work(&EnvironmentRequest {
            run: &self.run,
            dependency: &self.dependency,
            cell,
            interpreter: &self.interpreter,
            setup: &self.setup,
            project: &project,
            files: &self.files,
            alone: false,
            interrupt: &self.interrupt,
        })
    }

    pub(crate) fn recipe(&self) -> Recipe {
        self.order(|order| self.backend.recipe(order)).unwrap()
    }

    pub(crate) fn estimate(&self) -> BuildEstimate {
        self.order(|order| {
            let recipe = self.backend.recipe(order).unwrap();
            self.backend.estimate(order, &recipe, &Self::key(order, &recipe))
        })
        .unwrap()
    }

    /// Stands for [`Identity::environment`](caliper_core::facts::identity::Identity::environment), which
    /// is made from a plan.
    pub(crate) fn key(order: &EnvironmentRequest<'_>, recipe: &Recipe) -> Sha256 {
        let file = order.cell.file().map(|file| file.url.as_str());
        Sha256::of(format!("{} {file:?} {recipe:?}", order.dependency).as_bytes())
    }

    pub(crate) fn try_build(&self) -> Result<Built<'_>, BackendError> {
        self.try_build_of(&self.cell)
    }

    pub(crate) fn try_build_of(&self, cell: &PlannedCell) -> Result<Built<'_>, BackendError> {
        self.order_of(cell, |order| {
            let recipe = self.backend.recipe(order)?;
            self.backend.build(order, &recipe, &Self::key(order, &recipe))
        })
    }

    pub(crate) fn build(&self) -> Box<dyn Environment + '_> {
        let built = self.try_build().unwrap();
        let log = String::from_utf8_lossy(&built.log).into_owned();
        built.environment.unwrap_or_else(|reason| panic!("{reason}\n{log}"))
    }

    /// Runs in `environment`, with limits and results as they are set up.
    pub(crate) fn runs<'a>(&'a self, environment: &'a dyn Environment) -> Runs<'a> {
        Runs { bench: self, environment, setup: self.setup.clone() }
    }

    /// Runs a command, and says how it ended and what it printed.
    pub(crate) fn test(
        &self,
        environment: &dyn Environment,
        command: &[&str],
    ) -> (TestEnd, String, String) {
        self.runs(environment).test(command)
    }

    /// Asserts that the engine has again what it had at the start. Others use the engine too: what
    /// they make and remove meanwhile is waited for.
    pub(crate) fn assert_clean(self) {
        let Self { backend, before, .. } = self;
        drop(backend);
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let now = Seen::now();
            let new = |now: &BTreeSet<String>, before: &BTreeSet<String>| -> Vec<String> {
                now.difference(before).cloned().collect()
            };
            let left = new(&now.ours, &before.ours);
            let named = new(&now.named, &before.named);
            let named: Vec<&String> =
                named.iter().filter(|name| name.contains("caliper")).collect();
            let volumes = new(&now.volumes, &before.volumes);
            let mut lost = new(&before.named, &now.named);
            lost.retain(|name| !name.starts_with("caliper/"));
            if left.is_empty() && named.is_empty() && volumes.is_empty() && lost.is_empty() {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "left behind: {left:?} {named:?} {volumes:?}; gone: {lost:?}"
            );
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

/// What an error says, in the words of the `docker` backend whichever is tested.
pub(crate) fn of_docker(error: &BackendError) -> String {
    error.to_string().replace(&format!("`{}`", engine().name()), "`docker`")
}

/// A test with this command.
pub(crate) fn test(command: &[&str]) -> Test {
    Test {
        name: "test".to_owned(),
        command: command.iter().map(ToString::to_string).collect(),
        kind: caliper_core::question::plan::TestKind::Command,
        environment: std::collections::BTreeMap::new(),
        timeout: None,
        repeat: 1,
        seeds: None,
        files: None,
    }
}

/// Makes the wheel of `tiny` 1.0, whose module is called `tinier`.
fn wheel(folder: &std::path::Path) -> (DistFile, PathBuf) {
    let filename = "tiny-1.0-py2.py3-none-any.whl";
    let path = folder.join(filename);
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    for (name, text) in [
        ("tinier/__init__.py", "number = 1\n"),
        (
            "tiny-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: Tiny\nVersion: 1.0\n\nName: x\n",
        ),
        (
            "tiny-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py2-none-any\nTag: py3-none-any\n",
        ),
        (
            "tiny-1.0.dist-info/RECORD",
            "tinier/__init__.py,,\ntiny-1.0.dist-info/METADATA,,\ntiny-1.0.dist-info/WHEEL,,\n\
             tiny-1.0.dist-info/RECORD,,\n",
        ),
    ] {
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        archive.start_file(name, options).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap();
    let mut file = testing::wheel(filename);
    file.sha256 = Some(Sha256::of(&std::fs::read(&path).unwrap()));
    (file, path)
}

/// Runs of tests in one environment, with a setup of their own.
pub(crate) struct Runs<'a> {
    pub(crate) bench: &'a Bench,
    pub(crate) environment: &'a dyn Environment,
    pub(crate) setup: Setup,
}

impl Runs<'_> {
    pub(crate) fn try_test(&self, test: &Test) -> Result<TestRun, BackendError> {
        self.try_meanwhile(test, None)
    }

    /// Runs a test, and gives what is complete before its end to `meanwhile`.
    pub(crate) fn try_meanwhile(
        &self,
        test: &Test,
        meanwhile: Option<&(dyn Fn(&ResultFile) + Sync)>,
    ) -> Result<TestRun, BackendError> {
        self.bench.order(|order| {
            let limits = &self.setup.limits;
            let timeout = test.timeout.unwrap_or(limits.timeout);
            self.environment.run(&RunRequest {
                cell: &order.cell.id,
                test,
                project: order.project,
                limits: &Limits { timeout, ..limits.clone() },
                results: &self.setup.results,
                meanwhile,
                interrupt: order.interrupt,
            })
        })
    }

    /// Runs a command, and says how it ended and what it printed.
    pub(crate) fn test(&self, command: &[&str]) -> (TestEnd, String, String) {
        let run = self.try_test(&test(command)).unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        (run.end, text(&run.output.bytes), text(&run.error.bytes))
    }
}
