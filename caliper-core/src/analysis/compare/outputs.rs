//! The outputs of tests, each read once.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Blobs;
use super::comparison::{Comparison, Unlike};
use crate::facts::record::BlobRef;
use crate::facts::store::Content;
use crate::names::Sha256;

/// What was read of outputs so far; equal ones are held once. The analyses of a growing set of records
/// share it, so that nothing is read again.
pub struct Outputs {
    /// How many bytes are held at most, apart from the last output.
    most: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// How long all of `blobs` is.
    bytes: usize,
    /// `None` for a blob that is lost.
    blobs: HashMap<BlobRef, Option<Content>>,
    /// The large ones that were asked for last, which take room on the disk.
    large: VecDeque<(BlobRef, Content)>,
    /// The texts that stand in records, and their digests.
    texts: HashMap<Arc<[u8]>, Sha256>,
    /// How large outputs compare, and how many numbers all of these hold.
    compared: HashMap<Pair, Arc<(Comparison, Unlike)>>,
    numbers: usize,
}

/// Two outputs, and a digest over all else that decides how they compare.
pub(super) type Pair = (Sha256, Sha256, u64);

/// How many numbers of comparisons are held: some 250 MB. A row of five cells with six runs of 100,000 noisy numbers
/// needs about that.
const MOST_NUMBERS: usize = 8_000_000;

/// How many contents are held that are too large for memory. All runs are compared with the first.
const MOST_LARGE: usize = 2;

/// How many bytes are held if nothing else is said: more than a thousand cells with different outputs of
/// 100 KiB.
const MOST_BYTES: usize = 256 << 20;

impl Default for Outputs {
    fn default() -> Self {
        Self::up_to(MOST_BYTES)
    }
}

impl fmt::Debug for Outputs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Outputs").field("bytes", &self.held().bytes).finish_non_exhaustive()
    }
}

impl Outputs {
    /// Holds about `bytes` bytes of long outputs. What comes after that is read each time.
    pub fn up_to(bytes: usize) -> Self {
        Self { most: bytes, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The content of a blob, which `read` is asked for the first time.
    pub(super) fn blob(&self, blob: BlobRef, read: Blobs<'_>) -> Option<Content> {
        let mut held = self.held();
        if let Some(known) = held.blobs.get(&blob) {
            return known.clone();
        }
        if let Some(known) = held.large.iter().position(|(known, _)| *known == blob) {
            let known = held.large.remove(known)?;
            held.large.push_back(known.clone());
            return Some(known.1);
        }
        // Not while the lock is held: reading takes long, and is another's code.
        drop(held);
        let content = read(blob);
        let mut held = self.held();
        match &content {
            Some(Content::Large(_)) => {
                held.large.extend(content.clone().map(|content| (blob, content)));
                if held.large.len() > MOST_LARGE {
                    held.large.pop_front();
                }
            }
            Some(Content::Memory(bytes)) if held.bytes < self.most => {
                held.bytes += bytes.len();
                held.blobs.insert(blob, content.clone());
            }
            None if held.bytes < self.most => drop(held.blobs.insert(blob, None)),
            Some(Content::Memory(_)) | None => {}
        }
        content
    }

    /// A text that stands in a record, and its digest.
    pub(super) fn text(&self, text: &str) -> (Sha256, Arc<[u8]>) {
        let mut held = self.held();
        if let Some((content, digest)) = held.texts.get_key_value(text.as_bytes()) {
            return (*digest, Arc::clone(content));
        }
        let content: Arc<[u8]> = text.as_bytes().into();
        let digest = Sha256::of(&content);
        held.texts.insert(Arc::clone(&content), digest);
        (digest, content)
    }

    /// How two outputs compare, which `compare` is asked the first time; `None` if it cannot tell. The same two are
    /// compared to find whether they differ, and again to find whether that is noise.
    pub(super) fn compared(
        &self,
        pair: Pair,
        compare: impl FnOnce() -> Option<(Comparison, Unlike)>,
    ) -> Option<Arc<(Comparison, Unlike)>> {
        if let Some(known) = self.held().compared.get(&pair) {
            return Some(Arc::clone(known));
        }
        let found = Arc::new(compare()?);
        let mut held = self.held();
        let numbers = found.1.apart.len();
        if held.numbers + numbers > MOST_NUMBERS {
            held.compared.clear();
            held.numbers = 0;
        }
        held.numbers += numbers;
        held.compared.insert(pair, Arc::clone(&found));
        Some(found)
    }

    /// Looks for lost blobs once more: another function to read with may find them.
    pub(in crate::analysis) fn forget_the_lost(&self) {
        self.held().blobs.retain(|_, content| content.is_some());
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn what_is_too_much_is_read_again() {
        let asked = RefCell::new(Vec::new());
        let names: Vec<BlobRef> =
            ["a", "b", "c"].map(|name| BlobRef(Sha256::of(name.as_bytes()))).into();
        let read = |blob: BlobRef| {
            asked.borrow_mut().push(blob);
            (blob != names[2]).then(|| vec![7; 6].into())
        };
        let outputs = Outputs::up_to(10);
        for blob in names.iter().chain(&names) {
            assert_eq!(outputs.blob(*blob, &read).is_some(), *blob != names[2]);
        }
        // Two are held, of 12 bytes; whether the third is lost is asked each time.
        let [a, b, c] = names[..] else { unreachable!() };
        assert_eq!(*asked.borrow(), [a, b, c, c]);

        let outputs = Outputs::default();
        asked.borrow_mut().clear();
        for blob in names.iter().chain(&names) {
            outputs.blob(*blob, &read);
        }
        assert_eq!(*asked.borrow(), [a, b, c]);
        outputs.forget_the_lost();
        outputs.blob(c, &read);
        assert_eq!(*asked.borrow(), [a, b, c, c]);
    }

    #[test]
    fn equal_texts_are_held_once() {
        let outputs = Outputs::default();
        let (digest, one) = outputs.text("5\n");
        let (_, other) = outputs.text("5\n");
        assert_eq!(digest, Sha256::of(b"5\n"));
        assert!(Arc::ptr_eq(&one, &other));
    }
}
