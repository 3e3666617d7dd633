//! Archives for the engine: what a build is sent, of which only what its Dockerfile copies, and the
//! project for the container of a test.

use std::io::{self, Write};
use std::path::PathBuf;

use hyper::body::Bytes;
use tokio::sync::mpsc;

use super::dockerfile::{DOCKERFILE, WORK};
use crate::project::Project;

/// The parts of a context.
///
/// Written as an archive without compression: the engine is at the other end of a socket, and
/// shiplift's own archive, compressed as far as it goes, takes longer than most builds. Equal parts
/// give equal bytes, so that the engine knows them again.
#[derive(Debug, Clone)]
pub(super) struct Context {
    /// What is built.
    pub(super) dockerfile: String,
    /// The files to install.
    pub(super) files: Vec<PathBuf>,
    /// What it copies of the project.
    pub(super) project: Project,
}

impl Context {
    pub(super) fn stream(self) -> hyper::Body {
        stream(move |archive| self.write(archive))
    }

    fn write(&self, archive: &mut tar::Builder<impl Write>) -> io::Result<()> {
        append(archive, DOCKERFILE, self.dockerfile.as_bytes())?;
        // So that the engine takes both out of the context before `COPY .` sees them.
        let ignored = format!("{DOCKERFILE}\n.dockerignore\n");
        append(archive, ".dockerignore", ignored.as_bytes())?;
        self.project.append_to(archive, "", &[".dockerignore"])?;
        for path in &self.files {
            let mut file = std::fs::File::open(path)?;
            let mut header = header(0o644, file.metadata()?.len());
            let name = path.file_name().unwrap_or_default();
            archive.append_data(&mut header, name, &mut file)?;
        }
        Ok(())
    }
}

/// The project as it is put into a container, to be unpacked at the top.
pub(super) fn of_project(project: Project) -> hyper::Body {
    stream(move |archive| project.append_to(archive, WORK.trim_start_matches('/'), &[]))
}

/// Hands out an archive piece by piece: a wheel may be larger than what memory there is.
fn stream(
    write: impl FnOnce(&mut tar::Builder<&mut Pieces>) -> io::Result<()> + Send + 'static,
) -> hyper::Body {
    let (sender, receiver) = mpsc::channel(4);
    tokio::task::spawn_blocking(move || {
        let mut pieces = Pieces { sender, buffer: Vec::with_capacity(PIECE) };
        let mut archive = tar::Builder::new(&mut pieces);
        let written = write(&mut archive).and_then(|()| archive.finish());
        drop(archive);
        if let Err(error) = written.and_then(|()| pieces.flush()) {
            // Fails if the build was cancelled and the receiver is gone; then the error does not matter.
            let _ = pieces.sender.blocking_send(Err(error));
        }
    });
    let next = |mut receiver: mpsc::Receiver<io::Result<Bytes>>| async {
        receiver.recv().await.map(|piece| (piece, receiver))
    };
    hyper::Body::wrap_stream(futures_util::stream::unfold(receiver, next))
}

/// Reads an archive that comes piece by piece.
pub(super) struct Incoming {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Incoming {
    pub(super) fn new(pieces: mpsc::Receiver<io::Result<Bytes>>) -> Self {
        Self { pieces, piece: Bytes::new() }
    }
}

impl io::Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.piece.len());
        buffer[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}

fn append(archive: &mut tar::Builder<impl Write>, path: &str, bytes: &[u8]) -> io::Result<()> {
    archive.append_data(&mut header(0o644, bytes.len() as u64), path, bytes)
}

fn header(mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_size(size);
    // No time and no owner: they would make equal contexts differ.
    header.set_mtime(0);
    header
}

const PIECE: usize = 256 << 10;

/// Gathers what is written into pieces worth sending.
struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE));
        self.sender
            .blocking_send(Ok(piece.into()))
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the build was given up"))
    }
}
