//! Statistics against NumPy and SciPy, and what has no value.

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Reference {
    pairs: Vec<Pair>,
    tables: Vec<Table>,
}

#[derive(Deserialize)]
struct Pair {
    name: String,
    reference: Vec<f64>,
    group: Vec<f64>,
    described: [Statistics; 2],
    contrast: Contrasted,
}

#[derive(Deserialize)]
struct Table {
    text: String,
    described: [Statistics; 2],
}

#[derive(Deserialize)]
struct Statistics {
    mean: Option<f64>,
    sd_ddof_0: Option<f64>,
    sd_ddof_1: Option<f64>,
    median: Option<f64>,
    mad_raw: Option<f64>,
    q1: Option<f64>,
    q3: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
}

#[derive(Deserialize)]
struct Contrasted {
    ratio: Option<f64>,
    interval_f: Option<[f64; 2]>,
    p_f: Option<f64>,
    p_levene: Option<f64>,
    u: Option<f64>,
    p_mann_whitney: Option<f64>,
    runs_needed: Option<usize>,
    bootstrap: Option<[f64; 2]>,
    p_fisher_exact: Option<f64>,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../../../tests/spread/reference.json")).unwrap()
}

/// Fails unless both are missing, or as close as 1e-9 of the expected number.
fn agree(what: &str, name: &str, found: Option<f64>, expected: Option<f64>) {
    let is_close = match (found, expected) {
        (Some(found), Some(expected)) => (found - expected).abs() <= 1e-9 * expected.abs(),
        (found, expected) => found.is_none() && expected.is_none(),
    };
    assert!(is_close, "{what} of {name}: {found:?}, SciPy says {expected:?}");
}

fn described(name: &str, numbers: &[f64], expected: &Statistics) {
    let found = Description::of(numbers);
    assert_eq!((found.n, found.nan, found.infinite), (numbers.len(), 0, 0), "{name}");
    for (what, found, expected) in [
        ("mean", found.mean, expected.mean),
        ("sd (ddof 0)", found.sd_ddof_0, expected.sd_ddof_0),
        ("sd (ddof 1)", found.sd_ddof_1, expected.sd_ddof_1),
        ("median", found.median, expected.median),
        ("MAD", found.mad_raw, expected.mad_raw),
        ("first quartile", found.q1, expected.q1),
        ("third quartile", found.q3, expected.q3),
        ("smallest", found.min, expected.min),
        ("largest", found.max, expected.max),
    ] {
        agree(what, name, found, expected);
    }
}

#[test]
fn statistics_are_those_of_numpy_and_scipy() {
    let Reference { pairs, tables } = reference();
    assert!(pairs.len() > 40 && tables.len() == 2);
    for Pair { name, reference, group, described: expected, contrast } in &pairs {
        described(name, reference, &expected[0]);
        described(name, group, &expected[1]);
        let found = Contrast::of(("group", group), ("reference", reference));
        let ends = |ends: Option<[f64; 2]>, end: usize| ends.map(|ends| ends[end]);
        agree("ratio", name, found.ratio, contrast.ratio);
        agree("lower end", name, ends(found.interval_f, 0), ends(contrast.interval_f, 0));
        agree("upper end", name, ends(found.interval_f, 1), ends(contrast.interval_f, 1));
        agree("p of F", name, found.p_f, contrast.p_f);
        agree("p of Levene", name, found.p_levene, contrast.p_levene);
        agree("U", name, found.mann_whitney.map(|test| test.u), contrast.u);
        agree("p of U", name, found.mann_whitney.map(|test| test.p), contrast.p_mann_whitney);
        let exact = found.repeating.map(|repeating| repeating.p);
        agree("p of Fisher's exact test", name, exact, contrast.p_fisher_exact);
        let needed = found.ratio.map(ratio::runs_needed);
        match (needed, contrast.runs_needed) {
            (Some(RunsNeeded::Runs { each }), expected) => {
                assert_eq!(Some(each), expected, "{name}");
            }
            (Some(RunsNeeded::MoreThan { .. }) | None, expected) => {
                assert_eq!(expected, None, "{name}");
            }
        }
    }
    for Table { text, described: expected } in &tables {
        let columns = ["loss".to_owned(), "accuracy".to_owned()];
        let group = table::group("g", text.as_bytes(), Some(&columns), Some(50)).unwrap();
        assert_eq!(group.runs, 50);
        for (metric, expected) in group.metrics.iter().zip(expected) {
            described(&metric.name, &metric.values, expected);
        }
    }
}

/// Resampling is random in SciPy and seeded here, so that only its size can be held against the other one: within a
/// tenth of the width of the interval.
#[test]
fn the_resampled_interval_is_about_that_of_scipy_and_always_the_same() {
    let mut compared = 0;
    for Pair { name, reference, group, contrast, .. } in reference().pairs {
        let Some([low, high]) = contrast.bootstrap else { continue };
        let found = || {
            let contrast = Contrast::of(("group", &group), ("reference", &reference));
            contrast.interval_bootstrap.unwrap()
        };
        let interval = found();
        let off = (interval.low.unwrap() - low).abs().max((interval.high.unwrap() - high).abs());
        assert!(off < 0.1 * (high - low), "{name}: {interval:?}, SciPy says {low} to {high}");
        assert_eq!(interval, found());
        compared += 1;
    }
    assert!(compared >= 10);
}

fn told(group: &[f64], reference: &[f64]) -> String {
    let found = Contrast::of(("b", group), ("a", reference));
    format!("{:?} {:?} ratio {:?}", found.verdict, found.undefined, found.ratio)
}

#[test]
fn what_has_no_value_says_why() {
    const NAN: f64 = f64::NAN;
    const INFINITE: f64 = f64::INFINITY;
    let lines = [
        told(&[1.0, 2.0, 4.0], &[3.0]),
        told(&[], &[NAN, INFINITE]),
        told(&[0.1; 5], &[0.1; 5]),
        told(&[0.1; 5], &[0.2; 5]),
        told(&[1.0, 2.0], &[1.0, 9.0]),
        told(&[0.1, 0.5, 0.2, 0.9, 0.8, 0.1, 0.5, 0.3], &[0.3; 8]),
        told(&[f64::MAX, -f64::MAX, 0.0], &[5e-324, 0.0, 1e-323]),
        told(&[1.0, NAN, 2.0, INFINITE, 4.0], &[1.0, 2.0, -INFINITE, 4.0]),
    ];
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn both_tests_must_call_a_spread_larger() {
    let narrow: Vec<f64> = (0..40).map(|place| f64::from(place % 7)).collect();
    let wide: Vec<f64> = narrow.iter().map(|number| number * 10.0).collect();
    let larger = |name: &str| Verdict::Larger { group: name.to_owned() };
    assert_eq!(Contrast::of(("b", &wide), ("a", &narrow)).verdict, larger("b"));
    assert_eq!(Contrast::of(("b", &narrow), ("a", &wide)).verdict, larger("a"));
    assert_eq!(Contrast::of(("b", &narrow), ("a", &narrow)).verdict, Verdict::NotSeparated);
    // A single far number makes a large standard deviation, which Levene's test does not trust.
    let mut far = narrow.clone();
    far[3] = 60.0;
    let found = Contrast::of(("b", &far), ("a", &narrow));
    assert!(found.p_f.unwrap() < ALPHA && found.p_levene.unwrap() > ALPHA);
    assert_eq!(found.verdict, Verdict::Disagree);
}

#[test]
fn beside_a_constant_group_one_test_is_enough() {
    let decided = |group: &[f64], reference: &[f64]| {
        let found = Contrast::of(("b", group), ("a", reference));
        let p = [found.p_levene, found.repeating.map(|one| one.p)];
        let p = p.map(|p| p.map_or_else(|| "-".to_owned(), |p| format!("{p:.4}")));
        format!("{:?} by {:?} {}", found.verdict, found.decided_by, p.join(" "))
    };
    // All runs differ, and one is so far away that its distance is nearly the sum of all.
    let mut far: Vec<f64> = (0..20).map(f64::from).collect();
    far[7] = 1e9;
    let one: Vec<f64> = (0..20).map(|run| if run == 7 { 1e9 } else { 1.0 }).collect();
    let lines = [
        decided(&far, &[1.0; 20]),
        decided(&[1.0; 20], &far),
        decided(&far, &[1.0; 2]),
        // A single other number may be chance, however far it is.
        decided(&one, &[1.0; 20]),
        decided(&[0.0, 1.0, 2.0, 3.0], &[9.0; 4]),
        decided(&far[..7], &[9.0; 7]),
        decided(&[1.0, 2.0, 1.0, 2.0], &[9.0; 4]),
        decided(&[1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0], &[9.0; 10]),
    ];
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_whole_number_that_is_rounded_keeps_groups_from_being_compared() {
    let table = |name: &str, first: &str| {
        table::group(name, format!("count\n{first}\n1\n2\n").as_bytes(), None, None).unwrap()
    };
    let found = spread(&[table("a", "3"), table("b", "9007199254740993")], |_| true, false);
    assert!(found.withheld);
    let problems: Vec<String> = found.problems.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(problems.join("\n"), @"`count` of `b` is rounded in 1 run: it is a whole number of more than 53 bits, which no floating point number equals; let the runs tell its distance from a fixed number");
    let found = spread(&[table("a", "3"), table("b", "9007199254740994")], |_| true, false);
    assert_eq!((found.problems, found.withheld), (Vec::new(), false));
}

fn group(name: &str, planned: Option<usize>, metrics: &[(&str, &[f64])]) -> Group {
    let mut group = Group::new(name, planned);
    group.runs = metrics.first().map_or(0, |(_, values)| values.len());
    group.metrics = metrics
        .iter()
        .map(|(name, values)| Metric {
            name: (*name).to_owned(),
            values: values.to_vec(),
            rounded: 0,
        })
        .collect();
    group
}

#[test]
fn no_ratio_is_given_where_something_is_not_as_planned() {
    let a = group("a", Some(3), &[("loss", &[1.0, 2.0, 4.0])]);
    let fine = [a.clone(), group("b", Some(3), &[("loss", &[1.0, 5.0, 9.0])])];
    assert!(spread(&fine, |_| true, false).problems.is_empty());
    let mut lines = Vec::new();
    for other in [
        group("b", Some(5), &[("loss", &[1.0, 5.0, 9.0])]),
        group("b", None, &[("loss", &[1.0, 5.0])]),
        group("b", None, &[("loss", &[1.0, 5.0, f64::NAN])]),
        group("b", None, &[("loss", &[1.0, f64::INFINITY, f64::NAN])]),
        group("b", None, &[("acc", &[1.0, 5.0, 9.0])]),
        group("b", Some(3), &[]),
    ] {
        let groups = [a.clone(), other];
        let found = spread(&groups, |_| true, false);
        assert!(found.withheld && found.metrics.iter().all(|metric| metric.contrasts.is_empty()));
        lines.extend(found.problems.iter().map(ToString::to_string));
        lines.push(String::new());
        let allowed = spread(&groups, |_| true, true);
        assert_eq!((allowed.problems, allowed.withheld), (found.problems, false));
    }
    insta::assert_snapshot!(lines.join("\n"));
    // A metric that is not asked for raises no problem.
    let groups = [a, group("b", None, &[("loss", &[1.0, 5.0, 9.0]), ("acc", &[f64::NAN; 3])])];
    assert!(spread(&groups, |name| name == "loss", false).problems.is_empty());
}

fn any_number() -> impl proptest::strategy::Strategy<Value = f64> {
    use proptest::prelude::{Strategy as _, any};
    proptest::prop_oneof![any::<f64>(), (-3_i8..4).prop_map(f64::from), -1.0..1.0]
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]

    #[test]
    fn nothing_that_is_told_is_not_a_number(
        group in proptest::collection::vec(any_number(), 0..12),
        reference in proptest::collection::vec(any_number(), 0..12),
    ) {
        let found = Contrast::of(("b", &group), ("a", &reference));
        let tests = [found.p_f, found.p_levene, found.mann_whitney.map(|test| test.p)];
        proptest::prop_assert!(tests.iter().flatten().all(|p| (0.0..=1.0).contains(p)), "{:?}", found);
        let known = found.ratio.into_iter().chain(found.interval_f.into_iter().flatten());
        proptest::prop_assert!(known.into_iter().all(|number| number.is_finite() && number >= 0.0));
        proptest::prop_assert!(found.ratio.is_some() || !found.undefined.is_empty());
        let told = serde_json::to_value(Description::of(&group)).unwrap();
        proptest::prop_assert_eq!(told["n"].as_u64().unwrap() > 0, !told["mean"].is_null());
    }

    #[test]
    fn a_ratio_is_the_inverse_the_other_way_round(
        group in proptest::collection::vec(-1.0..1.0_f64, 3..12),
        reference in proptest::collection::vec(-1.0..1.0_f64, 3..12),
    ) {
        let one = Contrast::of(("b", &group), ("a", &reference));
        let other = Contrast::of(("a", &reference), ("b", &group));
        proptest::prop_assert!((one.ratio.unwrap() * other.ratio.unwrap() - 1.0).abs() < 1e-12);
        proptest::prop_assert!((one.p_f.unwrap() - other.p_f.unwrap()).abs() < 1e-9);
        proptest::prop_assert_eq!(one.verdict, other.verdict);
    }
}
