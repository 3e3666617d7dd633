//! JSON, by what it says.
//!
//! The order of keys and the space between things do not matter. A key that comes twice is compared
//! with its double, so nothing is dropped. Keys are compared as they are: rules are for values.

mod parse;

use std::collections::BTreeMap;

use super::source::Source;
use super::{Outcome, ResultFormat, Weaker, both, in_memory, text};
use crate::analysis::compare::collector::{Collector, Pair};
use crate::analysis::compare::comparison::{Place, ReadAs, hashed};
use crate::analysis::compare::items::Item;
use crate::analysis::compare::nearest::Nearest;
use crate::analysis::compare::rules::Lens;
use crate::analysis::compare::show;
use crate::question::criteria::{Policy, Tolerance};

use parse::{Value, read};

/// JSON documents, notebooks among them.
pub(super) struct Json;

impl ResultFormat for Json {
    fn endings(&self) -> &'static [&'static str] {
        &["json", "ipynb", "geojson"]
    }

    fn read_as(&self) -> ReadAs {
        ReadAs::Json
    }

    fn compare(&self, sides: [Source<'_>; 2], collector: &mut Collector<'_>) -> Outcome {
        let (expected, actual) = in_memory("JSON", sides)?;
        let (expected, actual) = both("JSON", Weaker::Text, read(expected), read(actual))?;
        compare(&expected, &actual, collector);
        Ok(Vec::new())
    }

    fn items(&self, result: &[u8], lens: &Lens<'_>) -> Option<Vec<Item>> {
        let Ok(value) = read(result) else { return Some(text::items(result, lens)) };
        let mut found = Vec::new();
        items(&value, &mut Vec::new(), lens, &mut found);
        Some(found)
    }

    fn labelled(&self, result: &[u8], lens: &Lens<'_>, found: &mut dyn FnMut(&str, Nearest)) {
        let Ok(value) = read(result) else { return text::labelled(result, lens, found) };
        leaves(&value, &mut Vec::new(), lens.policy, &mut |steps, leaf| {
            if let Leaf::Number(number) = leaf
                && let Some(number) = Nearest::read(number)
            {
                let [path, _] = names(steps);
                found(&path, number);
            }
        });
    }
}

/// Adds the values in `value` that are not ignored, each with the way there as its key.
fn items<'a>(
    value: &'a Value<'a>,
    steps: &mut Vec<Step<'a>>,
    lens: &Lens<'_>,
    found: &mut Vec<Item>,
) {
    let policy = lens.policy;
    leaves(value, steps, policy, &mut |steps, leaf| {
        found.push(match leaf {
            Leaf::Number(number) => {
                let tolerance = tolerance(steps, policy);
                Item::number(hashed(&path(steps)), number, &tolerance)
            }
            Leaf::Text(text) => {
                let tolerance = tolerance(steps, policy);
                Item::text(Some(hashed(&path(steps))), text, &tolerance, lens)
            }
            Leaf::Word(word) => {
                Item::text(Some(hashed(&path(steps))), word, &policy.tolerance, lens)
            }
        });
    });
}

/// A value that holds no others.
enum Leaf<'a> {
    Word(&'a str),
    Number(&'a str),
    Text(&'a str),
}

/// Goes through the values in `value` that are not ignored.
fn leaves<'a>(
    value: &'a Value<'a>,
    steps: &mut Vec<Step<'a>>,
    policy: &Policy,
    each: &mut dyn FnMut(&[Step<'a>], Leaf<'a>),
) {
    if !policy.ignore.fields.is_empty() {
        let [path, key] = names(steps);
        if policy.ignored(&[&path, &key]).is_some() {
            return;
        }
    }
    match value {
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                steps.push(Step::Index(index));
                leaves(value, steps, policy, each);
                steps.pop();
            }
        }
        Value::Object(values) => {
            for (key, value) in values {
                steps.push(Step::Key(key));
                leaves(value, steps, policy, each);
                steps.pop();
            }
        }
        Value::Number(number) => each(steps, Leaf::Number(number)),
        Value::Text(text) => each(steps, Leaf::Text(text)),
        Value::Word(word) => each(steps, Leaf::Word(word)),
    }
}

fn compare(expected: &Value<'_>, actual: &Value<'_>, collector: &mut Collector<'_>) {
    values(expected, actual, &mut Vec::new(), collector);
}

/// A step from a value to one within it.
#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

/// The way to a value, such as `.a[3].b`.
fn path(steps: &[Step<'_>]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Index(index) => path.push_str(&format!("[{index}]")),
            Step::Key(key) => {
                let plain = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
                if (1..=80).contains(&key.len()) && key.chars().all(plain) {
                    path.push('.');
                    path.push_str(&show::excerpt(key));
                } else {
                    path.push_str(&format!("[\"{}\"]", show::excerpt(key)));
                }
            }
        }
    }
    path
}

fn values<'a>(
    expected: &'a Value<'a>,
    actual: &'a Value<'a>,
    steps: &mut Vec<Step<'a>>,
    collector: &mut Collector<'_>,
) {
    if !collector.policy().ignore.fields.is_empty() && is_ignored(steps, collector) {
        return;
    }
    match (expected, actual) {
        (Value::Number(left), Value::Number(right)) => {
            let pair = Pair::written(left, right);
            let spelled = || ((*left).to_owned(), (*right).to_owned());
            let tolerance = tolerance(steps, collector.policy());
            collector.pair(pair, &tolerance, &|| place(steps), &spelled);
        }
        (Value::Text(left), Value::Text(right)) => {
            collector.text(left, right, &tolerance(steps, collector.policy()), &|| place(steps));
        }
        (Value::Array(left), Value::Array(right)) => {
            for (index, (left, right)) in left.iter().zip(right).enumerate() {
                steps.push(Step::Index(index));
                values(left, right, steps, collector);
                steps.pop();
                if collector.decided() {
                    return;
                }
            }
            if left.len() != right.len() {
                let of = |length: usize| format!("{length} elements");
                collector.other(&|| place(steps), &of(left.len()), &of(right.len()));
            }
        }
        (Value::Object(left), Value::Object(right)) => objects(left, right, steps, collector),
        (Value::Word(left), Value::Word(right)) if left == right => {}
        (
            Value::Word(_) | Value::Number(_) | Value::Text(_) | Value::Array(_) | Value::Object(_),
            _,
        ) => collector.other(&|| place(steps), &shown(expected), &shown(actual)),
    }
}

fn objects<'a>(
    left: &'a [(std::borrow::Cow<'a, str>, Value<'a>)],
    right: &'a [(std::borrow::Cow<'a, str>, Value<'a>)],
    steps: &mut Vec<Step<'a>>,
    collector: &mut Collector<'_>,
) {
    // The first of several values of a key is the last in its list.
    let mut rest: BTreeMap<&str, Vec<&Value<'_>>> = BTreeMap::new();
    for (key, value) in right.iter().rev() {
        rest.entry(key).or_default().push(value);
    }
    for (key, value) in left {
        steps.push(Step::Key(key));
        match rest.get_mut(&**key).and_then(Vec::pop) {
            Some(other) => values(value, other, steps, collector),
            None if is_ignored(steps, collector) => {}
            None => collector.other(&|| place(steps), &shown(value), "nothing"),
        }
        steps.pop();
        if collector.decided() {
            return;
        }
    }
    let more =
        right.iter().filter(|(key, _)| rest.get(&**key).is_some_and(|rest| !rest.is_empty()));
    for (key, value) in more {
        steps.push(Step::Key(key));
        let ignored = is_ignored(steps, collector);
        if !ignored {
            collector.other(&|| place(steps), "nothing", &shown(value));
        }
        steps.pop();
        if !ignored {
            return;
        }
    }
}

/// The names of the value at the end of the steps: its path, and the key nearest to it.
fn names(steps: &[Step<'_>]) -> [String; 2] {
    let path = path(steps);
    let path = path.strip_prefix('.').unwrap_or(&path).to_owned();
    let key = steps.iter().rev().find_map(|step| match step {
        Step::Key(key) => Some((*key).to_owned()),
        Step::Index(_) => None,
    });
    [path.clone(), key.unwrap_or(path)]
}

fn is_ignored(steps: &[Step<'_>], collector: &mut Collector<'_>) -> bool {
    if collector.policy().ignore.fields.is_empty() {
        return false;
    }
    let [path, key] = names(steps);
    collector.ignores_field(&[&path, &key])
}

/// The tolerance of the value at the end of the steps, by its path and by the key nearest to it.
fn tolerance(steps: &[Step<'_>], policy: &Policy) -> Tolerance {
    if policy.fields.is_empty() {
        return policy.tolerance;
    }
    let [path, key] = names(steps);
    *policy.of_field(&[&path, &key])
}

fn place(steps: &[Step<'_>]) -> Place {
    Place::Field { path: format!("${}", path(steps)) }
}

fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Word(text) | Value::Number(text) => (*text).to_owned(),
        Value::Text(text) => format!("\"{text}\""),
        Value::Array(values) => format!("an array of {}", values.len()),
        Value::Object(values) => format!("an object of {}", values.len()),
    }
}
