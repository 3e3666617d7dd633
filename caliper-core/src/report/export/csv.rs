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
        Value::Integer(number) | Value::Seed(number) => number.to_string(),
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
mod tests;
