//! Runs on another machine: here it is this one, through a real `sshd`.

use std::io::{BufRead as _, BufReader};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::sshd::Sshd;
use crate::support::{Said, World, has_uv, python};

/// A project and the folder of jobs of the other machine.
struct Elsewhere {
    world: World,
    sshd: Sshd,
    far: tempfile::TempDir,
    address: String,
    python: String,
}

impl Elsewhere {
    fn new(test: &str, rest: &str) -> Option<Self> {
        if !has_uv() {
            return None;
        }
        let sshd = Sshd::start()?;
        let world = World::with_config(&format!(
            "  import: false\n  tests:\n    - {{name: t, run: python t.py{rest}}}\n"
        ));
        world.wheel("demo", "1.0", &[("demo.py", "number = 1\n")]);
        world.wheel("demo", "2.0", &[("demo.py", "number = 2\n")]);
        world.write("t.py", test);
        let far = tempfile::Builder::new().prefix("far-").tempdir().unwrap();
        let address = format!("ssh://127.0.0.1:{}{}", sshd.port, far.path().display());
        Some(Self { world, sshd, far, address, python: python() })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.sshd.command(&self.world, arguments)
    }

    fn said(&self, arguments: &[&str]) -> Said {
        self.world.said(self.command(arguments).output().unwrap())
    }

    fn run(&self, more: &[&str]) -> Said {
        let mut arguments = vec!["run", "--host", &self.address, "--python", &self.python];
        arguments.extend(more);
        self.said(&arguments)
    }

    /// The results that were copied.
    fn results(&self) -> Value {
        let hosts = self.world.project().join(".caliper/hosts");
        let host = std::fs::read_dir(hosts).unwrap().next().unwrap().unwrap().path();
        serde_json::from_slice(&std::fs::read(host.join("results.json")).unwrap()).unwrap()
    }

    /// The outputs of all runs.
    fn outputs(&self) -> Vec<String> {
        let results = self.results();
        let cells = results["cells"].as_array().unwrap().iter();
        let runs = cells.flat_map(|cell| cell["tests"].as_array().unwrap()).flat_map(|test| {
            test["runs"].as_array().unwrap().iter().map(|run| run["output"].as_str().unwrap())
        });
        runs.map(|output| output.trim().to_owned()).collect()
    }

    fn far(&self, path: &str) -> bool {
        self.far.path().join(path).exists()
    }
}

#[test]
fn a_run_on_another_machine_leaves_its_results_here() {
    let Some(elsewhere) = Elsewhere::new("import demo; print(demo.number)\n", "") else { return };
    let said = elsewhere.run(&[]).expect(0);
    assert!(said.err.contains("2 measured, 0 reused"), "{}", said.err);
    assert!(said.out.contains("2 cells"), "{}", said.out);
    assert_eq!(elsewhere.outputs(), ["1", "2"]);
    // Nothing was measured here, and what is copied is told apart from that.
    assert!(!elsewhere.world.project().join(".caliper/records").exists());

    elsewhere.world.write("t.py", "import demo; print(-demo.number)\n");
    let said = elsewhere.run(&["--only", "2.0/*"]).expect(0);
    assert!(said.err.contains("1 measured"), "{}", said.err);
    let said = elsewhere.run(&[]).expect(0);
    assert!(said.err.contains("1 measured, 1 reused"), "{}", said.err);
    assert_eq!(elsewhere.outputs(), ["-1", "-2"]);

    let listed = elsewhere.said(&["reap", "--dry-run"]).expect(0);
    assert_eq!(listed.out.matches("ended with status 0: would be removed").count(), 3);
    assert!(elsewhere.far("programs"));
    let reaped = elsewhere.said(&["reap"]).expect(0);
    assert_eq!(reaped.out.matches(": removed").count(), 3, "{}", reaped.out);
    assert!(!elsewhere.far("programs") && !elsewhere.far("jobs"));
    let said = elsewhere.said(&["status"]).expect(0);
    assert!(said.err.contains("no job was started from here"), "{}", said.err);
}

#[test]
fn a_job_outlives_its_client_and_the_network() {
    let Some(mut elsewhere) = Elsewhere::new("", ", repeat: 3") else { return };
    // It waits for a word, however slow this machine is.
    let go = elsewhere.far.path().join("go");
    elsewhere.world.write(
        "t.py",
        &format!(
            "import demo, os, time\nwhile not os.path.exists({go:?}): time.sleep(0.1)\nprint(demo.number)\n"
        ),
    );
    let id = elsewhere.run(&["--detach"]).expect(0).out.trim().to_owned();
    let second = elsewhere.run(&[]);
    assert_eq!(second.code, 3);
    assert!(second.err.contains("of this project goes on there"), "{}", second.err);
    let status = elsewhere.said(&["status", &id]).expect(0);
    assert!(status.out.contains("  runs\n"), "{}", status.out);
    // One client is killed, and for the next the network goes away.
    let mut killed = elsewhere.command(&["attach", &id]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    killed.kill().unwrap();
    killed.wait().unwrap();
    elsewhere.sshd.stop();
    let mut attached = elsewhere
        .command(&["attach", &id])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(attached.stderr.take().unwrap()).lines().map(Result::unwrap);
    let lost = lines.find(|line| line.contains("the job goes on there, and this is tried again"));
    assert!(lost.is_some());
    std::fs::write(&go, "").unwrap();
    elsewhere.sshd.listen();
    let said: Vec<String> = lines.collect();
    assert!(attached.wait().unwrap().success(), "{said:#?}");
    assert!(said.iter().any(|line| line.contains("the connection is there again")), "{said:#?}");
    assert_eq!(elsewhere.outputs(), ["1", "1", "1", "2", "2", "2"]);
}

#[test]
fn a_job_that_is_stopped_has_kept_what_it_measured() {
    let test = "import demo, os, time\nif demo.number == 2: time.sleep(600)\nprint(demo.number)\n";
    let Some(elsewhere) = Elsewhere::new(test, "") else { return };
    let id = elsewhere.run(&["--detach", "--ttl", "10m"]).expect(0).out.trim().to_owned();
    let deadline = Instant::now() + Duration::from_secs(120);
    let record = || {
        let fetched = elsewhere.said(&["fetch", &id]);
        let hosts = elsewhere.world.project().join(".caliper/hosts");
        let Ok(mut hosts) = std::fs::read_dir(hosts) else { return false };
        let host = hosts.next().unwrap().unwrap().path();
        fetched.code == 0 && host.join(format!("records/1.0-py{}.json", elsewhere.python)).exists()
    };
    while !record() {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(200));
    }
    elsewhere.said(&["stop", &id]).expect(0);
    assert_eq!(elsewhere.outputs()[0], "1");
    let status = elsewhere.said(&["status", &id]).expect(0);
    assert!(status.out.contains("ended with status 143"), "{}", status.out);
    let of_job = elsewhere.far.path().display().to_string();
    let found = Command::new("pgrep").args(["-f", &of_job]).output().unwrap();
    assert!(!found.status.success(), "something still runs there");
}

#[test]
fn what_is_wrong_with_another_machine_is_said() {
    let Some(elsewhere) = Elsewhere::new("", "") else { return };
    let run = |address: &str| elsewhere.said(&["run", "--host", address]);
    assert!(run("box").expect(2).err.contains("`box` is no machine: write `ssh://user@host`"));
    let unreachable = run("ssh://127.0.0.1:1").expect(3);
    assert!(unreachable.err.contains("could not reach ssh://127.0.0.1:1: "), "{}", unreachable.err);
    elsewhere.sshd.forget_host();
    let stranger = elsewhere.run(&[]).expect(3);
    assert!(stranger.err.contains("Host key verification failed"), "{}", stranger.err);
    let unknown = elsewhere.said(&["attach", "x"]).expect(2);
    assert!(
        unknown.err.contains("no job `x` was started from here; there is none"),
        "{}",
        unknown.err
    );
}

#[test]
fn what_watches_over_a_job_is_not_killed_alone() {
    let Some(elsewhere) = Elsewhere::new("import time; time.sleep(600)\n", "") else { return };
    let id = elsewhere.run(&["--detach"]).expect(0).out.trim().to_owned();
    let far = elsewhere.far.path().display().to_string();
    let found = |pattern: &str| {
        Command::new("pgrep").args(["-f", pattern]).output().unwrap().status.success()
    };
    let wait_for = |what: &dyn Fn() -> bool| {
        let deadline = Instant::now() + Duration::from_secs(120);
        while !what() {
            assert!(Instant::now() < deadline);
            std::thread::sleep(Duration::from_millis(200));
        }
    };
    wait_for(&|| found(&format!("{far}.*python t.py")));
    let killed = Command::new("pkill").args(["-KILL", "-f", &format!("^timeout .*{far}")]).status();
    assert!(killed.unwrap().success());
    // All of it ends, and only then it is said to have ended.
    wait_for(&|| elsewhere.said(&["status", &id]).out.contains("ended with status 137"));
    assert!(!found(&far), "something still runs there");
    let attached = elsewhere.said(&["attach", &id]);
    assert_eq!(attached.code, 3);
    assert!(attached.err.contains("it was killed; the same command goes on"), "{}", attached.err);
}
