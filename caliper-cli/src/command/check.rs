use std::path::{Path, PathBuf};

use caliper_core::question::modules::ImportChoice;

use crate::exit::{Exit, Outcome};
use crate::layout::read_project;
use crate::left_out;
use crate::setting::Setting;
use crate::shadow;
use crate::terminal::Terminal;

/// Checks each configuration. The last error is returned, and the others are printed here.
pub(super) fn run(configs: &[PathBuf], terminal: Terminal) -> Outcome {
    let mut failed = None;
    for config in configs {
        if let Err(failure) = check(config, terminal)
            && let Some(earlier) = failed.replace(failure)
        {
            terminal.error(earlier.error.as_ref());
        }
    }
    failed.map_or(Ok(Exit::Done), Err)
}

fn check(config: &Path, terminal: Terminal) -> Outcome {
    let setting = Setting::open(config)?;
    let project = read_project(&setting)?;
    for test in &setting.config.tests {
        project.for_test(test)?;
    }
    let tests = match setting.config.tests.len() {
        1 => "1 test".to_owned(),
        tests => format!("{tests} tests"),
    };
    let tests = match setting.config.import {
        ImportChoice::Off => tests,
        _ => format!("an import and {tests}"),
    };
    terminal.note(&format!(
        "{}: fine; {} of {}, {tests}; the project has {} KiB",
        setting.path.display(),
        setting.config.selection.versions,
        setting.config.dependency,
        project.bytes().div_ceil(1024),
    ));
    left_out::note(&project.left_out(), &setting.path, terminal);
    let config = &setting.config;
    shadow::warn(&setting.folder(), &config.dependency, &config.setup(), terminal);
    Ok(Exit::Done)
}
