use std::path::Path;

use caliper_core::analysis::expect::{FailOn, against, violations};
use caliper_core::report::export;

use super::recorded::{before, recorded};
use crate::args::ExportName;
use crate::exit::{Exit, Failure, Outcome};
use crate::terminal::Terminal;

pub(super) fn run(
    config: &Path,
    to: ExportName,
    others: Option<&Path>,
    terminal: Terminal,
) -> Outcome {
    if others.is_some() && to != ExportName::Markdown {
        return Err(Failure::question(
            "`--against` is for `--to markdown`, which tells what is new",
        ));
    }
    let (_, results) = recorded(config, terminal)?;
    let others = others.map(|path| before(path, terminal)).transpose()?;
    let others = others.map(|(_, others)| others);
    let text = match to {
        ExportName::Markdown => {
            let found = || violations(&results.cells, &results.verdicts, FailOn::Failed, None);
            let held = others.map(|others| against(found(), &results, &others));
            export::markdown(&results, held.as_ref())
        }
        ExportName::Csv => export::csv(&results),
        ExportName::Junit => export::junit(&results),
    };
    terminal.data(&text);
    Ok(Exit::Done)
}
