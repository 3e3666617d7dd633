//! What failing goes with, as text.

use std::collections::BTreeMap;

use super::grid::Span;
use super::model::Tone;
use crate::analysis::suspects::{Pairing, Suspects};

/// Lines for a terminal, with the command that decides: where a package is suspect. What tests say alike is told once.
/// That failing goes with the release or the Python alone is what rows and the grid show.
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
    for text in order {
        let Some((tests, decide)) = said.remove(&text) else { continue };
        lines.push(vec![(Tone::Plain, tests.join(", "))]);
        lines.push(vec![(Tone::Plain, "  ".to_owned()), (Tone::Notable, text)]);
        if let Some(pair) = decide {
            lines.push(vec![(Tone::Dim, format!("  what it is: {}", command(pair)))]);
        }
    }
    lines
}

/// The command that finds by runs which of two cells' packages decide.
pub fn command(Pairing { failing, passing, .. }: &Pairing) -> String {
    let quoted = |id: String| if id.contains('[') { format!("'{id}'") } else { id };
    let [failing, passing] = [failing, passing].map(|id| quoted(id.to_string()));
    format!("caliper blame {failing} --against {passing}")
}
