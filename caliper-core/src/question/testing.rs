//! Small grids for tests: the package `demo`, of which each release has one pure wheel.

use crate::names::{PythonVersion, Sha256};
use crate::question::grid::{
    CellId, Choice, DistFile, FileKind, Grid, GridCell, Missing, MissingReason,
};
use crate::question::interpreter::{Interpreter, Libc, Platform};

/// A wheel of this name with an address, and with nothing else.
pub fn wheel(filename: &str) -> DistFile {
    DistFile {
        filename: filename.to_owned(),
        url: format!("https://index.example/{filename}"),
        sha256: None,
        size: None,
        kind: FileKind::Wheel,
        upload_time: None,
        requires_python: None,
        yanked: false,
    }
}

/// The cell of a release of `demo`, whose wheel has a digest.
///
/// # Panics
///
/// If `version` is not a version.
pub fn cell(version: &str, python: PythonVersion) -> GridCell {
    let mut file = wheel(&format!("demo-{version}-py3-none-any.whl"));
    file.sha256 = Some(Sha256::of(version.as_bytes()));
    let choice = Choice::File { file, abi: python.usual_abi() };
    GridCell { id: CellId::new(version.parse().expect("a version"), python), choice }
}

/// The cell of a release without files.
///
/// # Panics
///
/// If `version` is not a version.
pub fn empty_cell(version: &str, python: PythonVersion) -> GridCell {
    let missing = Missing { reason: MissingReason::NoFiles, nearest: None, mismatch: None };
    GridCell { choice: Choice::Missing(missing), ..cell(version, python) }
}

/// A grid of `demo`, as of no date and of no index.
///
/// # Panics
///
/// Never.
pub fn grid(cells: Vec<GridCell>) -> Grid {
    let package = "demo".parse().expect("a name");
    Grid { schema: 1, package, as_of: None, index: None, cells, left_out: Vec::new() }
}

/// The usual CPython on Linux with glibc 2.36.
///
/// # Panics
///
/// If `python` is not a version of Python.
pub fn interpreter(python: &str) -> Interpreter {
    let libc = Libc::Glibc { major: 2, minor: 36 };
    let platform = Platform::Linux { arch: "x86_64".to_owned(), libc };
    Interpreter::assumed(python.parse().expect("a Python"), platform)
}
