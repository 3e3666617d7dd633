//! The values that options can take.

use clap::ValueEnum;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatName {
    Text,
    Json,
}

/// How `compare` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompareFormat {
    Text,
    Json,
    /// The report of M. Morin's and M. Willetts' reproducibility experiment: whether the models, the training data and
    /// the batches of each group of runs are the same.
    Morin,
}

/// A format of another tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportName {
    /// GitHub Flavored Markdown of at most 60,000 bytes: the grid, causes, changes and the suggested specifier.
    Markdown,
    /// The grid alone as a small table in Markdown, for a README.
    MarkdownTable,
    /// The answer in one line as an image (SVG), for a README.
    Badge,
    /// JUnit XML: a suite for each cell, a case for each test.
    Junit,
    /// SARIF 2.1.0 for code scanning: a result for each cause of failures.
    Sarif,
    /// A line for each run of each test.
    Csv,
    /// A JSON object on a line for each run of each test.
    Ndjson,
    /// A row for each run of each test, as Parquet; needs -o.
    Parquet,
    /// An SQLite database of runs, cells, installed packages, verdicts, transitions and causes; needs -o.
    Sqlite,
    /// Trace events for Perfetto: what took the time.
    Trace,
    /// The folder of files that caliper 0.0, the Python program, wrote; needs -o.
    Legacy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BackendName {
    Auto,
    Local,
    Docker,
    Podman,
}

/// A backend that scenarios can be measured on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SelftestBackend {
    Local,
    Docker,
    Podman,
}

impl SelftestBackend {
    pub(crate) const ALL: [Self; 3] = [Self::Local, Self::Docker, Self::Podman];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum UnknownUploadTimeName {
    /// They may have been there.
    Include,
    /// They may not have been there.
    Exclude,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RerunName {
    /// Cells whose build or some test failed.
    Failed,
    /// All cells.
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressName {
    Auto,
    Bar,
    Plain,
    Json,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScheduleName {
    /// As many builds and tests at once as `--jobs` allows.
    Parallel,
    /// While a test runs, nothing else does: for measurements of time.
    Exclusive,
    /// Every test of every cell once, then all a second time, and so on; nothing else runs meanwhile. All
    /// environments stand at the same time.
    Interleaved,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GoalName {
    /// Every change.
    All,
    /// The first release that fails.
    FirstBad,
    /// The newest release that passes.
    LastGood,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MeasureName {
    /// Wall-clock time of the tests.
    Time,
    /// Processor time of the tests.
    Cpu,
    /// Peak memory of the tests.
    Memory,
    /// Wall-clock time of the build.
    Build,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOnName {
    /// An expected release does not pass; without `expect`, a test fails that passed at an older one.
    Regressed,
    /// A build or a test fails.
    Failed,
    /// A build or a test fails, or a result differs from the baseline's.
    Different,
    /// Never.
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaName {
    /// caliper.yaml.
    Config,
    /// .caliper/results.json, show --format json.
    Results,
    /// .caliper/records/*.json.
    Record,
    /// A line of run --progress json.
    Event,
    /// resolve --format json.
    Grid,
    /// plan --format json.
    Plan,
    /// suggest --format json.
    Suggest,
    /// compare --format json.
    Compare,
    /// blame --format json.
    Blame,
    /// bounds --format json.
    Bounds,
    /// doctor --format json.
    Doctor,
    /// selftest --format json.
    Selftest,
    /// replay --format json.
    Replay,
    /// A line of export --to ndjson.
    Row,
    /// history --format json.
    History,
    /// spread --format json.
    Spread,
    /// probe --format json.
    Probe,
}
