//! `JUnit` XML, as pytest writes it and as the runners of Caliper do.
//!
//! There is no standard. This reads the elements `testcase` wherever they stand, and within each the elements `failure`,
//! `error` and `skipped`. pytest's form is <https://docs.pytest.org/en/stable/how-to/output.html>; with
//! `junit_family=xunit1` each test case names its file.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::escape::{resolve_predefined_entity, unescape};
use quick_xml::events::{BytesStart, Event};

use super::excerpt::{self, identifier};
use super::{FunctionDetails, Functions, ReportError};
use crate::facts::record::FunctionOutcome;

/// How much of the text of a failure is held while it is read.
const MOST_TEXT: usize = 256 << 10;

/// A test case that is being read.
struct Case {
    id: String,
    /// What was said of it, the worst last.
    ends: Vec<End>,
}

/// One of the elements in a test case.
struct End {
    outcome: FunctionOutcome,
    message: String,
    text: String,
}

pub(super) fn read(report: &[u8]) -> Result<Functions, ReportError> {
    if report.len() as u64 > super::MOST_BYTES {
        return Err(ReportError::TooLarge);
    }
    let text = String::from_utf8_lossy(report);
    let mut reader = Reader::from_str(&text);
    let mut functions = Functions::default();
    let mut case: Option<Case> = None;
    // Of the elements in a test case the one that is open: other elements, such as what was printed, are passed over.
    let mut inside = false;
    let mut is_report = false;
    loop {
        let event = reader.read_event().map_err(|error| ReportError::Damaged {
            position: reader.error_position(),
            problem: excerpt::line(&error.to_string()),
        })?;
        match event {
            Event::Start(start) => match start.name().as_ref() {
                "testcase" => case = Some(Case::of(&start)),
                name => {
                    is_report |= name.starts_with("testsuite");
                    inside = case.as_mut().is_some_and(|case| case.open(&start));
                }
            },
            Event::Empty(start) => match start.name().as_ref() {
                "testcase" => Case::of(&start).close(&mut functions),
                name => {
                    is_report |= name.starts_with("testsuite");
                    if let Some(case) = &mut case {
                        case.open(&start);
                    }
                }
            },
            Event::Text(text) if inside => push(case.as_mut(), &text.xml10_content()),
            Event::CData(text) if inside => push(case.as_mut(), &text.into_inner()),
            Event::GeneralRef(reference) if inside => {
                let character = reference.resolve_char_ref().ok().flatten();
                let name = reference.into_inner();
                // What a document defines itself is never resolved: its size has no bound.
                let text = match character {
                    Some(character) => Cow::Owned(character.to_string()),
                    None => match resolve_predefined_entity(&name) {
                        Some(text) => Cow::Borrowed(text),
                        None => Cow::Owned(format!("&{name};")),
                    },
                };
                push(case.as_mut(), &text);
            }
            Event::End(end) => {
                inside = false;
                if end.name().as_ref() == "testcase"
                    && let Some(case) = case.take()
                {
                    case.close(&mut functions);
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let damaged = |problem: &str| {
        let problem = problem.to_owned();
        Err(ReportError::Damaged { position: report.len() as u64, problem })
    };
    if case.is_some() {
        return damaged("it ends within a test case");
    }
    if !is_report {
        return damaged("it is no JUnit XML");
    }
    functions.details.sort();
    functions.details.dedup();
    Ok(functions)
}

fn push(case: Option<&mut Case>, text: &str) {
    if let Some(end) = case.and_then(|case| case.ends.last_mut()) {
        end.text.push_str(text);
        // What is raised stands at the end of a traceback, so that the beginning can be left out.
        if end.text.len() > 2 * MOST_TEXT {
            let mut from = end.text.len() - MOST_TEXT;
            while !end.text.is_char_boundary(from) {
                from += 1;
            }
            end.text.drain(..from);
        }
    }
}

/// The value of an attribute, with what was escaped in it.
fn attribute(start: &BytesStart<'_>, name: &str) -> String {
    let mut attributes = start.attributes();
    // Checking that names differ would take quadratic time.
    attributes.with_checks(false);
    let mut found = attributes.flatten().filter(|one| one.key.as_ref() == name);
    found.next().map_or(String::new(), |one| {
        unescape(&one.value).map_or_else(|_| one.value.to_string(), Cow::into_owned)
    })
}

impl Case {
    fn of(start: &BytesStart<'_>) -> Self {
        let [file, class, name] = ["file", "classname", "name"].map(|name| attribute(start, name));
        Self { id: identifier(&id(&file, &class, &name)), ends: Vec::new() }
    }

    /// Begins an element in it. Returns whether it says how the function ended.
    fn open(&mut self, start: &BytesStart<'_>) -> bool {
        let outcome = match start.name().as_ref() {
            "failure" => FunctionOutcome::Failed,
            "error" => FunctionOutcome::Error,
            "skipped" => {
                let (kind, message) = (attribute(start, "type"), attribute(start, "message"));
                // pytest before 4 gives no type.
                if kind == "pytest.xfail" || message.starts_with("expected test failure") {
                    FunctionOutcome::Xfailed
                } else {
                    FunctionOutcome::Skipped
                }
            }
            _ => return false,
        };
        self.ends.push(End { outcome, message: attribute(start, "message"), text: String::new() });
        true
    }

    fn close(self, functions: &mut Functions) {
        let id = self.id;
        if self.ends.is_empty() {
            functions.add(id, FunctionOutcome::Passed, None);
            return;
        }
        for End { outcome, message, text } in self.ends {
            let said = FunctionDetails::new(id.clone(), outcome, &message, &text);
            let said =
                Some(said).filter(|said| !(said.message.is_empty() && said.traceback.is_empty()));
            functions.add(id.clone(), outcome, said);
        }
    }
}

/// The id of a function as pytest writes it: `tests/test_a.py::TestX::test_y[1]`.
///
/// The class is `tests.test_a.TestX`, so what it says beside the file is what follows the file's own name with dots. That
/// of a module that cannot be imported has no class, and is the file alone.
fn id(file: &str, class: &str, name: &str) -> String {
    match (file, class) {
        ("", "") => name.to_owned(),
        ("", class) => format!("{class}::{name}"),
        (file, "") => file.to_owned(),
        (file, class) => {
            let module = file.strip_suffix(".py").unwrap_or(file).replace('/', ".");
            match class.strip_prefix(&*module).map(|rest| (rest, rest.strip_prefix('.'))) {
                Some(("", _)) => format!("{file}::{name}"),
                Some((_, Some(classes))) => {
                    format!("{file}::{}::{name}", classes.replace('.', "::"))
                }
                // A method that the class has from another file: that is where it is.
                _ => format!("{class}::{name}"),
            }
        }
    }
}
