//! `caliper report`: one page of HTML.

use std::fs;

use crate::support::{World, python};

/// What the script of a page reads.
fn data(html: &str) -> serde_json::Value {
    let (_, rest) = html.split_once(r#"id="data">"#).unwrap();
    let (json, _) = rest.split_once("</script>").unwrap();
    serde_json::from_str(json).unwrap()
}

/// The demo passes in 1.0, with another result in 1.1 after one run, and fails in 1.2. What it prints is hostile.
fn measured() -> (World, String) {
    let python = python();
    let config = format!("  python_versions: [\"{python}\"]\n  tests: [t.py]\n");
    let world = World::with_config(&config);
    world.write(
        "t.py",
        "import demo\nprint('</script><img src=x onerror=alert(1)>', demo.works())\n",
    );
    world.wheel("demo", "1.0", &[("demo.py", "def works(): return 'one'\n")]);
    world.wheel("demo", "1.1", &[("demo.py", "def works(): return 'two'\n")]);
    world.wheel("demo", "1.2", &[("demo.py", "")]);
    world.caliper(&["run"]).expect(0);
    (world, python)
}

#[test]
fn a_page_holds_everything_and_asks_for_nothing() {
    let (world, python) = measured();
    let said = world.caliper(&["report"]).expect(0);
    assert!(said.out.is_empty(), "{}", said.out);
    let path = world.project().join(".caliper/report.html");
    let html = fs::read_to_string(&path).unwrap();
    let data = data(&html);
    assert_eq!(data["releases"], serde_json::json!(["1.0", "1.1", "1.2"]));
    assert_eq!(data["columns"][0]["label"], serde_json::json!(python));
    let signs: Vec<&str> = data["cells"]["mark"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mark| {
            data["marks"][usize::try_from(mark.as_u64().unwrap()).unwrap()]["sign"]
                .as_str()
                .unwrap()
        })
        .collect();
    assert_eq!(signs, ["≠?", "✓", "✗"]);
    // Nothing of it is markup, and nothing is loaded.
    assert!(!html.contains("<img src=x"), "what a test printed is markup");
    assert!(!html.contains("src=\"http") && !html.contains("<link"), "it loads something");
    // A report is no part of the project, so that nothing is measured again for it.
    world.caliper(&["report", "-o", "page.html"]).expect(0);
    let planned = world.caliper(&["plan"]).expect(0).out;
    assert!(planned.contains("0  to measure"), "{planned}");
}

#[test]
fn two_sets_of_results_stand_side_by_side() {
    let (world, _) = measured();
    let before = world.project().join("../before");
    fs::create_dir(&before).unwrap();
    fs::copy(world.project().join(".caliper/results.json"), before.join("results.json")).unwrap();
    world.write("t.py", "import demo\nprint(demo)\nassert not hasattr(demo, 'works')\n");
    world.caliper(&["run"]).expect(0);
    world.caliper(&["report", "--against", "../before", "-o", "page.html"]).expect(0);
    let html = fs::read_to_string(world.project().join("page.html")).unwrap();
    let data = data(&html);
    let changes: Vec<&str> = data["against"]["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["kind"].as_str().unwrap())
        .collect();
    assert_eq!(changes, ["regressed", "regressed", "fixed"]);
    insta::assert_snapshot!(world.caliper(&["report", "--against", "nowhere"]).error(2), @"error: there is no `nowhere` to hold the results against: name a folder with `results.json`, or a configuration");
    insta::assert_snapshot!(world.caliper(&["report", "-o", "no/such/page.html"]).error(2), @"error: there is no folder `no/such` to write the page to");
}
