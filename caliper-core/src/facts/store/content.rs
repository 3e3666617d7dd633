use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

/// What a blob holds.
#[derive(Clone)]
pub enum Content {
    /// All of it.
    Memory(Arc<[u8]>),
    /// What is too large for memory.
    Large(Arc<dyn Pieces>),
}

/// A content that is too large for memory, and is read piece by piece.
pub trait Pieces: Send + Sync {
    /// How long it is, in bytes.
    fn length(&self) -> u64;

    /// Fills `buffer` with the bytes from `at` on.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::UnexpectedEof`] if it ends before; what the system says if it cannot be read.
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()>;
}

impl Content {
    /// How long it is, in bytes.
    pub fn length(&self) -> u64 {
        match self {
            Self::Memory(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Self::Large(pieces) => pieces.length(),
        }
    }

    /// All of it, if it is in memory.
    pub fn memory(self) -> Option<Arc<[u8]>> {
        match self {
            Self::Memory(bytes) => Some(bytes),
            Self::Large(_) => None,
        }
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Memory(bytes.into())
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if matches!(self, Self::Memory(_)) { "Memory" } else { "Large" };
        formatter.debug_tuple(kind).field(&self.length()).finish()
    }
}

/// Reads pieces one behind the other.
#[derive(Clone)]
pub(crate) struct Reading<P> {
    pieces: P,
    at: u64,
    end: u64,
}

impl<'a> Reading<&'a dyn Pieces> {
    /// Reads what lies between two places, as far as it is there.
    pub(crate) fn between(pieces: &'a dyn Pieces, from: u64, to: u64) -> Self {
        Self { pieces, at: from, end: to.min(pieces.length()) }
    }
}

impl Read for Reading<&dyn Pieces> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let count = buffer.len().min(left);
        self.pieces.read_at(self.at, &mut buffer[..count])?;
        self.at += count as u64;
        Ok(count)
    }
}
