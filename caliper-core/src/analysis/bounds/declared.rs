//! What a package declares of its direct dependencies.

use std::collections::BTreeMap;

use pep440_rs::{Version, VersionSpecifiers};

use super::specifier::ordered;
use super::{Direct, Offered};
use crate::analysis::suggest::allows;
use crate::names::{PackageName, PythonVersion};
use crate::question::interpreter::Interpreter;
use crate::question::marker;
use crate::question::requirement::Requirement;

/// What a package declares of one direct dependency.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Declared {
    /// The dependency.
    pub name: PackageName,
    /// The range; with several for different Pythons, each with its marker. Empty for any release.
    pub text: String,
    /// The range on each Python on which it is required.
    pub ranges: BTreeMap<PythonVersion, VersionSpecifiers>,
}

impl Declared {
    /// The range of all Pythons, if it is the same on all.
    pub fn everywhere(&self) -> Option<&VersionSpecifiers> {
        let mut ranges = self.ranges.values();
        let first = ranges.next()?;
        ranges.all(|range| range == first).then_some(first)
    }

    /// The requirement that has this range on a Python; `None` if there is none, or if it allows any release.
    pub fn line(&self, python: PythonVersion) -> Option<String> {
        let range = self.ranges.get(&python).filter(|range| !range.is_empty())?;
        Some(format!("{}{}", self.name.normalized(), ordered(range)))
    }

    /// Whether a range names a pre-release, so that installers may take one.
    pub fn names_pre_releases(&self) -> bool {
        let mut all = self.ranges.values().flat_map(|range| range.iter());
        all.any(|clause| clause.version().any_prerelease())
    }

    /// The dependency with the releases that an index offers on each Python: whether there is a file.
    pub fn offered(&self, offered: &[(PythonVersion, Version, bool)]) -> Direct {
        let of = |(python, range): (&PythonVersion, &VersionSpecifiers)| {
            let mut releases: Vec<Offered> = offered
                .iter()
                .filter(|(other, ..)| other == python)
                .map(|(_, version, has_file)| Offered {
                    version: version.clone(),
                    is_allowed: range.iter().all(|clause| allows(clause, version)),
                    has_file: *has_file,
                })
                .collect();
            releases.sort_by(|one, other| one.version.cmp(&other.version));
            (*python, releases)
        };
        Direct { name: self.name.clone(), releases: self.ranges.iter().map(of).collect() }
    }
}

/// Reads the direct dependencies from the `Requires-Dist` of a package, without those of extras; and why some have no
/// bounds.
pub fn declared(
    requires_dist: &[String],
    interpreters: &[Interpreter],
) -> (Vec<Declared>, Vec<String>) {
    let mut found: Vec<(Declared, Vec<String>)> = Vec::new();
    let mut left_out = Vec::new();
    for line in requires_dist {
        let Ok(requirement) = line.parse::<Requirement>() else {
            left_out.push(format!("`{line}`: it cannot be read"));
            continue;
        };
        let marker = requirement.marker.as_deref();
        // Whether an extra is asked for is not known to a marker, so its dependencies hold nowhere.
        let holds = |one: &&Interpreter| {
            marker.is_none_or(|marker| marker::holds(marker, one) == Some(true))
        };
        let pythons: Vec<PythonVersion> =
            interpreters.iter().filter(holds).map(|one| one.python).collect();
        if pythons.is_empty() {
            continue;
        }
        let name = &requirement.name;
        if requirement.is_address() {
            left_out.push(format!("{name}: an address and no releases"));
            continue;
        }
        let range = if requirement.range.is_empty() {
            VersionSpecifiers::empty()
        } else if let Ok(range) = requirement.range.parse() {
            range
        } else {
            left_out.push(format!("{name}: `{}` cannot be read", requirement.range));
            continue;
        };
        let text = match marker {
            Some(marker) if pythons.len() < interpreters.len() => {
                format!("{}; {marker}", ordered(&range))
            }
            _ => ordered(&range),
        };
        let index = found.iter().position(|(one, _)| one.name == *name).unwrap_or_else(|| {
            let one = Declared { name: name.clone(), text: String::new(), ranges: BTreeMap::new() };
            found.push((one, Vec::new()));
            found.len() - 1
        });
        let (one, texts) = &mut found[index];
        for python in pythons {
            // Two requirements of one package hold both.
            let known = one.ranges.get(&python).into_iter().flat_map(|range| range.iter());
            let clauses = known.chain(range.iter());
            let both = clauses.cloned().collect();
            one.ranges.insert(python, both);
        }
        if !text.is_empty() && !texts.contains(&text) {
            texts.push(text);
        }
    }
    let joined = |(one, texts): (Declared, Vec<String>)| {
        let separator = if texts.iter().any(|text| text.contains(';')) { " | " } else { "," };
        Declared { text: texts.join(separator), ..one }
    };
    (found.into_iter().map(joined).collect(), left_out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::testing;

    #[test]
    fn direct_dependencies_are_those_without_an_extra() {
        let lines = [
            "Pandas>=1.3",
            "click",
            "tomli>=1.1; python_version < '3.11'",
            "numpy>=1.20; python_version < '3.10'",
            "numpy>=1.26; python_version >= '3.10'",
            "pytest>=7; extra == 'test'",
            "six @ https://files.example/six.whl",
            "winreg; sys_platform == 'win32'",
            "odd >=1,,",
            "click<9",
        ];
        let lines = lines.map(str::to_owned);
        let pythons = ["3.9", "3.11"].map(testing::interpreter);
        let (found, left_out) = declared(&lines, &pythons);
        let told: Vec<String> = found
            .iter()
            .map(|one| {
                let ranges = one.ranges.iter().map(|(python, range)| format!("{python}: {range}"));
                let ranges: Vec<String> = ranges.collect();
                let same = one.everywhere().is_some();
                format!("{} `{}` [{}] {same}", one.name, one.text, ranges.join("; "))
            })
            .chain(left_out.into_iter().map(|text| format!("left out {text}")))
            .collect();
        insta::assert_snapshot!(told.join("\n"), @"
        Pandas `>=1.3` [3.9: >=1.3; 3.11: >=1.3] true
        click `<9` [3.9: <9; 3.11: <9] true
        tomli `>=1.1; python_version < '3.11'` [3.9: >=1.1] true
        numpy `>=1.20; python_version < '3.10' | >=1.26; python_version >= '3.10'` [3.9: >=1.20; 3.11: >=1.26] false
        left out six: an address and no releases
        left out odd: `>=1,,` cannot be read
        ");
        let lines: Vec<_> = found.iter().map(|one| one.line("3.11".parse().unwrap())).collect();
        assert_eq!(
            lines,
            [
                Some("pandas>=1.3".to_owned()),
                Some("click<9".to_owned()),
                None,
                Some("numpy>=1.26".to_owned())
            ]
        );
    }
}
