//! What a folder offers.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use caliper_core::names::{PackageName, Sha256, Sha256Stream, Timestamp};
use caliper_core::question::grid::FileKind;
use pep440_rs::Version;

use crate::index::{CoreMetadata, kind_of};
use crate::metadata::{Metadata, read_metadata_bytes};
use crate::web::page::{self, Row};
use crate::web::projects_of;

/// A folder, and what was learnt of its files.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// By path; holds as long as size and time of change stay the same.
    learnt: Mutex<HashMap<PathBuf, Known>>,
}

/// The size and time of change of a file, and what was learnt of it then.
type Known = (u64, SystemTime, Arc<Learnt>);

/// What a file must be read for.
#[derive(Debug)]
pub(super) struct Learnt {
    pub(super) sha256: Sha256,
    pub(super) requires_python: Option<String>,
    /// The METADATA of a wheel that has one.
    pub(super) metadata: Option<Vec<u8>>,
}

/// One file of a folder.
#[derive(Debug)]
pub(super) struct Offered {
    pub(super) project: PackageName,
    pub(super) version: Version,
    pub(super) filename: String,
    pub(super) path: PathBuf,
    pub(super) size: u64,
    pub(super) changed: SystemTime,
}

impl Folder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, learnt: Mutex::default() }
    }

    /// The wheels and source distributions, sorted by project, version and name.
    pub(super) fn files(&self) -> io::Result<Vec<Offered>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let path = entry?.path();
            // What is gone meanwhile, or has no name that could be asked for, is not offered.
            let Some(filename) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            let Some((project, version)) = projects_of(filename).into_iter().next() else {
                continue;
            };
            let Ok(facts) = std::fs::metadata(&path) else {
                continue;
            };
            if facts.is_file() {
                files.push(Offered {
                    project,
                    version,
                    filename: filename.to_owned(),
                    size: facts.len(),
                    changed: facts.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                    path,
                });
            }
        }
        files.sort_by(|a, b| {
            (&a.project, &a.version, &a.filename).cmp(&(&b.project, &b.version, &b.filename))
        });
        Ok(files)
    }

    /// Reads a file, unless it is known already.
    pub(super) fn learn(&self, offered: &Offered) -> io::Result<Arc<Learnt>> {
        let known = || self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((size, changed, learnt)) = known().get(&offered.path)
            && (*size, *changed) == (offered.size, offered.changed)
        {
            return Ok(Arc::clone(learnt));
        }
        let is_wheel = kind_of(&offered.filename) == FileKind::Wheel;
        // A file that is no archive is offered all the same: installers are to say so.
        let metadata = is_wheel.then(|| read_metadata_bytes(&offered.path).ok()).flatten();
        let parsed =
            metadata.as_deref().and_then(|bytes| Metadata::parse(&String::from_utf8_lossy(bytes)));
        let learnt = Arc::new(Learnt {
            sha256: digest(&offered.path)?,
            requires_python: parsed.and_then(|metadata| metadata.requires_python),
            metadata,
        });
        let entry = (offered.size, offered.changed, Arc::clone(&learnt));
        known().insert(offered.path.clone(), entry);
        Ok(learnt)
    }
}

impl Offered {
    /// The reason why it is withdrawn, if it is.
    pub(super) fn yanked(&self) -> Option<String> {
        let bytes = std::fs::read(self.beside("yanked")).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    pub(super) fn upload_time(&self) -> Timestamp {
        std::fs::read_to_string(self.beside("uploaded"))
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or_else(|| self.changed.into())
    }

    /// What its project's page says of it; with `metadata`, that its metadata is offered by itself.
    pub(super) fn row(self, learnt: &Learnt, metadata: bool) -> Row {
        let beside = learnt.metadata.as_deref().filter(|_| metadata);
        Row {
            upload_time: Some(self.upload_time()),
            yanked: self.yanked(),
            size: Some(self.size),
            version: self.version,
            url: format!("../../files/{}", page::in_path(&self.filename)),
            filename: self.filename,
            sha256: Some(learnt.sha256),
            requires_python: learnt.requires_python.clone(),
            metadata: beside.map_or(CoreMetadata::Absent, |bytes| {
                CoreMetadata::Offered(Some(Sha256::of(bytes)))
            }),
        }
    }

    fn beside(&self, extension: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(".");
        path.push(extension);
        path.into()
    }
}

fn digest(path: &Path) -> io::Result<Sha256> {
    let mut file = File::open(path)?;
    let mut stream = Sha256Stream::default();
    let mut buffer = vec![0; 128 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(stream.finish()),
            count => stream.update(&buffer[..count]),
        }
    }
}
