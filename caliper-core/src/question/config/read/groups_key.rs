//! What stands under `groups`.

use std::collections::BTreeSet;

use super::tests_key::MOST_RUNS;
use super::{At, Entries, Node, Reader, shorten};
use crate::question::axes::{Axes, AxisValue, Overlay};
use crate::question::group::{Group, SeedRange, Seeds, SeedsOfRuns};
use crate::question::plan::Test;
use crate::question::template::Args;

/// The name of the axis that groups are.
pub(super) const GROUP_AXIS: &str = "group";

/// The keys of a group: its runs, and what else a value of an axis may change.
pub(in crate::question::config) const GROUP: &[&str] = &[
    "seed",
    "seeds",
    "repeat",
    "variable",
    "requirements",
    "constraints",
    "env",
    "limits",
    "base",
    "args",
    "as_of",
];

const FORMS: &str = "name groups of runs, `{same_seed: {seed: 0, repeat: 50}, different_seeds: {seeds: 0..49}}`, or a \
                     file with the number of runs and of epochs, a line each: `params.txt`";

impl Reader<'_> {
    /// The groups, as values of their axis.
    pub(super) fn groups_of_runs(&mut self, at: &At<'_>, args: &Args) -> Vec<AxisValue> {
        let pairs = match at.node {
            Node::Mapping(pairs) if !pairs.is_empty() => pairs,
            Node::Scalar { .. } => return self.two_lines(at).unwrap_or_default(),
            _ => {
                self.problem_with_help(at, "`groups` must be names with runs", FORMS);
                return Vec::new();
            }
        };
        let mut values: Vec<AxisValue> = Vec::new();
        for (index, (label, node)) in pairs.iter().enumerate() {
            let child = at.child(index, node);
            if values.iter().any(|known| known.label == *label) {
                self.second_time(&child, label);
            } else if let Some(overlay) = self.group(&child, args) {
                values.push(AxisValue { label: label.clone(), overlay });
            }
        }
        values
    }

    /// `{seed: 0, repeat: 50}` or `{seeds: 0..49}`.
    fn group(&mut self, at: &At<'_>, args: &Args) -> Option<Overlay> {
        let mut entries = self.mapping(at, "a group", GROUP)?;
        let repeat = entries.remove("repeat");
        let said = repeat.is_some();
        let repeat = repeat.and_then(|node| self.repeat(&node));
        let variable = entries.remove("variable");
        let variable = variable.and_then(|node| self.variable(&node, "`variable`"));
        let variable = variable.unwrap_or_else(|| Seeds::VARIABLE.to_owned());
        let (of_runs, count) = self.seeds(at, &mut entries)?;
        if let (Some(repeat), Some(count)) = (repeat, count)
            && repeat != count
        {
            self.problem_with_help(
                at,
                format!("there are {count} seeds for {repeat} runs"),
                "leave `repeat` out: there are as many runs as seeds",
            );
        }
        let repeat = match (count.or(repeat), of_runs.is_some()) {
            (Some(repeat), _) => repeat,
            (None, _) if said => return None,
            (None, with_seed) => {
                let seed = if with_seed { "seed: 0, " } else { "" };
                let help = format!("say it: `{{{seed}repeat: 50}}`");
                self.problem_with_help(at, "it is not said how many runs the group has", help);
                return None;
            }
        };
        let seeds = of_runs.map(|of_runs| Seeds { variable, of_runs });
        let overlay = self.overlay(&mut entries, args);
        Some(Overlay { group: Some(Group { repeat, seeds }), ..overlay })
    }

    /// The seeds of a group, and how many runs that makes, if they say it.
    fn seeds(
        &mut self,
        at: &At<'_>,
        entries: &mut Entries<'_>,
    ) -> Option<(Option<SeedsOfRuns>, Option<u32>)> {
        let same = match entries.remove("seed") {
            Some(node) => Some(self.seed(&node)?),
            None => None,
        };
        let Some(node) = entries.remove("seeds") else {
            return Some((same.map(SeedsOfRuns::Same), None));
        };
        if same.is_some() {
            self.problem_with_help(at, "a group has either `seed` or `seeds`", FORMS);
            return None;
        }
        let (seeds, count) = if let Node::Sequence(_) = node.node {
            let nodes = self.list(&node, "`seeds`");
            let seeds: Vec<u64> = nodes.iter().filter_map(|node| self.seed(node)).collect();
            let mut known = BTreeSet::new();
            if let Some(twice) = seeds.iter().find(|seed| !known.insert(**seed)) {
                let message = format!("the seed {twice} stands in the list twice");
                let help = "runs with one seed are a group of their own: `{seed: 1, repeat: 3}`";
                self.problem_with_help(&node, message, help);
                return None;
            }
            let count = seeds.len();
            (SeedsOfRuns::Listed(seeds), u32::try_from(count).ok()?)
        } else {
            let range: SeedRange = self.parsed(&node, "`seeds`")?;
            (SeedsOfRuns::From(range.first), range.count)
        };
        if !(1..=MOST_RUNS).contains(&count) {
            self.problem(&node, format!("a group has 1 to {MOST_RUNS} runs, and not {count}"));
            return None;
        }
        Some((Some(seeds), Some(count)))
    }

    fn seed(&mut self, at: &At<'_>) -> Option<u64> {
        let text = self.text(at, "a seed")?;
        let seed = text.parse().ok();
        if seed.is_none() {
            let message = format!("`{}` is not a seed", shorten(&text));
            self.problem_with_help(at, message, "a seed is a whole number from 0 on");
        }
        seed
    }

    /// A file of two lines: how many runs each of the two groups has, and how many epochs, which the runs find in
    /// the variable `EPOCHS`.
    fn two_lines(&mut self, at: &At<'_>) -> Option<Vec<AxisValue>> {
        let path = self.text(at, "`groups`")?;
        let bytes = self.file(at, &path)?;
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> =
            text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let numbers: Option<Vec<u32>> = lines.iter().map(|line| line.parse().ok()).collect();
        let Some(&[runs, epochs]) = numbers.as_deref() else {
            let message =
                format!("`{}` does not hold two whole numbers, a line each", shorten(&path));
            let help = "the first is the number of runs, the second of epochs";
            self.problem_with_help(at, message, help);
            return None;
        };
        if !(1..=MOST_RUNS).contains(&runs) {
            self.problem(
                at,
                format!(
                    "a group has 1 to {MOST_RUNS} runs, and not {runs} as `{}` says",
                    shorten(&path)
                ),
            );
            return None;
        }
        let value = |label: &str, of_runs| {
            let seeds = Some(Seeds { variable: Seeds::VARIABLE.to_owned(), of_runs });
            let env = [("EPOCHS".to_owned(), epochs.to_string())].into();
            let group = Some(Group { repeat: runs, seeds });
            AxisValue {
                label: label.to_owned(),
                overlay: Overlay { env, group, ..Overlay::default() },
            }
        };
        let (same, different) = (SeedsOfRuns::Same(0), SeedsOfRuns::From(0));
        Some(vec![value("same_seed", same), value("different_seeds", different)])
    }

    /// A command that asks for a seed must get one in every cell.
    pub(super) fn seeds_are_there(&mut self, at: &At<'_>, tests: &[Test], axes: &Axes) {
        let groups = axes.axes.iter().find(|axis| axis.name == GROUP_AXIS);
        let names_another = |test: &&Test| {
            test.command.iter().any(|word| word.replace(Test::SEED, "").contains("{{"))
        };
        if groups.is_some()
            && let Some(test) = tests.iter().find(names_another)
        {
            let message = format!("`{}` has a `{{{{` that nothing fills", shorten(&test.name));
            self.problem_with_help(at, message, "beside groups, a command may say `{{ seed }}`");
        }
        let Some(test) = tests.iter().find(|test| test.names_seed()) else { return };
        let without = |value: &AxisValue| {
            let group = value.overlay.group.as_ref();
            group.is_none_or(|group| group.seeds.is_none())
        };
        let message = match groups.map(|axis| axis.listed().iter().find(|value| without(value))) {
            None => format!(
                "`{}` asks for `{}`, and there are no `groups`",
                shorten(&test.name),
                Test::SEED
            ),
            Some(Some(value)) => format!(
                "`{}` asks for `{}`, and the group `{}` has no seed",
                shorten(&test.name),
                Test::SEED,
                shorten(&value.label)
            ),
            Some(None) => return,
        };
        self.problem_with_help(at, message, FORMS);
    }
}
