//! What a cache may take between runs: environments, the cache of `uv` and downloads together.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use caliper_core::facts::record::Installed;
use caliper_core::names::{PackageName, Sha256};
use pep440_rs::Version;

use super::discarded::remove;
use super::kept::{at_rest, hold};
use super::linked::{archives, folders, forget_archives};
use crate::backend::BackendError;
use crate::cache::{self, DiskUsage, Taken};

/// What a plan needs of a cache.
#[derive(Debug, Clone, Default)]
pub struct Needed {
    files: BTreeSet<Sha256>,
    distributions: BTreeSet<(PackageName, Version)>,
}

impl Needed {
    /// The file of a cell.
    pub fn file(&mut self, digest: Sha256) {
        self.files.insert(digest);
    }

    /// What is installed in an environment. A version that is not of PEP 440 counts as not needed.
    pub fn installed(&mut self, installed: &Installed) {
        self.distributions.extend(distribution(&installed.name, &installed.version));
    }

    /// Whether an archive of `uv` holds one of the distributions.
    fn needs(&self, archive: &Path) -> bool {
        let entries = fs::read_dir(archive).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).any(|name| {
            // https://packaging.python.org/en/latest/specifications/recording-installed-packages/
            let parts = name.strip_suffix(".dist-info").and_then(|name| name.rsplit_once('-'));
            parts
                .and_then(|(name, version)| distribution(name, version))
                .is_some_and(|found| self.distributions.contains(&found))
        })
    }
}

fn distribution(name: &str, version: &str) -> Option<(PackageName, Version)> {
    Some((name.parse().ok()?, version.parse().ok()?))
}

/// What was removed from a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trimmed {
    /// What the cache took before, in bytes.
    pub before: u64,
    /// What was removed.
    pub removed: Taken,
}

/// Removes from a cache what a plan does not need, if the cache takes more than `budget` bytes: first environments that no
/// run took up since `begun`, which cost no network to make again; then downloads, and wheels that `uv` has
/// unpacked. Of each kind that goes first which was not used for the longest time. No run may use the cache
/// meanwhile. `downloads` is the folder in it with a folder for each downloaded file, named by its sha256.
///
/// # Errors
///
/// [`BackendError::Machine`] if something could not be removed.
pub fn keep_within(
    cache: &Path,
    downloads: &Path,
    budget: u64,
    needed: &Needed,
    begun: SystemTime,
) -> Result<Trimmed, BackendError> {
    let uv = cache.join(cache::UV);
    let fetched = archives(&uv).into_iter().map(|path| (needed.needs(&path), path));
    let is_needed = |path: &PathBuf| {
        let digest = path.file_name().and_then(|name| name.to_str()?.parse().ok());
        digest.is_some_and(|digest| needed.files.contains(&digest))
    };
    let files = folders(downloads).into_iter().map(|path| (is_needed(&path), path));
    let (needed, others): (Vec<_>, Vec<_>) =
        fetched.chain(files).partition(|(is_needed, _)| *is_needed);
    for (_, path) in needed {
        // The folder's time says when it was last used. Where it cannot be set, it goes earlier.
        let _ = File::open(&path).and_then(|folder| folder.set_modified(SystemTime::now()));
    }
    let before = DiskUsage::default().of(cache).bytes;
    let mut trimming =
        Trimming { excess: before.saturating_sub(budget), removed: Taken::default() };
    trimming.environments(&cache.join(cache::ENVIRONMENTS), begun)?;
    trimming.fetched(others.into_iter().map(|(_, path)| path).collect(), &uv)?;
    Ok(Trimmed { before, removed: trimming.removed })
}

struct Trimming {
    /// How many bytes are too many.
    excess: u64,
    removed: Taken,
}

impl Trimming {
    fn environments(&mut self, root: &Path, begun: SystemTime) -> Result<(), BackendError> {
        let found = folders(root).into_iter().filter_map(|path| Some((at_rest(&path)?.used, path)));
        let mut unused: Vec<_> = found.filter(|(used, _)| *used < begun).collect();
        unused.sort();
        for (_, path) in unused {
            let Ok(_lock) = hold(&path) else { continue };
            self.remove(&path)?;
        }
        Ok(())
    }

    fn fetched(&mut self, paths: Vec<PathBuf>, uv: &Path) -> Result<(), BackendError> {
        let used = |path: &Path| fs::metadata(path).and_then(|found| found.modified());
        let mut paths: Vec<_> =
            paths.into_iter().filter_map(|path| Some((used(&path).ok()?, path))).collect();
        paths.sort();
        let mut archives = Vec::new();
        for (_, path) in paths {
            // To remove what a kept environment has too would free nothing.
            if !is_shared(&path) && self.remove(&path)? && path.starts_with(uv) {
                archives.push(path);
            }
        }
        if !archives.is_empty() {
            forget_archives(uv, &archives);
        }
        Ok(())
    }

    /// Removes a folder, if there is still too much. Returns whether it did.
    fn remove(&mut self, folder: &Path) -> Result<bool, BackendError> {
        if self.excess == 0 {
            return Ok(false);
        }
        let taken = alone(folder);
        remove(folder)
            .map_err(BackendError::machine(format!("could not remove `{}`", folder.display())))?;
        self.excess = self.excess.saturating_sub(taken.bytes);
        self.removed = [self.removed, taken].into_iter().sum();
        Ok(true)
    }
}

/// What a folder takes without the files that others have too.
fn alone(folder: &Path) -> Taken {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let taken = entries.map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => alone(&entry.path()),
        Ok(found) if found.nlink() == 1 => Taken { bytes: found.blocks() * 512, files: 1 },
        _ => Taken { bytes: 0, files: 1 },
    });
    let own = fs::symlink_metadata(folder).map_or(0, |found| found.blocks() * 512);
    [Taken { bytes: own, files: 1 }].into_iter().chain(taken).sum()
}

/// Whether another folder has some file of this one too.
fn is_shared(folder: &Path) -> bool {
    fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => is_shared(&entry.path()),
        found => found.is_ok_and(|found| found.nlink() > 1),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LARGE: usize = 1 << 20;

    /// A cache with archives and downloads, each with a large file, and the oldest first.
    fn cache(archives: &[&str], downloads: &[Sha256]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let archives = archives
            .iter()
            .map(|name| (format!("uv/archive-v0/{name}"), format!("{name}.dist-info")));
        let downloads =
            downloads.iter().map(|digest| (format!("files/{}", digest.hex()), "whole".to_owned()));
        for (age, (path, inside)) in (0..100).rev().zip(archives.chain(downloads)) {
            let path = folder.path().join(path);
            fs::create_dir_all(path.join(inside)).unwrap();
            fs::write(path.join("large"), vec![1; LARGE]).unwrap();
            let time = SystemTime::now() - Duration::from_secs(3600 + age);
            File::open(&path).unwrap().set_modified(time).unwrap();
        }
        folder
    }

    fn trim(cache: &Path, budget: usize, needed: &Needed) -> Trimmed {
        keep_within(cache, &cache.join("files"), budget as u64, needed, SystemTime::now()).unwrap()
    }

    #[test]
    fn what_the_plan_needs_stays_and_of_the_rest_the_oldest_goes_first() {
        let [one, other] = ["one", "other"].map(|text| Sha256::of(text.as_bytes()));
        let folder = cache(&["Typing_Extensions-4.0", "demo-1.0", "demo-2.0"], &[one, other]);
        let has = |path: &str| folder.path().join(path).exists();
        let mut needed = Needed::default();
        needed.installed(&Installed::new("typing-extensions", "4.0"));
        needed.file(one);

        let trimmed = trim(folder.path(), 6 * LARGE, &needed);
        assert_eq!(trimmed.removed, Taken::default(), "it is within its budget");

        let pointer = folder.path().join("uv/wheels-v5/index/demo/1.0-py3-none-any");
        fs::create_dir_all(pointer.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("../../../archive-v0/demo-1.0", &pointer).unwrap();
        let trimmed = trim(folder.path(), 9 * LARGE / 2, &needed);
        assert!(trimmed.removed.bytes >= LARGE as u64, "{trimmed:?}");
        assert!(!has("uv/archive-v0/demo-1.0") && has("uv/archive-v0/demo-2.0"));
        assert!(fs::symlink_metadata(&pointer).is_err(), "uv must not look for it");

        trim(folder.path(), 0, &needed);
        assert!(!has("uv/archive-v0/demo-2.0") && !has(&format!("files/{}", other.hex())));
        assert!(has("uv/archive-v0/Typing_Extensions-4.0"));
        assert!(has(&format!("files/{}", one.hex())));

        // It was used just now, so that for the next plan it is the youngest.
        let used = fs::metadata(folder.path().join("uv/archive-v0/Typing_Extensions-4.0")).unwrap();
        assert!(used.modified().unwrap().elapsed().unwrap() < Duration::from_secs(600));
    }

    #[test]
    fn what_an_environment_shares_is_not_removed_in_vain() {
        let folder = cache(&["demo-1.0"], &[]);
        let environment = folder.path().join("environments/x/e");
        fs::create_dir_all(&environment).unwrap();
        let archive = folder.path().join("uv/archive-v0/demo-1.0");
        fs::hard_link(archive.join("large"), environment.join("large")).unwrap();
        let trimmed = trim(folder.path(), 0, &Needed::default());
        assert_eq!(trimmed.removed, Taken::default());
        assert!(archive.exists());
        fs::remove_file(environment.join("large")).unwrap();
        trim(folder.path(), 0, &Needed::default());
        assert!(!archive.exists());
    }
}
