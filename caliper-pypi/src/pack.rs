//! Writes small distributions for tests in which the right answer is known. `serve` can offer them as an index.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;

/// What goes into a distribution: paths, with `/`, and contents.
pub type Contents<'a> = [(&'a str, &'a str)];

/// Writes `NAME-VERSION-py3-none-any.whl` into `folder`, a wheel
/// ([binary distribution format](https://packaging.python.org/en/latest/specifications/binary-distribution-format/))
/// with these files and these requirements ([PEP 508](https://peps.python.org/pep-0508/)). Nothing is
/// checked, so that bad wheels can be written too.
///
/// # Errors
///
/// If the file cannot be written.
pub fn wheel(
    folder: &Path,
    name: &str,
    version: &str,
    requires: &[&str],
    files: &Contents<'_>,
) -> io::Result<PathBuf> {
    let info = format!("{name}-{version}.dist-info");
    let wheel =
        "Wheel-Version: 1.0\nGenerator: caliper\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
    let mut all: Vec<(String, String)> =
        files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    all.push((format!("{info}/METADATA"), metadata(name, version, requires)));
    all.push((format!("{info}/WHEEL"), wheel.to_owned()));
    let mut record = format!("{info}/RECORD,,\n");
    for (path, _) in &all {
        record += &format!("{path},,\n");
    }
    all.push((format!("{info}/RECORD"), record));
    write(folder.join(format!("{name}-{version}-py3-none-any.whl")), &all)
}

/// Writes `NAME-VERSION.zip` into `folder`, a source distribution with these files below its folder.
///
/// # Errors
///
/// If the file cannot be written.
pub fn sdist(
    folder: &Path,
    name: &str,
    version: &str,
    requires: &[&str],
    files: &Contents<'_>,
) -> io::Result<PathBuf> {
    let top = format!("{name}-{version}");
    let mut all = vec![(format!("{top}/PKG-INFO"), metadata(name, version, requires))];
    all.extend(files.iter().map(|(path, text)| (format!("{top}/{path}"), (*text).to_owned())));
    write(folder.join(format!("{top}.zip")), &all)
}

fn metadata(name: &str, version: &str, requires: &[&str]) -> String {
    let mut metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
    for requirement in requires {
        metadata += &format!("Requires-Dist: {requirement}\n");
    }
    metadata
}

fn write(path: PathBuf, files: &[(String, String)]) -> io::Result<PathBuf> {
    let mut archive = zip::ZipWriter::new(File::create(&path)?);
    for (name, text) in files {
        archive.start_file(name.as_str(), SimpleFileOptions::default())?;
        archive.write_all(text.as_bytes())?;
    }
    archive.finish()?.sync_all()?;
    Ok(path)
}
