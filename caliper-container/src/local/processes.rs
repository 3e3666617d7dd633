//! The processes of this machine, from `/proc`. On systems without `/proc` the list is empty, and only
//! the process group of a program is known.

use std::fs;
use std::time::Duration;

use rustix::process::{Pid, WaitOptions};

/// A process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: Pid,
    pub(super) parent: Option<Pid>,
    pub(super) group: Option<Pid>,
    /// Whether it is a zombie: it has ended and was not waited for.
    pub(super) ended: bool,
    /// Its start time, in ticks since boot.
    pub(super) started: u64,
}

/// All visible processes.
pub(super) fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let pid = pid_of(entry.file_name().to_str()?)?;
            parse(&fs::read(entry.path().join("stat")).ok()?, pid)
        })
        .collect()
}

/// The children of this process, including adopted orphans.
pub(super) fn children_of_this() -> Vec<Process> {
    // The kernel lists children by thread; adopted orphans belong to the main thread.
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists =
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let mut found = Vec::new();
    for list in lists {
        let all = list.split_ascii_whitespace().filter_map(pid_of);
        found
            .extend(all.filter_map(|pid| parse(&fs::read(format!("/proc/{pid}/stat")).ok()?, pid)));
    }
    found
}

/// Reads `/proc/PID/stat`, see proc(5).
fn parse(stat: &[u8], pid: Pid) -> Option<Process> {
    let fields = fields(stat)?;
    let pid_in = |index: usize| pid_of(fields.get(index)?);
    Some(Process {
        pid,
        parent: pid_in(1),
        group: pid_in(2),
        ended: matches!(fields.first(), Some(&("Z" | "X" | "x"))),
        started: fields.get(19)?.parse().ok()?,
    })
}

/// The fields after the name of a process. The name is in parentheses and may contain anything, even
/// parentheses and line breaks.
fn fields(stat: &[u8]) -> Option<Vec<&str>> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(&stat[name_end + 1..]).ok()?;
    Some(rest.split_ascii_whitespace().collect())
}

/// A process number. For a process that is just ending the kernel reports the group -1.
fn pid_of(text: &str) -> Option<Pid> {
    text.parse().ok().filter(|pid| *pid > 0).and_then(Pid::from_raw)
}

/// Whether a process was started with this `NAME=value` in its environment. `false` for the
/// processes of other users.
pub(super) fn has_variable(pid: Pid, variable: &str) -> bool {
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|all| all.split(|byte| *byte == 0).any(|one| one == variable.as_bytes()))
}

/// Reaps an ended process if it is a child of this one. Orphans become children of this process if it
/// is the first process of its container.
pub(super) fn reap(pid: Pid) {
    let _ = rustix::process::waitpid(Some(pid), WaitOptions::NOHANG);
}

/// The larger of the peak memory of `head` and the current memory of it and its children.
pub(super) fn memory(head: Pid) -> Option<u64> {
    let (now, most) = resident(head)?;
    let mut sum = now;
    let mut parents = vec![head];
    // Only a part of large families is examined, because tests are being timed meanwhile.
    for _ in 0..64 {
        let Some(parent) = parents.pop() else { break };
        for child in children(parent) {
            sum += resident(child).map_or(0, |(now, _)| now);
            parents.push(child);
        }
    }
    Some(most.max(sum))
}

/// The processor time of a process and of those of its children that it waited for.
pub(super) fn processor_time(pid: Pid) -> Duration {
    // Since Linux 2.6 a tick, as proc(5) counts them, is a hundredth of a second everywhere.
    const TICK: Duration = Duration::from_millis(10);
    let Ok(stat) = fs::read(format!("/proc/{pid}/stat")) else { return Duration::ZERO };
    let Some(fields) = fields(&stat) else { return Duration::ZERO };
    // utime, stime, cutime and cstime.
    let ticks = fields.iter().skip(11).take(4).filter_map(|text| text.parse::<u32>().ok());
    ticks.map(|ticks| TICK * ticks).sum()
}

/// The current and the peak memory of a process, in bytes.
pub(super) fn resident(pid: Pid) -> Option<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some((amount(&status, "VmRSS:")?, amount(&status, "VmHWM:")?))
}

/// The proportional memory (PSS) of a process in bytes: memory shared by n processes counts as 1/n.
pub(super) fn proportional(pid: Pid) -> u64 {
    let sums = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    // Not readable for a process that is just ending, or of another user.
    amount(&sums, "Pss:").or_else(|| resident(pid).map(|(now, _)| now)).unwrap_or(0)
}

/// The number of bytes after `name` in a file of `/proc`.
fn amount(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes << 10)
}

fn children(pid: Pid) -> Vec<Pid> {
    // Those of its other threads are few and not worth the time.
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    children.split_ascii_whitespace().filter_map(pid_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let pid = Pid::from_raw(42).unwrap();
        let stat = b"42 (a) Z (\xff) S 7 8 9 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 12345 1 2 3\n";
        let process = parse(stat, pid).unwrap();
        assert_eq!(process.parent, Pid::from_raw(7));
        assert_eq!(process.group, Pid::from_raw(8));
        assert!(!process.ended);
        assert_eq!(process.started, 12345);
        let ending = b"42 (x) X 0 -1 -1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 12345 1 2 3\n";
        assert_eq!(parse(ending, pid).unwrap().group, None);
        assert_eq!(parse(b"42 (", pid), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_among_them() {
        let this = rustix::process::getpid();
        assert!(all().iter().any(|process| process.pid == this && !process.ended));
        assert!(memory(this).unwrap() > 1 << 20);
    }
}
