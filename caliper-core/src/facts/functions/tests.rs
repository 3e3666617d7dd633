use proptest::prelude::*;

use super::*;
use crate::facts::store::MemoryStore;
use crate::question::plan::TestKind;

/// What pytest 4.6, the last for Python 2.7, and pytest 9.2 write of the same tests.
const REPORTS: [&str; 2] =
    [include_str!("reports/pytest-4.6.xml"), include_str!("reports/pytest-9.2.xml")];

fn told(functions: &Functions) -> String {
    let mut lines: Vec<String> = Vec::new();
    for (id, outcome) in &functions.outcomes {
        let of = functions.details.iter().filter(|details| details.id == *id);
        let said: Vec<String> = of
            .map(|details| {
                let last = details.traceback.lines().last().unwrap_or_default();
                format!("{} | {last}", details.message)
            })
            .collect();
        lines.push(format!("{outcome} {id} {}", said.join(" & ")).trim_end().to_owned());
    }
    lines.join("\n")
}

#[test]
fn reports_of_old_and_new_pytest_say_the_same() {
    let [old, new] = REPORTS.map(|report| Functions::from_junit(report.as_bytes()).unwrap());
    insta::assert_snapshot!(told(&new), @r#"
    failed tests/test_a.py::TestU::test_u AssertionError: 1 != 2 | tests/test_a.py:31: AssertionError
    passed tests/test_a.py::TestX::test_y[\x07]
    passed tests/test_a.py::TestX::test_y[a/b]
    passed tests/test_a.py::TestX::test_y[x y]
    failed tests/test_a.py::test_bad AssertionError: why | tests/test_a.py:9: AssertionError
    passed tests/test_a.py::test_ok
    failed tests/test_a.py::test_raise xml.parsers.expat.ExpatError: unclosed token: line 1, column 0 | …/lib/python3.11/xml/dom/expatbuilder.py:223: ExpatError
    error tests/test_a.py::test_setup ImportError: cannot import name 'q' from 'z' (/x/y.py) | tests/test_a.py:23: ImportError
    skipped tests/test_a.py::test_skip no |
    error tests/test_a.py::test_tear ValueError: tear | tests/test_a.py:28: ValueError
    xfailed tests/test_a.py::test_xf
    passed tests/test_a.py::test_xp
    failed tests/test_a.py::test_xps [XPASS(strict)] | [XPASS(strict)]
    error tests/test_imp.py ImportError: cannot import name 'nothing_there' from 'json' (/usr/lib/python3.11/json/__init__.py) | E   ImportError: cannot import name 'nothing_there' from 'json' (/usr/lib/python3.11/json/__init__.py)
    skipped tests/test_skipmod.py could not import 'nopenope': No module named 'nopenope' |
    error tests/test_syn.py SyntaxError: invalid syntax | E   SyntaxError: invalid syntax
    "#);
    assert_eq!(old.outcomes, new.outcomes);
}

#[test]
fn a_function_that_is_told_of_twice_ended_in_the_worst_way() {
    let report = "<testsuite><testcase classname='a' name='t' file='a.py'/>\
                  <testcase classname='a' name='t' file='a.py'><error message='late'/></testcase>\
                  <testcase classname='a' name='t' file='a.py'><skipped/></testcase></testsuite>";
    let functions = Functions::from_junit(report.as_bytes()).unwrap();
    insta::assert_snapshot!(told(&functions), @"error a.py::t late |");
}

#[test]
fn what_is_hostile_is_harmless() {
    let long = "x".repeat(5000);
    let report = format!(
        "<!DOCTYPE a [<!ENTITY b \"boom\"><!ENTITY c \"&b;&b;&b;\">]>\
         <testsuite><testcase name='a&#27;[31m\u{202e}b&c;'><failure message='&#0;&#10;one&#10;two'>E   &c; &#x1b;</failure></testcase>\
         <testcase name='{long}1'/><testcase name='{long}2'/></testsuite>"
    );
    let functions = Functions::from_junit(report.as_bytes()).unwrap();
    let text = told(&functions);
    assert!(text.chars().all(|character| character == '\n' || !character.is_control()), "{text}");
    insta::assert_snapshot!(text.replace(&"x".repeat(500), "[500 x]"), @r#"
    failed a&#27;[31m\u{202e}b&c; &#0;&#10;one&#10;two | E   &c; \u{1b}
    passed [500 x]…96485a8e92b8
    passed [500 x]…c5604984be0c
    "#);
}

#[test]
fn what_is_no_report_is_told() {
    let told = |report: &[u8]| Functions::from_junit(report).unwrap_err().to_string();
    let large = vec![b' '; usize::try_from(MOST_BYTES).unwrap() + 1];
    let all: Vec<String> = [
        b"".as_slice(),
        b"<testsuite><testcase name='a'>",
        b"<testsuite><testcase name='a'></testsuite>",
        b"<html></html>",
        b"{}",
        &large,
    ]
    .map(told)
    .into();
    insta::assert_snapshot!(all.join("\n"), @"
    its report of its functions is damaged, at byte 0: it is no JUnit XML
    its report of its functions is damaged, at byte 30: it ends within a test case
    its report of its functions is damaged, at byte 30: ill-formed document: expected `</testcase>`, but `</testsuite>` was found
    its report of its functions is damaged, at byte 13: it is no JUnit XML
    its report of its functions is damaged, at byte 2: it is no JUnit XML
    its report of its functions is larger than 32 MiB
    ");
    assert_eq!(ReportError::Missing.to_string(), "it left no report of its functions");
}

#[test]
fn too_many_functions_are_cut() {
    let mut report = "<testsuite>".to_owned();
    for number in 0..=Functions::MOST {
        report += &format!("<testcase name='{number}'/>");
    }
    let functions = Functions::from_junit((report + "</testsuite>").as_bytes()).unwrap();
    let kept = functions.keep(&MemoryStore::default()).unwrap();
    assert_eq!(kept.count() as usize, Functions::MOST);
    insta::assert_snapshot!(kept.problem.unwrap(), @"its report has more than 100000 functions; the others are left out");
}

#[test]
fn equal_outcomes_are_one_blob_whatever_the_times() {
    let report = |seconds| {
        format!("<testsuite time='{seconds}'><testcase name='a' time='{seconds}'/></testsuite>")
    };
    let store = MemoryStore::default();
    let keep =
        |seconds| Functions::from_junit(report(seconds).as_bytes()).unwrap().keep(&store).unwrap();
    assert_eq!(keep(1), keep(2));
    assert_eq!(keep(1).details, None);
    assert_eq!(keep(1).to_string(), "1 passed");
    assert_eq!(RecordedFunctions::default().to_string(), "none");
}

#[test]
fn how_it_ended_is_told_where_the_status_does_not() {
    use TestKind::{Command, Notebook, Pytest, Unittest};

    let none = || Ok(Functions::default());
    let some = || Functions::from_junit(b"<testsuite><testcase name='a'/></testsuite>");
    let fails = || {
        Functions::from_junit(b"<testsuite><testcase name='a'><failure/></testcase></testsuite>")
    };
    let missing = || Err(ReportError::Missing);
    let said = |kind, status, output: &str, error: &str, report: Result<Functions, ReportError>| {
        let (output, error) = (output.as_bytes(), error.as_bytes());
        match ended(kind, &Exited { status, output, error }, &report) {
            Some((outcome, why)) => format!("{outcome}: {why}"),
            None => "-".to_owned(),
        }
    };
    let usage = "ERROR: usage: __main__.py [options]\n__main__.py: error: unrecognized arguments: --foo\n  rootdir: /x\n";
    let conftest =
        "ImportError while loading conftest '/project/conftest.py'.\nE   ImportError: no\n";
    let no_pytest = "/environment/bin/python: No module named pytest\n";
    let lines = [
        said(Command, 0, "", "", missing()),
        said(Pytest, 0, "", "", some()),
        said(Pytest, 1, "", "", some()),
        said(Pytest, 5, "", "", none()),
        said(Unittest, 0, "", "", none()),
        said(Pytest, 4, "", usage, missing()),
        said(
            Pytest,
            4,
            "collected 0 items\n",
            "ERROR: file or directory not found: nodir\n\n",
            none(),
        ),
        said(Pytest, 4, "", conftest, missing()),
        said(Pytest, 0, "", "", missing()),
        said(Pytest, 0, "", "", fails()),
        said(Pytest, 1, "", "", fails()),
        said(Pytest, 1, "", no_pytest, missing()),
        said(Pytest, 1, "", "ModuleNotFoundError: No module named 'other'\n", missing()),
        said(Notebook, 1, "", "No module named nbclient\n", missing()),
        said(Pytest, 2, "", "", some()),
        said(Pytest, 3, "", "", some()),
        said(Pytest, 1, "", "", Err(ReportError::TooLarge)),
    ];
    insta::assert_snapshot!(lines.join("\n"), @"
    -
    -
    -
    not run: no test was found: look at the path, at `-k` and at `-m`
    not run: no test was found: look at the path, at `-k` and at `-m`
    not run: pytest could not start: unrecognized arguments: --foo
    not run: pytest could not start: file or directory not found: nodir
    -
    failed: it exited with status 0, and it left no report of its functions: nobody knows what was run
    failed: it exited with status 0, and 1 of its functions fails
    -
    not run: `pytest` is not installed in this environment: add it to `requirements`
    -
    not run: `nbclient` is not installed in this environment: add it to `requirements`
    failed: pytest was interrupted
    failed: an internal error of pytest or of a plug-in
    -
    ");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Any bytes are a report or an error.
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Functions::from_junit(&bytes);
    }

    /// So are reports in which something was put, taken away or doubled.
    #[test]
    fn no_change_to_a_report_panics(
        which in 0..2_usize, at in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(),
        put in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let report = REPORTS[which].as_bytes();
        let (at, to) = (at.index(report.len()), to.index(report.len()));
        let changed = [&report[..at], &put, &report[to..]].concat();
        if let Ok(functions) = Functions::from_junit(&changed) {
            let texts = functions.details.iter().flat_map(|one| [&one.id, &one.message]);
            for text in texts.chain(functions.outcomes.keys()) {
                prop_assert!(!text.chars().any(char::is_control));
            }
        }
    }
}
