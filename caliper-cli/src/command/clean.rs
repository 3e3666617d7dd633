use std::fs;
use std::io;
use std::path::Path;

use caliper_container::cache::IMAGES;
use caliper_container::docker::{Cleaned, DockerBackend, DockerOptions, EngineKind};
use caliper_core::facts::store::DirStore;

use crate::cache_lock::CacheLock;
use crate::exit::{Exit, Failure, Outcome};
use crate::setting;
use crate::terminal::{Terminal, printable};

pub(super) fn run(
    config: &Path,
    of_cache: bool,
    of_engine: bool,
    dry_run: bool,
    terminal: Terminal,
) -> Outcome {
    let would = if dry_run { "would remove" } else { "removed" };
    let cache = setting::cache(config);
    if of_engine {
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
                    // No engine, nothing of ours on it.
                    Err(error) => terminal.detail(&format!("no {kind} to clean: {error}")),
                }
            }
        }
    }
    if of_cache {
        clean_cache(config, &cache, of_engine, dry_run, would, terminal)?;
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
        text += &format!("left {count} images alone: other projects keep them for their runs\n");
    }
    if text.is_empty() {
        text = format!("nothing of Caliper's is on {kind}\n");
    }
    text
}

fn clean_cache(
    config: &Path,
    cache: &Path,
    of_engine: bool,
    dry_run: bool,
    would: &str,
    terminal: Terminal,
) -> Result<(), Failure> {
    if !cache.is_dir() {
        terminal.data(&format!("there is no cache at {}\n", cache.display()));
        return Ok(());
    }
    // A run under way uses the cache; its lock says so.
    let results = setting::results(config);
    let _lock = results.is_dir().then(|| DirStore::open(&results)).transpose()?;
    let in_use = CacheLock::to_remove(cache)?;
    if !dry_run {
        let parts = caliper_container::cache::PARTS.iter().chain(caliper_pypi::cache::PARTS);
        // By what is known of images, those on the engine are known to be this project's.
        for part in parts.filter(|part| of_engine || **part != IMAGES) {
            let path = cache.join(part);
            let removed =
                if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    let action = format!("could not remove `{}`", path.display());
                    return Err(Failure::infrastructure(action, error));
                }
                _ => {}
            }
        }
        in_use.remove();
        // Gone if nothing else is in it: a folder that the user named may hold more.
        let _ = fs::remove_dir(cache);
    }
    terminal.data(&format!("{would} the cache {}\n", cache.display()));
    Ok(())
}
