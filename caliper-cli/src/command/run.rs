mod tidy;

use caliper_container::interrupt::Interrupt;
use caliper_container::runner::{self, RunContext, during};
use caliper_container::study::{BlindCheck, Method, Question, RowSearch, Study, measure};
use caliper_core::analysis::expect::{FailOn, Held, against, violations};
use caliper_core::analysis::expected_values::{
    ValueCounts, ValueVerdict, expected_values, violations_of_values,
};
use caliper_core::analysis::results::Results;
use caliper_core::analysis::row::Transition;
use caliper_core::analysis::search::{Answer, Goal, Search};
use caliper_core::facts::event::Phase;
use caliper_core::facts::record::{Record, TestOutcome};
use caliper_core::facts::store::{DirStore, ResultStore as _};
use caliper_core::question::config::Config;
use caliper_core::question::grid::CellId;
use caliper_core::question::plan::Test;
use caliper_core::report::model::OpenQuestions;

use super::blind;
use super::recorded::before;
use super::{LISTED, no_such_test, say_how_many_more};
use crate::args::{FailOnName, FormatName, GoalName, How, Work};
use crate::exit::{Exit, Failure, Outcome};
use crate::layout::{Layout, lay_out};
use crate::progress;
use crate::signals::Watch;
use crate::sources::Purpose;
use crate::terminal::{Terminal, printable};

pub(super) fn run(work: &Work, how: &How, format: FormatName, terminal: Terminal) -> Outcome {
    let interrupt = Interrupt::default();
    let watch = Watch::start(&interrupt)?;
    let reporter = progress::reporter(how.progress, terminal);
    // Before hours are spent on measuring.
    let before = how.against.as_ref().map(|path| before(path, terminal)).transpose()?;
    let layout = lay_out(work, Purpose::Run, &interrupt, &*reporter, terminal)?;
    let store = DirStore::open(layout.setting.results())?;
    reporter.remember(&layout.setting.results());
    let downloader = layout.index.downloader(&layout.cache);
    let context = RunContext {
        backend: &*layout.backend,
        project: &layout.project,
        files: &downloader,
        store: &store,
        reporter: &*reporter,
        interrupt: &interrupt,
    };
    let config = &layout.setting.config;
    let question = Question {
        plan: &layout.plan,
        rest: Some(&layout.rest),
        is_whole: layout.is_whole,
        baseline: config.baseline.as_ref(),
        criteria: &config.compare,
    };
    let second = how.blind.map(|_| DirStore::open(blind::folder(&store))).transpose()?;
    let method = Method {
        search: how.search.map(|goal| search_for(&layout, how, goal)).transpose()?,
        confirm: how.confirm,
        blind: how.blind.zip(second.as_ref()).map(|(share, store)| BlindCheck { share, store }),
    };
    let study = measure(&question, context, &layout.options, &method)?;
    drop(second);
    say_of_files(config, &study, terminal);
    say_of_releases(config, &study, terminal);
    let second = blind::Second::open(&store, terminal)?;
    let blobs = second.blobs(&store);
    let results =
        during(&*reporter, Phase::Results, || study.results(&question, &second.records, &blobs));
    let Some(results) = results else {
        return Ok(watch.exit().unwrap_or(Exit::Done));
    };
    store.save_summary(&results)?;
    match format {
        FormatName::Json => super::print_json(&results, terminal)?,
        FormatName::Text => super::print::results(&results, work.config(), terminal),
    }
    if let (FormatName::Text, Some(goal)) = (format, how.search) {
        say_answers(&layout, &results, how, goal, terminal);
    }
    say_not_measured(&study.not_measured, terminal);
    tidy::up(&layout, work, &study, &*reporter, &interrupt, terminal)?;
    if let Some(exit) = watch.exit() {
        terminal
            .note("interrupted; what was measured is kept, and `caliper run` goes on from there");
        return Ok(exit);
    }
    let fail_on = fail_on(how, config);
    let found = violations(&results.cells, &results.verdicts, fail_on, config.expect.as_ref());
    let Held { new: mut found, mut known } = match &before {
        Some((_, before)) => against(found, &results, before),
        None => Held { new: found, known: Vec::new() },
    };
    if matches!(fail_on, FailOn::Regressed | FailOn::Different) {
        let of_values = values(config, (&store, &results), before.as_ref(), terminal);
        found.extend(of_values.new);
        known.extend(of_values.known);
    }
    if let Some(path) = how.against.as_ref().filter(|_| !known.is_empty()) {
        let path = path.display();
        let note = match known.len() {
            1 => format!("1 failure is in the results in `{path}` too, and does not count"),
            more => format!("{more} failures are in the results in `{path}` too, and do not count"),
        };
        terminal.note(&note);
    }
    for violation in found.iter().take(LISTED) {
        terminal.verdict(&printable(&format!("not as expected: {violation}")));
    }
    say_how_many_more(found.len(), terminal);
    let open = OpenQuestions::of(&results.verdicts).filter(|_| fail_on == FailOn::Different);
    if let Some(open) = &open {
        terminal.verdict(&format!("not decided: {open}"));
    }
    Ok(match (study.not_measured.is_empty(), found.is_empty()) {
        (false, _) => Exit::Infrastructure,
        (true, false) => Exit::Unexpected,
        // The question was whether a result is different, and too few runs were made to answer it.
        (true, true) if open.is_some() => Exit::Infrastructure,
        (true, true) => Exit::Done,
    })
}

/// What of the expected values does not hold; says how many do.
fn values(
    config: &Config,
    (store, results): (&DirStore, &Results),
    before: Option<&(DirStore, Results)>,
    terminal: Terminal,
) -> Held {
    if config.expected.is_empty() {
        return Held::default();
    }
    let of = |store: &DirStore, results: &Results| -> Vec<ValueVerdict> {
        let blobs = |blob| store.content(blob).ok();
        expected_values(&results.cells, &config.expected, &config.compare, &blobs)
    };
    let found = of(store, results);
    if found.is_empty() {
        terminal.warning("no test of `expect: values` was run, so no value was checked");
    } else {
        terminal.note(&format!("expected values: {}", ValueCounts::of(&found)));
    }
    let before = before.map(|(store, results)| of(store, results)).unwrap_or_default();
    violations_of_values(&found, &before)
}

/// Warns of a `baseline` that is not measured or does not pass, and of an `expect` that allows nothing.
fn say_of_releases(config: &Config, study: &Study, terminal: Terminal) {
    if let Some(baseline) = &config.baseline {
        let mut measured = study.all().filter(|record| record.version == *baseline).peekable();
        if !study.asked.cells().any(|cell| cell.version == *baseline) {
            terminal.warning(&format!(
                "the baseline {baseline} is not a release of this grid: there is nothing to compare with"
            ));
        } else if measured.peek().is_some() && !measured.any(Record::passed) {
            terminal.warning(&format!(
                "the baseline {baseline} does not pass: where a test fails there, it has nothing to compare with"
            ));
        }
    }
    if let Some(expect) = &config.expect
        && !study.all().any(|record| expect.contains(&record.version))
    {
        terminal.warning(&format!(
            "`expect: {expect}` allows no release of this grid: there is nothing that could fail it"
        ));
    }
}

/// Warns of `results` that match nothing.
fn say_of_files(config: &Config, study: &Study, terminal: Terminal) {
    let runs = study.all().flat_map(Record::runs);
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
    let mut reasons: Vec<(&str, Vec<&CellId>)> = Vec::new();
    for (cell, why) in cells {
        match reasons.iter_mut().find(|(known, _)| known == why) {
            Some((_, of)) => of.push(cell),
            None => reasons.push((why, vec![cell])),
        }
    }
    for (why, of) in reasons.iter().take(LISTED) {
        let which = match of.as_slice() {
            [first, .., _] => format!("{} cells, such as {first},", of.len()),
            [one] => one.to_string(),
            [] => continue,
        };
        terminal.warning(&format!("{which} could not be measured: {why}"));
    }
    say_how_many_more(reasons.len(), terminal);
}

fn goal_of(name: GoalName) -> Goal {
    match name {
        GoalName::All => Goal::AllChanges,
        GoalName::FirstBad => Goal::FirstBad,
        GoalName::LastGood => Goal::LastGood,
    }
}

/// The search that was asked for.
fn search_for<'a>(layout: &Layout, how: &'a How, goal: GoalName) -> Result<RowSearch<'a>, Failure> {
    let test = how.test.as_deref();
    let tests = layout.plan.setup.judged_tests();
    match test {
        Some(test) if !tests.contains(&test) => Err(no_such_test(test, " to search for", &tests)),
        _ => Ok(RowSearch { search: Search { probes: how.probes, goal: goal_of(goal) }, test }),
    }
}

/// Answers a question about single releases, at the end of all that is printed.
fn say_answers(layout: &Layout, results: &Results, how: &How, goal: GoalName, terminal: Terminal) {
    let mut answers = String::new();
    let records = results.cells.iter().map(|record| (record.id(), record)).collect();
    for row in runner::rows(&layout.plan, &records) {
        if how.test.as_deref().is_some_and(|test| test != row.test) {
            continue;
        }
        let Some(answer) = Answer::of(row.row.states(), goal_of(goal)) else { continue };
        let mut answer = answer.map(|release| row.row.name(release).to_string());
        // The summary of the row knows how sure its transitions are.
        let told = results.rows.iter().find(|told| {
            told.test == row.test && told.python == row.python && told.variant == *row.variant
        });
        if let (Some(transition), Some(told)) = (&mut answer.transition, told) {
            let same = |known: &&Transition<String>| {
                known.from == transition.from && known.to == transition.to
            };
            if let Some(known) = told.transitions.iter().find(same) {
                transition.clone_from(known);
            }
        }
        let variant =
            if row.variant.is_empty() { String::new() } else { format!(" {}", row.variant) };
        answers += &format!("{} on {}{variant}: {answer}\n", row.test, row.python);
    }
    if !answers.is_empty() {
        terminal.data(&printable(&format!("\n{answers}")));
    }
}

fn fail_on(how: &How, config: &Config) -> FailOn {
    match how.fail_on {
        Some(FailOnName::Regressed) => FailOn::Regressed,
        Some(FailOnName::Failed) => FailOn::Failed,
        Some(FailOnName::Different) => FailOn::Different,
        None if config.expect.is_some() || !config.expected.is_empty() => FailOn::Regressed,
        None if how.against.is_some() => FailOn::Failed,
        Some(FailOnName::Never) | None => FailOn::Never,
    }
}
