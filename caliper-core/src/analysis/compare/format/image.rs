//! PNG and JPEG images, by their pixels.
//!
//! What an image says of itself (its date, the program that drew it, profiles) and how it is packed is
//! looked past by a rule of its own. Pixels are compared channel by channel, each as a whole number: for
//! them only the absolute tolerance counts.

use std::io::Cursor;

use png::{ColorType, DecodeOptions, Transformations};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::source::Source;
use super::{Outcome, ResultFormat, Weaker, both, in_memory};
use crate::analysis::compare::collector::Collector;
use crate::analysis::compare::comparison::{Place, ReadAs, Rung, hashed};
use crate::analysis::compare::items::Item;
use crate::analysis::compare::rules::Lens;
use crate::question::criteria::Rule;

/// Pixels.
pub(super) struct Image;

/// How many bytes the pixels of an image may take. A few bytes can promise more than any memory holds.
const MOST_BYTES: usize = 256 << 20;
/// How wide and how high an image may be.
const LONGEST: usize = 1 << 16;

impl ResultFormat for Image {
    fn endings(&self) -> &'static [&'static str] {
        &["png", "jpg", "jpeg"]
    }

    fn read_as(&self) -> ReadAs {
        ReadAs::Image
    }

    fn compare(&self, sides: [Source<'_>; 2], collector: &mut Collector<'_>) -> Outcome {
        let what = "an image that can be read";
        let (expected, actual) = in_memory(what, sides)?;
        let (expected, actual) = both(what, Weaker::Bytes, read(expected), read(actual))?;
        compare(&expected, &actual, collector);
        Ok(Vec::new())
    }

    fn items(&self, result: &[u8], lens: &Lens<'_>) -> Option<Vec<Item>> {
        let pixels = read(result).ok().filter(|_| lens.policy.rules.contains(&Rule::ImageMetadata));
        let shape = pixels.map_or_else(|| hashed(&result), |pixels| hashed(&pixels));
        Some(vec![Item { key: None, shape, numbers: Vec::new() }])
    }
}

/// An image as pixels of four channels each: red, green, blue and opacity.
#[derive(PartialEq, Eq, Hash)]
struct Pixels {
    width: usize,
    height: usize,
    /// The largest value of a channel.
    most: u16,
    channels: Vec<u8>,
    /// The lower bytes of channels that have 16 bits; else empty.
    lower: Vec<u8>,
}

impl Pixels {
    /// The channels of a pixel.
    fn pixel(&self, index: usize) -> [u16; 4] {
        [0, 1, 2, 3].map(|channel| {
            let at = index * 4 + channel;
            let upper = u16::from(self.channels[at]);
            self.lower.get(at).map_or(upper, |lower| upper << 8 | u16::from(*lower))
        })
    }
}

fn read(bytes: &[u8]) -> Result<Pixels, String> {
    if bytes.starts_with(b"\x89PNG") { png(bytes) } else { jpeg(bytes) }
}

fn png(bytes: &[u8]) -> Result<Pixels, String> {
    let explain = |error: png::DecodingError| error.to_string();
    let mut options = DecodeOptions::default();
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    let mut decoder = png::Decoder::new_with_options(Cursor::new(bytes), options);
    decoder.set_limits(png::Limits { bytes: MOST_BYTES });
    decoder.set_transformations(Transformations::EXPAND | Transformations::ALPHA);
    let mut reader = decoder.read_info().map_err(explain)?;
    if reader.info().animation_control().is_some() {
        return Err("it is animated".to_owned());
    }
    let size = reader.output_buffer_size().ok_or("it is too large")?;
    if size > MOST_BYTES {
        return Err(format!("its pixels take more than {MOST_BYTES} bytes"));
    }
    let mut buffer = vec![0; size];
    let info = reader.next_frame(&mut buffer).map_err(explain)?;
    let wide = info.bit_depth == png::BitDepth::Sixteen;
    let samples = if wide { 2 } else { 1 };
    let count = match info.color_type {
        ColorType::GrayscaleAlpha => 2,
        ColorType::Rgba => 4,
        other => return Err(format!("it has pixels of the kind {other:?}")),
    };
    let (mut channels, mut lower) = (Vec::new(), Vec::new());
    for pixel in buffer[..info.buffer_size()].chunks_exact(count * samples) {
        let order: &[usize] = if count == 2 { &[0, 0, 0, 1] } else { &[0, 1, 2, 3] };
        for channel in order {
            channels.push(pixel[channel * samples]);
            if wide {
                lower.push(pixel[channel * samples + 1]);
            }
        }
    }
    let side = |length: u32| usize::try_from(length).unwrap_or(usize::MAX);
    let (width, height) = (side(info.width), side(info.height));
    Ok(Pixels { width, height, most: if wide { u16::MAX } else { 255 }, channels, lower })
}

fn jpeg(bytes: &[u8]) -> Result<Pixels, String> {
    let options = DecoderOptions::default()
        .jpeg_set_out_colorspace(ColorSpace::RGBA)
        .set_max_width(LONGEST)
        .set_max_height(LONGEST)
        .set_strict_mode(false);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|error| error.to_string())?;
    let (width, height) = decoder.dimensions().ok_or("it has no size")?;
    if width.saturating_mul(height).saturating_mul(4) > MOST_BYTES {
        return Err(format!("its pixels take more than {MOST_BYTES} bytes"));
    }
    let channels = decoder.decode().map_err(|error| error.to_string())?;
    if channels.len() != width * height * 4 {
        return Err("it has pixels of another kind".to_owned());
    }
    Ok(Pixels { width, height, most: 255, channels, lower: Vec::new() })
}

fn compare(expected: &Pixels, actual: &Pixels, collector: &mut Collector<'_>) {
    let place = || Place::Whole { name: "image".to_owned() };
    let size = |of: &Pixels| format!("{} × {} pixels", of.width, of.height);
    if (expected.width, expected.height) != (actual.width, actual.height) {
        collector.other(&place, &size(expected), &size(actual));
        return;
    }
    if expected.most != actual.most {
        let depth = |of: &Pixels| if of.most == 255 { "8 bits" } else { "16 bits" };
        collector.other(&place, depth(expected), depth(actual));
        return;
    }
    let all = expected.width * expected.height;
    let (mut first, mut differ, mut beyond, mut largest) = (None, 0_u64, 0_u64, 0);
    let most = collector.policy().tolerance.absolute();
    for index in 0..all {
        let (one, other) = (expected.pixel(index), actual.pixel(index));
        // What is fully transparent has no colour.
        if one == other || (one[3] == 0 && other[3] == 0) {
            continue;
        }
        let apart = one.iter().zip(other).map(|(one, other)| one.abs_diff(other)).max();
        let apart = apart.unwrap_or_default();
        differ += 1;
        largest = largest.max(apart);
        if f64::from(apart) > most {
            beyond += 1;
            first.get_or_insert((index, one, other));
        }
    }
    if differ == 0 {
        if !collector.looks_past(Rule::ImageMetadata) {
            collector.other(&place, "its metadata", "other metadata, and the same pixels");
        }
        return;
    }
    let count = u64::try_from(all).unwrap_or(u64::MAX);
    collector.pixels(count, beyond, [largest, expected.most], hashed(actual));
    let shown = |pixel: [u16; 4]| format!("{pixel:?}");
    if let Some((index, one, other)) = first {
        let (row, column) = (index / expected.width + 1, index % expected.width + 1);
        let at = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let place = || Place::Pixel { row: at(row), column: at(column) };
        collector.found(Rung::OtherNumbers, &place, &shown(one), &shown(other));
    } else {
        collector.found(Rung::WithinTolerance, &place, "a pixel", "one that is near");
    }
}

#[cfg(test)]
mod tests;
