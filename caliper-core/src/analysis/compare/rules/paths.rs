//! Rules for memory addresses, file paths and temporary names.

use std::sync::LazyLock;

use regex::Regex;

use super::Edit;

pub(super) fn warning_lines(line: &str) -> Vec<Edit> {
    static WARNING: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r":([0-9]{1,9}): [A-Za-z_.]*Warning\b").expect("a pattern"));
    if !line.contains("Warning") {
        return Vec::new();
    }
    let numbers = WARNING.captures_iter(line).filter_map(|found| found.get(1));
    numbers.map(|number| Edit::new(number.range(), "<line>")).collect()
}

pub(super) fn addresses(line: &str) -> Vec<Edit> {
    static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
        let pattern =
            r"\bat (0x[0-9a-fA-F]{1,16})\b|\b(0x(?:[0-9a-fA-F]{9,12}|0000[0-9a-fA-F]{12}))\b";
        Regex::new(pattern).expect("a pattern")
    });
    if !line.contains("0x") {
        return Vec::new();
    }
    let addresses = ADDRESS.captures_iter(line).filter_map(|found| found.get(1).or(found.get(2)));
    addresses.map(|address| Edit::new(address.range(), "<address>")).collect()
}

pub(super) fn paths(line: &str) -> Vec<Edit> {
    /// At least two components: a single one is not specific to a machine.
    static PATH: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?:/[\w.+@%=~-]+){2,}").expect("a pattern"));
    if !line.contains('/') {
        return Vec::new();
    }
    let mut edits = Vec::new();
    for found in PATH.find_iter(line) {
        // Not the tail of a relative path, of a URL, or of an earlier replacement.
        let before = &line[..found.start()];
        // The way from the folder of the project to what is installed, as pytest prints it.
        let up = before.trim_end_matches("/..").len();
        let steps = &before[before[..up].strip_suffix("..").map_or(up, str::len)..];
        if steps.len() >= 2
            && !line[..before.len() - steps.len()]
                .ends_with(|c: char| c.is_alphanumeric() || "_./~-+@%=".contains(c))
            && let Some(from) = specific(found.as_str())
        {
            edits.push(Edit::new(before.len() - steps.len()..found.start() + from, "<path>"));
            continue;
        }
        let relative = before.ends_with(|c: char| c.is_alphanumeric() || "_./~-+@%=".contains(c));
        if !relative
            && !before.ends_with("<path>")
            && let Some(from) = specific(found.as_str())
        {
            edits.push(Edit::new(found.start()..found.start() + from, "<path>"));
        }
    }
    edits
}

/// How much of an absolute path depends on the machine or the run.
fn specific(path: &str) -> Option<usize> {
    static LIBRARY: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"/lib(?:64)?/(?:python|pypy)[0-9]\.[0-9]{1,2}t?/").expect("a pattern")
    });
    for folder in ["/site-packages/", "/dist-packages/"] {
        if let Some(at) = path.rfind(folder) {
            return Some(at);
        }
    }
    for folder in ["/site-packages", "/dist-packages"] {
        if path.ends_with(folder) {
            return Some(path.len() - folder.len());
        }
    }
    if let Some(library) = LIBRARY.find(path) {
        return Some(library.end() - 1);
    }
    let temporary = [
        "/tmp/",
        "/var/tmp/",
        "/private/tmp/",
        "/var/folders/",
        "/private/var/folders/",
        "/dev/shm/",
    ];
    let environment = ["/.venv/", "/venv/", "/env/", "/.tox/", "/.nox/", "/virtualenvs/"];
    let folder = temporary.iter().any(|folder| path.starts_with(folder))
        || environment.iter().any(|folder| path.contains(folder));
    folder.then(|| path.rfind('/')).flatten()
}

pub(super) fn temp_names(line: &str) -> Vec<Edit> {
    static NAME: LazyLock<Regex> = LazyLock::new(|| {
        // `mktemp`, both generations of `tempfile`, pytest's folders, and UUIDs that are made of the time or
        // at random (RFC 9562, versions 1, 4 and 7).
        let pattern = r"\btmp(?:\.[A-Za-z0-9]{10}|[a-z0-9_]{8}|[A-Za-z0-9]{6})\b|\bpytest-of-[\w-]{1,64}/pytest-[0-9]{1,9}\b|\b[0-9a-f]{8}-[0-9a-f]{4}-[147][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b";
        Regex::new(pattern).expect("a pattern")
    });
    if !(line.contains("tmp") || line.contains("pytest") || line.contains('-')) {
        return Vec::new();
    }
    let made_up = |found: &regex::Match<'_>| {
        line[..found.start()].ends_with('/')
            || found.as_str().contains(|c: char| c.is_ascii_digit())
    };
    NAME.find_iter(line).filter(made_up).map(|found| Edit::new(found.range(), "<temp>")).collect()
}

#[cfg(test)]
mod tests {
    use crate::question::criteria::Rule;

    #[test]
    fn the_lines_of_warnings_go() {
        let cases = [
            ("a/b.py:123: FutureWarning: x", "a/b.py:<line>: FutureWarning: x"),
            ("b.py:1: np.exceptions.RankWarning", "b.py:<line>: np.exceptions.RankWarning"),
            ("b.py:123: error", "b.py:123: error"),
            ("Warning: x:12: y", "Warning: x:12: y"),
        ];
        for (text, left) in cases {
            assert_eq!(Rule::WarningLines.apply(text), left, "{text}");
        }
    }

    #[test]
    fn addresses_go() {
        let cases = [
            ("<Foo object at 0x7f00aabbccdd>", "<Foo object at <address>>"),
            ("at 0x1f", "at <address>"),
            ("id=0x10e5d3f40", "id=<address>"),
            ("0x00007f00aabbccdd", "<address>"),
            ("0xdeadbeef", "0xdeadbeef"),                 // 32 bits
            ("0xcbf29ce484222325", "0xcbf29ce484222325"), // 64 bits
            ("flat 0x1f", "flat 0x1f"),
        ];
        for (text, left) in cases {
            assert_eq!(Rule::Addresses.apply(text), left, "{text}");
        }
    }

    #[test]
    fn what_depends_on_the_machine_goes() {
        let cases = [
            (
                "/home/u/.venv/lib/python3.11/site-packages/np/core.py:5",
                "<path>/site-packages/np/core.py:5",
            ),
            ("/usr/lib/python3/dist-packages", "<path>/dist-packages"),
            ("File \"/usr/lib/python3.11/json/decoder.py\"", "File \"<path>/json/decoder.py\""),
            ("/tmp/tmpabcdefgh/out.txt", "<path>/out.txt"),
            ("/work/venv/bin/python", "<path>/python"),
            (
                "../../environments/3f2a/lib/python3.11/site-packages/np/core.py:5",
                "<path>/site-packages/np/core.py:5",
            ),
            ("(../venv/lib/python3.11/json/a.py)", "(<path>/json/a.py)"),
            (
                "x../lib/python3.11/json/a.py ../data/a.csv",
                "x../lib/python3.11/json/a.py ../data/a.csv",
            ),
            // Parts of the project, relative paths, addresses.
            ("/home/u/project/x.py", "/home/u/project/x.py"),
            ("a/tmp/x", "a/tmp/x"),
            ("https://host/tmp/x", "https://host/tmp/x"),
            ("/tmp", "/tmp"),
            ("1/2/3", "1/2/3"),
        ];
        for (text, left) in cases {
            assert_eq!(Rule::Paths.apply(text), left, "{text}");
        }
    }

    #[test]
    fn made_up_names_go() {
        let cases = [
            ("/tmp/tmpabcdefgh/x", "/tmp/<temp>/x"),
            ("tmpab3defgh", "<temp>"),
            ("/tmp/tmp.AbCdEf1234", "/tmp/<temp>"),
            ("/tmp/tmpAbC123", "/tmp/<temp>"),
            ("/tmp/pytest-of-root/pytest-12/t0", "/tmp/<temp>/t0"),
            ("id 6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "id <temp>"),
            ("6f9619ff-8b86-5d01-b42d-00cf4fc964ff", "6f9619ff-8b86-5d01-b42d-00cf4fc964ff"), // of a name
            ("tmp_results tmpfolder12x tmp", "tmp_results tmpfolder12x tmp"),
        ];
        for (text, left) in cases {
            assert_eq!(Rule::TempNames.apply(text), left, "{text}");
        }
    }
}
