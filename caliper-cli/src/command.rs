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
mod elsewhere;
mod export;
mod groups;
mod heal;
mod history;
mod import;
mod index;
mod init;
mod man;
mod plan;
mod print;
mod probe;
mod recorded;
mod replay;
mod report;
mod resolve;
mod run;
mod schema;
mod selftest;
mod show;
mod spread;
mod suggest;
mod witness;

use std::io::Write as _;

use caliper_container::interrupt::Interrupt;
use serde::Serialize;
use serde_json::Error;

use crate::args::{Args, Command, FromBundle, HowToReplay, IndexCommand};
use crate::exit::{Exit, Failure, Outcome};
use crate::layout;
use crate::signals::Watch;
use crate::terminal::Terminal;

/// Does what was asked for.
pub(crate) fn run(args: Args, terminal: Terminal) -> Outcome {
    match args.command {
        Command::Init { folder, dependency } => init::run(&folder, dependency.as_ref(), terminal),
        Command::Check { configs } => check::run(&configs, terminal),
        Command::Resolve { package, selection, platform, format } => {
            resolve::run(&package, &selection, platform.as_deref(), format.format, terminal)
        }
        Command::Plan { work, format } => plan::run(&work, format.format, terminal),
        Command::Run { work, elsewhere: asked, format, .. } if asked.host.is_some() => {
            elsewhere::run(&work, &asked, format.format, terminal)
        }
        Command::Attach { job, every } => elsewhere::attach(&job, every, terminal),
        Command::Status { id, config } => elsewhere::status(id.as_deref(), &config, terminal),
        Command::Fetch(job) => elsewhere::fetch(&job, terminal),
        Command::Stop(job) => elsewhere::stop(&job, terminal),
        Command::Reap(how) => elsewhere::reap(&how, terminal),
        Command::Run { work, how, from: FromBundle { from: Some(from), into }, format, .. } => {
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
        Command::Run { work, how, format, .. } => run::run(&work, &how, format.format, terminal),
        Command::Show { what, test, measure, rebuild, lock, format } => {
            let view = show::View { test: test.as_deref(), measure, lock };
            show::run(&what, &view, rebuild, format.format, terminal)
        }
        Command::Replay(asked) => replay::run(asked, terminal),
        Command::Bundle(asked) => bundle::write(&asked, terminal),
        Command::Compare { sides, config, by, format } => {
            compare::run(&sides, &config, by.as_deref(), format, terminal)
        }
        Command::Blame { blame, format } => blame::run(&blame, format.format, terminal),
        Command::Bounds(how) => bounds::run(&how, terminal),
        Command::Suggest { config, test, check, format } => {
            suggest::run(&config, test.as_deref(), check.as_deref(), format.format, terminal)
        }
        Command::Probe(how) => probe::run(&how, terminal),
        Command::Spread(asked) => spread::run(&asked, terminal),
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

/// Does what can be interrupted, and goes on from what it measured when it is called again.
fn resumable(terminal: Terminal, measure: impl FnOnce(&Interrupt) -> Outcome) -> Outcome {
    let interrupt = Interrupt::default();
    let watch = Watch::start(&interrupt)?;
    match measure(&interrupt) {
        Err(failure) if failure.exit == Exit::Interrupted => {
            terminal.note(
                "interrupted; what was measured is kept, and the same command goes on from there",
            );
            Ok(watch.exit().unwrap_or(Exit::Interrupted))
        }
        done => done,
    }
}

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
        Err(error) if error.is_io() => {
            crate::terminal::note_loss(Err(error.into()));
            Ok(())
        }
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
