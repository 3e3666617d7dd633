//! The arguments of `caliper blame`.
#![expect(clippy::doc_markdown, reason = "these comments are the help texts of a terminal")]

use std::path::PathBuf;
use std::time::Duration;

use caliper_core::names::{PackageName, PythonVersion};
use clap::Args as ClapArgs;

use super::{IndexArgs, ProgressName};

/// What to blame for, and how hard to look.
#[derive(Debug, ClapArgs)]
pub(crate) struct BlameArgs {
    /// A recorded cell, such as 2.11.3/3.9[as_of=today]; `caliper show` lists them.
    #[arg(required_unless_present = "from", conflicts_with = "from", requires = "against")]
    pub(crate) cell: Option<String>,
    /// The recorded cell that it is compared with. The test passes in one of the two and fails in the other, or passes
    /// in both with different results.
    #[arg(long, value_name = "CELL", requires = "cell")]
    pub(crate) against: Option<String>,
    /// The configuration whose results the cells are looked up in.
    #[arg(long, default_value = "caliper.yaml", conflicts_with = "from")]
    pub(crate) config: PathBuf,
    /// The test to blame for; default: the first that differs between the two cells.
    #[arg(long, value_name = "NAME", conflicts_with = "from")]
    pub(crate) test: Option<String>,
    /// A lock file: uv.lock, pylock.toml, poetry.lock, or a requirements file of pins.
    #[arg(long, value_name = "LOCK", requires = "to")]
    pub(crate) from: Option<PathBuf>,
    /// Another lock file, which may be of another kind.
    #[arg(long, value_name = "LOCK", requires = "from")]
    pub(crate) to: Option<PathBuf>,
    /// The Python on which the locks are installed; default: that of .venv or .python-version, or else the
    /// newest of this machine that both allow.
    #[arg(long, value_name = "X.Y", requires = "from")]
    pub(crate) python: Option<PythonVersion>,
    /// With two locks: if the command passes with both, blame for what it prints and is not the same.
    #[arg(long, requires = "from")]
    pub(crate) results: bool,
    /// Do not blame this package: it stays as in the passing cell, or as in --from. May be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) except: Vec<PackageName>,
    /// How often the test is run in each mixture. What is found is run as often again.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub(crate) repeats: u32,
    /// How many mixtures to build at most in the search, and how many releases of each guilty package; default: what
    /// four guilty packages can take.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(3..=100_000))]
    pub(crate) runs: Option<u32>,
    /// How long one run of the test may take, with two locks.
    #[arg(id = "run_timeout", long = "timeout", value_name = "TIME", default_value = "10m", conflicts_with = "cell",
        value_parser = caliper_core::question::config::duration)]
    pub(crate) timeout: Duration,
    /// How many builds and tests to run in parallel; default: the CPUs that this process may use.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    /// How often to retry infrastructure failures (network, engine), with exponential backoff.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(..=10))]
    pub(crate) retries: u32,
    /// How to show progress, on standard error; `auto` is `bar` on a terminal, else `plain`.
    #[arg(long, value_enum, default_value_t = ProgressName::Auto)]
    pub(crate) progress: ProgressName,
    /// Also write a bug report of what was found, as `caliper witness` does: a folder that must not exist, or be empty.
    #[arg(long, value_name = "DIR", requires = "cell")]
    pub(crate) witness: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) index: IndexArgs,
    /// The test, with two locks; default: python -m pytest.
    #[arg(last = true, value_name = "CMD", requires = "from")]
    pub(crate) command: Vec<String>,
}
