//! Reads the key `compare`.

use std::collections::BTreeMap;

use super::{At, Node, Reader};
use crate::question::criteria::{Criteria, Ignore, Nan, Rule, TestCriteria, Tolerance};

/// The keys under `compare`.
pub(in crate::question::config) const COMPARE: &[&str] = &[
    "absolute", "relative", "ulps", "nan", "fields", "keep", "ignore", "stdout", "stderr", "alpha",
];

/// The keys of a field under `fields`.
const TOLERANCE: &[&str] = &["absolute", "relative", "ulps", "nan"];

/// What an entry under `ignore` can be.
const IGNORE: &[&str] = &["line", "pattern", "field"];

impl Reader<'_> {
    /// `compare` of the analysis: what holds for all tests, and the error rate.
    pub(super) fn compare(&mut self, at: &At<'_>) -> Criteria {
        let mut criteria = Criteria::default();
        let mut alpha = None;
        if !matches!(at.node, Node::Mapping(_)) {
            criteria.usual = self.exit_status(at, &TestCriteria::default());
        } else if let Some(mut entries) = self.mapping(at, "`compare`", COMPARE) {
            alpha = entries.remove("alpha");
            criteria.usual = self.criteria(entries, &TestCriteria::default());
        }
        if let Some(node) = alpha {
            let alpha: Option<f64> = self.parsed(&node, "`alpha`");
            match alpha {
                Some(alpha) if alpha > 0.0 && alpha < 1.0 => criteria.alpha = alpha,
                Some(_) => {
                    self.problem(&node, "`alpha` is an error rate between 0 and 1, such as 0.05");
                }
                None => {}
            }
        }
        criteria
    }

    /// `compare` of a test, whose keys stand in place of those of the analysis.
    pub(super) fn compare_test(&mut self, at: &At<'_>, usual: &TestCriteria) -> TestCriteria {
        if !matches!(at.node, Node::Mapping(_)) {
            return self.exit_status(at, usual);
        }
        let Some(mut entries) = self.mapping(at, "`compare`", COMPARE) else {
            return usual.clone();
        };
        if let Some(node) = entries.remove("alpha") {
            self.problem_with_help(
                &node,
                "`alpha` is the error rate over all tests together",
                "write it under `compare` of the analysis",
            );
        }
        // Who says how to compare what a test prints wants that compared.
        self.criteria(entries, &TestCriteria { exit_status: false, ..usual.clone() })
    }

    /// `exit-status`, the only word that `compare` can be.
    fn exit_status(&mut self, at: &At<'_>, usual: &TestCriteria) -> TestCriteria {
        let choices = [("exit-status", true)];
        let exit_status = self.choice(at, "`compare`", &choices).unwrap_or_default();
        TestCriteria { exit_status, ..usual.clone() }
    }

    fn criteria(&mut self, mut entries: super::Entries<'_>, usual: &TestCriteria) -> TestCriteria {
        let mut criteria = usual.clone();
        if let Some(node) = entries.remove("fields") {
            criteria.policy.fields = self.fields(&node);
        }
        if let Some(node) = entries.remove("keep") {
            criteria.policy.rules = Rule::ALL.into();
            let all: Vec<(String, Rule)> =
                Rule::ALL.into_iter().map(|rule| (rule.to_string(), rule)).collect();
            let choices: Vec<(&str, Rule)> =
                all.iter().map(|(name, rule)| (name.as_str(), *rule)).collect();
            for node in self.list(&node, "`keep`") {
                if let Some(rule) = self.choice(&node, "`keep`", &choices) {
                    criteria.policy.rules.remove(&rule);
                }
            }
        }
        if let Some(node) = entries.remove("ignore") {
            criteria.policy.ignore = self.ignore(&node);
        }
        if let Some(node) = entries.remove("stdout") {
            criteria.stdout = self.parsed(&node, "`stdout`");
        }
        if let Some(node) = entries.remove("stderr") {
            criteria.stderr = self.parsed(&node, "`stderr`").unwrap_or_default();
        }
        criteria.policy.tolerance = self.tolerance(entries, &usual.policy.tolerance);
        criteria
    }

    /// A list of `{line: …}`, `{pattern: …}` and `{field: …}`.
    fn ignore(&mut self, at: &At<'_>) -> Ignore {
        let mut ignore = Ignore::default();
        for node in self.list(at, "`ignore`") {
            let Some(entries) = self.mapping(&node, "an entry of `ignore`", IGNORE) else {
                continue;
            };
            if entries.len() != 1 {
                self.problem_with_help(
                    &node,
                    "an entry of `ignore` is one of `line`, `pattern` and `field`",
                    "write `- {line: \"^versions\"}`",
                );
            }
            for (kind, node) in entries {
                match kind {
                    "line" => ignore.lines.extend(self.parsed(&node, "`line`")),
                    "pattern" => ignore.patterns.extend(self.parsed(&node, "`pattern`")),
                    _ => ignore.fields.extend(self.text(&node, "`field`")),
                }
            }
        }
        ignore
    }

    fn fields(&mut self, at: &At<'_>) -> BTreeMap<String, Tolerance> {
        let Node::Mapping(pairs) = at.node else {
            self.problem(at, "`fields` must be names with tolerances: `{loss: {relative: 1e-3}}`");
            return BTreeMap::new();
        };
        let mut fields = BTreeMap::new();
        for (index, (name, node)) in pairs.iter().enumerate() {
            let child = at.child(index, node);
            let Some(entries) = self.mapping(&child, "a field", TOLERANCE) else { continue };
            if fields.insert(name.clone(), self.tolerance(entries, &Tolerance::default())).is_some()
            {
                self.problem(
                    &child,
                    format!("`{}` stands here a second time", super::shorten(name)),
                );
            }
        }
        fields
    }

    pub(super) fn tolerance(
        &mut self,
        mut entries: super::Entries<'_>,
        usual: &Tolerance,
    ) -> Tolerance {
        let mut number = |reader: &mut Self, key: &str, usual: f64| {
            let Some(node) = entries.remove(key) else { return usual };
            let number: Option<f64> = reader.parsed(&node, &format!("`{key}`"));
            match number {
                Some(number) if number.is_finite() && number >= 0.0 => number,
                Some(_) => {
                    reader.problem(&node, format!("`{key}` must be a finite number, not below 0"));
                    usual
                }
                None => usual,
            }
        };
        let absolute = number(self, "absolute", usual.absolute());
        let relative = number(self, "relative", usual.relative());
        // Both were validated above.
        let mut tolerance =
            Tolerance::new(absolute, relative).unwrap_or(*usual).with_nan(usual.nan());
        if let Some(ulps) = usual.ulps() {
            tolerance = tolerance.with_ulps(ulps);
        }
        if let Some(ulps) = entries.remove("ulps").and_then(|node| self.parsed(&node, "`ulps`")) {
            tolerance = tolerance.with_ulps(ulps);
        }
        if let Some(node) = entries.remove("nan") {
            let choices = [("equal", Nan::Equal), ("different", Nan::Different)];
            if let Some(nan) = self.choice(&node, "`nan`", &choices) {
                tolerance = tolerance.with_nan(nan);
            }
        }
        tolerance
    }
}
