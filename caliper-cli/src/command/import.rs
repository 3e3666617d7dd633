use std::path::{Path, PathBuf};

use caliper_core::analysis::Analysis;
use caliper_core::analysis::results::Results;
use caliper_core::facts::legacy;
use caliper_core::facts::record::Record;
use caliper_core::facts::store::{DirStore, ResultStore as _};
use caliper_core::names::{PackageName, Timestamp};
use caliper_core::question::criteria::Criteria;

use super::{LISTED, say_how_many_more};
use crate::args::FormatName;
use crate::exit::{Exit, Failure, Outcome};
use crate::terminal::{Terminal, printable};

/// No result of the original is larger, and nothing larger is read.
const MOST_BYTES: u64 = 256 << 20;

pub(super) fn run(from: &Path, into: &Path, format: FormatName, terminal: Terminal) -> Outcome {
    let files = files(from)?;
    let store = DirStore::open(into)?;
    let mut dependency: Option<PackageName> = None;
    let mut unreadable = Vec::new();
    let (mut imported, mut there) = (0, 0);
    for path in &files {
        let told = |why: String| format!("`{}`: {why}", path.display());
        let read = read(path, &store);
        let (name, record) = match read {
            Ok(read) => read,
            Err(Problem::Store(error)) => return Err(error.into()),
            Err(Problem::File(why)) => {
                unreadable.push(told(why));
                continue;
            }
        };
        match &dependency {
            Some(first) if *first != name => {
                return Err(Failure::question(format!(
                    "`{}` holds results of {first} and of {name}; put those of each in a folder of \
                     its own and import them one after the other",
                    from.display()
                )));
            }
            _ => dependency = Some(name),
        }
        match store.load(&record.id())? {
            Some(older) if older.key == record.key => there += 1,
            Some(older) if older.environment.backend != legacy::BACKEND => {
                return Err(Failure::question(format!(
                    "`{}` has a result for {} that is not imported; choose another folder with \
                     `--into`",
                    into.display(),
                    record.id()
                )));
            }
            _ => {
                store.save(&record)?;
                imported += 1;
            }
        }
    }
    for problem in unreadable.iter().take(LISTED) {
        terminal.warning(problem);
    }
    say_how_many_more(unreadable.len(), terminal);
    let Some(dependency) = dependency else {
        return Err(Failure::question(format!(
            "none of the {} files in `{}` is a result of caliper 0.0",
            files.len(),
            from.display()
        )));
    };
    let (records, _) = store.records()?;
    let blobs = |blob| store.content(blob).ok();
    let title = format!("{dependency}, imported");
    let criteria = Criteria::default();
    let analysis = Analysis::new(&[], None, &criteria, &blobs);
    if let Some(results) = Results::of_records(title, dependency, records, &analysis, &[]) {
        store.save_summary(&results)?;
        match format {
            FormatName::Json => super::print_json(&results, terminal)?,
            FormatName::Text => super::print::results(&results, into, terminal),
        }
    }
    let into = into.display();
    terminal.note(&printable(&format!(
        "{imported} results imported into `{into}`, {there} were there already; `caliper show {into}` \
         shows them"
    )));
    terminal.note(
        "which other releases there were is not in them: releases that are called adjacent may have others between",
    );
    Ok(Exit::Done)
}

/// Why a file could not be imported.
enum Problem {
    /// It, or what it holds, is at fault.
    File(String),
    /// The results cannot be kept.
    Store(caliper_core::facts::store::StoreError),
}

fn read(path: &Path, store: &DirStore) -> Result<(PackageName, Record), Problem> {
    let failed = |error: std::io::Error| Problem::File(error.to_string());
    let about = std::fs::metadata(path).map_err(failed)?;
    if about.len() > MOST_BYTES {
        return Err(Problem::File(format!("{} bytes are too many for a result", about.len())));
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    let measured: Timestamp = about.modified().map_err(failed)?.into();
    legacy::read(&bytes, measured, store).map_err(|error| match error {
        legacy::LegacyError::Store(error) => Problem::Store(error),
        error => Problem::File(caliper_container::runner::chain(&error)),
    })
}

/// The files of the folder that the original kept results in, which may be named by what is around it.
fn files(from: &Path) -> Result<Vec<PathBuf>, Failure> {
    let data = from.join(".caliper/data");
    let folder = if data.is_dir() { data } else { from.to_owned() };
    let failed = |error| {
        Failure::infrastructure(format!("could not read the folder `{}`", folder.display()), error)
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Failure::question(format!(
            "there are no `.json` files in `{}`; name the folder `.caliper/data` of caliper 0.0",
            folder.display()
        )));
    }
    Ok(files)
}
