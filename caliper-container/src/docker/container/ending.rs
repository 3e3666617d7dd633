//! How a program ended, or why it was not started.

use caliper_core::facts::record::TestEnd;

/// How a program ended that Caliper did not stop, by its exit status and its output.
pub(super) fn end(status: i32, command: &[String], output: &[u8], error: &[u8]) -> TestEnd {
    match status {
        // Podman's init program ends with 1; only its message tells that nothing was started.
        1 if output.is_empty() => refusal_of_catatonit(command, error)
            .map_or(TestEnd::Exited(status), |reason| TestEnd::NotRun { reason }),
        126 | 127 if output.is_empty() => refusal_of_tini(error)
            .or_else(|| refusal_of_catatonit(command, error))
            .map_or(TestEnd::Exited(status), |reason| TestEnd::NotRun { reason }),
        _ => TestEnd::of_status(status),
    }
}

/// Why Docker's init program could not start the test's program, if it says so:
/// `[FATAL tini (7)] exec x failed: No such file or directory`.
///
/// It then ends with 126 or 127, as shells do for what they cannot find
/// (<https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_08_02>). But a
/// shell that a test runs is a program that was started, and ended with that status by itself.
fn refusal_of_tini(error: &[u8]) -> Option<String> {
    // Only if nothing else was printed: a program that was started may quote this text.
    let text = std::str::from_utf8(error).ok()?.trim();
    let (_, reason) = text.strip_prefix("[FATAL tini (")?.split_once(")]")?;
    (!reason.contains('\n')).then(|| reason.trim().to_owned())
}

/// The same for Podman's init program, whose message does not name the program:
/// `ERROR (catatonit:2): failed to exec pid1: No such file or directory`.
fn refusal_of_catatonit(command: &[String], error: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(error).ok()?.trim();
    let (_, reason) = text.strip_prefix("ERROR (catatonit:")?.split_once("): ")?;
    let reason = reason.strip_prefix("failed to exec pid1: ").filter(|one| !one.contains('\n'))?;
    let program = command.first().map_or("", String::as_str);
    Some(format!("exec {program} failed: {reason}"))
}

/// Why a program could not be started, if the program or the image is at fault and not the engine.
pub(super) fn cannot_start(message: &str) -> Option<String> {
    const TELLTALES: &[&str] = &[
        "not found in $path",
        "no such file or directory",
        "permission denied",
        "exec format error",
        "is a directory",
        "not a directory",
    ];
    let lower = message.to_ascii_lowercase();
    // The program in question stands behind `exec:`; the same words about a mount, a device or a
    // control group are the engine's trouble.
    let at = ["exec: ", "executable file", "exec "].iter().find_map(|start| lower.find(start))?;
    TELLTALES
        .iter()
        .any(|telltale| lower[at..].contains(telltale))
        .then(|| message.get(at..).unwrap_or(message).trim_end_matches(": unknown").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_with_its_conventions() {
        let not_run = |reason: &str| TestEnd::NotRun { reason: reason.to_owned() };
        let tini = "[FATAL tini (7)] exec nope failed: No such file or directory\n";
        let catatonit = "ERROR (catatonit:2): failed to exec pid1: Permission denied\n";
        for (status, output, error, expected) in [
            (0, "", "", TestEnd::Exited(0)),
            (1, "", "Traceback\n", TestEnd::Exited(1)),
            (1, "", catatonit, not_run("exec nope failed: Permission denied")),
            (127, "", catatonit, not_run("exec nope failed: Permission denied")),
            (1, "begun\n", catatonit, TestEnd::Exited(1)), // it was started, and quotes
            (125, "", "", TestEnd::Exited(125)), // only the command `docker` means anything by it
            (126, "", "", TestEnd::Exited(126)),
            (127, "", "sh: 1: nope: not found\n", TestEnd::Exited(127)), // the shell itself was there
            (127, "", tini, not_run("exec nope failed: No such file or directory")),
            (127, "begun\n", tini, TestEnd::Exited(127)), // it was started, and quotes
            (134, "", "", TestEnd::Signalled(6)),
            (137, "", "", TestEnd::Signalled(9)),
            (139, "", "", TestEnd::Signalled(11)),
            (255, "", "", TestEnd::Exited(255)),
        ] {
            let got = end(status, &["nope".to_owned()], output.as_bytes(), error.as_bytes());
            assert_eq!(got, expected, "{status} {error}");
        }
    }

    #[test]
    fn faults_of_the_engine_are_not_the_programs() {
        let runc = "OCI runtime create failed: container_linux.go:380: starting container process caused: ";
        let missing = "exec: \"nope\": executable file not found in $PATH";
        assert_eq!(cannot_start(&format!("{runc}{missing}: unknown")), Some(missing.to_owned()));
        let denied = "exec: \"/etc/passwd\": permission denied";
        assert_eq!(cannot_start(&format!("{runc}{denied}: unknown")), Some(denied.to_owned()));
        for fault in [
            "error mounting \"/x\": no such file or directory",
            "failed to write to memory.limit_in_bytes: permission denied",
            "error running hook #0: exit status 1, stdout: , stderr: nvidia-container-cli: initialization \
             error: load library failed: libnvidia-ml.so.1: no such file or directory",
            "cannot allocate memory",
        ] {
            assert_eq!(cannot_start(&format!("{runc}{fault}")), None, "{fault}");
        }
    }
}
