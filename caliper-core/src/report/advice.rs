//! What the results support beside a bound on the package that was measured, as text.

use pep440_rs::Version;

use super::model::Advice;
use super::suspects::command;
use crate::analysis::suggest::{Candidate, OtherBound, Overtaken};

/// A line for each other package that may be bounded instead, and for what is not known because other packages moved; lines
/// that belong to the one above are indented.
pub fn besides(advice: &Advice) -> Vec<String> {
    let name = advice.package.normalized();
    let mut lines = elsewhere(name, &advice.candidates);
    lines.extend(advice.overtaken.iter().flat_map(|one| newer(name, one)));
    lines
}

/// Which other package may be bounded instead, and by which command that is shown.
fn elsewhere(name: &str, candidates: &[Candidate]) -> Vec<String> {
    const NAMED: usize = 3;
    let mut lines = Vec::new();
    let (shown, open): (Vec<&Candidate>, Vec<&Candidate>) =
        candidates.iter().partition(|one| one.is_shown);
    if !shown.is_empty() {
        lines.push(format!(
            "or, in place of a bound on {name}, as cells show that differ in nothing else"
        ));
    }
    for Candidate { bounds, releases, .. } in shown {
        for OtherBound { name, specifier, fails_with, .. } in bounds {
            let (es, span) = (if releases.len() == 1 { "es" } else { "" }, span(releases));
            lines.push(format!(
                "  {name}{specifier}, with which {span} pass{es}; {fails_with} fails, and nothing between was measured"
            ));
        }
    }
    if !open.is_empty() {
        lines
            .push(format!("candidates for a bound in place of one on {name}, as blame would show"));
    }
    for Candidate { bounds, releases, decide, .. } in open {
        let named = match bounds.as_slice() {
            [OtherBound { name, specifier, fails_with, .. }] => {
                format!("{name}{specifier} ({fails_with} fails)")
            }
            // Which of them it is decides what to bound, so that no bound can be named.
            several => {
                let names: Vec<&str> = several.iter().take(NAMED).map(|one| &*one.name).collect();
                let more = match several.len().saturating_sub(NAMED) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                format!("one of {}{more} moved, and which it is only runs tell", names.join(", "))
            }
        };
        lines.push(format!("  {}, for {}: {}", named, span(releases), command(decide)));
    }
    lines
}

/// That packages may be at fault that came out after the releases, and how that is found out.
fn newer(name: &str, overtaken: &Overtaken) -> [String; 2] {
    let Overtaken { releases, named, others, .. } = overtaken;
    let others = match (named.is_empty(), others) {
        (_, 0) => None,
        (true, 1) => Some("1 package".to_owned()),
        (true, many) => Some(format!("{many} packages")),
        (false, more) => Some(format!("{more} more")),
    };
    let packages: Vec<String> = named.iter().cloned().chain(others).collect();
    let verb = if releases.len() == 1 { "was" } else { "were" };
    let what = format!(
        "not known: whether {name} is at fault. Of what fails, {} {verb} measured only with packages that came out later: {}",
        span(releases),
        packages.join(", ")
    );
    [what, "  at their own dates: caliper run --as-of release,today".to_owned()]
}

/// The first and the last of several.
fn span(releases: &[Version]) -> String {
    match releases {
        [first, .., last] => format!("{first} … {last} ({} releases)", releases.len()),
        one => list(one),
    }
}

/// The first few of many.
pub fn list(versions: &[Version]) -> String {
    const LISTED: usize = 10;
    let mut names: Vec<String> = versions.iter().take(LISTED).map(ToString::to_string).collect();
    if versions.len() > LISTED {
        names.push(format!("… and {} more", versions.len() - LISTED));
    }
    names.join(", ")
}
