//! The command line as typed. Nothing here opens a file.
#![expect(clippy::doc_markdown, reason = "these comments are the help texts of a terminal")]

mod blame;
mod bounds;
mod elsewhere;
mod heal;
mod index;
mod probe;
mod replay;
mod spread;
mod values;

use std::path::PathBuf;

use caliper_core::names::{PackageName, PythonVersion, Timestamp};
use caliper_core::question::axes::AsOf;
use caliper_core::question::grid::CellId;
use caliper_core::question::selection::Versions;
use clap::{Args as ClapArgs, Parser, Subcommand};

pub(crate) use blame::BlameArgs;
pub(crate) use bounds::Bounds;
pub(crate) use elsewhere::{Elsewhere, JobArgs, Reap};
pub(crate) use heal::Heal;
pub(crate) use index::{IndexCommand, Serve};
pub(crate) use probe::Probe;
pub(crate) use replay::{Bundle, FromBundle, HowToReplay, Replay};
pub(crate) use spread::Spread;
pub(crate) use values::{
    BackendName, CompareFormat, ExportName, FailOnName, FormatName, GoalName, MeasureName,
    ProgressName, RerunName, ScheduleName, SchemaName, SelftestBackend, UnknownUploadTimeName,
};

/// Measure what a dependency's releases do to your code.
#[derive(Debug, Parser)]
#[command(
    name = "caliper",
    version,
    after_help = "\
Examples:
  caliper init                 write a caliper.yaml to start from
  caliper run                  measure every release × Python, and show the grid
  caliper show 2.10.1/3.11     explain the outcome of that cell
  caliper resolve numpy --python 3.11

Exit codes: 0 measured and as expected; 1 an expectation does not hold; 2 a mistake in the request;
3 infrastructure failure; 130 and 143 interrupted, what was measured is kept."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) global: Global,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Global {
    /// Print without colours (also: the environment variable NO_COLOR).
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// Print errors and data only.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print more about each step.
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a commented caliper.yaml: for the project in the folder, or else with a template and a test to start from.
    #[command(after_help = "\
Examples:
  caliper init
  caliper init ../weatherkit --dependency pandas
  caliper init study

In a folder with a pyproject.toml, setup.cfg, setup.py or requirements file, its dependencies, its Pythons and the way it
is tested are found out, without running anything. Existing files are never overwritten.")]
    Init {
        /// The folder; created if it does not exist.
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// The dependency to measure; default: the first that the project declares, or, at a terminal, the answer to a
        /// question.
        #[arg(long, value_name = "NAME")]
        dependency: Option<PackageName>,
    },
    /// Check configuration, template and tests, without network.
    #[command(
        after_help = "Examples:\n  caliper check study/caliper.yaml\n  caliper check */caliper.yaml"
    )]
    Check {
        /// The configuration; may be given several times.
        #[arg(default_value = "caliper.yaml", value_name = "CONFIG")]
        configs: Vec<PathBuf>,
    },
    /// Show which file fits which release × Python.
    #[command(after_help = "\
Examples:
  caliper resolve jinja2
  caliper resolve tensorflow --python 3.11 --versions '>=2.10,<2.14' --format json
  caliper resolve numpy --versions 'since: 2023-01-01, latest-patch'
  caliper resolve cryptography --platform musllinux_1_2_aarch64 --python 3.12")]
    Resolve {
        /// The package.
        package: PackageName,
        #[command(flatten)]
        selection: Select,
        /// The platform to resolve for, by a platform tag such as `manylinux_2_28_x86_64`,
        /// `musllinux_1_2_aarch64`, `macosx_14_0_arm64` or `win_amd64`; default: this machine's.
        #[arg(long, value_name = "TAG")]
        platform: Option<String>,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Show what a run would do.
    #[command(after_help = "Example:\n  caliper plan --backend docker --python 3.11")]
    Plan {
        #[command(flatten)]
        work: Work,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Measure every cell that has no valid record.
    #[command(
        visible_alias = "analyze",
        after_help = "\
Examples:
  caliper run
  caliper run study/caliper.yaml --backend docker --python 3.9 --python 3.11
  caliper run --only '2.10.*/3.11' --rerun failed
  caliper run --only '*/3.11[seed=3]'
  caliper plan --format json > ../plan.json && caliper run --plan ../plan.json
  caliper analyze --config caliper.yaml
  caliper run --from study.zip --into again
  caliper run --host ssh://me@bigger --detach

Results are kept in .caliper beside the configuration; a second run measures only what changed.
Ctrl-C stops at once and keeps what was measured."
    )]
    Run {
        #[command(flatten)]
        work: Work,
        #[command(flatten)]
        how: How,
        #[command(flatten)]
        from: FromBundle,
        #[command(flatten)]
        elsewhere: Elsewhere,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Wait for the end of a job on another machine: show what it says, copy its results back.
    #[command(after_help = "\
Example:
  caliper attach 64f1c2

Ctrl-C stops the job there too, and keeps what it measured. A lost connection does the job no harm.
Exit codes: as `run`; 3 if the job was lost or stopped at its time to live.")]
    Attach {
        #[command(flatten)]
        job: JobArgs,
        /// How often results are copied back while the job goes on.
        #[arg(long, value_name = "TIME", default_value = "10s", value_parser = caliper_core::question::config::duration)]
        every: std::time::Duration,
    },
    /// Say how far jobs on other machines are.
    #[command(after_help = "Examples:\n  caliper status\n  caliper status 64f1c2")]
    Status {
        /// The job; default: all that were started from here.
        id: Option<String>,
        /// The configuration from whose folder they were started.
        #[arg(long, default_value = "caliper.yaml")]
        config: PathBuf,
    },
    /// Copy the results of a job on another machine, as they are now, to .caliper/hosts.
    #[command(after_help = "Example:\n  caliper fetch 64f1c2")]
    Fetch(JobArgs),
    /// Stop a job on another machine, and copy what it measured.
    #[command(after_help = "Example:\n  caliper stop 64f1c2")]
    Stop(JobArgs),
    /// Remove what jobs that ended left on other machines, but not their results.
    #[command(after_help = "\
Examples:
  caliper reap --dry-run
  caliper reap --host ssh://me@bigger

A job that goes on is left alone. With the last job the copies of this program, of projects and of environments go.")]
    Reap(Reap),
    /// Show recorded results; with a cell, its tests, environment and log.
    #[command(after_help = "\
Examples:
  caliper show
  caliper show 2.10.1/3.11
  caliper show --test render.py
  caliper show --measure time
  caliper show study/caliper.yaml --format json
  caliper show 2.10.1/3.11 --lock > pylock.toml && uv pip install -r pylock.toml
  caliper show --rebuild")]
    Show {
        /// The configuration, and a cell such as 2.10.1/3.11; either may be left out.
        #[arg(num_args = 0..=2, value_names = ["CONFIG", "CELL"])]
        what: Vec<String>,
        /// Only this test.
        #[arg(long, value_name = "NAME")]
        test: Option<String>,
        /// A number for each cell in place of its mark: how long its tests took, or how much they used.
        #[arg(long, value_enum, value_name = "WHAT")]
        measure: Option<MeasureName>,
        /// Make the summary again from the records alone, for example after records of another folder
        /// were copied into this one; needs the configuration, and measures nothing.
        #[arg(long)]
        rebuild: bool,
        /// The files of the cell's environment as a `pylock.toml` (PEP 751), which uv and pip install.
        #[arg(long, conflicts_with_all = ["test", "measure", "format"])]
        lock: bool,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Rebuild recorded cells from their locks alone, and compare: same files, same results?
    #[command(after_help = "\
Examples:
  caliper replay all
  caliper replay '2.*/3.11' study/caliper.yaml
  caliper replay 2.10.1/3.11 --offline

Nothing is resolved: the files of a record are installed, whatever the index says now. Records stay as they are; what
is measured is kept in .caliper/replay.
Exit codes: 0 all the same; 1 some are not; 3 some could not be rebuilt.")]
    Replay(Replay),
    /// Write a study as one file: configuration, project, records and locks, described as an RO-Crate.
    #[command(after_help = "\
Examples:
  caliper bundle
  caliper bundle study/caliper.yaml -o study.zip --files --license CC-BY-4.0 --author 'A. Person'
  caliper run --from study.zip

With --files it holds all that the environments are made of, and outlives the index.
Exit codes: 3 if the files of a cell are not known, so that it has no lock.")]
    Bundle(Bundle),
    /// Show how each test changed between two sets of results, two releases, or two cells.
    #[command(after_help = "\
Examples:
  caliper compare before/.caliper after/.caliper
  caliper compare 2.11.3 3.0.0
  caliper compare 2.11.3/3.9 2.11.3/3.10 --format json
  caliper compare --format morin

With --format morin there are no two sides: the runs of each group of a configuration are compared with the first of them.")]
    Compare {
        /// Each a folder of results, a configuration, a release, or a cell such as 2.10.1/3.11. With --format morin one
        /// configuration or folder of results, or none.
        #[arg(num_args = 0..=2, value_names = ["FIRST", "SECOND"])]
        sides: Vec<String>,
        /// The configuration whose results releases and cells are looked up in.
        #[arg(long, default_value = "caliper.yaml")]
        config: PathBuf,
        /// With --format morin: the axis whose labels are the groups; default: the axis `group`, or else the only one.
        #[arg(long, value_name = "AXIS")]
        by: Option<String>,
        /// How to print the data.
        #[arg(long, value_enum, default_value_t = CompareFormat::Text)]
        format: CompareFormat,
    },
    /// Find the packages whose versions make a test fail, by measuring mixtures of two environments.
    #[command(after_help = "\
Examples:
  caliper blame '2.11.3/3.9[as_of=today]' --against '2.11.3/3.9[as_of=release]'
  git show HEAD~20:uv.lock > old.lock && caliper blame --from old.lock --to uv.lock
  caliper blame --from before.txt --to after.txt --python 3.11 -- python check.py

Each mixture is built and its test is run. With lock files, this is done on this machine (`local`),
and the project of the current folder is installed too, if it is a package. What was measured is
kept in .caliper/blame, so the same command goes on where it was stopped.

Exit codes: 0 guilty packages were found; 2 the two do not differ; 3 it could not be measured, or
the test is flaky.")]
    Blame {
        #[command(flatten)]
        blame: BlameArgs,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Measure the oldest and newest releases of each dependency with which a project's tests pass.
    #[command(after_help = "\
Examples:
  caliper bounds --extra test
  caliper bounds . --python 3.9 --python 3.12 --group dev --check
  caliper bounds --dependency pandas --widen -- python -m unittest
  caliper bounds --extra test --write

The project is built once and installed with chosen releases of its direct dependencies; a resolver picks all else. For
each dependency the ends of its declared range are tried, and where the tests fail, halving finds the bound; then all
lower bounds are tried together. What was measured is kept in .caliper/bounds: on the same day the same command goes on
where it was stopped. Works with the `local` backend.

Exit codes: 1 if --check finds that a declared bound is refuted; 3 if something could not be measured.")]
    Bounds(Box<Bounds>),
    /// Print the version specifier that the results support, and check a declared one.
    #[command(after_help = "\
Examples:
  caliper suggest
  caliper suggest study/caliper.yaml --test render.py
  caliper suggest --check pyproject.toml

Exit codes: 1 if the specifier of --check allows a release that fails.")]
    Suggest {
        /// The configuration, or a folder of results.
        #[arg(default_value = "caliper.yaml")]
        config: PathBuf,
        /// Only this test.
        #[arg(long, value_name = "NAME")]
        test: Option<String>,
        /// Check a declared specifier against the results: that in this pyproject.toml, setup.cfg or
        /// requirements file, or this one, such as '>=1.2,<2'.
        #[arg(long, value_name = "WHAT")]
        check: Option<String>,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Find out which factor changes what a test does: hash seed, threads, locale, clock, host name, user, file order …
    #[command(after_help = "\
Examples:
  caliper probe
  caliper probe --tests train.py --repeats 10
  caliper probe study/caliper.yaml --only 2.3.*/3.13 --factor threads --factor hash-seed

One cell is measured as usual and with one factor changed at a time: by default the newest release on the newest Python.
Where no factor alone has an effect, all are changed together, and if that has one, a small set that has it is looked for.
What is compared, and what is looked past, is as the configuration says. What was measured is kept in .caliper/probe: the
same command goes on where it was stopped.

Factors: hash-seed, threads, processors, locale, time-zone, clock, host-name, user, folder, file-order,
environment-size, cpu-features. Host name, user and file order are changed as Python tells them.

Exit codes: 1 if --check finds an effect; 3 if something could not be measured.")]
    Probe(Box<Probe>),
    /// Say how much the runs of groups vary, such as those of one seed and those of many seeds, and which vary more.
    #[command(after_help = "\
Examples:
  caliper spread same=same.csv different=different.csv --columns loss,accuracy --planned 50
  caliper spread
  caliper spread study/caliper.yaml --by group --metric 'val*'

A table has a row for each run and a column for each metric. Of recorded results, the labels of an axis are the groups.
If runs are missing or something else is not as planned, it says so and compares nothing, unless --incomplete is given.
Nothing is measured.

Exit codes: 1 if --expect-larger does not hold; 2 if columns have no names or the groups have other metrics; 3 if runs are
missing, or have no finite number.")]
    Spread(Spread),
    /// Write the results for another tool: a CI system, a README, a table, a database, a viewer.
    #[command(after_help = "\
Examples:
  caliper export --to markdown >> \"$GITHUB_STEP_SUMMARY\"
  caliper export study/caliper.yaml --to csv > runs.csv
  caliper export --to markdown --against main/.caliper > comment.md
  caliper export --to sarif -o caliper.sarif
  caliper export --to trace -o trace.json     # open it at https://ui.perfetto.dev")]
    Export {
        /// The configuration, or a folder of results.
        #[arg(default_value = "caliper.yaml")]
        config: PathBuf,
        /// The format.
        #[arg(long, value_enum)]
        to: ExportName,
        /// Results to hold these against, such as those of the default branch: what fails there too is not new.
        #[arg(long, value_name = "RESULTS")]
        against: Option<PathBuf>,
        /// The file to write, which is replaced if it exists; for `legacy` a folder, which must not exist or be empty.
        /// Default: standard output.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Show how verdicts changed over several sets of results, such as those of nightly runs.
    #[command(after_help = "\
Examples:
  caliper run && caliper history
  caliper history --db history.sqlite            # the results of this folder are added
  caliper history monday/.caliper tuesday/.caliper --db history.sqlite

The results are added to FILE, an SQLite database, unless they are in it already; nothing is measured.")]
    History {
        /// Configurations, or folders of results, to add; default: caliper.yaml, if it is there.
        #[arg(value_name = "RESULTS")]
        results: Vec<PathBuf>,
        /// The database; default: history.sqlite in the folder of the first results.
        #[arg(long, value_name = "FILE")]
        db: Option<PathBuf>,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Write the recorded results as one page of HTML, which needs no network.
    #[command(after_help = "\
Examples:
  caliper report
  caliper report study/caliper.yaml -o study.html
  caliper report --against main/.caliper -o comparison.html

The page shows the matrix, the reasons and the plots, and opens the outputs, logs and packages of each cell. It is read
without a server, and as a table without JavaScript.")]
    Report {
        /// The configuration, or a folder of results.
        #[arg(default_value = "caliper.yaml")]
        config: PathBuf,
        /// The file; default: report.html in the folder of the results.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Results to hold these against, such as those of the default branch: what is fixed, regressed, changed, flaky,
        /// new and gone.
        #[arg(long, value_name = "RESULTS")]
        against: Option<PathBuf>,
    },
    /// Write a bug report: a folder that reproduces the difference between two cells.
    #[command(after_help = "\
Example:
  caliper witness '2.11.3/3.9[as_of=today]' --against '2.11.3/3.9[as_of=release]' -o report

The folder has the requirements of both sides (of containers, Dockerfiles too), what the test needs of the project, and a
README.md with the commands. They are tried first, with uv or the engine, and nothing is written unless both sides end as
recorded.

Exit codes: 1 if a side does not end as recorded.")]
    Witness {
        /// The cell, such as 2.11.3/3.9.
        cell: CellId,
        /// The cell to compare it with.
        #[arg(long, value_name = "CELL")]
        against: CellId,
        /// The test; may be left out if only one does not end alike.
        #[arg(long, value_name = "NAME")]
        test: Option<String>,
        /// The folder to write; it must not exist, or be empty.
        #[arg(short = 'o', long = "output", value_name = "DIR", default_value = "witness")]
        folder: PathBuf,
        /// The configuration whose results the cells are looked up in.
        #[arg(long, default_value = "caliper.yaml")]
        config: PathBuf,
    },
    /// Import the results of caliper 0.0, the Python program of the same name.
    #[command(after_help = "\
Examples:
  caliper import old/.caliper/data
  caliper import old --into study-2021 && caliper show study-2021

Records that exist already are kept and not replaced.")]
    Import {
        /// Its folder `.caliper/data`, or the folder around it.
        from: PathBuf,
        /// The folder of results to write.
        #[arg(long, value_name = "FOLDER", default_value = "imported")]
        into: PathBuf,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Offer a package index on this machine: a mirror, also as it was at a date.
    #[command(after_help = "Example:\n  caliper index serve --as-of 2021-01-01")]
    Index {
        #[command(subcommand)]
        command: IndexCommand,
    },
    /// Show what this machine can do: Pythons, engines, index.
    #[command(after_help = "Example:\n  caliper doctor")]
    Doctor {
        #[command(flatten)]
        index: IndexArgs,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Measure small projects with known outcomes on this machine, and report deviations.
    #[command(after_help = "\
Examples:
  caliper selftest
  caliper selftest --backend docker --only '*memory*'

Exit codes: 0 all as expected; 1 a deviation, which is a defect of Caliper or of the backend.")]
    Selftest {
        /// The backend; may be given several times. Default: all that work on this machine.
        #[arg(long, value_enum)]
        backend: Vec<SelftestBackend>,
        /// Only scenarios whose name matches; may be given several times.
        #[arg(long, value_name = "PATTERN")]
        only: Vec<String>,
        /// How many scenarios to measure at once; default: the CPUs that this process may use.
        #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
        jobs: Option<u16>,
        #[command(flatten)]
        index: IndexArgs,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Remove what Caliper made and can make again: caches, images, containers. Never results.
    #[command(after_help = "Examples:\n  caliper clean --dry-run\n  caliper clean --cache")]
    Clean {
        /// The configuration beside which the cache is.
        #[arg(default_value = "caliper.yaml")]
        config: PathBuf,
        /// Only the cache, also if CALIPER_CACHE_DIR names one that projects share.
        #[arg(long, conflicts_with = "engine")]
        cache: bool,
        /// Only what Caliper left on the container engine, also images kept with a shared cache.
        #[arg(long)]
        engine: bool,
        /// Show what would be removed, and remove nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Find out when an old project last worked, and with which versions it works today.
    #[command(after_help = "\
Examples:
  caliper heal
  caliper heal weather-kit-1.2 --python 3.9 --python 3.8 -- python -m unittest discover
  caliper heal . -r requirements.txt --with pytest-mock -o constraints.txt

The project is installed with the index of different dates, and COMMAND is run. Up to Python 3.11 it finds setuptools,
which all virtual environments had. What is measured is kept: the same
command goes on where it was stopped. Works with the `local` backend. Exit codes: 1 if it is not healed.")]
    Heal(Box<Heal>),
    /// Print the JSON Schema of a format.
    #[command(after_help = "Example:\n  caliper schema results > results.schema.json")]
    Schema {
        /// The format.
        format: SchemaName,
    },
    /// Print completions for a shell.
    #[command(
        after_help = "Example:\n  caliper completions bash > ~/.local/share/bash-completion/completions/caliper"
    )]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages.
    #[command(hide = true, after_help = "Example:\n  caliper man ~/.local/share/man/man1")]
    Man {
        /// The folder to write them to; created if it does not exist.
        folder: PathBuf,
    },
}

/// What to measure, and where.
#[derive(Debug, ClapArgs)]
pub(crate) struct Work {
    /// The configuration.
    #[arg(default_value = "caliper.yaml", value_name = "CONFIG")]
    pub(crate) config: PathBuf,
    /// The configuration, as the original spells it.
    #[arg(long = "config", value_name = "CONFIG", conflicts_with = "config", hide = true)]
    pub(crate) config_flag: Option<PathBuf>,
    /// Where cells run; `auto` is `docker` if the configuration has a `dockerfile`, else `local`. With
    /// another, the cells have the axis `backend`.
    #[arg(long, value_enum, default_value_t = BackendName::Auto)]
    pub(crate) backend: BackendName,
    /// How many builds and tests to run in parallel; default: the CPUs that this process may use.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    /// Which test is run when.
    #[arg(long, value_enum, default_value_t = ScheduleName::Parallel)]
    pub(crate) schedule: ScheduleName,
    /// Run this plan, as `caliper plan --format json` printed it, and not what the index offers now.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["versions", "python", "as_of", "pre", "yanked"])]
    pub(crate) plan: Option<PathBuf>,
    /// Only these cells, such as `2.10.*/3.11` or `*/*[seed=3]`; may be given several times.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) only: Vec<String>,
    /// Only tests whose name matches; the import of the dependency always runs.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) tests: Vec<String>,
    /// Measure recorded cells again, with newly built images.
    #[arg(long, value_enum)]
    pub(crate) rerun: Option<RerunName>,
    /// How often to retry infrastructure failures (network, engine), with exponential backoff.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(..=10))]
    pub(crate) retries: u32,
    /// Keep the images of cells on the container engine for the next run.
    #[arg(long)]
    pub(crate) keep_images: bool,
    /// How much disk, such as 20GiB, may be used between runs: with `local` by the cache (default 5GiB), with
    /// `docker` by kept images (default nothing). What was not used for the longest time goes first.
    #[arg(long, value_name = "SIZE", conflicts_with = "keep_images", value_parser = size)]
    pub(crate) disk: Option<u64>,
    #[command(flatten)]
    pub(crate) selection: Select,
}

fn size(text: &str) -> Result<u64, String> {
    if text == "0" { Ok(0) } else { caliper_core::question::config::bytes(text) }
}

/// A share of something, above 0: 10% or 0.1.
fn share(text: &str) -> Result<f64, String> {
    let (number, whole) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
    let share = number.trim().parse::<f64>().ok().map(|number| number / whole);
    share
        .filter(|share| *share > 0.0 && *share <= 1.0)
        .ok_or_else(|| "a share is above 0% and at most 100%, such as 10%".to_owned())
}

impl Work {
    /// What `run` is given for a configuration with another selection, and nothing else.
    pub(crate) fn of(config: PathBuf, backend: BackendName, selection: Select) -> Self {
        Self {
            config,
            config_flag: None,
            backend,
            jobs: None,
            schedule: ScheduleName::Parallel,
            plan: None,
            only: Vec::new(),
            tests: Vec::new(),
            rerun: None,
            retries: 0,
            keep_images: false,
            disk: None,
            selection,
        }
    }

    /// The configuration, however it was given.
    pub(crate) fn config(&self) -> &PathBuf {
        self.config_flag.as_ref().unwrap_or(&self.config)
    }
}

/// How a run shows itself and when it fails.
#[derive(Debug, ClapArgs)]
pub(crate) struct How {
    /// How to show progress, on standard error; `auto` is `bar` on a terminal, else `plain`.
    #[arg(long, value_enum, default_value_t = ProgressName::Auto)]
    pub(crate) progress: ProgressName,
    /// Repeat tests whose result is not the baseline's until it can be told from noise, and tests that
    /// fail next to a release at which they pass.
    #[arg(long)]
    pub(crate) confirm: bool,
    /// Measure this share of the cells, such as 10%, twice, and judge the second measurement as if it were
    /// another release. Every `different` there is a false one: their share is the error rate.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(crate) blind: Option<f64>,
    /// Measure only what it takes to find changes: a few releases of each row, then bisect between those
    /// that differ. The report lists the releases that were not measured.
    #[arg(long, value_enum, value_name = "GOAL", num_args = 0..=1, default_missing_value = "all")]
    pub(crate) search: Option<GoalName>,
    /// How many releases of each row `--search` measures first.
    #[arg(long, value_name = "K", default_value_t = 5, requires = "search",
        value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub(crate) probes: u32,
    /// The test for which `--search` looks for changes; default: all.
    #[arg(long, value_name = "NAME", requires = "search")]
    pub(crate) test: Option<String>,
    /// When to exit with 1; default: `regressed` if the configuration has an `expect`, `failed` with `--against`, else
    /// `never`.
    #[arg(long, value_enum)]
    pub(crate) fail_on: Option<FailOnName>,
    /// Results to hold these against, such as those of the default branch: a folder of results, or a configuration. What
    /// fails there too, in the same cell and test, does not count for `--fail-on`.
    #[arg(long, value_name = "RESULTS")]
    pub(crate) against: Option<PathBuf>,
}

/// Which releases and files.
#[derive(Debug, ClapArgs)]
pub(crate) struct Select {
    #[command(flatten)]
    pub(crate) index: IndexArgs,
    /// A Python, such as 3.11; may be given several times.
    #[arg(long, value_name = "X.Y")]
    pub(crate) python: Vec<PythonVersion>,
    /// PEP 440 specifiers, `latest-patch`, `latest: N`, `since: DATE`, or versions, separated by commas.
    #[arg(long, value_name = "SPEC")]
    pub(crate) versions: Option<Versions>,
    /// Include pre-releases.
    #[arg(long)]
    pub(crate) pre: bool,
    /// Include yanked files.
    #[arg(long)]
    pub(crate) yanked: bool,
    /// Look at the index as it was then: a date such as 2021-03-01, `release` for the day on which each release
    /// came out, `today`, or several of these, separated by commas. The cells have the axis `as_of`.
    #[arg(long, value_name = "DATE", value_delimiter = ',')]
    pub(crate) as_of: Vec<AsOf>,
}

impl Select {
    /// These Pythons, of these indexes at these dates; all else is as the configuration says.
    pub(crate) fn of(index: IndexArgs, python: Vec<PythonVersion>, as_of: Vec<AsOf>) -> Self {
        Self { index, python, versions: None, pre: false, yanked: false, as_of }
    }

    /// The only date of the index, if one was given.
    pub(crate) fn date(&self) -> Option<Timestamp> {
        match self.as_of.as_slice() {
            [AsOf::Date(date)] => Some(*date),
            _ => None,
        }
    }
}

/// Which index.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct IndexArgs {
    /// The package index (also: CALIPER_INDEX_URL, then PIP_INDEX_URL). May be given several times: a
    /// package is taken from the first index that has it.
    #[arg(long = "index", value_name = "URL")]
    pub(crate) urls: Vec<String>,
    /// How long to wait for the index to begin an answer.
    #[arg(long = "index-timeout", value_name = "SECONDS", default_value_t = 30,
        value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub(crate) timeout: u16,
    /// Make no request to the index: use the cache.
    #[arg(long)]
    pub(crate) offline: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct FormatArg {
    /// How to print the data.
    #[arg(long, value_enum, default_value_t = FormatName::Text)]
    pub(crate) format: FormatName,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent_and_every_command_has_an_example() {
        Args::command().debug_assert();
        for command in Args::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "{}", command.get_name());
        }
    }
}
