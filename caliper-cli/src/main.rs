//! The `caliper` binary: arguments in, exit code out. What it does is done by the libraries.

mod args;
mod cache_lock;
mod command;
mod exit;
mod index_of_builds;
mod layout;
mod left_out;
mod output;
mod own;
mod package;
mod progress;
mod selftest;
mod setting;
mod shadow;
mod signals;
mod sources;
mod subject;
mod terminal;
mod today;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let args = args::Args::parse();
    let terminal =
        terminal::Terminal::new(args.global.no_color, args.global.quiet, args.global.verbose);
    own::remember();
    let done = command::run(args, terminal).and_then(|exit| match terminal::lost() {
        Some(error) => Err(exit::Failure::infrastructure("could not print all data", error)),
        None => Ok(exit),
    });
    match done {
        Ok(exit) => exit.into(),
        Err(failure) => {
            terminal.error(failure.error.as_ref());
            failure.exit.into()
        }
    }
}
