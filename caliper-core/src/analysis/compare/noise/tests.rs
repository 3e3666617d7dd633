use proptest::prelude::*;
use serde::Deserialize;

use super::*;

/// What `SciPy` says, by `caliper-core/tests/noise/reference.py`.
#[derive(Deserialize)]
struct Reference {
    tests: Vec<Tested>,
    adjusted: Vec<Adjusted>,
}

#[derive(Deserialize)]
struct Tested {
    /// For each run its numbers.
    baseline: Vec<Vec<f64>>,
    candidate: Vec<Vec<f64>>,
    p: f64,
}

#[derive(Deserialize)]
struct Adjusted {
    p: Vec<f64>,
    adjusted: Vec<f64>,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../../../../tests/noise/reference.json")).unwrap()
}

fn samples(runs: &[Vec<f64>]) -> Vec<Sample> {
    runs.iter()
        .map(|numbers| Sample { batch: 0, shapes: vec![0], numbers: numbers.clone() })
        .collect()
}

fn exactly(_: usize, one: f64, other: f64) -> bool {
    one.to_bits() == other.to_bits()
}

#[test]
fn scipy_says_the_same() {
    let Reference { tests, adjusted: corrections } = reference();
    assert!(tests.len() >= 60 && corrections.len() >= 20);
    for (index, test) in tests.iter().enumerate() {
        let ours = evidence(&samples(&test.baseline), &samples(&test.candidate), exactly);
        assert!((ours.p - test.p).abs() < 1e-12, "{index}: {} and {}", ours.p, test.p);
    }
    for correction in corrections {
        for (ours, theirs) in adjusted(&correction.p).iter().zip(&correction.adjusted) {
            assert!((ours - theirs).abs() < 1e-12, "{:?}", correction.p);
        }
    }
}

#[test]
fn runs_that_are_all_alike_or_too_few_are_no_evidence() {
    let same = samples(&[vec![1.0], vec![1.0], vec![1.0]]);
    let other = samples(&[vec![2.0], vec![2.0], vec![2.0]]);
    for (baseline, candidate) in [(&same[..], &same[..]), (&same[..1], &other[..]), (&[], &other)] {
        assert!((evidence(baseline, candidate, exactly).p - 1.0).abs() < f64::EPSILON);
    }
    // Two times three that never mix: one way of the ten pairs of ways.
    let found = evidence(&same, &other, exactly);
    assert!((found.p - 0.1).abs() < 1e-12 && found.found == Some(Found::Number(0)), "{found:?}");
    // What the user's tolerance does not tell apart is alike.
    assert!((evidence(&same, &other, |_, _, _| true).p - 1.0).abs() < f64::EPSILON);
}

#[test]
fn what_stands_out_is_named() {
    let noisy = [0.3, 0.9, 0.1, 0.7, 0.5, 0.2, 0.8, 0.4, 0.6, 0.05];
    let run = |index: usize, drift: f64| vec![noisy[index] * 100.0, 5.0 + drift];
    let baseline: Vec<Vec<f64>> = (0..5).map(|index| run(index, 0.0)).collect();
    let candidate: Vec<Vec<f64>> = (5..10).map(|index| run(index, 1e-9)).collect();
    let found = evidence(&samples(&baseline), &samples(&candidate), exactly);
    assert_eq!(found.found, Some(Found::Number(1)));
    assert_eq!(found.furthest, Some([5.0, 5.0 + 1e-9]));
    assert!((found.p - 2.0 / 252.0).abs() < 1e-12, "{found:?}");
}

#[test]
fn shapes_are_compared_where_they_differ() {
    let of = |shapes: &[u64]| -> Vec<Sample> {
        shapes
            .iter()
            .map(|shape| Sample { batch: 0, shapes: vec![*shape], numbers: vec![0.0] })
            .collect()
    };
    let found = evidence(&of(&[1, 1, 1, 1]), &of(&[2, 2, 2, 2]), exactly);
    assert!((found.p - 2.0 / 70.0).abs() < 1e-12 && found.found == Some(Found::Shape), "{found:?}");
    // Never twice the same: nothing can be said.
    let found = evidence(&of(&[1, 2, 3, 4]), &of(&[5, 6, 7, 8]), exactly);
    assert!((found.p - 1.0).abs() < 1e-12, "{found:?}");
}

#[test]
fn it_is_known_how_many_runs_can_tell() {
    for (alpha, comparisons, runs) in [
        (0.05, 1, Some(4)), // 2 of 70
        (0.05, 10, Some(6)),
        (0.01, 1, Some(5)),
        (0.05, 500, Some(9)),   // all 48,620 are counted through
        (0.05, 4000, Some(10)), // one of 100,001
        (1e-9, 1, None),
    ] {
        assert_eq!(more_needed(alpha, comparisons, &[]), runs, "{alpha} {comparisons}");
    }
}

#[test]
fn many_runs_are_drawn_and_not_counted_through() {
    let runs = |from: u32, drift: f64| -> Vec<Vec<f64>> {
        (from..from + 12).map(|run| vec![f64::from(run * 7919 % 101) + drift]).collect()
    };
    let apart = evidence(&samples(&runs(0, 0.0)), &samples(&runs(12, 200.0)), exactly);
    assert!(apart.permutations == DRAWN + 1 && apart.p < 1e-4, "{apart:?}");
    let mixed = evidence(&samples(&runs(0, 0.0)), &samples(&runs(12, 0.0)), exactly);
    assert!(mixed.p > 0.05, "{mixed:?}");
}

proptest! {
    #[test]
    fn a_test_is_blind_to_scale_and_to_which_side_is_which(
        baseline in prop::collection::vec(-1e3..1e3_f64, 4),
        candidate in prop::collection::vec(-1e3..1e3_f64, 4),
    ) {
        let of = |numbers: &[f64], by: f64| -> Vec<Sample> {
            numbers.iter().map(|number| Sample { batch: 0, shapes: vec![0], numbers: vec![number * by] }).collect()
        };
        let once = evidence(&of(&baseline, 1.0), &of(&candidate, 1.0), exactly);
        let scaled = evidence(&of(&baseline, 1024.0), &of(&candidate, 1024.0), exactly);
        let turned = evidence(&of(&candidate, 1.0), &of(&baseline, 1.0), exactly);
        prop_assert!((once.p - scaled.p).abs() < 1e-12);
        prop_assert!((once.p - turned.p).abs() < 1e-12);
        prop_assert!(once.p >= once.smallest_p - 1e-12 && once.p <= 1.0);
    }

    #[test]
    fn nothing_makes_it_panic(
        baseline in prop::collection::vec((0..3_u64, prop::collection::vec(any::<f64>().prop_filter("finite", |x| x.is_finite()), 0..3)), 0..4),
        candidate in prop::collection::vec((0..3_u64, prop::collection::vec(any::<f64>().prop_filter("finite", |x| x.is_finite()), 0..3)), 0..4),
    ) {
        let of = |runs: Vec<(u64, Vec<f64>)>| -> Vec<Sample> {
            runs.into_iter().map(|(shape, numbers)| Sample { batch: 0, shapes: vec![shape], numbers }).collect()
        };
        let found = evidence(&of(baseline), &of(candidate), exactly);
        prop_assert!(found.p > 0.0 && found.p <= 1.0);
    }
}
