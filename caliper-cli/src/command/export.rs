use std::fs;
use std::path::{Component, Path, PathBuf};

use caliper_core::analysis::expect::{FailOn, against, violations};
use caliper_core::analysis::results::Results;
use caliper_core::facts::record::BlobRef;
use caliper_core::facts::store::{DirStore, ResultStore as _};
use caliper_core::report::export::{self, LegacyFiles, SourceTree};

use super::recorded::{before, configuration, recorded};
use crate::args::ExportName;
use crate::exit::{Exit, Failure, Outcome};
use crate::output;
use crate::setting;
use crate::terminal::{Terminal, printable};

pub(super) fn run(
    config: &Path,
    to: ExportName,
    others: Option<&Path>,
    output: Option<&Path>,
    terminal: Terminal,
) -> Outcome {
    if others.is_some() && to != ExportName::Markdown {
        return Err(Failure::question(
            "`--against` is for `--to markdown`, which tells what is new",
        ));
    }
    let needs_file = matches!(to, ExportName::Parquet | ExportName::Sqlite | ExportName::Legacy);
    let file = match (output, needs_file) {
        (None, true) => {
            return Err(Failure::question(
                "this format is not for a terminal; name a file with `-o`",
            ));
        }
        (file, _) => file,
    };
    let (store, results) = recorded(config, terminal)?;
    let beside = configuration(config, store.folder());
    if let Some(file) = file.filter(|_| to != ExportName::Legacy) {
        output::check(file, beside.as_deref(), store.folder())?;
    }
    let others = others.map(|path| before(path, terminal)).transpose()?;
    let others = others.map(|(_, others)| others);
    let content = match to {
        ExportName::Markdown => {
            let found = || violations(&results.cells, &results.verdicts, FailOn::Failed, None);
            let held = others.map(|others| against(found(), &results, &others));
            export::markdown(&results, held.as_ref())
        }
        ExportName::MarkdownTable => export::markdown_table(&results),
        ExportName::Badge => export::badge(&results),
        ExportName::Junit => export::junit(&results),
        ExportName::Sarif => sarif(&results, beside.as_deref()),
        ExportName::Csv => export::csv(&results),
        ExportName::Ndjson => export::ndjson(&results),
        ExportName::Trace => export::trace(&results),
        ExportName::Parquet => return written(&parquet(&results)?, file, terminal),
        ExportName::Sqlite => return written(&sqlite(&results)?, file, terminal),
        ExportName::Legacy => return legacy(&results, &store, file, terminal),
    };
    written(content.as_bytes(), file, terminal)
}

/// Writes to a file, or else to standard output.
fn written(content: &[u8], file: Option<&Path>, terminal: Terminal) -> Outcome {
    if let Some(file) = file {
        output::replace(file, content)?;
        terminal.note(&printable(&format!("wrote `{}`", file.display())));
    } else {
        terminal.data(&String::from_utf8_lossy(content));
    }
    Ok(Exit::Done)
}

#[cfg(feature = "parquet")]
fn parquet(results: &Results) -> Result<Vec<u8>, Failure> {
    export::parquet(results)
        .map_err(|error| Failure::infrastructure("could not write Parquet", error))
}

#[cfg(not(feature = "parquet"))]
fn parquet(_: &Results) -> Result<Vec<u8>, Failure> {
    Err(super::not_built_in("writes no Parquet", "parquet"))
}

#[cfg(feature = "sqlite")]
fn sqlite(results: &Results) -> Result<Vec<u8>, Failure> {
    export::sqlite(results)
        .map_err(|error| Failure::infrastructure("could not write a database", error))
}

#[cfg(not(feature = "sqlite"))]
fn sqlite(_: &Results) -> Result<Vec<u8>, Failure> {
    Err(super::not_built_in("has no SQLite", "sqlite"))
}

/// SARIF names files as they are called in the repository, which GitHub shows.
fn sarif(results: &Results, configuration: Option<&Path>) -> String {
    let Some(configuration) = configuration.and_then(|path| fs::canonicalize(path).ok()) else {
        return export::sarif(results, &SourceTree::default());
    };
    let folder = configuration.parent().unwrap_or(Path::new("/"));
    let has = |path: &str| is_of_project(folder, Path::new(path));
    let root = folder.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(folder);
    let prefix = folder.strip_prefix(root).unwrap_or(Path::new("")).to_string_lossy();
    let name = configuration.file_name().unwrap_or_default().to_string_lossy();
    let tree = SourceTree {
        prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
        configuration: name.into_owned(),
        has: &has,
    };
    export::sarif(results, &tree)
}

/// Whether a path, which comes from what a test printed, is that of a file in the project.
fn is_of_project(folder: &Path, path: &Path) -> bool {
    let mut components = path.components();
    let is_inside = components.all(|one| matches!(one, Component::Normal(_)));
    is_inside && !path.starts_with(setting::OWN) && folder.join(path).is_file()
}

/// Writes a folder that the original could have written.
fn legacy(
    results: &Results,
    store: &DirStore,
    folder: Option<&Path>,
    terminal: Terminal,
) -> Outcome {
    let logs = |blob: &BlobRef| {
        let bytes = store.blob(*blob).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let LegacyFiles { files, lost } = export::legacy(results, &logs);
    let folder: PathBuf = folder.map(Path::to_owned).unwrap_or_default();
    let failed =
        |error| Failure::infrastructure(format!("could not write `{}`", folder.display()), error);
    let is_empty = fs::read_dir(&folder).map_or(true, |mut entries| entries.next().is_none());
    if !is_empty || folder.is_file() {
        return Err(Failure::question(format!(
            "`{}` is not empty; name a folder that does not exist",
            folder.display()
        )));
    }
    fs::create_dir_all(&folder).map_err(failed)?;
    for file in &files {
        let path = folder.join(&file.name);
        output::replace(&path, file.content.as_bytes())?;
        // The original's files say by their own time alone when they were measured.
        let measured = std::time::SystemTime::from(file.measured);
        let opened = fs::File::options().write(true).open(&path);
        opened.and_then(|opened| opened.set_modified(measured)).map_err(failed)?;
    }
    for line in lost {
        terminal.warning(&line);
    }
    terminal.note(&printable(&format!("wrote {} files to `{}`", files.len(), folder.display())));
    Ok(Exit::Done)
}
