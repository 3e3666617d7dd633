use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use caliper_core::analysis::Analysis;
use caliper_core::analysis::changes::differences;
use caliper_core::facts::record::Record;
use caliper_core::facts::store::ResultStore as _;
use caliper_core::question::criteria::Criteria;
use caliper_core::report::page::{Against, Room, page};
use tempfile::Builder;

use super::recorded::{before, recorded, say_of_run};
use crate::exit::{Exit, Failure, Outcome};
use crate::own::remember_file;
use crate::setting::Setting;
use crate::terminal::Terminal;

/// The name of the page in the folder of the results.
const FILE: &str = "report.html";

pub(super) fn run(
    config: &Path,
    output: Option<&Path>,
    against: Option<&Path>,
    terminal: Terminal,
) -> Outcome {
    let (store, results) = recorded(config, terminal)?;
    say_of_run(&store, &results, terminal)?;
    let path = output.map_or_else(|| store.folder().join(FILE), PathBuf::from);
    let other = against.map(|path| before(path, terminal)).transpose()?;
    let blobs = |blob| store.blob(blob).ok();
    // What they are looked past is what the configuration of these results says.
    let setting = config.is_file().then(|| Setting::open(config)).transpose()?;
    let criteria = setting.map_or_else(Criteria::default, |setting| setting.config.compare);
    let found = other.as_ref().map(|(other, earlier)| {
        let both = |blob| store.blob(blob).or_else(|_| other.blob(blob)).ok();
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
    let html = page(&results, against, Room::default(), &blobs)
        .map_err(|error| Failure::infrastructure("could not make the report", error))?;
    write(&path, &html).map_err(|error| {
        Failure::infrastructure(format!("could not write `{}`", path.display()), error)
    })?;
    remember_file(&path);
    terminal.note(&format!("{} in `{}`", size(html.len()), path.display()));
    Ok(Exit::Done)
}

/// Replaces the file: a reader sees the old page or the new.
fn write(path: &Path, html: &str) -> io::Result<()> {
    // A link stays one, and what is no file, such as /dev/stdout, is written to.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&path).is_ok_and(|known| !known.is_file()) {
        return fs::write(&path, html);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut new = readable(&mut Builder::new()).tempfile_in(folder.unwrap_or(Path::new(".")))?;
    new.write_all(html.as_bytes())?;
    new.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

/// A temporary file is for its owner alone; this one is for whom the umask lets read.
#[cfg(unix)]
fn readable<'a, 'b>(builder: &'a mut Builder<'b, 'b>) -> &'a mut Builder<'b, 'b> {
    use std::os::unix::fs::PermissionsExt as _;
    builder.permissions(fs::Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn readable<'a, 'b>(builder: &'a mut Builder<'b, 'b>) -> &'a mut Builder<'b, 'b> {
    builder
}

fn size(bytes: usize) -> String {
    caliper_core::names::Bytes(bytes as u64).to_string()
}
