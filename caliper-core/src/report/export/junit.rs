use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use crate::analysis::compare::Verdict;
use crate::analysis::results::Results;
use crate::facts::record::{CellOutcome, Record, Run, State, TestRecord};

/// The case of a cell that has no tests because it has no environment.
const ENVIRONMENT: &str = "environment";

/// How much of an output is told, in characters.
const MOST_OUTPUT: usize = 10_000;

/// How many further runs of a test are told.
const MOST_RERUNS: usize = 100;

/// Results as `JUnit` XML, of which there is [no standard](https://github.com/testmoapp/junitxml): a suite for each cell, a
/// case for each test. A test that fails is a failure, and so is a result that differs from the baseline's; a cell that
/// could not be built or measured is an error; a cell with nothing to install, and a stale one, is skipped.
///
/// Runs of a test that failed beside the one that is told are a `rerunFailure` each, or a `flakyFailure` if it passes in
/// others, as [Maven Surefire](https://maven.apache.org/surefire/maven-surefire-plugin/examples/rerun-failing-tests.html)
/// writes them.
///
/// In place of characters that XML cannot hold stands `\u{fffd}`.
pub fn junit(results: &Results) -> String {
    let mut suites = Vec::new();
    for (records, is_stale) in [(&results.cells, false), (&results.stale, true)] {
        for record in records {
            suites.push((record.id().to_string(), cases(record, results, is_stale)));
        }
    }
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    // Writing to memory does not fail.
    let _ = written(&mut writer, results, &suites);
    String::from_utf8_lossy(&writer.into_inner()).into_owned() + "\n"
}

/// How a case ended.
enum Ending {
    Passed,
    Skipped(String),
    Failure(String),
    Error(String),
}

/// What is told of a test, or of a cell without tests.
struct Case<'a> {
    name: &'a str,
    ending: Ending,
    /// The run that tells.
    run: Option<&'a Run>,
    /// The name of the elements for further runs that failed, and these runs.
    reruns: (&'static str, Vec<&'a Run>),
}

fn written(
    writer: &mut Writer<Vec<u8>>,
    results: &Results,
    suites: &[(String, Vec<Case<'_>>)],
) -> std::io::Result<()> {
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let name = clean(&format!("{} ({})", results.analysis, results.dependency));
    let suites_tag = writer.create_element("testsuites").with_attribute(("name", name.as_str()));
    suites_tag.write_inner_content(|writer| {
        for (id, cases) in suites {
            let id = clean(id);
            let count = |is_it: fn(&Ending) -> bool| {
                cases.iter().filter(|case| is_it(&case.ending)).count().to_string()
            };
            let suite = writer.create_element("testsuite").with_attributes([
                ("name", id.as_str()),
                ("tests", &cases.len().to_string()),
                ("skipped", &count(|ending| matches!(ending, Ending::Skipped(_)))),
                ("failures", &count(|ending| matches!(ending, Ending::Failure(_)))),
                ("errors", &count(|ending| matches!(ending, Ending::Error(_)))),
            ]);
            suite.write_inner_content(|writer| {
                cases.iter().try_for_each(|case| write_case(writer, &id, case))
            })?;
        }
        Ok(())
    })?;
    Ok(())
}

fn write_case(writer: &mut Writer<Vec<u8>>, suite: &str, case: &Case<'_>) -> std::io::Result<()> {
    let time = case.run.map_or(0, |run| run.nanoseconds);
    let time = format!("{}.{:03}", time / 1_000_000_000, time / 1_000_000 % 1_000);
    let tag = writer.create_element("testcase").with_attributes([
        ("name", clean(case.name).as_str()),
        ("classname", suite),
        ("time", &time),
    ]);
    tag.write_inner_content(|writer| {
        let told = match &case.ending {
            Ending::Passed => None,
            Ending::Skipped(why) => Some(("skipped", why)),
            Ending::Failure(what) => Some(("failure", what)),
            Ending::Error(what) => Some(("error", what)),
        };
        if let Some((tag, message)) = told {
            let message = clean(message);
            writer
                .create_element(tag)
                .with_attribute(("message", message.as_str()))
                .write_empty()?;
        }
        let (tag, reruns) = &case.reruns;
        for run in reruns.iter().take(MOST_RERUNS) {
            let outcome = run.outcome.to_string();
            let message = clean(run.reason.as_ref().unwrap_or(&outcome));
            let message = format!("run {}: {message}", run.attempt);
            let attributes = [("message", message.as_str()), ("type", &outcome)];
            let element = writer.create_element(*tag).with_attributes(attributes);
            element.write_inner_content(|writer| outputs(writer, run))?;
        }
        case.run.map_or(Ok(()), |run| outputs(writer, run))
    })?;
    Ok(())
}

/// The end of what a run printed: errors stand there.
fn outputs(writer: &mut Writer<Vec<u8>>, run: &Run) -> std::io::Result<()> {
    for (tag, output) in [("system-out", &run.output), ("system-err", &run.error)] {
        if !output.is_empty() {
            let skipped = output.chars().count().saturating_sub(MOST_OUTPUT);
            let text: String = output.chars().skip(skipped).collect();
            writer.create_element(tag).write_text_content(BytesText::new(&clean(&text)))?;
        }
    }
    Ok(())
}

/// What XML can hold (<https://www.w3.org/TR/xml/#charsets>).
fn clean(text: &str) -> String {
    let is_held = |one: char| matches!(one, '\t' | '\n' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|one| if is_held(one) { one } else { '\u{fffd}' }).collect()
}

fn cases<'a>(record: &'a Record, results: &Results, is_stale: bool) -> Vec<Case<'a>> {
    let environment = |ending| {
        vec![Case { name: ENVIRONMENT, ending, run: None, reruns: ("rerunFailure", Vec::new()) }]
    };
    if is_stale {
        return environment(Ending::Skipped("stale: it answers an earlier question".to_owned()));
    }
    let outcome = record.outcome.to_string();
    match record.outcome {
        CellOutcome::Tested => {}
        CellOutcome::BuildFailed if record.is_excluded() => {
            return environment(Ending::Skipped(State::Excluded.to_string()));
        }
        CellOutcome::Unavailable => return environment(Ending::Skipped(outcome)),
        CellOutcome::BuildFailed | CellOutcome::NotMeasured => {
            return environment(Ending::Error(outcome));
        }
    }
    record.tests.iter().map(|test| case(test, record, results)).collect()
}

fn case<'a>(test: &'a TestRecord, record: &Record, results: &Results) -> Case<'a> {
    let failed = |run: &&Run| State::over([run.outcome]) == Some(State::Failed);
    let mut failing: Vec<&Run> = test.runs.iter().filter(failed).collect();
    let passing = || test.runs.iter().find(|run| State::over([run.outcome]) == Some(State::Passed));
    // A flaky test is told by a run that passes, and all that fail are beside it.
    let is_flaky = test.state() == Some(State::Flaky);
    let told = match failing.first() {
        Some(first) if !is_flaky => Some(*first),
        _ => passing().or(test.runs.first()),
    };
    if !is_flaky {
        failing.drain(..failing.len().min(1));
    }
    let reruns = (if is_flaky { "flakyFailure" } else { "rerunFailure" }, failing);
    let ending = match test.state() {
        Some(State::Failed) => {
            Ending::Failure(told.map(|run| run.outcome.to_string()).unwrap_or_default())
        }
        // Passing now and then is no failure of the release, as everywhere.
        Some(State::Passed | State::Flaky) => {
            match results.verdicts.verdict(&record.id(), &test.name) {
                Some(Verdict::Different) => Ending::Failure(Verdict::Different.to_string()),
                _ => Ending::Passed,
            }
        }
        _ => Ending::Error(State::NotMeasured.to_string()),
    };
    Case { name: &test.name, ending, run: told, reruns }
}

#[cfg(test)]
mod tests;
