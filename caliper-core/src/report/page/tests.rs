use super::*;
use crate::analysis::Analysis;
use crate::facts::record::TestOutcome::{Failed, Passed};
use crate::facts::record::tests::{record, test};
use crate::question::criteria::Criteria;

fn results(records: Vec<crate::facts::record::Record>) -> Results {
    let criteria = Criteria::default();
    let analysis = Analysis::new(&[], None, &criteria, &|_| None);
    Results::of_records("a <b>", "demo".parse().unwrap(), records, &analysis, &[]).unwrap()
}

#[test]
fn nothing_from_a_test_is_markup() {
    let hostile = "</script><img src=x onerror=alert(1)>\u{2028}";
    let mut failing = record("1.1", "3.11").with_runs([test(hostile, Failed, hostile)]);
    failing.variant.insert("<i>", "&amp;");
    let passing = record("1.0", "3.11").with_runs([test(hostile, Passed, "a")]);
    let html =
        page(&results(vec![passing, failing]), None, None, Room::default(), &|_| None).unwrap();
    assert!(!html.contains("<img src=x"), "a tag of a test is in the page");
    assert!(html.contains("&lt;b&gt;") || html.contains("&lt;b&#"), "the title is escaped");
    let scripts = html.matches("</script>").count();
    let opened = html.matches("<script").count();
    assert_eq!(scripts, opened);
}

#[test]
fn the_policy_names_the_script_that_the_page_has() {
    let results = results(vec![record("1.0", "3.11").with_runs([test("t", Passed, "a")])]);
    let html = page(&results, None, None, Room::default(), &|_| None).unwrap();
    let (_, rest) = html.split_once("<script>").unwrap();
    let (script, _) = rest.split_once("</script>").unwrap();
    let digest = BASE64_STANDARD.encode(Sha256::digest(script.as_bytes()));
    assert!(html.contains(&format!("sha256-{digest}")), "{digest}");
}
