//! `caliper replay` and `caliper bundle`.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::{BackendName, FormatArg, IndexArgs, ProgressName, RerunName};

/// Which cells to rebuild, and where.
#[derive(Debug, ClapArgs)]
pub(crate) struct Replay {
    /// A cell such as 2.10.1/3.11, a pattern such as '2.*/3.11', or `all`.
    #[arg(value_name = "CELL|all")]
    pub(crate) what: String,
    /// The configuration.
    #[arg(default_value = "caliper.yaml", value_name = "CONFIG")]
    pub(crate) config: PathBuf,
    #[command(flatten)]
    pub(crate) how: HowToReplay,
    #[command(flatten)]
    pub(crate) index: IndexArgs,
    #[command(flatten)]
    pub(crate) format: FormatArg,
}

/// How cells are rebuilt.
#[derive(Debug, ClapArgs)]
pub(crate) struct HowToReplay {
    /// Where the cells are rebuilt; `auto` is where each was recorded.
    #[arg(long, value_enum, default_value_t = BackendName::Auto)]
    pub(crate) backend: BackendName,
    /// How many builds and tests to run in parallel; default: the CPUs that this process may use.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    /// Rebuild also what was rebuilt before.
    #[arg(long, value_enum)]
    pub(crate) rerun: Option<RerunName>,
    /// How often to retry infrastructure failures (network, engine), with exponential backoff; none with `--offline`.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(..=10))]
    pub(crate) retries: u32,
    /// How to show progress, on standard error; `auto` is `bar` on a terminal, else `plain`.
    #[arg(long, value_enum, default_value_t = ProgressName::Auto)]
    pub(crate) progress: ProgressName,
}

/// A study of somewhere else.
#[derive(Debug, ClapArgs)]
pub(crate) struct FromBundle {
    /// Measure the cells of this bundle again, each in an environment from its lock, and compare; the bundle is unpacked
    /// first. Takes `--backend`, `--jobs`, `--rerun`, `--retries`, `--progress` and the index, and nothing else.
    #[arg(long, value_name = "BUNDLE", conflicts_with_all = [
        "config", "config_flag", "schedule", "plan", "only", "tests", "keep_images", "disk", "python", "versions", "pre",
        "yanked", "as_of", "confirm", "blind", "search", "test", "fail_on", "against",
    ])]
    pub(crate) from: Option<PathBuf>,
    /// The folder that the bundle is unpacked into; default: its name without `.zip`.
    #[arg(long, value_name = "DIR", requires = "from")]
    pub(crate) into: Option<PathBuf>,
}

/// What goes into a bundle.
#[derive(Debug, ClapArgs)]
pub(crate) struct Bundle {
    /// The configuration.
    #[arg(default_value = "caliper.yaml", value_name = "CONFIG")]
    pub(crate) config: PathBuf,
    /// The file to write; default: NAME.zip beside the configuration, after the name of its analysis.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Put all wheels and source distributions of the locks into it too.
    #[arg(long)]
    pub(crate) files: bool,
    /// The licence of the study: an SPDX identifier such as CC-BY-4.0, or a URL.
    #[arg(long, value_name = "LICENCE")]
    pub(crate) license: Option<String>,
    /// Who made the study.
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
    #[command(flatten)]
    pub(crate) index: IndexArgs,
}
