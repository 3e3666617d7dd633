//! Limits that are kept by watching.

use std::sync::Mutex;

use caliper_core::facts::record::TestOutcome;
use caliper_core::question::limits::Limits;

use super::*;
use crate::backend::RunRequest;
use crate::results::ResultFile;

/// How a program ends within `limits`, and what it prints.
fn run(script: &str, limits: Limits) -> TestRun {
    let (mut bench, workspace, environment) = Bench::bare(&[("script.py", script)]);
    bench.setup.limits = limits;
    let test = test(&["python", "script.py"]);
    bench.run(&environment, &test, &workspace)
}

#[cfg(target_os = "linux")]
#[test]
fn memory_that_only_a_child_takes_counts() {
    let limits = Limits { memory: Some(200 << 20), ..setup().limits };
    let hungry = "import subprocess, sys\n\
                  code = 'x = bytearray(800 << 20); import time; time.sleep(30)'\n\
                  subprocess.run([sys.executable, '-c', code])\n\
                  print('went on')\n";
    let ended = run(hungry, limits.clone());
    assert_eq!(ended.end, TestEnd::OutOfMemory { status: None });
    assert_eq!(ended.granted.limits.memory, Some(200 << 20));
    assert_eq!(ended.granted.by, "caliper: process group, memory looked at every 20 ms");
    assert!(ended.elapsed < Duration::from_secs(25));

    assert!(ended.cpu_time.is_some());

    let modest = run("x = bytearray(50 << 20)\nimport time; time.sleep(0.2)\n", limits);
    assert_eq!(modest.end, TestEnd::Exited(0));
}

#[cfg(target_os = "linux")]
#[test]
fn what_processes_share_counts_once() {
    let limits = Limits { memory: Some(300 << 20), ..setup().limits };
    let sharing = "import os, time\n\
                   x = bytearray(b'x') * (150 << 20)\n\
                   pids = [os.fork() for _ in range(3)]\n\
                   time.sleep(0.3)\n";
    // Eight processes that show 150 MB each, all of it the same.
    assert_eq!(run(sharing, limits).end, TestEnd::Exited(0));
}

#[cfg(target_os = "linux")]
#[test]
fn processors_are_chosen() {
    let limits = Limits { cpuset: Some("0".parse().unwrap()), ..setup().limits };
    let ended = run("import os; print(os.sched_getaffinity(0))", limits);
    assert_eq!(text(&ended.output), "{0}\n", "{}", text(&ended.error));
    assert_eq!(ended.granted.by, "caliper: process group, processor affinity");
    // The thread that started it has its own back.
    let unlimited = run("import os; print(len(os.sched_getaffinity(0)))", setup().limits);
    let here = thread::available_parallelism().unwrap();
    assert_eq!(text(&unlimited.output), format!("{here}\n"));
}

#[test]
fn what_is_complete_is_taken_while_the_test_goes_on() {
    let script = "import os, time\n\
                  open('first.out', 'w').write('1')\n\
                  growing = open('growing.out', 'w')\n\
                  for turn in range(60):\n\
                  \x20   growing.write('1')\n\
                  \x20   growing.flush()\n\
                  \x20   time.sleep(0.1)\n\
                  os.remove('first.out')\n";
    let (mut bench, workspace, environment) = Bench::bare(&[("script.py", script)]);
    bench.setup.results = vec!["*.out".to_owned()];
    let taken = Mutex::new(Vec::new());
    let take = |file: &ResultFile| taken.lock().unwrap().push((file.path.clone(), file.size));
    let test = test(&["python", "script.py"]);
    let request = RunRequest { meanwhile: Some(&take), ..bench.run_of(&test) };
    let ended = process::run(&environment, &request, &workspace, &unlimited()).unwrap();
    // What is not there at the end was taken before; what grew was not, and is complete at the end.
    assert_eq!(*taken.lock().unwrap(), [("first.out".to_owned(), 1)]);
    let left: Vec<_> = ended.files.iter().map(|file| (&*file.path, file.size)).collect();
    assert_eq!(left, [("growing.out", 60)]);
}

#[test]
fn a_test_whose_result_is_not_all_there_does_not_pass() {
    let (mut bench, workspace, environment) = Bench::bare(&[(
        "script.py",
        "import sys\nfor name in 'abc': open(name + '.out', 'w').write(name)\nsys.exit(int(sys.argv[1]))\n",
    )]);
    bench.setup.results = vec!["*.out".to_owned()];
    bench.setup.limits = Limits { result_files: 2, ..setup().limits };
    let run = |status| bench.run(&environment, &test(&["python", "script.py", status]), &workspace);
    let ended = run("0");
    assert_eq!(ended.end.outcome(), TestOutcome::ResultsOverLimit);
    assert_eq!(ended.files.len(), 2);
    // That it fails says more.
    assert_eq!(run("3").end, TestEnd::Exited(3));
}
