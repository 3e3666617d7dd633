//! Environments that stay when their cell is done, for the next run that would make the same.
//!
//! Each has a folder of its own, held under a lock by whoever works in it. At rest it is *sealed*: a
//! file beside it says what it holds, and another the state of its files. The seal is broken before it is used
//! and put on again only if nothing but bytecode has changed, so that whatever happens in between (a
//! test that writes to it, a crash, a person) costs no more than making it anew. Of the bytecode only that stays
//! which the import test compiled: a test could write another, which Python would believe.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use caliper_core::facts::record::Installed;
use caliper_core::names::{Sha256, Sha256Stream, Timestamp};
use caliper_core::question::modules::Imports;
use serde::{Deserialize, Serialize};

use super::files::{Files, Stamp};
use super::install::{Contents, Filled};
use super::linked::Linked;
use super::pythons::Python;
use super::work::{Workspace, remove};
use crate::backend::{BackendError, EnvironmentRequest};

/// How long an environment stands for what the index would give now. As long as `uv` believes an
/// answer of the index.
const FRESH: Duration = Duration::from_secs(600);

/// How long one that nobody uses is kept, where the moment that it was made for is fixed.
const UNUSED: Duration = Duration::from_secs(7 * 24 * 3600);

const LOCK: &str = "lock";
const SEAL: &str = "seal.json";
const LOG: &str = "log";
const FILES: &str = "files.json";
/// Short, as it becomes part of the first line of scripts.
const ENVIRONMENT: &str = "e";

/// The environments that are kept in one folder.
#[derive(Debug)]
pub(super) struct Shelf {
    root: PathBuf,
    /// How many bytes all together may take.
    budget: u64,
    used: AtomicU64,
}

/// An environment that nobody else works in.
#[derive(Debug)]
pub(super) struct Held {
    folder: PathBuf,
    name: Name,
    _lock: File,
    /// What it held when the tests began; `None` until it is made.
    made: Option<Seal>,
    /// The state of its files then.
    files: Option<Files>,
    /// The bytecode that may stay.
    bytecode: OnceLock<BTreeMap<String, Stamp>>,
    compiling_spoke: AtomicBool,
}

/// What decides what an environment holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name {
    digest: Sha256,
    /// Whether a date keeps the index's answers from ever changing.
    lasting: bool,
}

/// What is known of an environment at rest.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Seal {
    name: Sha256,
    /// In seconds since 1970.
    made: u64,
    lasting: bool,
    size: u64,
    installed: Vec<Installed>,
    imports: Imports,
}

impl Name {
    /// The name of an environment; `None` if what it holds is not known before it is built. It is made
    /// over `key`, which decides what the environment holds, and what only this backend knows.
    pub(super) fn of(
        request: &EnvironmentRequest<'_>,
        key: &Sha256,
        python: &Python,
        uv: &Path,
        index_urls: &[String],
    ) -> Option<Self> {
        let setup = request.setup;
        // Without a digest the file behind an address may change.
        request.cell.file()?.sha256?;
        // A requirement that is an address or a path names something that may change in secret.
        let named = setup.requirements.iter().chain(&setup.constraints);
        let mut named = named.chain(&setup.build_constraints);
        if named.any(|text| text.contains(['/', '@', '\\'])) {
            return None;
        }
        let tool = |path: &Path| {
            let found = fs::metadata(path).ok()?;
            Some(format!("{} {} {} {}", path.display(), found.ino(), found.size(), found.mtime()))
        };
        let mut digest = Sha256Stream::default();
        for field in [
            "environment 5",
            &key.hex(),
            &tool(uv)?,
            &tool(&python.executable)?,
            &index_urls.join("\n"),
        ] {
            digest.field(field.as_bytes());
        }
        // As of a date to come, the index may still offer more.
        let lasting = setup.as_of.is_some_and(|date| date <= Timestamp::from(SystemTime::now()));
        Some(Self { digest: digest.finish(), lasting })
    }

    fn folder(&self) -> String {
        self.digest.hex()[..16].to_owned()
    }
}

impl Shelf {
    /// The environments in the folder `root`, without those that nobody can use any more.
    pub(super) fn open(
        root: &Path,
        budget: u64,
        workspace: &Workspace,
    ) -> Result<Self, BackendError> {
        let failed = |error| {
            BackendError::machine(format!("could not keep environments in `{}`", root.display()))(
                error,
            )
        };
        fs::create_dir_all(root).map_err(failed)?;
        let root = fs::canonicalize(root).map_err(failed)?;
        let shelf = Self { root, budget, used: AtomicU64::new(0) };
        let _guard = shelf.guard()?;
        for entry in fs::read_dir(&shelf.root).into_iter().flatten().flatten() {
            let folder = entry.path();
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let Ok(lock) = hold(&folder) else { continue };
            let unused = lock.and_then(|lock| lock.metadata()?.modified()).map(age);
            match Seal::read(&folder) {
                Some(seal) if seal.is_usable() && unused.is_ok_and(|age| age < UNUSED) => {
                    shelf.used.fetch_add(seal.size, Ordering::Relaxed);
                }
                _ => workspace.discard(&folder)?,
            }
        }
        Ok(shelf)
    }

    /// Held while folders are made, locked and removed, so that none is removed that was just locked.
    fn guard(&self) -> Result<File, BackendError> {
        let path = self.root.join(LOCK);
        let guard = File::create(&path).and_then(|file| file.lock().map(|()| file));
        guard.map_err(BackendError::machine(format!("could not lock `{}`", path.display())))
    }

    /// Takes the environment of this name, be it made already or not. `None` if another has it, or if
    /// none is to be kept.
    pub(super) fn take(&self, name: Name) -> Result<Option<Held>, BackendError> {
        if self.budget == 0 {
            return Ok(None);
        }
        let folder = self.root.join(name.folder());
        let _guard = self.guard()?;
        let taken = fs::create_dir_all(&folder).and_then(|()| match hold(&folder) {
            Ok(lock) => lock.and_then(|lock| {
                lock.set_modified(SystemTime::now())?;
                Ok(Some(lock))
            }),
            Err(InUse) => Ok(None),
        });
        let lock = taken.map_err(BackendError::machine(format!(
            "could not take the environment in `{}`",
            folder.display()
        )))?;
        Ok(lock.map(|lock| Held {
            folder,
            name,
            _lock: lock,
            made: None,
            files: None,
            bytecode: OnceLock::new(),
            compiling_spoke: AtomicBool::new(false),
        }))
    }

    /// Gives an environment back, and keeps it if it is what it was.
    pub(super) fn give_back(
        &self,
        held: Held,
        linked: &Linked,
        workspace: &Workspace,
    ) -> Result<(), BackendError> {
        let sealed = held.seal(linked, |size| {
            let used = self.used.fetch_add(size, Ordering::Relaxed);
            let fits = used.saturating_add(size) <= self.budget;
            if !fits {
                self.uncount(size);
            }
            fits
        });
        if !sealed {
            let _guard = self.guard()?;
            workspace.discard(&held.folder)?;
        }
        // Only now may somebody else have it.
        drop(held);
        Ok(())
    }

    /// Takes the place of an environment out of the account, as it will be counted when it is given
    /// back.
    fn uncount(&self, size: u64) {
        // It may be another process's, made since the account was opened.
        let less = |used: u64| Some(used.saturating_sub(size));
        let _ = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

impl Held {
    /// Where the environment is, or is to be.
    pub(super) fn environment(&self) -> PathBuf {
        self.folder.join(ENVIRONMENT)
    }

    /// What an earlier run made here, if that can still be used. Otherwise the place is empty then.
    pub(super) fn reuse(
        &mut self,
        shelf: &Shelf,
        linked: &Linked,
    ) -> Result<Option<Filled>, BackendError> {
        let seal = Seal::read(&self.folder);
        let log = fs::read(self.folder.join(LOG));
        let environment = self.environment();
        let failed = BackendError::machine(format!("could not clear `{}`", environment.display()));
        if let Some(seal) = &seal {
            shelf.uncount(seal.size);
            fs::remove_file(self.folder.join(SEAL)).map_err(BackendError::machine(format!(
                "could not take the environment in `{}`",
                environment.display()
            )))?;
        }
        if let (Some(seal), Ok(log)) = (seal, log)
            && seal.name == self.name.digest
            && seal.is_usable()
            && let Some(now) = self.at_rest(linked)
        {
            let _ = self.bytecode.set(now.bytecode());
            self.files = Some(now);
            let contents =
                Contents { installed: seal.installed.clone(), imports: seal.imports.clone() };
            self.made = Some(seal);
            return Ok(Some(Filled { contents: Ok(contents), log }));
        }
        remove(&environment).and_then(|()| fs::create_dir(&environment)).map_err(failed)?;
        Ok(None)
    }

    /// The state of its files, if it is what it was when it was sealed.
    fn at_rest(&self, linked: &Linked) -> Option<Files> {
        let text = fs::read(self.folder.join(FILES)).ok()?;
        let sealed: Files = serde_json::from_slice(&text).ok()?;
        let environment = self.environment();
        let now = Files::of(&environment).ok()?;
        let differences = sealed.compare(&now);
        let is_same = differences.changed.is_empty()
            && now.stamps.len() == sealed.stamps.len()
            && linked.wrong_of(&environment, &now, &differences.doubtful).ok()?.is_empty();
        is_same.then_some(now)
    }

    /// Takes down what was made, to compare with when it is given back.
    ///
    /// Where that fails, it will not be kept.
    pub(super) fn made(&mut self, contents: &Contents, log: &[u8], files: Files) {
        if fs::write(self.folder.join(LOG), log).is_ok() {
            let made = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            self.made = Some(Seal {
                name: self.name.digest,
                made: made.as_secs(),
                lasting: self.name.lasting,
                size: files.size,
                installed: contents.installed.clone(),
                imports: contents.imports.clone(),
            });
        }
        self.files = Some(files);
    }

    /// The state of its files when the tests began.
    pub(super) fn files(&self) -> Option<&Files> {
        self.files.as_ref()
    }

    /// Takes down the bytecode that there is now as what may stay.
    pub(super) fn compiled(&self) {
        if self.bytecode.get().is_none()
            && let Ok(now) = Files::of(&self.environment())
        {
            let _ = self.bytecode.set(now.bytecode());
        }
    }

    /// Looks at what a test printed. A module that was compiled may have brought up a warning, which
    /// it would not do again: the next run would measure something else.
    pub(super) fn look_at(&self, error: &[u8]) {
        if memchr::memmem::find(error, b"Warning").is_some() {
            self.compiling_spoke.store(true, Ordering::Relaxed);
        }
    }

    /// Puts the seal on, if the environment is what it was and `fits`, which gets its size in bytes.
    fn seal(&self, linked: &Linked, fits: impl FnOnce(u64) -> bool) -> bool {
        let (Some(made), Some(files)) = (&self.made, &self.files) else { return false };
        let environment = self.environment();
        let Ok(now) = Files::of(&environment) else { return false };
        let differences = files.compare(&now);
        let wrong = linked.wrong_of(&environment, &now, &differences.doubtful);
        if self.compiling_spoke.load(Ordering::Relaxed)
            || !differences.changed.is_empty()
            || wrong.is_ok_and(|wrong| !wrong.is_empty())
        {
            return false;
        }
        let Ok(now) = self.without_bytecode(now) else { return false };
        if !fits(now.size) {
            return false;
        }
        let seal = Seal { size: now.size, ..made.clone() };
        // No fsync: a seal that a power failure garbles is no seal, and files that it garbles have
        // other times.
        let write = |name: &str, text: serde_json::Result<Vec<u8>>| {
            text.is_ok_and(|text| fs::write(self.folder.join(name), text).is_ok())
        };
        write(FILES, serde_json::to_vec(&now)) && write(SEAL, serde_json::to_vec(&seal))
    }

    /// Removes the bytecode that may not stay.
    fn without_bytecode(&self, now: Files) -> io::Result<Files> {
        let empty = BTreeMap::new();
        let may_stay = self.bytecode.get().unwrap_or(&empty);
        let mut is_removed = false;
        let environment = self.environment();
        for (path, stamp) in now.bytecode() {
            let file = environment.join(&path);
            if may_stay.get(&path) != Some(&stamp) && !file.is_dir() {
                fs::remove_file(&file)?;
                is_removed = true;
            }
        }
        if is_removed { Files::of(&environment) } else { Ok(now) }
    }
}

impl Seal {
    fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(folder.join(SEAL)).ok()?).ok()
    }

    /// Whether the index would still give the same.
    fn is_usable(&self) -> bool {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.lasting
            || now.as_secs().checked_sub(self.made).is_some_and(|age| age < FRESH.as_secs())
    }
}

/// Somebody else holds the lock.
struct InUse;

/// Locks the folder of an environment.
fn hold(folder: &Path) -> Result<io::Result<File>, InUse> {
    // Not truncated: that would count as a use.
    let open = File::options().write(true).create(true).truncate(false).open(folder.join(LOCK));
    let file = match open {
        Ok(file) => file,
        Err(error) => return Ok(Err(error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Ok(file)),
        Err(fs::TryLockError::WouldBlock) => Err(InUse),
        Err(fs::TryLockError::Error(error)) => Ok(Err(error)),
    }
}

fn age(time: SystemTime) -> Duration {
    SystemTime::now().duration_since(time).unwrap_or_default()
}
