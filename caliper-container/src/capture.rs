//! Captures the output of a program up to a limit.

use caliper_core::names::Sha256;
#[cfg(any(feature = "docker", feature = "local"))]
use caliper_core::names::Sha256Stream;

/// Output of a program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captured {
    /// The kept bytes: everything, or the first and the last half of the limit.
    pub bytes: Vec<u8>,
    /// The number of bytes dropped between the halves.
    pub dropped: u64,
    /// The digest of the whole output, if any bytes were dropped.
    pub digest: Option<Sha256>,
}

/// Keeps the first and the last half of `limit` bytes: the beginning shows what was run, and the end why
/// it failed. Uses at most twice the limit of memory.
#[cfg(any(feature = "docker", feature = "local"))]
#[derive(Debug)]
pub(crate) struct Capture {
    limit: usize,
    head: Vec<u8>,
    tail: Vec<u8>,
    dropped: u64,
    /// The digest of all output so far; started when bytes are dropped for the first time.
    digest: Option<Sha256Stream>,
}

#[cfg(any(feature = "docker", feature = "local"))]
impl Capture {
    /// Keeps at most `limit` bytes.
    pub(crate) fn new(limit: u64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self { limit, head: Vec::new(), tail: Vec::new(), dropped: 0, digest: None }
    }

    /// Adds bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
        let to_head =
            bytes.len().min((self.limit - self.limit / 2).saturating_sub(self.head.len()));
        let (head, tail) = bytes.split_at(to_head);
        self.head.extend_from_slice(head);
        self.tail.extend_from_slice(tail);
        // Cut only when the tail has doubled, so that each byte is moved a bounded number of times.
        if self.tail.len() >= self.limit {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let surplus = self.tail.len().saturating_sub(self.limit / 2);
        if surplus > 0 && self.digest.is_none() {
            // Nothing was dropped so far, so the kept bytes are the whole output.
            let digest = self.digest.insert(Sha256Stream::default());
            digest.update(&self.head);
            digest.update(&self.tail);
        }
        self.tail.drain(..surplus);
        self.dropped += surplus as u64;
    }

    /// The kept output.
    pub(crate) fn finish(mut self) -> Captured {
        self.cut();
        self.head.append(&mut self.tail);
        let digest = self.digest.map(Sha256Stream::finish);
        Captured { bytes: self.head, dropped: self.dropped, digest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_and_the_end_are_kept() {
        let keep = |limit, chunks: &[&str]| {
            let mut capture = Capture::new(limit);
            for chunk in chunks {
                capture.push(chunk.as_bytes());
            }
            let captured = capture.finish();
            let all = Sha256::of(chunks.concat().as_bytes());
            assert_eq!(captured.digest, (captured.dropped > 0).then_some(all));
            (String::from_utf8(captured.bytes).unwrap(), captured.dropped)
        };
        assert_eq!(keep(10, &["0123456789"]), ("0123456789".into(), 0));
        assert_eq!(keep(10, &["0123456789abc"]), ("0123489abc".into(), 3));
        assert_eq!(keep(10, &["0123", "4567", "89abc", "def"]), ("01234bcdef".into(), 6));
        assert_eq!(keep(0, &["abc"]), (String::new(), 3));
        assert_eq!(keep(1, &["abc"]), ("a".into(), 2));
    }
}
