use std::path::Path;

use caliper_container::project::Project;

use crate::exit::{Exit, Outcome};
use crate::setting::Setting;
use crate::terminal::Terminal;

pub(super) fn run(config: &Path, terminal: Terminal) -> Outcome {
    let setting = Setting::open(config)?;
    let project = Project::read(&setting.folder(), Some(&setting.path))?;
    for test in &setting.config.tests {
        project.for_test(test)?;
    }
    let tests = setting.config.tests.len();
    terminal.note(&format!(
        "{}: fine; {} of {}, an import and {tests} {}; the project has {} KiB",
        setting.path.display(),
        setting.config.selection.versions,
        setting.config.dependency,
        if tests == 1 { "test" } else { "tests" },
        project.bytes().div_ceil(1024),
    ));
    Ok(Exit::Done)
}
