use std::fmt;

use serde::{Deserialize, Serialize};

use crate::names::PackageName;

/// Why an environment could not be made, as far as the log of the build tells.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum BuildReason {
    /// Requirements that cannot hold together.
    DependencyConflict,
    /// What the user requires or constrains besides the dependency excludes this release.
    ExcludedByRequirements,
    /// A requirement that no distribution on the index meets.
    NoMatchingDistribution,
    /// A source distribution wants a compiler, or a header, that is not there.
    CompilerMissing,
    /// A requirement declares that it needs another Python.
    RequiresPython,
    /// The build of a source distribution failed in another way.
    SourceBuildFailed,
    /// The installer refuses the kind of archive that a source distribution is: uv takes no `.tar.bz2` (PEP 625).
    ArchiveRefused,
    /// A file is not the one that was asked for.
    HashMismatch,
    /// The network, or a server in it, did not answer.
    Network,
    /// There was no room left on the disk.
    Disk,
    /// The build took longer than it may.
    TimedOut,
    /// The log does not say.
    Unknown,
}

/// What the logs of pip, uv and the container engines say, the most telling first. Matched in lower
/// case.
const TELLTALES: &[(BuildReason, &[&str])] = &[
    (BuildReason::Disk, &["no space left on device", "disk quota exceeded"]),
    (
        BuildReason::HashMismatch,
        &["hash mismatch", "do not match the hashes", "hashes are mismatched"],
    ),
    (
        BuildReason::Network,
        &[
            "temporary failure in name resolution",
            "name or service not known",
            "could not resolve host",
            "unable to resolve host address",
            "dns error",
            "connection refused",
            "connection reset by peer",
            "connection timed out",
            "operation timed out",
            "read timed out",
            "network is unreachable",
            "no route to host",
            "tls handshake",
            "certificate verify failed",
            "remote end closed connection",
            "error sending request",
            "502 bad gateway",
            "503 service unavailable",
            "504 gateway",
            "newconnectionerror",
            "http status server error",
            "too many requests",
            "lack of valid authentication credentials",
            "returned a 403 forbidden",
            "error reading a body from connection",
            "received some unexpected json",
            "failed to fetch: ",
            // uv, on a machine without any certificates.
            "failed to build http client",
            // uv with `--offline` does not know whether there is one.
            "the network was disabled",
        ],
    ),
    (BuildReason::ArchiveRefused, &["`.tar.gz` and `.zip` archives are accepted"]),
    // uv ends all of its explanations with "your requirements are unsatisfiable": the rest tells.
    (BuildReason::RequiresPython, &["does not satisfy python"]),
    (
        BuildReason::NoMatchingDistribution,
        &[
            "was not found in the package registry",
            "there is no version of",
            "there are no versions of",
            "has no wheels with a matching",
        ],
    ),
    (
        BuildReason::DependencyConflict,
        &["resolutionimpossible", "conflicting dependencies", "requirements are unsatisfiable"],
    ),
    (
        BuildReason::RequiresPython,
        &["requires a different python", "requires python", "python version not supported"],
    ),
    (
        BuildReason::CompilerMissing,
        &[
            "unable to execute 'gcc'",
            "no such file or directory: 'cc'",
            "no such file or directory: 'g++'",
            "no such file or directory: 'c++'",
            "no such file or directory: 'gfortran'",
            "no such file or directory: 'x86_64-linux-gnu-gcc'",
            "linker `cc` not found",
            "cargo, the rust package manager, is not installed",
            "unable to execute 'x86_64-linux-gnu-gcc'",
            "command 'gcc' failed: no such file",
            "error: command 'cc' failed",
            "unable to find a compiler",
            "unknown compiler",
            "python.h: no such file",
            "fatal error: python.h",
            "can't find rust compiler",
            "gcc: command not found",
            "no such file or directory: 'gcc'",
            ".h: no such file or directory",
            "you need to install a library that provides",
        ],
    ),
    (
        BuildReason::SourceBuildFailed,
        &[
            "failed building wheel",
            "failed to build",
            "command errored out with exit status",
            "setup.py egg_info",
            "build backend",
            "metadata-generation-failed",
            "subprocess-exited-with-error",
        ],
    ),
    (
        BuildReason::NoMatchingDistribution,
        &["no matching distribution found", "could not find a version that satisfies"],
    ),
];

/// What stands before something that the user asked for, and what behind its specifier, where that is not enough.
const ASKED: [(&str, Option<&str>); 4] = [
    ("you require ", None),
    ("the user requested ", None),
    ("the user requested (constraint) ", None),
    // pip adds `(from demo)` to what a distribution asks for.
    ("satisfies the requirement ", Some("(from versions")),
];

/// `numpy{python_full_version < '3.12'}>=2` is `numpy>=2`: the Python of the cell stands beside it.
pub(crate) fn without_markers(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::new();
    while let Some((before, after)) = rest.split_once('{') {
        kept += before;
        match after.split_once('}') {
            Some((_, after)) if before.ends_with(|last: char| last.is_alphanumeric()) => {
                rest = after;
            }
            _ => {
                kept.push('{');
                rest = after;
            }
        }
    }
    kept + rest
}

/// With one spelling for each name, and without markers.
fn spelled(text: &str) -> String {
    without_markers(text).to_lowercase().replace(['_', '.'], "-")
}

impl BuildReason {
    /// Reads the reason from what a failed build printed.
    pub fn read(log: &str) -> Self {
        let log = log.to_lowercase();
        TELLTALES
            .iter()
            .find(|(_, telltales)| telltales.iter().any(|telltale| log.contains(telltale)))
            .map_or(Self::Unknown, |(reason, _)| *reason)
    }

    /// The same, but where one of `requirements` or `constraints` of the user takes part in a conflict, or is met by
    /// nothing on the index: then the release is not at fault. Installers name what the user asked for where they
    /// explain why it cannot be had.
    #[must_use]
    pub fn with_requirements(
        self,
        log: &str,
        requirements: &[String],
        constraints: &[String],
    ) -> Self {
        if !matches!(self, Self::DependencyConflict | Self::NoMatchingDistribution) {
            return self;
        }
        // uv breaks its sentences into lines.
        let words: Vec<String> = log.split_whitespace().map(str::to_lowercase).collect();
        let text = spelled(&words.join(" "));
        // Without a specifier it takes part in no conflict, but may not exist.
        let ends: &[char] = match self {
            Self::NoMatchingDistribution => &['<', '>', '=', '!', '~', ',', ' '],
            _ => &['<', '>', '=', '!', '~'],
        };
        let is_named = |asked: &String| {
            let is_name = |part: char| part.is_ascii_alphanumeric() || "-_.".contains(part);
            let name = asked.split(|part| !is_name(part)).next().unwrap_or_default();
            let is_at = |(said, then): &(&str, Option<&str>)| {
                let asked = format!("{said}{}", spelled(name));
                text.match_indices(&asked).any(|(at, asked)| {
                    let behind = text[at + asked.len()..].trim_start_matches('[');
                    let rest = behind.split_once(' ').map_or("", |(_, rest)| rest);
                    (behind.is_empty() || behind.starts_with(ends))
                        && then.is_none_or(|then| rest.starts_with(then))
                })
            };
            !name.is_empty() && ASKED.iter().any(is_at)
        };
        // uv says nothing of whose a constraint is: `a depends on b>=2 and b<2, we can conclude`.
        let is_set = |constraint: &String| {
            let specifier = constraint.split([';', '#']).next().unwrap_or_default();
            let said: String = specifier.split_whitespace().collect();
            !said.is_empty() && text.contains(&format!(" and {},", spelled(&said.to_lowercase())))
        };
        let takes_part =
            requirements.iter().chain(constraints).any(is_named) || constraints.iter().any(is_set);
        if takes_part { Self::ExcludedByRequirements } else { self }
    }

    /// The same, but where what the project's own package requires takes part in a conflict: `weatherkit==1.0 depends
    /// on numpy<2` of uv, and pip's without the `==`.
    #[must_use]
    pub fn with_project(self, log: &str, project: &PackageName) -> Self {
        if !matches!(self, Self::DependencyConflict | Self::NoMatchingDistribution) {
            return self;
        }
        let words: Vec<&str> = log.split_whitespace().collect();
        let text = spelled(&words.join(" "));
        let name = project.normalized();
        let is_at = |at: usize| {
            let starts = !text[..at]
                .ends_with(|before: char| before.is_ascii_alphanumeric() || before == '-');
            let behind = &text[at + name.len()..];
            let behind = match behind.strip_prefix('[') {
                Some(extras) => extras.split_once(']').map_or("", |(_, rest)| rest),
                None => behind,
            };
            let version = behind.strip_prefix("==").or_else(|| behind.strip_prefix(' '));
            let rest = version.and_then(|version| version.split_once(' ')).map(|(_, rest)| rest);
            starts && rest.is_some_and(|rest| rest.starts_with("depends on "))
        };
        if text.match_indices(name).any(|(at, _)| is_at(at)) {
            Self::ExcludedByRequirements
        } else {
            self
        }
    }

    /// Whether it is an infrastructure failure, so that the cell must be measured again.
    pub fn is_spurious(self) -> bool {
        match self {
            Self::DependencyConflict
            | Self::ExcludedByRequirements
            | Self::NoMatchingDistribution
            | Self::CompilerMissing
            | Self::RequiresPython
            | Self::SourceBuildFailed
            | Self::ArchiveRefused
            | Self::TimedOut
            | Self::Unknown => false,
            Self::HashMismatch | Self::Network | Self::Disk => true,
        }
    }
}

impl fmt::Display for BuildReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::DependencyConflict => "dependencies conflict",
            Self::ExcludedByRequirements => "excluded by your requirements",
            Self::NoMatchingDistribution => "no matching distribution",
            Self::CompilerMissing => "compiler or header missing",
            Self::RequiresPython => "requires another Python",
            Self::SourceBuildFailed => "source build failed",
            Self::ArchiveRefused => "the installer refuses this kind of archive",
            Self::HashMismatch => "hash mismatch",
            Self::Network => "network",
            Self::Disk => "disk full",
            Self::TimedOut => "build timed out",
            Self::Unknown => "unknown, see the log",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_user_requires_is_not_the_fault_of_a_release() {
        use BuildReason::{DependencyConflict, ExcludedByRequirements, NoMatchingDistribution};
        let uv = "Because pandas==3.0.0 depends on numpy>=1.26.0 and you require pandas==3.0.0, we can \
                  conclude that you require numpy>=1.26.0.\n    And because you\n    require numpy<1.26, we can \
                  conclude that your requirements are unsatisfiable.";
        let pip = "The conflict is caused by:\n    The user requested NumPy<1.26\n    pandas 3.0.0 depends on numpy>=1.26\n\
                   ERROR: ResolutionImpossible";
        let constraint = "    The user requested (constraint) typing_extensions<4\n";
        let of_uv = "Because jinja2==3.0 depends on markupsafe>=2.0 and markupsafe<2, we can conclude \
                     that jinja2==3.0 cannot be used.";
        let marked = "Because pandas==3.1.1 depends on numpy{python_full_version < '3.14'}>=2.0.2 and \
                      numpy{python_full_version < '3.14'}<2, we can conclude that pandas==3.1.1 cannot be used.";
        for (log, constraint, expected) in [
            (marked, "numpy<2", ExcludedByRequirements),
            (of_uv, "MarkupSafe < 2", ExcludedByRequirements),
            (of_uv, "markupsafe<2.1", DependencyConflict),
            (of_uv, "safe<2", DependencyConflict),
        ] {
            let found = DependencyConflict.with_requirements(log, &[], &[constraint.to_owned()]);
            assert_eq!(found, expected, "{constraint}");
        }
        let missing =
            "Because six was not found in the package registry and you require six, we can";
        let of_pip =
            "Could not find a version that satisfies the requirement six==99 (from versions: 1.0)";
        let of_another = "satisfies the requirement six==99 (from demo) (from versions: 1.0)";
        for (log, expected) in [
            (missing, ExcludedByRequirements),
            (of_pip, ExcludedByRequirements),
            (of_another, NoMatchingDistribution),
            (
                "Because six was not found and demo depends on six, you require demo",
                NoMatchingDistribution,
            ),
        ] {
            let found = NoMatchingDistribution.with_requirements(log, &["six".to_owned()], &[]);
            assert_eq!(found, expected, "{log}");
        }
        for (log, requirement, expected) in [
            (uv, "numpy<1.26", ExcludedByRequirements),
            (pip, "numpy<1.26", ExcludedByRequirements),
            (constraint, "typing-extensions<4", ExcludedByRequirements),
            // The user's own requirement has nothing to do with it.
            (uv, "six", DependencyConflict),
            (uv, "num<1", DependencyConflict),
            ("you require x-numpy<2", "numpy<2", DependencyConflict),
        ] {
            let requirements = [requirement.to_owned()];
            assert_eq!(
                DependencyConflict.with_requirements(log, &requirements, &[]),
                expected,
                "{requirement}: {log}"
            );
        }
        let other = BuildReason::SourceBuildFailed;
        assert_eq!(other.with_requirements(uv, &["numpy<1.26".to_owned()], &[]), other);
    }

    #[test]
    fn what_the_project_requires_is_not_the_fault_of_a_release() {
        use BuildReason::{DependencyConflict, ExcludedByRequirements};
        let project = "Weather.Kit".parse().unwrap();
        for (log, expected) in [
            (
                "Because weather-kit==1.0 depends on\n      numpy<2 and demo==3 depends on numpy>=2",
                ExcludedByRequirements,
            ),
            ("Because weather-kit[test]==1.0 depends on numpy<2 and x", ExcludedByRequirements),
            (
                "The conflict is caused by:\n    weather_kit 1.0 depends on numpy<2\n",
                ExcludedByRequirements,
            ),
            ("Because my-weather-kit==1.0 depends on numpy<2", DependencyConflict),
            ("Because weather-kit-data==1.0 depends on numpy<2", DependencyConflict),
            ("Because demo==1.0 depends on weather-kit==1.0 and", DependencyConflict),
        ] {
            assert_eq!(DependencyConflict.with_project(log, &project), expected, "{log}");
        }
        let other = BuildReason::SourceBuildFailed;
        assert_eq!(other.with_project("weather-kit==1.0 depends on x", &project), other);
    }

    #[test]
    fn logs_tell_their_reason() {
        for (log, reason) in [
            ("ERROR: No matching distribution found for x==9", BuildReason::NoMatchingDistribution),
            // pip prints both lines; what the network did comes first.
            (
                "Temporary failure in name resolution\nERROR: No matching distribution found for x",
                BuildReason::Network,
            ),
            ("error: OSError: [Errno 28] No space left on device", BuildReason::Disk),
            ("x.c:1:10: fatal error: Python.h: No such file", BuildReason::CompilerMissing),
            (
                "Because a==1 depends on b<2 and b>2, your requirements are unsatisfiable.",
                BuildReason::DependencyConflict,
            ),
            ("ERROR: Package 'x' requires a different Python: 3.9.2", BuildReason::RequiresPython),
            // What uv 0.13 prints.
            (
                "Because dep==1.0 depends on jinja2==2.10 and jinja2==2.11, we can conclude that dep==1.0 cannot \
                 be used.\nAnd because only dep==1.0 is available and you require dep, we can conclude that your \
                 requirements are unsatisfiable.",
                BuildReason::DependencyConflict,
            ),
            (
                "Because the current Python version (3.11.7) does not satisfy Python>=3.20 and x==1.0 depends on \
                 Python>=3.20, we can conclude that your requirements are unsatisfiable.",
                BuildReason::RequiresPython,
            ),
            (
                "Because y was not found in the package registry and x==1.0 depends on y, we can conclude that \
                 your requirements are unsatisfiable.",
                BuildReason::NoMatchingDistribution,
            ),
            (
                "Because there is no version of x==99 and you require x==99, we can conclude that your \
                 requirements are unsatisfiable.",
                BuildReason::NoMatchingDistribution,
            ),
            (
                "Because x was not found in the cache, we can conclude that your requirements are unsatisfiable.\n\
                 hint: Packages were unavailable because the network was disabled.",
                BuildReason::Network,
            ),
            (
                "error: failed to build HTTP client\n  cause: No CA certificates were loaded from the system",
                BuildReason::Network,
            ),
            (
                "cause: HTTP status server error (500 Internal Server Error) for url (https://index.example/x/)",
                BuildReason::Network,
            ),
            (
                "error: Failed to download `x==1`\n  cause: Hash mismatch for `x==1`",
                BuildReason::HashMismatch,
            ),
            (
                "error: Failed to build `x`\n  cause: The build backend returned an error\n\
                 error: [Errno 2] No such file or directory: 'gcc'",
                BuildReason::CompilerMissing,
            ),
            (
                "error: Failed to build `x`\n  cause: The build backend returned an error",
                BuildReason::SourceBuildFailed,
            ),
            (
                "error: Source distribution `x-1.tar.bz2` has a non-PEP 625-compliant filename; only `.tar.gz` and `.zip` \
                 archives are accepted",
                BuildReason::ArchiveRefused,
            ),
            ("", BuildReason::Unknown),
        ] {
            assert_eq!(BuildReason::read(log), reason, "{log}");
        }
    }
}
