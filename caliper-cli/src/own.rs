//! Caliper's own folder in a project, and the files of the project that this program writes.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::exit::Failure;
use crate::setting::OWN;

/// The list of files, relative to the project, that commands were told to write: `caliper run > out.txt`. They stay
/// no part of the project: what a run prints must not make the next one measure everything again.
const OUTPUTS: &str = "outputs.json";

/// Makes Caliper's own folder in a project, if it is not there. Git is told to ignore it; who wants to share
/// results removes that file, which is written only once.
pub(crate) fn make(project: &Path) -> Result<(), Failure> {
    let own = project.join(OWN);
    let made = fs::create_dir(&own).and_then(|()| fs::write(own.join(".gitignore"), "*\n"));
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(Failure::infrastructure(format!("could not make `{}`", own.display()), error))
        }
        _ => Ok(()),
    }
}

/// Makes a cache folder, if it is not there, with a tag that tells backup programs to leave it out
/// (<https://bford.info/cachedir/>). A failure is not reported here: the first write to the folder reports it.
pub(crate) fn make_cache(cache: &Path) {
    const TAG: &str =
        "Signature: 8a477f597d28d172789f06886806bc55\n# This folder is a cache of Caliper.\n";
    if !cache.is_dir() && fs::create_dir_all(cache).is_ok() {
        let _ = fs::write(cache.join("CACHEDIR.TAG"), TAG);
    }
}

/// The files in a project that this program writes now, or was told to write before.
pub(crate) fn outputs(project: &Path) -> Vec<PathBuf> {
    let Ok(project) = fs::canonicalize(project) else { return Vec::new() };
    let written = written();
    let here = written.iter().filter(|path| path.starts_with(&project)).cloned();
    read(&project).into_iter().map(|path| project.join(path)).chain(here).collect()
}

/// Notes the files that this program writes, in each project that they are in.
pub(crate) fn remember() {
    for path in written() {
        note(&path);
    }
}

/// Notes a file that this program has written itself.
pub(crate) fn remember_file(path: &Path) {
    if let Ok(path) = fs::canonicalize(path) {
        note(&path);
    }
}

fn note(path: &Path) {
    for project in path.ancestors().skip(1).filter(|folder| folder.join(OWN).is_dir()) {
        let Some(relative) = path.strip_prefix(project).ok().and_then(Path::to_str) else {
            continue;
        };
        let mut all = read(project);
        // Nothing in its own folder is part of a project anyway.
        if relative.starts_with(OWN) || !all.insert(relative.to_owned()) {
            continue;
        }
        all.retain(|path| project.join(path).exists());
        let text = serde_json::to_string_pretty(&all).unwrap_or_default();
        // Without the list, the next run measures more than it must.
        let _ = fs::write(project.join(OWN).join(OUTPUTS), text + "\n");
    }
}

fn read(project: &Path) -> BTreeSet<String> {
    let text = fs::read(project.join(OWN).join(OUTPUTS)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// The files that standard output and standard error are redirected to, where the system tells
/// (proc(5)).
fn written() -> Vec<PathBuf> {
    let descriptors = ["/proc/self/fd/1", "/proc/self/fd/2"];
    let files = descriptors.iter().filter_map(|link| fs::read_link(link).ok());
    files.filter(|path| fs::metadata(path).is_ok_and(|found| found.is_file())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_own_folder_is_made_once() {
        let project = tempfile::tempdir().unwrap();
        make(project.path()).unwrap();
        let ignored = project.path().join(".caliper/.gitignore");
        assert_eq!(fs::read_to_string(&ignored).unwrap(), "*\n");
        fs::remove_file(&ignored).unwrap();
        make(project.path()).unwrap();
        assert!(!ignored.exists());
        assert!(make(&project.path().join("nowhere")).is_err());
    }
}
