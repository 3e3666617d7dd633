//! The report of the reproducibility experiment, as its own program writes it.

use super::details::single_line;
use crate::analysis::morin::{ArrayAt, Checked, Differing, Experiment, GroupOfRuns};

/// The text of `comparison.txt`: a part for each group, with an empty line between two. If there are several tests,
/// releases or Pythons, each begins with a line that says which it is.
///
/// What the original tells has its words and its white space. What it cannot tell follows them in the parentheses of the
/// run: an array that is missing, say.
pub fn text(experiments: &[Experiment]) -> String {
    let mut parts: Vec<String> = Vec::new();
    for experiment in experiments {
        if experiments.len() > 1 {
            let place = &experiment.place;
            let variant = if place.variant.is_empty() {
                String::new()
            } else {
                format!("[{}]", place.variant)
            };
            let (test, cell) =
                (single_line(&place.test), format!("{}/{}", place.version, place.python));
            parts.push(format!("{test} in {cell}{variant}\n"));
        }
        parts.extend(experiment.groups.iter().map(group));
    }
    parts.join("\n")
}

fn group(group: &GroupOfRuns) -> String {
    let GroupOfRuns { planned, models, data, batches, .. } = group;
    let mut text = format!("Comparison results for {}:\n\n", single_line(&group.group));
    // A blank stands before the parenthesis in the first of the three lines only.
    text += &same("Models", models, " ", *planned);
    for one in &models.differing {
        text += &format!(
            "- Different model (layers and weights compared with run #0) in this run: #{} ({})\n",
            one.run,
            details(one)
        );
    }
    text += &same("XY training data", data, "", *planned);
    for one in &data.differing {
        text += &format!(
            "- Different XY training data (compared with run #0) in this run: #{} ({})\n",
            one.run,
            details(one)
        );
    }
    text += &same("Batches", batches, "", *planned);
    for one in &batches.differing {
        text +=
            &format!("- Different batches array (compared with run #0) in this run: #{}", one.run);
        // The original names no file here.
        text += &one.how.as_ref().map_or_else(String::new, |_| format!(" ({})", details(one)));
        text.push('\n');
    }
    text
}

fn same(what: &str, checked: &Checked, blank: &str, planned: usize) -> String {
    let same = if checked.differing.is_empty() { "True" } else { "False" };
    format!(
        "{what} all the same: {same}{blank}(number of models checked: {}/{planned})\n",
        checked.runs
    )
}

fn details(one: &Differing) -> String {
    let mut text = format!("file = {}", single_line(&one.file));
    match &one.array {
        Some(ArrayAt::Numbered { layer, array }) => {
            text += &format!(", layer = {layer}, array = {array}");
        }
        Some(ArrayAt::Named(name)) => text += &format!(", array = {}", single_line(name)),
        None => {}
    }
    if let Some(how) = &one.how {
        text += &format!(": {}", single_line(how));
    }
    text
}
