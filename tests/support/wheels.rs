//! Tiny wheels.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use zip::write::SimpleFileOptions;

/// Writes `NAME-VERSION-py3-none-any.whl`, which requires what `requires` says.
pub fn pure(folder: &Path, name: &str, version: &str, requires: &[&str], files: &[(&str, &str)]) {
    let path = folder.join(format!("{name}-{version}-py3-none-any.whl"));
    let mut archive = zip::ZipWriter::new(File::create(path).unwrap());
    let info = format!("{name}-{version}.dist-info");
    let mut metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
    for requirement in requires {
        metadata += &format!("Requires-Dist: {requirement}\n");
    }
    let wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
    let mut all: Vec<(String, String)> =
        files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    all.push((format!("{info}/METADATA"), metadata));
    all.push((format!("{info}/WHEEL"), wheel.to_owned()));
    let mut record = format!("{info}/RECORD,,\n");
    for (path, _) in &all {
        record += &format!("{path},,\n");
    }
    all.push((format!("{info}/RECORD"), record));
    for (path, text) in all {
        archive.start_file(path, SimpleFileOptions::default()).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap();
}
