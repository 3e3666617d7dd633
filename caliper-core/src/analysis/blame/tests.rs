use proptest::prelude::*;

use super::*;

type Set = BTreeSet<usize>;

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn pins(count: usize) -> Vec<Pin> {
    let pin = |index| Pin {
        name: format!("p{index:02}").parse().unwrap(),
        from: Some(version("1")),
        to: Some(version("2")),
    };
    (0..count).map(pin).collect()
}

const PATIENT: Effort = Effort { tries: 3, runs: None };

/// Blames in a world, and checks that no settled combination is asked for again.
fn blamed(
    count: usize,
    effort: Effort,
    world: impl Fn(&Set) -> Outcome,
) -> (Conclusion, Vec<(Set, Outcome)>) {
    let mut blame = Blame::new(pins(count), effort);
    let mut asked: Vec<(Set, Outcome)> = Vec::new();
    loop {
        match blame.step() {
            Step::Try(taken) => {
                let again = asked.iter().filter(|(set, _)| *set == taken);
                assert!(again.clone().all(|(_, outcome)| *outcome == Outcome::Flaky));
                assert!(again.count() < effort.tries as usize);
                assert_eq!(blame.step(), Step::Try(taken.clone()), "a step changes nothing");
                let outcome = world(&taken);
                asked.push((taken.clone(), outcome));
                blame.answer(taken, outcome);
            }
            Step::Done(conclusion) => {
                assert_eq!(blame.runs() as usize, asked.len());
                return (conclusion, asked);
            }
        }
    }
}

fn found(conclusion: Conclusion) -> Found {
    match conclusion {
        Conclusion::Found(found) => found,
        Conclusion::NotReproduced { .. } => panic!("{conclusion:?}"),
    }
}

fn set(found: &Found) -> Set {
    found.pins.iter().map(|blamed| blamed.pin.name.normalized()[1..].parse().unwrap()).collect()
}

/// Bad if one of the guilty sets is taken as a whole.
fn any_of(guilty: &[&[usize]], taken: &Set) -> Outcome {
    let is_bad = guilty.iter().any(|set| set.iter().all(|pin| taken.contains(pin)));
    if is_bad { Outcome::Bad } else { Outcome::Good }
}

/// In short: the found pins, with `?` for each that was not shown to be needed, and the rest and the runs.
fn told(conclusion: Conclusion) -> String {
    let found = found(conclusion);
    let sign = |blamed: &Blamed| match blamed.unproven {
        None => "",
        Some(Unproven::Unresolvable) => "?",
        Some(Unproven::Flaky) => "~",
        Some(Unproven::Untried) => "…",
    };
    let pins: Vec<String> =
        found.pins.iter().map(|blamed| format!("{}{}", blamed.pin.name, sign(blamed))).collect();
    format!("{} rest {:?} runs {}", pins.join(" "), found.rest, found.runs)
}

/// Compares a whole table, so that a failure shows each row that is wrong.
fn assert_all<'a, C>(
    cases: &'a [C],
    is: impl Fn(&'a C) -> String,
    expected: impl Fn(&'a C) -> &'a str,
) {
    let is: Vec<String> = cases.iter().map(is).collect();
    assert_eq!(is, cases.iter().map(expected).collect::<Vec<_>>());
}

#[test]
fn guilty_pins_are_found() {
    let cases: &[(usize, &[&[usize]], &str)] = &[
        (1, &[&[0]], "p00 rest Good runs 2"), // the ends say everything
        (2, &[&[1]], "p01 rest Good runs 4"),
        (2, &[&[0, 1]], "p00 p01 rest Good runs 4"),
        (8, &[&[5]], "p05 rest Good runs 7"),
        (8, &[&[2, 5]], "p02 p05 rest Good runs 11"),
        (8, &[&[0, 1, 2, 3, 4, 5, 6, 7]], "p00 p01 p02 p03 p04 p05 p06 p07 rest Good runs 22"),
        // Either suffices: the one whose last pin comes first is found, and the rest still is bad.
        (8, &[&[2], &[5]], "p02 rest Bad runs 7"),
        (8, &[&[2, 7], &[5]], "p05 rest Bad runs 7"),
        (40, &[&[17]], "p17 rest Good runs 9"),
    ];
    let is = |(count, guilty, _): &(usize, &[&[usize]], _)| {
        told(blamed(*count, PATIENT, |taken| any_of(guilty, taken)).0)
    };
    assert_all(cases, is, |(_, _, expected)| expected);
}

#[test]
fn ends_that_are_not_so_are_told() {
    let unresolvable = Known::Unproven(Unproven::Unresolvable);
    let cases = [
        // With no pins and all pins, then what is told.
        (Outcome::Bad, Outcome::Bad, Known::Bad, None, 1),
        (Outcome::Good, Outcome::Good, Known::Good, Some(Known::Good), 2),
        (Outcome::Good, Outcome::Unresolvable, Known::Good, Some(unresolvable), 2),
        (Outcome::Unresolvable, Outcome::Bad, unresolvable, None, 1),
        (Outcome::Flaky, Outcome::Bad, Known::Unproven(Unproven::Flaky), None, 3),
    ];
    for (none, all, good, bad, runs) in cases {
        let (conclusion, _) = blamed(4, PATIENT, |taken| if taken.is_empty() { none } else { all });
        assert_eq!(conclusion, Conclusion::NotReproduced { good, bad, runs });
    }
    // Equal locks differ in nothing.
    let (conclusion, _) = blamed(0, PATIENT, |_| Outcome::Good);
    let bad = Some(Known::Good);
    assert_eq!(conclusion, Conclusion::NotReproduced { good: Known::Good, bad, runs: 1 });
}

/// `a` cannot be taken without `b` for each `(a, b)`.
fn with_ranges(requires: &[(usize, usize)], taken: &Set, outcome: Outcome) -> Outcome {
    let broken = requires.iter().any(|(a, b)| taken.contains(a) && !taken.contains(b));
    if broken { Outcome::Unresolvable } else { outcome }
}

#[test]
fn what_cannot_be_installed_is_told_or_worked_around() {
    type Ranges = &'static [(usize, usize)];
    let cases: &[(Ranges, &[usize], &str)] = &[
        // The guilty pin needs another one, which therefore cannot be left out.
        (&[(2, 5)], &[2], "p02 p05? rest Good runs 13"),
        // Another pin needs the guilty one.
        (&[(2, 5)], &[5], "p05 rest Unproven(Unresolvable) runs 8"),
        // Two that are not guilty need each other.
        (&[(2, 5), (5, 2)], &[4], "p04 rest Good runs 8"),
        // Two need each other, and one is guilty: which one cannot be said.
        (&[(2, 5), (5, 2)], &[2], "p02? p05? rest Good runs 19"),
    ];
    let is = |(requires, guilty, _): &(Ranges, &[usize], _)| {
        let world = |taken: &Set| with_ranges(requires, taken, any_of(&[guilty], taken));
        told(blamed(8, PATIENT, world).0)
    };
    assert_all(cases, is, |(_, _, expected)| expected);
}

#[test]
fn flaky_combinations_are_asked_again() {
    // The run without pin 3, which decides whether it is needed, is always flaky.
    let (conclusion, asked) = blamed(8, PATIENT, |taken| match any_of(&[&[3, 6]], taken) {
        _ if *taken == Set::from([6]) => Outcome::Flaky,
        outcome => outcome,
    });
    assert_eq!(asked.iter().filter(|(_, outcome)| *outcome == Outcome::Flaky).count(), 3);
    let found = found(conclusion);
    assert_eq!((set(&found), found.is_minimal()), (Set::from([3, 6]), false));
    let unproven: Vec<_> = found.unproven().map(|(pin, why)| (pin.to_string(), why)).collect();
    assert_eq!(unproven, [("p03 1 -> 2".to_owned(), Unproven::Flaky)]);
    assert_eq!(found.needed().count(), 1);

    // Once settled, a flaky answer is forgotten.
    let mut blame = Blame::new(pins(1), PATIENT);
    blame.answer(Set::new(), Outcome::Flaky);
    blame.answer(Set::new(), Outcome::Good);
    assert_eq!(blame.step(), Step::Try(Set::from([0])));
    assert_eq!(blame.runs(), 2);
}

#[test]
fn a_budget_ends_with_what_is_left() {
    let cases = [
        (2, "p00… p01… p02… p03… p04… p05… p06… p07… rest Good runs 2"),
        (4, "p00… p01… p02… p03… p04… p05… rest Unproven(Untried) runs 4"),
        (6, "p05 rest Unproven(Untried) runs 6"),
        (7, "p05 rest Good runs 7"),
    ];
    let is = |(runs, _): &(u32, _)| {
        let effort = Effort { tries: 3, runs: Some(*runs) };
        told(blamed(8, effort, |taken| any_of(&[&[5]], taken)).0)
    };
    assert_all(&cases, is, |(_, expected)| expected);
    let (conclusion, _) =
        blamed(8, Effort { tries: 1, runs: Some(0) }, |_| unreachable!("it has no runs"));
    let good = Known::Unproven(Unproven::Untried);
    assert_eq!(conclusion, Conclusion::NotReproduced { good, bad: None, runs: 0 });
}

#[test]
fn contradictions_are_told() {
    // Pin 0 needs pin 5 to break anything, unless it is alone: some other pin repairs it.
    let world = |taken: &Set| match (taken.contains(&0), taken.contains(&5) || taken.len() == 1) {
        (true, true) => Outcome::Bad,
        _ => Outcome::Good,
    };
    let (conclusion, asked) = blamed(8, PATIENT, world);
    let found = found(conclusion);
    assert_eq!(set(&found), Set::from([0]));
    assert!(found.is_minimal() && found.contradictory);
    assert!(asked.contains(&((0..4).collect(), Outcome::Good)));
}

#[test]
fn locks_are_compared_and_mixed() {
    let lock = |pins: &[(&str, &str)]| -> BTreeMap<PackageName, Version> {
        pins.iter().map(|(name, text)| (name.parse().unwrap(), version(text))).collect()
    };
    let good = lock(&[("a", "1"), ("B_b", "1.0"), ("gone", "3"), ("same", "1")]);
    let bad = lock(&[("a", "2"), ("b-b", "1"), ("new", "4"), ("same", "1.0")]);
    let blame = Blame::new(Pin::differing(&good, &bad), PATIENT);
    let told: Vec<String> = blame.pins().iter().map(Pin::to_string).collect();
    assert_eq!(told, ["a 1 -> 2", "gone 3 -> (absent)", "new (absent) -> 4"]);
    assert_eq!(blame.mixed(&good, &Set::new()), good);
    assert_eq!(blame.mixed(&good, &Set::from([0, 1, 2])), bad);
    let mixed = lock(&[("a", "1"), ("b-b", "1"), ("new", "4"), ("same", "1")]);
    assert_eq!(blame.mixed(&good, &Set::from([1, 2, 9])), mixed);
}

/// Blames in a world whose outcomes are `signs`, one for each release after the good end: `G`ood, `B`ad,
/// cannot be `.`installed, `~` flaky. Returns the last good and first bad one, what is between, and the runs.
fn bisected(signs: &str, effort: Effort) -> String {
    let release = |index: usize| version(&format!("1.{index}"));
    let releases: Vec<Version> = (0..signs.len()).map(release).collect();
    let last = releases.last().cloned();
    let pin = Pin { name: "x".parse().unwrap(), from: Some(release(0)), to: last };
    let mut bisect = Bisect::new(&pin, &releases, effort).unwrap();
    loop {
        match bisect.step() {
            Step::Try(release) => {
                let index = bisect.releases().iter().position(|one| *one == release).unwrap();
                let outcome = match signs.as_bytes()[index] {
                    b'G' => Outcome::Good,
                    b'B' => Outcome::Bad,
                    b'.' => Outcome::Unresolvable,
                    b'~' => Outcome::Flaky,
                    other => panic!("{other}"),
                };
                bisect.answer(release, outcome);
            }
            Step::Done(done) => {
                assert_eq!(done.is_adjacent(), done.between.is_empty());
                let between: Vec<String> =
                    done.between.iter().map(|(one, why)| format!("{one} {why:?}")).collect();
                let FirstBad { last_good, first_bad, runs, .. } = done;
                return format!("{last_good} | {} | {first_bad}, {runs}", between.join(", "));
            }
        }
    }
}

#[test]
fn releases_are_bisected() {
    let cases = [
        ("GB", "1.0 |  | 1.1, 0"), // both ends are known
        ("GGGGGBBBB", "1.4 |  | 1.5, 3"),
        ("GBBBBBBBB", "1.0 |  | 1.1, 3"),
        ("GGGG.BBBB", "1.3 | 1.4 Unresolvable | 1.5, 5"),
        (
            "GG.....BB",
            "1.1 | 1.2 Unresolvable, 1.3 Unresolvable, 1.4 Unresolvable, 1.5 Unresolvable, 1.6 Unresolvable | 1.7, 7",
        ),
        ("G..GGBBBB", "1.4 |  | 1.5, 3"),
        ("GGGG~BBBB", "1.3 | 1.4 Flaky | 1.5, 7"),
        ("G.B", "1.0 | 1.1 Unresolvable | 1.2, 1"),
    ];
    assert_all(&cases, |(signs, _)| bisected(signs, PATIENT), |(_, expected)| expected);
    let two = Effort { tries: 1, runs: Some(2) };
    assert_eq!(bisected("GGGGGBBBB", two), "1.4 | 1.5 Untried | 1.6, 2");
}

#[test]
fn only_what_lies_between_is_bisected() {
    let versions: Vec<Version> = ["3", "1", "2", "0.1", "2.5"].map(version).to_vec();
    let pin = |from: Option<&str>, to: Option<&str>| Pin {
        name: "x".parse().unwrap(),
        from: from.map(version),
        to: to.map(version),
    };
    let releases = |from, to| {
        let bisect = Bisect::new(&pin(from, to), &versions, PATIENT)?;
        Some(bisect.releases().iter().map(Version::to_string).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(releases(Some("1"), Some("2.6")).as_deref(), Some("1 2 2.5 2.6"));
    assert_eq!(releases(Some("2.5"), Some("1.0")).as_deref(), Some("2.5 2 1")); // a downgrade
    assert_eq!(releases(Some("1"), Some("1.0")), None);
    assert_eq!(releases(None, Some("1")), None);
    assert_eq!(releases(Some("1"), None), None);
}

/// A world: how many pins, and the guilty sets, any one of which suffices.
fn worlds(most_sets: usize) -> impl Strategy<Value = (usize, Vec<Vec<usize>>)> {
    (1..=40_usize).prop_flat_map(move |count| {
        let one = prop::collection::btree_set(0..count, 1..=count.min(4))
            .prop_map(|set| set.into_iter().collect::<Vec<_>>());
        (Just(count), prop::collection::vec(one, 1..=most_sets))
    })
}

fn is_bad(guilty: &[Vec<usize>], taken: &Set) -> bool {
    guilty.iter().any(|set| set.iter().all(|pin| taken.contains(pin)))
}

fn outcome(guilty: &[Vec<usize>], taken: &Set) -> Outcome {
    if is_bad(guilty, taken) { Outcome::Bad } else { Outcome::Good }
}

/// Whether the claims are what was measured.
fn check(found: &Found, asked: &[(Set, Outcome)], all: usize) -> Result<(), TestCaseError> {
    let pins = set(found);
    let measured =
        |set: &Set| asked.iter().any(|(taken, outcome)| taken == set && *outcome == Outcome::Bad);
    prop_assert!(measured(&pins));
    for blamed in &found.pins {
        let pin: usize = blamed.pin.name.normalized()[1..].parse().unwrap();
        let without: Set = pins.iter().copied().filter(|one| *one != pin).collect();
        let answers: Vec<Outcome> =
            asked.iter().filter(|(taken, _)| *taken == without).map(|(_, one)| *one).collect();
        match blamed.unproven {
            None => prop_assert_eq!(answers.last(), Some(&Outcome::Good)),
            Some(Unproven::Unresolvable) => {
                prop_assert_eq!(answers.last(), Some(&Outcome::Unresolvable));
            }
            Some(Unproven::Flaky) => prop_assert_eq!(answers, vec![Outcome::Flaky; 3]),
            Some(Unproven::Untried) => prop_assert!(!answers.contains(&Outcome::Good)),
        }
    }
    let rest: Set = (0..all).filter(|pin| !pins.contains(pin)).collect();
    let answer = asked.iter().rev().find(|(taken, _)| *taken == rest).map(|(_, one)| *one);
    match found.rest {
        Known::Good => prop_assert_eq!(answer, Some(Outcome::Good)),
        Known::Bad => prop_assert_eq!(answer, Some(Outcome::Bad)),
        Known::Unproven(_) => {
            prop_assert!(!matches!(answer, Some(Outcome::Good | Outcome::Bad)));
        }
    }
    Ok(())
}

/// An arbitrary but fixed property that this share of all combinations has.
fn falls(taken: &Set, seed: u64, percent: u64) -> bool {
    let mut hash = seed ^ 0x9e37_79b9_7f4a_7c15;
    for pin in taken {
        hash = (hash ^ (*pin as u64 + 1)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash ^= hash >> 29;
    }
    hash % 100 < percent
}

proptest! {
    /// One guilty set: exactly it is found, within the stated number of runs.
    #[test]
    fn a_guilty_set_is_found((count, guilty) in worlds(1)) {
        let (conclusion, asked) = blamed(count, PATIENT, |taken| outcome(&guilty, taken));
        let found = found(conclusion);
        check(&found, &asked, count)?;
        prop_assert_eq!(set(&found), guilty[0].iter().copied().collect::<Set>());
        prop_assert!(found.is_minimal() && !found.contradictory);
        prop_assert_eq!(found.rest, Known::Good);
        prop_assert!(asked.len() <= Blame::most_runs(count, guilty[0].len()));
    }

    /// Several guilty sets: a minimal one is found, and the rest is bad if another one is left.
    #[test]
    fn one_of_several_guilty_sets_is_found((count, guilty) in worlds(4)) {
        let (conclusion, asked) = blamed(count, PATIENT, |taken| outcome(&guilty, taken));
        let found = found(conclusion);
        check(&found, &asked, count)?;
        let pins = set(&found);
        prop_assert!(found.is_minimal() && is_bad(&guilty, &pins));
        for pin in &pins {
            let without: Set = pins.iter().copied().filter(|one| one != pin).collect();
            prop_assert!(!is_bad(&guilty, &without));
        }
        prop_assert!(asked.len() <= Blame::most_runs(count, pins.len()));
    }

    /// Combinations that cannot be installed, by ranges and at random, and flaky ones: nothing is claimed that
    /// was not measured, the found set is bad, and it ends.
    #[test]
    fn nothing_is_claimed_that_was_not_measured(
        (count, guilty) in worlds(2),
        ranges in prop::collection::vec((0..40_usize, 0..40_usize), 0..6),
        (seed, percent) in (any::<u64>(), 0..60_u64),
        runs in prop::option::of(0..60_u32),
    ) {
        let ranges: Vec<(usize, usize)> =
            ranges.into_iter().map(|(a, b)| (a % count, b % count)).collect();
        let world = |taken: &Set| {
            let is_end = taken.is_empty() || taken.len() == count;
            match outcome(&guilty, taken) {
                _ if !is_end && falls(taken, seed, percent / 2) => Outcome::Flaky,
                outcome if is_end || !falls(taken, !seed, percent) => with_ranges(&ranges, taken, outcome),
                _ => Outcome::Unresolvable,
            }
        };
        let effort = Effort { tries: 3, runs };
        let (conclusion, asked) = blamed(count, effort, world);
        prop_assert!(runs.is_none_or(|most| asked.len() <= most as usize));
        match conclusion {
            Conclusion::NotReproduced { .. } => prop_assert!(runs.is_some_and(|most| most < 2)),
            Conclusion::Found(found) => {
                check(&found, &asked, count)?;
                prop_assert!(is_bad(&guilty, &set(&found)));
                prop_assert!(!found.contradictory);
            }
        }
    }

    /// Outcomes without any order: it ends, with a set that is bad and of which each pin is needed.
    #[test]
    fn any_world_ends(count in 1..12_usize, seed in any::<u64>(), percent in 0..100_u64) {
        let world = |taken: &Set| match taken.len() {
            0 => Outcome::Good,
            some if some == count || falls(taken, seed, percent) => Outcome::Bad,
            _ => Outcome::Good,
        };
        let (conclusion, asked) = blamed(count, PATIENT, world);
        let found = found(conclusion);
        check(&found, &asked, count)?;
        prop_assert!(found.is_minimal());
    }

    /// The change is found wherever it is, and all that is not judged is told.
    #[test]
    fn the_first_bad_release_is_found(good in 0..40_usize, bad in 0..40_usize, holes in any::<u64>()) {
        let signs = format!("G{}{}B", "G".repeat(good), "B".repeat(bad));
        let told = bisected(&signs, PATIENT);
        let (change, runs) = told.split_once(", ").unwrap();
        prop_assert_eq!(change, format!("1.{good} |  | 1.{}", good + 1));
        let between = usize::BITS - (good + bad).leading_zeros();
        prop_assert!(runs.parse::<u32>().unwrap() <= between);

        let last = signs.len() - 1;
        let hole = |index: usize| (1..last).contains(&index) && holes >> (index % 64) & 1 == 1;
        let with_holes: String = signs
            .char_indices()
            .map(|(index, sign)| if hole(index) { '.' } else { sign })
            .collect();
        let last_good = (0..=good).rev().find(|index| !hole(*index)).unwrap();
        let first_bad = (good + 1..=last).find(|index| !hole(*index)).unwrap();
        let between: Vec<String> =
            (last_good + 1..first_bad).map(|index| format!("1.{index} Unresolvable")).collect();
        let expected = format!("1.{last_good} | {} | 1.{first_bad}, ", between.join(", "));
        prop_assert!(bisected(&with_holes, PATIENT).starts_with(&expected));
    }
}
