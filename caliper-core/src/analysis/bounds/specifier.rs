//! A declared range that the evidence narrows, or widens.

use pep440_rs::{Operator, Version, VersionSpecifier, VersionSpecifiers};

use crate::analysis::suggest::{Known, Suggested, allows, suggest};

/// The declared range, changed as little as the evidence asks for: it then allows no release that fails, and of those
/// that pass all that were allowed before; with `widen` also those beyond it.
///
/// What the project excludes (`!=2.4.0`) and the upper bound of releases that are not there yet stay. `None` if no
/// release passes, or if no specifier excludes those that fail.
pub fn narrowed(
    declared: &VersionSpecifiers,
    releases: &[(Version, Known)],
    widen: bool,
) -> Option<String> {
    let clauses: Vec<VersionSpecifier> = declared.iter().flat_map(split).collect();
    let passes =
        |version: &Version, known: Known| known == Known::Passed && is_allowed(&clauses, version);
    let of_range = releases.iter().filter(|(version, known)| passes(version, *known));
    let oldest = of_range.clone().map(|(version, _)| version).min();
    let beyond = |is_it: &dyn Fn(&Version) -> bool| {
        widen && releases.iter().any(|(version, known)| *known == Known::Passed && is_it(version))
    };
    let newest = of_range.map(|(version, _)| version).max();
    // A bound falls if something passes beyond it.
    let falls = |clause: &VersionSpecifier| match kind(clause) {
        Kind::Lower => beyond(&|version| {
            oldest.is_none_or(|oldest| version < oldest) && !allows(clause, version)
        }),
        Kind::Upper => beyond(&|version| {
            newest.is_none_or(|newest| version > newest) && !allows(clause, version)
        }),
        Kind::Other => false,
    };
    let kept: Vec<VersionSpecifier> =
        clauses.iter().filter(|clause| !falls(clause)).cloned().collect();
    let fell = clauses.iter().any(|clause| kind(clause) == Kind::Lower && falls(clause));
    let allowed: Vec<(Version, Known)> =
        releases.iter().filter(|(version, _)| is_allowed(&kept, version)).cloned().collect();
    let passing = allowed.iter().filter(|(_, known)| *known == Known::Passed);
    let oldest = passing.map(|(version, _)| version).min()?;
    // The lower bound is the oldest release that passes, unless it is the oldest that is allowed anyway.
    let lower = (fell || allowed.iter().any(|(version, _)| version < oldest))
        .then(|| VersionSpecifier::greater_than_equal_version(oldest.clone().without_local()));
    let newer: Vec<(Version, Known)> =
        allowed.iter().filter(|(version, _)| version >= oldest).cloned().collect();
    let mut found: Vec<VersionSpecifier> = lower.into_iter().collect();
    if newer.iter().any(|(_, known)| *known == Known::Failed) {
        let Suggested::Specifier(above) = suggest(&newer) else { return None };
        let above: VersionSpecifiers = above.specifier.parse().ok()?;
        found.extend(above.iter().cloned());
    }
    // Of two bounds on one side, the stricter one; of equal ones, what is declared.
    let of = |wanted: Kind| kept.iter().chain(&found).filter(move |one| kind(one) == wanted);
    let mut all: Vec<VersionSpecifier> = Vec::new();
    all.extend(
        of(Kind::Lower)
            .reduce(|one, other| if strict(other) > strict(one) { other } else { one })
            .cloned(),
    );
    all.extend(
        of(Kind::Upper)
            .reduce(|one, other| if strict(other) < strict(one) { other } else { one })
            .cloned(),
    );
    for clause in of(Kind::Other) {
        let is_needed = match clause.operator() {
            // Not what a bound excludes already.
            Operator::NotEqual => is_allowed(&all, clause.version()),
            _ => true,
        };
        if is_needed && !all.contains(clause) {
            all.push(clause.clone());
        }
    }
    let is_right = allowed.iter().all(|(version, known)| match known {
        Known::Passed => is_allowed(&all, version),
        Known::Failed => !is_allowed(&all, version),
        Known::Unmeasured => true,
    });
    let texts: Vec<String> = all.iter().map(|clause| clause.to_string().replace(' ', "")).collect();
    is_right.then(|| texts.join(","))
}

/// The clauses as people write them: lower bounds first, then upper ones, then the rest. Build backends sort them as
/// texts.
pub(super) fn ordered(specifiers: &VersionSpecifiers) -> String {
    let mut clauses: Vec<&VersionSpecifier> = specifiers.iter().collect();
    clauses.sort_by_key(|clause| match kind(clause) {
        Kind::Lower => 0,
        Kind::Upper => 1,
        Kind::Other => 2,
    });
    let texts: Vec<String> = clauses.iter().map(ToString::to_string).collect();
    texts.join(",")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Lower,
    Upper,
    Other,
}

fn kind(clause: &VersionSpecifier) -> Kind {
    match clause.operator() {
        Operator::GreaterThan | Operator::GreaterThanEqual => Kind::Lower,
        Operator::LessThan | Operator::LessThanEqual => Kind::Upper,
        _ => Kind::Other,
    }
}

/// By what bounds of one side are compared.
fn strict(clause: &VersionSpecifier) -> (Version, u8) {
    let is_open = match clause.operator() {
        Operator::GreaterThan | Operator::LessThanEqual => 1,
        _ => 0,
    };
    (clause.version().clone(), is_open)
}

fn is_allowed(clauses: &[VersionSpecifier], version: &Version) -> bool {
    clauses.iter().all(|clause| allows(clause, version))
}

/// `~=1.4.2` as `>=1.4.2` and `==1.4.*`, so that its lower bound can move.
fn split(clause: &VersionSpecifier) -> Vec<VersionSpecifier> {
    if *clause.operator() != Operator::TildeEqual {
        return vec![clause.clone()];
    }
    let release = clause.version().release();
    let prefix = Version::new(&release[..release.len().saturating_sub(1)])
        .with_epoch(clause.version().epoch());
    let lower = VersionSpecifier::greater_than_equal_version(clause.version().clone());
    match VersionSpecifier::from_version(Operator::EqualStar, prefix) {
        Ok(prefix) => vec![lower, prefix],
        Err(_) => vec![clause.clone()],
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(declared: &str, releases: &str, widen: bool) -> String {
        let releases: Vec<(Version, Known)> = releases
            .split_whitespace()
            .map(|text| {
                let (mark, version) = text.split_at(1);
                let known = match mark {
                    "+" => Known::Passed,
                    "-" => Known::Failed,
                    _ => Known::Unmeasured,
                };
                (version.parse().unwrap(), known)
            })
            .collect();
        let declared = if declared.is_empty() {
            VersionSpecifiers::empty()
        } else {
            declared.parse().unwrap()
        };
        narrowed(&declared, &releases, widen).unwrap_or_else(|| "none".to_owned())
    }

    #[test]
    fn a_range_changes_as_little_as_it_must() {
        for (declared, releases, widen, expected) in [
            (">=1.3", ".1.2 .1.3.0 +1.3.5 .1.4 +1.5.3 -2.0.3 .2.1 -3.1", false, ">=1.3.5,<2"),
            ("", "-1.0 -1.1 +1.2 +2.0", false, ">=1.2"),
            ("", "+1.0 +1.9 -2.0", false, "<2"),
            // The upper bound of what is not there yet, and what is excluded, stay.
            (">=1,<4,!=2.4.0", "-1.0 +1.5 .2.3 .2.4.0 +3.0", false, ">=1.5,<4,!=2.4.0"),
            (">=1,<4,!=2.4.0", "+1.0 +1.5 .2.3 .2.4.0 -3.0", false, ">=1,<3,!=2.4.0"),
            (">=1,!=2.4.0", "+1.0 +1.5 -2.0 .2.4.0", false, ">=1,<2"),
            ("~=1.4.2", ".1.3 -1.4.2 +1.4.5 +1.4.9 .1.5.0", false, ">=1.4.5,==1.4.*"),
            (">1.0", ".1.0 +1.1 -2.0", false, ">1.0,<2"),
            (">=1", "-1.0 -1.1", false, "none"),
            // Wider only if that is asked for.
            (">=2,<3", "-1.0 +1.5 +2.0 +2.9 +3.0", false, ">=2,<3"),
            (">=2,<3", "-1.0 +1.5 +2.0 +2.9 +3.0", true, ">=1.5"),
            (">=2,<3", "-1.0 +1.5 +2.0 +2.9 -3.0", true, ">=1.5,<3"),
            (">=2,<3", "-1.0 -1.5 +2.0 +2.9 +3.0 -4.0", true, ">=2,<4"),
            (">=2,<3", "+1.0 .1.5 +2.0 +2.9 -3.0", true, ">=1.0,<3"),
        ] {
            assert_eq!(told(declared, releases, widen), expected, "{declared}: {releases}");
        }
    }

    proptest! {
        #[test]
        fn what_passed_stays_and_what_fails_goes(
            marks in prop::collection::vec(prop::sample::select(vec!["+", "-", "."]), 1..30),
            declared in prop::sample::select(vec!["", ">=1.2", ">=1.2,<3", "<2", ">1.0,!=1.5", "~=1.3", "==2.*", "!=2.1,!=2.2", "<=2.3", "==1.4"]),
            widen: bool,
        ) {
            let releases: Vec<(Version, Known)> = (0..).zip(&marks).map(|(number, mark): (u64, _)| {
                let known = match *mark { "+" => Known::Passed, "-" => Known::Failed, _ => Known::Unmeasured };
                (Version::new([1 + number / 10, number % 10]), known)
            }).collect();
            let specifiers: VersionSpecifiers = if declared.is_empty() { VersionSpecifiers::empty() } else { declared.parse().unwrap() };
            let before: Vec<VersionSpecifier> = specifiers.iter().cloned().collect();
            if let Some(text) = narrowed(&specifiers, &releases, widen) {
                let after: VersionSpecifiers = text.parse().unwrap_or_else(|_| VersionSpecifiers::empty());
                let after: Vec<VersionSpecifier> = after.iter().cloned().collect();
                for (version, known) in &releases {
                    let (was, is) = (is_allowed(&before, version), is_allowed(&after, version));
                    match known {
                        Known::Failed => prop_assert!(!is, "{version} in {text}"),
                        Known::Passed if was => prop_assert!(is, "{version} not in {text}"),
                        _ => {}
                    }
                    if !widen {
                        prop_assert!(was || !is, "{version} in {text} and not in {declared}");
                    }
                }
            }
        }
    }
}
