//! The local backend with this machine's Pythons, processes and files.

use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use caliper_core::facts::record::{BuildReason, TestEnd};
use caliper_core::names::Timestamp;
use caliper_core::question::limits::Network;
use caliper_core::question::modules::Imports;
use caliper_core::question::plan::Test;
use caliper_core::question::template::Template;

use super::*;
use crate::backend::TestRun;

mod bench;
mod keeping;
mod limits;

use bench::{Bench, has_uv, lives, setup, test, text, unlimited, wheel};

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
    let run = bench.run(&environment, &test, &workspace);
    assert_eq!(run.end, TestEnd::Exited(3), "{}", text(&run.error));
    assert_eq!(run.error.bytes, b"\xff\x00");
    insta::assert_snapshot!(text(&run.output), @"
    True ['look.py', 'made']
    True True
    True
    ['CALIPER_TEST_ID', 'COLUMNS', 'HOME', 'LANG', 'PATH', 'PYTHONHASHSEED', 'PYTHONNOUSERSITE', 'SEED', 'TMPDIR', 'VIRTUAL_ENV']
    7 '' True
    ");
    assert!(run.elapsed > Duration::ZERO && run.elapsed < Duration::from_secs(30));
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
    let ends = |command: &[&str]| bench.run(&environment, &test(command), &workspace).end;
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
    let (mut bench, workspace, environment) = Bench::bare(&[(
        "stay.py",
        "import os, signal, subprocess, sys, time\n\
         signal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
         sleep = [sys.executable, '-c', 'import time; time.sleep(600)']\n\
         child = subprocess.Popen(sleep, env={}, start_new_session=True)\n\
         print(child.pid, flush=True)\n\
         time.sleep(600)\n",
    )]);
    let test = test(&["python", "stay.py"]);
    bench.setup.limits.timeout = Duration::from_secs(2);
    let begun = Instant::now();
    let run = bench.run(&environment, &test, &workspace);
    assert_eq!(run.end, TestEnd::TimedOut);
    assert!(begun.elapsed() < Duration::from_secs(10));
    // It has neither the mark nor the group, but its parent was still there.
    assert!(!lives(&text(&run.output)));
}

#[test]
fn who_waits_for_ever_is_ended_and_who_works_is_not() {
    let (mut bench, workspace, environment) = Bench::bare(&[]);
    bench.setup.limits.idle = Some(Duration::from_secs(1));
    let run = |program: &str| {
        let test = test(&["python", "-c", program]);
        bench.run(&environment, &test, &workspace)
    };
    let waits = run("print('begun', flush=True)\nimport time\nwhile True: time.sleep(0.2)");
    assert_eq!((waits.end, text(&waits.output).as_str()), (TestEnd::Idle, "begun\n"));
    assert!(waits.elapsed > Duration::from_millis(900) && waits.elapsed < Duration::from_secs(20));
    let prints = run("import time\nfor _ in range(8): print(1, flush=True); time.sleep(0.3)");
    assert_eq!(prints.end, TestEnd::Exited(0));
    let computes = "import subprocess, sys\n\
        work = 'import time; end = time.time() + 2.5\\nwhile time.time() < end: pass'\n\
        subprocess.run([sys.executable, '-c', work], start_new_session=True)";
    let computes = run(computes);
    assert_eq!(computes.end, TestEnd::Exited(0));
    if cfg!(target_os = "linux") {
        // Of its child, which it waited for; a machine that is busy gives it less.
        assert!(computes.cpu_time.is_some_and(|time| time > Duration::from_millis(300)));
        assert!(waits.cpu_time.is_some_and(|time| time < waits.elapsed));
    }
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
            bench.run(&environment, &test, &workspace)
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

/// Also clears its environment, so that nothing tells whose it is. The tests beside this one start
/// processes of their own, which would be taken for orphans: it has a process to itself.
#[test]
fn a_daemon_without_a_trace_is_ended_where_orphans_are_adopted() {
    const INNER: &str = "CALIPER_TEST_ADOPTS";
    if env::var_os(INNER).is_none() {
        let name = "local::tests::a_daemon_without_a_trace_is_ended_where_orphans_are_adopted";
        let mut command = std::process::Command::new(env::current_exe().unwrap());
        command.args([name, "--exact", "--nocapture"]).env(INNER, "1");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let exec = DAEMON.replace(
        "import time; time.sleep(600)",
        "os.execve(sys.executable, [sys.executable, '-c', 'import time; time.sleep(600)'], {})",
    );
    let wait = "import subprocess, sys\n\
        print(subprocess.call([sys.executable, '-c', 'import time; time.sleep(1)'], start_new_session=True))\n";
    let (bench, workspace, environment) = Bench::bare(&[("daemon.py", &exec), ("wait.py", wait)]);
    orphans::adopt();
    let run = |program: &str| {
        let test = test(&["python", program]);
        bench.run(&environment, &test, &workspace)
    };
    // Alone it is known whose it is.
    assert!(!lives(&text(&run("daemon.py").output)));
    // Side by side with another it is not, until that one has ended as well.
    thread::scope(|scope| {
        let waits = scope.spawn(|| run("wait.py"));
        thread::sleep(Duration::from_millis(300));
        let daemon = run("daemon.py");
        assert_eq!(text(&waits.join().unwrap().output), "0\n");
        assert!(!lives(&text(&daemon.output)));
    });
    // Not even one that has ended, but for the guard.
    assert_eq!(processes::children_of_this().len(), 1);
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
            bench.run(&environment, &test, &workspace)
        });
        thread::sleep(Duration::from_millis(300));
        for _ in 0..3 {
            let test = test(&["python", "daemon.py"]);
            bench.run(&environment, &test, &workspace);
        }
        assert_eq!(text(&waits.join().unwrap().output), "0\n");
    });
}

#[test]
fn output_without_end_is_cut_and_ended() {
    let (mut bench, workspace, environment) = Bench::bare(&[]);
    bench.setup.limits.output = 1000;
    bench.setup.limits.timeout = Duration::from_secs(1);
    let test = test(&["python", "-c", "while True: print('x' * 1000)"]);
    let run = bench.run(&environment, &test, &workspace);
    assert_eq!(run.end, TestEnd::TimedOut);
    assert_eq!(run.output.bytes.len(), 1000);
    assert!(run.output.dropped > 10_000);
    assert!(run.peak_memory.is_none_or(|bytes| bytes > 1 << 20));
}

/// A result of the user's own pytest would be told as the release's.
#[test]
fn a_program_of_another_python_is_not_run() {
    let (bench, workspace, environment) = Bench::bare(&[]);
    let folder = bench.folder.path().join("programs");
    fs::create_dir(&folder).unwrap();
    let put = |name: &str, text: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let end = |name: &str| {
        let path = env::join_paths([&*folder, Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
        let path = path.into_string().unwrap();
        let test = Test { environment: [("PATH".to_owned(), path)].into(), ..test(&[name]) };
        bench.run(&environment, &test, &workspace).end
    };
    put("pytest", "#!/usr/bin/python3\nprint('theirs')\n");
    put("long", "#!/bin/sh\n'''exec' '/a b/python' \"$0\"\n' '''\n");
    put("shell", "#!/bin/sh\nexit 0\n");
    for name in ["pytest", "long"] {
        let TestEnd::NotRun { reason } = end(name) else { panic!("{name} was run") };
        assert!(reason.contains("another Python: add it to `requirements`"), "{reason}");
    }
    assert_eq!(end("shell"), TestEnd::Exited(0));
    // What stands beside a Python is a shim of it. A path says which program is meant.
    put("python3", "#!/bin/sh\nexit 0\n");
    for name in ["shell", "python3"] {
        assert!(matches!(end(name), TestEnd::NotRun { .. }), "{name}");
    }
    assert_eq!(end(folder.join("shell").to_str().unwrap()), TestEnd::Exited(0));
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
        let request = bench.run_of(&test);
        let error = process::run(&environment, &request, &workspace, &unlimited()).unwrap_err();
        assert!(matches!(error, BackendError::Interrupted), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(5));
    });
}

#[test]
fn an_environment_that_is_gone_is_not_the_next_tests_fault() {
    let (bench, workspace, environment) = Bench::bare(&[]);
    discarded::remove(&environment).unwrap();
    let test = test(&["python", "-c", "pass"]);
    let run = bench.run(&environment, &test, &workspace);
    let reason = "its environment is gone: a test removed it".to_owned();
    assert_eq!(run.end, TestEnd::NotRun { reason });
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
        refused(&|setup| setup.limits.cpus = Some(0.5)),
        refused(&|setup| setup.limits.pids = Some(5)),
        refused(&|setup| setup.limits.cpuset = Some("8000".parse().unwrap())),
        refused(&|setup| setup.limits.disk = Some(1)),
        refused(&|setup| setup.limits.capabilities = ["NET_RAW".to_owned()].into()),
        refused(&|setup| setup.limits.network = Network::None),
        refused(&|setup| setup.dockerfile = Some(Template::new("Dockerfile", "FROM x"))),
    ];
    insta::assert_snapshot!(refusals.join("\n"), @"
    the `local` backend cannot give a share of processors (`limits.cpus`); this program keeps no control groups; start `caliper` with `systemd-run --user --scope -p Delegate=yes`, pass `--backend docker`, or remove it from the configuration
    the `local` backend cannot give a limit on processes (`limits.pids`); this program keeps no control groups; start `caliper` with `systemd-run --user --scope -p Delegate=yes`, pass `--backend docker`, or remove it from the configuration
    the `local` backend cannot give processor 8000 (`limits.cpuset`); this process may use only those that `nproc` counts: name one of them
    the `local` backend cannot give a limit on the disk (`limits.disk`); pass `--backend docker`, or remove it from the configuration
    the `local` backend cannot give other rights than the user's (`limits.capabilities`); pass `--backend docker`, or remove it from the configuration
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
    let Made { environment, tools, .. } = bench.build().unwrap();
    assert!(tools.contains_key("uv"));
    let environment = Box::new(environment.unwrap_or_else(|reason| panic!("{reason}")));
    assert_eq!(environment.imports(), &Imports::All(vec!["demo_module".parse().unwrap()]));
    let installed = environment.installed().iter();
    let installed: Vec<String> =
        installed.map(|one| format!("{}=={}", one.name, one.version)).collect();
    assert_eq!(installed, ["demo==1.0"]);

    let import = Test::import(environment.imports());
    let run = environment.run(&bench.run_of(&import)).unwrap();
    assert_eq!(run.end, TestEnd::Exited(0), "{}", text(&run.error));
    // A script of the environment runs on its Python.
    let run = environment.run(&bench.run_of(&test(&["demo-run"]))).unwrap();
    // The name that the environment has in all output.
    assert_eq!(text(&run.output), "demo in /environment\n", "{}", text(&run.error));

    let probe = |program: &str| environment.probe(program, &bench.interrupt);
    assert_eq!(probe("import demo_module; print(demo_module.main.__name__)").unwrap(), b"main\n");
    let refused = probe("import sys; sys.exit('no answer')").unwrap_err();
    assert!(refused.to_string().contains("no answer"), "{refused}");

    let place = environment.folder().to_owned();
    environment.release().unwrap();
    assert!(!place.exists());
    let Bench { backend, folder, .. } = bench;
    drop(backend);
    assert_eq!(fs::read_dir(folder.path().join("cache/work")).unwrap().count(), 1);
}

#[test]
fn a_build_that_fails_says_why_and_leaves_nothing() {
    let cases: &[(&str, BuildReason)] = &[
        // Nothing but the cache may be asked, so it is not known whether there is one.
        ("Requires-Dist: no-such-thing\n", BuildReason::Network),
        ("Requires-Python: >=3.99\n", BuildReason::RequiresPython),
    ];
    for (metadata, reason) in cases {
        let bench = Bench::new(&[], |folder| wheel(folder, &[("demo.py", "")], metadata));
        if !has_uv(&bench) {
            return;
        }
        let Made { environment, log, .. } = bench.build().unwrap();
        assert_eq!(environment.err(), Some(*reason), "{}", String::from_utf8_lossy(&log));
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
