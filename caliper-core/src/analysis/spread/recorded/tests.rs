use super::*;
use crate::analysis::spread::spread;
use crate::facts::record::TestOutcome::{self, Failed, Passed};
use crate::facts::record::tests::{record, test};
use crate::facts::record::{BlobRef, RecordedResult};
use crate::names::Sha256;

/// A cell with a run for each output.
fn cell(version: &str, labels: &[(&str, &str)], outputs: &[(TestOutcome, &str)]) -> Record {
    let mut cell = record(version, "3.11");
    cell.variant = labels.iter().copied().collect();
    cell.with_runs(outputs.iter().map(|(outcome, output)| test("train.py", *outcome, output)))
}

fn groups(
    records: &[Record],
    axis: Option<&str>,
    order: &[&str],
) -> Result<(String, Vec<Studied>), AxisError> {
    let criteria = Criteria::default();
    let recording = Recording {
        records,
        criteria: &criteria,
        blobs: &|_| None,
        planned: &|_, _| Some(2),
        labels: &|_| order.iter().map(ToString::to_string).collect(),
    };
    recorded(&recording, axis)
}

#[test]
fn labels_of_an_axis_are_groups_for_each_release_and_each_other_axis() {
    let cells = |version: &str, host: &str| {
        [("same", "loss 0.5\n", "loss 0.5\n"), ("different", "loss 0.25\n", "loss 0.75\n")].map(
            |(group, one, other)| {
                let labels = [("group", group), ("host", host)];
                cell(version, &labels, &[(Passed, one), (Passed, other)])
            },
        )
    };
    let records: Vec<Record> =
        [cells("1.0", "a"), cells("1.0", "b"), cells("2.0", "a")].into_iter().flatten().collect();
    let (axis, studied) = groups(&records, None, &["same", "different"]).unwrap();
    assert_eq!((axis.as_str(), studied.len()), ("group", 3));
    let place = &studied[1].place;
    assert_eq!(
        (place.version.to_string(), place.variant.get("host")),
        ("1.0".to_owned(), Some("b"))
    );
    let names: Vec<&str> = studied[0].groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["same", "different"]);
    assert_eq!(studied[0].groups[1].metric("loss").unwrap().values, [0.25, 0.75]);
    // Without an order that is known, labels are sorted.
    let (_, studied) = groups(&records, Some("host"), &[]).unwrap();
    assert_eq!(studied.len(), 4);
    let lacking = studied.last().unwrap();
    let found = spread(&lacking.groups, |_| true, false);
    assert!(found.withheld);
    insta::assert_snapshot!(found.problems[0].to_string(), @"`b` has no run: it is not recorded");
}

#[test]
fn numbers_are_metrics_if_they_occur_once_in_each_run() {
    let same = cell(
        "1.0",
        &[("group", "same")],
        &[
            (Passed, "epoch 1 loss 0.5\nepoch 2 loss 0.25\naccuracy: 0.9\nretries 3\n7\n"),
            (Passed, "epoch 1 loss 0.5\nepoch 2 loss 0.25\naccuracy: nan\ntook 3.2 s\n"),
            (Failed, "accuracy: 0.1\n"),
        ],
    );
    let mut different =
        cell("1.0", &[("group", "different")], &[(Passed, "accuracy: 0.8\n"), (Passed, "")]);
    different.tests[0].runs[1].files.push(RecordedResult {
        path: "lost.json".to_owned(),
        size: 2,
        sha256: Sha256::of(b"{}"),
        content: Some(BlobRef(Sha256::of(b"{}"))),
    });
    let (_, studied) = groups(&[same, different], None, &["same"]).unwrap();
    let found = spread(&studied[0].groups, |_| true, false);
    let problems = found.problems.iter().map(ToString::to_string);
    let lines: Vec<String> = problems.chain(found.notes).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn whole_numbers_that_are_rounded_are_told() {
    let outputs = [(Passed, "count 9007199254740993\nloss 0.1\n"), (Passed, "count 4\nloss 0.2\n")];
    let records = ["a", "b"].map(|label| cell("1.0", &[("group", label)], &outputs));
    let (_, studied) = groups(&records, None, &[]).unwrap();
    let rounded: Vec<(&str, usize)> = studied[0].groups[1]
        .metrics
        .iter()
        .map(|metric| (metric.name.as_str(), metric.rounded))
        .collect();
    assert_eq!(rounded, [("count", 1), ("loss", 0)]);
}

#[test]
fn files_and_measures_have_numbers_too() {
    let json: &[u8] = br#"{"train": {"loss": 0.5}, "steps": [1, 2], "worst": Infinity}"#;
    let csv: &[u8] = b"loss,name\n0.125,x\n";
    let long: &[u8] = b"loss,step\n1,1\n2,2\n";
    let file = |path: &str, content: &[u8]| RecordedResult {
        path: path.to_owned(),
        size: 1,
        sha256: Sha256::of(content),
        content: Some(BlobRef(Sha256::of(content))),
    };
    let mut one = cell("1.0", &[("group", "a")], &[(Passed, "{\"loss\": 0.25}\n")]);
    let run = &mut one.tests[0].runs[0];
    run.files = vec![file("m.json", json), file("m.csv", csv), file("long.csv", long)];
    run.measures.insert("speed".to_owned(), 2.0);
    let other = cell("1.0", &[("group", "b")], &[(Passed, "")]);
    let blobs = |blob: BlobRef| {
        [json, csv, long]
            .into_iter()
            .find(|one| Sha256::of(one) == blob.0)
            .map(|one| one.to_vec().into())
    };
    let criteria = Criteria::default();
    let records = [one, other];
    let recording = Recording {
        records: &records,
        criteria: &criteria,
        blobs: &blobs,
        planned: &|_, _| None,
        labels: &|_| Vec::new(),
    };
    let (_, studied) = recorded(&recording, None).unwrap();
    let told =
        studied[0].groups[0].metrics.iter().map(|one| format!("{} {:?}", one.name, one.values));
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"));
}

#[test]
fn an_axis_that_is_missing_is_named() {
    let one = |labels: &[(&str, &str)]| cell("1.0", labels, &[(Passed, "loss 1\n")]);
    let told = |records: &[Record], axis: Option<&str>| {
        groups(records, axis, &[]).map_or_else(|error| error.to_string(), |(axis, _)| axis)
    };
    let two = [one(&[("seed", "0"), ("host", "a")]), one(&[("seed", "1"), ("host", "a")])];
    let only = [one(&[("seed", "0")]), one(&[("seed", "1")])];
    let lines = [
        told(&[one(&[])], None),
        told(&two, None),
        told(&two, Some("sed")),
        told(&two, Some("host")),
        told(&two, Some("seed")),
        told(&only, None),
    ];
    insta::assert_snapshot!(lines.join("\n"));
}
