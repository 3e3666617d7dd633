use std::path::Path;

use clap::CommandFactory as _;

use crate::args::Args;
use crate::exit::{Exit, Failure, Outcome};
use crate::terminal::Terminal;

/// Writes a page for `caliper`, and one for each of its commands.
pub(super) fn run(folder: &Path, terminal: Terminal) -> Outcome {
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Args::command(), folder))
        .map_err(|error| {
            Failure::infrastructure(format!("could not write to `{}`", folder.display()), error)
        })?;
    terminal.note(&format!("wrote the manual pages to {}", folder.display()));
    Ok(Exit::Done)
}
