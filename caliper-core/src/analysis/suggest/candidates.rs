//! Which other package to bound, where releases fail with some versions of it and pass with older ones.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use crate::analysis::results::Results;
use crate::analysis::row::{AlsoDiffers, State};
use crate::analysis::suspects::{Pairing, Suspects};
use crate::facts::record::{Installed, Record};
use crate::names::PythonVersion;

/// Bounds on other packages with which releases pass, or may pass, that fail in other cells of the same Python.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct Candidate {
    /// The packages. If there are several, any of them may be what the releases fail with.
    pub bounds: Vec<OtherBound>,
    /// Whether cells show it that differ in this package alone. If not, other packages have moved too, and only runs
    /// prove which it was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_shown: bool,
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
    /// The bound: up to the newest version with which one of the releases passed. What is newer and was not measured is
    /// excluded: a shorter bound such as `<3` would allow it.
    pub specifier: String,
    /// The oldest version with which they fail. Nothing between the two was measured.
    pub fails_with: String,
}

/// The cells of a release on one Python, of which some pass a test and some fail it.
struct Parted<'a> {
    release: &'a Version,
    passing: Vec<&'a Record>,
    failing: Vec<&'a Record>,
}

/// The candidates for the tests that are named: each package of which newer versions are in all cells of a release that
/// fail than in those that pass. If one of several is what failing goes with over all cells, the others are left out.
pub fn candidates(results: &Results, tests: &dyn Fn(&str) -> bool) -> Vec<Candidate> {
    let all = results.cells.iter().flat_map(Record::judged);
    let names: BTreeSet<&str> = all.map(|test| &*test.name).filter(|name| tests(name)).collect();
    let mut groups: BTreeMap<(Vec<String>, bool), Vec<Parted<'_>>> = BTreeMap::new();
    for test in names {
        let of_test = results.suspects.iter().filter(|one| one.test == test);
        let suspected: BTreeSet<&str> =
            of_test.flat_map(Suspects::packages).map(|split| split.name.as_str()).collect();
        for parted in parted(&results.cells, test) {
            let mut names = parted.moved();
            if names.iter().any(|name| suspected.contains(name.as_str())) {
                names.retain(|name| suspected.contains(name.as_str()));
            }
            if !names.is_empty() {
                let is_shown = parted.is_shown(&names);
                groups.entry((names, is_shown)).or_default().push(parted);
            }
        }
    }
    let told = |((names, is_shown), all): ((Vec<String>, bool), Vec<Parted<'_>>)| {
        candidate(results, tests, &names, is_shown, &all)
    };
    groups.into_iter().filter_map(told).collect()
}

/// The cells with a known environment, by release and Python, where a test passes in some and fails in others.
fn parted<'a>(cells: &'a [Record], test: &str) -> Vec<Parted<'a>> {
    let mut found: BTreeMap<(&Version, PythonVersion), Parted<'a>> = BTreeMap::new();
    for record in cells.iter().filter(|record| !record.environment.installed.is_empty()) {
        let release = &record.version;
        let empty = || Parted { release, passing: Vec::new(), failing: Vec::new() };
        let parted = found.entry((release, record.python)).or_insert_with(empty);
        match State::of(record, test) {
            State::Passed => parted.passing.push(record),
            State::Failed => parted.failing.push(record),
            State::Flaky | State::Unmeasured | State::Unavailable => {}
        }
    }
    found.into_values().filter(|one| !one.passing.is_empty() && !one.failing.is_empty()).collect()
}

impl Parted<'_> {
    /// The packages, apart from the dependency, that are newer in all failing cells than in all passing ones.
    fn moved(&self) -> Vec<String> {
        let differs = AlsoDiffers::packages(self.passing[0], self.failing[0]);
        let names = differs.into_iter().map(|one| one.name);
        names.filter(|name| self.bound(name).is_some()).collect()
    }

    /// The newest version of a package with which it passes, and the oldest with which it fails, if that is newer.
    fn bound(&self, name: &str) -> Option<(Version, Version)> {
        let versions = |records: &[&Record]| -> Option<Vec<Version>> {
            records.iter().map(|record| installed(record, name)).collect()
        };
        let passes = versions(&self.passing)?.into_iter().max()?;
        let fails = versions(&self.failing)?.into_iter().min()?;
        (passes < fails).then_some((passes, fails))
    }

    /// A passing and a failing cell that differ in as little as possible, and how many things that are.
    fn closest(&self) -> Option<(usize, &Record, &Record)> {
        let pairs = self.passing.iter().flat_map(|passing| {
            self.failing.iter().map(|failing| (*passing, *failing)).collect::<Vec<_>>()
        });
        let pairs = pairs.map(|(passing, failing)| {
            (AlsoDiffers::between(passing, failing).len(), passing, failing)
        });
        pairs.min_by_key(|(differs, ..)| *differs)
    }

    /// Whether two cells differ in one package alone, which is the only one of `names`.
    fn is_shown(&self, names: &[String]) -> bool {
        names.len() == 1 && self.closest().is_some_and(|(differs, ..)| differs == 1)
    }
}

/// The version of an installed package, by its normalized name.
fn installed(record: &Record, name: &str) -> Option<Version> {
    let mut pins = record.environment.installed.iter().filter_map(Installed::pin);
    pins.find_map(|(found, version)| (found.normalized() == name).then_some(version))
}

fn candidate(
    results: &Results,
    tests: &dyn Fn(&str) -> bool,
    names: &[String],
    is_shown: bool,
    all: &[Parted<'_>],
) -> Option<Candidate> {
    let bound = |name: String| {
        let bounds: Option<Vec<(Version, Version)>> =
            all.iter().map(|one| one.bound(&name)).collect();
        let (passing, failing): (Vec<_>, Vec<_>) = bounds?.into_iter().unzip();
        let (passes, fails) = (passing.into_iter().max()?, failing.into_iter().min()?);
        // Those of other releases may lie on the other side of it.
        (passes < fails).then_some((name, passes, fails))
    };
    let bounds: Vec<_> = names.iter().cloned().filter_map(bound).collect();
    let passes_below = |release: &Version| {
        let [(name, passes, _)] = bounds.as_slice() else { return false };
        let is_below = |one: &&Record| {
            one.version == *release
                && installed(one, name).is_some_and(|version| version <= *passes)
        };
        results.cells.iter().filter(is_below).all(|record| {
            let mut judged = record.judged().iter().filter(|test| tests(&test.name));
            judged.all(|test| {
                matches!(
                    State::of(record, &test.name),
                    State::Passed | State::Unavailable | State::Unmeasured
                )
            })
        })
    };
    let mut releases: BTreeSet<&Version> = all.iter().map(|one| one.release).collect();
    if is_shown {
        releases.retain(|release| passes_below(release));
    }
    let newest = *releases.last()?;
    let (_, passing, failing) =
        all.iter().filter(|one| one.release == newest).find_map(Parted::closest)?;
    let decide = Pairing { failing: failing.id(), passing: passing.id() };
    let told = |(name, passes, fails): (String, Version, Version)| OtherBound {
        name,
        specifier: format!("<={passes}"),
        fails_with: fails.to_string(),
    };
    let releases = releases.into_iter().cloned().collect();
    let bounds: Vec<OtherBound> = bounds.into_iter().map(told).collect();
    (!bounds.is_empty()).then_some(Candidate { bounds, is_shown, releases, decide })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Analysis;
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
            assert!(!one.is_shown || bounds.len() == 1);
            let shown = if one.is_shown { "shown: " } else { "" };
            format!(
                "{shown}{} for {}: {failing}, {passing}",
                bounds.join(" or "),
                one.releases.len()
            )
        };
        candidates(&results, &|_| true).iter().map(told).collect()
    }

    #[test]
    fn the_package_that_moved_is_a_candidate_for_a_bound() {
        let cells = "1.1/3.9[as_of=today], 1.1/3.9[as_of=release]";
        assert_eq!(told(4, ["1", "1"]), [format!("shown: helper<=1.1 for 2: {cells}")]);
        assert_eq!(told(4, ["1", "2"]), [format!("helper<=1.1 or other<=1 for 2: {cells}")]);
        // One that went back cannot be bounded from above.
        assert_eq!(told(4, ["2", "1"]), [format!("helper<=1.1 for 2: {cells}")]);
    }
}
