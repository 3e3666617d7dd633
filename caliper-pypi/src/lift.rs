//! Wheels without the ranges that they declare of some packages.
//!
//! Where the releases of a package are measured, what a project declares of it must not keep any away. So its wheel is
//! written anew without these ranges. Then pip of any age, uv and every template treat it alike, and all other ranges,
//! also those that other packages declare of the measured one, hold as always.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use caliper_core::names::{PackageName, Sha256, Sha256Stream};
use caliper_core::question::requirement::lifted;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use crate::download::digest_of;
use crate::metadata::{Fault, LARGEST_METADATA, Metadata, WheelError, open, record_paths_in};
use crate::wheel::WheelName;

/// The most that a wheel may hold, unpacked.
const LARGEST: u64 = 8 << 30;

/// A wheel that was written anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiftedWheel {
    /// Where it is.
    pub path: PathBuf,
    /// Its name, which says what it fits.
    pub name: WheelName,
    /// What it says of itself now.
    pub metadata: Metadata,
    /// The requirements whose ranges were taken away, as they were.
    pub lifted: Vec<String>,
    /// The digest of the file.
    pub sha256: Sha256,
    /// The size of the file, in bytes.
    pub size: u64,
    /// The digest over what is in it. It says nothing of the program that built it, and is the same for equal contents,
    /// in whatever order and however compressed they were.
    pub content: Sha256,
}

/// Writes the wheel at `wheel` into `folder`, under the same name, without the ranges of `packages` in its
/// requirements. Extras and markers stay.
///
/// `folder` should be the caller's own: where this fails, it may hold half of the new wheel. The result depends on nothing but what is in the wheel: the members are sorted, not compressed, and have no times.
///
/// # Errors
///
/// [`LiftError`] if the wheel cannot be read, says that it is of another release than its name, or if the new one
/// cannot be written.
pub fn lift(
    wheel: &Path,
    packages: &[PackageName],
    folder: &Path,
) -> Result<LiftedWheel, LiftError> {
    let failed = |fault| LiftError::Wheel(WheelError::new(wheel, fault));
    let filename = wheel.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name: WheelName = filename
        .parse()
        .map_err(|_| LiftError::Name { filename: crate::excerpt::excerpt(filename) })?;
    let file = File::open(wheel).map_err(|error| failed(Fault::Open(error)))?;
    let mut archive = open(file).map_err(failed)?;
    let mut paths = record_paths_in(&archive).map_err(failed)?;
    paths.sort();
    let info = info_of(&paths).ok_or_else(|| failed(Fault::Metadata))?;
    let old = small(&mut archive, &format!("{info}/METADATA")).map_err(failed)?;
    let (new, lifted) = without_ranges(&old, packages);
    let text = String::from_utf8_lossy(&new);
    let metadata = Metadata::parse(&text).ok_or_else(|| failed(Fault::Metadata))?;
    let is_itself = metadata.name.parse().is_ok_and(|project| name.is_of(&project))
        && metadata
            .version
            .parse()
            .is_ok_and(|version: pep440_rs::Version| version == *name.version());
    if !is_itself {
        return Err(LiftError::OtherRelease {
            filename: filename.to_owned(),
            name: crate::excerpt::excerpt(&metadata.name),
            version: crate::excerpt::excerpt(&metadata.version),
        });
    }

    let path = folder.join(filename);
    let cannot_write = |source| LiftError::Write { path: path.clone(), source };
    let mut writer = Writer {
        archive: ZipWriter::new(File::create(&path).map_err(cannot_write)?),
        record: String::new(),
        content: Sha256Stream::default(),
        left: LARGEST,
    };
    let not_copied = |error: NotCopied| match error {
        NotCopied::Read(fault) => failed(fault),
        NotCopied::Write(source) => LiftError::Write { path: path.clone(), source },
    };
    let replaced = BTreeMap::from([(format!("{info}/METADATA"), new)]);
    for member in &paths {
        // RECORD is made anew, so that signatures of it hold no more.
        let of_record = ["RECORD", "RECORD.jws", "RECORD.p7s"];
        if of_record.iter().any(|name| *member == format!("{info}/{name}")) {
            continue;
        }
        if let Some(bytes) = replaced.get(member) {
            writer.add(member, false, bytes.len() as u64, &bytes[..]).map_err(not_copied)?;
            continue;
        }
        let file = archive.by_name(member).map_err(|error| failed(Fault::Archive(error.into())))?;
        let is_program = file.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
        let size = file.size();
        if *member == format!("{info}/WHEEL") {
            drop(file);
            let text = small(&mut archive, member).map_err(failed)?;
            writer.add_wheel(member, &text).map_err(not_copied)?;
        } else {
            writer.add(member, is_program, size, file).map_err(not_copied)?;
        }
    }
    let content = writer.finish(&info).map_err(cannot_write)?;
    let mut written = File::open(&path).map_err(cannot_write)?;
    let sha256 = digest_of(&mut written).map_err(cannot_write)?;
    let size = written.metadata().map_err(cannot_write)?.len();
    Ok(LiftedWheel { path, name, metadata, lifted, sha256, size, content })
}

/// The `.dist-info` folder of a wheel with these paths.
fn info_of(paths: &[String]) -> Option<String> {
    let folder = |path: &String| path.strip_suffix("/METADATA").map(str::to_owned);
    paths
        .iter()
        .filter_map(folder)
        .find(|folder| folder.ends_with(".dist-info") && !folder.contains('/'))
}

/// A member that is read as a whole.
fn small<R: Read + Seek>(archive: &mut ZipArchive<R>, name: &str) -> Result<Vec<u8>, Fault> {
    let member = archive.by_name(name).map_err(|error| Fault::Archive(error.into()))?;
    let mut bytes = Vec::new();
    // The size that the archive declares is the archive's word only.
    let read = member.take(LARGEST_METADATA + 1).read_to_end(&mut bytes);
    read.map_err(|error| Fault::Archive(error.into()))?;
    if bytes.len() as u64 > LARGEST_METADATA {
        return Err(Fault::TooLarge);
    }
    Ok(bytes)
}

/// A METADATA file without the ranges of `packages`, and the requirements that lost theirs.
fn without_ranges(metadata: &[u8], packages: &[PackageName]) -> (Vec<u8>, Vec<String>) {
    const FIELD: &[u8] = b"requires-dist:";
    let (mut kept, mut taken) = (Vec::with_capacity(metadata.len()), Vec::new());
    let mut lines = metadata.split_inclusive(|byte| *byte == b'\n').peekable();
    while let Some(line) = lines.next() {
        if line.trim_ascii().is_empty() {
            // The description follows.
            kept.extend_from_slice(line);
            break;
        }
        let mut header = line.to_vec();
        while let Some(more) =
            lines.next_if(|next| next.starts_with(b" ") || next.starts_with(b"\t"))
        {
            header.extend_from_slice(more);
        }
        let is_requirement =
            header.get(..FIELD.len()).is_some_and(|start| start.eq_ignore_ascii_case(FIELD));
        let value = || {
            let text = String::from_utf8_lossy(&header[FIELD.len()..]).into_owned();
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let requirement = is_requirement.then(value);
        match requirement.and_then(|text| lifted(&text, packages).map(|rest| (text, rest))) {
            Some((text, rest)) => {
                kept.extend_from_slice(format!("Requires-Dist: {rest}\n").as_bytes());
                taken.push(text);
            }
            None => kept.extend_from_slice(&header),
        }
    }
    lines.for_each(|line| kept.extend_from_slice(line));
    (kept, taken)
}

/// Why a member was not copied.
enum NotCopied {
    Read(Fault),
    Write(io::Error),
}

/// Writes the members of a wheel, in their order.
struct Writer<W: Write + Seek> {
    archive: ZipWriter<W>,
    record: String,
    content: Sha256Stream,
    /// How many bytes it may still hold.
    left: u64,
}

impl<W: Write + Seek> Writer<W> {
    fn start(&mut self, path: &str, is_program: bool, size: u64) -> io::Result<()> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .unix_permissions(if is_program { 0o755 } else { 0o644 })
            .large_file(size > u64::from(u32::MAX) / 2);
        self.archive.start_file(path, options).map_err(io::Error::from)
    }

    /// Adds a member of about `size` bytes.
    fn add(
        &mut self,
        path: &str,
        is_program: bool,
        size: u64,
        from: impl Read,
    ) -> Result<(), NotCopied> {
        self.start(path, is_program, size).map_err(NotCopied::Write)?;
        let digest = self.copy(path, from)?;
        self.count(path, is_program, digest);
        Ok(())
    }

    /// Adds the file WHEEL. Which program wrote it is no part of the content.
    fn add_wheel(&mut self, path: &str, text: &[u8]) -> Result<(), NotCopied> {
        self.start(path, false, text.len() as u64).map_err(NotCopied::Write)?;
        self.copy(path, text)?;
        let mut lines = Sha256Stream::default();
        let names_program = |line: &[u8]| {
            line.get(..10).is_some_and(|start| start.eq_ignore_ascii_case(b"generator:"))
        };
        for line in text.split_inclusive(|byte| *byte == b'\n').filter(|line| !names_program(line))
        {
            lines.update(line);
        }
        self.count(path, false, lines.finish());
        Ok(())
    }

    fn count(&mut self, path: &str, is_program: bool, digest: Sha256) {
        self.content.field(path.as_bytes());
        self.content.field(if is_program { b"program" } else { b"file" });
        self.content.field(digest.hex().as_bytes());
    }

    fn copy(&mut self, path: &str, mut from: impl Read) -> Result<Sha256, NotCopied> {
        let mut digest = Sha256Stream::default();
        let mut buffer = vec![0; 1 << 16];
        let mut size = 0_u64;
        loop {
            let count = from
                .read(&mut buffer)
                .map_err(|error| NotCopied::Read(Fault::Archive(error.into())))?;
            if count == 0 {
                break;
            }
            size += count as u64;
            self.left =
                self.left.checked_sub(count as u64).ok_or(NotCopied::Read(Fault::TooLarge))?;
            digest.update(&buffer[..count]);
            self.archive.write_all(&buffer[..count]).map_err(NotCopied::Write)?;
        }
        let digest = digest.finish();
        self.record += &format!("{},sha256={},{size}\n", quoted(path), encoded(digest));
        Ok(digest)
    }

    /// Ends with the RECORD. The digest of all contents.
    fn finish(mut self, info: &str) -> io::Result<Sha256> {
        let path = format!("{info}/RECORD");
        self.record += &format!("{},,\n", quoted(&path));
        let record = std::mem::take(&mut self.record);
        self.start(&path, false, record.len() as u64)?;
        self.archive.write_all(record.as_bytes())?;
        self.archive.finish().map_err(io::Error::from)?;
        Ok(self.content.finish())
    }
}

/// A digest as [RECORD](https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file)
/// has it.
fn encoded(digest: Sha256) -> String {
    URL_SAFE_NO_PAD.encode(digest.bytes())
}

/// A field of comma-separated values.
fn quoted(path: &str) -> String {
    if path.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", path.replace('"', "\"\""))
    } else {
        path.to_owned()
    }
}

/// Why a wheel was not written anew.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiftError {
    /// The file has no name of a wheel.
    #[error("`{filename}` is not the name of a wheel")]
    Name {
        /// Its name.
        filename: String,
    },
    /// The wheel cannot be read.
    #[error(transparent)]
    Wheel(#[from] WheelError),
    /// It says that it is something else.
    #[error("the metadata of `{filename}` is that of `{name}` {version}")]
    OtherRelease {
        /// Its name.
        filename: String,
        /// The project that its metadata speaks of.
        name: String,
        /// The version that its metadata speaks of.
        version: String,
    },
    /// The new one cannot be written.
    #[error("could not write `{}`", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
}

#[cfg(test)]
mod tests;
