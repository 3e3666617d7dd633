//! `caliper heal`.

use std::path::PathBuf;
use std::time::Duration;

use caliper_core::names::{PythonVersion, Timestamp};
use clap::Args as ClapArgs;

use super::{FormatArg, IndexArgs, ProgressName};

/// What to heal, and how it is tested.
#[derive(Debug, ClapArgs)]
pub(crate) struct Heal {
    /// The folder of the project.
    #[arg(default_value = ".")]
    pub(crate) project: PathBuf,
    /// A Python, such as 3.9; with several, the first on which it can be healed; default: those of this machine, newest
    /// first.
    #[arg(long, value_name = "X.Y")]
    pub(crate) python: Vec<PythonVersion>,
    /// What is installed beside the project, such as `pytest` (which is added if COMMAND begins with it).
    #[arg(long = "with", value_name = "REQUIREMENT")]
    pub(crate) with: Vec<String>,
    /// A file with requirements, one on each line.
    #[arg(short, long = "requirements", value_name = "FILE")]
    pub(crate) requirements: Vec<PathBuf>,
    /// The day on which the project came out; default: that of its release on the index, or else of its newest file
    /// about itself.
    #[arg(long, value_name = "DATE")]
    pub(crate) came_out: Option<Timestamp>,
    /// How often the command is run in each environment: it works if it passes each time.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) repeats: u32,
    /// How long one run may take.
    #[arg(id = "run_timeout", long = "timeout", value_name = "TIME", default_value = "10m", value_parser = caliper_core::question::config::duration)]
    pub(crate) timeout: Duration,
    /// Where the constraints are written; default: in `.caliper/heal` of the project.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// How to show progress, on standard error.
    #[arg(long, value_enum, default_value_t = ProgressName::Auto)]
    pub(crate) progress: ProgressName,
    #[command(flatten)]
    pub(crate) index: IndexArgs,
    #[command(flatten)]
    pub(crate) format: FormatArg,
    /// The command that tests it; default: `python -m pytest`.
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}
