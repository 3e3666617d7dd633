//! Result files that hold Python objects, of which only the arrays are kept.
//!
//! A pickle is a program: to read one is to run it. Caliper never does. The test is started by a small Python program,
//! which reads such files where they were written, with the packages that wrote them, and leaves their arrays beside them.

use serde_json::Value;

use super::started::started_by;

/// Runs a command and exports what it left. For Python 2.7 and later.
const PROGRAM: &str = include_str!("export.py");

/// What is put behind the name of a file that was exported.
const ENDING: &str = ".export.npz";

/// The glob of what stands beside the files of a glob once they were exported.
pub(super) fn exported(glob: &str) -> String {
    format!("{glob}{ENDING}")
}

/// A command that runs `command`, and then exports the files of these globs. Its exit status is that of the command; 1 if a
/// file cannot be exported.
pub(super) fn command(globs: &[String], command: Vec<String>) -> Vec<String> {
    started_by(PROGRAM, &Value::from(globs.to_vec()).to_string(), command)
}
