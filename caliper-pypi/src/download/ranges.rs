//! A file that stays on its server, read where it is needed
//! ([RFC 9110, 14](https://www.rfc-editor.org/rfc/rfc9110#section-14)).

use std::io::{self, Read, Seek, SeekFrom};
use std::time::Instant;

use url::Url;

use crate::http::{Answer, Http, RequestError};

/// How much of the end is asked for first: for most wheels the whole directory of the archive, and the
/// metadata before it.
const TAIL: u64 = 64 << 10;
/// The most that is asked for at once.
const LARGEST_PIECE: u64 = 4 << 20;
/// The most that is read of one file, in bytes; if more is needed, the whole file is downloaded.
const LARGEST_SUM: u64 = 64 << 20;

/// A file on a server that answers ranges.
pub(super) struct Remote<'a> {
    asker: Asker<'a>,
    length: u64,
    /// What came, and where in the file it starts.
    pieces: Vec<(u64, Vec<u8>)>,
    position: u64,
    next_piece: u64,
    left: u64,
    /// Why a range could not be had, where it is the network's doing.
    pub(super) failure: Option<RequestError>,
}

struct Asker<'a> {
    http: &'a Http,
    url: &'a Url,
    deadline: Instant,
    /// What the server calls the version that the first piece is of.
    etag: Option<String>,
}

/// One range, as it was answered.
struct Piece {
    start: u64,
    length_of_file: u64,
    bytes: Vec<u8>,
    etag: Option<String>,
}

impl<'a> Remote<'a> {
    /// Asks for the end of the file at `url`, of which the index says that it is `size` bytes long.
    /// `None` if the server does not answer ranges, or not as it should.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if it does not answer at all.
    pub(super) fn open(
        http: &'a Http,
        url: &'a Url,
        size: Option<u64>,
        deadline: Instant,
    ) -> Result<Option<Self>, RequestError> {
        let mut asker = Asker { http, url, deadline, etag: None };
        // Not every server knows what the last bytes are of a file whose length it knows.
        let wanted = match size {
            Some(0) => return Ok(None),
            Some(size) => format!("bytes={}-{}", size.saturating_sub(TAIL), size - 1),
            None => format!("bytes=-{TAIL}"),
        };
        let Some(tail) = asker.ask(&wanted, TAIL)? else { return Ok(None) };
        let length = tail.length_of_file;
        let whole_tail = tail.start + tail.bytes.len() as u64 == length
            && tail.bytes.len() as u64 == TAIL.min(length);
        if !whole_tail || size.is_some_and(|size| size != length) {
            return Ok(None);
        }
        asker.etag = tail.etag;
        Ok(Some(Self {
            asker,
            length,
            left: LARGEST_SUM.saturating_sub(tail.bytes.len() as u64),
            pieces: vec![(tail.start, tail.bytes)],
            position: 0,
            next_piece: TAIL,
            failure: None,
        }))
    }

    /// What is here of the file from the present position on.
    fn at_hand(&self) -> Option<&[u8]> {
        self.pieces.iter().find_map(|(start, bytes)| {
            let offset = usize::try_from(self.position.checked_sub(*start)?).ok()?;
            bytes.get(offset..).filter(|rest| !rest.is_empty())
        })
    }

    /// Fetches what follows the present position, up to what is here already.
    fn fetch(&mut self) -> io::Result<()> {
        let here = self.pieces.iter().map(|(start, _)| *start);
        let end = here.filter(|start| *start > self.position).min().unwrap_or(self.length);
        let count = (end - self.position).min(self.next_piece);
        let stop = || io::Error::other("it cannot be read in pieces");
        self.left = self.left.checked_sub(count).ok_or_else(stop)?;
        self.next_piece = (self.next_piece * 2).min(LARGEST_PIECE);
        let (first, last) = (self.position, self.position + count - 1);
        match self.asker.ask(&format!("bytes={first}-{last}"), count) {
            Ok(Some(piece))
                if (piece.start, piece.bytes.len() as u64, piece.length_of_file)
                    == (first, count, self.length) =>
            {
                self.pieces.push((first, piece.bytes));
                Ok(())
            }
            Ok(_) => Err(stop()),
            Err(error) => {
                self.failure = Some(error);
                Err(stop())
            }
        }
    }
}

impl Asker<'_> {
    /// One range of at most `most` bytes; `None` if the answer is not one that can be relied on.
    fn ask(&self, range: &str, most: u64) -> Result<Option<Piece>, RequestError> {
        // Compressed on the way, the bytes could not be counted.
        let mut headers = vec![("Accept-Encoding", "identity"), ("Range", range)];
        headers.extend(self.etag.as_deref().map(|etag| ("If-Range", etag)));
        self.http.with_retries(self.deadline, |_| {
            let answers = [206, 400, 405, 416, 501];
            let answer = self.http.get_ok(self.url, &headers, &answers, self.deadline)?;
            // 200: the whole file, which goes where whole files go.
            if answer.status != 206 {
                return Ok(None);
            }
            let Some((start, end, length_of_file)) = content_range(&answer) else {
                return Ok(None);
            };
            let count = end - start;
            if count > most {
                return Ok(None);
            }
            // A weak validator does not promise equal bytes.
            let etag = answer.header("etag").filter(|etag| !etag.starts_with("W/"));
            let etag = etag.map(str::to_owned);
            match answer.read(count) {
                Ok(bytes) if bytes.len() as u64 == count => {
                    Ok(Some(Piece { start, length_of_file, bytes, etag }))
                }
                Ok(_) | Err(RequestError::TooLarge { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }
}

/// The `Content-Range` of an answer: where it starts and ends (exclusive), and how long the file is.
fn content_range(answer: &Answer) -> Option<(u64, u64, u64)> {
    let (range, length) =
        answer.header("content-range")?.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let length = length.parse().ok()?;
    (first <= last && last < length).then(|| (first, last + 1, length))
}

impl Read for Remote<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.position >= self.length {
            return Ok(0);
        }
        if self.at_hand().is_none() {
            self.fetch()?;
        }
        let count = self.at_hand().unwrap_or_default().read(buffer)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Remote<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        let before = || io::Error::new(io::ErrorKind::InvalidInput, "a position before the file");
        self.position = position.ok_or_else(before)?;
        Ok(self.position)
    }
}
