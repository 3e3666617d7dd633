//! Values as text that can stand in HTML.

use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use super::data::Data;

/// A value as JSON in which no character has a meaning in HTML.
pub(super) fn in_html(value: &impl Serialize) -> String {
    // Writing to memory does not fail, and all keys are text.
    let json = serde_json::to_string(value).unwrap_or_default();
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            // Outside of texts JSON has none of these.
            '<' => text.push_str("\\u003c"),
            '>' => text.push_str("\\u003e"),
            '&' => text.push_str("\\u0026"),
            '\u{2028}' => text.push_str("\\u2028"),
            '\u{2029}' => text.push_str("\\u2029"),
            other => text.push(other),
        }
    }
    text
}

/// A value as JSON, compressed by gzip ([RFC 1952](https://www.rfc-editor.org/rfc/rfc1952)), in base64.
pub(super) fn packed(value: &impl Serialize) -> String {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let _ = serde_json::to_writer(&mut encoder, value);
    let _ = encoder.flush();
    BASE64_STANDARD.encode(encoder.finish().unwrap_or_default())
}

/// Where the compressed pieces begin.
#[derive(Serialize)]
pub(super) struct Starts {
    /// The index of the first cell of each piece of cells.
    pub(super) cell_chunks: Vec<usize>,
    /// The number of the first text of each piece of texts.
    pub(super) text_chunks: Vec<usize>,
}

#[derive(Serialize)]
pub(super) struct WithStarts<'a> {
    #[serde(flatten)]
    pub(super) data: &'a Data,
    #[serde(flatten)]
    pub(super) starts: Starts,
}
