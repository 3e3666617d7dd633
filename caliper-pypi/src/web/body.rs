use std::fs::File;
use std::io::{self, Read as _};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};

/// How much of a file is sent at once.
const PART: u64 = 64 << 10;

/// What an answer is followed by.
pub(crate) enum Content {
    /// These bytes.
    Bytes(Bytes),
    /// So many bytes of a file, from where it stands.
    File { file: File, left: u64 },
}

impl Content {
    /// Nothing.
    pub(crate) fn empty() -> Self {
        Self::Bytes(Bytes::new())
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::File { left: 0, .. } => Poll::Ready(None),
            Self::File { file, left } => {
                let mut part =
                    Vec::with_capacity(usize::try_from(PART.min(*left)).unwrap_or_default());
                // A read of a local file: too short to be worth a hand-over to another thread.
                let read = file.take(PART.min(*left)).read_to_end(&mut part);
                Poll::Ready(Some(read.and_then(|count| {
                    if count == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into()); // it was cut meanwhile
                    }
                    *left -= count as u64;
                    Ok(Frame::data(part.into()))
                })))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.size_hint().exact() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { left, .. } => *left,
        })
    }
}
