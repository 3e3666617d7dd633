use std::path::{Path, PathBuf};

use caliper_core::analysis::Analysis;
use caliper_core::analysis::changes::differences;
use caliper_core::facts::record::Record;
use caliper_core::facts::store::{Content, ResultStore as _};
use caliper_core::names::Bytes;
use caliper_core::question::criteria::Criteria;
use caliper_core::report::page::{Against, Room, page};

use super::recorded::{before, recorded, say_of_run};
use crate::exit::{Exit, Failure, Outcome};
use crate::output;
use crate::setting::{self, Setting};
use crate::terminal::Terminal;

/// The name of the page in the folder of the results.
const FILE: &str = "report.html";

pub(super) fn run(
    config: &Path,
    into: Option<&Path>,
    against: Option<&Path>,
    terminal: Terminal,
) -> Outcome {
    let (store, results) = recorded(config, terminal)?;
    say_of_run(&store, &results, terminal)?;
    let path = into.map_or_else(|| store.folder().join(FILE), PathBuf::from);
    if let Some(path) = into {
        output::check(path, Some(config), store.folder())?;
    }
    let other = against.map(|path| before(path, terminal)).transpose()?;
    // What is too large for memory is too large for a page.
    let blobs = |blob| store.blob(blob).ok().map(Content::from);
    // What they are looked past is what the configuration of these results says.
    let setting = config.is_file().then(|| Setting::open(config)).transpose()?;
    let criteria = setting.map_or_else(Criteria::default, |setting| setting.config.compare);
    let found = other.as_ref().map(|(other, earlier)| {
        let both = |blob| store.content(blob).or_else(|_| other.content(blob)).ok();
        let analysis = Analysis::new(&[], None, &criteria, &both);
        differences(&earlier.cells, &results.cells, Record::id, &analysis)
    });
    let name = against.map(|path| path.display().to_string()).unwrap_or_default();
    let against = found.as_ref().map(|found| Against { name: &name, differences: found });
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
        && !folder.is_dir()
    {
        let folder = folder.display();
        return Err(Failure::question(format!(
            "there is no folder `{folder}` to write the page to"
        )));
    }
    let named = config.to_string_lossy();
    let named = Some(&*named).filter(|named| *named != setting::FILE);
    let html = page(&results, named, against, Room::default(), &blobs)
        .map_err(|error| Failure::infrastructure("could not make the report", error))?;
    output::replace(&path, html.as_bytes())?;
    terminal.note(&format!("{} in `{}`", Bytes(html.len() as u64), path.display()));
    Ok(Exit::Done)
}
