//! A test in a process of its own, whose memory can be measured, or whose environment be set.

use std::process::{Command, Output, Stdio};

/// Holds what the child is to do; only set in a child.
const VARIABLE: &str = "CALIPER_TEST_CHILD";

/// What this process is to do, if it is a child.
pub(crate) fn task() -> Option<String> {
    std::env::var(VARIABLE).ok()
}

/// The test of this name again, as a child that finds `task`.
pub(crate) fn command(test: &str, task: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads", "1"]);
    command.env(VARIABLE, task).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a child [`say`]s, one item for each line.
pub(crate) fn said(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let lines = text.lines().filter_map(|line| line.split_once("child: ").map(|(_, said)| said));
    lines.map(str::to_owned).collect()
}

/// Tells the parent.
#[expect(clippy::print_stdout, reason = "it is read by the parent")]
pub(crate) fn say(what: &str) {
    println!("child: {what}");
}

/// The most memory that this process has had at once, in KiB; 0 where the system does not tell.
pub(crate) fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse().unwrap())
}
