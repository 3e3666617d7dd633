//! Serves a folder as a package index until standard input ends: `cargo run --example serve FOLDER`.
#![expect(clippy::print_stdout, reason = "the address must reach whoever started this")]

use caliper_pypi::serve::{FolderServer, ServeOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("name a folder of wheels")?;
    let server = FolderServer::start(folder, ServeOptions::default())?;
    println!("{}", server.address());
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}
