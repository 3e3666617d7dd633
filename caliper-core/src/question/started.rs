//! Commands of tests that are started by a small Python program.

/// What such programs have in common: how a command is run so that it sees and ends as if nothing stood before it. For
/// Python 2.7 and later.
const COMMON: &str = include_str!("started.py");

/// A command that runs `program`, which is told `told` and starts `command`.
pub(super) fn started_by(program: &str, told: &str, command: Vec<String>) -> Vec<String> {
    let program = format!("{COMMON}{program}");
    let front = ["python", "-E", "-c", &program, told].map(str::to_owned);
    front.into_iter().chain(command).collect()
}
