//! Reads the keys `requirements` and `constraints`.

use super::{At, FromFiles, Reader, shorten};
use crate::names::PackageName;
use crate::question::requirements_file::{is_the_project, the_project};

impl Reader<'_> {
    /// The key `dependency`: the name of a project, and nothing else.
    pub(super) fn dependency(&mut self, at: &At<'_>) -> Option<PackageName> {
        let text = self.text(at, "`dependency`")?;
        let name = text.split('[').next().unwrap_or_default().trim_end();
        if name.len() < text.trim_end().len() && name.parse::<PackageName>().is_ok() {
            let help =
                format!("write `dependency: {name}` and `requirements: [\"{}\"]`", shorten(&text));
            self.problem_with_help(at, "the extras of the dependency do not stand here", help);
            return None;
        }
        self.parsed(at, "`dependency`")
    }

    pub(super) fn requirements(&mut self, at: &At<'_>, what: &str) -> Vec<String> {
        let mut requirements = Vec::new();
        for node in self.list(at, what) {
            let Some(text) = self.text(&node, "a requirement") else { continue };
            if self.is_requirement(&node, &text) {
                requirements.push(text);
            }
        }
        requirements
    }

    /// Reports anything that could be read as an option of the installer, or break a Dockerfile.
    pub(super) fn is_requirement(&mut self, at: &At<'_>, text: &str) -> bool {
        let first = text.chars().next().unwrap_or(' ');
        let fine = first.is_ascii_alphanumeric() && !text.contains(['\n', '\r', '`', '$', '\\']);
        if !fine {
            let help = if is_the_project(text) {
                the_project(text)
            } else {
                "name a package and what may be installed of it: `numpy<2`".to_owned()
            };
            self.problem_with_help(at, format!("`{}` is not a requirement", shorten(text)), help);
        }
        fine
    }

    /// Constraints, and files of the project that hold them: names that end in `.txt`.
    pub(super) fn constraints(&mut self, at: &At<'_>, files: &mut FromFiles) -> Vec<String> {
        let mut constraints = Vec::new();
        for node in self.list(at, "`constraints`") {
            let Some(text) = self.text(&node, "a constraint") else { continue };
            if is_file(&text) {
                self.constraints_file(&node, &text, files);
            } else if self.is_requirement(&node, &text) {
                constraints.push(text);
            }
        }
        constraints
    }

    /// Constraints for which no hash of a file can be checked, in whose files these are refused with `help`.
    pub(super) fn constraints_without_hashes(
        &mut self,
        at: &At<'_>,
        what: &str,
        help: &str,
    ) -> Vec<String> {
        let mut constraints = Vec::new();
        for node in self.list(at, what) {
            let Some(text) = self.text(&node, "a constraint") else { continue };
            if is_file(&text) {
                let mut files = FromFiles::default();
                self.constraints_file(&node, &text, &mut files);
                if let Some(allowed) = files.allowed.first() {
                    let requirement = shorten(&allowed.requirement);
                    let message =
                        format!("the hashes of `{requirement}` in {what} are not checked");
                    self.problem_with_help(&node, message, help);
                }
                constraints.extend(files.constraints.into_iter().map(|one| one.requirement));
            } else if self.is_requirement(&node, &text) {
                constraints.push(text);
            }
        }
        constraints
    }
}

fn is_file(text: &str) -> bool {
    std::path::Path::new(text).extension().is_some_and(|end| end == "txt")
}
