//! JSON in one form only, so that equal values have equal digests.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::names::Sha256;

/// The digest of a value: over its JSON with sorted keys and without white space, where `null`,
/// `false`, and empty texts, lists and objects under a key are left out.
///
/// Left out, because then a field that is added later and has its default changes no digest.
pub(super) fn digest(value: &impl Serialize) -> Sha256 {
    // Plain values under textual keys can always be written.
    let value = serde_json::to_value(value).unwrap_or_else(|error| unreachable!("{error}"));
    let mut text = String::new();
    write(&value, &mut text);
    Sha256::of(text.as_bytes())
}

/// The value as an object, without what its digest leaves out.
pub(super) fn object(value: &impl Serialize) -> Map<String, Value> {
    fn lean(value: Value) -> Value {
        match value {
            Value::Object(map) => {
                let map = map.into_iter().filter(|(_, value)| !is_default(value));
                Value::Object(map.map(|(key, value)| (key, lean(value))).collect())
            }
            other => other,
        }
    }
    match serde_json::to_value(value).map(lean) {
        Ok(Value::Object(map)) => map,
        other => unreachable!("{other:?}"),
    }
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Array(values) => {
            text.push('[');
            for (index, value) in values.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "," });
                write(value, text);
            }
            text.push(']');
        }
        Value::Object(map) => {
            // Sorted here: whether the library sorts depends on what else is compiled in.
            let entries: BTreeMap<&String, &Value> =
                map.iter().filter(|(_, value)| !is_default(value)).collect();
            text.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "," });
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write(value, text);
            }
            text.push('}');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

fn is_default(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) | Value::Number(_) => false,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_one_form() {
        let text = |json: &str| {
            let mut text = String::new();
            write(&serde_json::from_str(json).unwrap(), &mut text);
            text
        };
        assert_eq!(
            text(r#"{"b": [1, 0.5, {}], "a": "\u00e9\n"}"#),
            "{\"a\":\"é\\n\",\"b\":[1,0.5,{}]}"
        );
        assert_eq!(
            text(r#"{"a": null, "b": "", "c": [], "d": {}, "e": false, "f": 0}"#),
            r#"{"f":0}"#
        );
    }
}
