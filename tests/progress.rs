//! What a person sees while a run goes on: in terminals of several widths, and in logs.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::faults::{Answer, Faults, response};
use crate::support::{World, has_uv, python};

/// What stood in a terminal.
struct Seen {
    code: i64,
    /// When the first character came, in seconds.
    first: f64,
    screen: Vec<String>,
    /// The lines that were drawn again, and those of them that were too long.
    drawn: Vec<String>,
    wrapped: Vec<String>,
    controls: i64,
    all: Value,
}

/// Runs the binary in a terminal of so many columns. `options` are those of `terminal.py`.
fn seen(
    world: &World,
    columns: u32,
    options: &[&str],
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Seen {
    let caliper = world.command(arguments);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/support/terminal.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(columns.to_string()).args(options).arg("--");
    command.arg(caliper.get_program()).args(caliper.get_args());
    command.env_clear().current_dir(world.project());
    for (name, value) in caliper.get_envs() {
        command.env(name, value.unwrap());
    }
    command.env("TERM", "xterm").env("LC_ALL", "C.UTF-8").envs(variables.iter().copied());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    let lines = |name: &str| -> Vec<String> {
        let lines = all[name].as_array().unwrap().iter();
        lines.map(|line| line.as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(all["unknown"].as_array().unwrap().len(), 0, "{}", all["unknown"]);
    Seen {
        code: all["code"].as_i64().unwrap(),
        first: all["first"].as_f64().unwrap(),
        screen: lines("screen"),
        drawn: lines("drawn"),
        wrapped: lines("wrapped"),
        controls: all["controls"].as_i64().unwrap(),
        all,
    }
}

impl Seen {
    /// Nothing wrapped, and nothing is left of the line.
    fn is_clean(&self) {
        assert_eq!(self.wrapped, Vec::<String>::new());
        let of_line = |line: &&String| {
            self.drawn.contains(*line) || line.starts_with('[') || line.contains("^C")
        };
        let left: Vec<&String> = self.screen.iter().filter(of_line).collect();
        assert!(left.is_empty(), "{left:?} in {:#}", self.all);
    }

    fn count(&self, text: &str) -> usize {
        self.screen.iter().filter(|line| line.contains(text)).count()
    }
}

/// Four releases, two of which fail from the same cause; a test takes `seconds`.
fn world(seconds: &str) -> World {
    let world =
        World::with_config("  import: false\n  tests: [a_test_with_quite_a_long_name.py]\n");
    for version in ["1.0", "2.0", "3.0", "4.0"] {
        let fails = ["2.0", "3.0"].contains(&version);
        let code = if fails { "raise ValueError('no more')\n" } else { "" };
        world.wheel("demo", version, &[("demo.py", code)]);
    }
    let test = format!("import time\ntime.sleep({seconds})\nimport demo\n");
    world.write("a_test_with_quite_a_long_name.py", &test);
    world
}

#[test]
fn one_line_tells_what_goes_on() {
    if !has_uv() {
        return;
    }
    let python = python();
    for columns in [60, 80, 200] {
        let world = world("0.4");
        let run = ["run", "--python", &python, "--jobs", "1"];
        let seen = seen(&world, columns, &[], &run, &[]);
        assert_eq!(seen.code, 0, "{:#}", seen.all);
        seen.is_clean();
        for start in ["[0/4]", "[1/4] ✓ 1  ", "[2/4] ✓ 1 ✗ 1  ", "[3/4] ✓ 1 ✗ 2  "] {
            assert!(seen.drawn.iter().any(|line| line.starts_with(start)), "{:#}", seen.all);
        }
        assert_eq!(seen.count("✗ 2.0/"), 1, "{:#}", seen.all);
        assert_eq!(seen.count("✗ 3.0/"), 0, "{:#}", seen.all);
        assert_eq!(seen.count("… and 1 more cell: ValueError: no more"), 1, "{:#}", seen.all);
        assert_eq!(seen.count("4 measured, 0 reused, 0 not measured"), 1, "{:#}", seen.all);
    }
}

#[test]
fn the_line_follows_the_width_of_the_terminal() {
    if !has_uv() {
        return;
    }
    let world = world("0.4");
    let python = python();
    let run = ["run", "--python", &python, "--jobs", "1"];
    let seen = seen(&world, 100, &["--resize-at", "[1/4]", "40"], &run, &[]);
    // One may have been under way.
    assert!(seen.wrapped.len() <= 1, "{:#}", seen.all);
    assert!(seen.drawn.iter().any(|line| line.starts_with("[3/4]")), "{:#}", seen.all);
}

#[test]
fn an_interrupt_leaves_a_clean_screen_and_keeps_what_was_measured() {
    if !has_uv() {
        return;
    }
    let world = world("0.5");
    let python = python();
    let run = ["run", "--python", &python, "--jobs", "1"];
    let seen = seen(&world, 80, &["--interrupt-at", "[1/4]"], &run, &[]);
    assert_eq!(seen.code, 130, "{:#}", seen.all);
    seen.is_clean();
    assert_eq!(seen.count("interrupted: 1 measured"), 1, "{:#}", seen.all);
    let again = world.caliper(&["run", "--python", &python, "--progress", "plain"]).expect(0);
    assert!(again.err.contains("3 measured, 1 reused"), "{}", again.err);
}

#[test]
fn a_terminal_that_cannot_redraw_has_plain_lines() {
    if !has_uv() {
        return;
    }
    let world = world("0.2");
    let python = python();
    let run = ["run", "--python", &python, "--rerun", "all", "--jobs", "1"];
    for variable in [("TERM", "dumb"), ("CI", "true")] {
        let seen = seen(&world, 80, &[], &run, &[variable, ("NO_COLOR", "1")]);
        assert_eq!((seen.code, seen.controls, seen.drawn.len()), (0, 0, 0), "{:#}", seen.all);
        assert_eq!(seen.count("[4/4] 4.0/"), 1, "{:#}", seen.all);
    }
    // Without colours the line is drawn all the same.
    let seen = seen(&world, 80, &[], &run, &[("NO_COLOR", "1")]);
    seen.is_clean();
    assert!(seen.controls > 0, "{:#}", seen.all);
}

/// How long the index takes for an answer.
const SLOW: Duration = Duration::from_secs(4);

/// An index that takes its time, and then has nothing.
fn slow_index() -> Faults {
    Faults::start(|_, _| {
        std::thread::sleep(SLOW);
        Answer::Bytes(response("404 Not Found", b""))
    })
}

#[test]
fn the_first_sign_comes_before_a_slow_index() {
    let (world, index) = (World::with_config(""), slow_index());
    let url = index.url();
    let seen = seen(&world, 80, &[], &["run"], &[("CALIPER_INDEX_URL", &url)]);
    assert_eq!(seen.code, 2, "{:#}", seen.all);
    // It comes after a tenth of a second. Other tests run beside this one, so all that must hold is that it does not wait
    // for the answer.
    assert!(seen.first < SLOW.as_secs_f64(), "{:#}", seen.all);
    assert!(seen.drawn.iter().any(|line| line == "reading the index"), "{:#}", seen.all);
    seen.is_clean();
}

#[test]
fn a_log_names_what_takes_long() {
    let (world, index) = (World::with_config(""), slow_index());
    let python = python();
    let mut command = world.command(&["run", "--python", &python, "--progress", "plain"]);
    let begun = Instant::now();
    let said = world.said(command.env("CALIPER_INDEX_URL", index.url()).output().unwrap());
    assert!(begun.elapsed() > Duration::from_secs(1));
    assert_eq!(said.err.lines().next(), Some("reading the index …"), "{}", said.err);
    assert_eq!(said.err.matches("reading the index").count(), 1, "{}", said.err);
}

#[test]
fn machines_are_told_of_phases_and_plans() {
    if !has_uv() {
        return;
    }
    let world = world("0");
    let python = python();
    let said = world.caliper(&["run", "--python", &python, "--progress", "json"]).expect(0);
    let events: Vec<Value> =
        said.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let phases = events.iter().filter(|event| event["event"] == "phase_started");
    let phases: Vec<&str> = phases.map(|event| event["phase"].as_str().unwrap()).collect();
    let expected = ["project", "index", "pythons", "grid", "recorded", "results", "removing"];
    assert_eq!(phases.iter().filter(|phase| expected.contains(phase)).count(), phases.len());
    for phase in expected {
        assert!(phases.contains(&phase), "{phase} in {phases:?}");
    }
    let round = events.iter().find(|event| event["event"] == "round_started").unwrap();
    assert_eq!(round["environments"], 4, "{round}");
    assert_eq!(round["runs"]["a_test_with_quite_a_long_name.py"], 4, "{round}");
    let fetched = events.iter().filter(|event| event["event"] == "download_finished").count();
    assert_eq!(fetched, 4, "{}", said.err);
}
