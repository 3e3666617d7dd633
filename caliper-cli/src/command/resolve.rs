use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::path::Path;

use caliper_core::names::{PackageName, PythonVersion};
use caliper_core::question::grid::{Choice, FileKind, Grid};
use caliper_core::question::interpreter::{Interpreter, Libc, Platform};
use caliper_core::question::selection::Selection;
use caliper_pypi::index::PackageIndex as _;
use caliper_pypi::resolve::{pythons_wanted, resolve_project};
use caliper_pypi::tag::PlatformTag;

use crate::args::{FormatName, Select};
use crate::exit::{Exit, Failure, Outcome};
use crate::setting;
use crate::sources::{self, Index};
use crate::terminal::{Terminal, printable};

pub(super) fn run(
    package: &PackageName,
    args: &Select,
    platform: Option<&str>,
    format: FormatName,
    terminal: Terminal,
) -> Outcome {
    if args.date().is_none() && !args.as_of.is_empty() {
        return Err(Failure::question(
            "`resolve` looks at the index at one date: write one such as `--as-of 2021-03-01`",
        ));
    }
    let cache = setting::cache(Path::new("caliper.yaml"));
    let index = Index::open(&args.index, &cache, terminal)?;
    let project = index.client.project(package)?;
    let selection = Selection {
        versions: args.versions.clone().unwrap_or_default(),
        pre: args.pre,
        yanked: args.yanked,
        as_of: args.date(),
        ..Selection::default()
    };
    let mut pythons: BTreeSet<PythonVersion> = args.python.iter().copied().collect();
    if pythons.is_empty() {
        let none_present = || Ok::<_, Infallible>(Vec::new());
        pythons = pythons_wanted(&project, &selection, none_present)
            .unwrap_or_else(|never| match never {});
    }
    let found = if platform.is_none() {
        sources::found(&sources::local(&index, &cache, None))
    } else {
        Vec::new()
    };
    let elsewhere = match platform {
        Some(tag) => named(tag)?,
        // Any Python of this machine tells what machine it is.
        None => found.first().map_or_else(usual, |interpreter| interpreter.platform.clone()),
    };
    let interpreters: Vec<Interpreter> = pythons
        .into_iter()
        .map(|python| {
            let own = found.iter().find(|interpreter| interpreter.python == python);
            own.cloned().unwrap_or_else(|| Interpreter::assumed(python, elsewhere.clone()))
        })
        .collect();
    let grid = resolve_project(&project, package, &selection, &interpreters)?;
    if let Some(index) = &grid.index {
        terminal.detail(&format!("from the index at {index}"));
    }
    for file in project.malformed() {
        terminal.detail(&format!(
            "left out: {}",
            printable(&format!("{}: {}", file.filename, file.fault))
        ));
    }
    match format {
        FormatName::Json => super::print_json(&grid, terminal)?,
        FormatName::Text => terminal.data(&table(&grid)),
    }
    Ok(Exit::Done)
}

fn named(tag: &str) -> Result<Platform, Failure> {
    PlatformTag::of(tag).platform().ok_or_else(|| {
        Failure::question(format!(
            "`{tag}` is not the tag of a platform; write one such as `manylinux_2_28_x86_64`, \
             `musllinux_1_2_aarch64`, `macosx_14_0_arm64` or `win_amd64`"
        ))
    })
}

/// What container images of Python usually are.
fn usual() -> Platform {
    let libc = Libc::Glibc { major: 2, minor: 36 };
    Platform::Linux { arch: std::env::consts::ARCH.to_owned(), libc }
}

/// A line for each cell: release, Python, file or reason.
fn table(grid: &Grid) -> String {
    let rows: Vec<(String, String, String)> = grid
        .cells
        .iter()
        .map(|cell| {
            let what = match &cell.choice {
                Choice::File { file, .. } if file.kind == FileKind::Sdist => {
                    format!("{} (built from source)", file.filename)
                }
                Choice::File { file, .. } => file.filename.clone(),
                Choice::Missing(missing) => match &missing.nearest {
                    Some(nearest) => format!("- {} (nearest: {nearest})", missing.reason),
                    None => format!("- {}", missing.reason),
                },
            };
            (cell.id.version.to_string(), cell.id.python.to_string(), what)
        })
        .collect();
    let width = |of: fn(&(String, String, String)) -> &str| {
        rows.iter().map(|row| of(row).len()).max().unwrap_or(0)
    };
    let (versions, pythons) = (width(|row| &row.0), width(|row| &row.1));
    let mut text = String::new();
    for (version, python, what) in &rows {
        let what = printable(what);
        let _ = writeln!(text, "{version:versions$}  {python:pythons$}  {what}");
    }
    let files = grid.cells.iter().filter(|cell| matches!(cell.choice, Choice::File { .. })).count();
    let _ = writeln!(text, "{} cells, {files} with a file", grid.cells.len());
    text
}
