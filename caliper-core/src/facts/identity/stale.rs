//! Why a cell must be measured although it was measured before.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Manifest, Parts};
use crate::facts::record::{BlobRef, Record};
use crate::names::excerpt;
use crate::question::plan::{Plan, PlannedCell, Recipe, Test};

/// A reason to measure a cell.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stale {
    /// It has no record.
    New,
    /// Its last measurement was an infrastructure failure, or was interrupted.
    Unfinished,
    /// It was asked for.
    Asked,
    /// More runs of a test are wanted than the record has.
    MoreRuns {
        /// The test.
        test: String,
    },
    /// There was no such test.
    NewTest {
        /// The test.
        test: String,
    },
    /// A file that tests find changed.
    File {
        /// Its path in the project.
        path: String,
        /// How.
        change: Change,
    },
    /// Something that has one value changed.
    Value {
        /// What, such as `interpreter`, or `limits.timeout` of a test.
        what: String,
        /// The test, if it is one's own.
        test: Option<String>,
        /// What it was; `None` for nothing, and for what is too long to show.
        from: Option<String>,
        /// What it is.
        to: Option<String>,
    },
    /// An entry of a list was added or taken out.
    Entry {
        /// The list, such as `requirements`.
        what: String,
        /// The test, if it is one's own.
        test: Option<String>,
        /// The entry.
        entry: String,
        /// [`Change::New`] or [`Change::Gone`].
        change: Change,
    },
    /// The record does not say what it was made from.
    Unknown,
}

/// How a file or an entry changed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It was not there.
    New,
    /// It was something else.
    Changed,
    /// It is not there any more.
    Gone,
}

impl Stale {
    /// Why a record does not answer what is asked now. `parts` are those of now, and `older` gives what was kept
    /// with the record; `manifest` reads manifests.
    pub fn between(
        record: &Record,
        older: Option<&Parts>,
        (plan, cell, recipe): (&Plan, &PlannedCell, &Recipe),
        parts: &Parts,
        manifest: &dyn Fn(BlobRef) -> Option<Manifest>,
    ) -> Vec<Self> {
        let mut found = BTreeSet::new();
        if record.outcome.is_spurious() || record.interrupted {
            found.insert(Self::Unfinished);
        }
        of_record(record, plan, cell, recipe, &mut found);
        if let Some(older) = older {
            maps("", None, &older.environment, &parts.environment, &mut found);
            // What changed for all tests is told of those of the user.
            let import = |name: &str| name == Test::IMPORT;
            let (last, first): (Vec<_>, Vec<_>) =
                parts.tests.iter().partition(|(name, _)| import(name));
            for (name, test) in first.into_iter().chain(last) {
                if import(name) && !found.is_empty() {
                    continue;
                }
                let Some(before) = older.tests.get(name) else {
                    found.insert(Self::NewTest { test: name.clone() });
                    continue;
                };
                maps("", Some(name), &before.decides, &test.decides, &mut found);
                if before.files != test.files {
                    match (manifest(before.files), manifest(test.files)) {
                        (Some(before), Some(now)) => files(&before, &now, &mut found),
                        _ => _ = found.insert(Self::Unknown),
                    }
                }
            }
        }
        if found.is_empty() {
            found.insert(Self::Unknown);
        }
        found.into_iter().collect()
    }
}

/// What the record itself says about its environment.
fn of_record(
    record: &Record,
    plan: &Plan,
    cell: &PlannedCell,
    recipe: &Recipe,
    found: &mut BTreeSet<Stale>,
) {
    let mut value = |what: &str, from: Option<String>, to: Option<String>| {
        if from != to {
            found.insert(Stale::Value { what: what.to_owned(), test: None, from, to });
        }
    };
    let environment = &record.environment;
    value("backend", Some(environment.backend.clone()), Some(recipe.backend.clone()));
    let before = environment.interpreter.as_ref();
    let now = cell.file().and_then(|_| plan.interpreter(cell.id.python));
    let version = |one: Option<&crate::question::interpreter::Interpreter>| {
        one.map(|interpreter| interpreter.version.to_string())
    };
    value("interpreter", version(before), version(now));
    if version(before) == version(now) && before != now {
        value("platform of the interpreter", Some(String::new()), None);
    }
    let digest = |sha256: Option<crate::names::Sha256>, url: &str, name: &str| match sha256 {
        Some(sha256) => format!("{name} {}", &sha256.hex()[..12]),
        None => url.to_owned(),
    };
    let before = environment.file.as_ref();
    let before = before.map(|file| digest(file.sha256, &file.url, &file.filename));
    let now = cell.file().map(|file| digest(file.sha256, &file.url, &file.filename));
    value("file", before, now);
    let name = |base: &Option<crate::question::plan::Base>| {
        base.as_ref().map(|base| {
            let digest = base.digest.trim_start_matches("sha256:");
            format!("{} {}", base.name, digest.get(..12).unwrap_or(digest))
        })
    };
    value("base image", name(&environment.base), name(&recipe.base));
    if environment.dockerfile != recipe.dockerfile {
        found.insert(Stale::Value {
            what: "Dockerfile".to_owned(),
            test: None,
            from: None,
            to: None,
        });
    }
}

/// The differences of two objects; `above` names what they are in.
fn maps(
    above: &str,
    test: Option<&String>,
    before: &Map<String, Value>,
    now: &Map<String, Value>,
    found: &mut BTreeSet<Stale>,
) {
    let keys: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    for key in keys {
        let (one, other) = (before.get(key), now.get(key));
        if one == other {
            continue;
        }
        let what = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        let nothing = Value::Null;
        match (one.unwrap_or(&nothing), other.unwrap_or(&nothing)) {
            (Value::Object(one), Value::Object(other)) => maps(&what, test, one, other, found),
            // Where there is no overlay, each file of one is new or gone.
            (Value::Object(one), Value::Null) if what == OVERLAY => {
                maps(&what, test, one, &Map::new(), found);
            }
            (Value::Null, Value::Object(other)) if what == OVERLAY => {
                maps(&what, test, &Map::new(), other, found);
            }
            // The order of a command matters, and its words mean nothing alone.
            (one, other) if (one.is_array() || other.is_array()) && key != "command" => {
                entries(&what, test, one, other, found);
            }
            (one, other) => {
                let (from, to) = (text(one), text(other));
                found.insert(Stale::Value { what, test: test.cloned(), from, to });
            }
        }
    }
}

fn entries(
    what: &str,
    test: Option<&String>,
    before: &Value,
    now: &Value,
    found: &mut BTreeSet<Stale>,
) {
    let set = |value: &Value| -> BTreeSet<String> {
        value.as_array().into_iter().flatten().filter_map(text).collect()
    };
    let (before, now) = (set(before), set(now));
    let mut add = |entry: &String, change| {
        found.insert(Stale::Entry {
            what: what.to_owned(),
            test: test.cloned(),
            entry: entry.clone(),
            change,
        });
    };
    now.difference(&before).for_each(|entry| add(entry, Change::New));
    before.difference(&now).for_each(|entry| add(entry, Change::Gone));
    if before == now {
        let (what, test) = (format!("order of {what}"), test.cloned());
        found.insert(Stale::Value { what, test, from: None, to: None });
    }
}

fn files(before: &Manifest, now: &Manifest, found: &mut BTreeSet<Stale>) {
    let paths: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    for path in paths {
        let change = match (before.get(path), now.get(path)) {
            (None, _) => Change::New,
            (_, None) => Change::Gone,
            (one, other) if one != other => Change::Changed,
            _ => continue,
        };
        found.insert(Stale::File { path: path.clone(), change });
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(words) => Some(words.iter().filter_map(text).collect::<Vec<_>>().join(" ")),
        other => Some(other.to_string()),
    }
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::New => "is new",
            Self::Changed => "changed",
            Self::Gone => "is gone",
        })
    }
}

impl fmt::Display for Stale {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |test: &Option<String>| match test {
            Some(test) => format!(" of the test `{}`", excerpt(test, 60)),
            None => String::new(),
        };
        match self {
            Self::New => formatter.write_str("not measured yet"),
            Self::Unfinished => formatter.write_str("the last run could not measure it"),
            Self::Asked => formatter.write_str("`--rerun` asks for it"),
            Self::MoreRuns { test } => {
                write!(formatter, "more runs of the test `{}` are wanted", excerpt(test, 60))
            }
            Self::NewTest { test } => {
                write!(formatter, "the test `{}` is new", excerpt(test, 60))
            }
            Self::File { path, change } => write!(formatter, "`{path}` {change}"),
            Self::Value { what, test, .. } if what == "key" => {
                write!(
                    formatter,
                    "this Caliper looks at other things than the one that recorded it"
                )?;
                formatter.write_str(&of(test))
            }
            Self::Value { what, test, from, to } => {
                write!(formatter, "{}{}", named(what), of(test))?;
                match (from, to) {
                    // Digests say nothing to a person.
                    _ if what == CONTEXT => formatter.write_str(" changed"),
                    (None, Some(_)) if overlaid(what).is_some() => formatter.write_str(" is new"),
                    (Some(_), None) if overlaid(what).is_some() => formatter.write_str(" is gone"),
                    _ if overlaid(what).is_some() => formatter.write_str(" changed"),
                    (Some(from), Some(_)) if what == CONTENT && !from.is_empty() => {
                        formatter.write_str(" changed")
                    }
                    (Some(from), Some(to)) if !from.is_empty() => {
                        write!(formatter, ": {} → {}", excerpt(from, 60), excerpt(to, 60))
                    }
                    (None, Some(to)) => write!(formatter, ": now {}", excerpt(to, 60)),
                    (Some(from), None) if !from.is_empty() => {
                        write!(formatter, ": no longer {}", excerpt(from, 60))
                    }
                    _ => formatter.write_str(" changed"),
                }
            }
            Self::Entry { what, test, entry, change } => {
                let what = what.trim_start_matches("test.");
                write!(formatter, "`{}` in `{what}`{} {change}", excerpt(entry, 60), of(test))
            }
            Self::Unknown => formatter.write_str("the record does not say what it was made from"),
        }
    }
}

/// The part of [`Parts::environment`] that is the digest of what a Dockerfile copies.
const CONTEXT: &str = "recipe.context";

/// The part that is the digest of the project's own package.
const CONTENT: &str = "project.content";

/// The part that holds the digests of the files of overlays.
const OVERLAY: &str = "overlay";

/// The file of an overlay that a part is the digest of.
fn overlaid(what: &str) -> Option<&str> {
    what.strip_prefix(OVERLAY)?.strip_prefix('.')
}

/// A part in words.
fn named(what: &str) -> String {
    if let Some(file) = overlaid(what) {
        return format!("the overlay of {file}");
    }
    match what.trim_start_matches("test.") {
        CONTEXT => "what the Dockerfile copies of the project".to_owned(),
        CONTENT => "the project's own package".to_owned(),
        "as_of" => "the date of the index".to_owned(),
        key if key.starts_with("environment.") => format!("the variable `{}`", &key[12..]),
        key if key.contains('.') => format!("`{key}`"),
        word => format!("the {word}"),
    }
}

#[cfg(test)]
mod tests;
