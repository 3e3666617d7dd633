//! The arguments of what runs on another machine.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;

/// Where a run is made, if not here.
#[derive(Debug, ClapArgs)]
pub(crate) struct Elsewhere {
    /// Run on another machine: ssh://user@host:port, with a folder behind it if the cache of the user there will not
    /// do. This program and the project are copied there; results come back to .caliper/hosts.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "plan")]
    pub(crate) host: Option<String>,
    /// Do not wait for the end: print the id of the job. `caliper attach ID` waits for it later.
    #[arg(long, requires = "host")]
    pub(crate) detach: bool,
    /// How long the job may take there. It is then asked to stop, and what it measured is kept.
    #[arg(long, value_name = "TIME", default_value = "24h", requires = "host", value_parser = caliper_core::question::config::duration)]
    pub(crate) ttl: Duration,
    /// How often results are copied back while the job goes on.
    #[arg(long, value_name = "TIME", default_value = "10s", requires = "host", value_parser = caliper_core::question::config::duration)]
    pub(crate) every: Duration,
}

impl Elsewhere {
    /// The options that take a value.
    pub(crate) const WITH_VALUE: [&'static str; 3] = ["--host", "--ttl", "--every"];
}

/// A job on another machine.
#[derive(Debug, ClapArgs)]
pub(crate) struct JobArgs {
    /// The job, as `run --detach` printed it, or a part of its name.
    pub(crate) id: String,
    /// The configuration from whose folder it was started.
    #[arg(long, default_value = "caliper.yaml")]
    pub(crate) config: PathBuf,
}

/// What to remove on other machines.
#[derive(Debug, ClapArgs)]
pub(crate) struct Reap {
    /// A machine; may be given several times. Default: those of the jobs that were started here.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) host: Vec<String>,
    /// Show what would be removed, and remove nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The configuration from whose folder jobs were started.
    #[arg(long, default_value = "caliper.yaml")]
    pub(crate) config: PathBuf,
}
