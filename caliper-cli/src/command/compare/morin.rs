//! `caliper compare --format morin`: the report of the reproducibility experiment.

use std::path::Path;

use caliper_core::analysis::morin::{MorinError, experiments};
use caliper_core::analysis::spread::Recording;
use caliper_core::facts::store::ResultStore as _;
use caliper_core::report::morin::text;

use super::super::groups::Recorded;
use super::super::recorded::say_of_run;
use crate::exit::{Exit, Failure, Outcome};
use crate::terminal::Terminal;

/// Prints the report of the results of a configuration. A group that cannot be compared is told, and makes the exit code 3.
pub(super) fn run(config: &Path, axis: Option<&str>, terminal: Terminal) -> Outcome {
    let recorded = Recorded::open(config, terminal)?;
    say_of_run(&recorded.store, &recorded.results, terminal)?;
    let criteria = recorded.criteria();
    let recording = Recording {
        records: &recorded.results.cells,
        criteria: &criteria,
        blobs: &|blob| recorded.store.content(blob).ok(),
        planned: &|test, variant| recorded.planned(test, variant),
        labels: &|axis| recorded.labels(axis),
    };
    let found = experiments(&recording, axis).map_err(|error| match error {
        error @ MorinError::NoFiles { .. } => Failure::infrastructure(
            format!("could not compare the runs of `{}`", config.display()),
            error,
        ),
        error => Failure::question(error),
    })?;
    terminal.data(&text(&found));
    let mut exit = Exit::Done;
    for (experiment, gap) in found.iter().flat_map(|one| one.gaps.iter().map(move |gap| (one, gap)))
    {
        let place = &experiment.place;
        terminal.warning(&format!("{} in {}/{}: {gap}", place.test, place.version, place.python));
        exit = Exit::Infrastructure;
    }
    Ok(exit)
}
