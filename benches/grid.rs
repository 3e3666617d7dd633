//! From the bytes of an answer to the grid, beside what `serde_json` alone needs for the same:
//! `cargo bench -p caliper-pypi --bench grid`.
//!
//! The answers are made up, in the size and shape of the real ones. `CALIPER_BENCH_INDEX` names an
//! index to ask for the real ones instead, in simple JSON.
//!
//! `caliper` also reads the answer from the disk and checks that it is whole, as each run of the
//! program does; the others find it in memory. The limit is three times `value`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "this is a benchmark")]

mod answers;

use std::borrow::Cow;
use std::hint::black_box;

use caliper_core::names::PackageName;
use caliper_core::question::interpreter::{Interpreter, Libc, Platform};
use caliper_core::question::selection::Selection;
use caliper_pypi::index::{ClientOptions, IndexClient, PackageIndex as _};
use caliper_pypi::resolve::{pythons_made_for, resolve_project};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde::Deserialize;

/// The least that anybody who chooses files must read.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    files: Vec<File<'a>>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only reading them is measured")]
struct File<'a> {
    filename: &'a str,
    url: &'a str,
    #[serde(borrow)]
    hashes: Hashes<'a>,
    #[serde(borrow, rename = "requires-python")]
    requires_python: Option<Cow<'a, str>>,
    size: Option<u64>,
    #[serde(rename = "upload-time")]
    upload_time: Option<&'a str>,
    yanked: serde_json::Value,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only reading it is measured")]
struct Hashes<'a> {
    sha256: Option<&'a str>,
}

fn grids(criterion: &mut Criterion) {
    let address = std::env::var("CALIPER_BENCH_INDEX").unwrap_or_else(|_| {
        answers::serve(
            [("tensorflow", 139, 1761), ("numpy", 140, 4415)]
                .map(|(name, releases, files)| {
                    (name.to_owned(), answers::answer(name, releases, files))
                })
                .into(),
        )
    });
    let cache = tempfile::tempdir().unwrap();
    let client = |offline| {
        let options = ClientOptions {
            cache: Some(cache.path().to_owned()),
            offline,
            ..ClientOptions::default()
        };
        IndexClient::new(address.parse().unwrap(), options)
    };
    for name in ["tensorflow", "numpy"] {
        let package: PackageName = name.parse().unwrap();
        client(false).project(&package).unwrap();
        let bytes = kept(cache.path(), name);
        let client = client(true);
        let grid = || {
            let project = client.project(&package).unwrap();
            let selection = Selection::default();
            let interpreters: Vec<Interpreter> = pythons_made_for(&project, &selection)
                .exact
                .into_iter()
                .map(|python| Interpreter::assumed(python, debian_12()))
                .collect();
            resolve_project(&project, &package, &selection, &interpreters).unwrap()
        };
        let read: Answer<'_> = serde_json::from_slice(&bytes).unwrap();
        println!(
            "{name}: {} files, {} bytes, {} cells",
            read.files.len(),
            bytes.len(),
            grid().cells.len()
        );

        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function("value", |bencher| {
            bencher
                .iter(|| serde_json::from_slice::<serde_json::Value>(black_box(&bytes)).unwrap());
        });
        group.bench_function("typed", |bencher| {
            bencher.iter(|| serde_json::from_slice::<Answer<'_>>(black_box(&bytes)).unwrap());
        });
        group.bench_function("caliper", |bencher| bencher.iter(grid));
        group.finish();
    }
}

/// The body of the answer that the client kept: what stands behind a line of its own.
fn kept(cache: &std::path::Path, name: &str) -> Vec<u8> {
    let folder = std::fs::read_dir(cache.join("index")).unwrap().next().unwrap().unwrap().path();
    let bytes = std::fs::read(folder.join(format!("{name}.answer"))).unwrap();
    let line = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    bytes[line + 1..].to_vec()
}

fn debian_12() -> Platform {
    Platform::Linux { arch: "x86_64".to_owned(), libc: Libc::Glibc { major: 2, minor: 36 } }
}

criterion_group!(benches, grids);
criterion_main!(benches);
