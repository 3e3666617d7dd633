//! What the tests of the local backend stand on.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use caliper_core::names::PackageName;
use caliper_core::question::files::FilesInMemory;
use caliper_core::question::grid::{CellId, Choice};
use caliper_core::question::limits::Limits;
use caliper_core::question::modules::ImportChoice;
use caliper_core::question::plan::{PlannedCell, Setup, Test};
use caliper_core::question::selection::UnknownUploadTime;
use caliper_core::question::template::{Args, Template};
use caliper_core::question::testing;

use crate::backend::{ContainerBackend as _, RunId, RunRequest, TestRun};
use crate::interrupt::Interrupt;
use crate::local::*;
use crate::project::Project;

/// All that an order borrows.
pub(super) struct Bench {
    pub(super) folder: tempfile::TempDir,
    pub(super) run: RunId,
    pub(super) dependency: PackageName,
    pub(super) cell: PlannedCell,
    pub(super) interpreter: Interpreter,
    pub(super) setup: Setup,
    pub(super) project: Project,
    pub(super) files: FilesInMemory,
    pub(super) interrupt: Interrupt,
    pub(super) backend: LocalBackend,
}

impl Bench {
    /// A bench with these files in the project, and this one to install.
    pub(super) fn new(project: &[(&str, &str)], wheel: impl FnOnce(&Path) -> PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("project");
        fs::create_dir(&root).unwrap();
        for (name, text) in project {
            fs::write(root.join(name), text).unwrap();
        }
        let wheel = wheel(folder.path());
        let filename = wheel.file_name().unwrap().to_str().unwrap().to_owned();
        let options = LocalOptions {
            offline: true,
            ..LocalOptions::new(folder.path().join("cache"), Box::new(|| Err("no wheel".into())))
        };
        let backend = LocalBackend::new(options);
        let setup = setup();
        let pythons = backend.interpreters(&BTreeSet::new(), &setup).unwrap();
        let interpreter = pythons.last().expect("this machine has a Python").clone();
        let file = testing::wheel(&filename);
        let abi = interpreter.abi.clone();
        Self {
            run: RunId::fresh(),
            dependency: "demo".parse().unwrap(),
            cell: PlannedCell {
                id: CellId::new("1.0".parse().unwrap(), interpreter.python),
                choice: Choice::File { file, abi },
                setup: None,
            },
            interpreter,
            setup,
            project: Project::read(&root, None).unwrap(),
            files: FilesInMemory::default().with(filename, wheel),
            interrupt: Interrupt::default(),
            backend,
            folder,
        }
    }

    /// A bench whose environment needs no `uv`, as nothing is installed in it.
    pub(super) fn bare(project: &[(&str, &str)]) -> (Self, Workspace, PathBuf) {
        let bench = Self::new(project, |folder| folder.join("demo-1.0-py3-none-any.whl"));
        let workspace = Workspace::open(&bench.folder.path().join("work"), &bench.run).unwrap();
        let place = workspace.place('e').unwrap();
        let python = bench.backend.pythons().of(bench.interpreter.python).unwrap();
        install::create(place.path(), python).unwrap();
        let environment = place.keep();
        (bench, workspace, environment)
    }

    pub(super) fn request(&self) -> EnvironmentRequest<'_> {
        EnvironmentRequest {
            run: &self.run,
            dependency: &self.dependency,
            cell: &self.cell,
            interpreter: &self.interpreter,
            setup: &self.setup,
            project: &self.project,
            files: &self.files,
            alone: false,
            interrupt: &self.interrupt,
        }
    }

    /// The request for one run of `test`.
    pub(super) fn run_of<'a>(&'a self, test: &'a Test) -> RunRequest<'a> {
        RunRequest {
            cell: &self.cell.id,
            test,
            project: &self.project,
            limits: &self.setup.limits,
            results: &self.setup.results,
            meanwhile: None,
            interrupt: &self.interrupt,
        }
    }

    /// Runs `test` once in the environment in that folder.
    pub(super) fn run(&self, at: &Path, test: &Test, workspace: &Workspace) -> TestRun {
        process::run(at, &self.run_of(test), workspace, &unlimited()).unwrap()
    }

    /// Builds the environment under a key that stands for all that `setup` asks for.
    pub(super) fn build(&self) -> Result<Made<'_>, BackendError> {
        self.backend.make(&self.request(), &self.key())
    }

    pub(super) fn key(&self) -> Sha256 {
        Sha256::of(format!("{:?}", self.setup).as_bytes())
    }
}

/// What keeps limits without control groups.
pub(super) fn unlimited() -> Keeper {
    Keeper::find(false)
}

pub(super) fn setup() -> Setup {
    Setup {
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
        variables: std::collections::BTreeMap::new(),
        group: None,
        tests: Vec::new(),
        results: Vec::new(),
        limits: Limits { timeout: Duration::from_secs(60), ..Limits::default() },
        as_of: None,
        lock: None,
        unknown_upload_time: UnknownUploadTime::default(),
    }
}

pub(super) fn test(command: &[&str]) -> Test {
    Test {
        name: "test".to_owned(),
        command: command.iter().map(ToString::to_string).collect(),
        kind: caliper_core::question::plan::TestKind::Command,
        environment: [].into(),
        timeout: None,
        repeat: 1,
        seeds: None,
        files: None,
    }
}

pub(super) fn text(captured: &crate::capture::Captured) -> String {
    String::from_utf8_lossy(&captured.bytes).into_owned()
}

/// Whether a process is there and has not ended.
pub(super) fn lives(pid: &str) -> bool {
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    processes::all().iter().any(|process| process.pid == pid && !process.ended)
}

/// Makes a wheel of `demo` with these files beside its metadata.
pub(super) fn wheel(folder: &Path, files: &[(&str, &str)], metadata: &str) -> PathBuf {
    use std::io::Write as _;
    let path = folder.join("demo-1.0-py3-none-any.whl");
    let mut archive = zip::ZipWriter::new(fs::File::create(&path).unwrap());
    let info = [
        ("METADATA", format!("Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n{metadata}")),
        ("WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n".to_owned()),
    ];
    let info = info.map(|(name, text)| (format!("demo-1.0.dist-info/{name}"), text));
    let files = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let mut record = String::new();
    for (name, text) in files.chain(info) {
        archive.start_file(&name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
        let digest = linked::encoded(Sha256::of(text.as_bytes()));
        record.push_str(&format!("{name},sha256={digest},{}\n", text.len()));
    }
    let name = "demo-1.0.dist-info/RECORD";
    archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(format!("{record}{name},,\n").as_bytes()).unwrap();
    archive.finish().unwrap();
    path
}

/// Puts the `uv` that tests are to use where the backend finds it. `false`, said loudly, if there is
/// none.
pub(super) fn has_uv(bench: &Bench) -> bool {
    let named = env::var_os("CALIPER_TEST_UV").map(PathBuf::from);
    if let Some(uv) = named.filter(|uv| uv.is_file()) {
        let folder = bench.folder.path().join("cache/tools/uv-99.0.0");
        fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink(fs::canonicalize(uv).unwrap(), folder.join("uv")).unwrap();
        return true;
    }
    let found = uv::obtain(Path::new("/nonexistent"), &|| Err("no uv".into())).is_ok();
    if !found {
        assert!(
            env::var("CALIPER_REQUIRE_ENGINE").as_deref() != Ok("1"),
            "there is no uv on PATH or in CALIPER_TEST_UV, and CALIPER_REQUIRE_ENGINE=1"
        );
        // Past the capture of the test runner, which would hide it.
        let why = "SKIPPED: there is no uv on PATH or in CALIPER_TEST_UV";
        let _ = writeln!(std::io::stderr(), "{why}");
    }
    found
}
