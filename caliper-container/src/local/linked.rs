//! Files that environments share with the cache of `uv`.
//!
//! Where the file system cannot clone files, `uv` makes hard links: an environment of hundreds of megabytes takes no
//! time and no disk. But a test that writes to a file of its environment then writes to the cache, and to every other
//! environment that has the file. So each such file is checked against the digest that its distribution records
//! for it (`RECORD`), before an environment is first used and whenever the file may have changed since. What was
//! changed is taken out of the cache, so that `uv` fetches it anew.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use caliper_core::names::Sha256;

use super::files::{Differences, Files, Stamp};
use super::work::Workspace;
use crate::backend::BackendError;
use crate::digest;

/// What this process knows of shared files.
#[derive(Debug)]
pub(super) struct Linked {
    /// The cache of `uv`.
    cache: PathBuf,
    /// The state in which each was last seen to have the right content, by device and inode.
    checked: Mutex<HashMap<(u64, u64), Stamp>>,
}

impl Linked {
    pub(super) fn new(cache: PathBuf) -> Self {
        Self { cache, checked: Mutex::default() }
    }

    /// How `uv` is to install from its cache in this place: `clone` where the file system can.
    pub(super) fn mode(&self, place: &Path) -> &'static str {
        let (from, to) = (self.cache.join(".clone"), place.join(".clone"));
        let cloned = (|| {
            fs::write(&from, b"x")?;
            let (source, target) = (fs::File::open(&from)?, fs::File::create(&to)?);
            clone(&target, &source)
        })();
        let _ = (fs::remove_file(&from), fs::remove_file(&to));
        if cloned.is_ok() { "clone" } else { "hardlink" }
    }

    /// Those of the shared files of an environment that was just made that do not have the content that they
    /// were recorded with; with `all`, also of its own. A shared file of which nothing is recorded becomes its own.
    pub(super) fn wrong_in_new(
        &self,
        environment: &Path,
        all: bool,
    ) -> io::Result<(Vec<String>, Files)> {
        let mut files = Files::of(environment)?;
        // What came with a wheel was compiled from sources of another time. Python would write it anew, and that
        // would look like the doing of a test.
        let bytecode = files.bytecode().into_keys().map(|path| environment.join(path));
        let is_compiled = |path: &PathBuf| path.extension().is_some_and(|found| found == "pyc");
        let compiled: Vec<PathBuf> = bytecode.filter(is_compiled).collect();
        for path in &compiled {
            fs::remove_file(path)?;
        }
        if !compiled.is_empty() {
            files = Files::of(environment)?;
        }
        let recorded = recorded(environment);
        let mut has_copied = false;
        for (path, _) in files.linked().filter(|(path, _)| !recorded.contains_key(*path)) {
            // Later nothing could tell whether it was changed.
            own(&environment.join(path))?;
            has_copied = true;
        }
        let files = if has_copied { Files::of(environment)? } else { files };
        // What is in `bin` was written for this environment.
        let is_checked = |path: &String, stamp: &Stamp| {
            stamp.is_linked || (all && recorded.contains_key(path) && !path.starts_with("bin/"))
        };
        let stamps = files.stamps.iter().filter(|(path, stamp)| is_checked(path, stamp));
        let paths: Vec<String> = stamps.map(|(path, _)| path.clone()).collect();
        let wrong = self.wrong_of(environment, &files, &paths)?;
        Ok((wrong, files))
    }

    /// The files of an environment that differ from what they were when their state was `before`, sorted. Bytecode
    /// that is new does not count; a shared file of which only a link changed does not differ.
    pub(super) fn compare(
        &self,
        environment: &Path,
        before: &Files,
        now: &Files,
    ) -> io::Result<Vec<String>> {
        let Differences { mut changed, doubtful } = before.compare(now);
        changed.extend(self.wrong_of(environment, now, &doubtful)?);
        changed.sort();
        Ok(changed)
    }

    /// Those of these files that do not have the content that they were recorded with; `files` is their state.
    fn wrong_of(
        &self,
        environment: &Path,
        files: &Files,
        paths: &[String],
    ) -> io::Result<Vec<String>> {
        let unknown: Vec<(&String, Stamp)> = {
            let checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
            let stamps = paths.iter().filter_map(|path| Some((path, *files.stamps.get(path)?)));
            let is_unknown =
                |(_, stamp): &(&String, Stamp)| checked.get(&id(*stamp)) != Some(stamp);
            stamps.filter(is_unknown).collect()
        };
        if unknown.is_empty() {
            return Ok(Vec::new());
        }
        let recorded = recorded(environment);
        let (mut right, mut wrong) = (Vec::new(), Vec::new());
        for (path, stamp) in unknown {
            let digest = encoded(digest::of_file(&environment.join(path))?);
            if recorded.get(path) == Some(&digest) {
                right.push((id(stamp), stamp));
            } else {
                wrong.push(path.clone());
            }
        }
        self.checked.lock().unwrap_or_else(PoisonError::into_inner).extend(right);
        Ok(wrong)
    }

    /// Takes what holds these files of an environment out of the cache.
    pub(super) fn purge(
        &self,
        environment: &Path,
        paths: &[String],
        workspace: &Workspace,
    ) -> Result<(), BackendError> {
        let found = paths.iter().filter_map(|path| fs::metadata(environment.join(path)).ok());
        let shared = found.filter(|found| found.is_file() && found.nlink() > 1);
        let wanted: HashSet<(u64, u64)> = shared.map(|found| (found.dev(), found.ino())).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let holding: Vec<PathBuf> =
            archives(&self.cache).into_iter().filter(|archive| holds(archive, &wanted)).collect();
        for archive in &holding {
            workspace.discard(archive)?;
        }
        forget_archives(&self.cache, &holding);
        Ok(())
    }
}

/// The folders of the cache of `uv` that each hold an unpacked wheel.
pub(super) fn archives(cache: &Path) -> Vec<PathBuf> {
    buckets(cache, "archive-").iter().flat_map(|bucket| folders(bucket)).collect()
}

/// Makes the cache of `uv` forget archives that were removed from it.
pub(super) fn forget_archives(cache: &Path, archives: &[PathBuf]) {
    let name =
        |archive: &PathBuf| archive.file_name().unwrap_or_default().as_encoded_bytes().to_vec();
    let names: Vec<Vec<u8>> = archives.iter().map(name).collect();
    for bucket in ["wheels-", "sdists-"].iter().flat_map(|start| buckets(cache, start)) {
        forget(&bucket, &names);
    }
}

/// The parts of the cache of `uv` whose names begin in this way; the rest of the name is a version.
fn buckets(cache: &Path, start: &str) -> Vec<PathBuf> {
    let mut all = folders(cache);
    all.retain(|bucket| {
        bucket.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start))
    });
    all
}

fn id(stamp: Stamp) -> (u64, u64) {
    (stamp.device, stamp.inode)
}

#[cfg(target_os = "linux")]
fn clone(target: &fs::File, source: &fs::File) -> io::Result<()> {
    Ok(rustix::fs::ioctl_ficlone(target, source)?)
}

#[cfg(not(target_os = "linux"))]
fn clone(_: &fs::File, _: &fs::File) -> io::Result<()> {
    // APFS can; `uv` falls back to copies elsewhere.
    if cfg!(target_os = "macos") { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
}

pub(super) fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

/// Whether one of these files is below a folder.
fn holds(folder: &Path, wanted: &HashSet<(u64, u64)>) -> bool {
    fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        entry.metadata().is_ok_and(|found| {
            if found.is_dir() {
                holds(&entry.path(), wanted)
            } else {
                wanted.contains(&(found.dev(), found.ino()))
            }
        })
    })
}

/// Removes the links and the small files below a folder of the cache that name one of these archives: for a file of
/// this machine, `uv` believes that the archive is there. What cannot be removed makes a build fail, which is
/// tried again.
fn forget(folder: &Path, archives: &[Vec<u8>]) {
    const SMALL: u64 = 64 << 10;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (Ok(found), path) = (entry.metadata(), entry.path()) else { continue };
        if found.is_dir() {
            forget(&path, archives);
            continue;
        }
        let text = if found.is_symlink() {
            fs::read_link(&path).map(|target| target.as_os_str().as_encoded_bytes().to_vec())
        } else if found.len() <= SMALL {
            fs::read(&path)
        } else {
            continue;
        };
        let text = text.unwrap_or_default();
        if archives.iter().any(|name| memchr::memmem::find(&text, name).is_some()) {
            let _ = fs::remove_file(&path);
        }
    }
}

/// Puts a copy of a file in its place.
pub(super) fn own(path: &Path) -> io::Result<()> {
    let mut copy = path.as_os_str().to_owned();
    copy.push(".caliper-copy");
    fs::copy(path, &copy)?;
    fs::rename(&copy, path)
}

/// The digests of installed files, as their distributions record them, by their paths in the environment
/// (<https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file>).
fn recorded(environment: &Path) -> BTreeMap<String, String> {
    let mut digests = BTreeMap::new();
    for library in folders(&environment.join("lib")) {
        let site = library.join("site-packages");
        let name = library.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for distribution in folders(&site) {
            if distribution.extension().is_none_or(|extension| extension != "dist-info") {
                continue;
            }
            let Ok(text) = fs::read_to_string(distribution.join("RECORD")) else { continue };
            for line in text.lines() {
                let mut fields = line.rsplitn(3, ',');
                let (_, digest, path) = (fields.next(), fields.next(), fields.next());
                let (Some(digest), Some(path)) = (digest, path) else { continue };
                let Some(digest) = digest.strip_prefix("sha256=") else { continue };
                let path = path.trim_matches('"').replace("\"\"", "\"");
                if let Some(path) = within(&format!("lib/{name}/site-packages/{path}")) {
                    digests.insert(path, digest.to_owned());
                }
            }
        }
    }
    digests
}

/// A path without `..`, such as of `../../../bin/x`; `None` if it leaves the environment.
fn within(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop()?,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// A digest in the letters of base64 for URLs, without padding, as `RECORD` has it.
pub(super) fn encoded(digest: Sha256) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let hex = digest.hex();
    // Three hexadecimal digits are two letters. 64 digits leave one, which is padded with zeros.
    let digits: Vec<usize> =
        hex.chars().filter_map(|digit| Some(digit.to_digit(16)? as usize)).collect();
    let mut text = String::new();
    for group in digits.chunks(3) {
        let value =
            group.iter().fold(0, |value, digit| value * 16 + digit) << (4 * (3 - group.len()));
        text.push(char::from(LETTERS[value >> 6]));
        if group.len() > 1 {
            text.push(char::from(LETTERS[value & 63]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_written_as_in_a_record() {
        // `printf '' | openssl dgst -sha256 -binary | base64 | tr '+/' '-_'`
        assert_eq!(encoded(Sha256::of(b"")), "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
    }

    #[test]
    fn paths_of_a_record_stay_in_the_environment() {
        let site = "lib/python3.11/site-packages";
        assert_eq!(within(&format!("{site}/../../../bin/x")).unwrap(), "bin/x");
        assert_eq!(within(&format!("{site}/./a/b")).unwrap(), format!("{site}/a/b"));
        assert_eq!(within(&format!("{site}/../../../../etc/x")), None);
    }
}
