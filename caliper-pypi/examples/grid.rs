//! Prints the grid of a project: `cargo run --example grid PROJECT [INDEX] [CACHE]`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program")]

use std::time::Instant;

use caliper_core::names::PythonVersion;
use caliper_core::question::grid::Choice;
use caliper_core::question::interpreter::{Interpreter, Libc, Platform};
use caliper_core::question::selection::Selection;
use caliper_pypi::index::{ClientOptions, IndexAddress, IndexClient, PackageIndex as _};
use caliper_pypi::resolve::{pythons_made_for, resolve_project};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let package = arguments.next().ok_or("name a project")?.parse()?;
    let address: IndexAddress = match arguments.next() {
        Some(text) => text.parse()?,
        None => IndexAddress::default(),
    };
    let options = ClientOptions { cache: arguments.next().map(Into::into), ..Default::default() };
    let debian_12 =
        Platform::Linux { arch: "x86_64".to_owned(), libc: Libc::Glibc { major: 2, minor: 36 } };

    let start = Instant::now();
    let project = IndexClient::new(address, options).project(&package)?;
    let answered = start.elapsed();
    let selection = Selection::default();
    let pythons = pythons_made_for(&project, &selection).exact;
    let pythons: Vec<PythonVersion> =
        if pythons.is_empty() { vec!["3.13".parse()?] } else { pythons.into_iter().collect() };
    let interpreters: Vec<Interpreter> =
        pythons.iter().map(|python| Interpreter::assumed(*python, debian_12.clone())).collect();
    let grid = resolve_project(&project, &package, &selection, &interpreters)?;
    let resolved = start.elapsed().saturating_sub(answered);

    for cell in &grid.cells {
        match &cell.choice {
            Choice::File { file, .. } => println!("{}\t{}", cell.id, file.filename),
            Choice::Missing(missing) => println!("{}\t({})", cell.id, missing.reason),
        }
    }
    eprintln!("{} cells; answer {answered:?}, grid {resolved:?}", grid.cells.len());
    Ok(())
}
