//! What is left when Caliper itself is killed.

use std::time::{Duration, Instant};

use crate::support::{World, has_uv, python};

/// Starts a child in a session of its own, says both numbers, and sleeps.
const SLEEPS: &str = "\
import demo, os, subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)
with open(os.environ['NUMBERS'] + '.new', 'w') as file:
    file.write('%d %d' % (os.getpid(), child.pid))
os.rename(os.environ['NUMBERS'] + '.new', os.environ['NUMBERS'])
time.sleep(600)
";

/// Waits until something holds, for two minutes at most.
fn wait_for(what: &str, holds: &dyn Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(120);
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn goes_on(number: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
    // A process that has ended stays until its parent asks for it.
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

#[cfg(target_os = "linux")]
#[test]
fn tests_end_with_a_caliper_that_is_killed() {
    if !has_uv() {
        return;
    }
    let world = World::new();
    let numbers = world.project().parent().unwrap().join("numbers");
    world.write(
        "caliper.yaml",
        &format!(
            "analysis:\n  dependency: demo\n  tests: [{{run: python t.py, name: t, env: {{NUMBERS: {numbers:?}}}}}]\n"
        ),
    );
    world.write("t.py", SLEEPS);
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    let mut caliper =
        world.command(&["run", "--python", &python(), "--progress", "none"]).spawn().unwrap();
    wait_for("the test begins", &|| numbers.exists());
    let numbers = std::fs::read_to_string(numbers).unwrap();
    assert!(numbers.split(' ').all(goes_on));
    caliper.kill().unwrap();
    caliper.wait().unwrap();
    wait_for("all of it ends", &|| !numbers.split(' ').any(goes_on));
}
