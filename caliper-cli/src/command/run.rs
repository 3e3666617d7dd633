mod blind;

use std::collections::BTreeSet;

use caliper_container::interrupt::Interrupt;
use caliper_container::runner::{
    self, CellAction, Rerun, RunContext, RunOptions, Searching, preview,
};
use caliper_core::analysis::compare::{judge, repeats_to_decide, same_results};
use caliper_core::analysis::expect::{FailOn, violations};
use caliper_core::analysis::results::Results;
use caliper_core::analysis::search::{Answer, Goal, Search};
use caliper_core::facts::record::{Record, TestOutcome};
use caliper_core::facts::store::{DirStore, ResultStore as _};
use caliper_core::question::config::Config;
use caliper_core::question::grid::CellId;
use caliper_core::question::plan::{Plan, Test};

use pep440_rs::Version;

use super::{LISTED, say_how_many_more};
use crate::args::{FailOnName, FormatName, GoalName, How, ProgressName, Work};
use crate::exit::{Exit, Failure, Outcome};
use crate::layout::{Layout, lay_out};
use crate::progress;
use crate::signals::Watch;
use crate::sources::Purpose;
use crate::terminal::{Terminal, printable};

/// How often `--confirm` looks again: with more runs there are fewer, or other, open questions.
const ROUNDS: usize = 3;

pub(super) fn run(work: &Work, how: &How, format: FormatName, terminal: Terminal) -> Outcome {
    let interrupt = Interrupt::default();
    let watch = Watch::start(&interrupt)?;
    let layout = lay_out(work, Purpose::Run, terminal)?;
    let store = DirStore::open(layout.setting.results())?;
    let downloader = layout.index.downloader(&layout.cache);
    let reporter = progress::reporter(how.progress, terminal);
    let context = RunContext {
        backend: &*layout.backend,
        project: &layout.project,
        files: &downloader,
        store: &store,
        reporter: &*reporter,
        interrupt: &interrupt,
    };
    let config = &layout.setting.config;
    let mut outcome = match how.search {
        Some(goal) => search(&layout, context, how, goal, &store, terminal)?,
        None => runner::run(&layout.plan, context, &layout.options)?,
    };
    let rest = left_out(&layout, context)?;
    // What is lost is compared by its name.
    let blobs = |blob| store.blob(blob).ok();
    // Those of this plan first, then the rest.
    let with_rest = |mut records: Vec<Record>| {
        records.extend(rest.iter().cloned());
        records
    };
    let mut records = with_rest(std::mem::take(&mut outcome.records));
    if how.confirm {
        for _ in 0..ROUNDS {
            let verdicts = judge(&records, config.baseline.as_ref(), &config.compare, &blobs);
            let attempts = repeats_to_decide(&records, &verdicts, &config.compare, &blobs);
            let planned = &records[..records.len() - rest.len()];
            let more = planned.iter().any(|record| {
                let wanted = attempts.get(&record.id()).into_iter().flatten();
                wanted.into_iter().any(|(test, wanted)| record.attempts(test) < *wanted)
            });
            if !more || outcome.interrupted {
                break;
            }
            // What was measured just now is not to be measured again for being asked for.
            let options = RunOptions { rerun: Rerun::Nothing, attempts, ..layout.options.clone() };
            // Nor what a search left out, or what could not be measured.
            let known = planned.iter().filter(|record| !record.outcome.is_spurious());
            let known: BTreeSet<CellId> = known.map(Record::id).collect();
            let again = runner::run(&part(&layout.plan, &known), context, &options)?;
            outcome.not_measured.extend(again.not_measured);
            outcome.interrupted = again.interrupted;
            let mut found = again.records;
            found.retain(|record| !record.outcome.is_spurious());
            let ids: BTreeSet<CellId> = found.iter().map(Record::id).collect();
            found.extend(planned.iter().filter(|record| !ids.contains(&record.id())).cloned());
            records = with_rest(found);
        }
    }
    if let Some(share) = how.blind
        && !interrupt.is_raised()
    {
        let planned = &records[..records.len() - rest.len()];
        let again = blind::measure(&layout, context, planned, share, &store, terminal)?;
        outcome.not_measured.extend(again.not_measured);
    }
    say_of_files(config, &records, terminal);
    if let Some(baseline) = &config.baseline
        && !records.iter().any(|record| record.version == *baseline)
    {
        terminal.warning(&format!(
            "the baseline {baseline} is not a release of this grid: there is nothing to compare with"
        ));
    }
    let results =
        Results::new(&config.name, config.dependency.clone(), layout.backend.name(), records);
    let Some(results) = results else {
        return Ok(watch.exit().unwrap_or(Exit::Done));
    };
    // Those that were not measured, too: what happened there is not known.
    let cells = layout.plan.cells.iter().chain(&layout.rest.cells);
    let releases: Vec<Version> = cells.map(|cell| cell.id.version.clone()).collect();
    let mut results =
        results.read_through(&releases, config.baseline.as_ref(), &config.compare, &blobs);
    results.blind = blind::judge(&results.cells, &config.compare, &store, terminal)?;
    store.save_results(&results)?;
    match format {
        FormatName::Json => super::print_json(&results, terminal)?,
        FormatName::Text => super::print_results(&results, terminal),
    }
    if let (FormatName::Text, Some(goal)) = (format, how.search) {
        say_answers(&layout, &results.cells, how, goal, terminal);
    }
    say_not_measured(&outcome.not_measured, terminal);
    if let Some(exit) = watch.exit() {
        terminal
            .note("interrupted; what was measured is kept, and `caliper run` goes on from there");
        return Ok(exit);
    }
    let found = violations(
        &results.cells,
        &results.verdicts,
        fail_on(how, &layout),
        config.expect.as_ref(),
    );
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

/// What `--only` left out still belongs to the summary, where its record is valid.
fn left_out(layout: &Layout, context: RunContext<'_>) -> Result<Vec<Record>, Failure> {
    let actions = preview(&layout.rest, context, &layout.options)?;
    let recorded = |action| match action {
        CellAction::Recorded(record) => Some(*record),
        CellAction::Unavailable | CellAction::ToMeasure | CellAction::NotMeasurable(_) => None,
    };
    Ok(actions.into_iter().filter_map(recorded).collect())
}

/// Warns of `results` that match nothing.
fn say_of_files(config: &Config, records: &[Record], terminal: Terminal) {
    let runs = records.iter().flat_map(Record::runs);
    let passed =
        runs.filter(|(test, run)| run.outcome == TestOutcome::Passed && test.name != Test::IMPORT);
    let mut passed = passed.peekable();
    if !config.results.is_empty()
        && passed.peek().is_some()
        && passed.all(|(_, run)| run.files.is_empty())
    {
        let patterns = config.results.join("`, `");
        terminal.warning(&format!("no test left a file that matches `{patterns}` (`results`)"));
    }
}

fn say_not_measured(cells: &[(CellId, String)], terminal: Terminal) {
    for (cell, why) in cells.iter().take(LISTED) {
        terminal.warning(&format!("{cell} could not be measured: {why}"));
    }
    say_how_many_more(cells.len(), terminal);
}

/// A plan for some of its cells.
fn part(plan: &Plan, cells: &BTreeSet<CellId>) -> Plan {
    let kept = plan.cells.iter().filter(|cell| cells.contains(&cell.id)).cloned();
    Plan { cells: kept.collect(), ..plan.clone() }
}

fn goal_of(name: GoalName) -> Goal {
    match name {
        GoalName::All => Goal::AllChanges,
        GoalName::FirstBad => Goal::FirstBad,
        GoalName::LastGood => Goal::LastGood,
    }
}

/// Measures only what a search wants.
fn search(
    layout: &Layout,
    context: RunContext<'_>,
    how: &How,
    goal: GoalName,
    store: &DirStore,
    terminal: Terminal,
) -> Result<runner::Outcome, Failure> {
    let named = |name: &str| how.test.as_deref().is_none_or(|test| test == name);
    let tests = layout.plan.setup.tests.iter().map(|test| test.name.as_str());
    if !tests.chain([Test::IMPORT]).any(named) {
        return Err(Failure::question(format!(
            "there is no test `{}` to search for",
            how.test.as_deref().unwrap_or_default()
        )));
    }
    let blobs = |blob| store.blob(blob).ok();
    let criteria = &layout.setting.config.compare;
    let searching = Searching {
        search: Search { probes: how.probes, goal: goal_of(goal) },
        tests: &named,
        same: &|one, other, test| same_results(one, other, test, criteria, &blobs),
        step: &|wanted, steps| {
            // Progress that is read by programs is one event a line.
            if how.progress != ProgressName::Json {
                terminal.note(&format!("search: {wanted} cells next, about {steps} steps left"));
            }
        },
    };
    Ok(runner::search(&layout.plan, context, &layout.options, &searching)?)
}

/// Answers a question about single releases.
fn say_answers(layout: &Layout, records: &[Record], how: &How, goal: GoalName, terminal: Terminal) {
    let records = records.iter().map(|record| (record.id(), record)).collect();
    for row in runner::rows(&layout.plan, &records) {
        if how.test.as_deref().is_some_and(|test| test != row.test) {
            continue;
        }
        if let Some(answer) = Answer::of(row.row.states(), goal_of(goal)) {
            let answer = answer.map(|release| row.row.name(release));
            let text = format!("{} on {}: {answer}\n", row.test, row.python);
            terminal.data(&printable(&text));
        }
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
