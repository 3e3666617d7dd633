use csv::{Terminator, WriterBuilder};

use super::columns::{Column, Value, object, rows, seconds};
use crate::analysis::results::Results;

/// A line for each run of each test, below a heading ([RFC 4180](https://www.rfc-editor.org/rfc/rfc4180)), with the columns
/// [`Column::ALL`]. A cell that has no tests, such as one that could not be built, has one line without a test.
///
/// A text that a spreadsheet would take for a formula has an apostrophe in front, and control characters are shown as
/// `\u{fffd}`.
pub fn csv(results: &Results) -> String {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    // Writing to memory does not fail.
    let _ = writer.write_record(Column::ALL.map(|column| column.name));
    for row in rows(results) {
        let _ = writer.write_record(row.map(|value| no_formula(&field(&value))));
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn field(value: &Value) -> String {
    match value {
        Value::Nothing => String::new(),
        Value::Text(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Status(number) => number.to_string(),
        Value::Nanoseconds(time) => seconds(*time),
        Value::Boolean(is_so) => is_so.to_string(),
        Value::Numbers(numbers) => object(numbers),
    }
}

/// <https://owasp.org/www-community/attacks/CSV_Injection>
fn no_formula(field: &str) -> String {
    let field = field.replace(|one: char| one.is_control(), "\u{fffd}");
    // A number is none, whatever its sign.
    let is_formula = field.starts_with(['=', '+', '-', '@']) && field.parse::<i64>().is_err();
    if is_formula { format!("'{field}") } else { field }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::record::CellOutcome;
    use crate::facts::record::TestOutcome::{Failed, Passed};
    use crate::facts::record::tests::{record, test};

    #[test]
    fn each_run_of_each_test_has_a_line() {
        let mut unbuilt = record("1.0", "3.11");
        unbuilt.outcome = CellOutcome::BuildFailed;
        let tests = [test("a", Passed, ""), test("a", Failed, ""), test("=b,\"c\"\n", Failed, "")];
        let cells = vec![unbuilt, record("1.1", "3.11").with_runs(tests)];
        let mut results = Results::new("a", "demo".parse().unwrap(), "local", cells).unwrap();
        results.stale.push(record("1.2", "3.11").with_runs([test("a", Passed, "")]));
        // The columns behind `attempt` are the same in all.
        let lines = csv(&results).replace('\r', "");
        let short = lines.lines().map(|line| line.splitn(15, ',').take(14).collect::<Vec<_>>());
        let short: Vec<String> = short.map(|fields| fields.join(",")).collect();
        insta::assert_snapshot!(short.join("\n"), @"");
        insta::assert_snapshot!(lines.lines().nth(2).unwrap(), @"");
    }

    #[test]
    fn a_number_is_no_formula() {
        let cases = [("-11", "-11"), ("-1+1", "'-1+1"), ("=1", "'=1"), ("a=", "a="), ("+1", "+1")];
        for (field, written) in cases {
            assert_eq!(no_formula(field), written);
        }
    }
}
