//! A machine that fails: no engine, no room, somebody else at work. Exit code 3, and nothing is lost.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{World, cells, has_uv, python, skip};

#[test]
fn no_engine_for_a_configuration_that_needs_one() {
    let world = World::with_config("  dockerfile: Dockerfile\n");
    world.write("Dockerfile", "FROM {{ base }}\n");
    let mut command = world.command(&["run"]);
    command.env("DOCKER_HOST", format!("unix://{}/no.sock", world.project().display()));
    insta::assert_snapshot!(world.said(command.output().unwrap()).error(3), @"
    error: could not reach the container engine at `unix://[HERE]/project/no.sock`
      caused by: there is no such socket: install and start a container engine, or point DOCKER_HOST at one
      caused by: error trying to connect: No such file or directory (os error 2)
      caused by: No such file or directory (os error 2)
    ");
    let mut command = world.command(&["run"]);
    command.env("DOCKER_HOST", "nonsense");
    insta::assert_snapshot!(world.said(command.output().unwrap()).error(3), @"
    error: could not reach the container engine at `nonsense`
      caused by: this is not the address of an engine: set DOCKER_HOST to `unix:///path/to/socket`, `tcp://name:port` or `ssh://user@name`, or unset it
    ");
    insta::assert_snapshot!(world.caliper(&["run", "--backend", "local"]).error(2), @"error: the `local` backend cannot give what a `dockerfile` says; pass `--backend docker`, or remove it from the configuration");
}

#[test]
fn a_result_folder_that_is_none() {
    if !has_uv() {
        return;
    }
    let world = World::with_config("");
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    world.write(".caliper/records", "a file where a folder should be");
    insta::assert_snapshot!(world.caliper(&["run", "--python", &python()]).error(3), @"
    error: could not read `./.caliper/records`
      caused by: Not a directory (os error 20)
    ");
}

/// A small file system of its own, for as long as it lives.
struct Mount<'a>(&'a Path);

impl<'a> Mount<'a> {
    fn new(path: &'a Path, options: &str) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "none"])
            .arg(path)
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(path));
        }
        skip("this user cannot mount a small file system");
        None
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn a_disk_that_is_full() {
    let world = World::with_config("");
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    let path = world.project().join(".caliper");
    let Some(_mount) = Mount::new(&path, "size=16k") else { return };
    // Everything but the lock and the folders fills the disk.
    std::fs::create_dir_all(path.join("records")).unwrap();
    std::fs::create_dir_all(path.join("blobs")).unwrap();
    std::fs::write(path.join("lock"), "1").unwrap();
    let _ = std::fs::write(path.join("filler"), vec![0; 1 << 20]);
    if !has_uv() {
        return;
    }
    let mut command = world.command(&["run", "--python", &python(), "--progress", "none"]);
    command.env("CALIPER_CACHE_DIR", world.project().join("../cache"));
    let error = world.said(command.output().unwrap()).error(3);
    // Whichever of its files came first.
    let (head, tail) = error.split_once("/.caliper/").unwrap();
    assert_eq!(head, "error: could not write `.");
    let (_, tail) = tail.split_once('`').unwrap();
    insta::assert_snapshot!(tail, @r"
    ; what was measured before is kept
      caused by: No space left on device (os error 28)
    ");
}

#[test]
fn a_disk_that_is_read_only() {
    let world = World::with_config("");
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    let path = world.project().join(".caliper");
    let Some(_mount) = Mount::new(&path, "ro") else { return };
    insta::assert_snapshot!(world.caliper(&["run", "--python", &python()]).error(3), @"
    error: could not lock the cache `[HERE]/project/.caliper/cache`
      caused by: Read-only file system (os error 30)
    ");
}

/// A world whose one test waits until it is told to go on.
fn waiting() -> World {
    let world = World::with_config("  tests: [wait.py]\n");
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    let go = world.project().join(".caliper/go");
    world.write(
        "wait.py",
        &format!(
            "import os, time\nwhile not os.path.exists('{}'):\n    time.sleep(0.02)\n",
            go.display()
        ),
    );
    world
}

fn wait_for(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never happened");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn two_runs_at_once() {
    if !has_uv() {
        return;
    }
    let world = waiting();
    let python = python();
    let arguments = ["run", "--python", &python, "--progress", "none"];
    let mut first =
        world.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let lock = world.project().join(".caliper/lock");
    wait_for(|| std::fs::read_to_string(&lock).is_ok_and(|text| text.ends_with('\n')));
    let error = world.caliper(&arguments).error(3);
    insta::assert_snapshot!(error.replace(&first.id().to_string(), "[PID]"), @"error: another run of Caliper (process [PID]) is using `./.caliper`; wait for it, or stop it");
    std::fs::write(world.project().join(".caliper/go"), "").unwrap();
    assert!(first.wait().unwrap().success());
    assert_eq!(cells(&world.results()), ["1.0: tested [import passed, wait.py passed]"]);
}

#[test]
fn interrupted_and_gone_on() {
    if !has_uv() {
        return;
    }
    let world = waiting();
    world.wheel("demo", "1.1", &[("demo.py", "raise SystemExit(3)")]);
    world.write(
        "caliper.yaml",
        "analysis: {dependency: demo, tests: [{name: wait, run: python wait.py, timeout: 60s}]}",
    );
    let python = python();
    let started = world.project().join(".caliper/started");
    world.write(
        "wait.py",
        &format!(
            "import os, time, demo\nopen('{}', 'w').close()\nwhile not \
             os.path.exists('{}'):\n    time.sleep(0.02)\n",
            started.display(),
            world.project().join(".caliper/go").display()
        ),
    );
    let arguments = ["run", "--python", &python, "--jobs", "1", "--progress", "plain"];
    let child =
        world.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(|| started.exists());
    let begun = Instant::now();
    // Twice, as from a program that signals the process and its group.
    for _ in 0..2 {
        let signal = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(signal.success());
        std::thread::sleep(Duration::from_millis(5));
    }
    let said = world.said(child.wait_with_output().unwrap()).expect(130);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(
        said.err.contains("goes on from there") || said.err.contains("interrupted"),
        "{}",
        said.err
    );
    // Nothing runs on, and nothing stands around.
    let work = world.project().join(".caliper/cache/work");
    let left = std::fs::read_dir(&work).unwrap().flatten().map(|entry| entry.file_name());
    assert_eq!(left.collect::<Vec<_>>(), ["lock"], "{}", work.display());

    std::fs::write(world.project().join(".caliper/go"), "").unwrap();
    world.caliper(&arguments).expect(0);
    assert_eq!(
        cells(&world.results()),
        ["1.0: tested [import passed, wait passed]", "1.1: tested [import failed, wait failed]"]
    );
}

#[test]
fn an_interrupt_keeps_the_runs_of_an_open_cell() {
    if !has_uv() {
        return;
    }
    let world = waiting();
    world.write(
        "caliper.yaml",
        "analysis: {dependency: demo, tests: [{name: count, run: python count.py, repeat: 50}]}",
    );
    let python = python();
    // Every run leaves a line in a file outside of its copy of the project. The tenth one waits until
    // it is interrupted.
    let log = world.project().join(".caliper/log");
    world.write(
        "count.py",
        &format!(
            "import time\nwith open({log:?}, 'a+') as log:\n    log.write('run\\n')\n    \
             log.seek(0)\n    number = len(log.readlines())\nif number == 10:\n    \
             time.sleep(60)\n",
        ),
    );
    let lines = || std::fs::read_to_string(&log).map_or(0, |text| text.lines().count());
    let arguments = ["run", "--python", &python, "--jobs", "1", "--progress", "plain"];
    let child =
        world.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(|| lines() == 10);
    let signal = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(signal.success());
    world.said(child.wait_with_output().unwrap()).expect(130);
    // The next run makes the run that was cut off and the forty that had not begun.
    world.caliper(&arguments).expect(0);
    assert_eq!(lines(), 51);
    let runs = vec!["count passed"; 50].join(", ");
    assert_eq!(cells(&world.results()), [format!("1.0: tested [import passed, {runs}]")]);
    let again = world.caliper(&arguments).expect(0);
    assert!(again.err.contains("0 measured, 1 reused"), "{}", again.err);
}

/// Otherwise what `uv` says then would be recorded as what is wrong with the package.
#[test]
fn a_cache_that_vanishes_during_an_install_is_not_the_packages_fault() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::with_config("");
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    world.write(
        "bin/uv",
        "#!/bin/sh\n[ \"$1\" = --version ] && echo 'uv 0.99.0' && exit\nrm -rf \"$UV_CACHE_DIR\"\n\
         echo 'error: Failed to build `demo`: a file is missing' >&2\nexit 1\n",
    );
    let uv = world.project().join("bin/uv");
    std::fs::set_permissions(&uv, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = [uv.parent().unwrap().to_owned()].into_iter().chain(std::env::split_paths(&path));
    let mut command = world.command(&["run", "--python", &python(), "--retries", "0"]);
    command.env("PATH", std::env::join_paths(folders).unwrap());
    let said = world.said(command.output().unwrap()).expect(3);
    assert!(said.err.contains("uv could not install: its cache `[HERE]/"), "{}", said.err);
    assert!(said.err.contains("was removed meanwhile"), "{}", said.err);
}
