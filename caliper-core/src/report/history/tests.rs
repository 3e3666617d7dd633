use super::*;
use crate::analysis::compare::Verdict;
use crate::analysis::history::{SCHEMA, SnapshotInfo};

#[test]
fn changes_that_are_alike_are_one_line() {
    let moment = |day: i64| Timestamp::from_unix_seconds(1_600_000_000 + day * 86_400);
    let standing = |state, verdict, at| Standing { state, verdict, measured: moment(at) };
    let change = |cell: &str, from, to, question_changed| VerdictChange {
        cell: cell.to_owned(),
        test: "t".to_owned(),
        from,
        to,
        seen: moment(30),
        measured_anew: from.measured != to.measured,
        question_changed,
        packages: vec![PackageChange {
            name: "markupsafe".to_owned(),
            from: Some("2.0.1".to_owned()),
            to: Some("2.1.0".to_owned()),
        }],
    };
    let same = standing(State::Passed, Some(Verdict::Same), 0);
    let failed = standing(State::Failed, None, 30);
    let cells = ["1.0/3.9", "1.1/3.9", "1.2/3.9", "1.3/3.9"];
    let mut changes: Vec<VerdictChange> =
        cells.iter().map(|cell| change(cell, same, failed, false)).collect();
    let different = standing(State::Passed, Some(Verdict::Different), 0);
    changes.push(change("2.0/3.9", same, different, true));
    // What a later set of results shows is another change, also if all was measured on one day.
    changes.push(VerdictChange { seen: moment(31), ..change("1.0/3.9", same, failed, false) });
    let info = |day| SnapshotInfo { finished: moment(day), caliper: "0.1.0".into(), cells: 5 };
    let study = |snapshots, changes| StudyHistory {
        dependency: "jinja2".to_owned(),
        analysis: "render".to_owned(),
        snapshots,
        changes,
        unchanged: 3,
    };
    let studies = vec![study(vec![info(0), info(30)], changes), study(vec![info(0)], vec![])];
    let lines = lines(&History { schema: SCHEMA, studies });
    let text: Vec<String> =
        lines.iter().map(|line| line.iter().map(|(_, text)| text.as_str()).collect()).collect();
    insta::assert_snapshot!(text.join("\n"), @"
    render (jinja2): 2 results, 2020-09-13 to 2020-10-13
      t in 1.0/3.9, 1.1/3.9, 1.2/3.9, 1.3/3.9: fails (2020-10-13), before: same result (2020-09-13); markupsafe 2.0.1 → 2.1.0
      t in 2.0/3.9: different result (2020-09-13 12:26:40), before: same result (2020-09-13 12:26:40); nothing was measured in between, only the comparison changed; the test, or what it runs in, was changed; markupsafe 2.0.1 → 2.1.0
      t in 1.0/3.9: fails (2020-10-13), before: same result (2020-09-13); markupsafe 2.0.1 → 2.1.0
      3 tests of cells never changed

    render (jinja2): one set of results, 2020-09-13; add another, for example after the next run, to see what changes
      3 tests of cells never changed
    ");
}
