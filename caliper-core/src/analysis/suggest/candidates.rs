//! Which other package to bound, where releases fail only since another package has moved.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use crate::analysis::clocks::{Clocks, Course, Moved};
use crate::analysis::results::Results;
use crate::analysis::suspects::{Pairing, Suspects};
use crate::facts::record::Record;

/// Bounds on other packages with which releases may pass that fail today and passed at their date. They are not
/// proven: other packages may have moved too, and each release was measured with the versions of its own day only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct Candidate {
    /// The packages. If there are several, any of them may be what the releases fail with.
    pub bounds: Vec<OtherBound>,
    /// The releases, oldest first.
    #[schemars(with = "Vec<String>")]
    pub releases: Vec<Version>,
    /// Two cells of the newest of them, by which `blame` shows which bound it is.
    pub decide: Pairing,
}

/// A bound on another package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct OtherBound {
    /// The package.
    pub name: String,
    /// The bound: up to the newest version with which one of the releases passed.
    pub specifier: String,
    /// The oldest version with which they fail. Nothing between the two was measured.
    pub fails_with: String,
}

/// The candidates for the tests that are named, from the releases that drifted. Where the version of one of the packages
/// that moved is what failing goes with over all cells, the others are left out.
pub fn candidates(results: &Results, tests: &dyn Fn(&str) -> bool) -> Vec<Candidate> {
    let mut groups: BTreeMap<Vec<&str>, Vec<&Clocks>> = BTreeMap::new();
    let drifted = |one: &&Clocks| tests(&one.test) && one.course == Course::Drifted;
    for clocks in results.clocks.iter().filter(drifted) {
        let moved: BTreeSet<&str> = clocks.moved.iter().map(|one| one.name.as_str()).collect();
        let of_test = results.suspects.iter().filter(|one| one.test == clocks.test);
        let suspected: BTreeSet<&str> = of_test
            .flat_map(Suspects::packages)
            .map(|split| split.name.as_str())
            .filter(|name| moved.contains(name))
            .collect();
        let names = if suspected.is_empty() { moved } else { suspected };
        groups.entry(names.into_iter().collect()).or_default().push(clocks);
    }
    groups.into_iter().filter_map(|(names, all)| candidate(results, &names, &all)).collect()
}

fn candidate(results: &Results, names: &[&str], all: &[&Clocks]) -> Option<Candidate> {
    let bound = |name: &&str| {
        let of_name = || all.iter().flat_map(|one| &one.moved).filter(|one| one.name == **name);
        let versions = |side: fn(&Moved) -> &Vec<String>| -> Option<BTreeMap<Version, &str>> {
            let texts = of_name().flat_map(side);
            texts.map(|text| Some((text.parse().ok()?, text.as_str()))).collect()
        };
        let (from, to) = (versions(|one| &one.from)?, versions(|one| &one.to)?);
        let ((passes, good), (fails, bad)) = (from.last_key_value()?, to.first_key_value()?);
        // A bound parts the versions only if they moved upward.
        (passes < fails).then(|| OtherBound {
            name: (**name).to_owned(),
            specifier: format!("<={good}"),
            fails_with: (*bad).to_owned(),
        })
    };
    let bounds: Vec<OtherBound> = names.iter().filter_map(bound).collect();
    let releases: BTreeSet<&Version> = all.iter().flat_map(|one| &one.releases).collect();
    let newest = releases.last()?;
    let mut decide = all.iter().filter(|one| one.releases.contains(newest));
    let decide = decide.find_map(|one| pairing(results, one, newest))?;
    let releases = releases.iter().map(|version| (*version).clone()).collect();
    (!bounds.is_empty()).then_some(Candidate { bounds, releases, decide })
}

/// The cells of a release at the later date and at its own.
fn pairing(results: &Results, clocks: &Clocks, version: &Version) -> Option<Pairing> {
    let of_release = |one: &&Record| one.version == *version && one.python == clocks.python;
    let at = |date: &str| {
        let is_it = |one: &&Record| one.variant == clocks.variant_at(date);
        results.cells.iter().filter(of_release).find(is_it).map(Record::id)
    };
    Some(Pairing { failing: at(&clocks.until)?, passing: at(Clocks::RELEASE)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Analysis;
    use crate::facts::record::Installed;
    use crate::facts::record::TestOutcome::{Failed, Passed};
    use crate::facts::record::tests::{record, test};
    use crate::question::criteria::Criteria;

    /// Releases at both dates; old ones fail today, with `helper` 3.0. `other` is what each date has of it.
    fn told(count: usize, other: [&str; 2]) -> Vec<String> {
        let cell = |index: usize, date: &str| {
            let is_today = date == "today";
            let helper = if is_today { "3.0".to_owned() } else { format!("1.{index}") };
            let other = other[usize::from(is_today)];
            let mut record = record(&format!("1.{index}"), "3.9");
            record.variant.insert("as_of", date);
            record.environment.installed =
                vec![Installed::new("helper", helper), Installed::new("other", other)];
            let fails = is_today && index < count / 2;
            record.with_runs([test("t", if fails { Failed } else { Passed }, "")])
        };
        let cells = (0..count).flat_map(|index| [cell(index, "release"), cell(index, "today")]);
        let results = Results::new("a", "demo".parse().unwrap(), "local", cells.collect()).unwrap();
        let criteria = Criteria::default();
        let analysis = Analysis::new(&[], None, &criteria, &|_| None);
        let results = results.read_through(&analysis, &[]);
        assert_eq!(candidates(&results, &|test| test != "t"), []);
        let told = |one: &Candidate| {
            let bounds = one.bounds.iter().map(|one| format!("{}{}", one.name, one.specifier));
            let Pairing { failing, passing, .. } = &one.decide;
            let bounds: Vec<String> = bounds.collect();
            format!("{} for {}: {failing}, {passing}", bounds.join(" or "), one.releases.len())
        };
        candidates(&results, &|_| true).iter().map(told).collect()
    }

    #[test]
    fn the_package_that_moved_is_a_candidate_for_a_bound() {
        let cells = "1.1/3.9[as_of=today], 1.1/3.9[as_of=release]";
        assert_eq!(told(4, ["1", "1"]), [format!("helper<=1.1 for 2: {cells}")]);
        assert_eq!(told(4, ["1", "2"]), [format!("helper<=1.1 or other<=1 for 2: {cells}")]);
        // One that went back cannot be bounded from above.
        assert_eq!(told(4, ["2", "1"]), [format!("helper<=1.1 for 2: {cells}")]);
    }
}
