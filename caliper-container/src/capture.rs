//! Output of a program, kept as bytes and with a limit.

use caliper_core::names::{Sha256, Sha256Stream};

/// Output of a program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captured {
    /// What was kept: all of it, or the first and the last half of the limit.
    pub bytes: Vec<u8>,
    /// How many bytes between the halves were dropped.
    pub dropped: u64,
    /// The digest over all of it, if any was.
    pub digest: Option<Sha256>,
}

/// Takes output as it comes and keeps the first and the last half of `limit` bytes: the beginning
/// says what was run, and the end why it failed. Uses no more memory than twice the limit.
#[derive(Debug)]
pub struct Capture {
    limit: usize,
    head: Vec<u8>,
    tail: Vec<u8>,
    dropped: u64,
    /// Over all that came, from when something is dropped.
    digest: Option<Sha256Stream>,
}

impl Capture {
    /// Keeps `limit` bytes.
    pub fn new(limit: u64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self { limit, head: Vec::new(), tail: Vec::new(), dropped: 0, digest: None }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
        let to_head =
            bytes.len().min((self.limit - self.limit / 2).saturating_sub(self.head.len()));
        let (head, tail) = bytes.split_at(to_head);
        self.head.extend_from_slice(head);
        self.tail.extend_from_slice(tail);
        // Cut only now and then, so that each byte is moved a bounded number of times.
        if self.tail.len() >= self.limit {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let surplus = self.tail.len().saturating_sub(self.limit / 2);
        if surplus > 0 && self.digest.is_none() {
            // Until now, all is there.
            let digest = self.digest.insert(Sha256Stream::default());
            digest.update(&self.head);
            digest.update(&self.tail);
        }
        self.tail.drain(..surplus);
        self.dropped += surplus as u64;
    }

    /// What was kept.
    pub fn finish(mut self) -> Captured {
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
