//! `caliper spread`: how much the runs of groups vary.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use caliper_core::analysis::spread::{self, Group, Recording, Studied};
use caliper_core::facts::store::ResultStore as _;
use caliper_core::report::model::{SpreadAt, SpreadReport};
use caliper_core::report::spread::lines;
use globset::{Glob, GlobSet, GlobSetBuilder};

use super::groups::Recorded;
use super::recorded::say_of_run;
use super::{print, print_json};
use crate::args::{FormatName, Spread};
use crate::exit::{Exit, Failure, Outcome};
use crate::setting;
use crate::terminal::{Terminal, printable};

/// A larger table is no table of runs.
const MOST_BYTES: u64 = 64 << 20;

pub(super) fn run(asked: &Spread, terminal: Terminal) -> Outcome {
    let metrics = patterns(&asked.metric)?;
    let wanted = |name: &str| asked.metric.is_empty() || metrics.is_match(name);
    let tables: Vec<(&str, &str)> =
        asked.what.iter().filter_map(|what| what.split_once('=')).collect();
    let is_recorded = tables.is_empty();
    let (axis, found) = match asked.what.as_slice() {
        [] => of_results(Path::new(setting::FILE), asked, terminal)?,
        [path] if is_recorded => of_results(Path::new(path), asked, terminal)?,
        what if tables.len() == what.len() => (None, vec![(None, of_tables(&tables, asked)?)]),
        _ => {
            return Err(Failure::question(
                "name either tables, as NAME=FILE.csv, or one configuration",
            ));
        }
    };
    let all = found.iter().flat_map(|(_, groups)| groups).flat_map(|group| &group.metrics);
    let names = distinct(all.map(|metric| metric.name.as_str()));
    if !names.is_empty() && !names.iter().any(|name| wanted(name)) {
        let names = listed(&names);
        return Err(Failure::question(format!("no metric matches `--metric`; there are {names}")));
    }
    if let Some(larger) = &asked.expect_larger {
        check_group(larger, &found)?;
    }
    let places = found.into_iter().map(|(place, groups)| SpreadAt {
        place,
        spread: spread::spread(&groups, wanted, asked.incomplete),
    });
    let report = SpreadReport::new(axis, places.collect());
    match asked.format.format {
        FormatName::Json => print_json(&report, terminal)?,
        FormatName::Text => {
            print::say(lines(&report, terminal.width()), terminal);
        }
    }
    Ok(exit(&report, asked.expect_larger.as_deref(), terminal))
}

/// A wrong question comes before what could not be measured, and that before an expectation.
fn exit(report: &SpreadReport, larger: Option<&str>, terminal: Terminal) -> Exit {
    if report.is_wrong_question() {
        return Exit::Question;
    }
    if report.is_withheld() || report.has_nothing() {
        return Exit::Infrastructure;
    }
    match larger {
        Some(larger) if !report.always_larger(larger) => {
            let larger = printable(larger);
            terminal.verdict(&format!("`{larger}` is not shown to vary more in every metric"));
            Exit::Unexpected
        }
        Some(_) | None => Exit::Done,
    }
}

/// Places with their groups; `None` for tables.
type Found = Vec<(Option<spread::Place>, Vec<Group>)>;

fn of_tables(tables: &[(&str, &str)], asked: &Spread) -> Result<Vec<Group>, Failure> {
    if asked.by.is_some() {
        return Err(Failure::question("`--by` is for recorded results: tables are groups already"));
    }
    let mut groups: Vec<Group> = Vec::new();
    for (name, path) in tables {
        if name.is_empty() || groups.iter().any(|group| group.name == *name) {
            return Err(Failure::question(format!(
                "`{name}={path}`: each table needs a name of its own before the `=`"
            )));
        }
        let columns = (!asked.columns.is_empty()).then_some(asked.columns.as_slice());
        let group = spread::table::group(name, &content(path)?, columns, asked.planned);
        groups.push(group.map_err(|error| Failure::question(format!("`{path}`: {error}")))?);
    }
    Ok(groups)
}

fn content(path: &str) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut content));
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(Failure::question(format!("there is no table `{path}`")))
        }
        Err(error) if Path::new(path).is_dir() => {
            Err(Failure::question(format!("`{path}` is a folder, and no table: {error}")))
        }
        Err(error) => Err(Failure::infrastructure(format!("could not read `{path}`"), error)),
        Ok(_) if content.len() as u64 > MOST_BYTES => Err(Failure::question(format!(
            "`{path}` is larger than {} MiB: is it a table of runs?",
            MOST_BYTES >> 20
        ))),
        Ok(_) => Ok(content),
    }
}

fn of_results(
    path: &Path,
    asked: &Spread,
    terminal: Terminal,
) -> Result<(Option<String>, Found), Failure> {
    if !asked.columns.is_empty() {
        return Err(Failure::question(
            "`--columns` is for tables, as NAME=FILE.csv; recorded numbers have names",
        ));
    }
    let recorded = Recorded::open(path, terminal)?;
    if asked.format.format == FormatName::Text {
        say_of_run(&recorded.store, &recorded.results, terminal)?;
    }
    let criteria = recorded.criteria();
    let recording = Recording {
        records: &recorded.results.cells,
        criteria: &criteria,
        blobs: &|blob| recorded.store.content(blob).ok(),
        planned: &|test, variant| asked.planned.or_else(|| recorded.planned(test, variant)),
        labels: &|axis| recorded.labels(axis),
    };
    let (axis, studied) =
        spread::recorded(&recording, asked.by.as_deref()).map_err(Failure::question)?;
    if studied.is_empty() {
        return Err(Failure::question(format!(
            "no test was run in a cell with the axis `{axis}`; `caliper show` says why"
        )));
    }
    let places = studied.into_iter().map(|Studied { place, groups }| (Some(place), groups));
    Ok((Some(axis), places.collect()))
}

fn patterns(patterns: &[String]) -> Result<GlobSet, Failure> {
    let mut all = GlobSetBuilder::new();
    for pattern in patterns {
        all.add(Glob::new(pattern).map_err(|error| {
            Failure::question(format!("`--metric {pattern}` is no pattern: {error}"))
        })?);
    }
    all.build().map_err(|error| Failure::question(format!("`--metric`: {error}")))
}

fn check_group(name: &str, found: &Found) -> Result<(), Failure> {
    let all = found.iter().flat_map(|(_, groups)| groups);
    let known = distinct(all.map(|group| group.name.as_str()));
    if known.contains(&name) {
        return Ok(());
    }
    Err(Failure::question(format!("there is no group `{name}`; there are {}", listed(&known))))
}

/// Each name once, in the order in which they come.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut known = BTreeSet::new();
    names.filter(|name| known.insert(*name)).collect()
}

fn listed(names: &[&str]) -> String {
    let told: Vec<String> =
        names.iter().take(super::LISTED).map(|name| format!("`{name}`")).collect();
    let more = if names.len() > super::LISTED { " and others" } else { "" };
    format!("{}{more}", told.join(", "))
}
