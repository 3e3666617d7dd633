use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use caliper_core::analysis::results::Results;
use caliper_core::analysis::suggest::{
    Columns, Declared, Known, Suggested, check, declarations, on_python, releases, requires_python,
    suggest, suggest_python,
};
use caliper_core::names::{PackageName, PythonVersion};
use caliper_core::question::grid::Variant;
use pep440_rs::Version;
use serde::Serialize;

use crate::args::FormatName;
use crate::exit::{Exit, Failure, Outcome};
use crate::terminal::{Terminal, printable};

/// What the results support.
#[derive(Serialize)]
struct Advice {
    schema: u32,
    package: PackageName,
    /// For all tests on all Pythons together.
    all: Suggested,
    /// For each test.
    tests: BTreeMap<String, Suggested>,
    /// For each Python, all tests together.
    pythons: BTreeMap<PythonVersion, Suggested>,
    requires_python: Suggested,
    /// For each variant, all tests together; empty if the grid has no further axes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    variants: Vec<OfVariant>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    declared: Vec<Checked>,
}

/// What the cells of one variant support by themselves.
#[derive(Serialize)]
struct OfVariant {
    variant: Variant,
    suggested: Suggested,
}

impl OfVariant {
    fn named(&self) -> (String, &Suggested) {
        let name = if self.variant.is_empty() {
            "no variant".to_owned()
        } else {
            self.variant.to_string()
        };
        (name, &self.suggested)
    }
}

/// A declaration and what speaks against it.
#[derive(Serialize)]
struct Checked {
    section: String,
    declared: Declared,
}

/// What is known of each release.
type Releases = Vec<(Version, Known)>;

pub(super) fn run(
    config: &Path,
    test: Option<&str>,
    pyproject: Option<&Path>,
    format: FormatName,
    terminal: Terminal,
) -> Outcome {
    let (_, results) = super::recorded(config)?;
    let all_tests: BTreeSet<&str> = results
        .cells
        .iter()
        .flat_map(|record| record.tests.iter().map(|test| test.name.as_str()))
        .collect();
    if let Some(test) = test
        && !all_tests.contains(test)
    {
        let names: Vec<&str> = all_tests.into_iter().collect();
        return Err(Failure::question(format!(
            "there is no test `{test}` in the results; there are {}",
            names.join(", ")
        )));
    }
    let wanted = |name: &str| test.is_none_or(|test| test == name);
    let of = |tests: &dyn Fn(&str) -> bool, columns: Columns<'_>| -> Releases {
        releases(&results, tests, columns)
    };
    let variants: BTreeSet<&Variant> = results.cells.iter().map(|record| &record.variant).collect();
    // One variant alone says what all cells together say.
    let variants = if variants.len() > 1 { variants } else { BTreeSet::new() };
    let pythons: BTreeSet<PythonVersion> =
        results.cells.iter().map(|record| record.python).collect();
    let everything = of(&wanted, Columns::default());
    let all = suggest(&everything);
    let of_python = |python: &PythonVersion| (*python, on_python(&results, &wanted, *python));
    let mut advice = Advice {
        schema: 1,
        package: results.dependency.clone(),
        all,
        tests: all_tests
            .iter()
            .filter(|name| wanted(name))
            .map(|name| ((*name).to_owned(), suggest(&of(&|one| one == *name, Columns::default()))))
            .collect(),
        pythons: pythons
            .iter()
            .map(|python| (*python, suggest(&of(&wanted, Columns::of_python(*python)))))
            .collect(),
        requires_python: suggest_python(&pythons.iter().map(of_python).collect::<Vec<_>>()),
        variants: variants
            .into_iter()
            .map(|variant| {
                let columns = Columns { python: None, variant: Some(variant) };
                let suggested = suggest(&of(&wanted, columns));
                OfVariant { variant: variant.clone(), suggested }
            })
            .collect(),
        declared: Vec::new(),
    };
    if let Some(path) = pyproject {
        advice.declared = declared(path, &results, &everything)?;
    }
    match format {
        FormatName::Json => super::print_json(&advice, terminal)?,
        FormatName::Text => terminal.data(&printable(&text(&advice))),
    }
    let holds = advice.declared.iter().all(|checked| checked.declared.holds());
    Ok(if holds { Exit::Done } else { Exit::Unexpected })
}

/// Compares what a `pyproject.toml` declares with the results.
fn declared(
    path: &Path,
    results: &Results,
    releases: &[(Version, Known)],
) -> Result<Vec<Checked>, Failure> {
    let path = if path.is_dir() { path.join("pyproject.toml") } else { path.to_owned() };
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Failure::world(format!("could not read `{}`", path.display()), error))?;
    let told =
        |error: &dyn std::fmt::Display| Failure::question(format!("`{}`: {error}", path.display()));
    let declarations = declarations(&text, &results.dependency).map_err(|error| told(&error))?;
    if declarations.is_empty() {
        return Err(told(&format!("it does not declare {}", results.dependency)));
    }
    let mut checked = Vec::new();
    for declaration in declarations {
        let specifier = declaration.specifier.to_string();
        let held = check(&specifier, releases).map_err(|error| told(&error))?;
        let marker = declaration.marker.map(|marker| format!("; {marker}")).unwrap_or_default();
        let section = format!("{}{marker}", declaration.section);
        checked.push(Checked { section, declared: held });
    }
    // Pythons are releases as well: those on which no release passes refute what is required.
    if let Some(required) = requires_python(&text).map_err(|error| told(&error))? {
        let pythons: BTreeSet<PythonVersion> =
            results.cells.iter().map(|record| record.python).collect();
        let known: Releases = pythons
            .into_iter()
            .filter(|python| !python.is_free_threaded())
            .map(|python| {
                let version =
                    Version::new([u64::from(python.major()), u64::from(python.minor()), 99]);
                (version, on_python(results, &|_| true, python))
            })
            .collect();
        let held = check(&required.to_string(), &known).map_err(|error| told(&error))?;
        checked.push(Checked { section: "project.requires-python".to_owned(), declared: held });
    }
    Ok(checked)
}

fn text(advice: &Advice) -> String {
    let name = advice.package.normalized();
    let mut text = match &advice.all {
        Suggested::Specifier(suggestion) => {
            let mut text = format!("{name}{}\n", suggestion.specifier);
            text += &format!("  allows {} that pass", count(suggestion.allows.len()));
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
        ("by variant", advice.variants.iter().map(OfVariant::named).collect()),
    ] {
        // What all say alike was said.
        if suggestions.iter().any(|(_, suggested)| **suggested != advice.all) {
            text += &format!("{title}\n");
            for (what, suggested) in suggestions {
                text += &format!("  {what}: {}\n", short(name, suggested));
            }
        }
    }
    text += &format!("requires-python: {}\n", short("", &advice.requires_python));
    for Checked { section, declared } in &advice.declared {
        text += &format!("{section}\n");
        for line in declared.to_string().lines() {
            text += &format!("  {line}\n");
        }
    }
    text
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

fn count(releases: usize) -> String {
    if releases == 1 { "1 release".to_owned() } else { format!("{releases} releases") }
}

/// The first few of many.
fn list(versions: &[Version]) -> String {
    const LISTED: usize = 10;
    let mut names: Vec<String> = versions.iter().take(LISTED).map(ToString::to_string).collect();
    if versions.len() > LISTED {
        names.push(format!("… and {} more", versions.len() - LISTED));
    }
    names.join(", ")
}
