use std::collections::BTreeMap;

use super::*;
use crate::analysis::Analysis;
use crate::facts::functions::Functions;
use crate::facts::record::Record;
use crate::facts::record::TestOutcome::{Failed, Passed};
use crate::facts::record::tests::{record, test};
use crate::facts::store::{MemoryStore, ResultStore as _};
use crate::question::criteria::Criteria;
use crate::question::plan::TestKind;

fn plain(lines: &[Vec<Span>]) -> String {
    let line = |line: &Vec<Span>| line.iter().map(|(_, text)| text.as_str()).collect();
    lines.iter().map(line).collect::<Vec<String>>().join("\n")
}

/// The summary of a suite in which `fails` says which function fails at which release.
fn summary(
    pythons: &[&str],
    functions: usize,
    fails: impl Fn(&str, usize, usize) -> Option<&'static str>,
) -> Vec<FunctionsSummary> {
    let store = MemoryStore::default();
    let mut records: Vec<Record> = Vec::new();
    for python in pythons {
        for release in 0..6 {
            let mut report = String::new();
            for function in 0..functions {
                let end = fails(python, release, function);
                let end = end.map(|why| format!("<failure message='{why}'/>")).unwrap_or_default();
                report += &format!(
                    "<testcase file='tests/test_a.py' classname='tests.test_a' name='test_{function}'>{end}</testcase>"
                );
            }
            let report = format!("<testsuite>{report}</testsuite>");
            let functions = Functions::from_junit(report.as_bytes()).unwrap();
            let mut suite = test(
                "pytest tests/",
                if report.contains("<failure") { Failed } else { Passed },
                "",
            );
            suite.kind = TestKind::Pytest;
            suite.runs[0].functions = Some(Box::new(functions.keep(&store).unwrap()));
            records.push(record(&format!("1.{release}"), python).with_runs([suite]));
        }
    }
    let criteria = Criteria::default();
    let blobs = |blob| store.content(blob).ok();
    Analysis::new(&records, None, &criteria, &blobs).functions()
}

#[test]
fn functions_are_told_by_what_happens_to_them() {
    let fails = |python: &str, release: usize, function: usize| match function {
        0..=3 if release >= 2 => Some("ImportError: cannot import name &apos;x&apos;"),
        4 if release < 2 => Some("AttributeError: not yet"),
        5 if python == "3.9" => Some("TypeError: never"),
        6 if release % 2 == 1 => Some("KeyError: odd"),
        7 if (2..4).contains(&release) => Some("KeyError: short"),
        8 if release == 3 || (python == "3.9" && release > 3) => Some("KeyError: both"),
        _ => None,
    };
    insta::assert_snapshot!(plain(&lines(&summary(&["3.9", "3.11"], 12, fails))), @"
    pytest tests/: 12 functions, 3 pass everywhere
      4 fail from 1.2 on: ImportError: cannot import name 'x' (tests/test_a.py::test_0, tests/test_a.py::test_1 and 2 more)
      1 fails up to 1.1: AttributeError: not yet (tests/test_a.py::test_4)
      1 fails everywhere, on 3.9: TypeError: never (tests/test_a.py::test_5)
      1 fails now and then (5 changes), first at 1.1: KeyError: odd (tests/test_a.py::test_6)
      1 fails from 1.2 to 1.3: KeyError: short (tests/test_a.py::test_7)
      1 fails in some cells: KeyError: both (tests/test_a.py::test_8)
        fails at 1.3, on 3.11
        fails from 1.3 on, on 3.9
    ");
}

#[test]
fn many_functions_take_few_lines() {
    let fails = |_: &str, release: usize, function: usize| {
        let times = function % 63;
        (times & (1 << release) != 0).then_some("KeyError: x")
    };
    let lines = lines(&summary(&["3.11"], 200, fails));
    assert!(lines.len() <= MOST_GROUPS + 2, "{}", plain(&lines));
    insta::assert_snapshot!(plain(&lines[MOST_GROUPS..]), @"
    4 fail up to 1.2: KeyError: x (tests/test_a.py::test_133, tests/test_a.py::test_196 and 2 more)
    … and 164 functions that fail elsewhere or otherwise (`--format json`)
    ");
}

#[test]
fn what_passes_and_what_is_unknown_is_told() {
    let mut all = summary(&["3.11"], 3, |_, _, _| None);
    let unknown = |cells: usize| -> BTreeMap<String, String> {
        let cell = |number: usize| (format!("1.{number}/3.11"), "signal 11".to_owned());
        (0..cells).map(cell).collect()
    };
    all[0].unknown = unknown(2);
    let mut none = summary(&["3.11"], 0, |_, _, _| None);
    none[0].unknown = unknown(1);
    let one = plain(&lines(&summary(&["3.11"], 1, |_, _, _| None)));
    assert_eq!(one, "pytest tests/: 1 function, which passes everywhere");
    insta::assert_snapshot!(plain(&lines(&[all, none].concat())), @"
    pytest tests/: 3 functions, all pass everywhere
      nothing is known of 2 cells, such as 1.0/3.11: signal 11
    pytest tests/: nothing is known of its functions
      nothing is known of 1.0/3.11: signal 11
    ");
}

#[test]
fn what_is_not_known_of_a_change_is_told() {
    let fails = |_: &str, release: usize, function: usize| match function {
        0 if release > 2 => Some("KeyError: late"),
        1 if release < 2 => Some("KeyError: early"),
        _ => None,
    };
    let mut summaries = summary(&["3.11"], 2, fails);
    for (group, unmeasured) in summaries[0].groups.iter_mut().zip([2, 1]) {
        let one = &mut group.rows[0].transitions[0];
        one.unmeasured = vec!["1.2.1".to_owned(); unmeasured];
        one.also_differs = vec![AlsoDiffers::package("numpy", "1.26.4", "2.0.0")];
    }
    insta::assert_snapshot!(plain(&lines(&summaries)), @"
    pytest tests/: 2 functions, 0 pass everywhere
      1 fails from 1.3 on, or from one of 2 releases before it, which are not known (not only the release differs: numpy 1.26.4 → 2.0.0): KeyError: late (tests/test_a.py::test_0)
      1 fails up to 1.1, or up to the release after it, which is not known (not only the release differs: numpy 1.26.4 → 2.0.0): KeyError: early (tests/test_a.py::test_1)
    ");
}
