use std::cell::RefCell;

use caliper_core::analysis::blame::Known;
use caliper_core::facts::record::{CellOutcome, TestOutcome};
use caliper_core::facts::testing;
use caliper_core::names::Sha256;
use caliper_core::question::criteria::Criteria;

use super::*;

/// How each run of the test ends with a mixture, by the number of the run from 0. `Err` for a build that fails.
type Behaviour<'a> = &'a dyn Fn(&Pins, u32) -> Result<(TestOutcome, &'static str), &'static str>;

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn lock(text: &str) -> Pins {
    let pins = text.split_whitespace().map(|one| one.split_once('=').unwrap());
    pins.map(|(name, at)| (name.parse().unwrap(), version(at))).collect()
}

fn is_at_least(mixture: &Pins, name: &str, least: &str) -> bool {
    mixture.get(&name.parse().unwrap()).is_some_and(|found| *found >= version(least))
}

fn record(mixture: &Pins, repeats: u32, behaviour: Behaviour<'_>) -> Record {
    let mut record = testing::record("1.0", "3.11");
    let digest = Sha256::of(format!("{mixture:?}").as_bytes()).hex();
    record.variant.insert("pins", &digest[..12]);
    for run in 0..repeats {
        match behaviour(mixture, run) {
            Ok((outcome, printed)) => {
                let mut test = testing::test("t", outcome, "");
                let text = printed.to_owned();
                match outcome {
                    TestOutcome::Passed => test.runs[0].output = text,
                    _ => test.runs[0].error = text,
                }
                record = record.with_runs([test]);
            }
            Err(_) => record.outcome = CellOutcome::BuildFailed,
        }
    }
    record
}

/// Blames with 3 repeats; releases are 1.0, 1.1, … 2.0. Also returns which mixtures were measured, in order.
fn blamed(first: &str, second: &str, behaviour: Behaviour<'_>) -> (Blaming, Vec<Pins>) {
    let measured = RefCell::new(Vec::new());
    let measure = |mixture: &Pins, repeats: u32| -> Result<Record, String> {
        measured.borrow_mut().push(mixture.clone());
        Ok(record(mixture, repeats, behaviour))
    };
    let releases = |_: &Pin| {
        Ok(Some(
            (10..=20).map(|tenth| version(&format!("{}.{}", tenth / 10, tenth % 10))).collect(),
        ))
    };
    let criteria = Criteria::default();
    let analysis = Analysis::new(&[], None, &criteria, &|_| None);
    let world = BlameWorld { measure: &measure, releases: &releases, analysis: &analysis };
    let (first, second) = (lock(first), lock(second));
    let question = BlameQuestion {
        first: &first,
        second: &second,
        requires: &BTreeMap::new(),
        test: "t",
        results: true,
        repeats: 3,
        runs: None,
    };
    let blaming = blame(&question, &world).unwrap();
    (blaming, measured.into_inner())
}

fn told(blaming: &Blaming) -> String {
    let answer = match &blaming.answer {
        Ok(answer) => answer,
        Err(why) => return why.to_string(),
    };
    let pins = answer.found.pins.iter().zip(&answer.first_bad);
    let pins: Vec<String> = pins
        .map(|(blamed, first_bad)| {
            let unproven = blamed.unproven.map(|why| format!(" ({why})")).unwrap_or_default();
            let first_bad = match first_bad {
                Ok(found) => format!("{} then {}", found.last_good, found.first_bad),
                Err(why) => why.to_string(),
            };
            format!("{}{unproven}: {first_bad}", blamed.pin)
        })
        .collect();
    let BlameAnswer { bad, symptom, confirmed, found, .. } = answer;
    format!("{bad} {symptom}: {} [confirmed {confirmed}, rest {:?}]", pins.join("; "), found.rest)
}

const OLD: &str = "a=1.0 b=1.0 c=1.0 d=1.0 e=1.0";
const NEW: &str = "a=2.0 b=2.0 c=2.0 d=2.0 e=2.0";
const PASSES: Result<(TestOutcome, &str), &str> = Ok((TestOutcome::Passed, "1\n"));
const FAILS: Result<(TestOutcome, &str), &str> = Ok((TestOutcome::Failed, "ValueError: broken\n"));

#[test]
fn one_guilty_package_is_found_and_bisected() {
    let world = |mixture: &Pins, _| if is_at_least(mixture, "c", "1.6") { FAILS } else { PASSES };
    let (blaming, measured) = blamed(OLD, NEW, &world);
    let answer = "1 fails: c 1.0 -> 2.0: 1.5 then 1.6 [confirmed true, rest Good]";
    assert_eq!(told(&blaming), answer);
    // Each mixture once, and the two on which the claim rests once more.
    let different: BTreeSet<&Pins> = measured.iter().collect();
    assert_eq!(measured.len(), different.len() + 2);
    assert_eq!(blaming.spent.mixtures as usize, different.len());
    assert_eq!(blaming.spent.runs as usize, 3 * measured.len());

    // The other way round the same end is bad.
    let (blaming, _) = blamed(NEW, OLD, &world);
    assert_eq!(told(&blaming), answer.replacen('1', "0", 1));
}

#[test]
fn a_guilty_pair_is_found_together() {
    let world = |mixture: &Pins, _| {
        let is_bad = is_at_least(mixture, "b", "1.3") && is_at_least(mixture, "e", "1.9");
        if is_bad { FAILS } else { PASSES }
    };
    let (blaming, _) = blamed(OLD, NEW, &world);
    assert_eq!(
        told(&blaming),
        "1 fails: b 1.0 -> 2.0: 1.2 then 1.3; e 1.0 -> 2.0: 1.8 then 1.9 [confirmed true, rest Good]"
    );
}

#[test]
fn another_result_is_blamed_too() {
    let world = |mixture: &Pins, _| {
        let text = if is_at_least(mixture, "d", "1.1") { "2\n" } else { "1\n" };
        Ok((TestOutcome::Passed, text))
    };
    let (blaming, _) = blamed(OLD, NEW, &world);
    assert_eq!(
        told(&blaming),
        "1 gives another result: d 1.0 -> 2.0: 1.0 then 1.1 [confirmed true, rest Good]"
    );
}

#[test]
fn what_fails_in_another_way_says_nothing() {
    // With one of the two alone something else breaks, so that neither can be shown to be needed.
    let world = |mixture: &Pins, _| match (
        is_at_least(mixture, "a", "2"),
        is_at_least(mixture, "b", "2"),
    ) {
        (true, true) => FAILS,
        (true, false) => Ok((TestOutcome::Failed, "TypeError: another\n")),
        (false, true) => Err("conflict"),
        (false, false) => PASSES,
    };
    let (blaming, _) = blamed(OLD, NEW, &world);
    let why = "(cannot be installed or judged): it was not shown to be needed";
    assert_eq!(
        told(&blaming),
        format!("1 fails: a 1.0 -> 2.0 {why}; b 1.0 -> 2.0 {why} [confirmed true, rest Good]")
    );
}

#[test]
fn fresh_runs_refute_what_a_flaky_test_made_believe() {
    // Without `c` the test fails now and then: not in the first three runs, but in the fourth.
    let world = |mixture: &Pins, run| match is_at_least(mixture, "c", "2") {
        true => FAILS,
        false if mixture.values().all(|one| *one < version("2")) => PASSES,
        false if run == 3 => FAILS,
        false => PASSES,
    };
    let (blaming, _) = blamed("c=1.0 d=1.0", "c=2.0 d=2.0", &world);
    assert!(told(&blaming).starts_with("1 fails: c 1.0 -> 2.0: 1."), "{}", told(&blaming));

    // The good end itself is flaky: there is nothing to blame.
    let world = |mixture: &Pins, run| match is_at_least(mixture, "c", "2") {
        true => FAILS,
        false if run == 3 => FAILS,
        false => PASSES,
    };
    let (blaming, _) = blamed("c=1.0 d=1.0", "c=2.0 d=2.0", &world);
    assert_eq!(told(&blaming), NoDifference::Flaky.to_string());
}

#[test]
fn ends_that_do_not_differ_are_told() {
    for (behaviour, why) in [
        (PASSES, NoDifference::SameResult),
        (FAILS, NoDifference::NeitherPasses),
        (Err("conflict"), NoDifference::NeitherPasses),
    ] {
        let (blaming, measured) = blamed(OLD, NEW, &|_, _| behaviour);
        assert_eq!((told(&blaming), measured.len()), (why.to_string(), 2));
    }
}

#[test]
fn with_a_budget_the_smallest_bad_set_so_far_is_told() {
    let world = |mixture: &Pins, _| if is_at_least(mixture, "c", "1.6") { FAILS } else { PASSES };
    let measure = |mixture: &Pins, repeats: u32| -> Result<Record, ()> {
        Ok(record(mixture, repeats, &world))
    };
    let releases = |_: &Pin| Ok(None);
    let criteria = Criteria::default();
    let analysis = Analysis::new(&[], None, &criteria, &|_| None);
    let world = BlameWorld { measure: &measure, releases: &releases, analysis: &analysis };
    let (first, second) = (lock(OLD), lock(NEW));
    let requires = BTreeMap::new();
    let (results, runs) = (false, Some(2));
    let question = BlameQuestion {
        first: &first,
        second: &second,
        requires: &requires,
        test: "t",
        results,
        repeats: 1,
        runs,
    };
    let answer = blame(&question, &world).unwrap().answer.unwrap();
    assert_eq!(answer.found.pins.len(), 5);
    assert!(answer.found.pins.iter().all(|blamed| blamed.unproven == Some(Unproven::Untried)));
    assert_eq!(answer.found.rest, Known::Good);
}
