//! The clauses of a specifier, and the smallest set of them that separates releases.

use std::collections::BTreeSet;
use std::fmt;

use pep440_rs::{Operator, Version, VersionSpecifier};

use super::Known;

/// A release and its evidence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Release<'a> {
    pub(super) version: &'a Version,
    pub(super) known: Known,
}

impl<'a> Release<'a> {
    /// The releases in order, each once.
    pub(super) fn sorted(releases: &'a [(Version, Known)]) -> Vec<Self> {
        let mut sorted: Vec<Self> =
            releases.iter().map(|(version, known)| Self { version, known: *known }).collect();
        let weight = |known: Known| match known {
            Known::Failed => 0,
            Known::Passed => 1,
            Known::Unmeasured => 2,
        };
        // Of several equal ones the first is kept.
        sorted.sort_by(|a, b| a.version.cmp(b.version).then(weight(a.known).cmp(&weight(b.known))));
        sorted.dedup_by(|a, b| a.version == b.version);
        sorted
    }
}

/// A part of a specifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clause(VersionSpecifier);

impl fmt::Display for Clause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.0.version();
        match self.0.operator() {
            Operator::EqualStar => write!(formatter, "=={version}.*"),
            Operator::NotEqualStar => write!(formatter, "!={version}.*"),
            operator => write!(formatter, "{operator}{version}"),
        }
    }
}

impl Clause {
    /// `>=`, which cannot name a local version.
    pub(super) fn at_least(version: &Version) -> Self {
        Self(VersionSpecifier::greater_than_equal_version(version.clone().without_local()))
    }

    pub(super) fn allows(&self, version: &Version) -> bool {
        allows(&self.0, version)
    }

    /// Whether `packaging` and `pep440_rs` agree about it for these releases.
    fn is_clear(&self, releases: &[Release<'_>]) -> bool {
        releases
            .iter()
            .all(|release| self.0.contains(release.version) == self.allows(release.version))
    }
}

/// Whether `specifier` allows `version`, as `packaging` understands it with pre-releases admitted.
///
/// [`VersionSpecifier::contains`] differs in a few corners: it takes `==1.1.*` to allow 1, and
/// `<2.0rc2` not to allow 2.0rc1.
pub(in crate::analysis) fn allows(specifier: &VersionSpecifier, version: &Version) -> bool {
    let named = specifier.version();
    let public = version.clone().without_local();
    match specifier.operator() {
        Operator::Equal if named.is_local() => version == named,
        Operator::Equal => public == *named,
        Operator::NotEqual if named.is_local() => version != named,
        Operator::NotEqual => public != *named,
        Operator::EqualStar => {
            named.epoch() == public.epoch() && starts_with(&public, named.release())
        }
        Operator::NotEqualStar => {
            named.epoch() != public.epoch() || !starts_with(&public, named.release())
        }
        Operator::TildeEqual => {
            let release = named.release();
            let prefix = &release[..release.len().saturating_sub(1)];
            public >= *named && named.epoch() == public.epoch() && starts_with(&public, prefix)
        }
        Operator::GreaterThanEqual => public >= *named,
        Operator::LessThanEqual => public <= *named,
        // `<V` excludes the pre-releases of V too.
        Operator::LessThan if named.any_prerelease() => public < *named,
        Operator::LessThan => public < named.clone().with_dev(Some(0)),
        // `>V` excludes the post-releases of V too.
        Operator::GreaterThan => {
            let is_post_release = public.is_post()
                && !named.is_post()
                && !named.is_dev()
                && named.epoch() == public.epoch()
                && named.pre() == public.pre()
                && starts_with(&public, &padded(named, &public));
            public > *named && !is_post_release
        }
        Operator::ExactEqual => named.to_string() == version.to_string(),
    }
}

/// Whether a release begins with these numbers; missing numbers count as zeros.
fn starts_with(version: &Version, prefix: &[u64]) -> bool {
    let numbers = version.release().iter().copied().chain(std::iter::repeat(0));
    prefix.iter().copied().zip(numbers).all(|(wanted, number)| wanted == number)
}

/// The numbers of `version`, padded with zeros to the length of `other`.
fn padded(version: &Version, other: &Version) -> Vec<u64> {
    let length = version.release().len().max(other.release().len());
    version.release().iter().copied().chain(std::iter::repeat(0)).take(length).collect()
}

/// The first numbers of a version: `2.1` of 2.1.3rc1.
fn truncated(version: &Version, length: usize) -> Version {
    let numbers = version.release().iter().copied().chain(std::iter::repeat(0));
    let numbers: Vec<u64> = numbers.take(length).collect();
    Version::new(numbers).with_epoch(version.epoch())
}

/// The smallest set of clauses that allows every passing release and excludes every failing one; or the
/// releases that no clause excludes. At least one release passes and one fails.
///
/// All clauses of a specifier must hold, so each clause must allow every passing release, and each
/// failing release must be excluded by one of them. This is a set cover, small enough to be solved
/// exactly: there is one best lower bound and one best upper bound, and the sets that `!=` clauses
/// exclude are either disjoint or nested, so that the largest of them are optimal. All combinations of
/// these are tried.
pub(super) fn shortest(releases: &[Release<'_>]) -> Result<Vec<Clause>, Vec<Version>> {
    let evidence = Evidence::new(releases);
    let exclusions = evidence.exclusions();
    let bounds = [evidence.lower(), evidence.upper()];
    let equals: Vec<Option<Clause>> =
        std::iter::once(None).chain(evidence.equals().into_iter().map(Some)).collect();
    let mut best: Option<(Vec<Clause>, Vec<BTreeSet<usize>>)> = None;
    for equal in &equals {
        for chosen in [[true, true], [true, false], [false, true], [false, false]] {
            let mut clauses: Vec<Clause> = equal.iter().cloned().collect();
            for (bound, chosen) in bounds.iter().zip(chosen) {
                clauses.extend(bound.clone().filter(|_| chosen));
            }
            let Some(needed) = evidence.cover(&mut clauses, &exclusions) else { continue };
            let length = clauses.len() + needed.len();
            // Of equal lengths the first is kept: the loops are in order of preference.
            if best.as_ref().is_none_or(|best| length < best.0.len() + best.1.len()) {
                best = Some((clauses, needed));
            }
        }
    }
    let written = best.map(|(mut clauses, needed)| {
        clauses.extend(needed.iter().filter_map(|wanted| evidence.narrowest(wanted)));
        clauses
    });
    written.ok_or_else(|| {
        let excluded = |failing: &&&Version| {
            let mut clauses = bounds.iter().flatten().chain(exclusions.iter().map(|(set, _)| set));
            !clauses.any(|clause| !clause.allows(failing))
        };
        evidence.failing.iter().filter(excluded).map(|version| (*version).clone()).collect()
    })
}

/// The evidence, grouped by what it says.
struct Evidence<'a> {
    releases: &'a [Release<'a>],
    passing: Vec<&'a Version>,
    failing: Vec<&'a Version>,
}

impl<'a> Evidence<'a> {
    fn new(releases: &'a [Release<'a>]) -> Self {
        let with = |known| -> Vec<&Version> {
            let known = releases.iter().filter(|release| release.known == known);
            known.map(|release| release.version).collect()
        };
        Self { releases, passing: with(Known::Passed), failing: with(Known::Failed) }
    }

    fn is_admissible(&self, clause: &Clause) -> bool {
        self.passing.iter().all(|version| clause.allows(version)) && clause.is_clear(self.releases)
    }

    /// The failing releases that a clause excludes, as indices.
    fn excluded(&self, clause: &Clause) -> BTreeSet<usize> {
        let excludes = |index: &usize| !clause.allows(self.failing[*index]);
        (0..self.failing.len()).filter(excludes).collect()
    }

    /// The lower bound, if it excludes something.
    fn lower(&self) -> Option<Clause> {
        let clause = Clause::at_least(self.passing.first()?);
        (self.is_admissible(&clause) && !self.excluded(&clause).is_empty()).then_some(clause)
    }

    /// The upper bound, if it excludes something: the shortest number that excludes the same known
    /// releases as the first failing release would.
    fn upper(&self) -> Option<Clause> {
        let newest = (*self.passing.last()?).clone().without_local();
        let is_newer = |version: &&&Version| (**version).clone().without_local() > newest;
        let failing = self.failing.iter().find(is_newer)?;
        let newer = self.failing.iter().filter(is_newer).count();
        let below = VersionSpecifier::less_than_version;
        let up_to = VersionSpecifier::less_than_equal_version;
        let first = (*failing).clone().without_local();
        // No release up to here is known to fail.
        let mut versions = self.releases.iter().map(|release| release.version);
        let last = versions.rfind(|version| **version < first);
        let truncations =
            (1..=first.release().len()).map(|length| below(truncated(&first, length)));
        let exact = last.map(|last| up_to(last.clone().without_local()));
        let candidates = truncations
            .chain([below(first.clone())])
            .chain(exact)
            .chain([up_to(newest)])
            .map(Clause);
        let admissible: Vec<Clause> = candidates
            .filter(|clause| self.is_admissible(clause) && self.excluded(clause).len() >= newer)
            .collect();
        // More than the evidence demands is excluded by none that can be avoided.
        let allowed = |clause: &Clause| {
            self.releases.iter().filter(|release| clause.allows(release.version)).count()
        };
        let most = admissible.iter().map(allowed).max()?;
        admissible.into_iter().find(|clause| allowed(clause) == most)
    }

    /// `==` for one release or for those with a common beginning, shortest first.
    fn equals(&self) -> Vec<Clause> {
        let Some(first) = self.passing.first() else { return Vec::new() };
        let prefixes = (1..=self.longest_release())
            .map(|length| VersionSpecifier::equals_star_version(truncated(first, length)));
        let exact = [(*first).clone(), (*first).clone().without_local()];
        prefixes
            .chain(exact.map(VersionSpecifier::equals_version))
            .map(Clause)
            .filter(|clause| self.is_admissible(clause))
            .collect()
    }

    fn longest_release(&self) -> usize {
        let lengths = self.releases.iter().map(|release| release.version.release().len());
        lengths.max().unwrap_or_default()
    }

    /// The largest sets of failing releases that one `!=` excludes.
    fn exclusions(&self) -> Vec<(Clause, BTreeSet<usize>)> {
        let mut largest: Vec<(Clause, BTreeSet<usize>)> = Vec::new();
        for (index, failing) in self.failing.iter().enumerate() {
            if largest.iter().any(|(_, excluded)| excluded.contains(&index)) {
                continue;
            }
            let found = self
                .excluding(failing)
                .into_iter()
                .max_by_key(|clause| self.excluded(clause).len());
            if let Some(clause) = found {
                let excluded = self.excluded(&clause);
                largest.retain(|(_, other)| !other.is_subset(&excluded));
                largest.push((clause, excluded));
            }
        }
        largest
    }

    /// The `!=` clauses that exclude a failing release, the broadest first.
    fn excluding(&self, failing: &Version) -> Vec<Clause> {
        let prefixes = (1..=self.longest_release())
            .map(|length| VersionSpecifier::not_equals_star_version(truncated(failing, length)));
        let exact = [failing.clone().without_local(), failing.clone()];
        prefixes
            .chain(exact.map(VersionSpecifier::not_equals_version))
            .map(Clause)
            .filter(|clause| self.is_admissible(clause))
            .collect()
    }

    /// The sets that still must be excluded besides those that `clauses` exclude; `None` if that is not
    /// possible. Clauses without any effect are removed.
    fn cover(
        &self,
        clauses: &mut Vec<Clause>,
        exclusions: &[(Clause, BTreeSet<usize>)],
    ) -> Option<Vec<BTreeSet<usize>>> {
        let mut left: BTreeSet<usize> = (0..self.failing.len()).collect();
        clauses.retain(|clause| {
            let before = left.len();
            left.retain(|index| clause.allows(self.failing[*index]));
            left.len() < before
        });
        let mut needed = Vec::new();
        for (_, excluded) in exclusions {
            let wanted: BTreeSet<usize> = excluded.intersection(&left).copied().collect();
            if !wanted.is_empty() {
                left.retain(|index| !wanted.contains(index));
                needed.push(wanted);
            }
        }
        left.is_empty().then_some(needed)
    }

    /// Of the ways to exclude `wanted`, the one that excludes the least besides; of several the
    /// shortest, and no `.*` for a single release.
    fn narrowest(&self, wanted: &BTreeSet<usize>) -> Option<Clause> {
        let public = |index: &usize| self.failing[*index].clone().without_local();
        let first = self.failing[*wanted.first()?];
        let mut ways = self.excluding(first);
        ways.retain(|clause| self.excluded(clause).is_superset(wanted));
        let excludes = |clause: &Clause| {
            self.releases.iter().filter(|release| !clause.allows(release.version)).count()
        };
        let least = ways.iter().map(excludes).min();
        ways.retain(|clause| Some(excludes(clause)) == least);
        let single = wanted.iter().map(public).collect::<BTreeSet<_>>().len() == 1;
        if single { ways.pop() } else { ways.into_iter().next() }
    }
}
