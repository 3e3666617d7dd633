use super::*;
use crate::analysis::Analysis;
use crate::facts::record::tests::{record, test};
use crate::facts::record::{BlobRef, Record, RecordedResult, TestOutcome};
use crate::facts::store::Content;
use crate::names::Sha256;
use crate::question::criteria::{Criteria, TestCriteria};

/// A record whose one test printed this in its runs.
fn printed(version: &str, outputs: &[&str]) -> Record {
    let run = |output: &&str| test("t", TestOutcome::Passed, output);
    record(version, "3.11").with_runs(outputs.iter().map(run))
}

/// What is concluded of the one test of each record, in their order.
fn judged(records: &[Record], baseline: Option<&str>) -> Vec<Judged> {
    let baseline = baseline.map(|version| version.parse().unwrap());
    let criteria = Criteria::default();
    let analysis = Analysis::new(records, baseline.as_ref(), &criteria, &|_| None);
    let verdicts = analysis.verdicts();
    assert_eq!(verdicts.iter().count(), records.len());
    let of = |record: &Record| verdicts.of(&record.id(), "t").unwrap().clone();
    records.iter().map(of).collect()
}

fn verdicts(judged: &[Judged]) -> Vec<Option<Verdict>> {
    judged.iter().map(|judged| judged.verdict).collect()
}

#[test]
fn every_state_has_its_verdict() {
    use TestOutcome::{Failed, Killed, Passed, TimedOut};
    use Verdict::{Flaky, Same, Undecided};
    let with = |version, outcomes: &[(TestOutcome, &str)]| {
        let runs = outcomes.iter().map(|(outcome, output)| test("t", *outcome, output));
        record(version, "3.11").with_runs(runs)
    };
    let records = [
        with("1.0", &[(Passed, "took 3.1 s\n")]),
        with("1.1", &[(Passed, "took 0.4 s\n")]),
        with("1.2", &[(Passed, "other\n")]),
        with("1.3", &[(Passed, "took 1.4 s\n"), (Failed, "")]),
        with("1.4", &[(TimedOut, "")]),
        with("1.5", &[(Killed, "")]),
        with("1.6", &[(Passed, "took 0.9 s\n")]),
        with("1.7", &[(Failed, "")]),
    ];
    let found = judged(&records, None);
    let same = Some(Same);
    assert_eq!(
        verdicts(&found),
        [same, same, Some(Undecided), Some(Flaky), None, None, same, None]
    );
    let evidence = found[2].evidence.as_ref().unwrap();
    assert_eq!(evidence.baseline.to_string(), "1.6");
    assert_eq!(evidence.noise.as_ref().unwrap().needed, Some(3));
    insta::assert_snapshot!(evidence.comparison.divergence.as_ref().unwrap(), @"line 1, column 1: `other` instead of `took <duration>`");
    let evidence = found[0].evidence.as_ref().unwrap();
    assert_eq!(evidence.comparison.rules, [crate::question::criteria::Rule::Durations]);
    // No release that passes is called 1.7.
    let found = judged(&records, Some("1.7"));
    assert_eq!(found[0].verdict, Some(Verdict::NoBaseline));
    assert_eq!(found[0].evidence, None);
}

#[test]
fn different_is_said_when_noise_is_known() {
    use Verdict::{Different, Same, SameWithinNoise, Undecided};
    let loss = |from: u32, drift: f64| -> Vec<String> {
        let run = |run: u32| format!("loss {}\n", 0.5 + f64::from(run * 37 % 11) * 1e-3 + drift);
        (from..from + 5).map(run).collect()
    };
    let with = |version, outputs: &[String]| {
        printed(version, &outputs.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let records = [
        with("1.0", &loss(0, 0.3)),
        with("1.1", &loss(5, 0.0)),
        with("1.2", &loss(3, 0.0)[..2]),
        with("1.3", &loss(2, 0.0)),
    ];
    let found = judged(&records, None);
    assert_eq!(
        verdicts(&found),
        [Some(Different), Some(SameWithinNoise), Some(Undecided), Some(Same)]
    );
    let noise = found[0].evidence.as_ref().unwrap().noise.clone().unwrap();
    assert_eq!((noise.runs, noise.permutations, noise.comparisons), ([5, 5], 252, 5));
    assert!((noise.p.unwrap() - 2.0 / 252.0).abs() < 1e-12);
    // The step to the next release is a comparison of the same family with the same p.
    assert!((noise.adjusted.unwrap() - 5.0 / 252.0).abs() < 1e-12);
    // What is undecided asks for more, and so for more at the baseline and at the release before.
    let criteria = Criteria::default();
    let wanted = Analysis::new(&records, None, &criteria, &|_| None).repeats_to_decide();
    let wanted: Vec<(String, u32)> =
        wanted.iter().map(|(cell, tests)| (cell.to_string(), tests["t"])).collect();
    let more = [("1.1/3.11", 7), ("1.2/3.11", 4), ("1.3/3.11", 7)];
    assert_eq!(wanted, more.map(|(cell, runs)| (cell.to_owned(), runs)));
}

#[test]
fn a_suspect_is_run_again() {
    let mut records: Vec<Record> =
        ["1.0", "1.1", "1.2", "1.3"].map(|version| printed(version, &["x"])).into_iter().collect();
    records[1].tests[0].runs[0].outcome = TestOutcome::Failed;
    records[2].tests[0].runs[0].outcome = TestOutcome::Failed;
    let criteria = Criteria::default();
    let wanted = Analysis::new(&records, None, &criteria, &|_| None).repeats_to_decide();
    let cells: Vec<String> = wanted.keys().map(ToString::to_string).collect();
    // On both sides of each change.
    assert_eq!(cells, ["1.0/3.11", "1.1/3.11", "1.2/3.11", "1.3/3.11"]);
    // A neighbour that turns out flaky is no neighbour any more: the next release is the suspect.
    let passing = records[0].tests[0].runs[0].clone();
    records[1].tests[0].runs.push(passing);
    let wanted = Analysis::new(&records, None, &criteria, &|_| None).repeats_to_decide();
    assert!(wanted.contains_key(&records[2].id()), "{wanted:?}");
    // And where nothing passes for sure, each failure may be one by chance.
    for record in [0, 3] {
        records[record] = records[2].clone();
        records[record].version = ["1.0", "1.1", "1.2", "1.3"][record].parse().unwrap();
    }
    let wanted = Analysis::new(&records, None, &criteria, &|_| None).repeats_to_decide();
    let wanted: Vec<(String, u32)> =
        wanted.iter().map(|(cell, tests)| (cell.to_string(), tests["t"])).collect();
    let five = ["1.0/3.11", "1.2/3.11", "1.3/3.11"].map(|cell| (cell.to_owned(), 5));
    assert_eq!(wanted, five);
}

/// The same record, with runs of this batch.
fn of_batch(mut record: Record, batch: &str) -> Record {
    for run in &mut record.tests[0].runs {
        run.batch = Some(batch.to_owned());
    }
    record
}

#[test]
fn three_runs_decide_what_repeats_itself() {
    let all = |outputs: [&str; 4]| -> Vec<Record> {
        let versions = ["1.0", "1.1", "1.2", "1.3"];
        versions
            .iter()
            .zip(outputs)
            .map(|(version, output)| printed(version, &[output; 3]))
            .collect()
    };
    let found = judged(&all(["a", "a", "b", "b"]), None);
    assert_eq!(found[0].verdict, Some(Verdict::Different));
    let noise = found[0].evidence.as_ref().unwrap().noise.as_ref().unwrap();
    assert_eq!((noise.method, noise.runs), (Some(Method::Repeats), [3, 3]));
    // Two runs are enough for many cells that all repeat themselves, and not for two.
    let twice = |versions: &[&str]| -> Vec<Record> {
        let output = |index: usize| if index == 0 { ["a"; 2] } else { ["b"; 2] };
        versions
            .iter()
            .enumerate()
            .map(|(index, version)| printed(version, &output(index)))
            .collect()
    };
    assert_eq!(judged(&twice(&["1.0", "1.1"]), None)[0].verdict, Some(Verdict::Undecided));
    let many = ["1.0", "1.1", "1.2", "1.3", "1.4"];
    assert_eq!(judged(&twice(&many), None)[0].verdict, Some(Verdict::Different));
}

#[test]
fn runs_of_other_days_are_not_compared() {
    let of = |version, output, batch| of_batch(printed(version, &[output; 5]), batch);
    let found = judged(&[of("1.0", "a", "monday"), of("1.1", "b", "friday")], None);
    let noise = found[0].evidence.as_ref().unwrap().noise.as_ref().unwrap();
    assert_eq!((noise.runs, noise.runs_of_other_batches), ([0, 0], [5, 5]));
    assert_eq!(found[0].verdict, Some(Verdict::Undecided));
    // So both are run again, together.
    assert_eq!(noise.needed, Some(3));
    let found = judged(&[of("1.0", "a", "monday"), of("1.1", "b", "monday")], None);
    assert_eq!(found[0].verdict, Some(Verdict::Different));
}

#[test]
fn a_number_that_changes_is_found_beside_lines_that_come_and_go() {
    let of = |version, score: &str| {
        let run = |retries: usize| format!("begin\n{}score {score}\n", "retry\n".repeat(retries));
        let outputs = [0, 1, 2, 0, 1, 1, 0, 2].map(run);
        printed(version, &outputs.each_ref().map(String::as_str))
    };
    let found = judged(&[of("1.0", "0.9"), of("1.1", "0.5")], None);
    assert_eq!(found[0].verdict, Some(Verdict::Different));
    let found = judged(&[of("1.0", "0.5"), of("1.1", "0.5")], None);
    assert_eq!(found[0].verdict, Some(Verdict::SameWithinNoise));
}

#[test]
fn a_result_that_varies_where_others_repeat_themselves_is_different() {
    let constant = |version| printed(version, &["loss 0.5"; 3]);
    let versions = ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6"];
    let mut records: Vec<Record> = versions.into_iter().map(constant).collect();
    records[2] = printed("1.2", &["loss 0.4", "loss 0.6", "loss 0.5"]);
    let found = judged(&records, None);
    assert_eq!(found[2].verdict, Some(Verdict::Different));
    let noise = found[2].evidence.as_ref().unwrap().noise.as_ref().unwrap();
    assert_eq!(noise.method, Some(Method::Determinism));
    // Ten times the spread around the same mean.
    let spread = |version, by: f64| {
        let run = |run: i32| format!("loss {}", 0.5 + f64::from(run * 37 % 11 - 5) * by);
        let outputs: Vec<String> = (1..9).map(run).collect();
        printed(version, &outputs.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let found = judged(&[spread("1.0", 1e-2), spread("1.1", 1e-3)], None);
    let noise = found[0].evidence.as_ref().unwrap().noise.as_ref().unwrap();
    assert_eq!((found[0].verdict, noise.method), (Some(Verdict::Different), Some(Method::Spread)));
}

#[test]
fn files_are_results_too() {
    let content = |value: f64| format!("step,loss\n1,{value}\n").into_bytes();
    let with = |version, value: Option<f64>| {
        let mut record = printed(version, &["done\n"]);
        let file = |value| {
            let content = content(value);
            RecordedResult {
                path: "out/loss.csv".to_owned(),
                size: content.len() as u64,
                sha256: Sha256::of(&content),
                content: Some(BlobRef(Sha256::of(&content))),
            }
        };
        record.tests[0].runs[0].files = value.map(file).into_iter().collect();
        record
    };
    let values = [0.25, 0.250_000_000_1, 0.5];
    let records = [
        with("1.0", Some(values[2])),
        with("1.1", None),
        with("1.2", Some(values[1])),
        with("1.3", Some(values[0])),
    ];
    let blobs = |blob: BlobRef| {
        let mut contents = values.map(content).into_iter();
        contents.find(|content| Sha256::of(content) == blob.0).map(Content::from)
    };
    let verdicts = Analysis::new(&records, None, &Criteria::default(), &blobs).into_verdicts();
    let seen: Vec<String> = verdicts
        .iter()
        .map(|judged| match &judged.evidence {
            None => "the baseline".to_owned(),
            Some(evidence) => {
                let divergence = evidence.comparison.divergence.as_ref();
                let divergence = divergence.map(ToString::to_string).unwrap_or_default();
                format!("{}, {}: {divergence}", evidence.part, evidence.comparison.rung)
            }
        })
        .collect();
    insta::assert_snapshot!(seen.join("\n"), @"
    out/loss.csv, other numbers: row 2, loss: `0.5` instead of `0.25`, 2.500e-1 off, relatively 1.000e0
    out/loss.csv, other text: out/loss.csv: `no such file` instead of `17 bytes`
    out/loss.csv, within tolerance: row 2, loss: `0.2500000001` instead of `0.25`, 1.000e-10 off, relatively 4.000e-10
    the baseline
    ");
    assert_eq!(verdicts.verdict(&records[2].id(), "t"), Some(Verdict::Same));
}

#[test]
fn evidence_lists_all_parts_that_differ() {
    let with = |version, output: &str, loss: f64, others: u8| {
        let mut record = printed(version, &[output]);
        let file = |path: String, content: String| RecordedResult {
            path,
            size: content.len() as u64,
            sha256: Sha256::of(content.as_bytes()),
            content: None,
        };
        let files = (0..23).map(|number| {
            let content = if number < others { version } else { "" };
            file(format!("out/{number:02}.bin"), content.to_owned())
        });
        record.tests[0].runs[0].files = files.collect();
        let loss = format!("step,loss\n1,{loss}\n");
        record.tests[0].runs[0].error = loss;
        record
    };
    let listed = |others| {
        let records =
            [with("1.0", "took 3.1 s\n", 0.5, others), with("1.1", "took 0.4 s\n", 0.25, others)];
        let criteria = Criteria {
            usual: TestCriteria { stderr: true, ..TestCriteria::default() },
            ..Criteria::default()
        };
        let verdicts = Analysis::new(&records, None, &criteria, &|_| None).into_verdicts();
        let evidence = verdicts.of(&records[0].id(), "t").unwrap().evidence.clone().unwrap();
        let others = evidence.others.iter();
        let others = others.map(|other| format!("{}: {}", other.part, other.comparison.rung));
        let worst = format!("{}: {}", evidence.part, evidence.comparison.rung);
        let listed: Vec<String> = std::iter::once(worst).chain(others).collect();
        (listed, evidence.others_left_out)
    };
    let (parts, left_out) = listed(2);
    insta::assert_snapshot!(parts.join("\n"), @"
    out/00.bin: other text
    out/01.bin: other text
    stderr: other numbers
    stdout: same, normalised
    ");
    assert_eq!(left_out, 0);
    // 25 parts differ; the one that is least alike and 20 others are listed.
    let (parts, left_out) = listed(23);
    assert_eq!((parts.len(), left_out), (21, 4));
    assert!(parts.iter().all(|part| part.ends_with("other text")), "the least alike: {parts:?}");
}

/// The verdict on results of a release, held against others.
fn against(baseline: &[String], here: &[String]) -> Verdict {
    let of = |version, outputs: &[String]| {
        printed(version, &outputs.iter().map(String::as_str).collect::<Vec<_>>())
    };
    judged(&[of("1.0", here), of("1.1", baseline)], None)[0].verdict.unwrap()
}

#[test]
fn what_cannot_be_told_is_not_called_noise() {
    let runs =
        |count: u32, of: &dyn Fn(u32) -> String| -> Vec<String> { (0..count).map(of).collect() };
    let word = |seed: u32| format!("id-{}", char::from(b'a' + u8::try_from(seed).unwrap()));
    // Never twice the same, and nothing else.
    let random = |from: u32| runs(5, &|run| word(from + run));
    assert_eq!(against(&random(0), &random(5)), Verdict::Undecided);
    // That hides no other line.
    let model =
        |from: u32, name: &str| runs(5, &|run| format!("{}\nmodel: {name}\n", word(from + run)));
    assert_eq!(against(&model(0, "linear"), &model(5, "CUBIC")), Verdict::Different);
    assert_eq!(against(&model(0, "linear"), &model(5, "linear")), Verdict::Undecided);
    let loss =
        |from: u32, loss: f64| runs(5, &|run| format!("{}\nloss {loss}\n", word(from + run)));
    assert_eq!(against(&loss(0, 1.0), &loss(5, 2.0)), Verdict::Different);
    // Nor does a line that is now and then another.
    let cached = |loss: f64| {
        runs(6, &|run| {
            format!("cache {}\nloss {loss}\n", if run % 2 == 0 { "hit" } else { "miss" })
        })
    };
    assert_eq!(against(&cached(1.0), &cached(2.0)), Verdict::Different);
    assert_eq!(against(&cached(1.0), &cached(1.0)), Verdict::SameWithinNoise);
    // Alike as floats, and other numbers all the same.
    let always = |text: &str| runs(5, &|_| text.to_owned());
    for (one, other) in
        [("9007199254740993", "9007199254740992"), ("1e400", "2e400"), ("nan 1", "3 1")]
    {
        assert_eq!(against(&always(one), &always(other)), Verdict::Different, "{one} {other}");
    }
    // A line that a rule sometimes changes moves no number behind it.
    let timed = |value: &str| runs(6, &|run| format!("took 0.{}s\ny {value}\n", 1 + run % 2));
    assert_eq!(against(&timed("1.0"), &timed("2.0")), Verdict::Different);
    // A baseline that is not the same twice is no measure by its first run.
    let (a, b) = ("a".to_owned(), "b".to_owned());
    let mixed = [&a, &b, &b, &b, &b].map(Clone::clone);
    assert_ne!(against(&mixed, &vec![a; 5]), Verdict::Same);
}

#[test]
fn too_few_runs_do_not_make_results_the_same() {
    let (one, other) = (printed("1.0", &["a"; 3]), printed("1.1", &["b"; 3]));
    let criteria = Criteria::default();
    let same = |one, other| Analysis::new(&[], None, &criteria, &|_| None).same(one, other, "t");
    assert!(!same(&one, &other));
    assert!(same(&one, &one));
}

#[test]
fn what_was_left_out_may_be_where_results_differ() {
    let with = |version, all: &[u8]| {
        let mut record = printed(version, &["kept\n"]);
        record.tests[0].runs[0].output_digest = Some(Sha256::of(all));
        record.tests[0].runs[0].truncated = true;
        record
    };
    let verdict = |one, other| judged(&[with("1.0", one), with("1.1", other)], None)[0].verdict;
    assert_eq!(verdict(b"all", b"all"), Some(Verdict::Same));
    assert_eq!(verdict(b"all", b"other"), Some(Verdict::Undecided));
}
