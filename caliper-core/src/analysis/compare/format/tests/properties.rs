//! Properties that hold for any bytes.

use std::io;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::facts::store::Pieces;

const FORMATS: [Format; 9] = [
    Format::Text,
    Format::Json,
    Format::Csv,
    Format::Npy,
    Format::Npz,
    Format::Safetensors,
    Format::Hdf5,
    Format::Svg,
    Format::Image,
];

/// A content that is read in pieces although it is short.
struct InPieces(Vec<u8>);

impl Pieces for InPieces {
    fn length(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(at).unwrap();
        let part = from.checked_add(buffer.len()).and_then(|to| self.0.get(from..to));
        buffer.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// An array or an archive of arrays whose values are these, in this order of axes.
fn arrays() -> impl Strategy<Value = (Format, Vec<u8>)> {
    let order = proptest::sample::select(vec!["False", "True"]);
    let descr = proptest::sample::select(vec!["'<f4'", "'>f4'", "'<i4'", "'|V4'", "'<f2'"]);
    let values = proptest::collection::vec(proptest::sample::select(vec![0_u8, 1, 63, 128]), 96);
    (order, descr, values, any::<bool>(), any::<bool>()).prop_map(
        |(order, descr, values, cut, packed)| {
            let shape = if descr == "'<f2'" { "(6, 4, 2)" } else { "(6, 4)" };
            let values = if cut { &values[..90] } else { &values };
            let bytes = array(descr, order, shape, values);
            if packed {
                (Format::Npz, archive(&[("a.npy", &bytes), ("b.npy", b"\x93NUMPY")]))
            } else {
                (Format::Npy, bytes)
            }
        },
    )
}

/// Bytes that get further than random ones do.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let pieces: &[&[u8]] = &[
        b"1",
        b"-1.5",
        b"nan",
        b"1e400",
        b" ",
        b"\n",
        b"\r",
        b",",
        b"\"",
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b"a",
        b"\xff",
        b"\x93NUMPY\x01\x00",
        b"\x76\x00",
        b"{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}",
        b"<f8",
        b"\0",
        b"'",
        b"in 0.1s",
        b"\xc3\xa9",
        b"true",
        b"\\",
        b"u00e9",
        b"0x7f0000000000",
        b"e",
        b"+",
        b".",
    ];
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..64),
        proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..24)
            .prop_map(|pieces| pieces.concat()),
        // An array, or an archive, with some bytes replaced.
        (any::<bool>(), proptest::collection::vec((0..400_usize, any::<u8>()), 0..4)).prop_map(
            |(packed, changes)| {
                let mut bytes =
                    array("[('a', '<f8', (2,)), ('b', '>M8[ns]')]", "False", "(2,)", &[0; 48]);
                if packed {
                    bytes = archive(&[("a.npy", &bytes)]);
                }
                for (at, byte) in changes {
                    let length = bytes.len();
                    bytes[at % length] = byte;
                }
                bytes
            }
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn nothing_panics(expected in bytes(), actual in bytes()) {
        for format in FORMATS {
            let policy = Policy::default();
            let comparison = compare(format, &expected, &actual, &policy);
            prop_assert_eq!(comparison.rung == Rung::SameBytes, expected == actual);
            let different = comparison.rung > Rung::SameNormalised;
            prop_assert_eq!(comparison.divergence.is_some(), different);
            let written = serde_json::to_string(&comparison).unwrap();
            prop_assert!(written.len() < 10_000);
            prop_assert_eq!(compare(format, &expected, &expected, &policy).rung, Rung::SameBytes);
        }
    }

    #[test]
    fn what_is_read_in_pieces_compares_as_in_memory(one in arrays(), other in arrays()) {
        let ((format, expected), (_, actual)) = (one, other);
        let policy = Policy::default();
        let lens = Lens::new(&policy, None);
        let of = |content: fn(&[u8]) -> Content| {
            let contents = [content(&expected), content(&actual)];
            compare_numbers(format, [&contents[0], &contents[1]], [lens, lens])
        };
        let (in_memory, _) = of(|bytes| Content::Memory(bytes.into()));
        let (in_pieces, _) = of(|bytes| Content::Large(Arc::new(InPieces(bytes.to_vec()))));
        // Without a look at all bytes it is not known that these are equal.
        let rung = in_memory.rung.max(Rung::SameNormalised);
        prop_assert_eq!(in_pieces.rung.max(Rung::SameNormalised), rung);
        prop_assert_eq!(in_pieces.divergence, in_memory.divergence);
        prop_assert_eq!(in_pieces.arrays, in_memory.arrays);
        prop_assert_eq!(in_pieces.unread, in_memory.unread);
    }

    #[test]
    fn which_is_expected_decides_only_relative_distances(expected in bytes(), actual in bytes()) {
        let policy = Policy { tolerance: Tolerance::new(0.5, 0.0).unwrap(), ..Policy::default() };
        for format in FORMATS {
            let (there, back) =
                (compare(format, &expected, &actual, &policy), compare(format, &actual, &expected, &policy));
            prop_assert_eq!(there.rung, back.rung);
            prop_assert_eq!(there.rules, back.rules);
        }
    }

    #[test]
    fn only_needed_rules_are_named(expected in bytes(), actual in bytes()) {
        let all = compare(Format::Text, &expected, &actual, &Policy::default());
        let named = Policy { rules: all.rules.iter().copied().collect(), ..Policy::default() };
        if all.rung < Rung::OtherText {
            prop_assert!(compare(Format::Text, &expected, &actual, &named).rung <= all.rung);
        }
    }
}
