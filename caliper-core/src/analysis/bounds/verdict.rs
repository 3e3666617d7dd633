//! What the rows of all Pythons come to, held against what is declared.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::{Version, VersionSpecifiers};
use serde::{Deserialize, Serialize};

use super::row::{Beyond, End, Release, Row};
use super::specifier::narrowed;
use super::{Direct, OnPython, Seen, WhyRaised};
use crate::analysis::suggest::Known;
use crate::names::{PackageName, PythonVersion};
use crate::question::plan::Pins;

/// Whether a declared range holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// On each Python the oldest and the newest release that it allows and that can be installed pass, and none that was
    /// measured fails.
    Holds,
    /// It allows a release that can be installed and fails.
    Refuted,
    /// Neither is known.
    Undecided,
}

/// What a bound rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// On each Python the release was measured, and so was the next one, if there is one to be tried.
    Proven,
    /// There are releases in between of which nothing is known.
    Bracketed,
}

/// The oldest or the newest release with which the suite passes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Bound {
    /// The release.
    #[schemars(with = "String")]
    pub version: Version,
    /// What it rests on.
    pub evidence: Evidence,
    /// What lies beyond it.
    pub beyond: Beyond,
    /// The releases between the two of which nothing is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub between: Vec<Version>,
}

impl From<End> for Bound {
    fn from(end: End) -> Self {
        let evidence = if end.is_proven() { Evidence::Proven } else { Evidence::Bracketed };
        Self { version: end.version, evidence, beyond: end.beyond, between: end.between }
    }
}

/// A release that the declared range allows and that could not be installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NotInstallable {
    /// The release.
    #[schemars(with = "String")]
    pub version: Version,
    /// On which Pythons.
    pub pythons: Vec<PythonVersion>,
    /// Why, in one line.
    pub why: String,
}

/// What is known of one dependency.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// The dependency.
    pub name: PackageName,
    /// Whether its declared range holds.
    pub check: Check,
    /// The oldest release with which the suite passes.
    pub lower: Option<Bound>,
    /// The newest one.
    pub upper: Option<Bound>,
    /// The same for each Python on which something passes.
    pub pythons: BTreeMap<PythonVersion, [Bound; 2]>,
    /// The releases that the range allows and with which the suite fails on some Python, oldest first, and how.
    pub failing: BTreeMap<Version, Option<String>>,
    /// Those with which it passes and fails.
    pub flaky: Vec<Version>,
    /// Those that could not be installed, as far as they were tried.
    pub not_installable: Vec<NotInstallable>,
    /// How many releases the range allows of which nothing was measured; with what lies beyond the range if that was
    /// searched too.
    pub unmeasured: usize,
    /// How many there are in all.
    pub releases: usize,
    /// The others that were held at older releases than a resolver picks, at most at these.
    pub held: Pins,
    /// What to declare instead; `None` if nothing needs to be changed, or nothing is known.
    pub suggested: Option<String>,
}

impl Verdict {
    /// What was found of `dependency`, whose declared range on all Pythons is `declared`; `None` for the range if it is
    /// not the same on all.
    pub fn of(
        dependency: &Direct,
        declared: Option<&VersionSpecifiers>,
        found: &[OnPython],
        widen: bool,
    ) -> Self {
        let name = &dependency.name;
        let rows: Vec<(PythonVersion, &Row)> = found
            .iter()
            .filter_map(|one| Some((one.python, one.rows.iter().find(|row| row.name == *name)?)))
            .collect();
        let is_required = |one: &&OnPython| dependency.releases.contains_key(&one.python);
        let is_known = found.iter().filter(is_required).all(|one| one.stuck.is_none())
            && rows.iter().all(|(_, row)| row.passes());
        let mut pythons = BTreeMap::new();
        for (python, row) in &rows {
            if let (Some(lower), Some(upper)) = (row.lower(widen), row.upper(widen)) {
                pythons.insert(*python, [lower.into(), upper.into()]);
            }
        }
        let all = together(name, &rows);
        let lower = across(all.lower(widen), pythons.values().map(|[lower, _]| lower));
        let upper = across(all.upper(widen), pythons.values().map(|[_, upper]| upper));
        let of = |seen: Seen| -> Vec<&Release> {
            all.releases.iter().filter(|one| one.is_allowed && one.seen == seen).collect()
        };
        let failing: BTreeMap<Version, Option<String>> =
            of(Seen::Failed).iter().map(|one| (one.version.clone(), one.why.clone())).collect();
        let in_reach = |one: &&Release| one.is_allowed || widen;
        let unknown =
            |one: &&Release| one.has_file && matches!(one.seen, Seen::Untried | Seen::NotMeasured);
        let is_proven =
            |bounds: &[Bound; 2]| bounds.iter().all(|bound| bound.evidence == Evidence::Proven);
        let check = if !failing.is_empty() {
            Check::Refuted
        } else if is_known && !pythons.is_empty() && pythons.values().all(is_proven) {
            Check::Holds
        } else {
            Check::Undecided
        };
        let raised =
            found.iter().filter_map(|one| one.lowest.as_ref()).flat_map(|lowest| &lowest.raised);
        let raised = raised.filter(|one| one.name == *name && one.why == WhyRaised::Fails);
        let at_least = raised.map(|one| &one.to).max();
        let reaches_beyond =
            widen && all.releases.iter().any(|one| !one.is_allowed && one.seen == Seen::Passed);
        let suggested = if check == Check::Refuted || at_least.is_some() || reaches_beyond {
            declared.and_then(|declared| narrowed(declared, &evidence(&all, at_least), widen))
        } else {
            None
        };
        Self {
            name: name.clone(),
            check,
            lower,
            upper,
            flaky: of(Seen::Flaky).iter().map(|one| one.version.clone()).collect(),
            not_installable: not_installable(&rows),
            unmeasured: all.releases.iter().filter(in_reach).filter(unknown).count(),
            releases: all.releases.iter().filter(in_reach).count(),
            held: rows.iter().flat_map(|(_, row)| row.held.clone()).collect(),
            failing,
            pythons,
            suggested,
        }
    }
}

/// The rows of all Pythons as one: a release fails if it fails somewhere, and passes if it passes wherever it was
/// measured.
fn together(name: &PackageName, rows: &[(PythonVersion, &Row)]) -> Row {
    let mut all: BTreeMap<&Version, Release> = BTreeMap::new();
    let order = [
        Seen::Failed,
        Seen::Flaky,
        Seen::Passed,
        Seen::NotMeasured,
        Seen::Untried,
        Seen::CannotBeInstalled,
    ];
    let weight = |release: &Release| {
        let place = order.iter().position(|seen| *seen == release.seen);
        (!release.has_file, place)
    };
    for release in rows.iter().flat_map(|(_, row)| &row.releases) {
        let known = all.entry(&release.version).or_insert_with(|| release.clone());
        let is_allowed = known.is_allowed || release.is_allowed;
        if weight(release) < weight(known) {
            known.clone_from(release);
        }
        known.is_allowed = is_allowed;
    }
    let pick = rows.iter().filter_map(|(_, row)| Some(&row.releases[row.pick?].version)).max();
    let pick = pick.and_then(|pick| all.keys().position(|version| *version == pick));
    let releases = all.into_values().collect();
    Row { name: name.clone(), held: Pins::new(), releases, pick }
}

/// The bound of all Pythons: that of `end`, with the evidence of each of them.
fn across<'a>(end: Option<End>, each: impl Iterator<Item = &'a Bound>) -> Option<Bound> {
    let end = end?;
    let each: Vec<&Bound> = each.collect();
    let is_proven = each.iter().all(|bound| bound.evidence == Evidence::Proven);
    let evidence = if is_proven { Evidence::Proven } else { Evidence::Bracketed };
    // What one Python has not tried, another one that ends there has.
    let of_it = each.iter().find(|bound| bound.version == end.version);
    let (beyond, between) = match (of_it, end.is_proven()) {
        (Some(bound), false) => (bound.beyond.clone(), bound.between.clone()),
        _ => (end.beyond, end.between),
    };
    Some(Bound { version: end.version, evidence, beyond, between })
}

/// The releases as evidence for a range: what cannot be installed and what is flaky says nothing.
fn evidence(all: &Row, at_least: Option<&Version>) -> Vec<(Version, Known)> {
    let known = |release: &Release| match release.seen {
        // Together with the others it fails, and from this one on it passes.
        _ if at_least.is_some_and(|least| release.version < *least) => Known::Failed,
        _ if at_least.is_some_and(|least| release.version == *least) => Known::Passed,
        Seen::Passed => Known::Passed,
        Seen::Failed => Known::Failed,
        Seen::Untried | Seen::Flaky | Seen::CannotBeInstalled | Seen::NotMeasured => {
            Known::Unmeasured
        }
    };
    all.releases.iter().map(|release| (release.version.clone(), known(release))).collect()
}

fn not_installable(rows: &[(PythonVersion, &Row)]) -> Vec<NotInstallable> {
    let mut all: BTreeMap<&Version, (BTreeSet<PythonVersion>, &str)> = BTreeMap::new();
    for (python, row) in rows {
        for release in row.releases.iter().filter(|one| one.seen == Seen::CannotBeInstalled) {
            let why = release.why.as_deref().unwrap_or_default();
            all.entry(&release.version).or_insert((BTreeSet::new(), why)).0.insert(*python);
        }
    }
    let one = |(version, (pythons, why)): (&Version, (BTreeSet<PythonVersion>, &str))| {
        let (version, why) = (version.clone(), why.to_owned());
        NotInstallable { version, pythons: pythons.into_iter().collect(), why }
    };
    all.into_iter().map(one).collect()
}
