use std::fs;
use std::io;
use std::path::Path;

use caliper_container::cache::{DiskUsage, IMAGES, Taken, UV, has_logs_of_images};
use caliper_container::docker::{Cleaned, DockerBackend, DockerOptions, EngineKind};
use caliper_core::names::Bytes;

use crate::cache_lock::CacheLock;
use crate::exit::{Exit, Failure, Outcome};
use crate::setting;
use crate::terminal::{Terminal, printable};

/// What is to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// What belongs to the project alone.
    Project,
    /// The cache, also if projects share it.
    Cache,
    /// What is on the engine, also what is kept with a shared cache.
    Engine,
}

pub(super) fn run(config: &Path, what: What, dry_run: bool, terminal: Terminal) -> Outcome {
    let would = if dry_run { "would remove" } else { "removed" };
    let cache = match what {
        What::Project => setting::own_cache(config),
        What::Cache | What::Engine => setting::cache(config),
    };
    let mut is_engine_missing = what == What::Cache;
    if what != What::Cache {
        for kind in EngineKind::ALL {
            for address in kind.addresses() {
                let options = DockerOptions {
                    kind,
                    host: Some(address),
                    cache: cache.clone(),
                    ..DockerOptions::default()
                };
                match DockerBackend::connect(options) {
                    Ok(backend) => {
                        let cleaned = if dry_run { backend.leftovers() } else { backend.clean() }?;
                        terminal.data(&printable(&listed(&cleaned, would, kind)));
                    }
                    Err(error) => {
                        is_engine_missing = true;
                        terminal.detail(&format!("no {kind} to clean: {error}"));
                    }
                }
            }
        }
    }
    if what != What::Engine {
        clean_cache(&cache, is_engine_missing, dry_run, would, terminal)?;
    }
    if what == What::Project
        && let Some(shared) = setting::shared_cache().filter(|shared| *shared != cache)
    {
        terminal.data(&format!(
            "left the cache {} and the images that are kept with it alone: other projects may share it \
             (CALIPER_CACHE_DIR); `clean --cache` and `clean --engine` remove them\n",
            shared.display()
        ));
    }
    Ok(Exit::Done)
}

fn listed(cleaned: &Cleaned, would: &str, kind: EngineKind) -> String {
    let mut text = String::new();
    for container in &cleaned.containers {
        text += &format!("{would} the container {container}\n");
    }
    for image in &cleaned.images {
        text += &format!("{would} the image {image}\n");
    }
    if cleaned.in_use > 0 {
        text += &format!("left {} alone: a run that goes on uses them\n", cleaned.in_use);
    }
    if cleaned.of_others > 0 {
        let count = cleaned.of_others;
        let images = if count == 1 { "1 image" } else { &format!("{count} images") };
        text += &format!("left {images} alone, kept by other projects for their runs\n");
    }
    if text.is_empty() {
        text = format!("nothing of Caliper's is on {kind}\n");
    }
    text
}

fn clean_cache(
    cache: &Path,
    is_engine_missing: bool,
    dry_run: bool,
    would: &str,
    terminal: Terminal,
) -> Result<(), Failure> {
    if !cache.is_dir() {
        terminal.data(&format!("there is no cache at {}\n", cache.display()));
        return Ok(());
    }
    let in_use = CacheLock::to_remove(cache)?;
    // By the logs that are left, images on an engine that does not answer now are known to be this project's.
    let keeps_logs = is_engine_missing && has_logs_of_images(cache);
    let parts = caliper_container::cache::PARTS.iter().chain(caliper_pypi::cache::PARTS);
    let mut parts: Vec<&str> =
        parts.copied().filter(|part| *part != IMAGES || !keeps_logs).collect();
    // What environments share with uv's cache is counted there.
    parts.sort_by_key(|part| (*part != UV, *part));
    let mut usage = DiskUsage::default();
    let taken: Vec<(&str, Taken)> =
        parts.into_iter().map(|part| (part, usage.of(&cache.join(part)))).collect();
    let all: Taken = taken.iter().map(|(_, taken)| *taken).sum();
    if !dry_run {
        if all.files >= MANY {
            terminal.note(&format!("removing {} files ({}) …", all.files, Bytes(all.bytes)));
        }
        for (part, _) in &taken {
            remove(&cache.join(part))?;
        }
        in_use.remove();
        // Gone if nothing else is in it: a folder that the user named may hold more.
        let _ = fs::remove_dir(cache);
    }
    terminal.data(&format!("{would} the cache {}: {}\n", cache.display(), Bytes(all.bytes)));
    for (part, taken) in taken.iter().filter(|(_, taken)| taken.files > 0) {
        let (bytes, files) = (Bytes(taken.bytes), taken.files);
        let noun = if files == 1 { "file" } else { "files" };
        terminal.data(&format!("  {part:<14}{bytes:>10}{files:>9} {noun}\n"));
    }
    if keeps_logs {
        terminal.data(
            "left the logs of kept images: without them, `clean` could not tell that these are this project's\n",
        );
    }
    Ok(())
}

/// From so many files on, removing takes long enough to be announced.
const MANY: u64 = 5000;

fn remove(path: &Path) -> Result<(), Failure> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Failure::infrastructure(format!("could not remove `{}`", path.display()), error))
        }
        _ => Ok(()),
    }
}
