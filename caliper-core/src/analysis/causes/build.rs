//! Why a build failed, from what pip, uv and compilers print.

mod output;

use std::sync::LazyLock;

use regex::Regex;

use super::mask;
use super::signature::Signature;
use crate::facts::record::{BuildReason, Record, without_markers};

/// The signature of a build that failed.
pub(super) fn signature(record: &Record, log: Option<&str>) -> Signature {
    let reason = record.build.as_ref().and_then(|build| build.reason);
    let reason = reason.unwrap_or(BuildReason::Unknown);
    let version = record.version.to_string();
    let told = log.and_then(|log| match reason {
        BuildReason::TimedOut => None,
        BuildReason::DependencyConflict
        | BuildReason::ExcludedByRequirements
        | BuildReason::NoMatchingDistribution
        | BuildReason::RequiresPython => said(log, &version).map(Signature::new),
        BuildReason::CompilerMissing
        | BuildReason::SourceBuildFailed
        | BuildReason::ArchiveRefused
        | BuildReason::HashMismatch
        | BuildReason::Network
        | BuildReason::Disk
        | BuildReason::Unknown => output::of_build(log)
            .as_deref()
            .and_then(|lines| output::cause(lines, &version))
            .or_else(|| said(log, &version).map(Signature::new))
            .or_else(|| {
                let lines: Vec<&str> = log.lines().collect();
                output::cause(&lines, &version)
            }),
    });
    if reason == BuildReason::ExcludedByRequirements {
        let cause = told.map(|told| format!("{reason}: {}", told.cause));
        return Signature::new(cause.unwrap_or_else(|| reason.to_string()));
    }
    let what = match log.and_then(failed).filter(|package| !is_measured(record, package)) {
        Some(package) => format!("build of {}", mask::printable(&package)),
        None => "build".to_owned(),
    };
    match (told, reason) {
        (Some(Signature { cause, at }), _) => Signature { cause: format!("{what}: {cause}"), at },
        (None, BuildReason::TimedOut) => Signature::new("build timed out"),
        (None, reason) => Signature::new(format!("{what}: {reason}")),
    }
}

/// The package whose build failed, in its normal form, as far as the log names one.
fn failed(log: &str) -> Option<String> {
    // What pip is at, what it was at when something failed, and what is said to have failed.
    let (mut current, mut suspect, mut named) = (None, None, None);
    for line in log.lines() {
        let line = mask::plain(line);
        let line = line.trim_start_matches([' ', '×', '╰', '─', '▶', '│', '├']);
        let after = |starts: &[&str]| starts.iter().find_map(|start| line.strip_prefix(start));
        let uv = [
            "error: Failed to build `",
            "error: Failed to download and build `",
            "Failed to build `",
        ];
        let pip_is_at = ["Collecting ", "Building wheel for ", "Running setup.py install for "];
        let pip = ["ERROR: Failed building wheel for ", "error: Failed building wheel for "];
        if let Some(name) = after(&uv).or_else(|| after(&pip)) {
            named.get_or_insert_with(|| name_of(name));
        } else if let Some(name) = after(&pip_is_at) {
            current = Some(name_of(name));
        } else if suspect.is_none()
            && after(&["error: subprocess-exited-with-error", "ERROR: Command errored out"])
                .is_some()
        {
            suspect.clone_from(&current);
        }
    }
    named.or(suspect).filter(|name| !name.is_empty())
}

/// `pyvcf==0.6.8` and `PyVCF (setup.py)` are `pyvcf`.
fn name_of(text: &str) -> String {
    let end = text.find(|character: char| {
        !character.is_ascii_alphanumeric() && !matches!(character, '-' | '_' | '.')
    });
    normalized(&text[..end.unwrap_or(text.len())])
}

fn normalized(name: &str) -> String {
    name.to_lowercase().replace(['_', '.'], "-")
}

/// Whether it is the package that the cell is about, whose file tells its name.
fn is_measured(record: &Record, package: &str) -> bool {
    let Some(file) = &record.environment.file else { return true };
    let file = normalized(&file.filename);
    // `NAME-VERSION.tar.gz`, in whatever spelling, is longer than the name of another project that
    // begins in the same way only if that goes on with a letter.
    let rest = file.strip_prefix(package).and_then(|rest| rest.strip_prefix('-'));
    rest.is_some_and(|version| version.starts_with(|first: char| first.is_ascii_digit()))
}

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

/// The last of the most telling things that pip or uv say.
fn said(log: &str, version: &str) -> Option<String> {
    let mut best: Option<(Telling, String)> = None;
    // How many lines may still be the rest of a sentence: uv breaks its explanations.
    let mut rest = 0;
    for line in log.lines() {
        let line = mask::plain(line);
        let text = line.trim_start();
        match (telling(text), &mut best) {
            (Some((telling, _)), Some((best, _))) if telling < *best => rest = 0,
            (Some((telling, said)), _) => {
                rest = if said.starts_with("Because ") { 6 } else { 0 };
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
    let said = match best {
        // It names the packages only; the reasons stand below.
        Some((_, said)) if said.starts_with("Cannot install ") => {
            sides_of_conflict(log).unwrap_or(said)
        }
        best => without_detours(&best?.1),
    };
    Some(mask::without_version(&without_markers(&said), version))
}

/// uv's explanation of a conflict without what it says of packages that are there in one version only, as the measured one
/// and the project's own are: else the second side would stand too far behind to be shown.
fn without_detours(text: &str) -> String {
    static DETOURS: LazyLock<[(Regex, &str); 3]> = LazyLock::new(|| {
        [
            (r"only \S+ is available and ", ""),
            (r" and only \S+ is available,", ","),
            (r", we can conclude that all versions of \S+ depend on [^.]*(?:\.\S[^.]*)*\. And because ", " and "),
        ]
        .map(|(pattern, with)| {
            (Regex::new(pattern).unwrap_or_else(|error| unreachable!("{error}")), with)
        })
    });
    let replace = |text: String, (pattern, with): &(Regex, &str)| {
        pattern.replace_all(&text, *with).into_owned()
    };
    DETOURS.iter().fold(text.to_owned(), replace)
}

/// The sides of a conflict, as pip lists them below its error.
fn sides_of_conflict(log: &str) -> Option<String> {
    const MOST: usize = 4;
    let mut lines = log.lines().map(mask::plain);
    lines.find(|line| line.trim() == "The conflict is caused by:")?;
    let sides = lines.take_while(|line| line.starts_with(' ')).take(MOST);
    let sides: Vec<String> = sides.map(|line| line.trim().to_owned()).collect();
    (sides.len() > 1).then(|| sides.join(" and "))
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
    // What uv says below the place in a TOML file, which alone tells nothing.
    let conclusion =
        ["Because ", "No matching distribution", "Cannot install ", "`pyproject.toml` is "];
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

#[cfg(test)]
mod tests;
