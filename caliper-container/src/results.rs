//! The files that a test leaves as its results.

#[cfg(any(feature = "docker", feature = "local"))]
mod collector;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt as _;
#[cfg(any(feature = "docker", feature = "local"))]
use std::path::Path;
use std::sync::Arc;
#[cfg(any(feature = "docker", feature = "local"))]
use std::time::Duration;

#[cfg(any(feature = "docker", feature = "local"))]
use caliper_core::facts::functions::{MOST_BYTES, ReportError};
#[cfg(any(feature = "docker", feature = "local"))]
use caliper_core::facts::record::TestEnd;
use caliper_core::names::Sha256;
#[cfg(any(feature = "docker", feature = "local"))]
use caliper_core::question::limits::Limits;

#[cfg(any(feature = "docker", feature = "local"))]
pub(crate) use collector::{Collector, Seen};

/// A file that a test left.
#[derive(Debug, Clone)]
pub struct ResultFile {
    /// Relative to the project; `/` between the components. Backslashes, control characters and bytes that
    /// are not UTF-8 are escaped as in Rust, so that different names stay different.
    pub path: String,
    /// Of the whole file, in bytes.
    pub size: u64,
    /// Of the whole file.
    pub sha256: Sha256,
    /// What it holds; `None` if that is too much to keep.
    pub content: Option<Content>,
}

/// The files that a test left, as far as its limits allow.
#[cfg(any(feature = "docker", feature = "local"))]
#[derive(Debug, Default)]
pub(crate) struct Left {
    pub(crate) files: Vec<ResultFile>,
    /// Which limit they exceed.
    pub(crate) over: Option<String>,
    /// What was seen while the test goes on.
    pub(crate) seen: Seen,
}

#[cfg(any(feature = "docker", feature = "local"))]
impl Left {
    /// How a test ended that left this: it does not pass if its result is not all there.
    pub(crate) fn end(&self, end: TestEnd) -> TestEnd {
        match (&self.over, end) {
            (Some(reason), TestEnd::Exited(0)) => {
                TestEnd::ResultsOverLimit { reason: reason.clone() }
            }
            (_, end) => end,
        }
    }
}

/// Is given each result file that is complete while its test goes on.
pub(crate) type TakeUp<'a> = &'a (dyn Fn(&ResultFile) + Sync);

/// How long to wait until the files of a test that goes on are looked at again, if the last look took so long. A look takes
/// a tenth of the time at most, so that the test is not slowed down.
#[cfg(any(feature = "docker", feature = "local"))]
pub(crate) fn pause_after(look: Duration) -> Duration {
    Duration::from_secs(2).max(look * 10)
}

/// The file in a folder of its own at which a test leaves the report of its functions.
#[cfg(any(feature = "docker", feature = "local"))]
pub(crate) const REPORT: &str = "report.xml";

/// A collector of the report in that folder.
#[cfg(any(feature = "docker", feature = "local"))]
pub(crate) fn report_collector(limits: &Limits) -> Option<Collector> {
    let limits = Limits { results: MOST_BYTES, result_files: 1, ..limits.clone() };
    Collector::new(&[REPORT.to_owned()], &limits)
}

/// The report that was collected.
#[cfg(any(feature = "docker", feature = "local"))]
pub(crate) fn report(left: Left) -> Result<Vec<u8>, ReportError> {
    if left.over.is_some() {
        return Err(ReportError::TooLarge);
    }
    let content = left.files.into_iter().next().and_then(|file| file.content);
    let mut bytes = Vec::new();
    // This process has just written it.
    let read = content.map(|content| content.open().read_to_end(&mut bytes));
    read.and_then(Result::ok).map(|_| bytes).ok_or(ReportError::Missing)
}

/// A path as one line of text, from which the path can be told.
#[cfg(any(feature = "docker", feature = "local"))]
fn escaped(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            let turns = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}');
            if character == '\\' || character.is_control() || turns {
                text.extend(character.escape_default());
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// Equal digests mean equal content, so no content is read.
impl PartialEq for ResultFile {
    fn eq(&self, other: &Self) -> bool {
        let about = |file: &Self| (file.size, file.sha256, file.content.is_some());
        self.path == other.path && about(self) == about(other)
    }
}

/// The content of a result file, which may be large: only a small one is held in memory.
#[derive(Debug, Clone)]
pub struct Content(Place);

#[derive(Debug, Clone)]
enum Place {
    Memory(Arc<[u8]>),
    /// A file without a name, which the system removes with its last handle.
    File(Arc<File>),
}

/// The content of larger files goes to a temporary file.
const MOST_IN_MEMORY: usize = 256 << 10;

impl Content {
    /// A reader from the beginning; each has its own position.
    pub fn open(&self) -> impl Read + '_ {
        Opened { content: self, position: 0 }
    }
}

struct Opened<'a> {
    content: &'a Content,
    position: u64,
}

impl Read for Opened<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &self.content.0 {
            Place::Memory(bytes) => {
                let start = usize::try_from(self.position).unwrap_or(usize::MAX);
                bytes.get(start..).unwrap_or_default().read(buffer)?
            }
            Place::File(file) => file.read_at(buffer, self.position)?,
        };
        self.position += count as u64;
        Ok(count)
    }
}

/// Takes the bytes of one [`Content`].
#[derive(Debug, Default)]
pub struct ContentWriter {
    memory: Vec<u8>,
    file: Option<File>,
}

impl ContentWriter {
    /// The content that was written.
    pub fn finish(self) -> Content {
        Content(match self.file {
            Some(file) => Place::File(Arc::new(file)),
            None => Place::Memory(self.memory.into()),
        })
    }
}

impl Write for ContentWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(file) = &mut self.file {
            return file.write(bytes);
        }
        if self.memory.len() + bytes.len() <= MOST_IN_MEMORY {
            self.memory.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        let mut file = tempfile::tempfile()?;
        file.write_all(&std::mem::take(&mut self.memory))?;
        self.file.insert(file).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_content_is_not_held_in_memory() {
        let all: Vec<u8> = (0..=u8::MAX).cycle().take(MOST_IN_MEMORY * 3 + 1).collect();
        for (length, in_memory) in [(0, true), (MOST_IN_MEMORY, true), (all.len(), false)] {
            let mut writer = ContentWriter::default();
            for piece in all[..length].chunks(1000) {
                writer.write_all(piece).unwrap();
            }
            let content = writer.finish();
            assert_eq!(matches!(content.0, Place::Memory(_)), in_memory, "{length}");
            for _ in 0..2 {
                let mut read = Vec::new();
                content.open().read_to_end(&mut read).unwrap();
                assert!(read == all[..length], "{length}");
            }
        }
    }
}
