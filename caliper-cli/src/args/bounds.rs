//! `caliper bounds`.

use std::path::PathBuf;
use std::time::Duration;

use caliper_core::names::{PackageName, PythonVersion, Timestamp};
use clap::Args as ClapArgs;

use super::{FormatArg, IndexArgs, ProgressName};

/// Whose bounds, and how they are measured.
#[derive(Debug, ClapArgs)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Bounds {
    /// The folder of the project.
    #[arg(default_value = ".")]
    pub(crate) project: PathBuf,
    /// A Python, such as 3.11; may be given several times; default: all of this machine that the project supports.
    #[arg(long, value_name = "X.Y")]
    pub(crate) python: Vec<PythonVersion>,
    /// Only the bounds of this dependency; may be given several times. The others stay as a resolver picks them.
    #[arg(long, value_name = "NAME")]
    pub(crate) dependency: Vec<PackageName>,
    /// An extra of the project that its tests need; may be given several times.
    #[arg(long = "extra", value_name = "NAME")]
    pub(crate) extras: Vec<String>,
    /// A dependency group (PEP 735) that its tests need; may be given several times.
    #[arg(long = "group", value_name = "NAME")]
    pub(crate) groups: Vec<String>,
    /// What its tests need besides, such as pytest-mock; pytest is added if COMMAND is pytest.
    #[arg(long = "with", value_name = "REQUIREMENT")]
    pub(crate) with: Vec<String>,
    /// A requirements file of what its tests need.
    #[arg(short, long = "requirements", value_name = "FILE")]
    pub(crate) requirements: Vec<String>,
    /// Also try releases beyond the declared ranges: how far could they be widened?
    #[arg(long)]
    pub(crate) widen: bool,
    /// Exit with 1 if a declared bound is refuted, alone or together with the others.
    #[arg(long)]
    pub(crate) check: bool,
    /// Write the suggested ranges into pyproject.toml, and show what changes.
    #[arg(long, conflicts_with = "diff")]
    pub(crate) write: bool,
    /// Show what --write would change, and write nothing.
    #[arg(long)]
    pub(crate) diff: bool,
    /// How often a suite is run with releases with which it fails, so that chance refutes nothing.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) repeats: u32,
    /// Take packages as the index offered them then; default: today's.
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Option<Timestamp>,
    /// How long one run of the tests may take.
    #[arg(id = "run_timeout", long = "timeout", value_name = "TIME", default_value = "10m",
        value_parser = caliper_core::question::config::duration)]
    pub(crate) timeout: Duration,
    /// How many installs and tests to run in parallel; default: the CPUs that this process may use.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    /// How often to retry infrastructure failures (network), with exponential backoff.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(..=10))]
    pub(crate) retries: u32,
    /// How to show progress, on standard error; `auto` is `bar` on a terminal, else `plain`.
    #[arg(long, value_enum, default_value_t = ProgressName::Auto)]
    pub(crate) progress: ProgressName,
    #[command(flatten)]
    pub(crate) index: IndexArgs,
    #[command(flatten)]
    pub(crate) format: FormatArg,
    /// The command that tests the project; default: python -m pytest.
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}
