//! One module for each command: each opens what it needs and calls the library.

mod blame;
mod blind;
mod bounds;
mod bundle;
mod check;
mod clean;
mod compare;
mod completions;
mod doctor;
mod export;
mod heal;
mod history;
mod import;
mod index;
mod init;
mod man;
mod plan;
mod recorded;
mod replay;
mod report;
mod resolve;
mod run;
mod schema;
mod selftest;
mod show;
mod suggest;
mod witness;

use std::io::Write as _;

use caliper_core::analysis::results::Results;
use caliper_core::facts::record::{CellOutcome, Record};
use caliper_core::question::grid::FileKind;
use caliper_core::report::model::{GridView, LookedPast, OpenQuestions, Tone};
use caliper_core::report::{functions, grid, rows, suspects};
use serde::Serialize;
use serde_json::Error;

use crate::args::{Args, Command, FromBundle, HowToReplay, IndexCommand};
use crate::exit::{Failure, Outcome};
use crate::layout;
use crate::terminal::{Terminal, printable};

/// Does what was asked for.
pub(crate) fn run(args: Args, terminal: Terminal) -> Outcome {
    match args.command {
        Command::Init { folder, dependency } => init::run(&folder, dependency.as_ref(), terminal),
        Command::Check { configs } => check::run(&configs, terminal),
        Command::Resolve { package, selection, platform, format } => {
            resolve::run(&package, &selection, platform.as_deref(), format.format, terminal)
        }
        Command::Plan { work, format } => plan::run(&work, format.format, terminal),
        Command::Run { work, how, from: FromBundle { from: Some(from), into }, format } => {
            let replay = HowToReplay {
                backend: work.backend,
                jobs: work.jobs,
                rerun: work.rerun,
                retries: work.retries,
                progress: how.progress,
            };
            let index = work.selection.index;
            bundle::measure(&from, into.as_deref(), &replay, &index, format.format, terminal)
        }
        Command::Run { work, how, from: _, format } => {
            run::run(&work, &how, format.format, terminal)
        }
        Command::Show { what, test, measure, rebuild, lock, format } => {
            let view = show::View { test: test.as_deref(), measure, lock };
            show::run(&what, &view, rebuild, format.format, terminal)
        }
        Command::Replay(asked) => replay::run(asked, terminal),
        Command::Bundle(asked) => bundle::write(&asked, terminal),
        Command::Compare { first, second, config, format } => {
            compare::run([&first, &second], &config, format.format, terminal)
        }
        Command::Blame { blame, format } => blame::run(&blame, format.format, terminal),
        Command::Bounds(how) => bounds::run(&how, terminal),
        Command::Suggest { config, test, check, format } => {
            suggest::run(&config, test.as_deref(), check.as_deref(), format.format, terminal)
        }
        Command::Export { config, to, against, output } => {
            export::run(&config, to, against.as_deref(), output.as_deref(), terminal)
        }
        Command::History { results, db, format } => {
            history::run(&results, db, format.format, terminal)
        }
        Command::Report { config, output, against } => {
            report::run(&config, output.as_deref(), against.as_deref(), terminal)
        }
        Command::Witness { cell, against, test, folder, config } => {
            let (test, config, folder) = (test.as_deref(), &config, &folder);
            let wanted = witness::Wanted { config, cell: &cell, against: &against, test, folder };
            witness::run(&wanted, None, terminal)
        }
        Command::Import { from, into, format } => {
            import::run(&from, &into, format.format, terminal)
        }
        Command::Index { command: IndexCommand::Serve(how) } => index::serve(&how, terminal),
        Command::Heal(how) => heal::run(&how, terminal),
        Command::Doctor { index, format } => doctor::run(&index, format.format, terminal),
        Command::Selftest { backend, only, jobs, index, format } => {
            let jobs = layout::jobs(jobs);
            selftest::run(&backend, &only, jobs, &index, format.format, terminal)
        }
        Command::Clean { config, cache, engine, dry_run } => {
            let what = match (cache, engine) {
                (true, _) => clean::What::Cache,
                (false, true) => clean::What::Engine,
                (false, false) => clean::What::Project,
            };
            clean::run(&config, what, dry_run, terminal)
        }
        Command::Schema { format } => Ok(schema::run(format, terminal)),
        Command::Completions { shell } => Ok(completions::run(shell, terminal)),
        Command::Man { folder } => man::run(&folder, terminal),
    }
}

/// Prints results: why things fail, the grid, and at the end what changes along the releases.
fn print_results(results: &Results, terminal: Terminal) {
    for cause in results.causes.iter().take(MOST_CAUSES) {
        for line in cause.lines() {
            terminal.lines(&[vec![(Tone::Plain, printable(&line))]]);
        }
    }
    if results.causes.len() > MOST_CAUSES {
        let more = results.causes.len() - MOST_CAUSES;
        terminal.lines(&[vec![(Tone::Dim, format!("… and {more} other causes"))]]);
    }
    if !results.causes.is_empty() {
        terminal.data("\n");
    }
    terminal.lines(&grid::lines(&GridView::of(results)));
    print_by_test(results, terminal);
    let mut of_functions = functions::lines(&results.functions);
    if !of_functions.is_empty() {
        terminal.data("\n");
    }
    for (_, text) in of_functions.iter_mut().flatten() {
        *text = printable(text);
    }
    print_first(&of_functions, terminal);
    for note in results.notes.iter().take(MOST_NOTES) {
        let line = format!("note: the import fails where all tests pass: {note}");
        terminal.lines(&[vec![(Tone::Dim, printable(&line))]]);
    }
    let not_built = results.cells.iter().filter(|record| is_failed_source_build(record)).count();
    if not_built >= MANY_SOURCE_BUILDS {
        let line = format!(
            "note: {not_built} cells could not be built from source; `sdist: never` leaves out what has no wheel"
        );
        terminal.lines(&[vec![(Tone::Dim, line)]]);
    }
    let past = LookedPast::of(&results.verdicts);
    if !past.is_empty() {
        let told = past.iter().take(MOST_PAST).map(|one| printable(&one.to_string()));
        let mut lines: Vec<String> = told.collect();
        let more = past.len().saturating_sub(MOST_PAST);
        if more > 0 {
            lines.push(format!("… and {more} more such lines (`--format json`)"));
        }
        lines.push("`keep` under `compare` in the configuration looks past less".to_owned());
        terminal.data("\n");
        for line in lines {
            terminal.lines(&[vec![(Tone::Dim, line)]]);
        }
    }
    if let Some(blind) = &results.blind {
        terminal.data(&printable(&format!("\n{blind}\n")));
    }
    // Last, because a terminal shows the end: what the grid was measured for.
    let changes = rows::lines(&results.rows);
    if !changes.is_empty() {
        terminal.data("\n");
    }
    print_first(&changes, terminal);
    let by_date = rows::by_date(&results.clocks);
    if !by_date.is_empty() {
        terminal.lines(&[Vec::new(), vec![(Tone::Plain, "by the date of the index".to_owned())]]);
        print_first(&by_date, terminal);
    }
    let suspected = suspects::lines(&results.suspects);
    if !suspected.is_empty() {
        let title = "what failing goes with, over all cells; only runs prove it".to_owned();
        terminal.lines(&[Vec::new(), vec![(Tone::Plain, title)]]);
        print_first(&suspected, terminal);
    }
    if let Some(open) = OpenQuestions::of(&results.verdicts) {
        terminal.lines(&[Vec::new(), vec![(Tone::Notable, open.to_string())]]);
    }
}

/// Prints the first lines of a long list, and counts the others.
fn print_first(lines: &[Vec<grid::Span>], terminal: Terminal) {
    let more = lines.len().saturating_sub(MOST_LINES);
    terminal.lines(&lines[..lines.len() - more]);
    if more > 0 {
        terminal.lines(&[vec![(Tone::Dim, format!("… and {more} more lines (`--format json`)"))]]);
    }
}

/// Says how each test fares, where the marks of the grid are not those of every test.
fn print_by_test(results: &Results, terminal: Terminal) {
    let mut lines = grid::by_test(results);
    if lines.is_empty() {
        return;
    }
    let more = lines.len().saturating_sub(MOST_TESTS);
    lines.truncate(MOST_TESTS);
    if more > 0 {
        lines.push(vec![(Tone::Dim, format!("  … and {more} more tests"))]);
    }
    for (_, text) in lines.iter_mut().flatten() {
        *text = printable(text);
    }
    terminal
        .lines(&[vec![(Tone::Dim, "of these, by test (`caliper show --test NAME`):".to_owned())]]);
    terminal.lines(&lines);
}

fn is_failed_source_build(record: &Record) -> bool {
    let is_sdist =
        record.environment.file.as_ref().is_some_and(|file| file.kind == FileKind::Sdist);
    record.outcome == CellOutcome::BuildFailed && !record.is_excluded() && is_sdist
}

/// From this many on, failed builds from source are no accident.
const MANY_SOURCE_BUILDS: usize = 3;

/// What of a long list is shown on a terminal.
const MOST_CAUSES: usize = 8;
const MOST_NOTES: usize = 3;
const MOST_LINES: usize = 24;
const MOST_TESTS: usize = 8;
const MOST_PAST: usize = 6;

/// The error for a test that there is none of `of`, which says what was looked through.
fn no_such_test(test: &str, of: &str, known: &[&str]) -> Failure {
    let mut named: Vec<String> =
        known.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    if known.len() > LISTED {
        named.push(format!("{} more", known.len() - LISTED));
    }
    let are = match named.as_slice() {
        [] => "there are none".to_owned(),
        [one] => format!("there is {one}"),
        more => format!("there are {}", more.join(", ")),
    };
    Failure::question(format!("there is no test `{test}`{of}; {are}"))
}

/// The error for what this program was built without.
#[cfg(not(all(feature = "parquet", feature = "sqlite")))]
fn not_built_in(lacks: &str, feature: &str) -> Failure {
    Failure::question(format!(
        "this build of Caliper {lacks}; build it with `--features {feature}`"
    ))
}

/// More problems of a kind than these are counted, not listed.
const LISTED: usize = 10;

fn say_how_many_more(count: usize, terminal: Terminal) {
    if count > LISTED {
        terminal.note(&format!("… and {} more", count - LISTED));
    }
}

/// Prints a value as JSON, as it is made: the text of a large grid would be most of the memory.
fn print_json(value: &impl Serialize, terminal: Terminal) -> Result<(), Failure> {
    let mut out = terminal.writer();
    let written = serde_json::to_writer_pretty(&mut out, value)
        .and_then(|()| out.write_all(b"\n").and_then(|()| out.flush()).map_err(Error::io));
    match written {
        // A reader that has gone away (`| head`) is no error.
        Err(error) if error.is_io() => Ok(()),
        written => written.map_err(|error| Failure::infrastructure("could not print JSON", error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_is_unknown_is_told_with_those_that_are_known() {
        let told = |known: &[&str]| no_such_test("x", " in the results", known).error.to_string();
        let many = ["test"; LISTED + 2];
        let lines = [told(&["a", "b"]), told(&["a"]), told(&[]), told(&many)];
        insta::assert_snapshot!(lines.join("\n"), @"
        there is no test `x` in the results; there are `a`, `b`
        there is no test `x` in the results; there is `a`
        there is no test `x` in the results; there are none
        there is no test `x` in the results; there are `test`, `test`, `test`, `test`, `test`, `test`, `test`, `test`, `test`, `test`, 2 more
        ");
    }
}
