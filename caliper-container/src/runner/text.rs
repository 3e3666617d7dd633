//! Output as a record keeps it.

use caliper_core::record::BlobRef;
use caliper_core::store::{ResultStore, StoreError};

use crate::capture::Captured;

/// The most that stands in a record itself, so that records can be read, diffed and merged.
const INLINE: usize = 16 << 10;

/// Output as text, and the blob that holds all of it where the text does not.
pub(super) fn keep(
    captured: &Captured,
    store: &dyn ResultStore,
) -> Result<(String, Option<BlobRef>), StoreError> {
    if captured.bytes.len() <= INLINE
        && captured.dropped == 0
        && let Ok(text) = std::str::from_utf8(&captured.bytes)
    {
        return Ok((text.to_owned(), None));
    }
    let blob = store.save_blob(&captured.bytes)?;
    let half = captured.bytes.len().min(INLINE) / 2;
    let (head, rest) = captured.bytes.split_at(half);
    let (middle, tail) = rest.split_at(rest.len() - half.min(rest.len()));
    let left_out = middle.len() as u64 + captured.dropped;
    let mut text = String::from_utf8_lossy(head).into_owned();
    if left_out > 1 {
        text += &format!("\n… {left_out} bytes left out …\n");
    } else {
        text += &String::from_utf8_lossy(middle);
    }
    text += &String::from_utf8_lossy(tail);
    Ok((text, Some(blob)))
}

/// Seconds to a thousandth: what is beyond is noise, and records are read by people.
pub(super) fn rounded(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use caliper_core::store::MemoryStore;

    use super::*;

    #[test]
    fn long_or_strange_output_goes_to_a_blob() {
        let store = MemoryStore::default();
        let keep = |bytes: &[u8], dropped| {
            let captured = Captured { bytes: bytes.to_owned(), dropped };
            let (text, blob) = keep(&captured, &store).unwrap();
            assert!(blob.is_none_or(|blob| store.blob(blob).unwrap() == bytes));
            (text, blob.is_some())
        };
        assert_eq!(keep(b"", 0), (String::new(), false));
        assert_eq!(keep("é\n".as_bytes(), 0), ("é\n".into(), false));
        assert_eq!(keep(b"abc\xff", 0), ("abc\u{fffd}".into(), true));
        let (text, is_blob) = keep(&vec![b'x'; INLINE + 100], 5);
        assert!(is_blob && text.contains("\n… 105 bytes left out …\n"), "{text}");
        assert!(text.len() < INLINE + 100);
    }
}
