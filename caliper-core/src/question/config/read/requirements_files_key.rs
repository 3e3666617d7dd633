//! Reads requirements files: the key `requirements_files`, and files among `constraints`.

use std::collections::BTreeSet;

use super::{At, Reader, shorten};
use crate::question::requirement::{Declared, Requirement};
use crate::question::requirements_file::{self, AllowedFiles, Entry, Refused};

/// A larger file is no list of requirements.
const MOST_BYTES: usize = 8 << 20;

/// What files of the project declare.
#[derive(Debug, Default)]
pub(super) struct FromFiles {
    pub(super) requirements: Vec<Declared>,
    pub(super) constraints: Vec<Declared>,
    pub(super) allowed: Vec<AllowedFiles>,
    /// The files that were read, and whether as constraints: each is read once, however often it is included.
    read: BTreeSet<(String, Kind)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Requirements,
    Constraints,
}

impl Reader<'_> {
    pub(super) fn requirements_files(&mut self, at: &At<'_>, files: &mut FromFiles) {
        for node in self.list(at, "`requirements_files`") {
            let Some(path) = self.text(&node, "a file") else { continue };
            self.requirements_file(&node, "", &path, Kind::Requirements, files);
        }
    }

    pub(super) fn constraints_file(&mut self, at: &At<'_>, path: &str, files: &mut FromFiles) {
        self.requirements_file(at, "", path, Kind::Constraints, files);
    }

    /// Reads a file and what it includes. All its problems stand at the entry of the configuration that names it. `from`
    /// is the place that includes it, with a colon.
    fn requirements_file(
        &mut self,
        at: &At<'_>,
        from: &str,
        path: &str,
        kind: Kind,
        files: &mut FromFiles,
    ) {
        if !files.read.insert((path.to_owned(), kind)) {
            return;
        }
        let known = self.problems.len();
        let content = self.file(at, path);
        for problem in &mut self.problems[known..] {
            problem.message.insert_str(0, from);
        }
        let Some(content) = content else { return };
        if content.len() > MOST_BYTES {
            return self.problem(at, format!("`{}` is larger than 8 MiB", shorten(path)));
        }
        let Ok(text) = String::from_utf8(content) else {
            return self.problem(at, format!("`{}` is not UTF-8 text", shorten(path)));
        };
        for (line, entry) in requirements_file::read(&text) {
            let place = format!("`{}`, line {line}", shorten(path));
            match entry {
                Ok(Entry::Requirement { text, sha256 }) => {
                    if !self.is_requirement_in(at, &place, &text) {
                        continue;
                    }
                    let source = path.to_owned();
                    if !sha256.is_empty() {
                        let (requirement, source) = (text.clone(), source.clone());
                        files.allowed.push(AllowedFiles { requirement, sha256, source });
                    }
                    let declared = Declared { requirement: text, source };
                    match kind {
                        Kind::Requirements => files.requirements.push(declared),
                        Kind::Constraints => files.constraints.push(declared),
                    }
                }
                Ok(Entry::Requirements(_)) if kind == Kind::Constraints => {
                    let message =
                        format!("{place}: a file of constraints includes no requirements");
                    let help =
                        "include constraints with `-c`, or name the file in `requirements_files`";
                    self.problem_with_help(at, message, help);
                }
                Ok(Entry::Requirements(file)) => {
                    self.included(at, &place, (path, &file), Kind::Requirements, files);
                }
                Ok(Entry::Constraints(file)) => {
                    self.included(at, &place, (path, &file), Kind::Constraints, files);
                }
                Err(Refused { message, help }) => {
                    self.problem_with_help(at, format!("{place}: {message}"), help);
                }
            }
        }
    }

    /// Reads a file that another one includes, relative to its own folder.
    fn included(
        &mut self,
        at: &At<'_>,
        place: &str,
        (from, file): (&str, &str),
        kind: Kind,
        files: &mut FromFiles,
    ) {
        if let Some(path) = beside(from, file) {
            self.requirements_file(at, &format!("{place}: "), &path, kind, files);
        } else {
            let message = format!("{place}: `{}` leaves the project", shorten(file));
            let help = "only files in the folder of the configuration are read; move it there";
            self.problem_with_help(at, message, help);
        }
    }

    fn is_requirement_in(&mut self, at: &At<'_>, place: &str, text: &str) -> bool {
        let parsed = text.parse::<Requirement>();
        let fine = parsed.is_ok() && !text.contains(['`', '$', '\\']);
        if !fine {
            let message = format!("{place}: `{}` is not a requirement", shorten(text));
            let help = "name a package and what may be installed of it: `numpy<2`, or `demo @ file:///absolute/path.whl`";
            self.problem_with_help(at, message, help);
        }
        fine
    }
}

/// The path of `file` as the file `from` names it; `None` if it leads out of the project.
fn beside(from: &str, file: &str) -> Option<String> {
    if file.is_empty() || file.starts_with('/') || file.contains("://") {
        return None;
    }
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(file.split('/')) {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop()?,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::beside;

    #[test]
    fn a_file_is_included_from_beside() {
        for (from, file, expected) in [
            ("test.txt", "base.txt", Some("base.txt")),
            ("requirements/test.txt", "./base.txt", Some("requirements/base.txt")),
            ("requirements/test.txt", "../base.txt", Some("base.txt")),
            ("test.txt", "../base.txt", None),
            ("test.txt", "/etc/passwd", None),
            ("test.txt", "https://x/r.txt", None),
        ] {
            assert_eq!(beside(from, file).as_deref(), expected, "{from} {file}");
        }
    }
}
