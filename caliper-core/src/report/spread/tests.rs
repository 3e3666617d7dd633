use super::*;
use crate::analysis::spread::{Group, spread, table};

fn group(name: &str, content: &str, planned: Option<usize>) -> Group {
    table::group(name, content.as_bytes(), None, planned).unwrap()
}

fn shown(groups: &[Group], allowed: bool, width: usize) -> String {
    let place = None;
    let report = SpreadReport::new(
        None,
        vec![SpreadAt { place, spread: spread(groups, |_| true, allowed) }],
    );
    let line = |line: Vec<Span>| line.into_iter().map(|(_, text)| text).collect::<String>() + "\n";
    lines(&report, width).into_iter().map(line).collect()
}

const SAME: &str = "loss,accuracy\n0.25,0.9\n0.26,0.9\n0.24,0.9\n0.25,0.9\n0.27,0.9\n0.23,0.9\n";
const DIFFERENT: &str = "loss,accuracy\n0.2,0.9\n0.5,0.8\n0.1,0.7\n0.35,0.95\n0.4,0.85\n0.05,0.9\n";

#[test]
fn groups_stand_side_by_side_and_then_in_sentences() {
    let groups = [group("same", SAME, Some(6)), group("different", DIFFERENT, Some(6))];
    insta::assert_snapshot!(shown(&groups, false, 80));
}

#[test]
fn what_is_not_as_planned_comes_first_and_nothing_is_compared() {
    let groups = [group("same", SAME, Some(50)), group("different", DIFFERENT, Some(6))];
    let text = shown(&groups, false, 80);
    assert!(!text.contains(" / sd of") && !text.contains("p if"), "{text}");
    insta::assert_snapshot!(text);
    assert!(shown(&groups, true, 80).contains(" / sd of"));
}

#[test]
fn groups_that_do_not_fit_stand_below() {
    let groups = ["a", "b", "c"].map(|name| group(name, "x\n1\n2\n", None));
    let text = shown(&groups, false, 36);
    assert!(text.starts_with("x             a         b\n"), "{text}");
    let table = text.lines().take(23).collect::<Vec<_>>();
    assert!(
        table.iter().all(|line| line.len() <= 36) && table.contains(&"x             c"),
        "{text}"
    );
}

#[test]
fn every_verdict_is_a_sentence() {
    let numbers = |numbers: &[f64]| {
        numbers.iter().fold("x\n".to_owned(), |text, number| text + &format!("{number}\n"))
    };
    let last = |one: &[f64], other: &[f64]| {
        let groups = [group("a", &numbers(one), None), group("b", &numbers(other), None)];
        shown(&groups, true, 80).lines().last().unwrap().to_owned()
    };
    let steps: Vec<f64> = (0..40).map(|place| f64::from(place % 7)).collect();
    let mut far = steps.clone();
    far[3] = 60.0;
    let lines = [
        last(&[1.0, 2.0, 3.0], &[2.0, 3.0, 5.0]),
        last(&[1.0, 2.0], &[2.0, 4.0]),
        last(&[1.0; 9], &[1.0, 5.0, 2.0, 3.0, 9.0, 4.0, 8.0, 2.5, 0.0]),
        last(&[1.0; 3], &[1.0, 1.0, 2.0]),
        last(&[1.0; 9], &[1.0, 5.0, 2.0, 3.0, 1e9, 4.0, 8.0, 2.5, 0.0]),
        last(&[0.0, 1.0, 2.0, 3.0], &[9.0; 4]),
        last(&[1.0, 2.0, 1.0, 2.0], &[9.0; 4]),
        last(&[1.0; 3], &[2.0; 3]),
        last(&[1.0], &[2.0, 3.0]),
        last(&steps, &far),
    ];
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn numbers_have_five_digits() {
    let told = [0.0, -0.25, 1e-5, 0.000_123_456, 123_456.7, 1e300, 2.5].map(digits).join(" ");
    insta::assert_snapshot!(told, @"0 -0.25000 1.0000e-5 0.00012346 123457 1.0000e300 2.5000");
    let told = [0.0, 0.000_12, 0.049_99, 0.050_01, 0.5, 1.0].map(probability).join(" ");
    insta::assert_snapshot!(told, @"below 0.0001 0.0001 0.049990 0.050010 0.50 1.00");
}
