//! Writes a study as one file, and measures one that was written elsewhere.

use std::io;
use std::path::{Path, PathBuf};

use caliper_container::bundle::{self, Bundle, Places, StudyFiles, Written};
use caliper_core::names::Bytes;
use caliper_core::question::files::FileSource;
use caliper_core::report::ro_crate::StudyInfo;
use caliper_pypi::cache;

use super::recorded::recorded;
use super::replay::{index_of, rebuild};
use super::{LISTED, say_how_many_more};
use crate::args::{self, FormatName, HowToReplay, IndexArgs};
use crate::cache_lock::CacheLock;
use crate::exit::{Exit, Failure, Outcome};
use crate::layout;
use crate::output;
use crate::own;
use crate::setting::{self, Setting};
use crate::sources::Index;
use crate::terminal::{Terminal, printable};

/// `caliper bundle`.
pub(super) fn write(asked: &args::Bundle, terminal: Terminal) -> Outcome {
    let config = &asked.config;
    let (store, results) = recorded(config, terminal)?;
    let setting = Setting::open(config)?;
    let folder = setting::cache(config);
    let _in_use = CacheLock::open(&setting.folder(), &folder)?;
    let path = asked.output.clone().unwrap_or_else(|| usual_name(&setting));
    let project = layout::read_project(&setting)?.with_overlays(&setting.config.overlays)?;
    let index = Index::open(&index_of(&asked.index, &results.cells), &folder, terminal)?;
    let downloader = index.downloader(&folder);
    if !results.stale.is_empty() {
        terminal.warning(&format!(
            "{} stale records are in the bundle without a lock: `caliper run` measures them again",
            results.stale.len()
        ));
    }
    let info = StudyInfo {
        name: results.analysis.clone(),
        dependency: results.dependency.clone(),
        started: results.started,
        finished: results.finished,
        cells: results.cells.len(),
        caliper: results.caliper.clone(),
        license: asked.license.clone(),
        author: asked.author.clone(),
        configuration: String::new(),
    };
    let study = StudyFiles {
        info: &info,
        configuration: config,
        project: &project,
        store: &store,
        records: &results.cells,
        files: asked.files.then_some(&downloader as &dyn FileSource),
    };
    let failed = |source: io::Error| {
        Failure::infrastructure(format!("could not write `{}`", path.display()), source)
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut unfinished = tempfile::Builder::new();
    let mut unfinished = output::readable(unfinished.prefix(".caliper-bundle-"))
        .tempfile_in(folder.unwrap_or(Path::new(".")))
        .map_err(failed)?;
    let written = bundle::write(study, unfinished.as_file_mut(), &path)?;
    let size = unfinished.as_file().metadata().map_err(failed)?.len();
    unfinished.persist(&path).map_err(|error| failed(error.error))?;
    // It is no part of the project that is measured.
    own::remember_file(&path);
    Ok(say(&written, asked, &path, size, terminal))
}

fn say(
    written: &Written,
    asked: &args::Bundle,
    path: &Path,
    size: u64,
    terminal: Terminal,
) -> Exit {
    for error in written.not_locked.iter().take(LISTED) {
        terminal.warning(&printable(&error.to_string()));
    }
    say_how_many_more(written.not_locked.len(), terminal);
    let files = match (asked.files, written.files) {
        (false, _) => ", without the files of the locks (`--files`)".to_owned(),
        (true, files) => format!(" and {files} files of these"),
    };
    terminal.data(&printable(&format!(
        "{}: {}, {} files, {} locks{files}\n",
        path.display(),
        Bytes(size),
        written.parts,
        written.locks
    )));
    if asked.license.is_none() {
        terminal.note("note: the bundle states no licence; `--license CC-BY-4.0` states one");
    }
    if written.not_locked.is_empty() { Exit::Done } else { Exit::Infrastructure }
}

/// The name of the analysis as a file name.
fn usual_name(setting: &Setting) -> PathBuf {
    let plain = |c: char| if c.is_alphanumeric() || ".-_".contains(c) { c } else { '-' };
    let name: String = setting.config.name.chars().take(80).map(plain).collect();
    let name = name.trim_matches(['-', '.']);
    let name = if name.is_empty() { "study" } else { name };
    setting.folder().join(format!("{name}.zip"))
}

/// The file that says which bundle a folder was unpacked from.
const ORIGIN: &str = "bundle";

/// `caliper run --from`: unpacks a bundle, rebuilds its cells from their locks, and compares with its records. A folder
/// that was unpacked from the same bundle is used as it is, so that an interrupted run goes on.
pub(super) fn measure(
    from: &Path,
    into: Option<&Path>,
    how: &HowToReplay,
    index: &IndexArgs,
    format: FormatName,
    terminal: Terminal,
) -> Outcome {
    let stem = || from.file_stem().map_or_else(|| PathBuf::from("study"), PathBuf::from);
    let folder = into.map_or_else(stem, Path::to_owned);
    let mut bundle = Bundle::open(from)?;
    let digest = bundle.digest()?.to_string();
    let config = folder.join(bundle.configuration());
    let own = folder.join(setting::OWN);
    let is_same = |text: String| text.trim() == digest;
    if !std::fs::read_to_string(own.join(ORIGIN)).is_ok_and(is_same) {
        let own_cache = Path::new(setting::OWN).join("cache");
        let files = setting::shared_cache().unwrap_or(own_cache).join(cache::FILES);
        let results = setting::results(Path::new(bundle.configuration()));
        let unpacked = bundle.unpack(&folder, Places { results: &results, files: &files })?;
        // As in a folder of which Caliper made the results.
        let notes = [(".gitignore", "*\n".to_owned()), (ORIGIN, format!("{digest}\n"))];
        for (name, text) in notes {
            std::fs::write(own.join(name), text).map_err(|error| {
                Failure::infrastructure(format!("could not write `{}`", own.display()), error)
            })?;
        }
        terminal.note(&printable(&format!(
            "{}: unpacked {} files, and {} of the locks",
            folder.display(),
            unpacked.parts,
            unpacked.files
        )));
    }
    terminal.note(
        "note: the tests of a bundle are programs of whoever made it; `local` runs them without a sandbox",
    );
    rebuild(&config, None, how, index, format, terminal)
}
