//! The digest of a file.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use caliper_core::names::{Sha256, Sha256Stream};

/// The digest of the content of a file, which is not held in memory.
pub(crate) fn of_file(path: &Path) -> io::Result<Sha256> {
    let mut file = File::open(path)?;
    let mut stream = Sha256Stream::default();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(stream.finish()),
            read => stream.update(&buffer[..read]),
        }
    }
}
