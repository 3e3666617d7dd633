//! Rows as text: where each test changes along the releases, and what was not measured.

use std::collections::BTreeMap;

use super::grid::Span;
use super::model::Tone;
use crate::analysis::clocks::{Clocks, Course};
use crate::analysis::results::RowSummary;
use crate::analysis::row::{Transition, TransitionKind, releases};
use crate::names::PythonVersion;
use crate::question::grid::Variant;

/// What there is to say, a line each.
fn sentences(row: &RowSummary) -> Vec<(Tone, String)> {
    use TransitionKind::{FirstBad, GoodAgain, ResultChanged, ResultDiffers};
    let tone = |kind| match kind {
        FirstBad => Tone::Bad,
        GoodAgain => Tone::Good,
        ResultChanged => Tone::Notable,
        ResultDiffers => Tone::Dim,
    };
    // A result that never is the same twice would fill the screen with what is not known.
    let open = row.transitions.iter().filter(|one| one.kind == ResultDiffers).count();
    let told = |one: &&Transition<String>| one.kind != ResultDiffers || open <= MOST_OPEN;
    let told = row.transitions.iter().filter(told);
    let mut sentences: Vec<(Tone, String)> =
        told.map(|one| (tone(one.kind), one.to_string())).collect();
    if open > MOST_OPEN {
        let text = format!(
            "result is not the same from release to release, {open} times, which may be noise"
        );
        sentences.push((Tone::Dim, text));
    }
    sentences.extend(row.drifts.iter().map(|one| (Tone::Notable, one.to_string())));
    if !row.monotone {
        let text = "goes back and forth: a bisection would have been wrong here";
        sentences.push((Tone::Dim, text.to_owned()));
    }
    if !row.flaky.is_empty() {
        sentences.push((Tone::Notable, format!("flaky at {}", row.flaky.join(", "))));
    }
    if row.unprobed.len() > MOST_GAPS {
        let count = row.unprobed.iter().map(|gap| gap.releases.len()).sum();
        let text = format!("not measured: {} in {} gaps", releases(count), row.unprobed.len());
        sentences.push((Tone::Dim, text));
    } else {
        sentences.extend(row.unprobed.iter().map(|one| (Tone::Dim, one.to_string())));
    }
    sentences
}

/// More differences that may be noise than these are counted, not listed.
const MOST_OPEN: usize = 3;

/// More gaps that were not measured than these are counted, not listed.
const MOST_GAPS: usize = 6;

/// Lines for a terminal: what several rows have in common is said once. Rows of which there is nothing
/// to say are left out.
pub fn lines(rows: &[RowSummary]) -> Vec<Vec<Span>> {
    grouped(rows.iter().map(|row| (&*row.test, row.python, &row.variant, sentences(row))))
}

/// The same of how releases fared at their own date and later. What is fine is not told where anything else is.
pub fn by_date(clocks: &[Clocks]) -> Vec<Vec<Span>> {
    let is_fine = |one: &&Clocks| one.course == Course::Fine;
    let all_fine = clocks.iter().all(|one| is_fine(&one));
    let mut said: BTreeMap<(&str, PythonVersion, &Variant), Sentences> = BTreeMap::new();
    for one in clocks.iter().filter(|one| all_fine || !is_fine(one)) {
        let tone = match one.course {
            Course::Drifted | Course::BrokenFromBirth => Tone::Bad,
            Course::Healed => Tone::Good,
            Course::ResultDrifted => Tone::Notable,
            Course::Unbuilt | Course::Undecided | Course::Fine => Tone::Dim,
        };
        let column = said.entry((&*one.test, one.python, &one.variant)).or_default();
        column.push((tone, one.to_string()));
    }
    grouped(said.into_iter().map(|((test, python, variant), said)| (test, python, variant, said)))
}

type Sentences = Vec<(Tone, String)>;

/// What is said of tests in columns of the grid. What is the same of several is said once.
fn grouped<'a>(
    said: impl Iterator<Item = (&'a str, PythonVersion, &'a Variant, Sentences)>,
) -> Vec<Vec<Span>> {
    type Column<'a> = (PythonVersion, &'a Variant);
    type Group<'a> = (Vec<&'a str>, Sentences, Vec<String>);
    // What is said, of which tests, in each column.
    let mut columns: BTreeMap<Column<'_>, BTreeMap<Sentences, Vec<&str>>> = BTreeMap::new();
    for (test, python, variant, sentences) in said {
        if !sentences.is_empty() {
            let column = columns.entry((python, variant)).or_default();
            column.entry(sentences).or_default().push(test);
        }
    }
    let mut groups: Vec<Group<'_>> = Vec::new();
    for ((python, variant), said) in columns {
        let name =
            if variant.is_empty() { python.to_string() } else { format!("{python} {variant}") };
        for (sentences, tests) in said {
            let known =
                groups.iter_mut().find(|(these, what, _)| *these == tests && *what == sentences);
            match known {
                Some((.., pythons)) => pythons.push(name.clone()),
                None => groups.push((tests, sentences, vec![name.clone()])),
            }
        }
    }
    let mut lines = Vec::new();
    for (tests, sentences, pythons) in groups {
        let title = format!("{} on {}", tests.join(", "), listed(&pythons));
        lines.push(vec![(Tone::Plain, title)]);
        let say = |(tone, text)| vec![(Tone::Plain, "  ".to_owned()), (tone, text)];
        lines.extend(sentences.into_iter().map(say));
    }
    lines
}

/// The names of columns, without most of many.
pub(super) fn listed(columns: &[String]) -> String {
    const MOST: usize = 16;
    const NAMED: usize = 3;
    if columns.len() <= MOST {
        return columns.join(", ");
    }
    format!("{} and {} more columns", columns[..NAMED].join(", "), columns.len() - NAMED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::row::{Alike, AlsoDiffers, Row, State, Sure};
    use crate::analysis::row_summary::Known;

    #[test]
    fn rows_that_say_the_same_are_told_together() {
        use State::{Failed, Passed, Unmeasured};
        let row = |states: &[State]| {
            let releases = (0..).zip(states).map(|(minor, state)| {
                let version: pep440_rs::Version = format!("1.{minor}").parse().unwrap();
                (version, *state)
            });
            Row::new(releases).unwrap()
        };
        let breaks = row(&[Passed, Passed, Failed, Unmeasured, Failed]);
        let fine = row(&[Passed; 5]);
        let moves = row(&[Passed, Failed, Passed, Passed, Passed]);
        let summary = |row: &Row, test, python: &str| {
            let alike = |one: usize, other: usize| {
                let sure = Sure::Test { p: 0.004, adjusted: 0.012, rate: 0.05 };
                if (one < 3) == (other < 3) { Alike::Same } else { Alike::Different(sure) }
            };
            let moved = AlsoDiffers::package("numpy", "1.26.4", "2.0.0");
            let known = Known {
                alike: &alike,
                fail_alike: &|_, _| true,
                is_withdrawn: &|_| false,
                runs: &|release| if release < 3 { 3 } else { 1 },
                also_differs: &|_, to| if to == 2 { vec![moved.clone()] } else { Vec::new() },
            };
            RowSummary::of(row, test, python.parse().unwrap(), &Variant::default(), &known)
        };
        let rows = [
            summary(&breaks, "import", "3.9"),
            summary(&breaks, "render.py", "3.9"),
            summary(&breaks, "import", "3.11"),
            summary(&breaks, "render.py", "3.11"),
            summary(&fine, "import", "3.12"),
            summary(&moves, "render.py", "3.12"),
        ];
        let text: Vec<String> = lines(&rows)
            .into_iter()
            .map(|line| line.into_iter().map(|(_, text)| text).collect())
            .collect();
        insta::assert_snapshot!(text.join("\n"), @"
        import, render.py on 3.9, 3.11
          breaks between 1.1 and 1.2 (adjacent; 3 runs on each side agree); not only the release differs: numpy 1.26.4 → 2.0.0
          not measured between 1.2 and 1.4, which fail from the same cause (1 release)
        import on 3.12
          result changes between 1.2 and 1.3 (adjacent; p = 0.012 at a rate of 0.05)
        render.py on 3.12
          breaks between 1.0 and 1.1 (adjacent; 3 runs on each side agree)
          is fixed between 1.1 and 1.2 (adjacent; 3 runs on each side agree); not only the release differs: numpy 1.26.4 → 2.0.0
          result changes between 1.2 and 1.3 (adjacent; p = 0.012 at a rate of 0.05)
          goes back and forth: a bisection would have been wrong here
        ");
    }
}
