use std::cell::RefCell;

use proptest::prelude::*;

use super::*;
use crate::analysis::row::tests::states;

/// Searches a history in the signs of [`states`], in which `x` turns out not to be measurable.
/// Returns the row at the end, the releases that were measured or tried, and the steps.
fn searched(signs: &str, search: Search) -> (Vec<State>, BTreeSet<usize>, u32) {
    let results: Vec<char> = signs.chars().collect();
    let truth = states(signs);
    let known = RefCell::new(vec![State::Unmeasured; truth.len()]);
    let same = |a: usize, b: usize| {
        // What was not measured cannot be compared, and neither can a result with a failure.
        let ends = [a, b].map(|release| known.borrow()[release]);
        assert!(ends == [State::Passed; 2] || ends == [State::Failed; 2], "{ends:?}");
        results[a] == results[b]
    };
    let (mut given_up, mut tried, mut steps) = (BTreeSet::new(), BTreeSet::new(), 0);
    loop {
        let row = known.borrow().clone();
        let step = search.step(&row, &given_up, &same);
        assert_eq!(step.wanted.is_empty(), step.steps_left == 0, "{step:?}");
        for release in step.wanted.iter().chain(&step.ahead) {
            assert!(!tried.contains(release), "{release} is wanted again");
        }
        assert!(step.ahead.iter().all(|release| !step.wanted.contains(release)));
        if step.wanted.is_empty() {
            return (row, tried, steps);
        }
        steps += 1;
        for release in step.wanted {
            tried.insert(release);
            if results[release] == 'x' {
                given_up.insert(release);
            } else {
                known.borrow_mut()[release] = truth[release];
            }
        }
    }
}

const ALL: Search = Search { probes: 3, goal: Goal::AllChanges };

fn told(signs: &str, search: Search) -> String {
    let results: Vec<char> = signs.chars().collect();
    let (row, tried, steps) = searched(signs, search);
    let drawn: String = (0..row.len())
        .map(|release| if tried.contains(&release) { results[release] } else { '-' })
        .collect();
    let said = match Answer::of(&row, search.goal) {
        Some(answer) => format!("{answer}\n"),
        None => Coverage::of(&row, &|a, b| results[a] == results[b]).to_string(),
    };
    format!("{drawn} in {steps} steps\n{said}")
}

#[test]
fn a_search_says_what_it_found_and_where_it_did_not_look() {
    let found = [
        told("PPPPPPPPPPPPPFFFFFFFF", ALL),
        // A break that is repaired within a stretch that nobody looked at.
        told("PPFPPPPPPPPPPFFFFFFFF", ALL),
        told("PPPPPPpppppppppppqqqq", ALL),
        // The middle cannot be measured, and one end is flaky.
        told("PPPPPPPPPxx~PFFFFFFF~", ALL),
        told("xxxxxxxxxxxxxxxxxxxxx", ALL),
        told("....................P", ALL),
    ];
    insta::assert_snapshot!(found.join("\n"), @"
    P---------P-PF-F----F in 4 steps
    breaks between 12 and 13 (adjacent; a single run)
    not measured between 0 and 10, which give the same result (9 releases)
    not measured between 10 and 12, which give the same result (1 release)
    not measured between 13 and 15, which fail from the same cause (1 release)
    not measured between 15 and 20, which fail from the same cause (4 releases)

    P---------P-PF-F----F in 4 steps
    breaks between 12 and 13 (adjacent; a single run)
    not measured between 0 and 10, which give the same result (9 releases)
    not measured between 10 and 12, which give the same result (1 release)
    not measured between 13 and 15, which fail from the same cause (1 release)
    not measured between 15 and 20, which fail from the same cause (4 releases)

    P----Pppp-p----ppqq-q in 5 steps
    result changes between 5 and 6 (adjacent; a single run)
    result changes between 16 and 17 (adjacent; a single run)
    not measured between 0 and 5, which give the same result (4 releases)
    not measured between 8 and 10, which give the same result (1 release)
    not measured between 10 and 15, which give the same result (4 releases)
    not measured between 18 and 20, which give the same result (1 release)

    P-------Pxx~PF-F---F~ in 7 steps
    breaks between 12 and 13 (adjacent; a single run)
    not measured between 0 and 8, which give the same result (7 releases)
    not measured between 8 and 12, which give the same result (2 releases)
    not measured between 13 and 15, which fail from the same cause (1 release)
    not measured between 15 and 19, which fail from the same cause (3 releases)

    xxxxxxxxxxxxxxxxxxxxx in 7 steps
    nothing was measured (21 releases)

    ....................P in 10 steps
    ");
}

#[test]
fn between_two_failures_of_different_causes_something_may_work() {
    insta::assert_snapshot!(told("FFFFFFFPPffffffffffff", Search { probes: 2, goal: Goal::AllChanges }), @"
    F----FFPPff---------f in 6 steps
    is fixed between 6 and 7 (adjacent; a single run)
    breaks between 8 and 9 (adjacent; a single run)
    not measured between 0 and 5, which fail from the same cause (4 releases)
    not measured between 10 and 20, which fail from the same cause (9 releases)
    ");
}

#[test]
fn one_question_takes_one_gap() {
    let search = |goal| Search { probes: 5, goal };
    let found = [
        told("PPPPPPPPPPPPPFFFFFFFF", search(Goal::FirstBad)),
        told("PPPFFFFPPPPPPPPPFFFFF", search(Goal::FirstBad)),
        told("PPPFFFFPPPPPPPPPFFFFF", search(Goal::LastGood)),
        told("FFFFFFPPPPPPPPPPPPPPP", search(Goal::FirstBad)),
        told("FFFFFFPPPPPPPPPPPPPPP", search(Goal::LastGood)),
        told("FFFFFFFFFFFFFFFFFFFFF", search(Goal::LastGood)),
    ];
    insta::assert_snapshot!(found.join("\n"), @"
    P----P----P-PF-F----F in 3 steps
    first bad: 13; breaks between 12 and 13 (adjacent; a single run), if the test passes up to some release and fails from the next one on

    P-PF-F----P----PFFF-F in 6 steps
    first bad: 3; breaks between 2 and 3 (adjacent; a single run); 10, 15 contradict that the test passes up to some release and fails from the next one on

    P-PF-F----P----PFFF-F in 7 steps
    last good: 15; breaks between 15 and 16 (adjacent; a single run); 3, 5 contradict that the test passes up to some release and fails from the next one on

    F----F----P----P----P in 1 steps
    no release was seen to fail behind one that passes; 0, 5 contradict that the test passes up to some release and fails from the next one on

    --------------------P in 1 steps
    last good: 20

    F----F----F----F----F in 2 steps
    no release was seen to pass
    ");
}

#[test]
fn probes_are_spread_over_what_can_be_installed() {
    let wanted = |signs: &str, probes| {
        let search = Search { probes, goal: Goal::AllChanges };
        search.step(&states(signs), &BTreeSet::new(), &|_, _| true).wanted
    };
    assert_eq!(wanted("?????????????????????", 5), [0, 5, 10, 15, 20]);
    assert_eq!(wanted("???????????", 0), [0, 10]); // both ends at least
    assert_eq!(wanted("???", 9), [0, 1, 2]);
    assert_eq!(wanted("?", 5), [0]);
    assert_eq!(wanted("", 5), Vec::<usize>::new());
    assert_eq!(wanted("..........???????", 3), [10, 13, 16]);
    // What is known already counts: near the middle for the middle, and at the end for the end.
    assert_eq!(wanted("P?????????P?????????P", 3), Vec::<usize>::new());
    assert_eq!(wanted("P???????P???????????P", 3), Vec::<usize>::new());
    assert_eq!(wanted("?P??????????????????P", 3), [0, 10]);
    assert_eq!(wanted("~?P?????????P???????P", 3), [1]);
}

#[test]
fn ahead_are_both_next_middles() {
    let step = ALL.step(&states("P???????F???????F"), &BTreeSet::new(), &|_, _| true);
    assert_eq!((step.wanted, step.ahead, step.steps_left), (vec![4], vec![2, 6], 3));
}

/// A history: mostly stretches, with islands, and what cannot be measured.
fn histories() -> impl Strategy<Value = String> {
    let signs = vec!['P', 'p', 'q', 'F', 'f', '~', '.', 'x'];
    let stretch = (prop::sample::select(signs), 1..12_usize);
    prop::collection::vec(stretch, 0..12).prop_map(|stretches| {
        stretches.into_iter().map(|(sign, length)| sign.to_string().repeat(length)).collect()
    })
}

proptest! {
    /// What is claimed to be proven is so in the whole history, and every change that is missed lies
    /// where the search says that it did not look.
    #[test]
    fn a_search_claims_only_what_is_so(signs in histories(), probes in 0..9_u32) {
        let results: Vec<char> = signs.chars().collect();
        let same = |a: usize, b: usize| results[a] == results[b];
        let (row, tried, _) = searched(&signs, Search { probes, goal: Goal::AllChanges });
        // In the whole history everything was measured that can be.
        let whole = crate::analysis::row::transitions(
            &states(&signs.replace('x', "?")), &same,
        );
        let coverage = Coverage::of(&row, &same);
        for claim in coverage.adjacent() {
            let mut found = whole.iter().filter(|t| (t.from, t.to) == (claim.from, claim.to));
            let found = found.next().expect("it is in the whole history");
            prop_assert_eq!(found.kind, claim.kind);
            prop_assert!(found.is_adjacent());
            prop_assert!(claim.differs_from.is_none_or(|release| !same(release, claim.to)));
        }
        let mut declared: BTreeSet<usize> =
            coverage.unprobed.iter().flat_map(|stretch| stretch.releases.clone()).collect();
        for transition in coverage.bracketed() {
            declared.extend(&transition.unmeasured);
        }
        prop_assert!(declared.iter().all(|release| row[*release] == State::Unmeasured));
        for truth in &whole {
            let claimed = coverage.adjacent().any(|t| (t.from, t.to) == (truth.from, truth.to));
            let said = (truth.from..=truth.to).any(|release| declared.contains(&release));
            prop_assert!(claimed || said, "{:?} is missed", truth);
        }
        // What works between two failures of different causes is looked for.
        for stretch in coverage.unprobed.iter().filter(|one| one.ends == Some(Ends::OtherFailure)) {
            prop_assert!(stretch.releases.iter().all(|release| tried.contains(release)));
        }
        // It measured no more than there is, and each change that it saw is as narrow as can be.
        prop_assert!(tried.len() <= signs.len());
        for transition in coverage.bracketed() {
            let between = transition.from + 1..transition.to;
            prop_assert!(between.into_iter().all(|release| results[release] != 'P'
                || tried.contains(&release)));
        }
    }

    /// In a history that breaks once, both questions find the place in a few steps.
    #[test]
    fn a_single_break_is_found(good in 1..60_usize, bad in 1..60_usize, probes in 2..7_u32) {
        let signs = "P".repeat(good) + &"F".repeat(bad);
        for goal in [Goal::FirstBad, Goal::LastGood, Goal::AllChanges] {
            let (row, tried, steps) = searched(&signs, Search { probes, goal });
            prop_assert_eq!((row[good - 1], row[good]), (State::Passed, State::Failed));
            prop_assert!(tried.len() <= probes as usize + 7, "{} runs", tried.len());
            prop_assert!(steps <= 9);
            if let Some(answer) = Answer::of(&row, goal) {
                let expected = if goal == Goal::FirstBad { good } else { good - 1 };
                prop_assert_eq!(answer.release, Some(expected));
                prop_assert!(answer.contradicted_by.is_empty());
            }
        }
    }

    /// A relation that is not transitive, as tolerances are not, does not keep it from ending.
    #[test]
    fn tolerances_are_no_trap(values in prop::collection::vec(0..9_i32, 0..60), probes in 2..6_u32) {
        let same = |a: usize, b: usize| (values[a] - values[b]).abs() <= 2;
        let mut row = vec![State::Unmeasured; values.len()];
        let search = Search { probes, goal: Goal::AllChanges };
        loop {
            let step = search.step(&row, &BTreeSet::new(), &same);
            if step.wanted.is_empty() {
                break;
            }
            for release in step.wanted {
                prop_assert_eq!(row[release], State::Unmeasured);
                row[release] = State::Passed;
            }
        }
        for transition in Coverage::of(&row, &same).transitions {
            prop_assert!(transition.is_adjacent());
        }
    }
}
