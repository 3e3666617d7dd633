//! Tests that consist of functions, and how they are run so that these are known.

use serde::{Deserialize, Serialize};

/// What a test is, and with that how its result is read.
///
/// All but a command leave a report of their functions, see
/// [`Functions`](crate::facts::functions::Functions), at the path that the variable
/// [`REPORT`](Self::REPORT) holds while it runs.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum TestKind {
    /// A program of which only its exit status, its output and its result files are known.
    #[default]
    Command,
    /// pytest.
    Pytest,
    /// The unittest of the standard library.
    Unittest,
    /// The doctest of the standard library.
    Doctest,
    /// A Jupyter notebook, whose cells are its functions.
    Notebook,
}

/// Writes a report in the form of `JUnit` XML. For Python 2.7 and later.
const WRITE: &str = include_str!("kind/report.py");

impl TestKind {
    /// The environment variable that holds the path of the report.
    pub const REPORT: &'static str = "CALIPER_REPORT";

    /// All but a command, by their keys in the configuration.
    pub const WITH_FUNCTIONS: [(&'static str, Self); 4] = [
        ("pytest", Self::Pytest),
        ("unittest", Self::Unittest),
        ("doctest", Self::Doctest),
        ("notebook", Self::Notebook),
    ];

    /// Whether it is a command, of which no functions are known.
    pub fn is_command(&self) -> bool {
        *self == Self::Command
    }

    /// Whether what the test prints is a part of its result where nothing else is said. What the others print holds
    /// times and counts, and says nothing that their functions do not say.
    pub fn compares_output(self) -> bool {
        match self {
            Self::Command | Self::Notebook => true,
            Self::Pytest | Self::Unittest | Self::Doctest => false,
        }
    }

    /// The command that runs it with these arguments.
    pub fn command(self, arguments: Vec<String>) -> Vec<String> {
        let program = match self {
            Self::Command => return arguments,
            Self::Pytest => return pytest(arguments),
            Self::Unittest => include_str!("kind/unittest.py"),
            Self::Doctest => include_str!("kind/doctest.py"),
            Self::Notebook => include_str!("kind/notebook.py"),
        };
        let program = format!("{WRITE}{program}");
        let front = ["python", "-c", &program].map(str::to_owned);
        front.into_iter().chain(arguments).collect()
    }
}

/// pytest, from version 3.0 on. Its settings make that two runs of the same tests end in the same way, and that a module
/// that cannot be imported does not hide the tests of the others.
fn pytest(arguments: Vec<String>) -> Vec<String> {
    let mut command: Vec<String> =
        ["python", "-m", "pytest", "-p", "no:cacheprovider"].map(str::to_owned).into();
    // pytest-randomly shuffles where it is installed. Who names it wants that.
    if !arguments.iter().any(|word| word.contains("randomly")) {
        command.extend(["-p", "no:randomly"].map(str::to_owned));
    }
    // pytest itself puts the variable in. The older form of its report names the file of each test.
    command.extend(
        [
            "--color=no",
            "--continue-on-collection-errors",
            "-o",
            "junit_family=xunit1",
            concat!("--junitxml=$", "CALIPER_REPORT"),
        ]
        .map(str::to_owned),
    );
    command.extend(arguments);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pytest_is_run_so_that_outcomes_compare() {
        let command = |words: &[&str]| {
            TestKind::Pytest.command(words.iter().map(ToString::to_string).collect()).join(" ")
        };
        insta::assert_snapshot!(command(&["tests/", "-k", "fast"]), @"python -m pytest -p no:cacheprovider -p no:randomly --color=no --continue-on-collection-errors -o junit_family=xunit1 --junitxml=$CALIPER_REPORT tests/ -k fast");
        assert!(!command(&["-p", "randomly"]).contains("no:randomly"));
        assert!(command(&[]).contains(&format!("${}", TestKind::REPORT)));
    }
}
