//! 300 projects in one process, with one thread and with two:
//! `cargo bench -p caliper-pypi --bench scale`.
//!
//! Each project is asked of an index on loopback and laid out as a grid, first with nothing kept and
//! then from the cache. The index runs in the same process, and takes its share of the processors
//! while it is asked. The time of the processors (Linux) tells what waiting for others hides: if two
//! threads hindered each other, they would need more of it.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "this is a benchmark")]

mod answers;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use caliper_core::names::PackageName;
use caliper_core::question::interpreter::{Interpreter, Libc, Platform};
use caliper_core::question::selection::Selection;
use caliper_pypi::index::{ClientOptions, IndexClient};
use caliper_pypi::resolve::resolve;

const PROJECTS: usize = 300;
const LAPS: usize = 5;

fn main() {
    // From 12 to 611 files, as real projects lie far apart.
    let made: Vec<(String, String)> = (0..PROJECTS)
        .map(|number| {
            let name = format!("project-{number}");
            let answer = answers::answer(&name, 4 + number / 6, 12 + number * 2);
            (name, answer)
        })
        .collect();
    let bytes: usize = made.iter().map(|(_, answer)| answer.len()).sum();
    let names: Vec<PackageName> = made.iter().map(|(name, _)| name.parse().unwrap()).collect();
    let address = answers::serve(made.into_iter().collect());
    println!("{PROJECTS} projects, {bytes} bytes of answers; the best of {LAPS} laps");

    let mut best = [[f64::INFINITY; 2]; 2];
    let mut busy = [[0; 2]; 2];
    for _ in 0..LAPS {
        for (column, threads) in [1, 2].into_iter().enumerate() {
            let cache = tempfile::tempdir().unwrap();
            for (row, offline) in [false, true].into_iter().enumerate() {
                let (begun, ticks) = (Instant::now(), processor_ticks());
                let cells = resolve_all(&address, cache.path(), offline, &names, threads);
                best[row][column] = best[row][column].min(begun.elapsed().as_secs_f64());
                busy[row][column] += processor_ticks() - ticks;
                assert!(cells > 10_000, "{cells}");
            }
        }
    }
    for (row, what) in ["asked", "from the cache"].into_iter().enumerate() {
        let [one, two] = best[row];
        let faster = one / two;
        println!("{what:15} 1 thread {one:.3} s, 2 threads {two:.3} s: {faster:.2} times as fast");
        let [one, two] = busy[row].map(|ticks| ticks * 10 / LAPS as u64);
        println!("{:15} of the processors {one} ms and {two} ms a lap", "");
    }
}

/// The time that this process had on processors, in hundredths of a second; 0 where nobody tells.
fn processor_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name in brackets, which may hold anything, user and system time are 12th and 13th.
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
    fields.filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// How many cells all the projects have.
fn resolve_all(
    address: &str,
    cache: &Path,
    offline: bool,
    names: &[PackageName],
    threads: usize,
) -> usize {
    let options =
        ClientOptions { cache: Some(cache.to_owned()), offline, ..ClientOptions::default() };
    let client = IndexClient::new(address.parse().unwrap(), options);
    let debian_12 =
        Platform::Linux { arch: "x86_64".to_owned(), libc: Libc::Glibc { major: 2, minor: 36 } };
    let pythons = (6..=15).map(|minor| format!("3.{minor}").parse().unwrap());
    let interpreters: Vec<Interpreter> =
        pythons.map(|python| Interpreter::assumed(python, debian_12.clone())).collect();
    let (next, cells) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let grid =
                        resolve(name, &Selection::default(), &interpreters, &client).unwrap();
                    cells.fetch_add(grid.cells.len(), Ordering::Relaxed);
                }
            });
        }
    });
    cells.into_inner()
}
