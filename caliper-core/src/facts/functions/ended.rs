//! How a test with functions ended, by what its report says beside its exit status.

use super::excerpt;
use super::{Functions, ReportError};
use crate::facts::record::TestOutcome;
use crate::question::plan::TestKind;

/// A test that exited by itself.
#[derive(Debug, Clone, Copy)]
pub struct Exited<'a> {
    /// Its exit status.
    pub status: i32,
    /// Standard output.
    pub output: &'a [u8],
    /// Standard error.
    pub error: &'a [u8],
}

/// The outcome of a test that exited, and why, where its exit status alone would not tell it: a test of which nothing
/// was run does not pass, and neither does one whose report is lost. `None` if the status tells it.
///
/// The exit statuses of pytest: <https://docs.pytest.org/en/stable/reference/exit-codes.html>
pub fn ended(
    kind: TestKind,
    exited: &Exited<'_>,
    report: &Result<Functions, ReportError>,
) -> Option<(TestOutcome, String)> {
    if kind.is_command() {
        return None;
    }
    let error = String::from_utf8_lossy(exited.error);
    let not_run = |why: String| Some((TestOutcome::NotRun, why));
    if report.is_err()
        && let Some(module) = missing(kind, &error)
    {
        return not_run(format!(
            "`{module}` is not installed in this environment: add it to `requirements`"
        ));
    }
    let is_pytest = kind == TestKind::Pytest;
    match (exited.status, report) {
        (5, _) if is_pytest => not_run(NOTHING.to_owned()),
        (0 | 5, Ok(functions)) if functions.outcomes.is_empty() => not_run(NOTHING.to_owned()),
        // What the tests share is imported before pytest is ready, and may well fail by the release.
        (4, _) if is_pytest && !error.contains("while loading conftest") => {
            let output = String::from_utf8_lossy(exited.output);
            let said = usage(&error).or_else(|| usage(&output)).unwrap_or_default();
            not_run(format!("pytest could not start: {}", excerpt::line(said)))
        }
        (0, Err(problem)) => {
            Some((TestOutcome::Failed, format!("{LEFT}{problem}: nobody knows what was run")))
        }
        (0, Ok(functions)) => match failures(functions) {
            0 => None,
            1 => Some((TestOutcome::Failed, format!("{LEFT}1 of its functions fails"))),
            more => Some((TestOutcome::Failed, format!("{LEFT}{more} of its functions fail"))),
        },
        (2, _) if is_pytest => Some((TestOutcome::Failed, "pytest was interrupted".to_owned())),
        (3, _) if is_pytest => {
            Some((TestOutcome::Failed, "an internal error of pytest or of a plug-in".to_owned()))
        }
        _ => None,
    }
}

/// A plug-in, or a module of the tests, can end the process with a status of its own.
const LEFT: &str = "it exited with status 0, and ";

fn failures(functions: &Functions) -> usize {
    functions.outcomes.values().filter(|outcome| outcome.is_failure()).count()
}

const NOTHING: &str = "no test was found: look at the path, at `-k` and at `-m`";

/// What is missing to run such a test.
fn missing(kind: TestKind, error: &str) -> Option<&'static str> {
    let modules: &[&str] = match kind {
        TestKind::Command | TestKind::Unittest | TestKind::Doctest => &[],
        TestKind::Pytest => &["pytest"],
        TestKind::Notebook => &["nbclient", "nbformat", "ipykernel"],
    };
    // A module of the project's own may be missing too, but then there is a traceback.
    let last = error.lines().last().unwrap_or_default().trim_end();
    let (_, module) = last.rsplit_once("No module named ")?;
    modules.iter().find(|name| **name == module.trim_matches('\'')).copied()
}

/// What pytest says of its arguments.
fn usage(said: &str) -> Option<&str> {
    let of_arguments = |line: &'_ str| line.rsplit_once(": error: ").map(|(_, said)| said.len());
    let lines = || said.lines();
    let found =
        lines().find_map(|line| of_arguments(line).map(|length| &line[line.len() - length..]));
    found.or_else(|| lines().find_map(|line| line.strip_prefix("ERROR: ")))
}
