use png::{BitDepth, ColorType};

use super::*;
use crate::analysis::compare::comparison::Comparison;
use crate::analysis::compare::format::compare;
use crate::analysis::compare::{Format, Rung};
use crate::question::criteria::{Policy, Tolerance};

/// A PNG with these samples and a text in its metadata.
fn drawn(width: u32, kind: ColorType, samples: &[u8], text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let channels = u32::try_from(kind.samples()).unwrap();
    let height = u32::try_from(samples.len()).unwrap() / width / channels;
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(kind);
    encoder.set_depth(BitDepth::Eight);
    encoder.add_text_chunk("Software".to_owned(), text.to_owned()).unwrap();
    encoder.write_header().unwrap().write_image_data(samples).unwrap();
    bytes
}

fn of(expected: &[u8], actual: &[u8], policy: &Policy) -> Comparison {
    assert_eq!(
        Format::of_both("figure.png", &expected.to_vec().into(), &actual.to_vec().into()),
        Format::Image
    );
    compare(Format::Image, expected, actual, policy)
}

#[test]
fn pixels_decide() {
    let policy = Policy::default();
    let grey = |samples: &[u8], text| drawn(2, ColorType::Grayscale, samples, text);
    let one = grey(&[0, 100, 200, 255], "Matplotlib 3.8.2");
    let same = of(&one, &grey(&[0, 100, 200, 255], "Matplotlib 3.8.3"), &policy);
    assert_eq!((same.rung, &*same.rules), (Rung::SameNormalised, &[Rule::ImageMetadata][..]));
    insta::assert_snapshot!(same, @"same pixels; only the metadata differs (image_metadata)");
    // The same pixels in another kind of image.
    let rgb: Vec<u8> = [0, 100, 200, 255].iter().flat_map(|grey| [*grey; 3]).collect();
    let same = of(&one, &drawn(2, ColorType::Rgb, &rgb, ""), &policy);
    assert_eq!(same.rung, Rung::SameNormalised);

    let other = of(&one, &grey(&[0, 101, 200, 250], "Matplotlib 3.8.2"), &policy);
    assert_eq!(other.rung, Rung::OtherNumbers);
    insta::assert_snapshot!(other, @"2 of 4 pixels differ, the largest difference 5 of 255");
    insta::assert_snapshot!(other.divergence.unwrap(), @"pixel in row 1, column 2: `[101, 101, 101, 255]` instead of `[100, 100, 100, 255]`");
    let larger = of(&one, &grey(&[0, 100, 200, 255, 0, 0], ""), &policy);
    insta::assert_snapshot!(larger, @"other content: 2 × 2 pixels → 2 × 3 pixels");

    // For whole numbers the absolute tolerance counts.
    let tolerance = Tolerance::new(5.0, 0.0).unwrap();
    let near = Policy { tolerance, ..Policy::default() };
    let other = grey(&[0, 101, 200, 250], "");
    assert_eq!(of(&one, &other, &near).rung, Rung::WithinTolerance);

    let mut kept = Policy::default();
    kept.rules.remove(&Rule::ImageMetadata);
    let same = of(&one, &grey(&[0, 100, 200, 255], "other"), &kept);
    assert_eq!(same.rung, Rung::OtherText);
}

#[test]
fn a_jpeg_is_compared_by_its_pixels() {
    let grey = include_bytes!("grey.jpg");
    // A comment behind the first marker.
    let mut commented = grey[..2].to_vec();
    commented.extend(b"\xff\xfe\x00\x0aMatplotl");
    commented.extend(&grey[2..]);
    let policy = Policy::default();
    assert_eq!(of(grey, &commented, &policy).rung, Rung::SameNormalised);
    let other = of(grey, include_bytes!("light.jpg"), &policy);
    insta::assert_snapshot!(other, @"64 of 64 pixels differ, the largest difference 12 of 255");
}

#[test]
fn what_promises_too_much_is_not_unpacked() {
    let mut bomb = drawn(2, ColorType::Grayscale, &[0, 1, 2, 3], "");
    let before = bomb.clone();
    // The width and height of the header, and a checksum that fits.
    bomb[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
    let checksum = crc(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&checksum.to_be_bytes());
    let comparison = of(&before, &bomb, &Policy::default());
    assert_eq!((comparison.rung, comparison.read_as), (Rung::OtherText, ReadAs::Bytes));
    insta::assert_snapshot!(comparison.unread.join("\n"), @"the actual result is not an image that can be read, so they were compared as bytes: its pixels take more than 268435456 bytes");
    let cut = of(&before, &before[..40], &Policy::default());
    assert_eq!(cut.read_as, ReadAs::Bytes);
}

/// The checksum of PNG, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    let bit = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), bit))
}
