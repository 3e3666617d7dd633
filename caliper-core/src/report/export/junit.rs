use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use crate::analysis::compare::Verdict;
use crate::analysis::results::Results;
use crate::facts::record::{CellOutcome, Record, Run, State, TestRecord};

/// The case of a cell that has no tests because it has no environment.
const ENVIRONMENT: &str = "environment";

/// How much of an output is told, in characters.
const MOST_OUTPUT: usize = 10_000;

/// Results as `JUnit` XML, of which there is [no standard](https://github.com/testmoapp/junitxml): a suite for each cell, a
/// case for each test. A test that fails is a failure, and so is a result that differs from the baseline's; a cell that
/// could not be built or measured is an error; a cell with nothing to install, and a stale one, is skipped.
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

/// A case: its name, how it ended, and the run that tells.
type Case<'a> = (&'a str, Ending, Option<&'a Run>);

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
                cases.iter().filter(|(_, ending, _)| is_it(ending)).count().to_string()
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
    let (name, ending, run) = case;
    let time = run.map_or(0, |run| run.nanoseconds);
    let time = format!("{}.{:03}", time / 1_000_000_000, time / 1_000_000 % 1_000);
    let tag = writer.create_element("testcase").with_attributes([
        ("name", clean(name).as_str()),
        ("classname", suite),
        ("time", &time),
    ]);
    tag.write_inner_content(|writer| {
        let told = match ending {
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
        let outputs = run.map(|run| [("system-out", &run.output), ("system-err", &run.error)]);
        for (tag, output) in outputs.into_iter().flatten().filter(|(_, text)| !text.is_empty()) {
            // Errors stand at the end.
            let skipped = output.chars().count().saturating_sub(MOST_OUTPUT);
            let text: String = output.chars().skip(skipped).collect();
            writer.create_element(tag).write_text_content(BytesText::new(&clean(&text)))?;
        }
        Ok(())
    })?;
    Ok(())
}

/// What XML can hold (<https://www.w3.org/TR/xml/#charsets>).
fn clean(text: &str) -> String {
    let is_held = |one: char| matches!(one, '\t' | '\n' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|one| if is_held(one) { one } else { '\u{fffd}' }).collect()
}

fn cases<'a>(record: &'a Record, results: &Results, is_stale: bool) -> Vec<Case<'a>> {
    let environment = |ending| vec![(ENVIRONMENT, ending, None)];
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
    let failing = test.runs.iter().find(|run| State::over([run.outcome]) == Some(State::Failed));
    let told = failing.or(test.runs.first());
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
    (&test.name, ending, told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::record::TestOutcome::{Failed, Passed};
    use crate::facts::record::tests::{record, test};

    #[test]
    fn cells_are_suites_and_tests_are_cases() {
        let mut unbuilt = record("1.0", "3.11");
        unbuilt.outcome = CellOutcome::BuildFailed;
        let mut nothing = record("1.1", "3.11");
        nothing.outcome = CellOutcome::Unavailable;
        let hostile = "]]><case>&\u{1b}[2J\u{0}\u{ffff}";
        let tests = [test("a", Passed, hostile), test("<b>\"&\n", Failed, "")];
        let cells = vec![unbuilt, nothing, record("1.2", "3.11").with_runs(tests.clone())];
        let mut results = Results::new("a", "demo".parse().unwrap(), "local", cells).unwrap();
        results.stale.push(record("1.3", "3.11").with_runs(tests));
        insta::assert_snapshot!(junit(&results), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="a (demo)">
          <testsuite name="1.0/3.11" tests="1" skipped="0" failures="0" errors="1">
            <testcase name="environment" classname="1.0/3.11" time="0.000">
              <error message="cannot be built"/>
            </testcase>
          </testsuite>
          <testsuite name="1.1/3.11" tests="1" skipped="1" failures="0" errors="0">
            <testcase name="environment" classname="1.1/3.11" time="0.000">
              <skipped message="nothing to install"/>
            </testcase>
          </testsuite>
          <testsuite name="1.2/3.11" tests="2" skipped="0" failures="1" errors="0">
            <testcase name="a" classname="1.2/3.11" time="0.500">
              <system-out>]]&gt;&lt;case&gt;&amp;�[2J��</system-out>
            </testcase>
            <testcase name="&lt;b&gt;&quot;&amp;&#10;" classname="1.2/3.11" time="0.500">
              <failure message="failed"/>
            </testcase>
          </testsuite>
          <testsuite name="1.3/3.11" tests="1" skipped="1" failures="0" errors="0">
            <testcase name="environment" classname="1.3/3.11" time="0.000">
              <skipped message="stale: it answers an earlier question"/>
            </testcase>
          </testsuite>
        </testsuites>
        "#);
    }
}
