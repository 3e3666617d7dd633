use clap::Args as ClapArgs;

use super::FormatArg;

/// What `spread` is asked for.
#[derive(Debug, ClapArgs)]
pub(crate) struct Spread {
    /// Tables as NAME=FILE.csv, a group each, the one first that the others are compared with; or a configuration or a
    /// folder of results. Default: caliper.yaml.
    #[arg(value_name = "WHAT")]
    pub(crate) what: Vec<String>,
    /// The names of the columns of tables without a header, separated by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) columns: Vec<String>,
    /// How many runs each group should have. Default for recorded results: as many as the configuration says.
    #[arg(long, value_name = "RUNS")]
    pub(crate) planned: Option<usize>,
    /// The axis whose labels are the groups; default: the axis `group`, or else the only one.
    #[arg(long, value_name = "AXIS")]
    pub(crate) by: Option<String>,
    /// Only metrics whose name matches, such as 'val*'; repeatable.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) metric: Vec<String>,
    /// Compare groups although runs are missing or something else is not as planned.
    #[arg(long)]
    pub(crate) incomplete: bool,
    /// Exit with 1 unless this group varies more than each that it is compared with, in every metric.
    #[arg(long, value_name = "GROUP")]
    pub(crate) expect_larger: Option<String>,
    #[command(flatten)]
    pub(crate) format: FormatArg,
}
