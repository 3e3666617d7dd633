//! Reads files of the project, and patterns of their names.

use super::{At, Node, Reader, shorten};
use crate::question::criteria::{Criteria, Stage};
use crate::question::export;
use crate::question::plan::Test;

impl Reader<'_> {
    /// Globs of files in the project.
    pub(super) fn globs(&mut self, at: &At<'_>, what: &str, help: &str) -> Vec<String> {
        let mut globs = Vec::new();
        for node in self.list(at, what) {
            let Some(text) = self.text(&node, "a file") else { continue };
            if text.starts_with('/') || text.split('/').any(|part| part == "..") {
                let message = format!("`{}` leaves the project", shorten(&text));
                self.problem_with_help(&node, message, help);
            } else if let Err(error) = globset::Glob::new(&text) {
                self.problem(&node, format!("`{}`: {}", shorten(&text), error.kind()));
            } else {
                globs.push(text);
            }
        }
        globs
    }

    /// The key `results`: globs, or stages with globs. The stages go to `criteria`.
    pub(super) fn results(&mut self, at: &At<'_>, criteria: &mut Criteria) -> Vec<String> {
        const HELP: &str = "a test runs in a copy of the project, and leaves its results there";
        let Node::Mapping(pairs) = at.node else { return self.globs(at, "`results`", HELP) };
        let mut all = Vec::new();
        for (index, (name, node)) in pairs.iter().enumerate() {
            let child = at.child(index, node);
            if criteria.stages.iter().any(|known| known.name == *name) {
                self.second_time(&child, name);
                continue;
            }
            if name == Stage::OUTPUT {
                let message = format!("`{name}` is the stage that is what a test prints");
                self.push(&child, true, message, Some("choose another name".into()));
                continue;
            }
            let files = self.globs(&child, &format!("the stage `{}`", shorten(name)), HELP);
            all.extend(
                files.iter().filter(|glob| !all.contains(*glob)).cloned().collect::<Vec<_>>(),
            );
            criteria.stages.push(Stage { name: name.clone(), files });
        }
        all
    }

    /// Which of the results are files of Python objects: in their place stand their arrays.
    pub(super) fn export(
        &mut self,
        at: &At<'_>,
        tests: &mut [Test],
        results: &mut [String],
        criteria: &mut Criteria,
    ) {
        const HELP: &str = "name globs that stand under `results`, such as `out/*.pt`";
        let globs = self.globs(at, "`export`", HELP);
        for glob in &globs {
            if glob.contains(['[', '{', '\\']) {
                let message = format!("`{}` has more than `*`, `**` and `?`", shorten(glob));
                self.problem_with_help(at, message, "write several globs");
            } else if !results.contains(glob) {
                let message = format!("`{}` is none of the `results`", shorten(glob));
                self.problem_with_help(at, message, HELP);
            }
        }
        let stages = criteria.stages.iter_mut().flat_map(|stage| &mut stage.files);
        for result in results.iter_mut().chain(stages).filter(|result| globs.contains(result)) {
            *result = export::exported(result);
        }
        for test in tests {
            test.command = export::command(&globs, std::mem::take(&mut test.command));
        }
    }

    /// The content of a file of the project.
    pub(super) fn file(&mut self, at: &At<'_>, path: &str) -> Option<Vec<u8>> {
        if path.starts_with('/') || path.split('/').any(|part| part == "..") {
            self.problem_with_help(
                at,
                format!("`{}` leaves the project", shorten(path)),
                "only files in the folder of the configuration reach a test; move it there",
            );
            return None;
        }
        match (self.read)(path) {
            Ok(content) => Some(content),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.problem_with_help(
                    at,
                    format!("there is no file `{}`", shorten(path)),
                    "paths are relative to the folder of the configuration",
                );
                None
            }
            Err(error) => {
                self.problem(at, format!("could not read `{}`: {error}", shorten(path)));
                None
            }
        }
    }
}
