//! The releases of one dependency on one Python: which to try next, and where the suite stops passing.

use std::collections::BTreeSet;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use super::Seen;
use crate::names::PackageName;
use crate::question::plan::Pins;

/// How often the releases between the ends are halved at most while none is known to pass.
pub(super) const DEEPEST: u32 = 3;

/// A release of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Release {
    /// The release.
    pub version: Version,
    /// Whether the declared range allows it.
    pub is_allowed: bool,
    /// Whether there is a file for this Python.
    pub has_file: bool,
    /// What is known of the suite with it.
    pub seen: Seen,
    /// Why it does not pass, in one line.
    pub why: Option<String>,
}

/// The releases of one dependency on one Python, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    /// The dependency.
    pub name: PackageName,
    /// The other dependencies that were held at older releases than a resolver picks, at most at these.
    pub held: Pins,
    /// The releases.
    pub releases: Vec<Release>,
    /// The one that a resolver picks.
    pub pick: Option<usize>,
}

/// What lies beyond an end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Beyond {
    /// The suite fails with this release.
    Fails(#[schemars(with = "String")] Version),
    /// This release cannot be installed.
    CannotBeInstalled(#[schemars(with = "String")] Version),
    /// Releases that the declared range excludes, which were not tried.
    NotTried,
    /// No release.
    Nothing,
    /// Releases of the declared range of which nothing is known.
    Unknown,
}

/// The last release that passes in one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The release.
    pub version: Version,
    /// What lies beyond it.
    pub beyond: Beyond,
    /// The releases between the two of which nothing is known.
    pub between: Vec<Version>,
}

impl End {
    /// Whether the release beyond it is the next one, or there is none to be tried.
    pub fn is_proven(&self) -> bool {
        self.between.is_empty() && self.beyond != Beyond::Unknown
    }
}

/// A direction to walk in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Older,
    Newer,
}

impl Row {
    /// The release from which both ends are looked for: the one that a resolver picks if the suite passes with it, or
    /// else the newest that passes.
    fn anchor(&self) -> Option<usize> {
        let passes = |index: &usize| self.releases[*index].seen == Seen::Passed;
        let allowed = |index: &usize| self.releases[*index].is_allowed;
        self.pick
            .filter(passes)
            .or_else(|| (0..self.releases.len()).rev().find(|one| allowed(one) && passes(one)))
            .or_else(|| (0..self.releases.len()).rev().find(passes))
    }

    /// Whether any release passes.
    pub fn passes(&self) -> bool {
        self.anchor().is_some()
    }

    /// The oldest release that passes, of those that pass without interruption around the one that a resolver picks.
    pub fn lower(&self, widen: bool) -> Option<End> {
        self.anchor().map(|anchor| self.end(anchor, Way::Older, widen))
    }

    /// The newest release that passes, as [`Row::lower`].
    pub fn upper(&self, widen: bool) -> Option<End> {
        self.anchor().map(|anchor| self.end(anchor, Way::Newer, widen))
    }

    /// The releases that the declared range allows and that fail.
    pub fn failing(&self) -> impl Iterator<Item = &Release> {
        self.releases.iter().filter(|one| one.is_allowed && one.seen == Seen::Failed)
    }

    /// How many releases newer than `version` the declared range allows.
    pub(super) fn newer_than(&self, version: &Version) -> usize {
        self.releases.iter().filter(|one| one.is_allowed && one.version > *version).count()
    }

    pub(super) fn index_of(&self, version: &Version) -> Option<usize> {
        self.releases.iter().position(|one| one.version == *version)
    }

    /// The releases to try next; empty if both ends are known as well as they can be. While none is known to pass,
    /// these are the ends of the declared range, and the releases that halve it `depth` times.
    pub(super) fn wanted(&self, depth: u32, widen: bool) -> BTreeSet<usize> {
        if let Some(anchor) = self.anchor() {
            let ways = [Way::Older, Way::Newer].into_iter();
            return ways.filter_map(|way| self.next(anchor, way, widen)).collect();
        }
        let may_be_tried: Vec<usize> = (0..self.releases.len())
            .filter(|index| self.releases[*index].is_allowed && self.is_told(*index))
            .collect();
        let Some(last) = may_be_tried.len().checked_sub(1) else { return BTreeSet::new() };
        let parts = 1_usize << depth;
        let places = (0..=parts).map(|part| may_be_tried[part * last / parts]);
        places.filter(|index| self.releases[*index].seen == Seen::Untried).collect()
    }

    /// Whether a release tells anything, or may if it is tried.
    fn is_told(&self, index: usize) -> bool {
        let Release { has_file, seen, .. } = &self.releases[index];
        *has_file && !matches!(seen, Seen::Flaky | Seen::NotMeasured)
    }

    fn is_bad(&self, index: usize) -> bool {
        matches!(self.releases[index].seen, Seen::Failed | Seen::CannotBeInstalled)
    }

    /// The releases in one direction, nearest first: those of the declared range, and those beyond it.
    ///
    /// What the range excludes in its middle (`!=`) is left out: it is excluded for a reason.
    fn walk(&self, anchor: usize, way: Way) -> (Vec<usize>, Vec<usize>) {
        let path: Vec<usize> = match way {
            Way::Older => (0..anchor).rev().collect(),
            Way::Newer => (anchor + 1..self.releases.len()).collect(),
        };
        let allowed = |index: &usize| self.releases[*index].is_allowed;
        let end = path.iter().rposition(allowed).map_or(0, |last| last + 1);
        let inside = path[..end].iter().copied().filter(allowed).collect();
        (inside, path[end..].to_vec())
    }

    /// The next release to try in one direction: first the end of the declared range, and if it does not pass, the
    /// middle between what passes and what does not. Beyond the range the steps double, because a bound is more
    /// likely to be a little wrong than very wrong.
    fn next(&self, anchor: usize, way: Way, widen: bool) -> Option<usize> {
        let (mut inside, mut outside) = self.walk(anchor, way);
        inside.retain(|index| self.is_told(*index));
        outside.retain(|index| self.is_told(*index));
        let is_open = |index: &usize| self.releases[*index].seen == Seen::Untried;
        let passes = |index: &usize| self.releases[*index].seen == Seen::Passed;
        let middle = |path: &[usize]| -> Option<Option<usize>> {
            let bad = path.iter().position(|index| self.is_bad(*index))?;
            let good = path[..bad].iter().rposition(passes).map_or(0, |good| good + 1);
            let open: Vec<usize> = path[good..bad].iter().copied().filter(is_open).collect();
            Some(open.get(open.len() / 2).copied())
        };
        if let Some(narrowed) = middle(&inside) {
            return narrowed;
        }
        if let Some(end) = inside.last().copied().filter(is_open) {
            return Some(end);
        }
        if !widen {
            return None;
        }
        if let Some(narrowed) = middle(&outside) {
            return narrowed;
        }
        let reached = outside.iter().rposition(passes).map_or(0, |last| last + 1);
        let next = (2 * reached).min(outside.len().checked_sub(1)?);
        outside.get(next).copied().filter(is_open)
    }

    fn end(&self, anchor: usize, way: Way, widen: bool) -> End {
        let (inside, outside) = self.walk(anchor, way);
        let declared = inside.len();
        let path = [inside, if widen { outside.clone() } else { Vec::new() }].concat();
        let bad = path.iter().position(|index| self.is_bad(*index));
        let before = &path[..bad.unwrap_or(path.len())];
        let passes = |index: &usize| self.releases[*index].seen == Seen::Passed;
        let good = before.iter().rposition(passes).map_or(0, |good| good + 1);
        let name = |index: usize| self.releases[index].version.clone();
        let version = name(good.checked_sub(1).map_or(anchor, |good| path[good]));
        let (no_file, unknown): (Vec<usize>, Vec<usize>) =
            before[good..].iter().copied().partition(|index| !self.releases[*index].has_file);
        let beyond = match bad.map(|bad| path[bad]) {
            Some(bad) if self.releases[bad].seen == Seen::Failed => Beyond::Fails(name(bad)),
            Some(bad) => Beyond::CannotBeInstalled(name(bad)),
            None if !unknown.is_empty() => Beyond::Unknown,
            None => match no_file.first() {
                Some(nearest) if good < declared || widen => {
                    Beyond::CannotBeInstalled(name(*nearest))
                }
                _ if !widen && !outside.is_empty() => Beyond::NotTried,
                _ => Beyond::Nothing,
            },
        };
        End { version, beyond, between: unknown.into_iter().map(name).collect() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A row of releases 1, 2, …: `+` passes, `-` fails, `x` cannot be installed, `~` is flaky, `!` cannot be measured,
    /// `o` has no file, `.` was not tried. Those in brackets are allowed. The one behind `^` is picked.
    fn row(text: &str) -> Row {
        let (mut is_allowed, mut releases, mut pick) = (!text.contains('['), Vec::new(), None);
        for character in text.chars() {
            match character {
                '[' | ']' => is_allowed = character == '[',
                '^' => pick = Some(releases.len()),
                _ => releases.push(Release {
                    version: Version::new([releases.len() as u64 + 1]),
                    is_allowed,
                    has_file: character != 'o',
                    seen: match character {
                        '+' => Seen::Passed,
                        '-' => Seen::Failed,
                        'x' => Seen::CannotBeInstalled,
                        '~' => Seen::Flaky,
                        '!' => Seen::NotMeasured,
                        _ => Seen::Untried,
                    },
                    why: None,
                }),
            }
        }
        Row { name: "demo".parse().unwrap(), held: Pins::new(), releases, pick }
    }

    fn ends(text: &str, widen: bool) -> String {
        let row = row(text);
        let told = |end: Option<End>| match end {
            None => "none".to_owned(),
            Some(end) => {
                let beyond = match &end.beyond {
                    Beyond::Fails(one) => format!("{one} fails"),
                    Beyond::CannotBeInstalled(one) => format!("{one} cannot be installed"),
                    Beyond::NotTried => "not tried".to_owned(),
                    Beyond::Nothing => "nothing".to_owned(),
                    Beyond::Unknown => "unknown".to_owned(),
                };
                let proven = if end.is_proven() { "" } else { " (bracketed)" };
                format!("{} then {beyond}{proven}", end.version)
            }
        };
        format!("{} .. {}", told(row.lower(widen)), told(row.upper(widen)))
    }

    #[test]
    fn an_end_says_what_lies_beyond_it() {
        for (text, expected) in [
            ("[+..^+]", "1 then nothing .. 4 then nothing"),
            (".[+..^+].", "2 then not tried .. 5 then not tried"),
            ("[--+.^+]", "3 then 2 fails .. 5 then nothing"),
            ("[-.+.^+]", "3 then 1 fails (bracketed) .. 5 then nothing"),
            ("[x+.^+]", "2 then 1 cannot be installed .. 4 then nothing"),
            ("[oo+.^+]", "3 then 2 cannot be installed .. 5 then nothing"),
            // A release without a file in the middle does not end anything.
            ("[+o.^+]", "1 then nothing .. 4 then nothing"),
            ("[~+.^+]", "2 then unknown (bracketed) .. 4 then nothing"),
            ("[-~+^+]", "3 then 1 fails (bracketed) .. 4 then nothing"),
            ("[+.+-^-]", "1 then nothing .. 3 then 4 fails"),
            ("[-.^-]", "none .. none"),
            // What is excluded in the middle is neither tried nor told.
            ("[+].[+^+]", "1 then nothing .. 4 then nothing"),
        ] {
            assert_eq!(ends(text, false), expected, "{text}");
        }
        assert_eq!(ends("-+[+.^+]+", true), "2 then 1 fails .. 6 then nothing");
        assert_eq!(ends("++[+.^+]-", true), "1 then nothing .. 5 then 6 fails");
    }

    fn wanted(text: &str, widen: bool) -> Vec<usize> {
        row(text).wanted(0, widen).into_iter().map(|index| index + 1).collect()
    }

    #[test]
    fn the_ends_of_the_range_are_tried_first() {
        for (text, widen, expected) in [
            ("..[....^+]..", false, &[3][..]),
            ("..[+...^+]..", false, &[]),
            ("..[-...^+]..", false, &[5]),
            ("[....^+..]", false, &[1, 7]),
            ("[-.+..^+]", false, &[2]),
            ("[~....^+]", false, &[2]),
            ("[o....^+]", false, &[2]),
            // Beyond it in steps of 1, 2, 4, 8.
            ("........[+^+]", true, &[8]),
            (".......+[+^+]", true, &[6]),
            (".....+.+[+^+]", true, &[2]),
            ("-....+.+[+^+]", true, &[3]),
            (".........[-^+]", true, &[]),
            // While nothing passes, the two ends.
            ("[....^-]", false, &[1]),
        ] {
            assert_eq!(wanted(text, widen), expected, "{text}");
        }
        let probes = row("[-.......^-]").wanted(2, false);
        assert_eq!(probes.into_iter().collect::<Vec<_>>(), [2, 4, 6]);
    }

    /// How a release of a made-up row ends: in runs, as they do.
    fn truths() -> impl Strategy<Value = (Vec<char>, usize, usize)> {
        let runs = prop::collection::vec(
            (prop::sample::select(vec!['+', '+', '-', 'x', '~', '!', 'o']), 1_usize..8),
            1..9,
        );
        runs.prop_flat_map(|runs| {
            let all: Vec<char> =
                runs.into_iter().flat_map(|(one, count)| std::iter::repeat_n(one, count)).collect();
            let length = all.len();
            (Just(all), 0..length, 0..length)
        })
    }

    proptest! {
        /// Each release is asked for once, and what is concluded is true.
        #[test]
        fn a_search_ends_and_says_what_was_measured((truth, from, to) in truths(), widen: bool) {
            let (from, to) = (from.min(to), from.max(to));
            let mut row = row(&".".repeat(truth.len()));
            let pick = (from..=to).rev().find(|index| truth[*index] == '+');
            for (index, release) in row.releases.iter_mut().enumerate() {
                release.is_allowed = (from..=to).contains(&index);
                release.has_file = truth[index] != 'o';
            }
            row.pick = pick;
            let seen = |index: usize| match truth[index] {
                '+' => Seen::Passed,
                '-' => Seen::Failed,
                'x' => Seen::CannotBeInstalled,
                '~' => Seen::Flaky,
                _ => Seen::NotMeasured,
            };
            if let Some(pick) = pick {
                row.releases[pick].seen = Seen::Passed;
            }
            loop {
                let wanted = row.wanted(DEEPEST, widen);
                if wanted.is_empty() {
                    break;
                }
                for index in wanted {
                    prop_assert_eq!(row.releases[index].seen, Seen::Untried);
                    prop_assert!(row.releases[index].has_file);
                    prop_assert!(widen || row.releases[index].is_allowed);
                    row.releases[index].seen = seen(index);
                }
            }
            for end in [row.lower(widen), row.upper(widen)].into_iter().flatten() {
                let at = row.index_of(&end.version).unwrap();
                prop_assert_eq!(truth[at], '+');
                match &end.beyond {
                    Beyond::Fails(version) => prop_assert_eq!(truth[row.index_of(version).unwrap()], '-'),
                    Beyond::CannotBeInstalled(version) => prop_assert!("xo".contains(truth[row.index_of(version).unwrap()])),
                    Beyond::NotTried | Beyond::Nothing | Beyond::Unknown => {}
                }
                // Between the two there are only such as tell nothing.
                for version in &end.between {
                    prop_assert!("~!".contains(truth[row.index_of(version).unwrap()]));
                }
            }
        }
    }
}
