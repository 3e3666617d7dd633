//! Results are copied back: only what is new, never torn.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use caliper_core::names::Sha256Stream;

use rustix::process::Pid;

use super::{Host, Job, RemoteError};

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fetched {
    /// How many files.
    pub files: usize,
    /// How many bytes they hold.
    pub bytes: u64,
    /// How many files changed while they were read. They are taken the next time.
    pub changed_meanwhile: usize,
}

/// Lists the results with what tells whether they changed, and not the cache, which can be made again.
const LIST: &str = r#"
cd "$base/projects/$1/results" || { echo "there are no results of this project" >&2; exit 9; }
find . -path ./cache -prune -o -type f -printf '%s %T@ %P\n'
"#;
const SEND: &str = r#"
cd "$base/projects/$1/results"
tar -c -f - --ignore-failed-read --no-recursion --null -T -
"#;
const DIGESTS: &str = r#"
cd "$base/projects/$1/results"
xargs -0 -r sha256sum -z -- 2>/dev/null || true
"#;

const ACTION: &str = "send its results";

/// Where blobs are.
const BLOBS: &str = "blobs/";

/// The files that are here, by path: their digests and sizes.
type Arrived = BTreeMap<String, (String, u64)>;

/// How the names of folders begin in which files arrive; then comes the number of a process.
const FETCHING: &str = ".fetching-";

/// Removes the folders of processes that were killed.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let of = name.to_str().and_then(|name| name.strip_prefix(FETCHING)?.split_once('-'));
        let pid = of.and_then(|(pid, _)| Pid::from_raw(pid.parse().ok()?));
        if pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_err()) {
            // What cannot be removed now does no harm.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// What was fetched before: path, and what told whether it changed.
const KEPT: &str = "fetched.json";

impl Job {
    /// Copies the results of its project into `folder`: those that are not there as they are now. Each file is checked
    /// against the digest of the other machine, and then put in its place by renaming.
    ///
    /// # Errors
    ///
    /// [`RemoteError`]; what was copied until then is kept.
    pub fn fetch(&self, folder: &Path) -> Result<Fetched, RemoteError> {
        let host = self.host()?;
        let here = |source| RemoteError::Here {
            action: format!("keep results in `{}`", folder.display()),
            source,
        };
        fs::create_dir_all(folder).map_err(here)?;
        sweep(folder);
        let mut kept: BTreeMap<String, String> = fs::read(folder.join(KEPT))
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        // On the same file system, so that what is whole can be renamed.
        let prefix = format!("{FETCHING}{}-", std::process::id());
        let place = tempfile::Builder::new().prefix(&prefix).tempdir_in(folder).map_err(here)?;
        let mut arrived = Arrived::new();
        // The other machine keeps a blob before the record that names it. So all blobs of the records that arrive are in a
        // list that is made afterwards.
        let mut marks = BTreeMap::new();
        let mut taken = Ok(());
        for of_blobs in [false, true] {
            let mut wanted = self.wanted(&host, &kept, folder)?;
            wanted.retain(|path, _| path.starts_with(BLOBS) == of_blobs);
            if taken.is_ok() && !wanted.is_empty() {
                taken = self.take(&host, &wanted, place.path(), &mut arrived);
            }
            marks.extend(wanted);
        }
        if marks.is_empty() {
            return Ok(Fetched::default());
        }
        // What arrived whole is kept, whatever became of the connection; but no record without its blobs.
        let digests = if arrived.is_empty() { BTreeMap::new() } else { self.digests(&arrived)? };
        let is_whole =
            |(path, (digest, _)): (&String, &(String, u64))| digests.get(path) == Some(digest);
        let has_blobs = taken.is_ok()
            && arrived.iter().filter(|(path, _)| path.starts_with(BLOBS)).all(is_whole);
        let mut fetched = Fetched::default();
        for (path, (digest, bytes)) in arrived {
            let is_kept = path.starts_with(BLOBS) || has_blobs;
            if digests.get(&path) != Some(&digest) || !is_kept {
                fetched.changed_meanwhile += 1;
                continue;
            }
            let target = folder.join(&path);
            let placed = fs::create_dir_all(target.parent().unwrap_or(folder))
                .and_then(|()| fs::rename(place.path().join(&path), &target));
            placed.map_err(here)?;
            fetched.files += 1;
            fetched.bytes += bytes;
            if let Some(mark) = marks.remove(&path) {
                kept.insert(path, mark);
            }
        }
        let text = serde_json::to_vec(&kept).unwrap_or_default();
        let new = place.path().join(KEPT);
        fs::write(&new, text).and_then(|()| fs::rename(&new, folder.join(KEPT))).map_err(here)?;
        taken.map(|()| fetched)
    }

    /// The files that are not here as they are there, with what tells whether they change.
    fn wanted(
        &self,
        host: &Host,
        kept: &BTreeMap<String, String>,
        folder: &Path,
    ) -> Result<BTreeMap<String, String>, RemoteError> {
        let listed = host.script(ACTION, LIST, &[&self.key])?;
        Ok(wanted(&listed, kept, folder))
    }

    /// Takes files into `place`.
    fn take(
        &self,
        host: &Host,
        wanted: &BTreeMap<String, String>,
        place: &Path,
        arrived: &mut Arrived,
    ) -> Result<(), RemoteError> {
        let list: Vec<u8> =
            wanted.keys().flat_map(|path| path.bytes().chain(std::iter::once(0))).collect();
        host.exchange(ACTION, SEND, &[&self.key], &mut |pipe| pipe.write_all(&list), &mut |pipe| {
            unpack(pipe, place, wanted, arrived)
        })
    }

    /// The digests that files have on the other machine now.
    fn digests(&self, files: &Arrived) -> Result<BTreeMap<String, String>, RemoteError> {
        let list: Vec<u8> =
            files.keys().flat_map(|path| path.bytes().chain(std::iter::once(0))).collect();
        let said = self.host()?.exchange(
            "check its results",
            DIGESTS,
            &[&self.key],
            &mut |pipe| pipe.write_all(&list),
            &mut |pipe| {
                let mut said = Vec::new();
                pipe.read_to_end(&mut said)?;
                Ok(String::from_utf8_lossy(&said).into_owned())
            },
        )?;
        let pair = |line: &str| {
            let (digest, path) = line.split_once("  ")?;
            Some((path.to_owned(), digest.to_owned()))
        };
        Ok(said.split('\0').filter_map(pair).collect())
    }
}

/// The files that are not here as they are there, with what tells whether they change: size and time.
fn wanted(
    listed: &str,
    kept: &BTreeMap<String, String>,
    folder: &Path,
) -> BTreeMap<String, String> {
    let file = |line: &str| {
        let (size, rest) = line.split_once(' ')?;
        let (time, path) = rest.split_once(' ')?;
        is_result(path).then(|| (path.to_owned(), format!("{size} {time}")))
    };
    let is_new = |(path, mark): &(String, String)| {
        kept.get(path) != Some(mark) || !folder.join(path).is_file()
    };
    listed.lines().filter_map(file).filter(is_new).collect()
}

/// Whether a path is one of a result: it leads nowhere else, and is not of a file that is being written.
fn is_result(path: &str) -> bool {
    let plain = |component| matches!(component, Component::Normal(name) if name.to_str().is_some_and(|name| !name.starts_with('.')));
    !path.is_empty()
        && Path::new(path).components().all(plain)
        && !["lock", "outputs.json", KEPT].contains(&path)
}

/// Unpacks the files of an archive that were asked for, and tells the digest and the size of each that is whole.
fn unpack(
    pipe: &mut dyn io::Read,
    place: &Path,
    wanted: &BTreeMap<String, String>,
    arrived: &mut Arrived,
) -> io::Result<()> {
    let mut seen = BTreeSet::new();
    let mut archive = tar::Archive::new(pipe);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        // The other machine is not trusted to name files of this one.
        if !entry.header().entry_type().is_file()
            || !wanted.contains_key(&path)
            || !seen.insert(path.clone())
        {
            continue;
        }
        let target: PathBuf = place.join(&path);
        fs::create_dir_all(target.parent().unwrap_or(place))?;
        let mut file = File::create_new(&target)?;
        let (mut digest, mut buffer, mut bytes) = (Sha256Stream::default(), vec![0; 65536], 0);
        loop {
            let read = entry.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            digest.update(&buffer[..read]);
            io::Write::write_all(&mut file, &buffer[..read])?;
            bytes += read as u64;
        }
        if bytes != entry.size() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        file.sync_data()?;
        arrived.insert(path, (digest.finish().hex(), bytes));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_results_are_taken() {
        let listed = "3 1.5 results.json\n4 1.5 records/1.0-py3.11.json\n1 1.5 ../../x\n\
                      1 1.5 /etc/passwd\n1 1.5 records/.new-x\n1 1.5 lock\nrubbish\n";
        let kept = BTreeMap::from([("results.json".to_owned(), "3 1.5".to_owned())]);
        let folder = tempfile::tempdir().unwrap();
        let all: Vec<String> = wanted(listed, &kept, folder.path()).into_keys().collect();
        assert_eq!(all, ["records/1.0-py3.11.json", "results.json"]);
        fs::write(folder.path().join("results.json"), "{}\n").unwrap();
        let all: Vec<String> = wanted(listed, &kept, folder.path()).into_keys().collect();
        assert_eq!(all, ["records/1.0-py3.11.json"]);
    }

    #[test]
    fn an_archive_cannot_write_elsewhere_and_a_torn_one_gives_what_is_whole() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut add = |path: &str, text: &str| {
            let mut header = tar::Header::new_gnu();
            header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append(&header, text.as_bytes()).unwrap();
        };
        add("../evil", "x");
        add("records/a", "first");
        add("unasked", "x");
        add("records/b", &"y".repeat(3000));
        let archive = builder.into_inner().unwrap();
        let wanted = ["../evil", "records/a", "records/b"]
            .map(|path| (path.to_owned(), String::new()))
            .into_iter()
            .filter(|(path, _)| is_result(path))
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("in");
        fs::create_dir(&place).unwrap();
        let mut arrived = BTreeMap::new();
        let torn = &archive[..archive.len() - 2048 - 1024];
        assert!(unpack(&mut &torn[..], &place, &wanted, &mut arrived).is_err());
        assert_eq!(arrived.keys().collect::<Vec<_>>(), ["records/a"]);
        assert!(!folder.path().join("evil").exists());
        fs::remove_dir_all(&place).unwrap();
        fs::create_dir(&place).unwrap();
        arrived.clear();
        unpack(&mut &archive[..], &place, &wanted, &mut arrived).unwrap();
        assert_eq!(arrived["records/b"].1, 3000);
        assert_eq!(arrived.len(), 2);
    }
}
