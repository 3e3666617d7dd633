//! The chosen files of real projects, against those that PyPA's `packaging` would choose (see
//! `choices/record.py`).
//!
//! `CALIPER_CHOICES` names a folder of other recordings to compare with, such as some made just now.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::Read as _;
use std::path::{Path, PathBuf};

use caliper_core::names::{PythonVersion, Sha256};
use caliper_core::question::grid::{Choice, DistFile, FileKind};
use caliper_core::question::interpreter::{Implementation, Interpreter, Libc, Platform};
use caliper_core::question::selection::Selection;
use caliper_pypi::index::Project;
use caliper_pypi::resolve::resolve_project;

fn recorded(path: &Path) -> String {
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    text
}

fn file(words: &[&str]) -> DistFile {
    let [filename, requires_python, yanked] = words else { panic!("{words:?}") };
    DistFile {
        filename: (*filename).to_owned(),
        url: format!("https://files.example/{filename}"),
        sha256: None,
        size: None,
        kind: FileKind::Wheel,
        upload_time: None,
        requires_python: Some((*requires_python).to_owned()).filter(|text| !text.is_empty()),
        yanked: !yanked.is_empty(),
    }
}

/// Reads `cpython 3.11 cp311 linux x86_64 glibc 2 36`.
fn interpreter(facts: &str) -> Interpreter {
    let words: Vec<&str> = facts.split(' ').collect();
    let ["cpython", python, abi, "linux", arch, libc, major, minor] = words[..] else {
        panic!("{facts}")
    };
    let (major, minor) = (major.parse().unwrap(), minor.parse().unwrap());
    let libc = match libc {
        "glibc" => Libc::Glibc { major, minor },
        _ => Libc::Musl { major, minor },
    };
    let version: PythonVersion = python.parse().unwrap();
    Interpreter {
        python: version.with_free_threading(abi.ends_with('t')),
        version: python.parse().unwrap(),
        implementation: Implementation::CPython,
        abi: abi.parse().unwrap(),
        platform: Platform::Linux { arch: arch.to_owned(), libc },
    }
}

/// How many cells were compared; panics at the first grid that differs.
fn compare(path: &Path) -> usize {
    let text = recorded(path);
    let name = path.file_name().unwrap().to_str().unwrap();
    let name = name.strip_suffix(".txt.gz").unwrap().parse().unwrap();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    let files = lines.iter().filter(|line| line[0] == "file");
    let project = Project::from_files(name, files.map(|line| file(&line[1..])));
    let selection = Selection { pre: true, ..Selection::default() };
    let mut compared = 0;
    for grid in lines.iter().filter(|line| line[0] == "grid") {
        let [_, facts, rows, filled, digest] = grid[..] else { panic!("{grid:?}") };
        let name = project.name().clone();
        let found = resolve_project(&project, &name, &selection, &[interpreter(facts)]).unwrap();
        let chosen: Vec<&str> = found
            .cells
            .iter()
            .map(|cell| match &cell.choice {
                Choice::File { file, .. } => file.filename.as_str(),
                Choice::Missing(_) => "-",
            })
            .collect();
        let text = chosen.join("\n") + "\n";
        let counts = [chosen.len(), chosen.iter().filter(|name| **name != "-").count()];
        assert_eq!(
            (counts.map(|count| count.to_string()), Sha256::of(text.as_bytes()).hex()),
            ([rows, filled].map(str::to_owned), digest.to_owned()),
            "{name} for {facts}:\n{text}",
        );
        compared += chosen.len();
    }
    compared
}

#[test]
fn choices_are_those_of_packaging() {
    let folder = std::env::var_os("CALIPER_CHOICES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/choices"), PathBuf::from);
    let mut compared = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "gz") {
            let cells = compare(&path);
            println!("{}: {cells} cells agree", path.display());
            compared += cells;
        }
    }
    assert!(compared > 1000, "only {compared} cells were compared");
}
