use csv::{Terminator, Writer, WriterBuilder};

use crate::analysis::results::Results;
use crate::facts::record::{CellOutcome, Record, Run, TestRecord};

/// The columns; more may be added behind them.
const COLUMNS: [&str; 13] = [
    "cell",
    "release",
    "python",
    "variant",
    "test",
    "state",
    "verdict",
    "runs",
    "outcome",
    "seconds",
    "cpu_seconds",
    "peak_memory_bytes",
    "stale",
];

/// One line for each test of each cell, below a heading ([RFC 4180](https://www.rfc-editor.org/rfc/rfc4180)). A cell that
/// has no tests, such as one that could not be built, has one line without a test. Times are of the first run.
///
/// A text that a spreadsheet would take for a formula has an apostrophe in front.
pub fn csv(results: &Results) -> String {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    // Writing to memory does not fail.
    let _ = writer.write_record(COLUMNS);
    for (records, is_stale) in [(&results.cells, false), (&results.stale, true)] {
        for record in records {
            if record.tests.is_empty() || record.outcome != CellOutcome::Tested {
                line(&mut writer, results, record, None, is_stale);
                continue;
            }
            for test in &record.tests {
                line(&mut writer, results, record, Some(test), is_stale);
            }
        }
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn line(
    writer: &mut Writer<Vec<u8>>,
    results: &Results,
    record: &Record,
    test: Option<&TestRecord>,
    is_stale: bool,
) {
    let id = record.id();
    let name = test.map(|test| test.name.as_str());
    let state = match name {
        Some(name) => record.state_of(Some(name)).map(|state| state.to_string()),
        None => Some(record.outcome.to_string()),
    };
    let verdict = name.filter(|_| !is_stale).and_then(|name| results.verdicts.verdict(&id, name));
    let run: Option<&Run> = test.and_then(|test| test.runs.first());
    let time = |time: Option<u64>| time.map(seconds).unwrap_or_default();
    let fields = [
        id.to_string(),
        record.version.to_string(),
        record.python.to_string(),
        if record.variant.is_empty() { String::new() } else { record.variant.to_string() },
        name.unwrap_or_default().to_owned(),
        state.unwrap_or_default(),
        verdict.map(|verdict| verdict.to_string()).unwrap_or_default(),
        test.map(|test| test.runs.len().to_string()).unwrap_or_default(),
        run.map(|run| run.outcome.to_string()).unwrap_or_default(),
        time(run.map(|run| run.nanoseconds)),
        time(run.and_then(|run| run.cpu_nanoseconds)),
        run.and_then(|run| run.peak_memory).map(|bytes| bytes.to_string()).unwrap_or_default(),
        is_stale.to_string(),
    ];
    let _ = writer.write_record(fields.map(|field| no_formula(&field)));
}

fn seconds(nanoseconds: u64) -> String {
    format!("{}.{:09}", nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000)
}

/// <https://owasp.org/www-community/attacks/CSV_Injection>
fn no_formula(field: &str) -> String {
    let field = field.replace(|one: char| one.is_control(), "\u{fffd}");
    if field.starts_with(['=', '+', '-', '@']) { format!("'{field}") } else { field }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::record::TestOutcome::{Failed, Passed};
    use crate::facts::record::tests::{record, test};

    #[test]
    fn each_test_of_each_cell_has_a_line() {
        let mut unbuilt = record("1.0", "3.11");
        unbuilt.outcome = CellOutcome::BuildFailed;
        let tests = [test("a", Passed, ""), test("=b,\"c\"\n", Failed, "")];
        let cells = vec![unbuilt, record("1.1", "3.11").with_runs(tests.clone())];
        let mut results = Results::new("a", "demo".parse().unwrap(), "local", cells).unwrap();
        results.stale.push(record("1.2", "3.11").with_runs(tests));
        insta::assert_snapshot!(csv(&results).replace('\r', ""), @r#"
        cell,release,python,variant,test,state,verdict,runs,outcome,seconds,cpu_seconds,peak_memory_bytes,stale
        1.0/3.11,1.0,3.11,,,cannot be built,,,,,,,false
        1.1/3.11,1.1,3.11,,a,passes,,1,passed,0.500000000,,,false
        1.1/3.11,1.1,3.11,,"'=b,""c""�",fails,,1,failed,0.500000000,,,false
        1.2/3.11,1.2,3.11,,a,passes,,1,passed,0.500000000,,,true
        1.2/3.11,1.2,3.11,,"'=b,""c""�",fails,,1,failed,0.500000000,,,true
        "#);
    }
}
