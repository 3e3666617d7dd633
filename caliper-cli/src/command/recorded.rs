//! What is recorded of a configuration, or in a folder of results.

use std::path::{Path, PathBuf};

use caliper_container::study::rebuild;
use caliper_core::analysis::results::{self, Results};
use caliper_core::facts::asked::Asked;
use caliper_core::facts::record::Record;
use caliper_core::facts::store::{DirStore, ResultStore as _, Unreadable};

use super::blind::Second;
use crate::exit::Failure;
use crate::setting::{self, Setting};
use crate::terminal::Terminal;

/// The results that a path names, and where their long outputs are.
///
/// Those of a configuration are concluded anew from its records, as the configuration says now and as far as
/// a run has come that is under way. A folder of results that has no configuration beside it is read as it is.
pub(super) fn recorded(path: &Path, terminal: Terminal) -> Result<(DirStore, Results), Failure> {
    let folder = setting::results_of(path);
    let store = DirStore::read_only(&folder);
    let results = match configuration(path, &folder) {
        Some(config) => {
            concluded(&Setting::open(&config)?, &store, store.asked()?.as_ref(), terminal)?
        }
        None => store.summary(results::SCHEMA)?,
    };
    let results = results.ok_or_else(|| {
        let folder = store.folder().display();
        Failure::question(match under_way(&store) {
            Some(under_way) => format!("{under_way}; there are no results in `{folder}` yet"),
            None if path.is_dir() && !path.join(setting::FILE).exists() => format!(
                "there is no `results.json` in `{folder}`: name a folder of results, or a configuration"
            ),
            None => format!(
                "there are no results in `{folder}`; run `caliper run {}` first",
                path.display()
            ),
        })
    })?;
    Ok((store, results))
}

/// The results that others are held against, and where their long outputs are.
pub(super) fn before(path: &Path, terminal: Terminal) -> Result<(DirStore, Results), Failure> {
    if !path.exists() {
        let path = path.display();
        return Err(Failure::question(format!(
            "there is no `{path}` to hold the results against: name a folder with `results.json`, or a configuration"
        )));
    }
    recorded(path, terminal)
}

/// Says that there will be more of these results, if a run is under way.
pub(super) fn say_of_run(
    store: &DirStore,
    results: &Results,
    terminal: Terminal,
) -> Result<(), Failure> {
    if let (Some(under_way), Some(asked)) = (under_way(store), store.asked()?) {
        let (recorded, all) = (results.cells.len(), asked.cells().count());
        terminal.note(&format!("{under_way}: {recorded} of {all} cells are recorded so far"));
    }
    Ok(())
}

fn under_way(store: &DirStore) -> Option<String> {
    store.writer().map(|process| format!("a run is under way (process {process})"))
}

/// Makes the summary again from the records alone, and keeps it.
pub(super) fn make_again(config: &Path, terminal: Terminal) -> Result<(), Failure> {
    let setting = Setting::open(config)?;
    let folder = setting.results();
    let nothing = || {
        let folder = folder.display();
        Failure::question(format!("there is no complete record in `{folder}` to make a summary of"))
    };
    if !folder.is_dir() {
        return Err(nothing());
    }
    // Opened for writing: a run under way would replace the summary at its end.
    let store = DirStore::open(&folder)?;
    // What the last run asked does not cover records that were copied from another folder. It is forgotten only once there is
    // something in its place.
    let results = concluded(&setting, &store, None, terminal)?.ok_or_else(nothing)?;
    store.forget_asked()?;
    store.save_summary(&results)?;
    Ok(())
}

/// The configuration that a path names, or that stands beside the folder of results that it names.
pub(super) fn configuration(path: &Path, results: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        let beside = path.join(setting::FILE);
        return (beside.is_file() && setting::results(&beside) == results).then_some(beside);
    }
    path.is_file().then(|| path.to_owned())
}

/// What follows from the records of a configuration, with or without what the last run asked; `None` without a record.
pub(super) fn concluded(
    setting: &Setting,
    store: &DirStore,
    asked: Option<&Asked>,
    terminal: Terminal,
) -> Result<Option<Results>, Failure> {
    let (records, unreadable) = store.records()?;
    for Unreadable { error } in unreadable {
        terminal.warning(&format!("not part of the summary: {error}"));
    }
    let interrupted = records.iter().filter(|record| record.interrupted).map(Record::id);
    for cell in interrupted.filter(|_| asked.is_none()) {
        terminal.warning(&format!(
            "not part of the summary: {cell} was interrupted, and `caliper run` makes the missing runs"
        ));
    }
    if let Some(asked) = asked {
        let told = asked.tests();
        let setup = setting.config.setup();
        let left_out = setup.tests.iter().map(|test| test.name.as_str());
        let left_out: Vec<&str> = left_out.filter(|name| !told.contains(name)).collect();
        if !told.is_empty() && !left_out.is_empty() {
            let names: Vec<String> = left_out.iter().map(|name| format!("`{name}`")).collect();
            terminal.warning(&format!(
                "nothing is told of {}, which the last run left out; `caliper run` without `--tests` asks for all",
                names.join(", ")
            ));
        }
    }
    let second = Second::open(store, terminal)?;
    let blobs = second.blobs(store);
    Ok(rebuild(&setting.config, asked, records, &second.records, &blobs))
}
