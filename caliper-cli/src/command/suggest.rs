use std::collections::BTreeSet;
use std::path::Path;

use caliper_core::analysis::results::Results;
use caliper_core::analysis::suggest::{
    Columns, ProjectFile, Suggested, check, held, held_python, releases,
};
use caliper_core::report;
use caliper_core::report::advice::{besides, list};
use caliper_core::report::grid::Span;
use caliper_core::report::model::{Advice, Checked, VariantAdvice};

use super::no_such_test;
use super::recorded::recorded;
use crate::args::FormatName;
use crate::exit::{Exit, Failure, Outcome};
use crate::terminal::Terminal;

pub(super) fn run(
    config: &Path,
    test: Option<&str>,
    declared_in: Option<&str>,
    format: FormatName,
    terminal: Terminal,
) -> Outcome {
    let (_, results) = recorded(config, terminal)?;
    let all_tests: BTreeSet<&str> = results
        .cells
        .iter()
        .flat_map(|record| record.judged().iter().map(|test| test.name.as_str()))
        .collect();
    if let Some(test) = test
        && !all_tests.contains(test)
    {
        let names: Vec<&str> = all_tests.into_iter().collect();
        return Err(no_such_test(test, " in the results", &names));
    }
    let wanted = |name: &str| test.is_none_or(|test| test == name);
    let mut advice = Advice::of(&results, &wanted);
    if let Some(what) = declared_in {
        advice.declared = declared(what, &results, &wanted)?;
    }
    match format {
        FormatName::Json => super::print_json(&advice, terminal)?,
        FormatName::Text => terminal.prose(&text(&advice)),
    }
    let holds = advice.declared.iter().all(|checked| checked.declared.holds());
    Ok(if holds { Exit::Done } else { Exit::Unexpected })
}

/// Compares what a project declares, in a file or in this very text, with the results.
fn declared(
    what: &str,
    results: &Results,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<Checked>, Failure> {
    let path = Path::new(what);
    if !path.exists() && what.trim_start().starts_with(['<', '>', '=', '!', '~']) {
        let releases = releases(results, wanted, Columns::default());
        let declared =
            check(what, &releases).map_err(|error| Failure::question(error.to_string()))?;
        return Ok(vec![Checked { section: "--check".to_owned(), declared }]);
    }
    let path = if path.is_dir() { path.join("pyproject.toml") } else { path.to_owned() };
    let told =
        |error: &dyn std::fmt::Display| Failure::question(format!("`{}`: {error}", path.display()));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let kind = ProjectFile::named(&name).ok_or_else(|| {
        told(&"it is neither a `pyproject.toml`, a `setup.cfg` nor a requirements file (`*.txt`): name one \
               of these, or the specifier itself (`'>=1.2,<2'`)")
    })?;
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Failure::question(format!("could not read `{}`: {error}", path.display()))
    })?;
    let declarations =
        kind.declarations(&text, &results.dependency).map_err(|error| told(&error))?;
    if declarations.is_empty() {
        return Err(told(&format!("it does not declare {}", results.dependency)));
    }
    let mut checked: Vec<Checked> = held(&declarations, results, wanted)
        .into_iter()
        .map(|(section, declared)| Checked { section, declared })
        .collect();
    if let Some((place, required)) = kind.requires_python(&text).map_err(|error| told(&error))? {
        let declared = held_python(&required, results);
        checked.push(Checked { section: place.to_owned(), declared });
    }
    Ok(checked)
}

fn text(advice: &Advice) -> String {
    let name = advice.package.normalized();
    let mut text = match &advice.all {
        Suggested::Specifier(suggestion) => {
            let mut text = format!("{name}{}\n", suggestion.specifier);
            text += &match suggestion.allows.len() {
                1 => "  allows 1 release that passes".to_owned(),
                more => format!("  allows {more} releases that pass"),
            };
            if suggestion.nothing_fails {
                text += "; none that was measured fails";
            }
            text.push('\n');
            if !suggestion.unproven.is_empty() {
                text += &format!("  without evidence: {}\n", list(&suggestion.unproven));
            }
            if !suggestion.unproven_excluded.is_empty() {
                let excluded = list(&suggestion.unproven_excluded);
                text += &format!("  excluded without evidence: {excluded}\n");
            }
            text
        }
        other => format!("{}\n", short(name, other)),
    };
    for (title, suggestions) in [
        ("by test", advice.tests.iter().map(|(test, one)| (test.clone(), one)).collect::<Vec<_>>()),
        ("by Python", advice.pythons.iter().map(|(one, said)| (one.to_string(), said)).collect()),
        ("by variant", advice.variants.iter().map(named).collect()),
    ] {
        // What all say alike was said.
        if suggestions.iter().any(|(_, suggested)| **suggested != advice.all) {
            text += &format!("{title}\n");
            for (what, suggested) in suggestions {
                text += &format!("  {what}: {}\n", short(name, suggested));
            }
        }
    }
    text += &format!("requires-python: {}", short("", &advice.requires_python));
    if let Suggested::Specifier(suggestion) = &advice.requires_python
        && suggestion.nothing_fails
    {
        let verb = if suggestion.allows.len() == 1 { "was" } else { "were" };
        text += &format!(" (only {} {verb} measured)", list(&suggestion.allows));
    }
    text.push('\n');
    text += &listed("what the bounds rest on", &report::rows::lines(&advice.rests_on));
    text += &listed("not the release alone", &report::rows::by_date(&advice.clocks));
    for line in besides(advice) {
        text += &format!("{line}\n");
    }
    if advice.stale > 0 {
        let stale = advice.stale;
        text += &format!(
            "{stale} cells are stale and are no evidence; `caliper run` measures them again\n"
        );
    }
    for Checked { section, declared } in &advice.declared {
        text += &format!("{section}\n");
        for line in declared.to_string().lines() {
            text += &format!("  {line}\n");
        }
    }
    text
}

/// Lines as `show` tells them, below a title.
fn listed(title: &str, lines: &[Vec<Span>]) -> String {
    const LISTED: usize = 20;
    if lines.is_empty() {
        return String::new();
    }
    let mut text = format!("{title}\n");
    for line in lines.iter().take(LISTED) {
        let parts: Vec<&str> = line.iter().map(|(_, part)| part.as_str()).collect();
        text += &format!("  {}\n", parts.concat());
    }
    if lines.len() > LISTED {
        text += &format!("  … {} lines more: `caliper show`\n", lines.len() - LISTED);
    }
    text
}

fn named(advice: &VariantAdvice) -> (String, &Suggested) {
    let VariantAdvice { variant, suggested } = advice;
    let name = if variant.is_empty() { "no variant".to_owned() } else { variant.to_string() };
    (name, suggested)
}

fn short(name: &str, suggested: &Suggested) -> String {
    match suggested {
        Suggested::Specifier(suggestion) => format!("{name}{}", suggestion.specifier),
        Suggested::NothingPasses => "nothing that was measured passes".to_owned(),
        Suggested::Inseparable { failing } => {
            format!("no specifier can exclude {} alone", list(failing))
        }
    }
}
