//! Outputs, logs and images, each once, in compressed pieces.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

use super::{Room, pack};
use crate::analysis::compare::Blobs;
use crate::facts::record::BlobRef;
use crate::names::Sha256;

/// The number of a text: its place among all, or [`LEFT_OUT`].
pub(super) type Number = i64;

/// The number of a text for which there was no room, or that is lost.
pub(super) const LEFT_OUT: Number = -1;

/// How many bytes a piece holds before compression, at least.
const PIECE: usize = 256 << 10;

/// What is shown when it is opened.
#[derive(Serialize)]
#[serde(untagged)]
enum Text {
    Plain(String),
    Image {
        #[serde(rename = "type")]
        media_type: &'static str,
        base64: String,
    },
}

/// All texts of a page.
pub(super) struct Texts<'a> {
    room: Room,
    blobs: Blobs<'a>,
    /// The number of each text that is there, by the digest of its whole content.
    numbers: HashMap<Sha256, Number>,
    open: Vec<Text>,
    open_bytes: usize,
    next: Number,
    starts: Vec<usize>,
    pieces: Vec<String>,
    used: usize,
}

impl<'a> Texts<'a> {
    pub(super) fn new(room: Room, blobs: Blobs<'a>) -> Self {
        Self {
            room,
            blobs,
            numbers: HashMap::new(),
            open: Vec::new(),
            open_bytes: 0,
            next: 0,
            starts: Vec::new(),
            pieces: Vec::new(),
            used: 0,
        }
    }

    /// The number of a text that is at hand; `None` if it is empty.
    pub(super) fn text(&mut self, text: &str) -> Option<Number> {
        (!text.is_empty())
            .then(|| self.add(Sha256::of(text.as_bytes()), || text.as_bytes().to_vec()))
    }

    /// The number of an output: all of it where it is kept by itself, or else what is at hand.
    pub(super) fn output(&mut self, shown: &str, whole: Option<BlobRef>) -> Option<Number> {
        match whole {
            Some(blob) => Some(self.blob(blob)),
            None => self.text(shown),
        }
    }

    /// The number of a text that is kept by itself.
    pub(super) fn blob(&mut self, blob: BlobRef) -> Number {
        if let Some(number) = self.numbers.get(&blob.0) {
            return *number;
        }
        match self.bytes(blob) {
            Some(bytes) => self.add(blob.0, || bytes.to_vec()),
            None => LEFT_OUT,
        }
    }

    /// What is kept by itself, for those who read more from it.
    pub(super) fn bytes(&self, blob: BlobRef) -> Option<Arc<[u8]>> {
        (self.blobs)(blob)?.memory()
    }

    /// The number of an image; `None` if the bytes are none that a page can show.
    pub(super) fn image(&mut self, sha256: Sha256, bytes: &[u8]) -> Option<Number> {
        let media_type = media_type(bytes)?;
        if let Some(number) = self.numbers.get(&sha256) {
            return Some(*number);
        }
        if bytes.len() > self.room.image || self.used >= self.room.all {
            return Some(LEFT_OUT);
        }
        let image = Text::Image { media_type, base64: BASE64_STANDARD.encode(bytes) };
        Some(self.push(sha256, image, bytes.len() * 4 / 3))
    }

    fn add(&mut self, sha256: Sha256, bytes: impl FnOnce() -> Vec<u8>) -> Number {
        if let Some(number) = self.numbers.get(&sha256) {
            return *number;
        }
        if self.used >= self.room.all {
            return LEFT_OUT;
        }
        let text = shortened(&bytes(), self.room.text);
        let size = text.len();
        self.push(sha256, Text::Plain(text), size)
    }

    fn push(&mut self, sha256: Sha256, text: Text, size: usize) -> Number {
        let number = self.next;
        if self.open.is_empty() {
            self.starts.push(usize::try_from(number).unwrap_or_default());
        }
        self.next += 1;
        self.numbers.insert(sha256, number);
        self.open.push(text);
        self.open_bytes += size;
        if self.open_bytes >= PIECE {
            self.close();
        }
        number
    }

    fn close(&mut self) {
        let piece = pack::packed(&self.open);
        self.used += piece.len();
        self.pieces.push(piece);
        self.open.clear();
        self.open_bytes = 0;
    }

    /// The number of the first text of each piece, and the pieces.
    pub(super) fn into_chunks(mut self) -> (Vec<usize>, Vec<String>) {
        if !self.open.is_empty() {
            self.close();
        }
        (self.starts, self.pieces)
    }
}

/// The text without its middle, if it is longer than `most` bytes.
fn shortened(bytes: &[u8], most: usize) -> String {
    if bytes.len() <= most {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let half = most / 2;
    let (head, tail) = (&bytes[..half], &bytes[bytes.len() - half..]);
    let left_out = bytes.len() - 2 * half;
    format!(
        "{}\n[… {left_out} bytes are left out here]\n{}",
        String::from_utf8_lossy(head),
        String::from_utf8_lossy(tail)
    )
}

/// The media type of an image that browsers show, by its first bytes.
fn media_type(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Some("image/png");
    }
    if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        return Some("image/jpeg");
    }
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]).into_owned();
    let head = head.trim_start_matches('\u{feff}').trim_start();
    let is_svg = head.starts_with("<svg") || (head.starts_with("<?xml") && head.contains("<svg"));
    is_svg.then_some("image/svg+xml")
}

/// Whether bytes are a text that a person reads.
pub(super) fn is_readable(bytes: &[u8]) -> bool {
    !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stands_once_and_a_full_page_takes_no_more() {
        let room = Room { text: 10, image: 100, all: 1 };
        let mut texts = Texts::new(room, &|_| None);
        assert_eq!((texts.text(""), texts.text("a"), texts.text("b")), (None, Some(0), Some(1)));
        assert_eq!(texts.text("a"), Some(0));
        assert_eq!(texts.blob(BlobRef(Sha256::of(b"lost"))), LEFT_OUT);
        texts.close();
        assert_eq!((texts.text("c"), texts.text("b")), (Some(LEFT_OUT), Some(1)));
        assert_eq!(texts.into_chunks().0, [0]);
    }

    #[test]
    fn a_long_text_loses_its_middle() {
        assert_eq!(shortened(b"0123456789", 10), "0123456789");
        assert_eq!(shortened(b"0123456789x", 4), "01\n[… 7 bytes are left out here]\n9x");
        assert_eq!(
            shortened("äö".as_bytes(), 2),
            "\u{fffd}\n[… 2 bytes are left out here]\n\u{fffd}"
        );
    }

    #[test]
    fn images_are_known_by_their_bytes() {
        assert_eq!(media_type(b"\x89PNG\r\n\x1a\n"), Some("image/png"));
        assert_eq!(media_type(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        assert_eq!(
            media_type("\u{feff}<?xml version='1.0'?>\n<svg>".as_bytes()),
            Some("image/svg+xml")
        );
        assert_eq!(media_type(b"<html><svg>"), None);
    }
}
