//! What a project declares, held against results.
//!
//! A declaration may bind only some Pythons, by its marker, and several entries may name one package. So the
//! entries that apply on a Python are taken together, and Pythons on which the same applies are judged
//! together, by what was measured there.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::{Version, VersionSpecifiers};

use super::declared::{Declared, check_specifiers};
use super::evidence::{Columns, on_python, releases};
use super::project::{Declaration, Section};
use crate::analysis::results::Results;
use crate::names::PythonVersion;
use crate::question::interpreter::{Interpreter, Libc, Platform};
use crate::question::marker;

/// Holds `declarations` about the package of `results` against these, by the tests that are named. A
/// declaration comes with where it stands, and with its Pythons if it does not bind all.
pub fn held(
    declarations: &[Declaration],
    results: &Results,
    tests: &dyn Fn(&str) -> bool,
) -> Vec<(String, Declared)> {
    let pythons: BTreeMap<PythonVersion, Interpreter> = results
        .cells
        .iter()
        .map(|record| record.python)
        .map(|python| (python, interpreter(results, python)))
        .collect();
    let mut sections: Vec<&Section> = declarations.iter().map(|one| &one.section).collect();
    sections.dedup();
    let mut held = Vec::new();
    for section in sections {
        let entries = declarations.iter().filter(|one| one.section == *section);
        // What applies on each Python, by the text of it: by this they are grouped.
        let mut groups: BTreeMap<String, (VersionSpecifiers, BTreeSet<PythonVersion>)> =
            BTreeMap::new();
        for (python, interpreter) in &pythons {
            let applies = |one: &&Declaration| {
                // What is not known may apply.
                one.marker
                    .as_ref()
                    .is_none_or(|text| marker::holds(text, interpreter) != Some(false))
            };
            let applying: Vec<&Declaration> = entries.clone().filter(applies).collect();
            if applying.is_empty() {
                continue;
            }
            let clauses = applying.iter().flat_map(|one| one.specifier.iter().cloned());
            let specifiers: VersionSpecifiers = clauses.collect();
            let group = groups.entry(specifiers.to_string());
            group.or_insert_with(|| (specifiers, BTreeSet::new())).1.insert(*python);
        }
        for (specifiers, on) in groups.into_values() {
            let columns = Columns { pythons: Some(&on), ..Columns::default() };
            let known = releases(results, tests, columns);
            let place = if on.len() == pythons.len() {
                section.to_string()
            } else {
                let names: Vec<String> = on.iter().map(ToString::to_string).collect();
                format!("{section} on {}", names.join(", "))
            };
            held.push((place, check_specifiers(&specifiers, &known)));
        }
    }
    held
}

/// Holds the Pythons that a project declares to support against those on which some release passes. They
/// are told as feature releases; what was measured is one patch release of each.
pub fn held_python(required: &VersionSpecifiers, results: &Results) -> Declared {
    let pythons: BTreeSet<PythonVersion> =
        results.cells.iter().map(|record| record.python).collect();
    let known: Vec<_> = pythons
        .into_iter()
        .filter(|python| !python.is_free_threaded())
        .map(|python| {
            let version = interpreter(results, python).version;
            (version, on_python(results, &|_| true, python))
        })
        .collect();
    let feature = |versions: Vec<Version>| -> Vec<Version> {
        versions.iter().map(|version| Version::new(version.release().iter().take(2))).collect()
    };
    let declared = check_specifiers(required, &known);
    Declared {
        refuted_by: feature(declared.refuted_by),
        too_narrow_for: feature(declared.too_narrow_for),
        unproven: feature(declared.unproven),
        measured: declared.measured.map(|ends| ends.map(|end| feature(vec![end]).remove(0))),
        ..declared
    }
}

/// The Python that was measured with this name.
fn interpreter(results: &Results, python: PythonVersion) -> Interpreter {
    let mut of_python = results.cells.iter().filter(|record| record.python == python);
    let measured = of_python.find_map(|record| record.environment.interpreter.clone());
    measured.unwrap_or_else(|| {
        // Imported records do not tell.
        let libc = Libc::Glibc { major: 2, minor: 31 };
        Interpreter::assumed(python, Platform::Linux { arch: "x86_64".to_owned(), libc })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::suggest::ProjectFile;
    use crate::facts::record::TestOutcome::{Failed, Passed};
    use crate::facts::record::tests::{record, test};
    use crate::facts::record::{CellOutcome, Record};
    use crate::question::testing;

    /// Passes from 2.0 on, and 1.x only on 3.8; nothing passes on 3.9.
    fn results() -> Results {
        let cell = |version: &str, python: &str, passes: bool| -> Record {
            let mut record = record(version, python);
            let outcome = if passes { Passed } else { Failed };
            record.tests.push(test("t", outcome, ""));
            let mut interpreter = testing::interpreter(python);
            interpreter.version = format!("{python}.4").parse().unwrap();
            record.environment.interpreter = Some(interpreter);
            record
        };
        let mut missing = record("2.0", "3.8");
        missing.outcome = CellOutcome::Unavailable;
        let cells = vec![
            cell("1.0", "3.8", true),
            missing,
            cell("1.0", "3.9", false),
            cell("1.0", "3.12", false),
            cell("2.0", "3.12", true),
        ];
        Results::new("a", "pandas".parse().unwrap(), "local", cells).unwrap()
    }

    fn told(pyproject: &str) -> String {
        let results = results();
        let found = ProjectFile::Pyproject.declarations(pyproject, &results.dependency).unwrap();
        let held = held(&found, &results, &|_| true);
        let lines = held.iter().map(|(place, declared)| format!("{place}\n{declared}"));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_applies_on_a_python_is_judged_there_and_together() {
        insta::assert_snapshot!(told(r#"
            [project]
            dependencies = [
              "pandas>=1; python_version<'3.12'",
              "pandas>=2; python_version>='3.12'",
              "pandas<9; python_version>='3.12'",
              "pandas==7; sys_platform=='win32'",
            ]
        "#), @"
        project.dependencies on 3.8, 3.9
        >=1: refuted, it allows 1 failing release: 1.0
        >=1: without evidence, it allows 1 unmeasured release: 2.0
        project.dependencies on 3.12
        >=2, <9: holds, it allows 1 passing release and no failing one (oldest measured: 1.0, newest: 2.0)
        ");
        insta::assert_snapshot!(told("[project]\ndependencies = ['pandas>=2', 'pandas<3']"), @"
        project.dependencies
        >=2, <3: holds, it allows 1 passing release and no failing one (oldest measured: 1.0, newest: 2.0)
        ");
        insta::assert_snapshot!(told("[dependency-groups]\ntest = ['pandas>=2', {include-group = 'x'}]"), @"
        dependency-groups.test
        >=2: holds, it allows 1 passing release and no failing one (oldest measured: 1.0, newest: 2.0)
        ");
    }

    #[test]
    fn pythons_are_told_as_they_are_called() {
        let of = |text: &str| held_python(&text.parse().unwrap(), &results()).to_string();
        insta::assert_snapshot!(of(">=3.9.2"), @"
        >=3.9.2: refuted, it allows 1 failing release: 3.9
        >=3.9.2: too narrow, it excludes 1 passing release: 3.8
        ");
        insta::assert_snapshot!(of(">=3.9.5"), @"
        >=3.9.5: holds, it allows 1 passing release and no failing one (oldest measured: 3.8, newest: 3.12)
        >=3.9.5: too narrow, it excludes 1 passing release: 3.8
        ");
        insta::assert_snapshot!(of(">=3.12"), @"
        >=3.12: holds, it allows 1 passing release and no failing one (oldest measured: 3.8, newest: 3.12)
        >=3.12: too narrow, it excludes 1 passing release: 3.8
        ");
    }
}
