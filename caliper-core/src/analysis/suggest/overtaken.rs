//! Releases that fail with packages that came out after them, where nobody measured them without.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use super::Candidate;
use crate::analysis::clocks::{AXIS, Clocks};
use crate::analysis::results::Results;
use crate::analysis::row::State;
use crate::facts::record::{CellOutcome, Installed, Record};
use crate::names::{PackageName, Timestamp};

/// Releases that fail, and that were measured only with packages that came out after them. Whether these packages or
/// the releases are at fault cannot be told from such cells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct Overtaken {
    /// The releases, oldest first.
    #[schemars(with = "Vec<String>")]
    pub releases: Vec<Version>,
    /// The packages that are named in the causes of the failures, with their versions.
    pub named: Vec<String>,
    /// How many other packages came out after one of the releases.
    pub others: usize,
}

/// The releases that fail the tests that are named, apart from those of `candidates`, which are explained already.
/// `None` if there are none.
pub fn overtaken(
    results: &Results,
    tests: &dyn Fn(&str) -> bool,
    candidates: &[Candidate],
) -> Option<Overtaken> {
    let explained: BTreeSet<&Version> = candidates.iter().flat_map(|one| &one.releases).collect();
    let at_its_date = |record: &&Record| record.variant.get(AXIS) == Some(Clocks::RELEASE);
    let dated: BTreeSet<&Version> =
        results.cells.iter().filter(at_its_date).map(|record| &record.version).collect();
    let mut releases = BTreeSet::new();
    // Whether each is named in an output.
    let mut packages: BTreeMap<String, bool> = BTreeMap::new();
    for record in &results.cells {
        let is_known = dated.contains(&record.version) || explained.contains(&record.version);
        if is_known || record.outcome != CellOutcome::Tested {
            continue;
        }
        let mut judged = record.judged().iter();
        let fails =
            judged.any(|test| tests(&test.name) && State::of(record, &test.name) == State::Failed);
        let newer = newer(record, &results.dependency);
        if !fails || newer.is_empty() {
            continue;
        }
        releases.insert(&record.version);
        let id = record.id().to_string();
        for one in newer {
            // Not all that was printed: a traceback goes through packages that do their work.
            let mut causes = results.causes.iter().filter(|cause| cause.cells.contains(&id));
            let is_named = causes.any(|cause| names(&cause.signature, one));
            *packages.entry(format!("{} {}", one.name, one.version)).or_default() |= is_named;
        }
    }
    let named: Vec<String> =
        packages.iter().filter(|(_, named)| **named).map(|(name, _)| name.clone()).collect();
    let others = packages.len() - named.len();
    let releases: Vec<Version> = releases.into_iter().cloned().collect();
    (!releases.is_empty()).then_some(Overtaken { releases, named, others })
}

/// The packages of a cell that came out after its release.
fn newer<'a>(record: &'a Record, dependency: &PackageName) -> Vec<&'a Installed> {
    let environment = &record.environment;
    let uploaded = environment.file.as_ref().and_then(|file| file.upload_time);
    let Some(released) = uploaded else { return Vec::new() };
    let is_newer = |one: &&Installed| {
        let uploaded = one.file.as_ref().and_then(|file| file.upload_time);
        let name = one.name.parse::<PackageName>();
        uploaded.is_some_and(|uploaded: Timestamp| uploaded > released)
            && name.is_ok_and(|name| name != *dependency)
    };
    environment.installed.iter().filter(is_newer).collect()
}

/// Whether a text has the name of a package as a word, as it is written or as modules are.
fn names(text: &str, package: &Installed) -> bool {
    let name = package.name.to_lowercase();
    let module = name.replace(['-', '.'], "_");
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let text = text.to_lowercase();
    text.split(|c| !is_part(c)).any(|word| word == name || word == module)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Analysis;
    use crate::facts::record::RecordedFile;
    use crate::facts::record::TestOutcome::{Failed, Passed};
    use crate::facts::record::tests::{record, test};
    use crate::question::criteria::Criteria;
    use crate::question::grid::FileKind;

    fn file(day: i64) -> RecordedFile {
        RecordedFile {
            filename: String::new(),
            url: String::new(),
            sha256: None,
            kind: FileKind::Wheel,
            upload_time: Some(Timestamp::from_unix_seconds(day * 86_400)),
            size: None,
        }
    }

    /// A release of day 10, measured with `num-py` of day 20 and `old` of day 5.
    fn cell(version: &str, error: &str) -> Record {
        let mut record = record(version, "3.11");
        record.environment.file = Some(file(10));
        let installed = |name: &str, version: &str, day: i64| {
            let mut one = Installed::new(name, version);
            one.file = Some(file(day));
            one
        };
        record.environment.installed = vec![
            installed("demo", version, 10),
            installed("num-py", "2.0", 20),
            installed("other", "1.0", 30),
            installed("old", "1.0", 5),
        ];
        let outcome = if error.is_empty() { Passed } else { Failed };
        let mut test = test("t", outcome, "");
        test.runs[0].error = error.to_owned();
        record.with_runs([test])
    }

    #[test]
    fn what_came_out_after_a_release_may_be_what_it_fails_with() {
        let told = |cells: Vec<Record>| {
            let results = Results::new("a", "demo".parse().unwrap(), "local", cells).unwrap();
            let criteria = Criteria::default();
            let analysis = Analysis::new(&[], None, &criteria, &|_| None);
            let results = results.read_through(&analysis, &[]);
            overtaken(&results, &|_| true, &candidates_of(&results)).map(|one| {
                let releases: Vec<String> = one.releases.iter().map(ToString::to_string).collect();
                format!("{}: {} and {}", releases.join(" "), one.named.join(" "), one.others)
            })
        };
        let failing = || cell("1.0", "ValueError: num_py.dtype size changed, with old\n");
        let passing = cell("2.0", "");
        assert_eq!(told(vec![failing(), passing.clone()]).unwrap(), "1.0: num-py 2.0 and 1");
        assert_eq!(told(vec![cell("1.0", "ValueError: numpys\n")]).unwrap(), "1.0:  and 2");
        assert_eq!(told(vec![passing]), None);
        // At its own date it was measured: there is nothing more to find out.
        let mut dated = failing();
        dated.variant.insert("as_of", "release");
        assert_eq!(told(vec![failing(), dated]), None);
    }

    fn candidates_of(results: &Results) -> Vec<Candidate> {
        crate::analysis::suggest::candidates(results, &|_| true)
    }
}
