//! Reads the keys `requirements` and `constraints`.

use super::{At, Reader, shorten};
use crate::names::PackageName;

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
            self.problem_with_help(
                at,
                format!("`{}` is not a requirement", shorten(text)),
                "name a package and what may be installed of it: `numpy<2`",
            );
        }
        fine
    }

    /// Constraints, and files of the project that hold one on each line: names that end in `.txt`.
    pub(super) fn constraints(&mut self, at: &At<'_>, what: &str) -> Vec<String> {
        let mut constraints = Vec::new();
        for node in self.list(at, what) {
            let Some(text) = self.text(&node, "a constraint") else { continue };
            let ends_in_txt =
                std::path::Path::new(&text).extension().is_some_and(|end| end == "txt");
            let lines = if ends_in_txt {
                let Some(content) = self.file(&node, &text) else { continue };
                let content = String::from_utf8_lossy(&content).into_owned();
                let lines =
                    content.lines().map(|line| line.split(" #").next().unwrap_or(line).trim());
                let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
                lines.map(str::to_owned).collect()
            } else {
                vec![text]
            };
            for line in lines {
                if self.is_requirement(&node, &line) {
                    constraints.push(line);
                }
            }
        }
        constraints
    }
}
