//! What the backends keep in their cache folder, and what it takes on the disk.

use std::collections::HashSet;
use std::fs;
use std::iter::Sum;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Environments of the `local` backend that a later run can use again.
pub(crate) const ENVIRONMENTS: &str = "environments";
/// What is known of images, and the logs of their builds.
pub const IMAGES: &str = "images";
/// The Pythons that were found on this machine.
pub(crate) const PYTHONS: &str = "pythons.json";
/// Wheels of projects, as they were built.
pub const PROJECT: &str = "project";
/// Programs that the `local` backend fetches for itself.
pub(crate) const TOOLS: &str = "tools";
/// The cache of `uv`.
pub const UV: &str = "uv";
/// Folders in which tests run.
pub(crate) const WORK: &str = "work";

/// Everything that the backends keep in a cache folder. It can be removed while no run uses the
/// folder; the next run makes it again.
pub const PARTS: &[&str] = &[ENVIRONMENTS, IMAGES, PROJECT, PYTHONS, TOOLS, UV, WORK];

/// Whether a cache has logs of images that were kept. By its log an image is known to be kept with this cache.
pub fn has_logs_of_images(cache: &Path) -> bool {
    let entries = fs::read_dir(cache.join(IMAGES)).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| path.extension().is_some_and(|end| end == "log"))
}

/// How many bytes of a cache stay between runs, unless a user says otherwise.
pub const KEPT: u64 = 5 << 30;

/// What files take on a disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// In bytes, as the file system counts its blocks.
    pub bytes: u64,
    /// How many files and folders there are.
    pub files: u64,
}

impl Sum for Taken {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            bytes: sum.bytes + one.bytes,
            files: sum.files + one.files,
        })
    }
}

/// Measures what folders take. A file with several names is counted where it is found first.
#[derive(Debug, Default)]
pub struct DiskUsage {
    seen: HashSet<(u64, u64)>,
}

impl DiskUsage {
    /// What a file, or a folder with all that is in it, takes. What cannot be read counts as nothing.
    pub fn of(&mut self, path: &Path) -> Taken {
        let Ok(found) = fs::symlink_metadata(path) else { return Taken::default() };
        let is_new = found.is_dir() || found.nlink() == 1 || {
            self.seen.insert((found.dev(), found.ino()))
        };
        let own = Taken { bytes: if is_new { found.blocks() * 512 } else { 0 }, files: 1 };
        if !found.is_dir() {
            return own;
        }
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        [own].into_iter().chain(entries.map(|entry| self.of(&entry.path()))).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_several_names_is_counted_once() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        fs::create_dir_all(one.join("deep")).unwrap();
        fs::create_dir(&other).unwrap();
        fs::write(one.join("deep/x"), vec![1; 1 << 20]).unwrap();
        fs::hard_link(one.join("deep/x"), other.join("x")).unwrap();
        let mut usage = DiskUsage::default();
        let first = usage.of(&one);
        assert!(first.files == 3 && first.bytes >= 1 << 20, "{first:?}");
        let second = usage.of(&other);
        assert!(second.files == 2 && second.bytes < 1 << 19, "{second:?}");
        assert_eq!(usage.of(&folder.path().join("missing")), Taken::default());
    }
}
