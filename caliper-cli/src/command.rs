//! One module for each command: each opens what it needs and calls the library.

mod check;
mod clean;
mod completions;
mod doctor;
mod init;
mod plan;
mod resolve;
mod run;
mod schema;
mod selftest;
mod show;

use std::io::Write as _;

use serde::Serialize;
use serde_json::Error;

use crate::args::{Args, Command};
use crate::exit::{Failure, Outcome};
use crate::layout;
use crate::terminal::Terminal;

/// Does what was asked for.
pub(crate) fn run(args: Args, terminal: Terminal) -> Outcome {
    match args.command {
        Command::Init { folder } => init::run(&folder, terminal),
        Command::Check { config } => check::run(&config, terminal),
        Command::Resolve { package, selection, platform, format } => {
            resolve::run(&package, &selection, platform.as_deref(), format.format, terminal)
        }
        Command::Plan { work, format } => plan::run(&work, format.format, terminal),
        Command::Run { work, how, format } => run::run(&work, &how, format.format, terminal),
        Command::Show { what, format } => show::run(&what, format.format, terminal),
        Command::Doctor { index, format } => doctor::run(&index, format.format, terminal),
        Command::Selftest { backend, only, jobs, index, format } => {
            let jobs = layout::jobs(jobs);
            selftest::run(&backend, &only, jobs, &index, format.format, terminal)
        }
        Command::Clean { config, cache, engine, dry_run } => {
            clean::run(&config, cache || !engine, engine || !cache, dry_run, terminal)
        }
        Command::Schema { format } => Ok(schema::run(format, terminal)),
        Command::Completions { shell } => Ok(completions::run(shell, terminal)),
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
        written => written.map_err(|error| Failure::world("could not print JSON", error)),
    }
}
