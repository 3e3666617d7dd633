//! Reads the keys `requirements` and `constraints`.

use super::{At, Reader, shorten};

impl Reader<'_> {
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
    pub(super) fn constraints(&mut self, at: &At<'_>) -> Vec<String> {
        let mut constraints = Vec::new();
        for node in self.list(at, "`constraints`") {
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
