use std::fs::{self, File};
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use caliper_core::facts::record::{Installed, Record, RecordedFile};
use caliper_core::facts::store::{DirStore, ResultStore as _};
use caliper_core::facts::testing::record;
use caliper_core::names::Sha256;
use caliper_core::question::files::FilesInMemory;
use caliper_core::question::grid::FileKind;
use caliper_core::report::ro_crate::{self, CrateFile, StudyInfo};
use zip::write::SimpleFileOptions;

use super::*;
use crate::project::Project;

/// A project with one record, whose environment has one file.
struct Study {
    folder: tempfile::TempDir,
    records: Vec<Record>,
}

const WHEEL: &str = "demo-1.0-py3-none-any.whl";

impl Study {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("study/caliper.yaml", "analysis: {dependency: demo}\n");
        write("study/t.py", "import demo\n");
        write("study/data/a b.txt", "1\n");
        write(&format!("files/{WHEEL}"), "a wheel");
        let mut record = record("1.0", "3.11");
        let mut demo = Installed::new("demo", "1.0");
        demo.file = Some(RecordedFile {
            filename: WHEEL.to_owned(),
            url: format!("https://files.example/{WHEEL}"),
            sha256: Some(Sha256::of(b"a wheel")),
            kind: FileKind::Wheel,
            upload_time: None,
            size: None,
        });
        record.environment.installed = vec![demo];
        let store = DirStore::open(folder.path().join("study/.caliper")).unwrap();
        store.save(&record).unwrap();
        store.save_blob(b"a log").unwrap();
        Self { folder, records: vec![record] }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self) -> Vec<u8> {
        let (root, store) = (self.path("study"), DirStore::read_only(self.path("study/.caliper")));
        let configuration = root.join("caliper.yaml");
        let project = Project::read(&root, Some(&configuration)).unwrap();
        let files = FilesInMemory::default().with(WHEEL, self.path(&format!("files/{WHEEL}")));
        let study = StudyFiles {
            info: &info(),
            configuration: &configuration,
            project: &project,
            store: &store,
            records: &self.records,
            files: Some(&files),
        };
        let mut out = Cursor::new(Vec::new());
        let written = write(study, &mut out, Path::new("out.zip")).unwrap();
        assert_eq!((written.locks, written.files, written.not_locked.len()), (1, 1, 0));
        out.into_inner()
    }

    /// What unpacking a file says, with the path of the bundle masked.
    fn unpack(&self, bytes: &[u8]) -> Result<Unpacked, String> {
        let (bundle, folder) = (self.path("b.zip"), self.path("again"));
        fs::write(&bundle, bytes).unwrap();
        let places =
            Places { results: Path::new(".caliper"), files: Path::new(".caliper/cache/files") };
        let unpacked = Bundle::open(&bundle).and_then(|mut bundle| bundle.unpack(&folder, places));
        unpacked.map_err(|error| {
            assert!(!folder.exists());
            let here = self.folder.path().display().to_string();
            crate::runner::chain(&error).replace(&here, "")
        })
    }
}

fn info() -> StudyInfo {
    StudyInfo {
        name: "A study".to_owned(),
        dependency: "demo".parse().unwrap(),
        started: "2026-01-01".parse().unwrap(),
        finished: "2026-01-02".parse().unwrap(),
        cells: 1,
        caliper: "0.1.0".to_owned(),
        license: None,
        author: None,
        configuration: "project/caliper.yaml".to_owned(),
    }
}

/// A bundle with these files, all of them described.
fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
    let listed: Vec<CrateFile> = files
        .iter()
        .map(|(path, content)| CrateFile {
            path: (*path).to_owned(),
            description: String::new(),
            size: content.len() as u64,
            sha256: Sha256::of(content),
        })
        .collect();
    let described = ro_crate::metadata(&info(), &listed);
    archive(&[&[(ro_crate::FILE, described.as_bytes())], files].concat())
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in files {
        archive.start_file(*path, SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[test]
fn what_is_written_is_unpacked() {
    let study = Study::new();
    let bytes = study.write();
    assert_eq!(bytes, study.write(), "equal studies give equal bytes");
    let unpacked = study.unpack(&bytes).unwrap();
    assert_eq!((unpacked.parts, unpacked.files), (5, 1));
    let read = |path: &str| fs::read_to_string(study.path("again").join(path)).unwrap();
    assert_eq!(read("caliper.yaml"), "analysis: {dependency: demo}\n");
    assert_eq!(read("data/a b.txt"), "1\n");
    let digest = Sha256::of(b"a wheel").hex();
    assert_eq!(read(&format!(".caliper/cache/files/{digest}/{WHEEL}")), "a wheel");
    let store = DirStore::read_only(study.path("again/.caliper"));
    assert_eq!(store.records().unwrap().0, study.records);
    // It is never unpacked over something.
    let path = study.path("b.zip");
    let places = Places { results: Path::new(".caliper"), files: Path::new("files") };
    let again = Bundle::open(&path).unwrap().unpack(&study.path("again"), places).unwrap_err();
    assert!(matches!(again, BundleError::Exists { .. }), "{again}");
}

#[test]
fn what_is_not_a_bundle_is_refused() {
    let study = Study::new();
    let config: (&str, &[u8]) = ("project/caliper.yaml", b"x");
    let whole = study.write();
    let described = |files: &[(&str, &[u8])]| packed(&[&[config], files].concat());
    let listed = CrateFile {
        path: config.0.to_owned(),
        description: String::new(),
        size: 2,
        sha256: Sha256::of(b"xy"),
    };
    let metadata = ro_crate::metadata(&info(), &[listed]);
    let lied =
        |content: &[u8]| archive(&[(ro_crate::FILE, metadata.as_bytes()), (config.0, content)]);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("no zip", b"no zip".to_vec()),
        ("cut", whole[..whole.len() / 2].to_vec()),
        ("foreign", archive(&[("a.txt", b"1")])),
        ("not described", {
            let inner = ro_crate::metadata(
                &info(),
                &[CrateFile {
                    path: config.0.into(),
                    description: String::new(),
                    size: 1,
                    sha256: Sha256::of(b"x"),
                }],
            );
            archive(&[(ro_crate::FILE, inner.as_bytes()), config, ("project/extra", b"1")])
        }),
        ("missing", archive(&[(ro_crate::FILE, metadata.as_bytes())])),
        ("shorter", lied(b"x")),
        ("longer", lied(b"xyz")),
        ("other content", lied(b"xz")),
        ("outside", described(&[("../../evil", b"1")])),
        ("absolute", described(&[("/etc/evil", b"1")])),
        ("own folder", described(&[("project/.caliper/records/x.json", b"1")])),
        ("unknown folder", described(&[("elsewhere/x", b"1")])),
        ("deeper record", described(&[("records/a/b.json", b"1")])),
        (
            "file under another digest",
            described(&[(&format!("files/{}/a.whl", "0".repeat(64)), b"1")]),
        ),
        ("lock without a record", described(&[("locks/1.0-py3.11/pylock.toml", b"1")])),
        ("damaged record", described(&[("records/1.0-py3.11.json", b"{}")])),
    ];
    let told: Vec<String> = cases
        .into_iter()
        .map(|(name, bytes)| match study.unpack(&bytes) {
            Ok(_) => format!("{name}: unpacked"),
            Err(error) => format!("{name}: {error}"),
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @"
    no zip: `/b.zip` is not a bundle of `caliper bundle`: invalid Zip archive: Could not find EOCD
    cut: `/b.zip` is not a bundle of `caliper bundle`: invalid Zip archive: Could not find EOCD
    foreign: `/b.zip` is not a bundle of `caliper bundle`: it has no `ro-crate-metadata.json`
    not described: `/b.zip` is damaged: `project/extra` is not described
    missing: `/b.zip` is damaged: `project/caliper.yaml` is missing
    shorter: `/b.zip` is not a bundle of `caliper bundle`: `project/caliper.yaml`: it is shorter than described
    longer: `/b.zip` is not a bundle of `caliper bundle`: `project/caliper.yaml`: it is longer than described
    other content: `/b.zip` is not a bundle of `caliper bundle`: `project/caliper.yaml`: it does not have the digest that is described
    outside: `/b.zip` is not a bundle of `caliper bundle`: its file `../../evil` has a path that leads elsewhere
    absolute: `/b.zip` is not a bundle of `caliper bundle`: its file `/etc/evil` has a path that leads elsewhere
    own folder: `/b.zip` is damaged: `project/.caliper/records/x.json` belongs nowhere
    unknown folder: `/b.zip` is damaged: `elsewhere/x` belongs nowhere
    deeper record: `/b.zip` is damaged: `records/a/b.json` belongs nowhere
    file under another digest: `/b.zip` is damaged: `files/0000000000000000000000000000000000000000000000000000000000000000/a.whl` belongs nowhere
    lock without a record: `/b.zip` is damaged: the lock of locks/1.0-py3.11/pylock.toml is not that of its record
    damaged record: `/b.zip` is not a bundle of `caliper bundle`: `records/1.0-py3.11.json` is damaged: missing field `schema` at line 1 column 2
    ");
    assert!(!study.path("evil").exists() && File::open("/etc/evil").is_err());
}

#[test]
fn a_lock_that_is_not_that_of_its_record_is_refused() {
    let study = Study::new();
    let record = fs::read(study.path("study/.caliper/records/1.0-py3.11.json")).unwrap();
    let bytes = packed(&[
        ("project/caliper.yaml", b"x"),
        ("records/1.0-py3.11.json", &record),
        ("locks/1.0-py3.11/pylock.toml", b"lock-version = \"1.0\"\n"),
    ]);
    insta::assert_snapshot!(study.unpack(&bytes).unwrap_err(), @"`/b.zip` is damaged: the lock of 1.0/3.11 is not that of its record");
}
