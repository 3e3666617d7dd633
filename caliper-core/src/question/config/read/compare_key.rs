//! Reads the key `compare`.

use std::collections::BTreeMap;

use super::{At, Node, Reader};
use crate::question::criteria::{Criteria, Nan, Rule, Tolerance};

/// The keys under `compare`.
pub(in crate::question::config) const COMPARE: &[&str] =
    &["absolute", "relative", "ulps", "nan", "fields", "keep", "stderr", "alpha"];

/// The keys of a field under `fields`.
const TOLERANCE: &[&str] = &["absolute", "relative", "ulps", "nan"];

impl Reader<'_> {
    pub(super) fn compare(&mut self, at: &At<'_>) -> Criteria {
        let mut criteria = Criteria::default();
        let Some(mut entries) = self.mapping(at, "`compare`", COMPARE) else { return criteria };
        if let Some(node) = entries.remove("fields") {
            criteria.policy.fields = self.fields(&node);
        }
        for node in
            entries.remove("keep").map(|node| self.list(&node, "`keep`")).unwrap_or_default()
        {
            let all: Vec<(String, Rule)> =
                Rule::ALL.into_iter().map(|rule| (rule.to_string(), rule)).collect();
            let choices: Vec<(&str, Rule)> =
                all.iter().map(|(name, rule)| (name.as_str(), *rule)).collect();
            if let Some(rule) = self.choice(&node, "`keep`", &choices) {
                criteria.policy.rules.remove(&rule);
            }
        }
        if let Some(node) = entries.remove("stderr") {
            criteria.stderr = self.parsed(&node, "`stderr`").unwrap_or_default();
        }
        if let Some(node) = entries.remove("alpha") {
            let alpha: Option<f64> = self.parsed(&node, "`alpha`");
            match alpha {
                Some(alpha) if alpha > 0.0 && alpha < 1.0 => criteria.alpha = alpha,
                Some(_) => {
                    self.problem(&node, "`alpha` is an error rate between 0 and 1, such as 0.05");
                }
                None => {}
            }
        }
        criteria.policy.tolerance = self.tolerance(entries);
        criteria
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
            if fields.insert(name.clone(), self.tolerance(entries)).is_some() {
                self.problem(
                    &child,
                    format!("`{}` stands here a second time", super::shorten(name)),
                );
            }
        }
        fields
    }

    fn tolerance(&mut self, mut entries: super::Entries<'_>) -> Tolerance {
        let usual = Tolerance::default();
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
        let mut tolerance = Tolerance::new(absolute, relative).unwrap_or(usual);
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
