use super::*;
use crate::facts::record::TestOutcome::{self, Failed, Passed};
use crate::facts::record::tests::{record, test};

fn said(outcomes: &[(&str, TestOutcome)]) -> String {
    let cells = outcomes
        .iter()
        .map(|(version, outcome)| record(version, "3.11").with_runs([test("t", *outcome, "")]));
    let results = Results::new("a", "demo".parse().unwrap(), "local", cells.collect());
    answer(&results.unwrap()).0
}

#[test]
fn the_answer_is_one_line() {
    assert_eq!(said(&[("1.0", Passed), ("2.0", Passed)]), "1.0 and 2.0 work");
    assert_eq!(said(&[("1.0", Failed), ("2.0", Passed)]), "≥2.0 works");
    assert_eq!(said(&[("1.0", Passed), ("2.0", Failed)]), "<2 works");
    assert_eq!(said(&[("1.0", Failed)]), "no release works");
}

#[test]
fn a_badge_is_an_image_with_a_title() {
    let cells = vec![record("1.0", "3.11").with_runs([test("t", Failed, "")]), {
        record("2.0", "3.11").with_runs([test("t", Passed, "")])
    }];
    let results = Results::new("a", "Jinja2".parse().unwrap(), "local", cells).unwrap();
    insta::assert_snapshot!(badge(&results), @r##"
    <svg xmlns="http://www.w3.org/2000/svg" width="122" height="20" role="img" aria-label="jinja2: ≥2.0 works">
    <title>jinja2: ≥2.0 works</title>
    <clipPath id="round"><rect width="122" height="20" rx="3"/></clipPath>
    <g clip-path="url(#round)"><rect width="44" height="20" fill="#444"/><rect x="44" width="78" height="20" fill="#8a6100"/></g>
    <g fill="#fff" text-anchor="middle" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11"><text x="22" y="14" textLength="32" lengthAdjust="spacingAndGlyphs">jinja2</text><text x="83" y="14" textLength="66" lengthAdjust="spacingAndGlyphs">≥2.0 works</text></g>
    </svg>
    "##);
}
