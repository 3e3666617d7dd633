//! What stands under `tests`.

use std::collections::BTreeMap;

use super::{At, Node, Reader, shorten};
use crate::question::criteria::{Criteria, TestCriteria};
use crate::question::modules::ImportChoice;
use crate::question::plan::{Test, TestKind};

/// The keys of a test that is more than a script.
pub(in crate::question::config) const TEST: &[&str] = &[
    "name", "run", "pytest", "unittest", "doctest", "notebook", "timeout", "env", "repeat",
    "files", "compare",
];

/// More runs of a test in one cell are a mistake.
pub(super) const MOST_RUNS: u32 = 1000;

impl Reader<'_> {
    /// The tests; what one says of how it is compared goes to `criteria`.
    pub(super) fn tests(&mut self, at: &At<'_>, criteria: &mut Criteria) -> Vec<Test> {
        let mut tests: Vec<Test> = Vec::new();
        for node in self.list(at, "`tests`") {
            let test = match node.node {
                Node::Mapping(_) => self.command(&node, &criteria.usual),
                _ => self.script(&node).map(|test| (test, None)),
            };
            let Some((test, compared)) = test else { continue };
            if test.name == Test::IMPORT {
                self.problem_with_help(
                    &node,
                    "`import` is the name of the test that Caliper adds itself",
                    "choose another name",
                );
            } else if tests.iter().any(|other| other.name == test.name) {
                self.problem_with_help(
                    &node,
                    format!("there is another test called `{}`", shorten(&test.name)),
                    "give one of them another `name`",
                );
            }
            criteria.tests.extend(compared.map(|compared| (test.name.clone(), compared)));
            tests.push(test);
        }
        tests
    }

    /// The key `import`: modules, or `false`.
    pub(super) fn import(&mut self, at: &At<'_>, tests: &[Test]) -> ImportChoice {
        if let Node::Sequence(nodes) = at.node
            && !nodes.is_empty()
        {
            let nodes = self.list(at, "`import`");
            let names = nodes.iter().filter_map(|node| self.parsed(node, "`import`"));
            return ImportChoice::Modules(names.collect());
        }
        if matches!(at.node, Node::Scalar { text, .. } if text == "false") {
            if tests.is_empty() {
                let help = "name a test, or leave `import` out";
                self.problem_with_help(at, "without the import and `tests` nothing is run", help);
            }
            return ImportChoice::Off;
        }
        let help = "list what to import: `[sklearn]`; or write `false`";
        self.problem_with_help(at, "`import` is a list of modules, or `false`", help);
        ImportChoice::default()
    }

    /// `path/to/script.py`, which is run as `python path/to/script.py`.
    fn script(&mut self, at: &At<'_>) -> Option<Test> {
        let path = self.text(at, "a test")?;
        self.file(at, &path)?;
        Some(Test {
            name: path.clone(),
            command: vec!["python".to_owned(), path],
            kind: TestKind::Command,
            environment: BTreeMap::new(),
            timeout: None,
            repeat: 1,
            seeds: None,
            files: None,
        })
    }

    /// `{name: …, run: …}`, or `{pytest: …}` and the like.
    fn command(
        &mut self,
        at: &At<'_>,
        usual: &TestCriteria,
    ) -> Option<(Test, Option<TestCriteria>)> {
        let mut entries = self.mapping(at, "a test", TEST)?;
        let (kind, line, command) = self.what(at, &mut entries)?;
        let name = entries.remove("name").and_then(|node| self.text(&node, "`name`"));
        let timeout = entries.remove("timeout").and_then(|node| self.duration(&node));
        let environment =
            entries.remove("env").map(|node| self.environment(&node)).unwrap_or_default();
        let repeat = entries.remove("repeat").and_then(|node| self.repeat(&node));
        let files = entries.remove("files").map(|node| {
            self.globs(
                &node,
                "`files`",
                "only files in the folder of the configuration reach a test",
            )
        });
        let compared = entries.remove("compare").map(|node| self.compare_test(&node, usual));
        let test = Test {
            name: name.unwrap_or(line),
            command,
            kind,
            environment,
            timeout,
            repeat: repeat.unwrap_or(1),
            seeds: None,
            files,
        };
        Some((test, compared))
    }

    /// The key `repeat`: how many runs a test has in a cell.
    pub(super) fn repeat(&mut self, at: &At<'_>) -> Option<u32> {
        let repeat: Option<u32> = self.parsed(at, "`repeat`");
        if repeat.is_some_and(|repeat| !(1..=MOST_RUNS).contains(&repeat)) {
            self.problem(at, format!("`repeat` is a number from 1 to {MOST_RUNS}"));
        }
        repeat
    }

    /// The name of an environment variable that stands under the key `what`.
    pub(super) fn variable(&mut self, at: &At<'_>, what: &str) -> Option<String> {
        let variable = self.text(at, what)?;
        if variable.contains(['=', '\0']) {
            let message = format!("`{}` cannot name an environment variable", shorten(&variable));
            self.problem(at, message);
        }
        Some(variable)
    }

    /// What is run: its kind, the name that it has if it is given none, and the command.
    fn what(
        &mut self,
        at: &At<'_>,
        entries: &mut super::Entries<'_>,
    ) -> Option<(TestKind, String, Vec<String>)> {
        let kinds = [("run", TestKind::Command)].into_iter().chain(TestKind::WITH_FUNCTIONS);
        let mut said: Vec<_> =
            kinds.filter_map(|(key, kind)| Some((key, kind, entries.remove(key)?))).collect();
        let Some((key, kind, node)) = said.pop() else {
            self.problem_with_help(
                at,
                "this test has no `run`",
                "give it a command, `run: python script.py --fast`, or one of `pytest`, `unittest`, `doctest` and \
                 `notebook`",
            );
            return None;
        };
        if let Some((other, ..)) = said.pop() {
            let message = format!("this test has both `{other}` and `{key}`");
            self.problem_with_help(&node, message, "make two tests of it");
            return None;
        }
        let line = self.text(&node, &format!("`{key}`"))?;
        // The name of a value is one word, with spaces or without.
        let words = match shlex::split(&line.replace("{{ seed }}", Test::SEED)) {
            Some(words) if !words.is_empty() => words,
            _ => {
                self.problem(&node, format!("`{key}` has a quote that is not closed"));
                return None;
            }
        };
        // Nothing is left to a shell, so what only a shell understands would be passed on as words.
        if let Some(word) = words
            .iter()
            .find(|word| ["|", ">", ">>", "<", "&&", "||", ";", "&"].contains(&word.as_str()))
        {
            let help = if kind.is_command() {
                "write `sh -c '…'`, or put the steps into a script"
            } else {
                "only arguments stand here; what else is to be done is a test of its own"
            };
            self.problem_with_help(
                &node,
                format!("`{word}` means something to a shell only, and no shell runs this"),
                help,
            );
        }
        if kind == TestKind::Pytest
            && let Some(word) = words.iter().find(|word| word.starts_with("--junit"))
        {
            let help = "leave it out; `caliper show CELL` tells how each function ended";
            let message =
                format!("`{}` would take away the report that Caliper reads", shorten(word));
            self.problem_with_help(&node, message, help);
        }
        if kind == TestKind::Notebook {
            let [path] = words.as_slice() else {
                let help = "write a test for each notebook: `notebook: docs/tour.ipynb`";
                self.problem_with_help(&node, "`notebook` is the path of one notebook", help);
                return None;
            };
            self.file(&node, path)?;
        }
        let name = match kind {
            TestKind::Command => line,
            _ => format!("{key} {}", line.trim()).trim_end().to_owned(),
        };
        Some((kind, name, kind.command(words)))
    }

    pub(super) fn environment(&mut self, at: &At<'_>) -> BTreeMap<String, String> {
        let mut environment = BTreeMap::new();
        let Node::Mapping(pairs) = at.node else {
            self.problem(at, "`env` must be names with values: `{SEED: \"0\"}`");
            return environment;
        };
        for (index, (name, node)) in pairs.iter().enumerate() {
            let child = at.child(index, node);
            if name.is_empty() || name.contains(['=', '\0']) {
                let message = format!("`{}` cannot name an environment variable", shorten(name));
                self.push(&child, true, message, None);
            }
            let Node::Scalar { text, .. } = node else {
                self.problem(&child, format!("`{}` must be one value", shorten(name)));
                continue;
            };
            if environment.insert(name.clone(), text.clone()).is_some() {
                self.second_time(&child, name);
            }
        }
        environment
    }
}
