use super::*;
use crate::analysis::Analysis;
use crate::facts::functions::Functions;
use crate::facts::record::TestOutcome::{Failed, Passed, TimedOut};
use crate::facts::record::tests::{record, test};
use crate::facts::record::{CellOutcome, RecordedFunctions, TestOutcome, TestRecord};
use crate::facts::store::{MemoryStore, ResultStore as _};
use crate::question::criteria::Criteria;
use crate::question::plan::TestKind;

/// A run with a report of these functions: `-a` fails, `!a` is an error, `~a` is skipped, `xa` fails as expected.
fn suite(store: &MemoryStore, outcome: TestOutcome, functions: &[&str]) -> TestRecord {
    let case = |function: &&str| {
        let (sign, name) = function.split_at(1);
        let end = match sign {
            "-" => "<failure message='AttributeError: gone'/>",
            "!" => {
                "<error message='collection failure'>E   ImportError: cannot import name 'x'</error>"
            }
            "~" => "<skipped message='no'/>",
            "x" => "<skipped type='pytest.xfail'/>",
            _ => "",
        };
        format!("<testcase name='{name}'>{end}</testcase>")
    };
    let cases: String = functions.iter().map(case).collect();
    let report = format!("<testsuite>{cases}</testsuite>");
    let functions = Functions::from_junit(report.as_bytes()).unwrap().keep(store).unwrap();
    let mut suite = test("suite", outcome, "");
    suite.kind = TestKind::Pytest;
    suite.runs[0].functions = Some(Box::new(functions));
    suite
}

fn told(store: &MemoryStore, records: &[Record]) -> String {
    let criteria = Criteria::default();
    let blobs = |blob| store.content(blob).ok();
    let analysis = Analysis::new(records, None, &criteria, &blobs);
    let mut lines = Vec::new();
    for summary in analysis.functions() {
        lines.push(format!(
            "{}: {} functions, {} pass",
            summary.test, summary.count, summary.passing
        ));
        for group in &summary.groups {
            lines.push(format!("{} {}", group.functions.join(" "), group.causes.join(" / ")));
            for (name, cells) in [
                ("fails", &group.failing),
                ("flaky", &group.flaky),
                ("skipped", &group.skipped),
                ("absent", &group.absent),
            ] {
                if !cells.is_empty() {
                    lines.push(format!("  {name} in {}", cells.join(" ")));
                }
            }
            for row in &group.rows {
                lines.extend(row.transitions.iter().map(|one| format!("  {}: {one}", row.python)));
            }
        }
        lines.extend(summary.unknown.iter().map(|(cell, why)| format!("{cell} unknown: {why}")));
    }
    lines.extend(analysis.causes().iter().map(ToString::to_string));
    lines.join("\n")
}

#[test]
fn functions_that_fare_alike_are_one_group() {
    let store = MemoryStore::default();
    let cell = |version, outcome, functions: &[&str]| {
        record(version, "3.11").with_runs([suite(&store, outcome, functions)])
    };
    let records = [
        cell("1.0", Passed, &["+ok", "+a", "+b", "+skip", "+x"]),
        cell("1.1", Passed, &["+ok", "+a", "+b", "~skip", "xx", "+new"]),
        cell("1.2", Failed, &["+ok", "-a", "-b", "~skip", "xx", "+new"]),
        cell("1.3", Failed, &["+ok", "-a", "-b", "~skip", "xx", "+new"]),
    ];
    insta::assert_snapshot!(told(&store, &records), @"
    suite: 6 functions, 1 pass
    a b AttributeError: gone
      fails in 1.2/3.11 1.3/3.11
      3.11: breaks between 1.1 and 1.2 (adjacent; a single run)
    new 
      absent in 1.0/3.11
    skip 
      skipped in 1.1/3.11 1.2/3.11 1.3/3.11
    x 
      3.11: result changes between 1.0 and 1.1 (adjacent; a single run)
    2x AttributeError: gone in 1.2, 1.3
    ");
}

#[test]
fn functions_share_the_fate_of_their_module() {
    let store = MemoryStore::default();
    let cell = |version, outcome, functions: &[&str]| {
        record(version, "3.11").with_runs([suite(&store, outcome, functions)])
    };
    let records = [
        cell("1.0", Passed, &["+t.py::a", "+t.py::C::b", "+other.py::c", "+skip.py::d"]),
        cell("1.1", Failed, &["!t.py", "+other.py::c", "~skip.py"]),
        cell("1.2", Passed, &["+t.py::a", "+t.py::C::b", "+other.py::c", "+skip.py::d"]),
        cell("1.3", Failed, &["!t.py", "!alone.py", "+other.py::c", "+skip.py::d"]),
    ];
    insta::assert_snapshot!(told(&store, &records), @"
    suite: 5 functions, 1 pass
    t.py::C::b t.py::a ImportError: cannot import name 'x'
      fails in 1.1/3.11 1.3/3.11
      3.11: breaks between 1.0 and 1.1 (adjacent; a single run)
      3.11: is fixed between 1.1 and 1.2 (adjacent; a single run)
      3.11: breaks between 1.2 and 1.3 (adjacent; a single run)
    alone.py ImportError: cannot import name 'x'
      fails in 1.3/3.11
      absent in 1.0/3.11 1.1/3.11 1.2/3.11
    skip.py::d 
      skipped in 1.1/3.11
    2x ImportError: cannot import name 'x' in 1.1, 1.3
    ");
}

#[test]
fn a_module_whose_functions_are_all_known_has_a_failure_of_its_own() {
    let store = MemoryStore::default();
    let cell = |version, functions: &[&str]| {
        record(version, "3.11").with_runs([suite(&store, Failed, functions)])
    };
    // An item that a plugin adds to each module passes where the module cannot be imported.
    let records = [
        cell("1.0", &["!t.py", "+t.py::lint", "+other.py::c"]),
        cell("1.1", &["!t.py", "+t.py::lint", "+other.py::c"]),
    ];
    insta::assert_snapshot!(told(&store, &records), @"
    suite: 3 functions, 2 pass
    t.py ImportError: cannot import name 'x'
      fails in 1.0/3.11 1.1/3.11
    2x ImportError: cannot import name 'x' in 1.0, 1.1
    ");
}

#[test]
fn what_is_not_known_is_no_failure_and_repeats_tell_what_is_flaky() {
    let store = MemoryStore::default();
    let cell = |version, runs: &[(TestOutcome, &[&str])]| {
        let runs = runs.iter().map(|(outcome, functions)| suite(&store, *outcome, functions));
        record(version, "3.11").with_runs(runs)
    };
    let mut lost = cell("1.1", &[(TimedOut, &[])]);
    let problem = Some("it left no report of its functions".to_owned());
    lost.tests[0].runs[0].functions =
        Some(Box::new(RecordedFunctions { problem, ..RecordedFunctions::default() }));
    let mut not_built = record("1.2", "3.11");
    not_built.outcome = CellOutcome::BuildFailed;
    let records = [
        cell("1.0", &[(Passed, &["+a", "+b"]), (Failed, &["-a", "+b"])]),
        lost,
        not_built,
        cell("1.3", &[(Failed, &["+a", "-b"])]),
    ];
    insta::assert_snapshot!(told(&store, &records), @"
    suite: 2 functions, 0 pass
    a AttributeError: gone
      flaky in 1.0/3.11
    b AttributeError: gone
      fails in 1.3/3.11
      3.11: breaks somewhere from 1.0 to 1.3 (bracketed, 1 release not measured; a single run)
    1.1/3.11 unknown: it left no report of its functions
    2x AttributeError: gone in 1.0, 1.3
    1x build: unknown, see the log in 1.2
    1x timed out in 1.1
    ");
}

#[test]
fn a_suite_passes_with_the_same_result_if_the_same_functions_pass() {
    let store = MemoryStore::default();
    let cell = |version, output: &str, functions: &[&str]| {
        let mut suite = suite(&store, Passed, functions);
        suite.runs[0].output = output.to_owned();
        record(version, "3.11").with_runs([suite])
    };
    let records = [
        cell("1.0", "2 passed in 1 s, 7 warnings", &["+a", "~b"]),
        cell("1.1", "2 passed in 2 s", &["+a", "+b"]),
        cell("1.2", "2 passed in 3 s, 1 warning", &["+a", "+b"]),
    ];
    let criteria = Criteria::default();
    let blobs = |blob| store.content(blob).ok();
    let verdicts = Analysis::new(&records, None, &criteria, &blobs).into_verdicts();
    let told: Vec<String> = verdicts
        .iter()
        .map(|judged| {
            let evidence = judged.evidence.as_ref();
            let evidence = evidence.map(|told| format!("{}: {}", told.part, told.comparison));
            format!("{} {:?} {}", judged.cell, judged.verdict, evidence.unwrap_or_default())
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @"
    1.0/3.11 Some(Undecided) functions: other content, first at $.b: `passed` → `skipped`
    1.1/3.11 Some(Same) functions: same bytes
    1.2/3.11 Some(Same)
    ");
    // What it prints counts only if that is said.
    let mut criteria = Criteria::default();
    criteria.usual.stdout = Some(true);
    let verdicts = Analysis::new(&records[1..], None, &criteria, &blobs).into_verdicts();
    assert_eq!(verdicts.iter().next().unwrap().evidence.as_ref().unwrap().part, "stdout");
}
