use super::{ResultStore, StoreError};
use crate::facts::record::BlobRef;

/// The most that stands in a record itself, so that records can be read, diffed and merged.
const INLINE: usize = 16 << 10;

/// What a program printed, as a record keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The output as text; shortened in the middle if it is long.
    pub text: String,
    /// The whole output, if the text is not.
    pub blob: Option<BlobRef>,
}

impl Output {
    /// Stores output. `dropped` bytes were already cut from its middle. Long, cut or non-UTF-8 output goes
    /// to a blob in `store`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be written.
    pub fn keep(bytes: &[u8], dropped: u64, store: &dyn ResultStore) -> Result<Self, StoreError> {
        if bytes.len() <= INLINE
            && dropped == 0
            && let Ok(text) = std::str::from_utf8(bytes)
        {
            return Ok(Self { text: text.to_owned(), blob: None });
        }
        let blob = store.save_blob(bytes)?;
        let half = bytes.len().min(INLINE) / 2;
        let (head, rest) = bytes.split_at(half);
        let (middle, tail) = rest.split_at(rest.len() - half.min(rest.len()));
        let left_out = middle.len() as u64 + dropped;
        let mut text = String::from_utf8_lossy(head).into_owned();
        if left_out > 1 {
            text += &format!("\n… {left_out} bytes left out …\n");
        } else {
            text += &String::from_utf8_lossy(middle);
        }
        text += &String::from_utf8_lossy(tail);
        Ok(Self { text, blob: Some(blob) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::store::MemoryStore;

    #[test]
    fn long_or_strange_output_goes_to_a_blob() {
        let store = MemoryStore::default();
        let keep = |bytes: &[u8], dropped| {
            let Output { text, blob } = Output::keep(bytes, dropped, &store).unwrap();
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
