use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value as Json, json};

use super::columns::{Column, ColumnKind, Row, Value, rows, seconds_number};
use crate::analysis::results::Results;

/// A line of JSON for each run of each test: an object with the members [`Column::ALL`], which are `null` where there is
/// nothing to tell. [`Format::Row`](crate::report::schema::Format::Row) is its schema.
pub fn ndjson(results: &Results) -> String {
    let mut lines = String::new();
    for row in rows(results) {
        // Writing plain values to memory does not fail.
        lines += &serde_json::to_string(&Members(&row)).unwrap_or_default();
        lines.push('\n');
    }
    lines
}

struct Members<'a>(&'a Row);

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (column, value) in Column::ALL.iter().zip(self.0) {
            match value {
                Value::Nothing => map.serialize_entry(column.name, &())?,
                Value::Text(text) => map.serialize_entry(column.name, text)?,
                Value::Integer(number) | Value::Seed(number) => {
                    map.serialize_entry(column.name, number)?;
                }
                Value::Status(number) => map.serialize_entry(column.name, number)?,
                Value::Nanoseconds(time) => {
                    map.serialize_entry(column.name, &seconds_number(*time))?;
                }
                Value::Boolean(is_so) => map.serialize_entry(column.name, is_so)?,
                Value::Numbers(numbers) => {
                    let object = numbers.iter().map(|(name, number)| (name.clone(), json!(number)));
                    map.serialize_entry(column.name, &object.collect::<Map<_, _>>())?;
                }
            }
        }
        map.end()
    }
}

/// The JSON Schema of a line.
pub(in crate::report) fn schema() -> Json {
    let member = |column: &Column| {
        let kind = match column.kind {
            ColumnKind::Text => "string",
            ColumnKind::Integer => "integer",
            ColumnKind::Number => "number",
            ColumnKind::Boolean => "boolean",
            ColumnKind::Object => "object",
        };
        let about = json!({"type": [kind, "null"], "description": column.about});
        (column.name.to_owned(), about)
    };
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Row",
        "description": "A run of a test: a line of `caliper export --to ndjson`. More members may be added.",
        "type": "object",
        "properties": Column::ALL.iter().map(member).collect::<Map<_, _>>(),
        "required": Column::ALL.map(|column| column.name),
    })
}

#[cfg(test)]
mod tests;
