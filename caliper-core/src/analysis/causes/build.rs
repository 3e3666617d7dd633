//! Why a build failed, from what pip, uv and compilers print.

use super::signature::Signature;
use super::{mask, traceback};
use crate::facts::record::{BuildReason, Record};

/// Phrases that say only that something failed; another line says what.
const EMPTY_WORDS: &[&str] = &[
    "subprocess-exited-with-error",
    "metadata-generation-failed",
    "failed-wheel-build-for-install",
    "failed building wheel",
    "failed building editable",
    "failed to build",
    "failed to download and build",
    "could not build wheels",
    "exited with",
    "command errored out",
    "the build backend returned an error",
    "call to `",
    "legacy-install-failure",
    "[end of output]",
    "encountered error while",
    "see above for output",
    "did not run successfully",
];

/// The signature of a build that failed.
pub(super) fn signature(record: &Record, log: Option<&str>) -> Signature {
    let reason = record.build.as_ref().and_then(|build| build.reason);
    let reason = reason.unwrap_or(BuildReason::Unknown);
    let told = log.and_then(|log| match reason {
        BuildReason::TimedOut => None,
        BuildReason::DependencyConflict
        | BuildReason::NoMatchingDistribution
        | BuildReason::RequiresPython => said(log).map(Signature::new),
        BuildReason::CompilerMissing
        | BuildReason::SourceBuildFailed
        | BuildReason::HashMismatch
        | BuildReason::Network
        | BuildReason::Disk
        | BuildReason::Unknown => compiler(log)
            .or_else(|| traceback::raised(log).map(|raised| raised.signature()))
            .or_else(|| said(log).map(Signature::new)),
    });
    match (told, reason) {
        (Some(Signature { cause, at }), _) => Signature { cause: format!("build: {cause}"), at },
        (None, BuildReason::TimedOut) => Signature::new("build timed out"),
        (None, reason) => Signature::new(format!("build: {reason}")),
    }
}

/// The first error of a compiler: `x.c:1:10: fatal error: Python.h: No such file or directory`.
fn compiler(log: &str) -> Option<Signature> {
    log.lines().find_map(|line| {
        let (place, message) =
            line.split_once(": fatal error: ").or_else(|| line.split_once(": error: "))?;
        // In front of it are the line and the column, and where they are missing it is no compiler.
        let place = place.trim_end_matches(|part: char| part.is_ascii_digit() || part == ':');
        let file = place.rsplit(['/', ' ']).next()?;
        let known = [".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".pyx", ".rs", ".f", ".f90"];
        let source = known.iter().any(|ending| file.ends_with(ending));
        let message = mask::masked(&mask::plain(message));
        source.then(|| Signature::new(format!("error: {message}")).at(mask::printable(file)))
    })
}

/// The last of the most telling things that pip or uv say.
fn said(log: &str) -> Option<String> {
    let mut best: Option<(Telling, String)> = None;
    // How many lines may still be the rest of a sentence: uv breaks its explanations.
    let mut rest = 0;
    for line in log.lines() {
        let line = mask::plain(line);
        let text = line.trim_start();
        match (telling(text), &mut best) {
            (Some((telling, _)), Some((best, _))) if telling < *best => rest = 0,
            (Some((telling, said)), _) => {
                rest = if said.starts_with("Because ") { 4 } else { 0 };
                best = Some((telling, said.to_owned()));
            }
            (None, Some((_, said))) if rest > 0 && text.len() < line.len() => {
                rest -= 1;
                said.push(' ');
                said.push_str(text);
            }
            (None, _) => rest = 0,
        }
    }
    best.map(|(_, said)| mask::masked(&said))
}

/// How much a line tells, the least first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Telling {
    Error,
    Cause,
    Conclusion,
}

fn telling(line: &str) -> Option<(Telling, &str)> {
    let after = |starts: &[&str]| starts.iter().find_map(|start| line.strip_prefix(start));
    let cause = after(&["cause: ", "Caused by: ", "╰─▶ ", "├─▶ ", "× "]);
    let error = after(&["ERROR: ", "error: ", "Error: "]);
    let said = cause.or(error).unwrap_or(line);
    let conclusion = ["Because ", "No matching distribution", "Cannot install "];
    if conclusion.iter().any(|start| said.starts_with(start)) {
        return Some((Telling::Conclusion, said));
    }
    let telling = if cause.is_some() { Telling::Cause } else { Telling::Error };
    cause.or(error)?;
    // Such as `[6 lines of output]`, and what says that something failed and not what.
    let lowercase = said.to_lowercase();
    let empty = said.starts_with('[') || EMPTY_WORDS.iter().any(|words| lowercase.contains(words));
    (!empty).then_some((telling, said))
}
