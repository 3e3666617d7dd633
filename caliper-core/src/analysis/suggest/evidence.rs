//! What results say of releases, and of Pythons.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;

use super::Known;
use crate::analysis::results::Results;
use crate::analysis::row::State;
use crate::facts::record::Record;
use crate::names::PythonVersion;
use crate::question::grid::Variant;

/// Which columns of the grid count.
#[derive(Debug, Clone, Copy, Default)]
pub struct Columns<'a> {
    /// Only those of this Python.
    pub python: Option<PythonVersion>,
    /// Only those of these Pythons.
    pub pythons: Option<&'a BTreeSet<PythonVersion>>,
    /// Only those of this variant.
    pub variant: Option<&'a Variant>,
}

impl Columns<'_> {
    /// Those of one Python, in all variants.
    pub fn of_python(python: PythonVersion) -> Self {
        Self { python: Some(python), ..Self::default() }
    }

    fn holds(&self, record: &Record) -> bool {
        self.python.is_none_or(|python| python == record.python)
            && self.pythons.is_none_or(|pythons| pythons.contains(&record.python))
            && self.variant.is_none_or(|variant| *variant == record.variant)
    }
}

/// What is known of each release over the tests that are named, over the columns that count: it fails if one of them does anywhere, and passes if they pass wherever there was something to
/// install. Releases that a search or the selection left out are there too, as unmeasured. What a search did not measure on
/// one Python counts for nothing there.
pub fn releases(
    results: &Results,
    tests: &dyn Fn(&str) -> bool,
    columns: Columns<'_>,
) -> Vec<(Version, Known)> {
    let all = results.cells.iter().flat_map(Record::judged);
    let names: BTreeSet<&str> = all.map(|test| &*test.name).filter(|name| tests(name)).collect();
    let mut found: BTreeMap<Version, BTreeSet<Known>> = BTreeMap::new();
    for record in &results.cells {
        let known = found.entry(record.version.clone()).or_default();
        if columns.holds(record) {
            let states = names.iter().map(|name| State::of(record, name));
            known.extend(states.filter(|state| *state != State::Unavailable).map(Known::from));
        }
    }
    let unmeasured = results.unmeasured().into_iter().map(|cell| cell.version);
    for version in unmeasured.chain(results.left_out.iter().cloned()) {
        found.entry(version).or_default();
    }
    // What was to be measured and was not may fail as well as pass.
    let order = [Known::Failed, Known::Unmeasured, Known::Passed];
    let told = |known: BTreeSet<Known>| order.into_iter().find(|one| known.contains(one));
    found
        .into_iter()
        .map(|(version, known)| (version, told(known).unwrap_or(Known::Unmeasured)))
        .collect()
}

/// What is known of a Python: it is good for something if some release passes there.
pub fn on_python(results: &Results, tests: &dyn Fn(&str) -> bool, python: PythonVersion) -> Known {
    let known: BTreeSet<Known> = releases(results, tests, Columns::of_python(python))
        .into_iter()
        .map(|(_, known)| known)
        .collect();
    let told = [Known::Passed, Known::Failed].into_iter().find(|one| known.contains(one));
    told.unwrap_or(Known::Unmeasured)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::record::CellOutcome;
    use crate::facts::record::TestOutcome::{Failed, NotMeasured, Passed};
    use crate::facts::record::tests::{record, test};

    #[test]
    fn a_release_passes_if_it_does_wherever_it_can_be_installed() {
        use Known::{Failed as Bad, Passed as Good, Unmeasured as Open};
        let cell = |version, python, outcome| {
            let mut record = record(version, python);
            record.tests.push(test("a", outcome, ""));
            record
        };
        let mut missing = record("1.0", "3.12");
        missing.outcome = CellOutcome::Unavailable;
        let cells = vec![
            cell("1.0", "3.11", Passed),
            missing,
            cell("1.1", "3.11", Passed),
            cell("1.1", "3.12", NotMeasured),
            cell("1.2", "3.11", NotMeasured),
            cell("1.2", "3.12", Failed),
        ];
        let criteria = crate::question::criteria::Criteria::default();
        let there = ["1.0", "1.1", "1.2", "1.3"].map(|version| version.parse().unwrap());
        let analysis =
            crate::analysis::Analysis::new(&[], None, &criteria, &|_| None).along(&there);
        let results = Results::new("a", "demo".parse().unwrap(), "local", cells).unwrap();
        let results = results.read_through(&analysis, &[]);
        let said = |python: Option<&str>| -> Vec<Known> {
            let python = python.map(|python| python.parse().unwrap());
            let columns = Columns { python, ..Columns::default() };
            let found = releases(&results, &|_| true, columns);
            found.into_iter().map(|(_, known)| known).collect()
        };
        assert_eq!(said(None), [Good, Open, Bad, Open]);
        assert_eq!(said(Some("3.11")), [Good, Good, Open, Open]);
        assert_eq!(said(Some("3.12")), [Open, Open, Bad, Open]);
        assert_eq!(on_python(&results, &|_| true, "3.12".parse().unwrap()), Bad);
    }

    #[test]
    fn a_variant_speaks_for_itself() {
        use Known::{Failed as Bad, Passed as Good, Unmeasured as Open};
        let cell = |version, date, outcome| {
            let mut record = record(version, "3.11");
            record.variant.insert("as_of", date);
            record.tests.push(test("a", outcome, ""));
            record
        };
        let cells = vec![
            cell("1.0", "release", Passed),
            cell("1.0", "today", Failed),
            cell("1.1", "release", Passed),
        ];
        let results = Results::new("a", "demo".parse().unwrap(), "local", cells).unwrap();
        let said = |variant: Option<&str>| -> Vec<Known> {
            let variant = variant.map(|date| Variant::from_iter([("as_of", date)]));
            let columns = Columns { variant: variant.as_ref(), ..Columns::default() };
            releases(&results, &|_| true, columns).into_iter().map(|(_, known)| known).collect()
        };
        assert_eq!(said(None), [Bad, Good]);
        assert_eq!(said(Some("release")), [Good, Good]);
        assert_eq!(said(Some("today")), [Bad, Open]);
    }
}
