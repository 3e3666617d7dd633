//! What must hold of every format.

use proptest::prelude::*;

use super::*;
use crate::analysis::Analysis;
use crate::analysis::results::Results;
use crate::facts::record::TestOutcome::{Failed, Killed, NotRun, Passed, TimedOut};
use crate::facts::record::tests::{record, run, test};
use crate::facts::record::{
    BlobRef, BuildReason, BuildRecord, CellOutcome, Installed, Record, TestRecord,
};
use crate::names::{Sha256, Timestamp};
use crate::question::criteria::Criteria;

/// Texts that are markup, commands or nothing printable to somebody.
const HOSTILE: &str =
    "=1+1]]>\u{0}\u{1b}[2J\r\n<script>alert(1)</script>&amp;'\"`|@you\u{202e}\u{fffe}\\{{}}';--";

/// Results with one cell of each kind, whose names and outputs are `text`.
fn results_with(text: &str) -> Results {
    let of = |mut record: Record| {
        record.variant.insert("axis", "label");
        record.environment.installed = vec![Installed::new(text, text)];
        record.reason = Some(text.to_owned());
        record
    };
    let runs = || {
        let mut noisy = test(text, Failed, text);
        let mut second = run(Passed, text);
        second.attempt = 2;
        second.measures.insert(text.to_owned(), 0.5);
        second.measures.insert("nan".to_owned(), f64::NAN);
        second.batch = Some(text.to_owned());
        second.started = Some(Timestamp::from_unix_seconds(1_600_000_100));
        second.peak_memory = Some(u64::MAX);
        second.seed = Some(u64::MAX);
        noisy.runs[0].seed = Some(7);
        noisy.runs.push(second);
        [
            noisy,
            test("t.py", Failed, text),
            test("import", NotRun, ""),
            TestRecord::new("r", [text]),
        ]
    };
    let mut unbuilt = of(record("1.0", "3.11"));
    unbuilt.outcome = CellOutcome::BuildFailed;
    let mut build = BuildRecord::new(Some(BuildReason::CompilerMissing), u64::MAX);
    build.log = Some(BlobRef(Sha256::of(text.as_bytes())));
    unbuilt.build = Some(build);
    let mut nothing = of(record("1.1", "3.11"));
    (nothing.outcome, nothing.build) = (CellOutcome::Unavailable, None);
    let mut lost = of(record("1.4", "3.11")).with_runs([test(text, Killed, text)]);
    lost.outcome = CellOutcome::NotMeasured;
    let cells = vec![
        unbuilt,
        nothing,
        of(record("1.2", "3.11")).with_runs(runs()),
        // The original knows no axes.
        record("1.3", "3.11").with_runs([test(text, Passed, "1"), test("t.py", TimedOut, "")]),
        lost,
    ];
    let mut results = Results::new(text, "demo".parse().unwrap(), text, cells).unwrap();
    results.stale.push(of(record("1.5", "3.11")).with_runs(runs()));
    let criteria = Criteria::default();
    results.read_through(&Analysis::new(&[], None, &criteria, &|_| None), &[])
}

pub(in crate::report) fn hostile() -> Results {
    results_with(HOSTILE)
}

/// Checks what each format demands of every text.
fn check(results: &Results, text: &str) {
    let xml = |text: &str| {
        let mut reader = quick_xml::Reader::from_str(text);
        loop {
            match reader.read_event().unwrap() {
                quick_xml::events::Event::Eof => break,
                _ => assert!(reader.error_position() == 0),
            }
        }
        let is_held = |one: char| matches!(one, '\n' | '\t' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        assert!(text.chars().all(is_held), "{text:?}");
    };
    xml(&junit(results));
    xml(&badge(results));
    for line in ndjson(results).lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).unwrap().is_object());
    }
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    json(&sarif(results, &SourceTree::default()));
    json(&trace(results));
    for file in legacy(results, &|_| Some(text.to_owned())).files {
        json(&file.content);
        assert!(!file.name.contains(['/', '\\', '\0']), "{}", file.name);
    }
    let table = csv(results);
    let mut reader = ::csv::Reader::from_reader(table.as_bytes());
    for fields in reader.records() {
        for field in &fields.unwrap() {
            assert!(!field.starts_with(['=', '@']), "{field}");
            assert!(!field.contains(char::is_control), "{field:?}");
        }
    }
    for text in [markdown(results, None), markdown_table(results)] {
        assert!(text.len() <= LONGEST);
        let is_plain = |one: char| one == '\n' || !one.is_control();
        assert!(text.chars().all(is_plain), "{text:?}");
    }
    #[cfg(feature = "parquet")]
    assert!(parquet(results).unwrap().starts_with(b"PAR1"));
    #[cfg(feature = "sqlite")]
    {
        assert!(sqlite(results).unwrap().starts_with(b"SQLite format 3\0"));
        let (bytes, is_new) = remember(None, results).unwrap();
        assert!(is_new && history(&bytes).unwrap().studies.len() == 1);
    }
}

#[test]
fn hostile_texts_break_no_format() {
    check(&hostile(), HOSTILE);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_text_breaks_a_format(text in "\\PC{0,40}|[\\x00-\\x7f]{1,40}|[=+@<>&\"'`|\\]\\[{}\u{202e}\u{fffe}]{1,20}") {
        check(&results_with(&text), &text);
    }
}
