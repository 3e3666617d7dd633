//! How tests end.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use caliper_container::backend::{BackendError, ContainerBackend as _, Environment};
use caliper_container::docker::{EngineKind, GpuRequests};
use caliper_container::results::ResultFile;
use caliper_core::facts::functions::ReportError;
use caliper_core::facts::record::TestEnd;
use caliper_core::question::limits::{Gpus, Network};
use caliper_core::question::modules::Imports;
use caliper_core::question::plan::{Test, TestKind};

use crate::bench::{Bench, Runs, of_docker, test};

fn python(text: &str) -> Vec<&str> {
    vec!["python", "-c", text]
}

/// One image for all: to make one takes longer than most of what is done in it.
#[test]
fn tests_run_in_containers() {
    let Some(bench) = Bench::new() else { return };
    let environment = bench.build();
    what_is_installed_is_known(&*environment);
    let mut runs = bench.runs(&*environment);
    tests_end_in_every_way(&mut runs);
    tests_find_their_surroundings(&mut runs);
    output_is_kept_whole_or_cut_in_the_middle(&mut runs);
    limits_hold(&mut runs);
    what_is_granted_is_told(&mut runs);
    who_does_nothing_is_ended(&mut runs);
    results_are_taken_out(&mut runs);
    reports_are_taken_out(&mut runs);
    nothing_is_a_superusers(&mut runs);
    peak_memory_is_told(&mut runs);
    an_interrupt_stops_a_test(&mut runs);
    environment.release().unwrap();
    bench.assert_clean();
}

/// The report lies beside the project, is no result file, and may be written by any user.
fn reports_are_taken_out(runs: &mut Runs<'_>) {
    runs.setup.results = vec!["**".to_owned()];
    let of_pytest =
        |program: &str| Test { kind: TestKind::Pytest, ..test(&["python", "-c", program]) };
    let program = "import os; open(os.environ['CALIPER_REPORT'], 'w').write('<testsuite/>')";
    let unwritten = runs.try_test(&of_pytest("pass")).unwrap();
    assert_eq!(unwritten.report, Err(ReportError::Missing));
    let written = runs.try_test(&of_pytest(program)).unwrap();
    assert_eq!(written.report, Ok(b"<testsuite/>".to_vec()));
    assert!(written.files.iter().all(|file| !file.path.contains("report")), "{written:?}");
    // A command knows of no such thing.
    assert_ne!(runs.test(&python(program)).0, TestEnd::Exited(0));
    runs.setup.results.clear();
}

fn results_are_taken_out(runs: &mut Runs<'_>) {
    runs.setup.results = vec!["out/*.csv".to_owned()];
    let program = "import os; os.mkdir('out'); open('out/a.csv', 'w').write('x' * 300000); \
                   open('out/b.txt', 'w'); os.symlink('/etc/passwd', 'out/c.csv')";
    let run = runs.try_test(&test(&python(program))).unwrap();
    assert_eq!(run.files.len(), 1, "{:?}", run.end);
    assert_eq!((run.files[0].path.as_str(), run.files[0].size), ("out/a.csv", 300_000));
    let content = run.files[0].content.as_ref().unwrap();
    assert_eq!(std::io::copy(&mut content.open(), &mut std::io::sink()).unwrap(), 300_000);
    // What is complete is taken before the end.
    let taken = Mutex::new(Vec::new());
    let take = |file: &ResultFile| taken.lock().unwrap().push((file.path.clone(), file.size));
    let program = "import os, time; os.mkdir('out'); open('out/a.csv', 'w').write('x'); \
                   time.sleep(12); os.remove('out/a.csv')";
    let run = runs.try_meanwhile(&test(&python(program)), Some(&take)).unwrap();
    assert_eq!(
        (run.files, taken.into_inner().unwrap()),
        (vec![], vec![("out/a.csv".to_owned(), 1)])
    );
    // A program that removes its working directory leaves no files.
    let program = "import os, shutil; shutil.rmtree(os.getcwd(), ignore_errors=True)";
    assert_eq!(runs.try_test(&test(&python(program))).unwrap().files, []);
    // Of a huge file nothing is read, and no name is dropped.
    let program = "import os; os.mkdir('out'); open(b'out/lost\\xff.csv', 'w').close(); \
                   open('out/z.csv', 'w').truncate(1 << 36)";
    let run = runs.try_test(&test(&python(program))).unwrap();
    assert!(matches!(run.end, TestEnd::ResultsOverLimit { .. }), "{:?}", run.end);
    assert_eq!(run.files.iter().map(|file| &*file.path).collect::<Vec<_>>(), ["out/lost\\xff.csv"]);
    runs.setup.results.clear();
}

fn what_is_installed_is_known(environment: &dyn Environment) {
    assert_eq!(environment.imports(), &Imports::All(vec!["tinier".parse().unwrap()]));
    assert!(environment.installed().iter().any(|one| one.name == "Tiny" && one.version == "1.0"));
}

fn tests_end_in_every_way(runs: &mut Runs<'_>) {
    let import = runs.try_test(&Test::import(runs.environment.imports())).unwrap();
    assert_eq!(import.end, TestEnd::Exited(0));
    let elapsed = import.elapsed;
    assert!(elapsed > Duration::ZERO && elapsed < Duration::from_secs(30), "{elapsed:?}");

    let program = "import sys; sys.stderr.write('no'); sys.exit(3)";
    let failed = runs.test(&python(program));
    assert_eq!(failed, (TestEnd::Exited(3), String::new(), "no".to_owned()));

    let run = runs.try_test(&test(&["printf", "\\377\\000a"])).unwrap();
    assert_eq!(run.output.bytes, b"\xff\0a");

    for (program, end) in [
        ("import os; os.abort()", TestEnd::Signalled(6)),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", TestEnd::Signalled(11)),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", TestEnd::Signalled(9)),
    ] {
        assert_eq!(runs.test(&python(program)).0, end, "{program}");
    }
    // The shell was there.
    assert_eq!(runs.test(&["sh", "-c", "missing"]).0, TestEnd::Exited(127));
    for (command, words) in
        [(&["no-such-program"][..], "no-such-program"), (&["/etc/passwd"], "ermission denied")]
    {
        match runs.test(command).0 {
            TestEnd::NotRun { reason } => assert!(reason.contains(words), "{reason}"),
            end => panic!("{command:?}: {end:?}"),
        }
    }
}

fn tests_find_their_surroundings(runs: &mut Runs<'_>) {
    // In the project, with its files, as somebody who may write there.
    let (end, output, error) = runs.test(&["python", "script.py"]);
    assert_eq!(
        (end, output.as_str(), error.as_str()),
        (TestEnd::Exited(0), "from the project", "")
    );
    let program =
        "import os; open('data/new', 'w'); print(os.getcwd(), sorted(os.listdir('data')))";
    for _ in 0..2 {
        let (end, output, _) = runs.test(&python(program));
        // The second run does not find what the first wrote.
        assert_eq!(output, "/project ['new', 'numbers.txt']");
        assert_eq!(end, TestEnd::Exited(0));
    }

    // A test's own variables, and one that Caliper sets: the image has it already.
    let mut own = test(&["sh", "-c", "echo $LANG $SEED"]);
    own.environment.insert("SEED".into(), "a b=c".into());
    assert_eq!(runs.try_test(&own).unwrap().output.bytes, b"C.UTF-8 a b=c\n");

    runs.setup.limits.network = Network::None;
    let program = "import os; print(sorted(os.listdir('/sys/class/net')))";
    assert_eq!(runs.test(&python(program)).1, "['lo']");
    runs.setup.limits.network = Network::Full;
}

fn output_is_kept_whole_or_cut_in_the_middle(runs: &mut Runs<'_>) {
    // Nothing of a program that is over at once is lost, whichever stream it used.
    for _ in 0..5 {
        let (_, output, error) = runs.test(&["sh", "-c", "echo out; echo err >&2"]);
        assert_eq!((output.as_str(), error.as_str()), ("out", "err"));
    }
    runs.setup.limits.output = 1000;
    let program = "head -c 50000000 /dev/zero | tr '\\0' x; echo end; echo small >&2";
    let run = runs.try_test(&test(&["sh", "-c", program])).unwrap();
    assert_eq!(run.output.bytes.len(), 1000);
    assert!(run.output.bytes.ends_with(b"xxxend\n"));
    assert_eq!(run.output.dropped, 50_000_004 - 1000);
    assert_eq!(run.error.bytes, b"small\n");
}

fn who_does_nothing_is_ended(runs: &mut Runs<'_>) {
    if !runs.bench.backend.facts().sees_idle {
        return;
    }
    runs.setup.limits.idle = Some(Duration::from_secs(2));
    let waits = "import time; print('begun', flush=True)\nwhile True: time.sleep(0.2)";
    let (end, output, _) = runs.test(&python(waits));
    assert_eq!((end, output.as_str()), (TestEnd::Idle, "begun"));
    let prints = "import time\nfor n in range(8): print(n, flush=True); time.sleep(0.6)";
    assert_eq!(runs.test(&python(prints)).0, TestEnd::Exited(0));
    let computes = "import subprocess, sys\n\
        work = 'import time; end = time.time() + 5\\nwhile time.time() < end: pass'\n\
        subprocess.run([sys.executable, '-c', work])";
    assert_eq!(runs.test(&python(computes)).0, TestEnd::Exited(0));
    runs.setup.limits.idle = None;
}

fn nothing_is_a_superusers(runs: &mut Runs<'_>) {
    let ask = "import os\n\
        status = dict(line.split(':', 1) for line in open('/proc/self/status'))\n\
        print(os.getuid(), int(status['CapEff'], 16), int(status['CapBnd'], 16), \
        status['NoNewPrivs'].strip(), os.path.exists('/var/run/docker.sock'))";
    let (_, output, error) = runs.test(&python(ask));
    assert_eq!((output.as_str(), error.as_str()), ("0 0 0 1 False", ""));
    runs.setup.limits.capabilities = ["NET_RAW".to_owned()].into();
    // capability.h: CAP_NET_RAW is 13.
    let (_, output, _) = runs.test(&python(ask));
    assert_eq!(output, format!("0 {0} {0} 1 False", 1 << 13));
    runs.setup.limits.capabilities.clear();
    if runs.bench.backend.facts().limits_pids {
        // Nobody asked for a limit, and the machine lives all the same.
        let forks = "import os, time\ncount = 0\ntry:\n    while True:\n        \
            if os.fork() == 0: time.sleep(60); os._exit(0)\n        count += 1\n\
            except OSError: print(3900 < count < 4100)";
        let (end, output, _) = runs.test(&python(forks));
        assert_eq!((end, output.as_str()), (TestEnd::Exited(0), "True"));
    }
}

fn what_is_granted_is_told(runs: &mut Runs<'_>) {
    let facts = runs.bench.backend.facts().clone();
    let asked = &mut runs.setup.limits;
    asked.cpuset = facts.limits_cpuset.then(|| "0".parse().unwrap());
    asked.disk = facts.limits_disk.then_some(64 << 20);
    let asked = asked.clone();
    let program = "import os\nprint(len(os.sched_getaffinity(0)))\n\
        open('/tmp/large', 'wb').write(b'x' * (200 << 20))";
    let run = runs.try_test(&test(&python(program))).unwrap();
    // Full, for a program within a limit on the disk.
    assert_eq!(run.end, TestEnd::Exited(i32::from(facts.limits_disk)), "{facts:?}");
    assert!(!facts.limits_cpuset || run.output.bytes == b"1\n");
    let granted = run.granted;
    assert_eq!((&granted.limits.cpuset, granted.limits.disk), (&asked.cpuset, asked.disk));
    // Without being asked for.
    assert_eq!(granted.limits.pids, facts.limits_pids.then_some(4096));
    assert!(granted.by.contains(&facts.version), "{}", granted.by);
    runs.setup.limits.cpuset = None;
    runs.setup.limits.disk = None;
}

fn limits_hold(runs: &mut Runs<'_>) {
    runs.setup.limits.timeout = Duration::from_secs(1);
    let deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
                print('begun', flush=True); time.sleep(60)";
    let began = Instant::now();
    let (end, output, _) = runs.test(&python(deaf));
    assert_eq!((end, output.as_str()), (TestEnd::TimedOut, "begun"));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    // Its own limit comes before everybody's, and output without end is no way around it.
    let mut endless = test(&["yes"]);
    endless.timeout = Some(Duration::from_secs(2));
    let run = runs.try_test(&endless).unwrap();
    assert_eq!(run.end, TestEnd::TimedOut);
    assert!(run.output.dropped > 0 && run.elapsed >= Duration::from_secs(2));
    runs.setup.limits.timeout = Duration::from_secs(60);

    if runs.bench.backend.facts().limits_memory && runs.bench.backend.facts().tells_out_of_memory {
        memory_is_limited(runs);
    }

    if runs.bench.backend.facts().limits_pids && runs.bench.backend.facts().limits_cpus {
        runs.setup.limits.pids = Some(20);
        runs.setup.limits.cpus = Some(0.5);
        let forks = "import subprocess\ntry:\n    for n in range(50): subprocess.Popen(['sleep', '9'])\n\
             except OSError as error: print(n, error)";
        let (end, output, _) = runs.test(&python(forks));
        assert_eq!(end, TestEnd::Exited(0));
        assert!(output.contains("unavailable"), "{output}");
        (runs.setup.limits.pids, runs.setup.limits.cpus) = (None, None);
    }
}

fn memory_is_limited(runs: &mut Runs<'_>) {
    runs.setup.limits.memory = Some(64 << 20);
    let hungry = "x = bytearray(200 << 20); x[::4096] = x[::4096]";
    let end = runs.test(&python(hungry)).0;
    assert_eq!(end, TestEnd::OutOfMemory { status: None });
    // Only a child is killed, and the program itself does not care.
    let careless = "import subprocess, sys; subprocess.call([sys.executable, '-c', \
                    'x = bytearray(200 << 20); x[::4096] = x[::4096]'])";
    let end = runs.test(&python(careless)).0;
    assert_eq!(end, TestEnd::OutOfMemory { status: Some(0) });
    runs.setup.limits.memory = None;
}

fn peak_memory_is_told(runs: &mut Runs<'_>) {
    let peak = |program: &str| runs.try_test(&test(&python(program))).unwrap().peak_memory;
    // Takes it for a while and gives it back: what counts is the peak.
    let hungry = "import time; x = b'x' * (200 << 20); time.sleep(2.5); del x; time.sleep(1)";
    let told = peak(hungry).map(|bytes| bytes >> 20);
    if runs.bench.backend.facts().sees_idle {
        assert!(told.is_some_and(|told| (200..300).contains(&told)), "{told:?} MiB");
    }
    assert_eq!(peak("pass"), None, "too short for a question");
}

fn an_interrupt_stops_a_test(runs: &mut Runs<'_>) {
    let began = Instant::now();
    let error = std::thread::scope(|scope| {
        let running = scope.spawn(|| runs.try_test(&test(&["sleep", "60"])));
        std::thread::sleep(Duration::from_secs(2));
        runs.bench.interrupt.raise();
        running.join().unwrap().unwrap_err()
    });
    assert!(matches!(error, BackendError::Interrupted), "{error}");
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[test]
fn what_cannot_be_had_is_said_beforehand() {
    let Some(mut bench) = Bench::new() else { return };
    let check =
        |bench: &Bench| bench.backend.check(&bench.setup).map_err(|error| of_docker(&error));
    assert_eq!(check(&bench), Ok(()));
    bench.setup.limits.cpus = Some(1e6);
    let facts = bench.backend.facts().clone();
    let expected = if facts.limits_cpus { "1000000 processors" } else { "a limit on processors" };
    assert!(check(&bench).unwrap_err().contains(expected));
    bench.setup.limits.cpus = None;
    bench.setup.limits.memory = Some(1 << 20);
    let error = check(&bench).unwrap_err();
    if !facts.limits_memory {
        assert!(error.contains("cannot give a limit on memory; use"), "{error}");
    } else if !facts.tells_out_of_memory {
        assert!(error.contains("does not say when a test exceeds it"), "{error}");
    } else {
        insta::assert_snapshot!(error, @"the `docker` backend cannot give a memory limit of 1048576 bytes; a container needs 6 MiB at least");
    }
    bench.setup.limits.memory = None;
    bench.setup.limits.cpuset = Some("0,8000".parse().unwrap());
    assert!(
        check(&bench).unwrap_err().contains("cannot give processor 8000; its machine has 0 to")
    );
    bench.setup.limits.cpuset = None;
    bench.setup.limits.runtime = Some("nonesuch".to_owned());
    let why = if facts.kind == EngineKind::Podman { "its engine takes none" } else { "it has " };
    let refused = format!("cannot give the runtime `nonesuch`; {why}");
    assert!(check(&bench).unwrap_err().contains(&refused));
    bench.setup.limits.runtime = None;
    bench.setup.limits.gpus = Some(Gpus::ALL);
    assert_eq!(check(&bench).is_ok(), facts.gpus != GpuRequests::None);
    bench.setup.limits.gpus = None;
    bench.setup.limits.idle = Some(Duration::from_secs(1));
    assert_eq!(check(&bench).is_ok(), facts.sees_idle);
    bench.setup.limits.idle = None;
    bench.setup.as_of = Some("2021-01-01".parse().unwrap());
    insta::assert_snapshot!(check(&bench).unwrap_err(), @"the `docker` backend cannot give an index of a past date: the pip in an image may know no such limit, and there is no mirror; use `--backend local`");
}
