//! Why a run of a test failed, from how it ended and what it printed.

use std::borrow::Cow;

use super::signature::Signature;
use super::{functions, mask, traceback};
use crate::facts::record::{Run, TestOutcome};

/// The signature of one run of a test; `None` if it did not fail.
pub(super) fn signature(run: &Run) -> Option<Signature> {
    match run.outcome {
        TestOutcome::Passed | TestOutcome::Killed | TestOutcome::NotMeasured => None,
        TestOutcome::TimedOut => Some(Signature::new("timed out")),
        TestOutcome::Idle => Some(Signature::new("idle: it neither printed nor computed")),
        TestOutcome::OutOfMemory => Some(Signature::new("out of memory")),
        TestOutcome::ResultsOverLimit => Some(match &run.reason {
            Some(reason) => Signature::new(reason),
            None => Signature::new("results over the limit"),
        }),
        TestOutcome::NotRun => Some(match &run.reason {
            Some(reason) => Signature::new(format!("not run: {}", mask::masked(reason))),
            None => Signature::new("not run"),
        }),
        TestOutcome::Failed => Some(failed(run)),
    }
}

/// The signature of a program that ended badly by itself.
fn failed(run: &Run) -> Signature {
    if let Some(signal) = crash_signal(run) {
        return crashed(signal, &run.error);
    }
    if let Some(raised) = traceback::raised(&run.error) {
        return raised.signature();
    }
    // pytest could not import what its tests share.
    if run.error.contains("while loading conftest")
        && let Some(signature) = functions::of_text(&run.error)
    {
        return signature;
    }
    // The import, if it was cut short.
    if let (Some(0), Some(reason)) = (run.retval, &run.reason) {
        return Signature::new(reason.clone());
    }
    // Its summary tells more than a traceback that some test captured.
    if let Some(line) = pytest_summary(&run.output) {
        if let Some((test, message)) = line.split_once(" - ") {
            let cause = format!("pytest: {}", mask::masked(message));
            return Signature::new(cause).at(mask::masked(test));
        }
        // So it is for a file that could not be imported. The traceback of that tells by itself what was raised.
        let of_file = pytest_section(&run.output, line.trim()).and_then(functions::of_text);
        if let Some(signature) = of_file {
            return signature;
        }
        let raised = pytest_raised(&run.output);
        let raised = raised.map(|line| format!("pytest: {}", mask::masked(line)));
        let cause = raised.unwrap_or_else(|| "pytest: a test failed".to_owned());
        return Signature::new(cause).at(mask::masked(line));
    }
    if let Some(raised) = traceback::raised(&run.output) {
        return raised.signature();
    }
    // pytest before 5 gives no summary.
    if let Some(signature) = functions::of_text(&run.output) {
        return signature;
    }
    let status = run.retval.map_or("failed".to_owned(), |status| format!("exit status {status}"));
    match last_line(&run.error).or_else(|| last_line(&run.output)) {
        Some(line) => Signature::new(format!("{status}: {}", mask::masked(&line))),
        None => Signature::new(format!("{status}, no output")),
    }
}

/// The signals by which programs crash, with the names that `signal(7)` gives them on Linux.
const CRASHES: &[(i32, &str)] =
    &[(4, "SIGILL"), (5, "SIGTRAP"), (6, "SIGABRT"), (7, "SIGBUS"), (8, "SIGFPE"), (11, "SIGSEGV")];

/// The signal that ended a program, also where a shell in between made it an exit status.
fn crash_signal(run: &Run) -> Option<i32> {
    let from_shell = || {
        let signal = run.retval?.checked_sub(128)?;
        CRASHES.iter().any(|(number, _)| *number == signal).then_some(signal)
    };
    run.signal.or_else(from_shell)
}

fn crashed(signal: i32, error: &str) -> Signature {
    let name = CRASHES.iter().find(|(number, _)| *number == signal);
    let mut cause = match name {
        Some((_, name)) => format!("signal {signal} ({name})"),
        None => format!("signal {signal}"),
    };
    if let Some(frame) = traceback::crash_frame(error) {
        return Signature::new(cause).at(frame.to_string());
    }
    if signal == 6
        && let Some(line) = last_line(error)
    {
        // A program that calls abort() prints the reason first.
        cause += &format!(": {}", mask::masked(&line));
    }
    Signature::new(cause)
}

/// The first failure that pytest's summary names.
fn pytest_summary(output: &str) -> Option<&str> {
    let mut lines = output.lines().skip_while(|line| !line.contains("short test summary info"));
    lines.find_map(|line| line.strip_prefix("FAILED ").or_else(|| line.strip_prefix("ERROR ")))
}

/// What pytest says of a file that it could not import.
fn pytest_section<'a>(output: &'a str, file: &str) -> Option<&'a str> {
    let title = format!("_ ERROR collecting {file} _");
    let start = output.find(&title)?;
    let section = output[start..].split_once('\n')?.1;
    let end = section.find("\n____").or_else(|| section.find("\n===="));
    Some(&section[..end.unwrap_or(section.len())])
}

/// The first exception that pytest shows.
fn pytest_raised(output: &str) -> Option<&str> {
    let is_exception = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        let is_name = |part: char| part.is_ascii_alphanumeric() || part == '_' || part == '.';
        let class = name.rsplit('.').next().unwrap_or_default();
        name.chars().all(is_name) && class.starts_with(|first: char| first.is_ascii_uppercase())
    };
    output.lines().filter_map(|line| line.strip_prefix("E  ")).map(str::trim).find(is_exception)
}

/// The last line that holds something to read.
fn last_line(text: &str) -> Option<Cow<'_, str>> {
    text.lines().rev().map(mask::plain).find(|line| !line.trim().is_empty())
}
