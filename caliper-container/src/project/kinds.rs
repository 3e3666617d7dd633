//! What a file or folder is, for those that are no part of a project because of it.

use std::fs::{self, Metadata};
use std::io::Read as _;
use std::path::Path;

use caliper_core::question::left_out::WhyLeftOut;

/// Why something is not part of a project because of what it is.
pub(super) fn nature(path: &Path, metadata: &Metadata) -> Option<WhyLeftOut> {
    let name = path.file_name()?.to_str()?;
    // Also a link to a folder of results.
    if name == ".caliper" && !metadata.is_file() {
        return Some(WhyLeftOut::Caliper);
    }
    if metadata.is_dir() { of_folder(path, name) } else { of_file(path, name, metadata) }
}

fn of_folder(path: &Path, name: &str) -> Option<WhyLeftOut> {
    match name {
        "__pycache__" => return Some(WhyLeftOut::Bytecode),
        ".git" | ".hg" | ".svn" | ".jj" | ".bzr" | "_darcs" | ".pijul" => {
            return Some(WhyLeftOut::VersionControl);
        }
        _ => {}
    }
    // https://peps.python.org/pep-0405/, and what conda and its kin write.
    if path.join("pyvenv.cfg").is_file() || path.join("conda-meta/history").is_file() {
        return Some(WhyLeftOut::Environment);
    }
    is_cache(path).then_some(WhyLeftOut::Cache)
}

/// Whether a folder has a cache tag: a file that begins with a fixed line
/// (<https://bford.info/cachedir/>).
fn is_cache(path: &Path) -> bool {
    const SIGNATURE: &[u8; 43] = b"Signature: 8a477f597d28d172789f06886806bc55";
    let mut start = [0; SIGNATURE.len()];
    let read =
        fs::File::open(path.join("CACHEDIR.TAG")).and_then(|mut tag| tag.read_exact(&mut start));
    read.is_ok() && &start == SIGNATURE
}

fn of_file(path: &Path, name: &str, metadata: &Metadata) -> Option<WhyLeftOut> {
    // In a linked work tree or a submodule it is a file.
    if name == ".git" {
        return Some(WhyLeftOut::VersionControl);
    }
    if is_of_editor(name) {
        return Some(WhyLeftOut::Editor);
    }
    let extension = path.extension().and_then(|extension| extension.to_str());
    let may_be = matches!(extension, Some("yaml" | "yml")) && metadata.is_file();
    (may_be && is_configuration(path, metadata)).then_some(WhyLeftOut::Configuration)
}

/// Emacs writes `.#x` (a link), `#x#` and `x~`; Vim `.x.swp` and its like; macOS `.DS_Store`.
fn is_of_editor(name: &str) -> bool {
    let is_swap = name.starts_with('.')
        && [".swp", ".swo", ".swx"].iter().any(|end| name.len() > end.len() && name.ends_with(end));
    is_swap
        || name.ends_with('~')
        || name.starts_with(".#")
        || (name.len() > 2 && name.starts_with('#') && name.ends_with('#'))
        || name == ".DS_Store"
}

/// Whether a YAML file is a configuration of Caliper: its one key at the top is `analysis`, and it names a
/// `dependency`. Looked at line by line, so that one in the middle of an edit is one too.
fn is_configuration(path: &Path, metadata: &Metadata) -> bool {
    const LARGEST: u64 = 1 << 20;
    if metadata.len() > LARGEST {
        return false;
    }
    let Ok(text) = fs::read_to_string(path) else { return false };
    let mut top = text.trim_start_matches('\u{feff}').lines().filter(|line| {
        let is_content = line.starts_with(|first: char| !first.is_whitespace());
        is_content
            && !line.starts_with(['#', '}', ']'])
            && !["---", "..."].contains(&line.trim_end())
    });
    let is_analysis = |line: &str| {
        let key = line.trim_start_matches('{').trim_start().trim_start_matches(['"', '\'']);
        key.strip_prefix("analysis")
            .is_some_and(|rest| rest.trim_start_matches(['"', '\'']).trim_start().starts_with(':'))
    };
    top.next().is_some_and(is_analysis) && top.next().is_none() && text.contains("dependency")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_are_told_from_other_yaml() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.yaml");
        let cases: &[(&str, bool)] = &[
            ("analysis:\n  dependency: x\n", true),
            ("# why\n---\n\"analysis\":\n  dependency: x\n", true),
            ("\u{feff}analysis: {dependency: x}\r\n", true),
            ("{analysis: {dependency: x}}\n", true),
            ("analysis:\n  dependency: x\n  tests: [a.p", true), // in the middle of an edit
            ("analysis:\n  model: ols\n", false),
            ("analysis:\n  dependency: x\nother: 1\n", false),
            ("analysis_of: {dependency: x}\n", false),
            ("- analysis\n- dependency\n", false),
            ("", false),
        ];
        for (text, expected) in cases {
            fs::write(&path, text).unwrap();
            let is = is_configuration(&path, &fs::metadata(&path).unwrap());
            assert_eq!(is, *expected, "{text:?}");
        }
    }

    #[test]
    fn what_editors_leave_is_known_by_its_name() {
        for name in [".#a.py", "#a.py#", "a.py~", ".a.py.swp", ".DS_Store"] {
            assert!(is_of_editor(name), "{name}");
        }
        for name in ["a.py", ".swp", "#", "a#", "notes.swp", "~a", "#!"] {
            assert!(!is_of_editor(name), "{name}");
        }
    }
}
