//! Writing a bundle.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek, Write};
use std::path::{Path, PathBuf};

use caliper_core::facts::lock::{self, LockError};
use caliper_core::facts::record::Record;
use caliper_core::facts::store::DirStore;
use caliper_core::names::{Sha256, Sha256Stream};
use caliper_core::question::files::FileSource;
use caliper_core::question::lock::{Lock, LockedFile};
use caliper_core::report::ro_crate::{self, CrateFile, StudyInfo};
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

use super::{BundleError, FILES, LOCKS, PROJECT, RESULTS};
use crate::project::{Bundled, Project};

/// What goes into a bundle.
#[derive(Clone, Copy)]
pub struct StudyFiles<'a> {
    /// What the study is. Its [`configuration`](StudyInfo::configuration) is set from `configuration`.
    pub info: &'a StudyInfo,
    /// The configuration on this machine.
    pub configuration: &'a Path,
    /// The project.
    pub project: &'a Project,
    /// The results.
    pub store: &'a DirStore,
    /// Their records.
    pub records: &'a [Record],
    /// Where the files of the locks are from; `None` to leave them out.
    pub files: Option<&'a dyn FileSource>,
}

/// What was written.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Written {
    /// How many files.
    pub parts: usize,
    /// How many cells have a lock.
    pub locks: usize,
    /// How many files of locks are in it.
    pub files: usize,
    /// The cells that have an environment and no lock, and why.
    pub not_locked: Vec<LockError>,
}

/// One file of a bundle.
struct Part {
    file: CrateFile,
    content: Content,
    executable: bool,
}

enum Content {
    Text(Vec<u8>),
    File(PathBuf),
}

/// Writes a bundle to `out`, which is called `path` in errors.
///
/// # Errors
///
/// [`BundleError`] if something that belongs to it cannot be read, or it cannot be written.
pub fn write(
    study: StudyFiles<'_>,
    out: impl Write + Seek,
    path: &Path,
) -> Result<Written, BundleError> {
    let mut written = Written::default();
    let (parts, configuration, folders) = collect(study, &mut written)?;
    let info = StudyInfo { configuration, ..study.info.clone() };
    let listed: Vec<CrateFile> = parts.values().map(|part| part.file.clone()).collect();
    let failed = |source: io::Error| BundleError::Write { path: path.to_owned(), source };
    let mut archive = zip::ZipWriter::new(out);
    let plain = SimpleFileOptions::default()
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o644)
        .large_file(true);
    let start = |archive: &mut zip::ZipWriter<_>, name: &str, options: SimpleFileOptions| {
        archive.start_file(name, options).map_err(|error| failed(error.into()))
    };
    start(&mut archive, ro_crate::FILE, plain)?;
    archive.write_all(ro_crate::metadata(&info, &listed).as_bytes()).map_err(failed)?;
    for folder in folders {
        let options = plain.unix_permissions(0o755);
        archive.add_directory(folder, options).map_err(|error| failed(error.into()))?;
    }
    for (name, part) in &parts {
        let is_packed =
            [".zst", ".whl", ".gz", ".zip", ".bz2", ".png"].iter().any(|end| name.ends_with(end));
        let method =
            if is_packed { CompressionMethod::Stored } else { CompressionMethod::Deflated };
        let mode = if part.executable { 0o755 } else { 0o644 };
        start(&mut archive, name, plain.compression_method(method).unix_permissions(mode))?;
        match &part.content {
            Content::Text(text) => archive.write_all(text).map_err(failed)?,
            Content::File(from) => copy(from, &part.file, &mut archive, &failed)?,
        }
    }
    archive.finish().map_err(|error| failed(error.into()))?;
    written.parts = parts.len() + 1;
    Ok(written)
}

type Parts = BTreeMap<String, Part>;

/// All files by their names in the bundle, that of the configuration, and the folders of the project.
fn collect(
    study: StudyFiles<'_>,
    written: &mut Written,
) -> Result<(Parts, String, Vec<String>), BundleError> {
    let mut parts = Parts::new();
    let mut folders = Vec::new();
    let name = study.configuration.file_name().unwrap_or_default().to_string_lossy();
    let configuration = format!("{PROJECT}/{name}");
    add_file(
        &mut parts,
        &configuration,
        study.configuration,
        "The configuration of the study",
        false,
    )?;
    for bundled in study.project.bundled() {
        match bundled {
            Bundled::Folder { path } => folders.push(format!("{PROJECT}/{path}")),
            Bundled::Link { path } => return Err(BundleError::Link { path: path.to_owned() }),
            Bundled::File { path, executable } => {
                let from = study.project.root().join(path);
                let name = format!("{PROJECT}/{path}");
                add_file(&mut parts, &name, &from, "A file of the project", executable)?;
            }
        }
    }
    let results = study.store.folder();
    let (of_folders, of_files) = RESULTS;
    for (folder, description) in of_folders.into_iter().zip([
        "The record of a cell",
        "An output, a log, or what a digest was made from, compressed",
    ]) {
        for (name, from) in entries(&results.join(folder))? {
            add_file(&mut parts, &format!("{folder}/{name}"), &from, description, false)?;
        }
    }
    for (name, description) in
        of_files.into_iter().zip(["What the last run asked", "The summary with the verdicts"])
    {
        let from = results.join(name);
        if from.is_file() {
            add_file(&mut parts, name, &from, description, false)?;
        }
    }
    let mut locked: BTreeMap<Sha256, LockedFile> = BTreeMap::new();
    for record in study.records {
        let lock = match lock::of(record) {
            Ok(lock) => lock,
            Err(LockError::NoEnvironment { .. }) => continue,
            Err(error) => {
                written.not_locked.push(error);
                continue;
            }
        };
        written.locks += 1;
        add_lock(&mut parts, record, &lock);
        locked.extend(lock.packages.into_iter().map(|one| (one.file.sha256, one.file)));
    }
    if let Some(files) = study.files {
        for (sha256, file) in locked {
            let from = files.fetch(&file.offered())?;
            let name = format!("{FILES}/{}/{}", sha256.hex(), file.filename);
            add_file(&mut parts, &name, &from, "A file of the locks", false)?;
            written.files += 1;
        }
    }
    Ok((parts, configuration, folders))
}

fn add_lock(parts: &mut Parts, record: &Record, lock: &Lock) {
    let text = lock.to_toml().into_bytes();
    let path = format!("{LOCKS}/{}/pylock.toml", record.id().file_stem());
    let file = CrateFile {
        path: path.clone(),
        description: format!("The files of the environment of {} (PEP 751)", record.id()),
        size: text.len() as u64,
        sha256: Sha256::of(&text),
    };
    parts.insert(path, Part { file, content: Content::Text(text), executable: false });
}

fn add_file(
    parts: &mut Parts,
    name: &str,
    from: &Path,
    description: &str,
    executable: bool,
) -> Result<(), BundleError> {
    let failed = |source| BundleError::Read { path: from.to_owned(), source };
    let mut digest = Sha256Stream::default();
    let size = stream(&mut File::open(from).map_err(failed)?, &mut |bytes| {
        digest.update(bytes);
        Ok(())
    });
    let file = CrateFile {
        path: name.to_owned(),
        description: description.to_owned(),
        size: size.map_err(failed)?,
        sha256: digest.finish(),
    };
    let content = Content::File(from.to_owned());
    parts.insert(name.to_owned(), Part { file, content, executable });
    Ok(())
}

/// Copies a file that must still be as it is described.
fn copy(
    from: &Path,
    file: &CrateFile,
    out: &mut impl Write,
    failed: &dyn Fn(io::Error) -> BundleError,
) -> Result<(), BundleError> {
    let unread = |source| BundleError::Read { path: from.to_owned(), source };
    let mut source = File::open(from).map_err(unread)?;
    let mut digest = Sha256Stream::default();
    let size = stream(&mut source, &mut |bytes| {
        digest.update(bytes);
        out.write_all(bytes)
    });
    if size.map_err(failed)? != file.size || digest.finish() != file.sha256 {
        return Err(BundleError::Changed { path: from.to_owned() });
    }
    Ok(())
}

fn stream(source: &mut File, each: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<u64> {
    let mut buffer = vec![0; 64 << 10];
    let mut size = 0;
    loop {
        let count = source.read(&mut buffer)?;
        if count == 0 {
            return Ok(size);
        }
        each(&buffer[..count])?;
        size += count as u64;
    }
}

/// The files in a folder, without what a killed run left, sorted by name.
fn entries(folder: &Path) -> Result<BTreeMap<String, PathBuf>, BundleError> {
    let failed = |source| BundleError::Read { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        entries => entries.map_err(failed)?,
    };
    let mut found = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if [".json", ".zst"].iter().any(|end| name.ends_with(end)) && path.is_file() {
            found.insert(name, path);
        }
    }
    Ok(found)
}
