//! Asking Pythons what they are, many at once, and remembering what they said.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};
use std::{fs, thread};

use caliper_core::names::Sha256;
use serde::{Deserialize, Serialize};

use crate::local::supervise::{How, Program};
use crate::probe::{Answer, PROBE};

/// How long a Python may take to say what it is.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long an answer is believed, in seconds. Part of it (the C library, the release of macOS) can
/// change without the program changing.
const BELIEVED: u64 = 24 * 60 * 60;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Cache {
    /// The digest of the question. Another Caliper may ask another.
    question: String,
    answers: BTreeMap<PathBuf, Remembered>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Remembered {
    size: u64,
    modified: (i64, i64),
    asked: u64,
    answer: Answer,
}

/// What each program says of itself, in the same order.
pub(super) fn all(programs: &[PathBuf], cache: &Path) -> Vec<(PathBuf, Result<Answer, String>)> {
    let question = Sha256::of(PROBE.as_bytes()).hex();
    let known = read(cache).filter(|known| known.question == question).unwrap_or_default();
    let now =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let answers: Vec<(PathBuf, Result<Remembered, String>)> = thread::scope(|scope| {
        let asked: Vec<_> = programs
            .iter()
            .map(|path| match remembered(&known, path, now) {
                Some(remembered) => Ok(remembered),
                None => Err(scope.spawn(move || fresh(path, now))),
            })
            .collect();
        let answers = asked.into_iter().map(|answer| match answer {
            Ok(remembered) => Ok(remembered),
            Err(thread) => {
                thread.join().unwrap_or_else(|_| Err("it could not be asked".to_owned()))
            }
        });
        programs.iter().cloned().zip(answers).collect()
    });
    let answered = answers.iter().filter_map(|(path, answer)| {
        answer.as_ref().ok().map(|remembered| (path.clone(), remembered.clone()))
    });
    let new = Cache { question, answers: answered.collect() };
    let is_new = |(path, answer): (&PathBuf, &Remembered)| {
        known.answers.get(path).is_none_or(|known| known.asked != answer.asked)
    };
    if new.answers.iter().any(is_new) {
        write(cache, &new);
    }
    answers.into_iter().map(|(path, answer)| (path, answer.map(|one| one.answer))).collect()
}

fn remembered(known: &Cache, path: &Path, now: u64) -> Option<Remembered> {
    let remembered = known.answers.get(path)?;
    let file = fs::metadata(path).ok()?;
    let fits = remembered.size == file.len()
        && remembered.modified == (file.mtime(), file.mtime_nsec())
        && (remembered.asked..=remembered.asked + BELIEVED).contains(&now);
    fits.then(|| remembered.clone())
}

fn fresh(path: &Path, now: u64) -> Result<Remembered, String> {
    let file = fs::metadata(path).map_err(|error| error.to_string())?;
    let modified = (file.mtime(), file.mtime_nsec());
    Ok(Remembered { size: file.len(), modified, asked: now, answer: ask(path)? })
}

fn ask(path: &Path) -> Result<Answer, String> {
    let mut command = Command::new(path);
    // As isolated as every Python can be; `-I` came with 3.4. The environment is that of tests.
    command.args(["-E", "-s", "-c", PROBE]).current_dir("/").env_clear();
    command.env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8");
    let ended = Program::new(command, PATIENCE).run().map_err(|error| error.to_string())?;
    match ended.how {
        How::Ended(status) if status.success() => Answer::parse(&ended.output.bytes),
        How::Ended(status) => {
            let error = String::from_utf8_lossy(&ended.error.bytes);
            let last = error.trim_end().lines().last().unwrap_or_default();
            Err(format!("asked what it is, it ended with {status}: {last}"))
        }
        How::TimedOut | How::Idle | How::OutOfMemory | How::Interrupted => {
            Err(format!("asked what it is, it said nothing for {} s", PATIENCE.as_secs()))
        }
    }
}

fn read(cache: &Path) -> Option<Cache> {
    serde_json::from_slice(&fs::read(cache).ok()?).ok()
}

/// Without a cache the next run asks again: not worth an error.
fn write(cache: &Path, content: &Cache) {
    let Ok(text) = serde_json::to_vec(content) else { return };
    let new = cache.with_extension(format!("{}.new", std::process::id()));
    if let Some(folder) = cache.parent() {
        let _ = fs::create_dir_all(folder);
    }
    if fs::write(&new, text).and_then(|()| fs::rename(&new, cache)).is_err() {
        let _ = fs::remove_file(&new);
    }
}
