//! Finds the files that a test left.

use std::collections::HashMap;
#[cfg(feature = "docker")]
use std::ffi::OsStr;
#[cfg(feature = "local")]
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
#[cfg(feature = "docker")]
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use caliper_core::names::Sha256Stream;
use caliper_core::question::limits::Limits;
use globset::{GlobSet, GlobSetBuilder};

use super::{ContentWriter, Left, ResultFile, escaped};
use crate::project::glob;

/// How many entries of the folder are looked at to find the files.
const MOST_ENTRIES: usize = 1_000_000;
/// How long the files may be read at least, however short the test's own time is.
const SHORTEST: Duration = Duration::from_secs(10);

/// Takes up the files that match, as far as the limits allow.
#[derive(Debug)]
pub(crate) struct Collector {
    globs: GlobSet,
    files: Vec<ResultFile>,
    /// How many bytes all files may hold together, and how many of them are left.
    most_bytes: u64,
    left: u64,
    most_files: u64,
    entries: usize,
    time: Duration,
    until: Instant,
    /// The limit that was hit.
    over: Option<String>,
    /// Set while the test goes on.
    seen: Option<Seen>,
}

/// What was seen so far of the files of a test that goes on. A file is complete if it is as it was when it was looked at
/// before: programs write a file from its beginning to its end, or put it in place when it is complete.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// The size and the time of the last change of each file, and whether it was taken as that.
    files: HashMap<PathBuf, (u64, SystemTime, bool)>,
    /// Set when the test has ended: a look that still goes on is given up.
    pub(crate) ended: Arc<AtomicBool>,
}

impl Seen {
    /// Whether a file is complete and was not taken yet.
    fn is_complete(&mut self, path: &Path, size: u64, changed: SystemTime) -> bool {
        let before = self.files.insert(path.to_owned(), (size, changed, false));
        let Some((_, _, was_taken)) =
            before.filter(|(before, then, _)| (*before, *then) == (size, changed))
        else {
            return false;
        };
        self.files.insert(path.to_owned(), (size, changed, true));
        !was_taken
    }
}

impl Collector {
    /// For these patterns, in which `*` stops at a `/` and `**` does not; `None` without any. Reading takes
    /// no longer than the test may, or ten seconds.
    pub(crate) fn new(patterns: &[String], limits: &Limits) -> Option<Self> {
        if patterns.is_empty() {
            return None;
        }
        let mut globs = GlobSetBuilder::new();
        for pattern in patterns {
            // Globs of a configuration were validated; those of an embedder may be invalid.
            globs.add(glob(pattern).ok()?);
        }
        let globs = globs.build().ok()?;
        let time = limits.timeout.max(SHORTEST);
        Some(Self {
            globs,
            files: Vec::new(),
            most_bytes: limits.results,
            left: limits.results,
            most_files: limits.result_files.into(),
            entries: 0,
            time,
            until: Instant::now() + time,
            over: None,
            seen: None,
        })
    }

    /// Takes only what is complete of a test that goes on, and was not taken before.
    pub(crate) fn meanwhile(self, seen: Seen) -> Self {
        Self { seen: Some(seen), ..self }
    }

    /// The files, sorted by path, and which limit they exceed.
    pub(crate) fn finish(mut self) -> Left {
        self.files.sort_by(|one, other| one.path.cmp(&other.path));
        Left { files: self.files, over: self.over, seen: self.seen.unwrap_or_default() }
    }

    /// Takes up what is in a folder. Links are not followed: they could lead anywhere.
    #[cfg(feature = "local")]
    pub(crate) fn folder(&mut self, root: &Path) -> io::Result<()> {
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            // In order, so that of too many files the same ones are taken each time.
            let entries = fs::read_dir(root.join(&folder))?.take(MOST_ENTRIES + 1);
            let mut entries = entries.collect::<io::Result<Vec<_>>>()?;
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                if self.is_over() {
                    return Ok(());
                }
                let path = folder.join(entry.file_name());
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file() && self.globs.is_match(&path) {
                    // Of a sparse file no more than its size need be known.
                    let about = entry.metadata()?;
                    let (size, changed) = (about.len(), about.modified()?);
                    if self.is_wanted(&path, size, changed) && self.has_room(&path, size) {
                        let (file, before) = (File::open(entry.path())?, self.files.len());
                        self.take(&path, &file)?;
                        // Of a test that goes on, the file may have been changed while it was read.
                        let about = file.metadata()?;
                        if self.seen.is_some()
                            && (about.len(), about.modified()?) != (size, changed)
                        {
                            self.files.truncate(before);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes up what is in an archive, below its first folder.
    #[cfg(feature = "docker")]
    pub(crate) fn archive(&mut self, archive: impl Read) -> io::Result<()> {
        match self.entries_of(Timed { archive, until: self.until }) {
            // Also what is not taken has to be read, and a sparse file may be endless.
            Err(_) if Instant::now() > self.until => {
                self.is_over();
                Ok(())
            }
            other => other,
        }
    }

    #[cfg(feature = "docker")]
    fn entries_of(&mut self, archive: impl Read) -> io::Result<()> {
        for entry in tar::Archive::new(archive).entries()? {
            let entry = entry?;
            if self.is_over() {
                return Ok(());
            }
            let whole = entry.path_bytes().into_owned();
            let Some(slash) = whole.iter().position(|byte| *byte == b'/') else { continue };
            let path = Path::new(OsStr::from_bytes(&whole[slash + 1..]));
            // A second name of a file is no file of its own here: its content came with the first.
            if entry.header().entry_type().is_file()
                && self.globs.is_match(path)
                && self.is_wanted(path, entry.size(), changed(entry.header()))
                && self.has_room(path, entry.size())
            {
                self.take(path, entry)?;
            }
            // The next entry stands behind the content of this one, which would be read.
            if self.over.is_some() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether a file is to be taken: at the end of a test each.
    fn is_wanted(&mut self, path: &Path, size: u64, changed: SystemTime) -> bool {
        self.seen.as_mut().is_none_or(|seen| seen.is_complete(path, size, changed))
    }

    /// Whether a limit was hit, after which nothing more is looked at.
    fn is_over(&mut self) -> bool {
        self.entries += 1;
        if self.seen.as_ref().is_some_and(|seen| seen.ended.load(Ordering::Relaxed)) {
            self.stop("the test has ended".to_owned());
        }
        if self.entries > MOST_ENTRIES {
            self.stop(format!("its folder holds more than {MOST_ENTRIES} entries"));
        } else if Instant::now() > self.until {
            let seconds = self.time.as_secs_f64();
            self.stop(format!("its result files could not be read within {seconds} s"));
        }
        self.over.is_some()
    }

    fn stop(&mut self, why: String) {
        self.over.get_or_insert(why);
    }

    /// Whether a file of that size may be taken.
    fn has_room(&mut self, path: &Path, size: u64) -> bool {
        if self.files.len() as u64 >= self.most_files {
            let most = self.most_files;
            self.stop(format!("it left more than {most} result files (`limits.result_files`)"));
        } else if size > self.left {
            self.stop_at(path);
        }
        self.over.is_none()
    }

    fn stop_at(&mut self, path: &Path) {
        let (most, path) = (self.most_bytes, escaped(path));
        self.stop(format!(
            "its result files hold more than {most} bytes (`limits.results`), with `{path}`"
        ));
    }

    fn take(&mut self, path: &Path, mut content: impl Read) -> io::Result<()> {
        let mut kept = ContentWriter::default();
        let mut digest = Sha256Stream::default();
        let mut size = 0;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = content.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            size += count as u64;
            // It may have grown since it was looked at.
            if size > self.left {
                self.stop_at(path);
                return Ok(());
            }
            if self.is_over() {
                return Ok(());
            }
            digest.update(&buffer[..count]);
            kept.write_all(&buffer[..count])?;
        }
        self.left -= size;
        let (path, content) = (escaped(path), Some(kept.finish()));
        self.files.push(ResultFile { path, size, sha256: digest.finish(), content });
        Ok(())
    }
}

/// When a file in an archive was changed, in whole seconds.
#[cfg(feature = "docker")]
fn changed(header: &tar::Header) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(header.mtime().unwrap_or_default())
}

/// An archive that ends with an error when the time is over.
#[cfg(feature = "docker")]
struct Timed<R> {
    archive: R,
    until: Instant,
}

#[cfg(feature = "docker")]
impl<R: Read> Read for Timed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if Instant::now() > self.until {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.archive.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use caliper_core::names::Sha256;

    use super::*;

    fn patterns(patterns: &[&str]) -> Collector {
        let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
        Collector::new(&patterns, &Limits::default()).unwrap()
    }

    fn read(file: &ResultFile) -> Vec<u8> {
        let mut bytes = Vec::new();
        file.content.as_ref().unwrap().open().read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_folder_gives_what_matches_and_no_links() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("out/deep")).unwrap();
        for path in ["a.csv", "out/b.csv", "out/deep/c.csv", "out/d.txt"] {
            fs::write(at(path), path).unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", at("out/e.csv")).unwrap();
        let found = |globs: &[&str]| {
            let mut collector = patterns(globs);
            collector.folder(folder.path()).unwrap();
            let files = collector.finish().files;
            files.into_iter().map(|file| file.path).collect::<Vec<_>>()
        };
        assert_eq!(found(&["*.csv"]), ["a.csv"]);
        assert_eq!(found(&["out/*.csv"]), ["out/b.csv"]);
        assert_eq!(found(&["**/*.csv"]), ["a.csv", "out/b.csv", "out/deep/c.csv"]);
        assert!(Collector::new(&[], &Limits::default()).is_none());
    }

    #[test]
    fn an_archive_gives_the_same() {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, content) in [("project/out/b.csv", "b"), ("project/x.txt", "x")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            archive.append_data(&mut header, path, content.as_bytes()).unwrap();
        }
        let bytes = archive.into_inner().unwrap();
        let mut collector = patterns(&["out/*.csv"]);
        collector.archive(bytes.as_slice()).unwrap();
        let files = collector.finish().files;
        assert_eq!((files.len(), &*files[0].path), (1, "out/b.csv"));
        assert_eq!(read(&files[0]), b"b");
        assert_eq!(files[0].sha256, Sha256::of(b"b"));
    }

    /// The paths of what is taken of a folder under limits, and which limit is hit.
    fn limited(folder: &Path, limits: &Limits) -> (Vec<String>, Option<String>) {
        let mut collector = Collector::new(&["**".to_owned()], limits).unwrap();
        collector.folder(folder).unwrap();
        let Left { files, over, .. } = collector.finish();
        (files.into_iter().map(|file| file.path).collect(), over)
    }

    #[test]
    fn what_exceeds_a_limit_is_told() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            fs::write(folder.path().join(name), "1234").unwrap();
        }
        let limits = |results, result_files| Limits { results, result_files, ..Limits::default() };
        let of = |results, files| limited(folder.path(), &limits(results, files));
        let all = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(of(12, 3), (all.to_vec(), None));
        let (taken, over) = of(12, 2);
        assert_eq!(taken, all[..2]);
        insta::assert_snapshot!(over.unwrap(), @"it left more than 2 result files (`limits.result_files`)");
        let (taken, over) = of(11, 3);
        assert_eq!(taken, all[..2]);
        insta::assert_snapshot!(over.unwrap(), @"its result files hold more than 11 bytes (`limits.results`), with `c`");
    }

    #[test]
    fn what_is_complete_is_taken_while_the_test_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = Seen::default();
        let mut look = || {
            let mut collector = patterns(&["**"]).meanwhile(std::mem::take(&mut seen));
            collector.folder(folder.path()).unwrap();
            let left = collector.finish();
            seen = left.seen;
            left.files.into_iter().map(|file| (file.path.clone(), read(&file))).collect::<Vec<_>>()
        };
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("init", "1");
        assert!(look().is_empty());
        write("growing", "1");
        assert_eq!(look(), [("init".to_owned(), b"1".to_vec())]);
        write("growing", "12");
        assert!(look().is_empty());
        // Once complete, once changed: it is taken again.
        assert_eq!(look(), [("growing".to_owned(), b"12".to_vec())]);
        write("init", "2.");
        assert!(look().is_empty());
        assert_eq!(look(), [("init".to_owned(), b"2.".to_vec())]);
        assert!(look().is_empty());
        // After the end of the test nothing is.
        write("late", "1");
        look();
        seen.ended.store(true, Ordering::Relaxed);
        let mut collector = patterns(&["**"]).meanwhile(seen);
        collector.folder(folder.path()).unwrap();
        assert!(collector.finish().files.is_empty());
    }

    #[test]
    fn a_sparse_file_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        File::create(folder.path().join("huge")).unwrap().set_len(1 << 40).unwrap();
        let began = Instant::now();
        let (taken, over) = limited(folder.path(), &Limits::default());
        assert!(taken.is_empty() && over.is_some());
        assert!(began.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn no_name_is_dropped_or_forged() {
        let folder = tempfile::tempdir().unwrap();
        let names: [&[u8]; 4] = [
            b"lost\xff.csv",
            b"two\n  left x.csv",
            b"back\\slash.csv",
            "caf\u{e9}\u{202e}.csv".as_bytes(),
        ];
        for name in names {
            fs::write(folder.path().join(OsStr::from_bytes(name)), "x").unwrap();
        }
        let (taken, over) = limited(folder.path(), &Limits::default());
        assert_eq!(over, None);
        insta::assert_snapshot!(taken.join("\n"), @r"
        back\\slash.csv
        café\u{202e}.csv
        lost\xff.csv
        two\n  left x.csv
        ");
        let mut archive = tar::Builder::new(Vec::new());
        for name in names {
            let mut header = tar::Header::new_gnu();
            header.set_size(1);
            let path = [b"project/".as_slice(), name].concat();
            archive
                .append_data(&mut header, Path::new(OsStr::from_bytes(&path)), &b"x"[..])
                .unwrap();
        }
        let bytes = archive.into_inner().unwrap();
        let mut collector = patterns(&["*.csv"]);
        collector.archive(bytes.as_slice()).unwrap();
        let files = collector.finish().files;
        assert_eq!(files.into_iter().map(|file| file.path).collect::<Vec<_>>(), taken);
    }
}
