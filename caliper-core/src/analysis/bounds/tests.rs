use std::collections::BTreeSet;

use pep440_rs::VersionSpecifiers;

use super::*;
use crate::facts::record::TestOutcome::{Failed, Passed};
use crate::facts::testing;

/// How the suite ends with releases 1, 2, … of `a`, `b` and `c`.
type Truth<'a> = &'a dyn Fn(&dyn Fn(&str) -> u64) -> Seen;

struct World<'a> {
    truth: Truth<'a>,
    /// Which releases are allowed of each, and how many there are.
    declared: [(u64, u64); 3],
    count: u64,
    widen: bool,
}

fn name(text: &str) -> PackageName {
    text.parse().unwrap()
}

fn version(number: u64) -> Version {
    Version::new([number])
}

const NAMES: [&str; 3] = ["a", "b", "c"];

impl World<'_> {
    fn bounds(&self) -> Bounds {
        let python = PythonVersion::new(3, 11);
        let direct = |(text, (from, to)): (&str, (u64, u64))| Direct {
            name: name(text),
            releases: BTreeMap::from([(
                python,
                (1..=self.count)
                    .map(|number| Offered {
                        version: version(number),
                        is_allowed: (from..=to).contains(&number),
                        has_file: true,
                    })
                    .collect(),
            )]),
        };
        let dependencies = NAMES.into_iter().zip(self.declared).map(direct).collect();
        Bounds::new(Question { dependencies, pythons: vec![python], widen: self.widen })
    }

    /// What a resolver installs: the newest of what is allowed and not pinned.
    fn installed(&self, mixture: &Mixture) -> Pins {
        let installed = |(text, (_, to)): (&str, (u64, u64))| {
            let name = name(text);
            let pinned = mixture.pins.get(&name).cloned();
            let free = || mixture.at_most.get(&name).cloned().unwrap_or_else(|| version(to));
            let version = pinned.unwrap_or_else(free);
            (name, version)
        };
        let newest: Pins = NAMES.into_iter().zip(self.declared).map(installed).collect();
        let goes = |pins: &Pins| {
            (self.truth)(&|text| pins[&name(text)].release()[0]) != Seen::CannotBeInstalled
        };
        let free = NAMES.into_iter().zip(self.declared);
        let free = free.filter(|(text, _)| !mixture.pins.contains_key(&name(text)));
        let older = free.flat_map(|(text, (from, to))| {
            let newest = &newest;
            (from..to).rev().map(move |number| {
                let mut pins = newest.clone();
                pins.insert(name(text), version(number));
                pins
            })
        });
        // As a resolver, which goes back where the newest do not go together.
        let all = std::iter::once(newest.clone()).chain(older).find(goes);
        all.unwrap_or(newest)
    }

    fn answer(&self, mixture: &Mixture) -> Answer {
        let installed = self.installed(mixture);
        let of = |text: &str| installed[&name(text)].release()[0];
        let seen = (self.truth)(&of);
        let why = match seen {
            Seen::Failed => Some("AssertionError".to_owned()),
            Seen::CannotBeInstalled => Some("conflict: a==1 depends on b>=3".to_owned()),
            _ => None,
        };
        Answer { seen, installed, why }
    }

    /// Measures, and tells what was found, and with how many installs.
    fn found(&self) -> (OnPython, Vec<Verdict>, usize) {
        let mut bounds = self.bounds();
        let mut asked = BTreeSet::new();
        let mut found = loop {
            match bounds.step() {
                Step::Done(found) => break found,
                Step::Try(mixtures) => {
                    for mixture in mixtures {
                        assert!(asked.insert(mixture.clone()), "{mixture:?} is asked for twice");
                        let answer = self.answer(&mixture);
                        bounds.answer(mixture, answer);
                    }
                }
            }
        };
        let declared = self.declared.map(|(from, to)| {
            let text =
                if to == self.count { format!(">={from}") } else { format!(">={from},<={to}") };
            text.parse::<VersionSpecifiers>().unwrap()
        });
        let dependencies = bounds.question().dependencies.iter().zip(&declared);
        let verdicts = dependencies
            .map(|(one, declared)| Verdict::of(one, Some(declared), &found, self.widen))
            .collect();
        (found.remove(0), verdicts, bounds.installs())
    }

    fn told(&self) -> String {
        let (found, verdicts, installs) = self.found();
        let mut lines = vec![format!("today {:?}, {:?}", found.today.seen, found.stuck)];
        if !found.to_blame.is_empty() {
            lines.push(format!("to blame: {}", pins(&found.to_blame)));
        }
        for one in &verdicts {
            let bound = |bound: &Option<Bound>| match bound {
                Some(bound) => {
                    format!("{} {:?} ({:?})", bound.version, bound.evidence, bound.beyond)
                }
                None => "unknown".to_owned(),
            };
            let failing: Vec<String> = one.failing.keys().map(ToString::to_string).collect();
            lines.push(format!(
                "{} {:?}: {} to {}; fails {:?}, unmeasured {}, held {:?}, suggested {:?}",
                one.name,
                one.check,
                bound(&one.lower),
                bound(&one.upper),
                failing.join(" "),
                one.unmeasured,
                pins(&one.held),
                one.suggested
            ));
        }
        if let Some(lowest) = &found.lowest {
            let raised = lowest
                .raised
                .iter()
                .map(|one| format!("{} {} to {} {:?}", one.name, one.from, one.to, one.why));
            lines.push(format!(
                "lowest {:?}, to blame {:?}, raised {:?}, in the end {:?} with {}",
                lowest.seen,
                pins(&lowest.to_blame),
                raised.collect::<Vec<_>>().join(", "),
                lowest.in_the_end,
                pins(&lowest.pins)
            ));
        }
        lines.push(format!("{installs} installs"));
        lines.join("\n")
    }
}

fn pins(pins: &Pins) -> String {
    let told: Vec<String> =
        pins.iter().map(|(name, version)| format!("{name}=={version}")).collect();
    told.join(" ")
}

fn told(truth: Truth<'_>) -> String {
    World { truth, declared: [(5, 20); 3], count: 20, widen: false }.told()
}

fn passes(holds: bool) -> Seen {
    if holds { Seen::Passed } else { Seen::Failed }
}

#[test]
fn bounds_that_hold_take_an_install_each_and_two_more() {
    insta::assert_snapshot!(told(&|_| Seen::Passed), @r#"
    today Passed, None
    a Holds: 5 Proven (NotTried) to 20 Proven (Nothing); fails "", unmeasured 14, held "", suggested None
    b Holds: 5 Proven (NotTried) to 20 Proven (Nothing); fails "", unmeasured 14, held "", suggested None
    c Holds: 5 Proven (NotTried) to 20 Proven (Nothing); fails "", unmeasured 14, held "", suggested None
    lowest Passed, to blame "", raised "", in the end Passed with a==5 b==5 c==5
    5 installs
    "#);
}

#[test]
fn a_lower_bound_that_is_too_low_is_found_by_halving() {
    insta::assert_snapshot!(told(&|of| passes(of("a") >= 11)), @r#"
    today Passed, None
    a Refuted: 11 Proven (Fails("10")) to 20 Proven (Nothing); fails "5 8 10", unmeasured 10, held "", suggested Some(">=11")
    b Holds: 5 Proven (NotTried) to 20 Proven (Nothing); fails "", unmeasured 14, held "", suggested None
    c Holds: 5 Proven (NotTried) to 20 Proven (Nothing); fails "", unmeasured 14, held "", suggested None
    lowest Passed, to blame "", raised "", in the end Passed with a==11 b==5 c==5
    9 installs
    "#);
}

#[test]
fn one_dependency_that_breaks_today_is_held_for_the_others() {
    insta::assert_snapshot!(told(&|of| passes(of("b") < 14)), @r#"
    today Failed, None
    to blame: b==20
    a Holds: 5 Proven (NotTried) to 20 Proven (Nothing); fails "", unmeasured 14, held "b==13", suggested None
    b Refuted: 5 Proven (NotTried) to 13 Proven (Fails("14")); fails "14 15 17 20", unmeasured 10, held "", suggested Some(">=5,<14")
    c Holds: 5 Proven (NotTried) to 20 Proven (Nothing); fails "", unmeasured 14, held "b==13", suggested None
    lowest Passed, to blame "", raised "", in the end Passed with a==5 b==5 c==5
    11 installs
    "#);
}

#[test]
fn of_two_that_break_together_one_is_held() {
    insta::assert_snapshot!(told(&|of| passes(of("a") < 18 || of("b") < 14)), @r#"
    today Failed, None
    to blame: a==20 b==20
    a Refuted: 5 Proven (NotTried) to 17 Proven (Fails("18")); fails "18 19 20", unmeasured 10, held "", suggested Some(">=5,<18")
    b Holds: 5 Proven (NotTried) to 20 Proven (Nothing); fails "", unmeasured 14, held "a==17", suggested None
    c Holds: 5 Proven (NotTried) to 20 Proven (Nothing); fails "", unmeasured 14, held "a==17", suggested None
    lowest Passed, to blame "", raised "", in the end Passed with a==5 b==5 c==5
    15 installs
    "#);
}

#[test]
fn two_that_each_break_today_are_found_by_blaming() {
    insta::assert_snapshot!(told(&|of| passes(of("a") < 18 && of("b") < 14)), @r#"
    today Failed, None
    to blame: a==20 b==20
    a Refuted: 5 Proven (NotTried) to 17 Proven (Fails("18")); fails "18 19 20", unmeasured 11, held "b==13", suggested Some(">=5,<18")
    b Refuted: 5 Proven (NotTried) to 13 Proven (Fails("14")); fails "14 15 17 20", unmeasured 10, held "a==17", suggested Some(">=5,<14")
    c Holds: 5 Proven (NotTried) to 20 Proven (Nothing); fails "", unmeasured 14, held "a==17 b==13", suggested None
    lowest Passed, to blame "", raised "", in the end Passed with a==5 b==5 c==5
    25 installs
    "#);
}

#[test]
fn lower_bounds_that_fail_together_are_raised() {
    insta::assert_snapshot!(told(&|of| passes(of("a") >= 8 || of("b") >= 9)), @r#"
    today Passed, None
    a Holds: 5 Proven (NotTried) to 20 Proven (Nothing); fails "", unmeasured 14, held "", suggested Some(">=8")
    b Holds: 5 Proven (NotTried) to 20 Proven (Nothing); fails "", unmeasured 14, held "", suggested None
    c Holds: 5 Proven (NotTried) to 20 Proven (Nothing); fails "", unmeasured 14, held "", suggested None
    lowest Failed, to blame "a==5 b==5", raised "a 5 to 8 Fails", in the end Passed with a==8 b==5 c==5
    11 installs
    "#);
}

#[test]
fn lower_bounds_that_conflict_are_raised_as_a_resolver_does() {
    let truth = |of: &dyn Fn(&str) -> u64| {
        if of("a") < 9 && of("b") < 7 { Seen::CannotBeInstalled } else { Seen::Passed }
    };
    insta::assert_snapshot!(told(&truth), @r#"
    today Passed, None
    a Holds: 5 Proven (NotTried) to 20 Proven (Nothing); fails "", unmeasured 14, held "", suggested None
    b Holds: 5 Proven (NotTried) to 20 Proven (Nothing); fails "", unmeasured 14, held "", suggested None
    c Holds: 5 Proven (NotTried) to 20 Proven (Nothing); fails "", unmeasured 14, held "", suggested None
    lowest Passed, to blame "", raised "b 5 to 7 CannotBeInstalled", in the end Passed with a==5 b==7 c==5
    11 installs
    "#);
}

#[test]
fn a_lower_bound_is_not_raised_to_an_older_release() {
    let truth = |of: &dyn Fn(&str) -> u64| {
        let (a, b) = (of("a"), of("b"));
        match (a >= 8, b) {
            // From 8 on `a` requires a newer `b`, and a resolver that holds `b` goes back to an older `a`.
            (true, ..10) => Seen::CannotBeInstalled,
            (true, 10..13) | (false, 10..) => Seen::Failed,
            _ => Seen::Passed,
        }
    };
    insta::assert_snapshot!(told(&truth), @r#"
    today Passed, None
    a Refuted: 8 Proven (Fails("7")) to 20 Proven (Nothing); fails "5 6 7", unmeasured 10, held "", suggested Some(">=8")
    b Holds: 5 Proven (NotTried) to 20 Proven (Nothing); fails "", unmeasured 14, held "", suggested Some(">=13")
    c Holds: 5 Proven (NotTried) to 20 Proven (Nothing); fails "", unmeasured 14, held "", suggested None
    lowest Failed, to blame "b==10", raised "b 5 to 10 CannotBeInstalled, b 10 to 13 Fails", in the end Passed with a==8 b==13 c==5
    21 installs
    "#);
}

#[test]
fn a_suite_that_fails_with_everything_says_nothing_of_bounds() {
    insta::assert_snapshot!(told(&|_| Seen::Failed), @r#"
    today Failed, Some(Fails)
    a Undecided: unknown to unknown; fails "", unmeasured 0, held "", suggested None
    b Undecided: unknown to unknown; fails "", unmeasured 0, held "", suggested None
    c Undecided: unknown to unknown; fails "", unmeasured 0, held "", suggested None
    8 installs
    "#);
    insta::assert_snapshot!(told(&|_| Seen::Flaky), @r#"
    today Flaky, Some(Flaky)
    a Undecided: unknown to unknown; fails "", unmeasured 0, held "", suggested None
    b Undecided: unknown to unknown; fails "", unmeasured 0, held "", suggested None
    c Undecided: unknown to unknown; fails "", unmeasured 0, held "", suggested None
    1 installs
    "#);
    insta::assert_snapshot!(told(&|_| Seen::CannotBeInstalled), @r#"
    today CannotBeInstalled, Some(CannotBeInstalled)
    a Undecided: unknown to unknown; fails "", unmeasured 0, held "", suggested None
    b Undecided: unknown to unknown; fails "", unmeasured 0, held "", suggested None
    c Undecided: unknown to unknown; fails "", unmeasured 0, held "", suggested None
    1 installs
    "#);
}

#[test]
fn flaky_releases_decide_nothing() {
    let truth = |of: &dyn Fn(&str) -> u64| if of("a") <= 6 { Seen::Flaky } else { Seen::Passed };
    insta::assert_snapshot!(told(&truth), @r#"
    today Passed, None
    a Undecided: 7 Bracketed (Unknown) to 20 Proven (Nothing); fails "", unmeasured 12, held "", suggested None
    b Holds: 5 Proven (NotTried) to 20 Proven (Nothing); fails "", unmeasured 14, held "", suggested None
    c Holds: 5 Proven (NotTried) to 20 Proven (Nothing); fails "", unmeasured 14, held "", suggested None
    lowest Passed, to blame "", raised "", in the end Passed with a==7 b==5 c==5
    7 installs
    "#);
}

#[test]
fn old_releases_that_cannot_be_built_refute_nothing() {
    let truth = |of: &dyn Fn(&str) -> u64| {
        if of("a") < 12 { Seen::CannotBeInstalled } else { Seen::Passed }
    };
    insta::assert_snapshot!(told(&truth), @r#"
    today Passed, None
    a Holds: 12 Proven (CannotBeInstalled("11")) to 20 Proven (Nothing); fails "", unmeasured 10, held "", suggested None
    b Holds: 5 Proven (NotTried) to 20 Proven (Nothing); fails "", unmeasured 14, held "", suggested None
    c Holds: 5 Proven (NotTried) to 20 Proven (Nothing); fails "", unmeasured 14, held "", suggested None
    lowest Passed, to blame "", raised "", in the end Passed with a==12 b==5 c==5
    9 installs
    "#);
}

#[test]
fn beyond_the_declared_range_only_if_that_is_asked_for() {
    let truth = |of: &dyn Fn(&str) -> u64| passes(of("a") >= 3 && of("b") <= 17);
    let world = World { truth: &truth, declared: [(5, 15); 3], count: 20, widen: true };
    insta::assert_snapshot!(world.told(), @r#"
    today Passed, None
    a Holds: 3 Proven (Fails("2")) to 20 Proven (Nothing); fails "", unmeasured 12, held "", suggested Some(">=3")
    b Holds: 1 Proven (Nothing) to 17 Proven (Fails("18")); fails "", unmeasured 12, held "", suggested Some(">=1,<18")
    c Holds: 1 Proven (Nothing) to 20 Proven (Nothing); fails "", unmeasured 12, held "", suggested Some(">=1")
    lowest Passed, to blame "", raised "", in the end Passed with a==5 b==5 c==5
    23 installs
    "#);
}

#[test]
fn a_search_that_was_stopped_goes_on_with_its_answers() {
    let truth = |of: &dyn Fn(&str) -> u64| passes((of("a") >= 8 || of("b") >= 9) && of("c") < 17);
    let world = World { truth: &truth, declared: [(5, 20); 3], count: 20, widen: false };
    let (found, verdicts, installs) = world.found();
    // Again, one mixture at a time, each time with a new search.
    let mut answers: Vec<(Mixture, Answer)> = Vec::new();
    let again = loop {
        let mut bounds = world.bounds();
        for (mixture, answer) in &answers {
            bounds.answer(mixture.clone(), answer.clone());
        }
        match bounds.step() {
            Step::Done(again) => break again,
            Step::Try(mixtures) => {
                let mixture = mixtures.into_iter().next_back().unwrap();
                let answer = world.answer(&mixture);
                answers.push((mixture, answer));
            }
        }
    };
    assert_eq!((&again[0], answers.len()), (&found, installs));
    assert_eq!(verdicts.len(), 3);
}

#[test]
fn a_suite_fails_if_one_of_its_tests_does() {
    let record = |ends: &[(&str, crate::facts::record::TestOutcome)]| {
        let tests = ends.iter().map(|(name, end)| testing::test(name, *end, ""));
        testing::record("1.0", "3.11").with_runs(tests)
    };
    assert_eq!(Seen::of(&record(&[("t", Passed), ("u", Passed)])), Seen::Passed);
    assert_eq!(Seen::of(&record(&[("t", Passed), ("u", Failed)])), Seen::Failed);
    assert_eq!(Seen::of(&record(&[("t", Passed), ("t", Failed)])), Seen::Flaky);
    assert_eq!(Seen::of(&record(&[])), Seen::NotMeasured);
    let mut record = record(&[]);
    record.outcome = CellOutcome::BuildFailed;
    assert_eq!(Seen::of(&record), Seen::CannotBeInstalled);
}
