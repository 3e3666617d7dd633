//! The jobs that were started from a project, a small file each.

use std::path::{Path, PathBuf};
use std::{fs, io};

use caliper_container::remote::Job;

use crate::exit::Failure;
use crate::setting::OWN;

/// Their folder, in Caliper's own.
const JOBS: &str = "jobs";

fn folder(project: &Path) -> PathBuf {
    project.join(OWN).join(JOBS)
}

/// Remembers a job.
pub(super) fn keep(project: &Path, job: &Job) -> io::Result<()> {
    let folder = folder(project);
    fs::create_dir_all(&folder)?;
    let text = serde_json::to_string_pretty(job).unwrap_or_default();
    // A file that is half written would stand in the way of all others.
    let new = folder.join(format!("{}.new", job.id));
    fs::write(&new, text + "\n")?;
    fs::rename(&new, folder.join(format!("{}.json", job.id)))
}

/// All jobs, the newest last.
pub(super) fn all(project: &Path) -> Result<Vec<Job>, Failure> {
    let Ok(entries) = fs::read_dir(folder(project)) else { return Ok(Vec::new()) };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let read = |path: &PathBuf| {
        let text = fs::read(path).map_err(|error| error.to_string());
        let job = text.and_then(|text| {
            serde_json::from_slice::<Job>(&text).map_err(|error| error.to_string())
        });
        job.map_err(|error| Failure::question(format!("`{}`: {error}", path.display())))
    };
    paths.iter().map(read).collect()
}

/// The job of this name, or of which this is a part of the name.
pub(super) fn find(project: &Path, id: &str) -> Result<Job, Failure> {
    let all = all(project)?;
    let known: Vec<String> = all.iter().map(|job| format!("`{}`", job.id)).collect();
    let mut found = all.into_iter().filter(|job| job.id.contains(id));
    match (found.next(), found.next()) {
        (Some(job), None) => Ok(job),
        (Some(_), Some(_)) => {
            Err(Failure::question(format!("several jobs have `{id}` in their name")))
        }
        (None, _) => Err(Failure::question(format!(
            "no job `{id}` was started from here; {}",
            match known.as_slice() {
                [] => "there is none".to_owned(),
                known => format!("there are {}", known.join(", ")),
            }
        ))),
    }
}

/// Forgets a job that was removed.
pub(super) fn forget(project: &Path, id: &str) {
    // A name that is not one of a job is in no file here.
    if id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        let _ = fs::remove_file(folder(project).join(format!("{id}.json")));
    }
}
