//! What failing goes with, as text.

use std::collections::BTreeMap;

use super::details::shell_word;
use super::grid::Span;
use super::model::Tone;
use crate::analysis::suspects::{Pairing, Suspects};

/// Lines for a terminal, with the command that decides: where a package is suspect. What tests say alike is told once.
/// That failing goes with the release or the Python alone is what rows and the grid show. The rest of many is counted.
pub fn lines(suspects: &[Suspects]) -> Vec<Vec<Span>> {
    let mut said: BTreeMap<String, (Vec<&str>, Option<&Pairing>)> = BTreeMap::new();
    let mut order = Vec::new();
    for one in suspects.iter().filter(|one| one.names_a_package()) {
        let text = one.to_string();
        let known = said.entry(text.clone()).or_insert_with(|| {
            order.push(text);
            (Vec::new(), one.decide.as_ref())
        });
        known.0.push(&one.test);
    }
    let mut lines = Vec::new();
    let more = order.len().saturating_sub(MOST);
    for text in order.into_iter().take(MOST) {
        let Some((tests, decide)) = said.remove(&text) else { continue };
        lines.push(vec![(Tone::Plain, tests.join(", "))]);
        lines.push(vec![(Tone::Plain, "  ".to_owned()), (Tone::Notable, text)]);
        if let Some(pair) = decide {
            lines.push(vec![(Tone::Dim, format!("  what it is: {}", command(pair)))]);
        }
    }
    if more > 0 {
        lines
            .push(vec![(Tone::Dim, format!("… and {more} more such sentences (`--format json`)"))]);
    }
    lines
}

/// How many sentences are told.
const MOST: usize = 3;

/// The command that finds by runs which of two cells' packages decide.
pub fn command(Pairing { failing, passing, .. }: &Pairing) -> String {
    let [failing, passing] = [failing, passing].map(|id| shell_word(&id.to_string()));
    format!("caliper blame {failing} --against {passing}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Analysis;
    use crate::facts::record::Installed;
    use crate::facts::record::TestOutcome::{Failed, Passed};
    use crate::facts::record::tests::{record, test};
    use crate::question::criteria::Criteria;

    #[test]
    fn tests_that_say_the_same_are_told_together_and_only_of_packages() {
        let cell = |index: usize| {
            let mut record = record(&format!("1.{index}"), "3.11");
            record.variant.insert("seed", "0");
            let helper = if index.is_multiple_of(2) { "1.0" } else { "2.0" };
            record.environment.installed = vec![Installed::new("helper", helper)];
            let outcome = |fails: bool| if fails { Failed } else { Passed };
            let by_helper = outcome(index % 2 == 1);
            record.with_runs([
                test("a", by_helper, ""),
                test("b", by_helper, ""),
                test("by-release", outcome(index < 12), ""),
            ])
        };
        let cells: Vec<_> = (0..24).map(cell).collect();
        let criteria = Criteria::default();
        let analysis = Analysis::new(&cells, None, &criteria, &|_| None);
        let found = analysis.suspects(&"demo".parse().unwrap());
        assert_eq!(found.len(), 3);
        let text: Vec<String> = lines(&found)
            .into_iter()
            .map(|line| line.into_iter().map(|(_, text)| text).collect())
            .collect();
        insta::assert_snapshot!(text.join("\n"), @"
        a, b
          failing goes with helper >= 2.0: 12 of 12 cells fail; otherwise 0 of 12
          what it is: caliper blame '1.23/3.11[seed=0]' --against '1.22/3.11[seed=0]'
        ");
    }
}
