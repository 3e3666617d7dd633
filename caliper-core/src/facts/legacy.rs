//! Results that the Python program of the same name (caliper 0.0.x) measured.
//!
//! It kept a file for each cell, `.caliper/data/pypi-NAME-VERSION-python-TAG.json`. Its
//! content is used as it is, except for known errors, which are corrected: it started `cp310` from the
//! image of Python 3.1.0, and recorded failures of its engine as failures of tests.

use std::collections::BTreeMap;

use pep440_rs::Version;
use serde::Deserialize;

use crate::facts::record::{
    BuildReason, BuildRecord, CellOutcome, Installed, Record, RecordedFile, Run, TestEnd,
    TestOutcome, TestRecord,
};
use crate::facts::store::{Output, ResultStore, StoreError};
use crate::names::{PackageName, PythonVersion, Sha256, Timestamp, excerpt};
use crate::question::grid::{CellId, FileKind};
use crate::question::plan::Base;

/// The name of the backend that stands in imported records.
pub const BACKEND: &str = "caliper 0.0 (docker)";

/// Why a file is not a result of the original Caliper.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LegacyError {
    /// It is not of that form.
    #[error("this is no result of caliper 0.0")]
    Form(#[source] serde_json::Error),
    /// The names in it are not of the form `pypi-NAME-VERSION-python-TAG`.
    #[error("`{0}` is not of the form `pypi-NAME-VERSION-python-TAG`")]
    Name(String),
    /// The tag does not name a single Python version, such as the `py3` of wheels for any Python.
    #[error(
        "`{0}` is the tag of files for several Pythons: it is unknown which one the test ran on"
    )]
    Python(String),
    /// Its release is not a valid version.
    #[error("`{0}` is not a version")]
    Version(String),
    /// What it holds cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Deserialize)]
struct File {
    inputs: Inputs,
    #[serde(default)]
    build_retval: Option<i64>,
    #[serde(default)]
    tests: BTreeMap<String, Test>,
    #[serde(default, rename = "requirements.txt")]
    requirements: Vec<String>,
}

#[derive(Deserialize)]
struct Inputs {
    dependency: String,
    name: String,
    #[serde(default)]
    dockerfile: String,
    /// The tests in their order, a line each.
    #[serde(default)]
    tests: String,
}

#[derive(Deserialize)]
struct Test {
    retval: i64,
    #[serde(default)]
    error: Vec<String>,
    #[serde(default)]
    output: Vec<String>,
    #[serde(default)]
    seconds: f64,
}

/// The test by which the original recorded the build.
const BUILD: &str = "build";

/// Reads a file of the original; `measured` is when it was written, which it does not say itself.
/// Long outputs go to `store`, the record does not.
///
/// # Errors
///
/// [`LegacyError`] if it is no such file, or `store` cannot keep what it holds.
pub fn read(
    bytes: &[u8],
    measured: Timestamp,
    store: &dyn ResultStore,
) -> Result<(PackageName, Record), LegacyError> {
    let file: File = serde_json::from_slice(bytes).map_err(LegacyError::Form)?;
    let bad_name = || LegacyError::Name(excerpt(&file.inputs.name, 80));
    let dependency: PackageName = file.inputs.dependency.parse().map_err(|_| bad_name())?;
    let named = file.inputs.name.strip_prefix("pypi-").and_then(|rest| {
        rest.strip_prefix(&file.inputs.dependency)?.strip_prefix('-')?.rsplit_once("-python-")
    });
    let (version, tag) = named.ok_or_else(bad_name)?;
    let version: Version =
        version.parse().map_err(|_| LegacyError::Version(excerpt(version, 80)))?;
    let python: PythonVersion = tag.parse().map_err(|_| LegacyError::Python(excerpt(tag, 40)))?;
    // No plan has this key: the record stands for its own file only.
    let key = Sha256::of(bytes);
    let id = CellId::new(version, python);
    let mut record = Record::new(&id, key, BACKEND, CellOutcome::Tested, measured);
    record.environment.installed = installed(&file.requirements);
    let build = match (file.tests.get(BUILD), file.build_retval) {
        (Some(build), _) => build,
        (None, Some(_)) => {
            record.outcome = CellOutcome::Unavailable;
            return Ok((dependency, record));
        }
        (None, None) => return Err(LegacyError::Form(serde::de::Error::missing_field("tests"))),
    };
    let base = base(&file.inputs.dockerfile);
    record.environment.base =
        base.map(|name| Base { name: name.to_owned(), digest: String::new() });
    record.environment.file = installed_file(&file.inputs.dockerfile);
    record.environment.dockerfile =
        Some(file.inputs.dockerfile.clone()).filter(|text| !text.is_empty());
    let log = build.error.concat();
    let reason = (build.retval != 0).then(|| BuildReason::read(&log));
    let blob = if log.is_empty() { None } else { Some(store.save_blob(log.as_bytes())?) };
    let mut build = BuildRecord::new(reason, nanoseconds(build.seconds));
    build.log = blob;
    record.build = Some(build);
    if let Some(base) = base.filter(|base| is_another_python(base, python)) {
        record.outcome = CellOutcome::NotMeasured;
        record.reason = Some(format!("the original took the image `{base}` for Python {python}"));
    } else if let Some(reason) = reason {
        record.outcome = CellOutcome::BuildFailed;
        if reason.is_spurious() {
            record.outcome = CellOutcome::NotMeasured;
            record.reason = Some(format!("the build failed: {reason}"));
        }
    }
    let order: Vec<&str> = file.inputs.tests.lines().collect();
    let mut tests: Vec<(&String, &Test)> =
        file.tests.iter().filter(|(name, _)| *name != BUILD).collect();
    tests.sort_by_key(|(name, _)| order.iter().position(|one| one == name).unwrap_or(usize::MAX));
    for (name, test) in tests {
        record.tests.push(test_record(name, test, store)?);
    }
    if record.outcome == CellOutcome::Tested {
        let spurious = record.runs().find(|(_, run)| run.outcome.is_spurious());
        if let Some(reason) =
            spurious.map(|(test, run)| format!("`{}`: {}", test.name, run.outcome))
        {
            record.outcome = CellOutcome::NotMeasured;
            record.reason = Some(reason);
        }
    }
    Ok((dependency, record))
}

fn test_record(
    name: &str,
    test: &Test,
    store: &dyn ResultStore,
) -> Result<TestRecord, LegacyError> {
    let (output, error) = (test.output.concat(), test.error.concat());
    let end = end(test.retval, &error);
    let output = Output::keep(output.as_bytes(), 0, store)?;
    let error = Output::keep(error.as_bytes(), 0, store)?;
    let outcome = end.as_ref().map_or(TestOutcome::NotMeasured, TestEnd::outcome);
    let mut run = Run::new(1, outcome);
    run.reason = match &end {
        Some(TestEnd::NotRun { reason }) => Some(reason.clone()),
        Some(_) => None,
        None => Some("the engine refused to run it".to_owned()),
    };
    run.retval = end.as_ref().and_then(TestEnd::status);
    run.signal = end.as_ref().and_then(TestEnd::signal);
    run.nanoseconds = nanoseconds(test.seconds);
    (run.output, run.output_blob) = (output.text, output.blob);
    (run.error, run.error_blob) = (error.text, error.blob);
    let mut record = TestRecord::new(name, ["python", name]);
    record.runs.push(run);
    Ok(record)
}

/// Seconds as nanoseconds; a negative or absurd time is 0.
fn nanoseconds(seconds: f64) -> u64 {
    let time = std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default();
    u64::try_from(time.as_nanos()).unwrap_or_default()
}

/// What the exit status of `docker run` means; `None` if the engine refused.
fn end(retval: i64, error: &str) -> Option<TestEnd> {
    // https://docs.docker.com/engine/containers/run/#exit-status
    let by_the_engine = error.contains("docker: Error response from daemon");
    Some(match i32::try_from(retval).unwrap_or(-1) {
        125 if by_the_engine => return None,
        126 | 127 if by_the_engine => TestEnd::NotRun { reason: error.trim().to_owned() },
        status => TestEnd::of_status(status),
    })
}

/// The lines of `pip freeze`; one that is no `NAME==VERSION` keeps what comes behind its name.
fn installed(lines: &[String]) -> Vec<Installed> {
    let one = |line: &String| {
        let line = line.trim();
        let (name, version) = line.split_once("==").or_else(|| line.split_once(" @ "))?;
        Some(Installed::new(name.trim(), version.trim()))
    };
    let mut all: Vec<Installed> = lines.iter().filter_map(one).collect();
    all.sort_by_cached_key(|one| one.name.to_lowercase());
    all
}

/// The image that a Dockerfile starts from.
fn base(dockerfile: &str) -> Option<&str> {
    dockerfile.lines().find_map(|line| {
        let (instruction, rest) = line.trim().split_once(char::is_whitespace)?;
        instruction.eq_ignore_ascii_case("from").then(|| rest.split_whitespace().next())?
    })
}

/// Whether an image of Python is one of another than `python`, as far as its name says.
fn is_another_python(base: &str, python: PythonVersion) -> bool {
    let name = base.rsplit_once('/').map_or(base, |(_, name)| name);
    let Some(tag) = name.strip_prefix("python:") else { return false };
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty();
    let mut parts = tag.split(['.', '-']).take_while(|part| number(part));
    let image = parts.next().zip(parts.next());
    image != Some((&*python.major().to_string(), &*python.minor().to_string()))
}

/// The file whose address stands in a rendered Dockerfile.
fn installed_file(dockerfile: &str) -> Option<RecordedFile> {
    let words = dockerfile.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';'));
    let mut addresses =
        words.filter(|word| word.starts_with("https://") || word.starts_with("http://"));
    addresses.find_map(|url| {
        let filename = url.split(['#', '?']).next()?.rsplit('/').next()?;
        let ends = |ending: &str| filename.to_ascii_lowercase().ends_with(ending);
        let kind = match () {
            () if ends(".whl") => FileKind::Wheel,
            () if ends(".tar.gz") || ends(".zip") => FileKind::Sdist,
            () => return None,
        };
        // What stands before an `@` in an address is a login.
        let url = match url
            .split_once("://")
            .and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?)))
        {
            Some((scheme, (login, rest))) if !login.contains('/') => format!("{scheme}://{rest}"),
            _ => url.to_owned(),
        };
        let filename = filename.to_owned();
        let (upload_time, size) = (None, None);
        Some(RecordedFile { filename, url, sha256: None, kind, upload_time, size })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::store::MemoryStore;

    const DOCKERFILE: &str = "FROM python:2.7\\nADD . /tmp/repo\\nWORKDIR /tmp/repo\\n\
        RUN wget -q https://files.example/x/demo-0.12.1-cp27-none-manylinux1_x86_64.whl && pip install demo-0.12.1-cp27-none-manylinux1_x86_64.whl";

    fn file(tag: &str, dockerfile: &str, rest: &str) -> String {
        format!(
            r#"{{"inputs": {{"dependency": "demo", "outfile": "/x/y.json", "dockerfile": "{dockerfile}",
                "force": false, "exists": true, "name": "pypi-demo-0.12.1-python-{tag}",
                "tests": "b.py\na.py", "cleanup": false, "outdir": "/x"}}, {rest}}}"#
        )
    }

    fn import(text: &str) -> Result<Record, LegacyError> {
        let moment = Timestamp::from_unix_seconds(1_600_000_000);
        read(text.as_bytes(), moment, &MemoryStore::default()).map(|(_, record)| record)
    }

    #[test]
    fn a_cell_that_ran_is_read_whole() {
        let record = import(&file(
            "cp27",
            DOCKERFILE,
            r#""tests": {"build": {"retval": 0},
                "a.py": {"error": [], "output": ["one\n", "two\n"], "retval": 0, "seconds": 1.25},
                "b.py": {"error": ["Traceback\n", "E: no\n"], "output": [], "retval": 1, "seconds": 0.5}},
               "requirements.txt": ["numpy==1.16.6\n", "demo @ file:///tmp/demo.whl\n", "six==1.15.0\n"]"#,
        ))
        .unwrap();
        assert_eq!(record.id().to_string(), "0.12.1/2.7");
        assert_eq!(record.outcome, CellOutcome::Tested);
        let names: Vec<&str> = record.tests.iter().map(|test| test.name.as_str()).collect();
        assert_eq!(names, ["b.py", "a.py"]); // as they were run
        assert_eq!(record.tests[1].runs[0].output, "one\ntwo\n");
        assert_eq!(record.tests[0].runs[0].outcome, TestOutcome::Failed);
        assert_eq!(
            record.environment.file.as_ref().unwrap().filename,
            "demo-0.12.1-cp27-none-manylinux1_x86_64.whl"
        );
        assert_eq!(record.environment.installed[1].version, "1.16.6");
    }

    #[test]
    fn what_the_original_mistook_is_not_repeated() {
        let built = r#""tests": {"build": {"retval": 0}}"#;
        let failed =
            |error: &str| format!(r#""tests": {{"build": {{"retval": 1, "error": ["{error}"]}}}}"#);
        let ran = |retval: i64, error: &str| {
            format!(
                r#""tests": {{"build": {{"retval": 0}}, "a.py":
                   {{"error": ["{error}"], "output": [], "retval": {retval}, "seconds": 1}}}}"#
            )
        };
        let refused = "docker: Error response from daemon: no";
        for (tag, base, rest, expected) in [
            ("cp27", "python:2.7", built.to_owned(), CellOutcome::Tested),
            ("cp310", "python:3.1.0", built.to_owned(), CellOutcome::NotMeasured), // its famous mistake
            ("cp39", "python:3.9-slim", built.to_owned(), CellOutcome::Tested),
            ("cp39", "my/own:1", built.to_owned(), CellOutcome::Tested),
            ("cp27", "python:2.7", r#""build_retval": 1"#.to_owned(), CellOutcome::Unavailable),
            (
                "cp27",
                "python:2.7",
                failed("No matching distribution found for x"),
                CellOutcome::BuildFailed,
            ),
            (
                "cp27",
                "python:2.7",
                failed("Temporary failure in name resolution"),
                CellOutcome::NotMeasured,
            ),
            ("cp27", "python:2.7", ran(125, refused), CellOutcome::NotMeasured),
            ("cp27", "python:2.7", ran(137, ""), CellOutcome::NotMeasured),
            ("cp27", "python:2.7", ran(125, ""), CellOutcome::Tested), // the program's own status
            ("cp27", "python:2.7", ran(139, ""), CellOutcome::Tested),
        ] {
            let record = import(&file(tag, &format!("FROM {base}"), &rest)).unwrap();
            assert_eq!(record.outcome, expected, "{tag} {base} {rest}");
        }
    }

    #[test]
    fn what_is_something_else_is_told() {
        let say = |text: &str| {
            let error = import(text).unwrap_err();
            match std::error::Error::source(&error) {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            }
        };
        insta::assert_snapshot!(say("[]"), @"this is no result of caliper 0.0: invalid length 0, expected struct File with 4 elements at line 1 column 2");
        insta::assert_snapshot!(say(&file("py3", "", r#""build_retval": 1"#)), @"`py3` is the tag of files for several Pythons: it is unknown which one the test ran on");
        insta::assert_snapshot!(say(&file("cp27", "", r#""x": 1"#)), @"this is no result of caliper 0.0: missing field `tests`");
        let other = file("cp27", "", r#""build_retval": 1"#).replace("pypi-demo", "pypi-other");
        insta::assert_snapshot!(say(&other), @"`pypi-other-0.12.1-python-cp27` is not of the form `pypi-NAME-VERSION-python-TAG`");
    }
}
