//! Reads the parts that every key is made of: mappings, lists, words, times and sizes.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use super::{At, Entries, Node, Reader};
use crate::question::config::units;
use crate::question::template::nearest;

impl Reader<'_> {
    /// The entries of a mapping. Reports keys that are unknown, repeated or without a value.
    pub(super) fn mapping<'n>(
        &mut self,
        at: &At<'n>,
        what: &str,
        known: &[&str],
    ) -> Option<Entries<'n>> {
        let Node::Mapping(pairs) = at.node else {
            let help = format!("it holds {}", list(known));
            self.problem_with_help(at, format!("{what} must be keys with values"), help);
            return None;
        };
        let mut entries = Entries::new();
        for (index, (key, node)) in pairs.iter().enumerate() {
            let child = at.child(index, node);
            if !known.contains(&key.as_str()) {
                let help = match nearest(key, known.iter().copied()) {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => format!("the keys here are {}", list(known)),
                };
                self.push(&child, true, format!("unknown key `{}`", shorten(key)), Some(help));
            } else if entries.contains_key(key.as_str()) {
                self.second_time(&child, key);
            } else if *node == Node::Null {
                let message = format!("`{key}` has no value");
                self.push(&child, true, message, Some("give it one, or leave the line out".into()));
            } else {
                entries.insert(key, child);
            }
        }
        Some(entries)
    }

    /// Says that a key stands twice in a mapping.
    pub(super) fn second_time(&mut self, at: &At<'_>, key: &str) {
        let message = format!("`{}` stands here a second time", shorten(key));
        self.push(at, true, message, Some("keep one of the two".into()));
    }

    /// The text of a scalar as it was written, whatever type YAML gives it.
    pub(super) fn text(&mut self, at: &At<'_>, what: &str) -> Option<String> {
        match at.node {
            Node::Scalar { text, .. } if !text.trim().is_empty() => Some(text.clone()),
            Node::Scalar { .. } => {
                self.problem(at, format!("{what} is empty"));
                None
            }
            Node::Tagged => {
                self.problem(at, "YAML tags have no meaning here; leave the `!…` out");
                None
            }
            Node::Null | Node::Sequence(_) | Node::Mapping(_) => {
                self.problem(at, format!("{what} must be one value"));
                None
            }
        }
    }

    pub(super) fn parsed<T: FromStr<Err: Display>>(
        &mut self,
        at: &At<'_>,
        what: &str,
    ) -> Option<T> {
        let text = self.text(at, what)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                // Some errors of the version library draw the text on further lines.
                let error = error.to_string();
                self.problem(at, format!("{what}: {}", error.lines().next().unwrap_or_default()));
                None
            }
        }
    }

    /// The elements of a list.
    pub(super) fn list<'n>(&mut self, at: &At<'n>, what: &str) -> Vec<At<'n>> {
        let Node::Sequence(nodes) = at.node else {
            self.problem(at, format!("{what} must be a list: `[one, another]`"));
            return Vec::new();
        };
        nodes.iter().enumerate().map(|(index, node)| at.child(index, node)).collect()
    }

    pub(super) fn choice<T: Copy>(
        &mut self,
        at: &At<'_>,
        what: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text(at, what)?;
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
            return Some(*value);
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        self.problem(at, format!("{what} is {}, not `{}`", list(&names), shorten(&text)));
        None
    }

    pub(super) fn duration(&mut self, at: &At<'_>) -> Option<Duration> {
        let text = self.text(at, "a time")?;
        units::duration(&text).map_err(|message| self.problem(at, message)).ok()
    }

    pub(super) fn bytes(&mut self, at: &At<'_>) -> Option<u64> {
        let text = self.text(at, "a size")?;
        units::bytes(&text).map_err(|message| self.problem(at, message)).ok()
    }
}

/// `a`, `b` and `c`, for people.
pub(super) fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// The start of a long text, for messages.
pub(super) fn shorten(text: &str) -> String {
    if text.chars().count() <= 80 {
        text.to_owned()
    } else {
        text.chars().take(79).chain(['…']).collect()
    }
}
