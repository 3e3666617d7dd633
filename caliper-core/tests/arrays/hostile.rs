//! Damaged and hostile files of arrays: nothing panics, and what cannot be read is told.

use std::path::Path;

use caliper_core::analysis::compare::{Comparison, Format, ReadAs, Rung, compare};
use caliper_core::question::criteria::Policy;
use proptest::prelude::*;

const ENDINGS: [&str; 4] = ["npy", "npz", "safetensors", "h5"];

fn read(path: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/arrays").join(path)).unwrap()
}

fn compared(name: &str, expected: &[u8], actual: &[u8]) -> Comparison {
    compare(Format::of_name(name), expected, actual, &Policy::default())
}

/// A file and the same with a byte behind its end, which readers of HDF5 overlook.
fn with_itself(path: &str) -> Comparison {
    let expected = read(path);
    let actual = [&expected[..], b"\0"].concat();
    compared(path, &expected, &actual)
}

/// What holds of each comparison of different files.
fn is_told(comparison: &Comparison) -> bool {
    let different = comparison.rung > Rung::SameNormalised;
    let written = serde_json::to_string(comparison).unwrap();
    comparison.rung != Rung::SameBytes
        && comparison.divergence.is_some() == different
        && comparison.arrays.len() <= 200
        && written.len() < 100_000
}

#[test]
fn files_can_end_anywhere() {
    for ending in ENDINGS {
        let whole = read(&format!("files/negative_zero.expected.{ending}"));
        for length in 0..whole.len() {
            let comparison = compared(&format!("a.{ending}"), &whole, &whole[..length]);
            assert!(is_told(&comparison), "{ending} of {length} bytes: {comparison:?}");
            // Nothing that lacks its end is the same, but for HDF5, which may have unused bytes there.
            let is_same = comparison.rung <= Rung::WithinTolerance;
            assert!(!is_same || ending == "h5", "{ending} of {length} bytes: {comparison:?}");
        }
    }
}

#[test]
#[cfg(feature = "hdf5")]
fn what_stands_for_much_is_told() {
    let told = ["circle.h5", "deep.h5", "huge.h5"].map(|name| {
        let comparison = with_itself(&format!("hostile/{name}"));
        let arrays = comparison.arrays.iter().map(ToString::to_string);
        let rung = std::iter::once(comparison.rung.to_string());
        let lines: Vec<String> =
            rung.chain(comparison.unread.iter().cloned()).chain(arrays).collect();
        format!("{name}: {}", lines.join("; "))
    });
    insta::assert_snapshot!(told.join("\n"), @"
    circle.h5: same, normalised
    deep.h5: other text; the expected result is not HDF5, so they were compared as bytes: its groups lie in each other more than 256 times; the actual result is not HDF5, so they were compared as bytes: its groups lie in each other more than 256 times
    huge.h5: other text; it holds more bytes than are unpacked, which are 8589934592 or twice its length: compared as bytes
    ");
    // Each thing in a circle is gone through once, and its other names are links to the first.
    let circle = read("hostile/circle.h5");
    let other = read("files/keras_root.actual.h5");
    let comparison = compared("a.h5", &circle, &other);
    let arrays: Vec<String> = comparison.arrays.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(arrays.join("\n"), @"
    a/b/back: nothing instead of a link to `/`
    a/b/self: nothing instead of a link to `/a/b`
    a/b/x: nothing instead of a link to `/y`
    other: nothing instead of a link to `/a`
    y, <i8 (3,): missing
    second/second/kernel:0 (layer 1, array 0), <f4 (2, 3): not in the expected result
    second/second/bias:0 (layer 1, array 1), <f4 (3,): not in the expected result
    first/first/kernel:0 (layer 2, array 0), <f4 (3, 1): not in the expected result
    @backend, text (): not in the expected result
    @layer_names, S6 (3,): not in the expected result
    first@weight_names, S16 (1,): not in the expected result
    input@weight_names, S16 (0,): not in the expected result
    second@weight_names, S16 (2,): not in the expected result
    ");
}

#[test]
fn headers_promise_more_than_there_is() {
    let header = br#"{"a":{"dtype":"F64","shape":[1152921504606846976],"data_offsets":[0,8]}}"#;
    let tensors = |length: u64| [&length.to_le_bytes()[..], header, &[0; 8]].concat();
    let whole = u64::try_from(header.len()).unwrap();
    for length in [whole, 1 << 60, u64::MAX] {
        let comparison = compared("a.safetensors", &tensors(length), &tensors(whole + 1));
        assert_eq!(comparison.read_as, ReadAs::Bytes);
        assert!(!comparison.unread.is_empty());
    }
    // As many elements as one likes, of no size.
    let array = |shape: &str| {
        let header = format!(
            "{{'descr': [('a', '<f8', (0,))], 'fortran_order': False, 'shape': {shape}, }}\n"
        );
        let length = u16::try_from(header.len()).unwrap().to_le_bytes();
        [&b"\x93NUMPY\x01\x00"[..], &length, header.as_bytes()].concat()
    };
    let comparison =
        compared("a.npy", &array("(1152921504606846976,)"), &array("(1152921504606846976, )"));
    assert_eq!(comparison.rung, Rung::SameNormalised);
}

/// How many random files are tried: as many as `PROPTEST_CASES` says, for a long search.
fn cases() -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok();
    asked.and_then(|asked| asked.parse().ok()).unwrap_or(600)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn bytes_can_be_anything(
        ending in proptest::sample::select(ENDINGS.to_vec()),
        changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..6),
        moved in proptest::option::of((any::<usize>(), any::<usize>(), 1..12_usize)),
    ) {
        let whole = read(&format!("files/equal.expected.{ending}"));
        let mut changed = whole.clone();
        let length = changed.len();
        for (at, byte) in changes {
            changed[at % length] = byte;
        }
        if let Some((from, to, count)) = moved {
            let (from, to) = (from % (length - count), to % (length - count));
            changed.copy_within(from..from + count, to);
        }
        prop_assume!(changed != whole);
        let name = format!("a.{ending}");
        for (expected, actual) in [(&whole, &changed), (&changed, &whole)] {
            let comparison = compared(&name, expected, actual);
            prop_assert!(is_told(&comparison), "{comparison:?}");
        }
    }
}
