//! Reads the key `expect`.

use globset::Glob;

use super::{At, Node, Reader, shorten};
use crate::question::axes::{Axes, Rule};
use crate::question::criteria::Tolerance;
use crate::question::expected::ExpectedValue;
use crate::question::plan::Test;
use crate::question::template::nearest;
use pep440_rs::VersionSpecifiers;

/// The keys under `expect`.
pub(in crate::question::config) const EXPECT: &[&str] = &["releases", "values"];

/// The keys of an expected value.
pub(in crate::question::config) const EXPECTED_VALUE: &[&str] =
    &["test", "metric", "value", "where", "machine", "absolute", "relative", "ulps", "nan"];

impl Reader<'_> {
    /// Specifiers of releases that must pass, or these and values.
    pub(super) fn expect(
        &mut self,
        at: &At<'_>,
        tests: &[Test],
        axes: &Axes,
    ) -> (Option<VersionSpecifiers>, Vec<ExpectedValue>) {
        if !matches!(at.node, Node::Mapping(_)) {
            return (self.parsed(at, "`expect`"), Vec::new());
        }
        let Some(mut entries) = self.mapping(at, "`expect`", EXPECT) else {
            return (None, Vec::new());
        };
        let releases = entries.remove("releases");
        let releases = releases.and_then(|node| self.parsed(&node, "`releases`"));
        let values = entries.remove("values").map(|node| self.list(&node, "`values`"));
        let values = values.into_iter().flatten();
        let values: Vec<ExpectedValue> =
            values.filter_map(|node| self.expected_value(&node, tests, axes)).collect();
        if releases.is_none() && values.is_empty() && self.problems.is_empty() {
            let help = "name `releases` that must pass, or `values` that tests must give";
            self.problem_with_help(at, "`expect` expects nothing", help);
        }
        (releases, values)
    }

    /// `{test: draw, metric: mean, value: 0.25, where: {version: "<2"}}`.
    fn expected_value(
        &mut self,
        at: &At<'_>,
        tests: &[Test],
        axes: &Axes,
    ) -> Option<ExpectedValue> {
        let mut entries = self.mapping(at, "an expected value", EXPECTED_VALUE)?;
        let missing = |reader: &mut Self, key: &str| {
            let help = "write `{metric: loss, value: 0.25}`, and `where: {version: \"<2\"}` if it holds only there";
            reader.problem_with_help(at, format!("an expected value has no `{key}`"), help);
        };
        let metric = if let Some(node) = entries.remove("metric") {
            self.text(&node, "`metric`")
        } else {
            missing(self, "metric");
            None
        };
        let value = if let Some(node) = entries.remove("value") {
            self.parsed(&node, "`value`")
        } else {
            missing(self, "value");
            None
        };
        let test = match (entries.remove("test"), tests) {
            (Some(node), _) => self.known_test(&node, tests),
            (None, [only]) => Some(only.name.clone()),
            (None, _) => {
                let help = "name one of the `tests`: `test: train`";
                self.problem_with_help(at, "it is not said of which test the value is", help);
                None
            }
        };
        let machine = match entries.remove("machine") {
            Some(node) => {
                let pattern = self.text(&node, "`machine`")?;
                if let Err(error) = Glob::new(&pattern) {
                    let message =
                        format!("`{}` is no pattern: {}", shorten(&pattern), error.kind());
                    self.problem(&node, message);
                }
                Some(pattern)
            }
            None => None,
        };
        let place = entries.remove("where").and_then(|node| self.rule(&node, &axes.axes));
        let tolerance = self.tolerance(entries, &Tolerance::default());
        let (test, metric, value) = (test?, metric?, value?);
        let place = place.unwrap_or_else(Rule::default);
        Some(ExpectedValue { test, metric, place, machine, value, tolerance })
    }

    fn known_test(&mut self, at: &At<'_>, tests: &[Test]) -> Option<String> {
        let name = self.text(at, "`test`")?;
        let names = || tests.iter().map(|test| test.name.as_str());
        if !names().any(|known| known == name) {
            let help = match nearest(&name, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "name one of the `tests`".to_owned(),
            };
            self.problem_with_help(at, format!("there is no test `{}`", shorten(&name)), help);
        }
        Some(name)
    }
}
