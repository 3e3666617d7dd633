//! The arguments of `caliper probe`.

use caliper_core::question::factor::Factor;
use clap::Args as ClapArgs;

use super::{FormatArg, ProgressName, Work};

/// What is probed, and how hard.
#[derive(Debug, ClapArgs)]
pub(crate) struct Probe {
    #[command(flatten)]
    pub(crate) work: Work,
    /// Only these factors; may be given several times. Default: all.
    #[arg(long, value_name = "NAME")]
    pub(crate) factor: Vec<Factor>,
    /// How often each test is run with each change, and without.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub(crate) repeats: u32,
    /// Do not change several factors at once where none alone has an effect.
    #[arg(long)]
    pub(crate) alone: bool,
    /// Exit with 1 if a change has an effect.
    #[arg(long)]
    pub(crate) check: bool,
    /// How to show progress, on standard error; `auto` is `bar` on a terminal, else `plain`.
    #[arg(long, value_enum, default_value_t = ProgressName::Auto)]
    pub(crate) progress: ProgressName,
    #[command(flatten)]
    pub(crate) format: FormatArg,
}
