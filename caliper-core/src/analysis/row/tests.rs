use proptest::prelude::*;

use super::*;
use crate::facts::record::tests::{record, test};
use crate::names::{Sha256, Timestamp};

/// A row of releases 1.0, 1.1, … in signs: `P` and `p` pass with one and another result, `F` fails,
/// `~` is flaky, `?` was not measured, `.` is unavailable.
pub(crate) fn states(signs: &str) -> Vec<State> {
    let state = |sign| match sign {
        'F' | 'f' => State::Failed,
        '~' => State::Flaky,
        '?' => State::Unmeasured,
        '.' => State::Unavailable,
        _ => State::Passed,
    };
    signs.chars().map(state).collect()
}

fn row(signs: &str) -> Row {
    let version = |minor| Version::new([1, minor]);
    Row::new((0..).map(version).zip(states(signs))).unwrap()
}

fn told(signs: &str) -> Vec<String> {
    let results: Vec<char> = signs.chars().collect();
    let same = |a: usize, b: usize| results[a] == results[b];
    row(signs).transitions(&same).iter().map(ToString::to_string).collect()
}

#[test]
fn transitions_read_as_people_say_it() {
    let cases = ["PF", "P?.?F", "P.F", "FP", "PFp", "PFP", "P~F", "P~~F", "Pp", "P?p", "P~?~p"];
    let lines: Vec<String> =
        cases.iter().map(|signs| format!("{signs}: {}", told(signs).join("; "))).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    PF: breaks between 1.0 and 1.1 (adjacent; a single run)
    P?.?F: breaks somewhere from 1.0 to 1.4 (bracketed, 2 releases not measured; a single run)
    P.F: breaks between 1.0 and 1.2 (adjacent; a single run)
    FP: is fixed between 1.0 and 1.1 (adjacent; a single run)
    PFp: breaks between 1.0 and 1.1 (adjacent; a single run); is fixed between 1.1 and 1.2, with another result than 1.0 (adjacent; a single run)
    PFP: breaks between 1.0 and 1.1 (adjacent; a single run); is fixed between 1.1 and 1.2 (adjacent; a single run)
    P~F: breaks between 1.0 and 1.2 (adjacent; a single run; flaky at 1.1)
    P~~F: breaks between 1.0 and 1.3 (adjacent; a single run; flaky at 2 releases between)
    Pp: result changes between 1.0 and 1.1 (adjacent; a single run)
    P?p: result changes somewhere from 1.0 to 1.2 (bracketed, 1 release not measured; a single run)
    P~?~p: result changes somewhere from 1.0 to 1.4 (bracketed, 1 release not measured; a single run; flaky at 2 releases between)
    ");
}

#[test]
fn what_was_not_measured_changes_nothing_by_itself() {
    for signs in ["", "?", "..", "~", "P", "P?P", "F?F", "?P?", "~P~", "P~P", "F~F", "P..P"] {
        assert_eq!(told(signs), Vec::<String>::new(), "{signs}");
    }
}

#[test]
fn a_row_is_monotone_with_one_change_of_ends() {
    for (signs, monotone) in [
        ("PPFF", true),
        ("FFPP", true),
        ("PpPp", true), // results may change as often as they like
        ("P??F", true), // as far as it was measured
        ("PFP", false),
        ("FPF", false),
        ("P~F~F", true),
        ("", true),
    ] {
        assert_eq!(row(signs).is_monotone(), monotone, "{signs}");
    }
    let flaky: Vec<String> = row("P~F~").flaky().iter().map(ToString::to_string).collect();
    assert_eq!(flaky, ["1.1", "1.3"]);
}

#[test]
fn small_steps_add_up_to_a_drift() {
    // Results 0, 1, 2, …, and a tolerance of 2.
    let near = |a: usize, b: usize| a.abs_diff(b) <= 2;
    let told = |signs| -> Vec<String> {
        row(signs).drifts(&near).iter().map(ToString::to_string).collect()
    };
    insta::assert_snapshot!(told("PPPPP").join("\n"), @"result drifts from 1.0 to 1.4, which no single step shows and which may be noise");
    assert_eq!(told("PPP"), Vec::<String>::new());
    assert_eq!(told("PPFPP"), Vec::<String>::new()); // a failing stretch ends it
    assert_eq!(told("P...P"), Vec::<String>::new()); // a transition, and no drift
    assert_eq!(row("P...P").transitions(&near).len(), 1);
    assert_eq!(told("P~P?PFPPPPP").len(), 2);
}

#[test]
fn releases_must_be_in_order() {
    let version = |text: &str| text.parse::<Version>().unwrap();
    let pair = |a, b| Row::new([(version(a), State::Passed), (version(b), State::Passed)]);
    insta::assert_snapshot!(pair("1.10", "1.9").unwrap_err(), @"`1.9` stands behind `1.10`: a row holds each release once, oldest first");
    assert!(pair("1.0", "1.0.0").is_err()); // the same release
    assert!(pair("1.9", "1.10").is_ok());
}

#[test]
fn a_record_tells_the_state_of_each_test() {
    use TestOutcome::{
        Failed, Idle, Killed, NotMeasured, NotRun, OutOfMemory, Passed, ResultsOverLimit, TimedOut,
    };
    let cases: &[(&[TestOutcome], State)] = &[
        (&[Passed, Passed], State::Passed),
        (&[Passed, Failed], State::Flaky),
        (&[TimedOut, Passed], State::Flaky),
        (&[Passed, Killed], State::Passed), // the world's doing says nothing of the subject
        (&[Killed, Failed], State::Failed),
        (&[Idle], State::Failed),
        (&[OutOfMemory, NotRun], State::Failed),
        (&[ResultsOverLimit], State::Failed),
        (&[NotMeasured], State::Unmeasured),
        (&[], State::Unmeasured), // a test that was added later
    ];
    for (outcomes, expected) in cases {
        let runs = outcomes.iter().map(|outcome| test("t", *outcome, ""));
        let mut record = record("1.0", "3.11").with_runs(runs);
        record.tests.push(test("other", Failed, ""));
        assert_eq!(State::of(&record, "t"), *expected, "{outcomes:?}");
    }
    for (outcome, expected) in [
        (CellOutcome::Unavailable, State::Unavailable),
        (CellOutcome::BuildFailed, State::Failed),
        (CellOutcome::NotMeasured, State::Unmeasured),
    ] {
        let mut record = record("1.0", "3.11");
        record.outcome = outcome;
        assert_eq!(State::of(&record, "t"), expected);
    }
}

#[test]
fn a_row_is_read_from_records_of_its_column() {
    use TestOutcome::{Failed, Passed};
    let with = |version, python, outcome, key: &str| {
        let mut record = record(version, python);
        record.tests = vec![test("t", outcome, "")];
        record.key = Sha256::of(key.as_bytes());
        record
    };
    let mut records = [
        with("1.10", "3.11", Passed, "a"),
        with("1.9", "3.11", Failed, "b"),
        with("1.9", "3.12", Passed, "c"),  // another column
        with("1.10", "3.11", Failed, "a"), // the same key: flaky
        with("1.8", "3.11", Passed, "old"),
        with("1.8", "3.11", Failed, "new"),
        with("1.8", "3.11", Passed, "old"),
    ];
    records[5].finished = Timestamp::from_unix_seconds(1_700_000_000);
    let releases = ["1.10", "1.8", "1.11"].map(|version| version.parse().unwrap());
    let python = "3.11".parse().unwrap();
    let row = Row::read(&releases, &records, python, &Variant::default(), "t");
    let read: Vec<(String, State, Option<usize>)> = (0..row.versions().len())
        .map(|index| (row.name(index).to_string(), row.states()[index], row.record(index)))
        .collect();
    assert_eq!(
        read,
        [
            ("1.8".to_owned(), State::Failed, Some(5)),
            ("1.9".to_owned(), State::Failed, Some(1)),
            ("1.10".to_owned(), State::Flaky, Some(0)),
            ("1.11".to_owned(), State::Unmeasured, None),
        ]
    );
}

#[test]
fn a_transition_reads_what_it_wrote() {
    let schema = schemars::schema_for!(Transition<String>);
    let validator = jsonschema::validator_for(schema.as_value()).unwrap();
    for transition in row("P~?F.PFp").transitions(&|_, _| false) {
        let value = serde_json::to_value(&transition).unwrap();
        assert!(validator.is_valid(&value), "{value}");
        assert_eq!(serde_json::from_value::<Transition>(value).unwrap(), transition);
    }
}

proptest! {
    /// Every step from one decided release to the next is told if it changes something, and nothing
    /// else is.
    #[test]
    fn transitions_are_the_steps_that_change(signs in "[PpF~?.]{0,30}") {
        let results: Vec<char> = signs.chars().collect();
        let same = |a: usize, b: usize| results[a] == results[b];
        let states = states(&signs);
        let decided: Vec<usize> = (0..states.len()).filter(|i| states[*i].is_decided()).collect();
        let expected: Vec<(usize, usize)> = decided
            .windows(2)
            .map(|pair| (pair[0], pair[1]))
            .filter(|(a, b)| results[*a] != results[*b])
            .collect();
        let found = transitions(&states, &same);
        let pairs: Vec<_> = found.iter().map(|found| (found.from, found.to)).collect();
        prop_assert_eq!(pairs, expected);
        for transition in found {
            let open = signs[transition.from..transition.to].contains('?');
            prop_assert_eq!(transition.is_adjacent(), !open);
        }
    }

    /// In what order measurements under one key are joined does not matter.
    #[test]
    fn joining_has_no_order(signs in "[PF~?.]{3}") {
        let states = states(&signs);
        let (a, b, c) = (states[0], states[1], states[2]);
        prop_assert_eq!(a.joined(b), b.joined(a));
        prop_assert_eq!(a.joined(b).joined(c), a.joined(b.joined(c)));
        prop_assert_eq!(a.joined(a), a);
    }
}
