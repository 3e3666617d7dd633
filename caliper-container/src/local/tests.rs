//! The local backend with this machine's Pythons, processes and files.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use caliper_core::files::FilesInMemory;
use caliper_core::grid::{CellId, Choice, DistFile, FileKind};
use caliper_core::names::{PackageName, Timestamp};
use caliper_core::plan::{Limits, PlannedCell};
use caliper_core::record::{BuildReason, TestEnd};
use caliper_core::template::{Args, Template};

use super::*;
use crate::backend::RunId;
use crate::interrupt::Interrupt;
use crate::project::Project;

/// All that an order borrows.
struct Bench {
    folder: tempfile::TempDir,
    run: RunId,
    dependency: PackageName,
    cell: PlannedCell,
    interpreter: Interpreter,
    setup: Setup,
    project: Project,
    files: FilesInMemory,
    interrupt: Interrupt,
    backend: LocalBackend,
}

impl Bench {
    /// A bench with these files in the project, and this one to install.
    fn new(project: &[(&str, &str)], wheel: impl FnOnce(&Path) -> PathBuf) -> Self {
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
        let file = DistFile {
            url: format!("https://files.example/{filename}"),
            filename: filename.clone(),
            sha256: None,
            size: None,
            kind: FileKind::Wheel,
            upload_time: None,
            requires_python: None,
            yanked: false,
        };
        let abi = interpreter.abi.clone();
        Self {
            run: RunId::fresh(),
            dependency: "demo".parse().unwrap(),
            cell: PlannedCell {
                id: CellId::new("1.0".parse().unwrap(), interpreter.python),
                choice: Choice::File { file, abi },
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
    fn bare(project: &[(&str, &str)]) -> (Self, Workspace, Environment) {
        let bench = Self::new(project, |folder| folder.join("demo-1.0-py3-none-any.whl"));
        let workspace = Workspace::open(&bench.folder.path().join("work"), &bench.run).unwrap();
        let place = workspace.place('e').unwrap();
        let python = bench.backend.pythons().of(bench.interpreter.python).unwrap();
        environment::create(place.path(), python).unwrap();
        let id = place.keep().to_str().unwrap().to_owned();
        (bench, workspace, Environment { id, installed: Vec::new(), modules: Vec::new() })
    }

    fn order(&self) -> CellOrder<'_> {
        CellOrder {
            run: &self.run,
            dependency: &self.dependency,
            cell: &self.cell,
            interpreter: &self.interpreter,
            setup: &self.setup,
            project: &self.project,
            files: &self.files,
            interrupt: &self.interrupt,
        }
    }

    fn build(&self) -> Result<Built, BackendError> {
        let order = self.order();
        let recipe = self.backend.recipe(&order).unwrap();
        self.backend.build(&order, &recipe)
    }
}

fn setup() -> Setup {
    Setup {
        dockerfile: None,
        base: Template::new("base", "python:{{ python }}"),
        args: Args::default(),
        requirements: Vec::new(),
        tests: Vec::new(),
        limits: Limits { timeout: Duration::from_secs(60), ..Limits::default() },
        as_of: None,
    }
}

fn test(command: &[&str]) -> Test {
    Test {
        name: "test".to_owned(),
        command: command.iter().map(ToString::to_string).collect(),
        environment: [].into(),
        timeout: None,
        repeat: 1,
    }
}

fn text(captured: &crate::capture::Captured) -> String {
    String::from_utf8_lossy(&captured.bytes).into_owned()
}

/// Whether a process is there and has not ended.
fn lives(pid: &str) -> bool {
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    processes::all().iter().any(|process| process.pid == pid && !process.ended)
}

/// Makes a wheel of `demo` with these files beside its metadata.
fn wheel(folder: &Path, files: &[(&str, &str)], metadata: &str) -> PathBuf {
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
        record.push_str(&format!("{name},,\n"));
    }
    let name = "demo-1.0.dist-info/RECORD";
    archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(format!("{record}{name},,\n").as_bytes()).unwrap();
    archive.finish().unwrap();
    path
}

/// Puts the `uv` that tests are to use where the backend finds it. `false`, said loudly, if there is
/// none.
fn has_uv(bench: &Bench) -> bool {
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
        eprintln!("SKIPPED: there is no uv on PATH or in CALIPER_TEST_UV");
    }
    found
}

#[test]
fn a_test_sees_a_copy_of_the_project_and_little_else() {
    let (bench, workspace, environment) = Bench::bare(&[(
        "look.py",
        "import os, sys\n\
         open('look.py', 'a').write('#')\n\
         os.mkdir('made'); os.chmod('made', 0o500)\n\
         print(os.getcwd() == os.path.realpath(os.path.dirname(__file__)), os.listdir('.'))\n\
         print(sys.prefix != sys.base_prefix, sys.prefix == os.environ['VIRTUAL_ENV'])\n\
         print([p for p in sys.path if 'site-packages' in p or 'dist-packages' in p] ==\n\
               [sys.prefix + '/lib/python%d.%d/site-packages' % sys.version_info[:2]])\n\
         print(sorted(n for n in os.environ if 'PROXY' not in n.upper() and '_CA_' not in n and 'SSL' not in n))\n\
         print(os.environ['SEED'], repr(sys.stdin.read()), os.path.exists(os.environ['HOME']))\n\
         sys.stderr.buffer.write(b'\\xff\\x00'); sys.exit(3)\n",
    )]);
    let mut test = test(&["python", "look.py"]);
    test.environment.insert("SEED".into(), "7".into());
    let run = process::run(&bench.order(), &environment, &test, &workspace).unwrap();
    assert_eq!(run.end, TestEnd::Exited(3), "{}", text(&run.error));
    assert_eq!(run.error.bytes, b"\xff\x00");
    insta::assert_snapshot!(text(&run.output), @"
    True ['look.py', 'made']
    True True
    True
    ['CALIPER_TEST_ID', 'HOME', 'LANG', 'PATH', 'PYTHONHASHSEED', 'PYTHONNOUSERSITE', 'SEED', 'TMPDIR', 'VIRTUAL_ENV']
    7 '' True
    ");
    assert!(run.seconds > 0.0 && run.seconds < 30.0);
    let original = fs::read_to_string(bench.folder.path().join("project/look.py")).unwrap();
    assert!(!original.ends_with('#'));
    let root = workspace.folder().to_owned();
    drop(workspace);
    assert!(!root.exists());
}

#[test]
fn programs_end_as_they_end() {
    let script = "#!/nonexistent/python\n";
    let (bench, workspace, environment) = Bench::bare(&[("data.txt", "x"), ("bad.py", script)]);
    {
        use std::os::unix::fs::PermissionsExt as _;
        let path = bench.folder.path().join("project/bad.py");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let ends = |command: &[&str]| {
        process::run(&bench.order(), &environment, &test(command), &workspace).unwrap().end
    };
    let python = |program: &str| ends(&["python", "-c", program]);
    assert_eq!(python("pass"), TestEnd::Exited(0));
    assert_eq!(python("import os; os.kill(os.getpid(), 11)"), TestEnd::Signalled(11));
    assert_eq!(python("import os; os.abort()"), TestEnd::Signalled(6));
    let not_run: Vec<String> = [
        &["no-such-program"][..],
        &["./data.txt"],
        &["data.txt"],
        &["./bad.py"],
        &["./none.py"],
        &["/"],
        &["python", "\0"],
    ]
    .iter()
    .map(|command| match ends(command) {
        TestEnd::NotRun { reason } => reason,
        other => panic!("{command:?}: {other:?}"),
    })
    .collect();
    insta::assert_snapshot!(not_run.join("\n"), @"
    `no-such-program`: No such file or directory (os error 2)
    `./data.txt`: Permission denied (os error 13)
    `data.txt`: No such file or directory (os error 2)
    `./bad.py`: the interpreter in its first line: No such file or directory (os error 2)
    `./none.py`: No such file or directory (os error 2)
    `/`: Permission denied (os error 13)
    `python`: nul byte found in provided data
    ");
}

#[test]
fn a_limit_on_time_ends_all_that_a_test_started() {
    let (bench, workspace, environment) = Bench::bare(&[(
        "stay.py",
        "import os, signal, subprocess, sys, time\n\
         signal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
         sleep = [sys.executable, '-c', 'import time; time.sleep(600)']\n\
         child = subprocess.Popen(sleep, env={}, start_new_session=True)\n\
         print(child.pid, flush=True)\n\
         time.sleep(600)\n",
    )]);
    let mut test = test(&["python", "stay.py"]);
    test.timeout = Some(Duration::from_secs(2));
    let begun = Instant::now();
    let run = process::run(&bench.order(), &environment, &test, &workspace).unwrap();
    assert_eq!(run.end, TestEnd::TimedOut);
    assert!(begun.elapsed() < Duration::from_secs(10));
    // It has neither the mark nor the group, but its parent was still there.
    assert!(!lives(&text(&run.output)));
}

const DAEMON: &str = "import os, subprocess, sys\n\
    r, w = os.pipe()\n\
    if os.fork() == 0:\n\
    \x20   os.setsid()\n\
    \x20   if os.fork() == 0:\n\
    \x20       os.write(w, str(os.getpid()).encode()); os.close(w)\n\
    \x20       import time; time.sleep(600)\n\
    \x20   os._exit(0)\n\
    os.wait(); os.close(w)\n\
    print(os.read(r, 20).decode(), flush=True)\n";

#[test]
fn a_daemon_that_is_left_behind_is_ended_and_waited_for_by_nobody() {
    let (bench, workspace, environment) = Bench::bare(&[("daemon.py", DAEMON)]);
    let begun = Instant::now();
    // Several side by side: none ends what is another's.
    let runs: Vec<TestRun> = thread::scope(|scope| {
        let run = || {
            let test = test(&["python", "daemon.py"]);
            process::run(&bench.order(), &environment, &test, &workspace).unwrap()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(begun.elapsed() < Duration::from_secs(20));
    for run in &runs {
        assert_eq!(run.end, TestEnd::Exited(0), "{}", text(&run.error));
        assert!(!lives(&text(&run.output)), "{}", text(&run.output));
    }
}

#[test]
fn a_test_does_not_end_what_another_started() {
    let wait = "import subprocess, sys\n\
        child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3)'], start_new_session=True)\n\
        print(child.wait())\n";
    let (bench, workspace, environment) = Bench::bare(&[("daemon.py", DAEMON), ("wait.py", wait)]);
    thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let test = test(&["python", "wait.py"]);
            process::run(&bench.order(), &environment, &test, &workspace).unwrap()
        });
        thread::sleep(Duration::from_millis(300));
        for _ in 0..3 {
            let test = test(&["python", "daemon.py"]);
            process::run(&bench.order(), &environment, &test, &workspace).unwrap();
        }
        assert_eq!(text(&waits.join().unwrap().output), "0\n");
    });
}

#[test]
fn output_without_end_is_cut_and_ended() {
    let (mut bench, workspace, environment) = Bench::bare(&[]);
    bench.setup.limits.output = 1000;
    let mut test = test(&["python", "-c", "while True: print('x' * 1000)"]);
    test.timeout = Some(Duration::from_secs(1));
    let run = process::run(&bench.order(), &environment, &test, &workspace).unwrap();
    assert_eq!(run.end, TestEnd::TimedOut);
    assert_eq!(run.output.bytes.len(), 1000);
    assert!(run.output.dropped > 10_000);
    assert!(run.peak_memory.is_none_or(|bytes| bytes > 1 << 20));
}

#[test]
fn an_interrupt_ends_a_test_at_once() {
    let (bench, workspace, environment) = Bench::bare(&[]);
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(300));
            bench.interrupt.raise();
        });
        let begun = Instant::now();
        let test = test(&["python", "-c", "import time; time.sleep(60)"]);
        let error = process::run(&bench.order(), &environment, &test, &workspace).unwrap_err();
        assert!(matches!(error, BackendError::Interrupted), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(5));
    });
}

#[test]
fn an_environment_that_is_gone_is_not_the_next_tests_fault() {
    let (bench, workspace, environment) = Bench::bare(&[]);
    work::remove(Path::new(&environment.id)).unwrap();
    let test = test(&["python", "-c", "pass"]);
    let error = process::run(&bench.order(), &environment, &test, &workspace).unwrap_err();
    assert!(matches!(error, BackendError::Machine { .. }), "{error}");
}

#[test]
fn what_cannot_be_given_is_refused() {
    let backend = Bench::bare(&[]).0.backend;
    let refused = |change: &dyn Fn(&mut Setup)| {
        let mut setup = setup();
        change(&mut setup);
        backend.check(&setup).unwrap_err().to_string()
    };
    backend.check(&setup()).unwrap();
    let refusals = [
        refused(&|setup| setup.limits.memory = Some(1)),
        refused(&|setup| setup.limits.idle = Some(Duration::from_secs(1))),
        refused(&|setup| setup.limits.network = Network::None),
        refused(&|setup| setup.dockerfile = Some(Template::new("Dockerfile", "FROM x"))),
    ];
    insta::assert_snapshot!(refusals.join("\n"), @"
    the `local` backend cannot give a limit on memory (`limits.memory`); pass `--backend docker`, or remove it from the configuration
    the `local` backend cannot give a limit on idle time (`limits.idle`); no backend can yet; remove it from the configuration
    the `local` backend cannot give tests without a network (`limits.network`); pass `--backend docker`, or remove it from the configuration
    the `local` backend cannot give what a `dockerfile` says; pass `--backend docker`, or remove it from the configuration
    ");
}

#[test]
fn an_environment_is_made_used_and_removed() {
    let module = "import os\ndef main(): print('demo in ' + os.environ['VIRTUAL_ENV'])\n";
    let scripts = "[console_scripts]\ndemo-run = demo_module:main\n";
    let bench = Bench::new(&[], |folder| {
        let files =
            [("demo_module/__init__.py", module), ("demo-1.0.dist-info/entry_points.txt", scripts)];
        wheel(folder, &files, "")
    });
    if !has_uv(&bench) {
        return;
    }
    let built = bench.build().unwrap();
    let environment = built.environment.unwrap();
    assert_eq!(environment.modules, ["demo_module"]);
    let installed: Vec<String> =
        environment.installed.iter().map(|one| format!("{}=={}", one.name, one.version)).collect();
    assert_eq!(installed, ["demo==1.0"]);

    let order = bench.order();
    let import = Test::import(&environment.modules);
    let run = bench.backend.run(&order, &environment, &import).unwrap();
    assert_eq!(run.end, TestEnd::Exited(0), "{}", text(&run.error));
    // A script of the environment runs on its Python.
    let run = bench.backend.run(&order, &environment, &test(&["demo-run"])).unwrap();
    assert_eq!(text(&run.output), format!("demo in {}\n", environment.id), "{}", text(&run.error));

    bench.backend.remove(&environment).unwrap();
    bench.backend.remove(&environment).unwrap();
    assert!(!Path::new(&environment.id).exists());
    let Bench { backend, folder, .. } = bench;
    drop(backend);
    assert_eq!(fs::read_dir(folder.path().join("cache/work")).unwrap().count(), 1);
}

#[test]
fn a_build_that_fails_says_why_and_leaves_nothing() {
    let cases: &[(&str, BuildReason)] = &[
        // Nothing but the cache may be asked, so it is not known whether there is one.
        ("Requires-Dist: no-such-thing\n", BuildReason::Network),
        ("Requires-Python: <3\n", BuildReason::RequiresPython),
    ];
    for (metadata, reason) in cases {
        let bench = Bench::new(&[], |folder| wheel(folder, &[("demo.py", "")], metadata));
        if !has_uv(&bench) {
            return;
        }
        let built = bench.build().unwrap();
        assert_eq!(built.environment, Err(*reason), "{}", String::from_utf8_lossy(&built.log));
        // Whatever is discarded is gone when the backend is.
        let Bench { backend, folder, .. } = bench;
        drop(backend);
        assert_eq!(fs::read_dir(folder.path().join("cache/work")).unwrap().count(), 1, "the lock");
    }
}

#[test]
fn without_any_uv_nothing_is_blamed_on_the_subject() {
    let bench = Bench::new(&[], |folder| wheel(folder, &[("demo.py", "")], ""));
    if let Err(error) = uv::obtain(Path::new("/nonexistent"), &|| Err("no uv".into())) {
        assert!(matches!(error, BackendError::File(_)), "{error}");
        assert!(matches!(bench.build(), Err(BackendError::File(_))));
    }
    let moment = Timestamp::from_unix_seconds(0);
    assert_eq!(moment.to_string(), "1970-01-01T00:00:00Z", "as --exclude-newer reads it");
}
