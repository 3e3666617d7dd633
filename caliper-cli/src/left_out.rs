//! Tells what lies in the project's folder and is not part of the project.

use std::fmt::Write as _;
use std::path::Path;

use caliper_core::names::Bytes;
use caliper_core::question::left_out::{LeftOut, WhyLeftOut};

use crate::terminal::{Terminal, printable};

/// More are counted, not listed.
const LISTED: usize = 12;

/// Whether anybody might expect it to be part of a project that is measured with `config`.
fn is_notable(one: &LeftOut, config: &Path) -> bool {
    match &one.why {
        WhyLeftOut::Caliper | WhyLeftOut::Bytecode => false,
        WhyLeftOut::Configuration => config.file_name().is_none_or(|name| *name != *one.path),
        _ => true,
    }
}

/// What is left out, as a paragraph: the largest first.
pub(crate) fn lines(all: &[LeftOut], config: &Path) -> String {
    let mut listed: Vec<&LeftOut> = all.iter().filter(|one| is_notable(one, config)).collect();
    if listed.is_empty() {
        return String::new();
    }
    listed.sort_by_key(|one| std::cmp::Reverse(one.size.unwrap_or_default().bytes));
    let mut text =
        "left out of the project, where the `files` of a test do not name it:\n".to_owned();
    for one in listed.iter().take(LISTED) {
        let slash = if one.is_folder { "/" } else { "" };
        let size = Bytes(one.size.unwrap_or_default().bytes);
        let _ = writeln!(text, "  {size:>10}  {}{slash}  {}", one.path, one.why);
    }
    if listed.len() > LISTED {
        let _ = writeln!(text, "  … and {} more (`--format json`)", listed.len() - LISTED);
    }
    printable(&text)
}

/// Says in one line what is left out.
pub(crate) fn note(all: &[LeftOut], config: &Path, terminal: Terminal) {
    const NAMED: usize = 4;
    let ordinary = |one: &&LeftOut| {
        is_notable(one, config)
            && !matches!(
                one.why,
                WhyLeftOut::VersionControl | WhyLeftOut::Editor | WhyLeftOut::Output
            )
    };
    let notable: Vec<&LeftOut> = all.iter().filter(ordinary).collect();
    if notable.is_empty() {
        return;
    }
    let named: Vec<String> =
        notable.iter().take(NAMED).map(|one| format!("`{}`", one.path)).collect();
    let more = notable.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    terminal.note(&printable(&format!(
        "left out of the project: {}{more}; `caliper plan` says why",
        named.join(", ")
    )));
}
