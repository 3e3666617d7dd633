use caliper_container::interrupt::Interrupt;
use caliper_container::runner::{self, Means, Prospect, foresee};
use caliper_core::compare;
use caliper_core::expect::{FailOn, violations};
use caliper_core::report::grid;
use caliper_core::results::Results;
use caliper_core::store::{DirStore, ResultStore as _};

use crate::args::{FailOnName, FormatName, How, Work};
use crate::exit::{Exit, Outcome};
use crate::layout::{Layout, lay_out};
use crate::progress;
use crate::signals::Watch;
use crate::sources::Purpose;
use crate::terminal::{Terminal, printable};

/// More than these are counted, not listed.
const LISTED: usize = 10;

pub(super) fn run(work: &Work, how: &How, format: FormatName, terminal: Terminal) -> Outcome {
    let interrupt = Interrupt::default();
    let watch = Watch::start(&interrupt)?;
    let layout = lay_out(work, Purpose::Run, terminal)?;
    let store = DirStore::open(layout.setting.results())?;
    let downloader = layout.index.downloader(&layout.cache);
    let reporter = progress::reporter(how.progress, terminal);
    let means = Means {
        backend: &*layout.backend,
        project: &layout.project,
        files: &downloader,
        store: &store,
        reporter: &*reporter,
        interrupt: &interrupt,
    };
    let outcome = runner::run(&layout.plan, means, &layout.options)?;
    let mut records = outcome.records;
    // What `--only` left out still belongs to the summary, where its record is valid.
    for prospect in foresee(&layout.rest, means, &layout.options)? {
        if let Prospect::Recorded(record) = prospect {
            records.push(*record);
        }
    }
    let config = &layout.setting.config;
    if let Some(baseline) = &config.baseline
        && !records.iter().any(|record| record.version == *baseline)
    {
        terminal.warning(&format!(
            "the baseline {baseline} is not a release of this grid: there is nothing to compare with"
        ));
    }
    compare::judge(&mut records, config.baseline.as_ref());
    let results =
        Results::new(&config.name, config.dependency.clone(), layout.backend.name(), records);
    let Some(results) = results else {
        return Ok(watch.exit().unwrap_or(Exit::Done));
    };
    store.save_results(&results)?;
    match format {
        FormatName::Json => super::print_json(&results, terminal)?,
        FormatName::Text => terminal.lines(&grid::lines(&results.cells)),
    }
    for (cell, why) in outcome.not_measured.iter().take(LISTED) {
        terminal.warning(&format!("{cell} could not be measured: {why}"));
    }
    say_how_many_more(outcome.not_measured.len(), terminal);
    if let Some(exit) = watch.exit() {
        terminal
            .note("interrupted; what was measured is kept, and `caliper run` goes on from there");
        return Ok(exit);
    }
    let found = violations(&results.cells, fail_on(how, &layout), config.expect.as_ref());
    for violation in found.iter().take(LISTED) {
        terminal.verdict(&printable(&format!("not as expected: {violation}")));
    }
    say_how_many_more(found.len(), terminal);
    Ok(match (outcome.not_measured.is_empty(), found.is_empty()) {
        (false, _) => Exit::World,
        (true, false) => Exit::Unexpected,
        (true, true) => Exit::Done,
    })
}

fn say_how_many_more(count: usize, terminal: Terminal) {
    if count > LISTED {
        terminal.note(&format!("… and {} more", count - LISTED));
    }
}

fn fail_on(how: &How, layout: &Layout) -> FailOn {
    match how.fail_on {
        Some(FailOnName::Regressed) => FailOn::Regressed,
        Some(FailOnName::Failed) => FailOn::Failed,
        Some(FailOnName::Different) => FailOn::Different,
        None if layout.setting.config.expect.is_some() => FailOn::Regressed,
        Some(FailOnName::Never) | None => FailOn::Never,
    }
}
