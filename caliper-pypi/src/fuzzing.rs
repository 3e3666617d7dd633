//! Properties that hold for any input bytes.
//!
//! Each function is what a target of `caliper-pypi/fuzz/` hands to libFuzzer, and panics if something
//! does not hold. The test below runs it over the seeds in that folder, among which is every input
//! that ever failed. Only tests and fuzzing builds have this module.

use std::collections::HashMap;
use std::error::Error;
use std::fmt::Debug;
use std::io::Write as _;
use std::str::FromStr;
use std::sync::LazyLock;

use caliper_core::names::{AbiTag, PackageName, PythonVersion};
use caliper_core::question::grid::{Choice, Grid, MissingReason};
use caliper_core::question::interpreter::{Implementation, Interpreter, Libc, Platform};
use caliper_core::question::selection::{SdistPolicy, Selection};
use pep440_rs::Version;
use url::Url;

use crate::compatibility::SupportedTags;
use crate::index::{self, FileName, Project, Release};
use crate::metadata::{self, Metadata};
use crate::resolve::resolve_project;
use crate::sdist::SdistName;
use crate::tag::{PlatformTag, Tag};
use crate::wheel::WheelName;

/// A file name that could be that of a wheel.
pub fn wheel_name(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let name: WheelName = match text.parse() {
        Ok(name) => name,
        Err(error) => return assert_printable(&error),
    };
    assert_plain_file_name(&text);
    assert_prints_as(&name, &text);
    assert_round_trip(name.version());
    let tags: Vec<Tag> = name.tags().collect();
    tags.iter().for_each(assert_round_trip);
    assert_eq!(tags.len(), name.pythons().count() * name.abis().count() * name.platforms().count());
    for python in &*PYTHONS {
        let rank = tags.iter().filter_map(|tag| python.ranks.get(tag)).min();
        assert_eq!(python.supported.rank(&name), rank.copied(), "{text}");
        assert_eq!(python.supported.mismatch(&name).is_none(), rank.is_some(), "{text}");
    }
}

/// A project's name on the first line, and behind it a file name that could be that of a source
/// distribution.
pub fn sdist_name(data: &[u8]) {
    let Some((project, rest)) = project_and_rest(data) else { return };
    let text = String::from_utf8_lossy(rest);
    let name = match SdistName::parse(&text, &project) {
        Ok(name) => name,
        Err(error) => return assert_printable(&error),
    };
    assert_plain_file_name(&text);
    assert_eq!(name.to_string(), text);
    assert_round_trip(name.version());
    assert_eq!(SdistName::parse(&name.to_string(), &project), Ok(name));
}

/// A tag, or one of its parts.
pub fn tag(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let lower = text.to_ascii_lowercase();
    match text.parse::<Tag>() {
        Ok(tag) => {
            assert_prints_as(&tag, &lower);
            // What is a tag is one in the name of a wheel, too.
            let wheel = format!("a-1-{tag}.whl");
            if wheel.len() <= 255 {
                let wheel: WheelName = wheel.parse().expect("a tag is the end of a wheel's name");
                assert_eq!(wheel.tags().collect::<Vec<_>>(), [tag]);
            }
        }
        Err(error) => assert_printable(&error),
    }
    let platform = PlatformTag::of(&text);
    assert_eq!(platform.to_string(), lower);
    assert_eq!(PlatformTag::of(&lower), platform);
    if let Some(machine) = platform.platform() {
        let supported = SupportedTags::of(&interpreter("3.11", machine));
        let always = matches!(
            platform,
            PlatformTag::Linux { .. } | PlatformTag::MuslLinux { .. } | PlatformTag::Windows { .. }
        );
        if let Ok(wheel) = format!("a-1-py3-none-{lower}.whl").parse::<WheelName>() {
            assert!(supported.rank(&wheel).is_some() || !always, "{text}");
        }
    }
    match text.parse::<PythonVersion>() {
        Ok(python) => assert_round_trip(&python),
        Err(error) => assert_printable(&error),
    }
    match text.parse::<AbiTag>() {
        Ok(abi) => assert_prints_as(&abi, &text),
        Err(error) => assert_printable(&error),
    }
}

/// A project's name on the first line, and behind it the answer of an index in JSON.
pub fn index_json(data: &[u8]) {
    index_answer("application/vnd.pypi.simple.v1+json", data);
}

/// A project's name on the first line, and behind it the answer of an index in HTML.
pub fn index_html(data: &[u8]) {
    index_answer("text/html", data);
}

/// The METADATA of a wheel.
pub fn metadata(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Some(metadata) = Metadata::parse(&text) else { return };
    let mut written = format!("Name: {}\nVersion: {}\n", metadata.name, metadata.version);
    if let Some(requires_python) = &metadata.requires_python {
        written += &format!("Requires-Python: {requires_python}\n");
    }
    for requires_dist in &metadata.requires_dist {
        written += &format!("Requires-Dist: {requires_dist}\n");
    }
    for extra in &metadata.provides_extra {
        written += &format!("Provides-Extra: {extra}\n");
    }
    assert_eq!(Metadata::parse(&written), Some(metadata));
}

/// A file that could be a wheel.
pub fn wheel_archive(data: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().expect("a folder for temporary files");
    file.write_all(data).expect("room for a file");
    match metadata::record_paths(file.path()) {
        Ok(paths) => {
            assert!(paths.is_sorted());
            for path in &paths {
                let leads_out = |part: &str| matches!(part, "" | "." | "..");
                assert!(!path.split(['/', '\\']).any(leads_out), "{path:?}");
            }
        }
        Err(error) => assert_printable(&error),
    }
    match metadata::read_metadata_bytes(file.path()) {
        Ok(bytes) => assert!(bytes.len() <= 16 << 20),
        Err(error) => assert_printable(&error),
    }
}

fn index_answer(content_type: &str, data: &[u8]) {
    let Some((name, body)) = project_and_rest(data) else { return };
    match index::read_answer(&name, content_type, &BASE, body) {
        Ok(project) => {
            assert_sound(&project, body.len());
            assert_resolves(&project);
        }
        Err(expected) => assert_printable_text(&expected),
    }
}

/// That a project is in order, that its parts agree, and that it is not much larger than what it
/// was read from.
fn assert_sound(project: &Project, read: usize) {
    let releases = project.releases();
    assert!(releases.is_sorted_by(|a, b| a.version() < b.version()));
    let versions: Vec<&Version> = releases.iter().map(Release::version).collect();
    assert_total_order(&versions[..versions.len().min(12)]);
    let mut size = 0;
    for release in releases {
        assert!(release.version().to_string().len() <= 300);
        let files = release.files();
        assert!(files.is_sorted_by(|a, b| a.file.filename < b.file.filename));
        for file in files {
            let facts = &file.file;
            assert_eq!(file.name.to_string(), facts.filename);
            assert_plain_file_name(&facts.filename);
            let version = match &file.name {
                FileName::Wheel(name) => name.version(),
                FileName::Sdist(name) => name.version(),
            };
            assert_eq!(version, release.version());
            let url: Url = facts.url.parse().expect("an absolute address");
            assert_eq!(url.as_str(), facts.url);
            assert!(matches!(url.scheme(), "http" | "https") && url.has_host());
            assert!(url.username().is_empty() && url.password().is_none());
            facts.upload_time.iter().for_each(assert_round_trip);
            size += facts.url.len() + facts.requires_python.as_ref().map_or(0, String::len);
        }
    }
    for file in project.malformed() {
        assert_printable(&file.fault);
        size += file.filename.len() + file.fault.to_string().len();
    }
    assert!(size <= 10_000 + 1_000 * read, "{size} bytes out of {read}");
}

/// That whatever is asked of a project has an answer, and the same in whatever order its files
/// came.
fn assert_resolves(project: &Project) {
    let name = project.name();
    let files = project.releases().iter().flat_map(Release::files);
    let files: Vec<_> = files.map(|file| file.file.clone()).collect();
    let forwards = Project::from_files(name.clone(), files.iter().cloned());
    let backwards = Project::from_files(name.clone(), files.into_iter().rev());
    assert_eq!(forwards, backwards);
    let pythons = PYTHONS.iter().step_by(2);
    let interpreters: Vec<Interpreter> = pythons.map(|python| python.interpreter.clone()).collect();
    let as_of = "2020-01-01".parse().ok();
    for selection in [
        Selection::default(),
        Selection { pre: true, yanked: true, sdist: SdistPolicy::Never, ..Selection::default() },
        Selection { pre: true, sdist: SdistPolicy::Only, as_of, ..Selection::default() },
    ] {
        match resolve_project(project, name, &selection, &interpreters) {
            Ok(grid) => assert_grid(&grid, project),
            Err(error) => assert_printable(&error),
        }
    }
}

fn assert_grid(grid: &Grid, project: &Project) {
    assert!(grid.cells.is_sorted_by(|a, b| a.id < b.id));
    for cell in &grid.cells {
        let place =
            project.releases().binary_search_by(|release| release.version().cmp(&cell.id.version));
        let release = &project.releases()[place.expect("the row of a release")];
        let named = |name: &str| release.files().iter().any(|file| file.file.filename == name);
        match &cell.choice {
            Choice::File { file, .. } => assert!(named(&file.filename)),
            Choice::Missing(missing) => {
                assert!(missing.nearest.iter().all(|name| named(name)));
                assert!(missing.nearest.is_some() || missing.mismatch.is_none());
                let why_of_a_file = matches!(
                    missing.reason,
                    MissingReason::RequiresPython
                        | MissingReason::Yanked
                        | MissingReason::NoUploadTime
                );
                assert!(missing.nearest.is_some() || !why_of_a_file);
            }
        }
    }
    let written = serde_json::to_string(grid).expect("a grid can be written");
    let read: Grid = serde_json::from_str(&written).expect("what was written can be read");
    assert_eq!(&read, grid);
}

/// Interpreters of every sort.
struct Python {
    interpreter: Interpreter,
    supported: SupportedTags,
    ranks: HashMap<Tag, u32>,
}

static PYTHONS: LazyLock<Vec<Python>> = LazyLock::new(|| {
    let linux = |libc| Platform::Linux { arch: "x86_64".to_owned(), libc };
    let glibc = || linux(Libc::Glibc { major: 2, minor: 36 });
    let mac = Platform::MacOs { major: 14, minor: 0, arch: "arm64".to_owned() };
    let windows = Platform::Windows { arch: "amd64".to_owned() };
    let pypy = Interpreter {
        implementation: Implementation::PyPy,
        abi: "pypy39_pp73".parse().expect("an ABI"),
        ..interpreter("3.9", glibc())
    };
    let interpreters = [
        interpreter("2.7", glibc()),
        pypy,
        interpreter("3.11", glibc()),
        interpreter("3.12", linux(Libc::Musl { major: 1, minor: 2 })),
        interpreter("3.13", mac),
        interpreter("3.13t", windows),
    ];
    let pythons = interpreters.into_iter().map(|interpreter| {
        let supported = SupportedTags::of(&interpreter);
        let mut ranks = HashMap::new();
        for (rank, tag) in (0..).zip(supported.tags()) {
            ranks.entry(tag).or_insert(rank);
        }
        Python { interpreter, supported, ranks }
    });
    pythons.collect()
});

fn interpreter(python: &str, platform: Platform) -> Interpreter {
    Interpreter::assumed(python.parse().expect("a Python"), platform)
}

/// Where the answers seem to come from.
static BASE: LazyLock<Url> =
    LazyLock::new(|| "https://index.example/simple/x/".parse().expect("an address"));

fn project_and_rest(data: &[u8]) -> Option<(PackageName, &[u8])> {
    let end = data.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = data.split_at(end);
    Some((std::str::from_utf8(line).ok()?.parse().ok()?, &rest[1..]))
}

fn assert_prints_as<T>(value: &T, text: &str)
where
    T: ToString + FromStr<Err: Debug> + PartialEq + Debug,
{
    assert_eq!(value.to_string(), text);
    assert_round_trip(value);
}

fn assert_round_trip<T>(value: &T)
where
    T: ToString + FromStr<Err: Debug> + PartialEq + Debug,
{
    let read = value.to_string().parse::<T>();
    assert_eq!(&read.expect("what was printed can be read"), value);
}

/// That the order of these values is total, and agrees with equality.
pub(crate) fn assert_total_order<T: Ord + Debug>(values: &[T]) {
    for a in values {
        for b in values {
            assert_eq!(a.cmp(b), b.cmp(a).reverse(), "{a:?} and {b:?}");
            assert_eq!(a == b, a.cmp(b).is_eq(), "{a:?} and {b:?}");
            for c in values {
                assert!(a > b || b > c || a <= c, "{a:?}, {b:?} and {c:?}");
            }
        }
    }
}

/// That a name can be part of a path and of a line.
fn assert_plain_file_name(name: &str) {
    assert!(name.len() <= 255, "{name:?}");
    assert!(name.bytes().all(|byte| byte.is_ascii_graphic()), "{name:?}");
    assert!(!name.contains(['/', '\\']), "{name:?}");
}

/// That an error and what lies beneath it fit on a terminal.
fn assert_printable(error: &dyn Error) {
    let mut next = Some(error);
    while let Some(error) = next {
        assert_printable_text(&error.to_string());
        next = error.source();
    }
}

fn assert_printable_text(text: &str) {
    assert!(text.len() <= 2_000, "{} bytes: {text}", text.len());
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    type Holds = fn(&[u8]);

    const TARGETS: [(&str, Holds); 7] = [
        ("wheel_name", wheel_name),
        ("sdist_name", sdist_name),
        ("tag", tag),
        ("index_json", index_json),
        ("index_html", index_html),
        ("metadata", metadata),
        ("wheel_archive", wheel_archive),
    ];

    #[test]
    fn every_seed_holds() {
        for (target, holds) in TARGETS {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
            let mut seeds = 0;
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                println!("{}", path.display()); // names the seed if it fails
                holds(&std::fs::read(path).unwrap());
                seeds += 1;
            }
            assert!(seeds > 0, "no seeds for {target}");
        }
    }
}
