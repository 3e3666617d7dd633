//! Where in the user's project a failure is.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};

use super::{MOST_LISTED, printed};
use crate::facts::record::Record;

/// Where the project lies that was measured, so that results can name its files.
pub struct SourceTree<'a> {
    /// The folder of the project, relative to the root of its repository: empty, or with `/` at its end.
    pub prefix: String,
    /// The configuration, relative to the project. Results without another place stand there.
    pub configuration: String,
    /// Whether the project has a file with this path.
    pub has: &'a dyn Fn(&str) -> bool,
}

impl Default for SourceTree<'_> {
    /// A project at the root of its repository, of which no file is known.
    fn default() -> Self {
        Self { prefix: String::new(), configuration: "caliper.yaml".to_owned(), has: &|_| false }
    }
}

impl std::fmt::Debug for SourceTree<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { prefix, configuration, has: _ } = self;
        formatter.debug_struct("SourceTree").field("at", &(prefix, configuration)).finish()
    }
}

/// A line of a traceback of Python, or of pytest's short form.
static FRAME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?m)^\s*File "([^"\n]{1,1000})", line (\d{1,9})|^([^\s:]{1,1000}\.py):(\d{1,9}): "#,
    )
    .ok()
});

impl SourceTree<'_> {
    /// The places of a failure that `record` is an example of, the most telling first: at least one.
    pub(super) fn locations<'t>(
        &self,
        record: Option<&Record>,
        tests: impl Iterator<Item = &'t str>,
        places: &[&str],
    ) -> Vec<Value> {
        let mut found: Vec<(String, u32)> = Vec::new();
        let mut add = |path: String, line: u32| {
            let is_new = found.iter().all(|(known, _)| *known != path);
            if is_new && found.len() < MOST_LISTED {
                found.push((path, line));
            }
        };
        let tests: Vec<&str> = tests.collect();
        for test in &tests {
            let text = record.and_then(|record| printed(record, test)).unwrap_or_default();
            // The innermost line of the project stands last.
            if let Some((path, line)) = self.frames(&text).pop() {
                add(path, line);
            }
        }
        for place in places {
            let path = place.split("::").next().unwrap_or(place);
            let path = path.split(" in ").next().unwrap_or(path);
            if (self.has)(path) {
                add(path.to_owned(), 1);
            }
        }
        for test in &tests {
            let command = record.and_then(|record| record.test(test)).map(|test| &test.command);
            for word in command.into_iter().flatten().filter(|word| (self.has)(word)) {
                add(word.clone(), 1);
            }
        }
        if found.is_empty() {
            found.push((self.configuration.clone(), 1));
        }
        found.iter().map(|(path, line)| self.location(path, *line)).collect()
    }

    /// The lines of the project that a text names, in their order.
    fn frames(&self, text: &str) -> Vec<(String, u32)> {
        let Some(regex) = &*FRAME else { return Vec::new() };
        let frames = regex.captures_iter(text).filter_map(|frame| {
            let path = frame.get(1).or(frame.get(3))?.as_str();
            let line = frame.get(2).or(frame.get(4))?.as_str().parse().ok()?;
            Some((self.file(path)?, line))
        });
        frames.collect()
    }

    /// The file of the project that a path of a traceback is: tests run in copies of the project, so the folders in front
    /// do not matter.
    fn file(&self, path: &str) -> Option<String> {
        if ["site-packages", "dist-packages", "/lib/python"].iter().any(|part| path.contains(part))
        {
            return None;
        }
        let mut rest = path.trim_start_matches("./");
        loop {
            if !rest.is_empty() && !rest.starts_with('/') && (self.has)(rest) {
                return Some(rest.to_owned());
            }
            rest = rest.split_once('/')?.1;
        }
    }

    fn location(&self, path: &str, line: u32) -> Value {
        let uri = escaped(&format!("{}{path}", self.prefix));
        json!({"physicalLocation": {
            "artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": line.max(1)},
        }})
    }
}

/// A path as a relative reference ([RFC 3986](https://www.rfc-editor.org/rfc/rfc3986), 2.3 and 4.2).
fn escaped(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(byte.into());
            }
            _ => uri += &format!("%{byte:02X}"),
        }
    }
    uri
}

#[cfg(test)]
mod tests;
