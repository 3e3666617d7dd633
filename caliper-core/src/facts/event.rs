//! The events of a run: the only interface between the runner and its observers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::facts::record::{BuildReason, CellOutcome, Record, TestOutcome};
use crate::names::{PackageName, Sha256};

/// The version of the format that [`Event`] is written in, as lines of JSON.
///
/// 1: the first. 2: phases, downloads and removals; phases come also before [`Event::RunStarted`] and after
/// [`Event::RunFinished`]. A round tells how many environments and runs of tests it plans.
pub const SCHEMA: u32 = 2;

/// Something that happened in a run.
///
/// Each carries everything that a reader needs. Events are ordered: the start of a cell comes before its
/// tests, and its record (saved already) after them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// Something begins that is no part of a cell. Phases do not overlap.
    PhaseStarted {
        /// What begins.
        phase: Phase,
    },
    /// A phase ended, well or badly.
    PhaseFinished {
        /// What ended.
        phase: Phase,
        /// Wall-clock time, in seconds.
        seconds: f64,
    },
    /// The run begins.
    RunStarted {
        /// The version of this format: [`SCHEMA`].
        schema: u32,
        /// The name of the run, which also stands on what a backend makes.
        run: String,
        /// The name of the backend.
        backend: String,
        /// The title of the analysis.
        analysis: String,
        /// The package that is measured.
        dependency: PackageName,
        /// How many cells the grid has.
        cells: usize,
        /// How many things are done at once.
        jobs: usize,
    },
    /// A round of measurements begins. A plain run has one; a search, for example, has one for each of its
    /// steps.
    RoundStarted {
        /// Which round of this run it is, from 1.
        round: u32,
        /// Why it is made.
        #[serde(flatten)]
        purpose: RoundPurpose,
        /// How many cells it goes through.
        cells: usize,
        /// How many of them are measured now; the others are recorded already or have nothing to
        /// install.
        to_measure: usize,
        /// How many of those are built from a source distribution of the dependency. What a dependency of
        /// it needs is not known before.
        #[serde(default)]
        from_source: usize,
        /// How many environments those need; cells can share one.
        #[serde(default)]
        environments: usize,
        /// How many runs of each test are planned, by the name of the test. A cell whose build fails has none
        /// of them, and a package without modules has no import.
        #[serde(default)]
        runs: BTreeMap<String, usize>,
    },
    /// A file is being fetched; told a few times in a second at most.
    DownloadProgress {
        /// The name of the file.
        file: String,
        /// How many bytes are here.
        bytes: u64,
        /// How many it has, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<u64>,
    },
    /// A file of which [`Event::DownloadProgress`] told was fetched, or could not be fetched.
    DownloadFinished {
        /// The name of the file.
        file: String,
        /// Whether it is here now.
        ok: bool,
        /// Wall-clock time, in seconds.
        seconds: f64,
    },
    /// A recorded result with an equal key stands for this cell.
    CellReused {
        /// The cell.
        cell: String,
        /// Where it ended.
        outcome: CellOutcome,
    },
    /// The environment of a cell is being made.
    BuildStarted {
        /// The cell.
        cell: String,
        /// What is built from source, such as `numpy 1.19.5`; `None` if the file is a wheel.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<String>,
    },
    /// The environment of a cell was made, or could not be made.
    BuildFinished {
        /// The cell.
        cell: String,
        /// Whether there is an environment now.
        ok: bool,
        /// Why the build failed.
        reason: Option<BuildReason>,
        /// Wall-clock time, in seconds.
        seconds: f64,
    },
    /// A test begins.
    TestStarted {
        /// The cell.
        cell: String,
        /// The test.
        test: String,
        /// Which of the test's repeats this is, from 1.
        attempt: u32,
    },
    /// A file that a test has written is complete, and is kept although the test goes on. The record has the file as it
    /// is at the end.
    ResultTaken {
        /// The cell.
        cell: String,
        /// The test.
        test: String,
        /// Which of the test's repeats this is, from 1.
        attempt: u32,
        /// The path of the file, relative to the project.
        path: String,
        /// In bytes.
        size: u64,
        /// Of its content.
        sha256: Sha256,
    },
    /// A test ended.
    TestFinished {
        /// The cell.
        cell: String,
        /// The test.
        test: String,
        /// Which of the test's repeats this is, from 1.
        attempt: u32,
        /// How it ended.
        outcome: TestOutcome,
        /// Wall-clock time, in seconds.
        seconds: f64,
    },
    /// A cell ended, and its record is saved. One that could not be measured does not replace the
    /// record of a time when it could; it is told all the same.
    CellFinished {
        /// The record.
        record: Box<Record>,
    },
    /// Files of environments that are not kept are being removed; told a few times in a second at most.
    Removing {
        /// How many files are left.
        files: u64,
    },
    /// Something that a person should know and that stops nothing.
    Warning {
        /// What to know.
        message: String,
    },
    /// The run ended.
    RunFinished {
        /// How many cells were measured in this run.
        measured: usize,
        /// How many cells a recorded result stood for.
        reused: usize,
        /// How many cells could not be measured.
        not_measured: usize,
        /// How many more are left to measure, because the run was stopped before.
        #[serde(default)]
        left: usize,
        /// Whether the run was stopped before its end.
        interrupted: bool,
        /// Wall-clock time, in seconds.
        seconds: f64,
    },
}

/// Why a round of measurements is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "purpose", rename_all = "snake_case")]
#[non_exhaustive]
pub enum RoundPurpose {
    /// To measure all cells of the plan.
    Measure,
    /// A step of a search measures the cells that it needs next.
    Search {
        /// About how many steps are left.
        steps_left: u32,
    },
    /// To repeat tests until what is undecided is decided.
    Confirm,
    /// To measure cells a second time, for the blind check.
    Blind {
        /// How many cells there were to choose from.
        of: usize,
    },
    /// To measure cells with other packages at chosen versions.
    Pinned {
        /// How many packages are pinned at most.
        pins: usize,
    },
    /// To rebuild recorded cells from their locks.
    Replay,
}

/// What a program that measures does outside of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Phase {
    /// The files of the project are read.
    Project,
    /// The package index is asked for the releases.
    Index,
    /// The Pythons are looked for, or their images pulled.
    Pythons,
    /// The project's own package is built.
    Wheel,
    /// The grid is laid out. Files without metadata on the index are looked into.
    Grid,
    /// It is decided for each cell what is still to be measured.
    Recorded,
    /// Conclusions are drawn from the records.
    Results,
    /// Environments that are not kept are removed.
    Removing,
}

impl fmt::Display for Phase {
    /// What happens, such as `reading the index`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Project => "reading the project",
            Self::Index => "reading the index",
            Self::Pythons => "looking for Pythons",
            Self::Wheel => "building the project's wheel",
            Self::Grid => "laying out the grid",
            Self::Recorded => "looking for recorded results",
            Self::Results => "comparing the results",
            Self::Removing => "removing environments that are not kept",
        })
    }
}

/// An observer of a run.
///
/// Calls are never concurrent. A reporter should return quickly, because the run waits for it.
pub trait Reporter: Send + Sync {
    /// Called for each event.
    fn report(&self, event: &Event);
}

/// A [`Reporter`] that several threads can call: it makes each wait until the others are done.
pub struct InOrder<'a> {
    reporter: &'a dyn Reporter,
    turn: Mutex<()>,
}

impl<'a> InOrder<'a> {
    /// Passes events on to `reporter`, one at a time.
    pub fn new(reporter: &'a dyn Reporter) -> Self {
        Self { reporter, turn: Mutex::default() }
    }
}

impl Reporter for InOrder<'_> {
    fn report(&self, event: &Event) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.reporter.report(event);
    }
}

/// A [`Reporter`] that keeps every event, for tests and for embedders that look afterwards.
#[derive(Debug, Default)]
pub struct Collected(Mutex<Vec<Event>>);

impl Collected {
    /// All events so far.
    pub fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Reporter for Collected {
    fn report(&self, event: &Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
    }
}
