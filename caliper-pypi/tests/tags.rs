//! The tags that interpreters accept, against those of PyPA's `packaging` (see `tags/record.py`).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use caliper_core::names::{PythonVersion, Sha256};
use caliper_core::question::interpreter::{Implementation, Interpreter, Libc, Platform};
use caliper_pypi::compatibility::SupportedTags;

/// Reads the facts of one line: `cpython 3.11 cp311 linux x86_64 glibc 2 36`.
fn interpreter(facts: &str) -> Interpreter {
    let words: Vec<&str> = facts.split(' ').collect();
    let number = |word: &str| word.parse().unwrap();
    let platform = match words[3..] {
        ["linux", arch, libc, major, minor] => {
            let (major, minor) = (number(major), number(minor));
            let libc = match libc {
                "glibc" => Libc::Glibc { major, minor },
                "musl" => Libc::Musl { major, minor },
                other => panic!("{other}"),
            };
            let arch = arch.to_owned();
            Platform::Linux { arch, libc }
        }
        ["macos", major, minor, arch] => {
            Platform::MacOs { major: number(major), minor: number(minor), arch: arch.to_owned() }
        }
        ["windows", arch] => Platform::Windows { arch: arch.to_owned() },
        _ => panic!("{facts}"),
    };
    let python: PythonVersion = words[1].parse().unwrap();
    Interpreter {
        python: python.with_free_threading(words[0] == "cpython" && words[2][2..].contains('t')),
        version: words[1].parse().unwrap(),
        implementation: match words[0] {
            "cpython" => Implementation::CPython,
            "pypy" => Implementation::PyPy,
            "graalpy" => Implementation::GraalPy,
            other => panic!("{other}"),
        },
        abi: words[2].parse().unwrap(),
        platform,
    }
}

#[test]
fn tags_are_those_of_packaging() {
    let mut compared = 0;
    for line in include_str!("tags/packaging.txt").lines().skip(1) {
        let (facts, expected) = line.split_once(": ").unwrap();
        let tags: Vec<String> =
            SupportedTags::of(&interpreter(facts)).tags().map(|tag| format!("{tag}\n")).collect();
        let digest = Sha256::of(tags.concat().as_bytes()).hex();
        let found = format!("{} {digest}", tags.len());
        assert_eq!(found, expected, "{facts}:\n{}", tags.concat());
        compared += 1;
    }
    assert!(compared > 800, "only {compared} lists were compared");
}
