//! Environments that stay when their cell is done, for the next run that would make the same.
//!
//! Each has a folder of its own, and is held under a lock while it is used. At rest it is *sealed*: a
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
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use caliper_core::facts::record::Installed;
use caliper_core::names::{Sha256, Sha256Stream, Timestamp};
use caliper_core::question::modules::Imports;
use serde::{Deserialize, Serialize};

use super::discarded::remove;
use super::files::{Files, Stamp};
use super::install::{Contents, Filled};
use super::linked::Linked;
use super::pythons::Python;
use crate::backend::{BackendError, EnvironmentRequest, LaidOverlay};

/// How long an environment stands for what the index would give now. As long as `uv` believes an
/// answer of the index.
const FRESH: Duration = Duration::from_secs(600);

/// How long an unused one is kept, where the moment that it was made for is fixed.
const UNUSED: Duration = Duration::from_secs(7 * 24 * 3600);

const LOCK: &str = "lock";
const SEAL: &str = "seal.json";
const LOG: &str = "log";
const FILES: &str = "files.json";
/// Short, as it becomes part of the first line of scripts.
const ENVIRONMENT: &str = "e";

/// An environment that is held under its lock.
#[derive(Debug)]
pub(super) struct Held {
    folder: PathBuf,
    name: Name,
    _lock: Hold,
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
    #[serde(default)]
    overlays: Vec<LaidOverlay>,
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

    /// The name of an environment that a test makes up.
    #[cfg(test)]
    pub(super) fn made_up(text: &str) -> Self {
        Self { digest: Sha256::of(text.as_bytes()), lasting: false }
    }

    /// The name of the folder of its place.
    pub(super) fn folder(&self) -> String {
        self.digest.hex()[..16].to_owned()
    }
}

impl Held {
    /// Holds the place of the environment of this name in the folder `root`, be it made already or not. Makes the
    /// folder of its place.
    pub(super) fn take(root: &Path, name: Name) -> io::Result<Result<Self, InUse>> {
        let folder = root.join(name.folder());
        fs::create_dir_all(&folder)?;
        let lock = match hold(&folder) {
            Ok(lock) => lock?,
            Err(InUse) => return Ok(Err(InUse)),
        };
        lock.0.set_modified(SystemTime::now())?;
        Ok(Ok(Self {
            folder,
            name,
            _lock: lock,
            made: None,
            files: None,
            bytecode: OnceLock::new(),
            compiling_spoke: AtomicBool::new(false),
        }))
    }

    /// The folder of its place.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The name of that folder.
    pub(super) fn place(&self) -> String {
        self.name.folder()
    }

    /// Where the environment is, or is to be.
    pub(super) fn environment(&self) -> PathBuf {
        self.folder.join(ENVIRONMENT)
    }

    /// What an earlier run made here, if that can still be used. Otherwise the place is empty then.
    pub(super) fn reuse(&mut self, linked: &Linked) -> Result<Option<Filled>, BackendError> {
        let seal = Seal::read(&self.folder);
        let log = fs::read(self.folder.join(LOG));
        let environment = self.environment();
        let failed = BackendError::machine(format!("could not clear `{}`", environment.display()));
        if seal.is_some() {
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
            let contents = Contents {
                installed: seal.installed.clone(),
                imports: seal.imports.clone(),
                overlays: seal.overlays.clone(),
            };
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
        let is_same = now.stamps.len() == sealed.stamps.len()
            && linked.compare(&environment, &sealed, &now).ok()?.is_empty();
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
                overlays: contents.overlays.clone(),
            });
        }
        self.files = Some(files);
    }

    /// The state of its files when the tests began.
    pub(super) fn files(&self) -> Option<&Files> {
        self.files.as_ref()
    }

    /// Takes down the bytecode that there is after `import` as what may stay; does nothing if that is known already.
    pub(super) fn compile(&self, import: impl FnOnce()) {
        self.bytecode.get_or_init(|| {
            import();
            Files::of(&self.environment()).map(|now| now.bytecode()).unwrap_or_default()
        });
    }

    /// Looks at what a test printed. A module that was compiled may have brought up a warning, which
    /// it would not do again: the next run would measure something else.
    pub(super) fn look_at(&self, error: &[u8]) {
        if memchr::memmem::find(error, b"Warning").is_some() {
            self.compiling_spoke.store(true, Ordering::Relaxed);
        }
    }

    /// Puts the seal on, if the environment is what it was and `fits`, which gets its size in bytes.
    pub(super) fn seal(&self, linked: &Linked, fits: impl FnOnce(u64) -> bool) -> bool {
        let (Some(made), Some(files)) = (&self.made, &self.files) else { return false };
        let environment = self.environment();
        let Ok(now) = Files::of(&environment) else { return false };
        let is_same =
            linked.compare(&environment, files, &now).is_ok_and(|changed| changed.is_empty());
        if self.compiling_spoke.load(Ordering::Relaxed) || !is_same {
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

/// An environment at rest, as its place shows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct AtRest {
    /// What it takes on the disk, in bytes, without what others have too.
    pub(super) size: u64,
    /// When it was last taken up.
    pub(super) used: SystemTime,
    /// Whether a run can still take it up.
    pub(super) is_usable: bool,
}

/// What is at rest in this folder.
pub(super) fn at_rest(folder: &Path) -> Option<AtRest> {
    let seal = Seal::read(folder)?;
    let used = fs::metadata(folder.join(LOCK)).and_then(|found| found.modified()).ok()?;
    let unused = SystemTime::now().duration_since(used).unwrap_or_default();
    Some(AtRest { size: seal.size, used, is_usable: seal.is_usable() && unused < UNUSED })
}

/// Another run, or another cell of this one, holds the lock.
pub(super) struct InUse;

/// The lock of the folder of an environment.
#[derive(Debug)]
pub(super) struct Hold(File);

impl Drop for Hold {
    /// The end of the file alone is not enough: a child that another thread is just starting has a copy of the file until it
    /// runs its own program, and the lock would last as long.
    fn drop(&mut self) {
        // What fails here is released with the last copy.
        let _ = self.0.unlock();
    }
}

/// Locks the folder of an environment.
pub(super) fn hold(folder: &Path) -> Result<io::Result<Hold>, InUse> {
    // Not truncated: that would count as a use.
    let open = File::options().write(true).create(true).truncate(false).open(folder.join(LOCK));
    let file = match open {
        Ok(file) => file,
        Err(error) => return Ok(Err(error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Ok(Hold(file))),
        Err(fs::TryLockError::WouldBlock) => Err(InUse),
        Err(fs::TryLockError::Error(error)) => Ok(Err(error)),
    }
}
