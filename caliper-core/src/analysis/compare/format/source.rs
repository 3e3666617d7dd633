//! Where the bytes of a result are: in memory, or where they are read piece by piece.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::io::{self, Cursor, Read, Seek, SeekFrom};

use crate::facts::store::{Content, Reading};

/// The bytes of a result.
#[derive(Clone, Copy)]
pub(super) struct Source<'a>(&'a Content);

/// Parts of a large result that are not longer are held in memory.
const SHORT: u64 = if cfg!(test) { 16 } else { 1 << 20 };

impl<'a> Source<'a> {
    pub(super) fn of(content: &'a Content) -> Self {
        Self(content)
    }

    /// The same for those who keep it.
    #[cfg(feature = "hdf5")]
    pub(super) fn content(self) -> Content {
        self.0.clone()
    }

    /// The bytes, if they are in memory; otherwise why not.
    pub(super) fn memory(self) -> Result<&'a [u8], String> {
        match self.0 {
            Content::Memory(bytes) => Ok(bytes),
            Content::Large(pieces) => {
                Err(format!("its {} bytes are more than are held in memory", pieces.length()))
            }
        }
    }

    pub(super) fn length(self) -> u64 {
        self.0.length()
    }

    /// All bytes.
    pub(super) fn all(self) -> Data<'a> {
        match self.0 {
            Content::Memory(bytes) => Data::of(bytes),
            Content::Large(pieces) => {
                Data::there(pieces.length(), Reading::between(&**pieces, 0, u64::MAX))
            }
        }
    }

    /// The bytes between two places, as far as they are there.
    pub(super) fn part(self, from: u64, to: u64) -> Result<Data<'a>, String> {
        let to = to.min(self.length()).max(from);
        match self.0 {
            Content::Memory(bytes) => {
                let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
                Ok(Data::of(bytes.get(place(from)..place(to)).unwrap_or_default()))
            }
            Content::Large(pieces) => {
                let part = Data::there(to - from, Reading::between(&**pieces, from, to));
                if to - from > SHORT { Ok(part) } else { part.in_memory() }
            }
        }
    }
}

/// The values of an array, or the content of something else in a result.
pub(super) enum Data<'a> {
    /// In memory, from a place on.
    Here(Cow<'a, [u8]>, usize),
    There(There<'a>),
}

/// Bytes that are read once, from their beginning to their end.
pub(super) struct There<'a> {
    length: u64,
    reader: RefCell<Box<dyn Read + 'a>>,
}

impl From<Vec<u8>> for Data<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Here(Cow::Owned(bytes), 0)
    }
}

impl fmt::Debug for Data<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} bytes", self.length())
    }
}

impl<'a> Data<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self::Here(Cow::Borrowed(bytes), 0)
    }

    /// So many bytes that are read once.
    pub(super) fn there(length: u64, reader: impl Read + 'a) -> Self {
        Self::There(There { length, reader: RefCell::new(Box::new(reader)) })
    }

    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Here(bytes, start) => u64::try_from(bytes.len() - start).unwrap_or(u64::MAX),
            Self::There(there) => there.length,
        }
    }

    /// What it begins with: `most` bytes, or all. They stay to be read.
    pub(super) fn start(&mut self, most: usize) -> Result<Cow<'_, [u8]>, String> {
        match self {
            Self::Here(bytes, start) => {
                let bytes = &bytes[*start..];
                Ok(Cow::Borrowed(&bytes[..bytes.len().min(most)]))
            }
            Self::There(There { reader, .. }) => {
                let mut read = Vec::new();
                let most = u64::try_from(most).unwrap_or(u64::MAX);
                let reader = reader.get_mut();
                reader.take(most).read_to_end(&mut read).map_err(|error| error.to_string())?;
                let rest = std::mem::replace(reader, Box::new(io::empty()));
                *reader = Box::new(Cursor::new(read.clone()).chain(rest));
                Ok(Cow::Owned(read))
            }
        }
    }

    /// Leaves out so many bytes, which are there.
    pub(super) fn skip(&mut self, count: usize) -> Result<(), String> {
        match self {
            Self::Here(bytes, start) => *start = (*start + count).min(bytes.len()),
            Self::There(There { length, reader }) => {
                let count = u64::try_from(count).unwrap_or(u64::MAX);
                let skipped = io::copy(&mut reader.get_mut().take(count), &mut io::sink());
                *length -= skipped.map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }

    /// The same in memory.
    pub(super) fn in_memory(self) -> Result<Self, String> {
        let Self::There(There { reader, .. }) = self else { return Ok(self) };
        let mut bytes = Vec::new();
        reader.into_inner().read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        Ok(bytes.into())
    }

    /// Fills `buffer` with the next bytes of what is read once.
    pub(super) fn read(&self, buffer: &mut [u8]) -> Result<(), String> {
        match self {
            Self::Here(..) => Ok(()),
            Self::There(There { reader, .. }) => {
                reader.borrow_mut().read_exact(buffer).map_err(|error| error.to_string())
            }
        }
    }

    /// Reads all of it.
    pub(super) fn reader(self) -> Box<dyn Read + 'a> {
        match self {
            Self::Here(bytes, start) => {
                let mut bytes = Cursor::new(bytes);
                bytes.set_position(u64::try_from(start).unwrap_or(u64::MAX));
                Box::new(bytes)
            }
            Self::There(There { reader, .. }) => reader.into_inner(),
        }
    }
}

/// Goes back and forth in a result, as a reader of archives does.
pub(super) struct Seeker<'a> {
    source: Source<'a>,
    at: u64,
}

impl<'a> Seeker<'a> {
    pub(super) fn new(source: Source<'a>) -> Self {
        Self { source, at: 0 }
    }
}

impl Read for Seeker<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self.source.0 {
            Content::Memory(bytes) => {
                let at = usize::try_from(self.at).unwrap_or(usize::MAX);
                bytes.get(at..).unwrap_or_default().read(buffer)?
            }
            Content::Large(pieces) => {
                Reading::between(&**pieces, self.at, u64::MAX).read(buffer)?
            }
        };
        self.at += u64::try_from(count).unwrap_or(u64::MAX);
        Ok(count)
    }
}

impl Seek for Seeker<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.source.length().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
