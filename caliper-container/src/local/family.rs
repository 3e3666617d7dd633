//! A program and all its descendants, including those that left its process group or lost their parent.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, RawPid, Signal};

use super::processes::{self, Process};

/// An environment variable of every program, which its descendants inherit. It identifies processes
/// whose parent has ended and that have a process group of their own.
pub(super) const MARK: &str = "CALIPER_TEST_ID";

/// What the values of the marks of all programs of this process begin with.
static OF_THIS_PROCESS: LazyLock<String> = LazyLock::new(|| {
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("{:x}-{:x}-", std::process::id(), time.as_nanos())
});

/// What the marks of all programs of this process begin with, as `NAME=value`.
pub(super) fn marks() -> String {
    format!("{MARK}={}", *OF_THIS_PROCESS)
}

/// Gives `command` a unique mark.
pub(super) fn mark(command: &mut Command) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mark = format!("{}{:x}", *OF_THIS_PROCESS, NEXT.fetch_add(1, Ordering::Relaxed));
    command.env(MARK, &mark);
    format!("{MARK}={mark}")
}

/// The processes of one program.
pub(super) struct Family {
    head: Pid,
    /// `NAME=value`, as in the environment.
    mark: String,
    /// The processes found so far, by number and start time. They are kept, because one whose parent has
    /// ended might not be found again.
    seen: BTreeSet<(RawPid, u64)>,
}

impl Family {
    /// The descendants of the process `head`, which leads a group and was not waited for.
    pub(super) fn new(head: Pid, mark: String) -> Self {
        Self { head, mark, seen: BTreeSet::new() }
    }

    /// Sends a signal to all of them.
    pub(super) fn signal(&mut self, signal: Signal) {
        let others = self.others();
        // An empty group is not an error.
        let _ = rustix::process::kill_process_group(self.head, signal);
        for process in others {
            let _ = rustix::process::kill_process(process.pid, signal);
        }
    }

    /// Kills processes until none is left, except for the ended head that was not waited for.
    pub(super) fn kill(&mut self) {
        // The group signal reaches all its members at once, so they cannot escape by forking.
        let _ = rustix::process::kill_process_group(self.head, Signal::KILL);
        for round in 0..200_u64 {
            let others = self.others();
            if others.is_empty() {
                return;
            }
            for process in &others {
                let _ = rustix::process::kill_process(process.pid, Signal::KILL);
            }
            thread::sleep(Duration::from_micros((200 << round.min(6)).min(10_000)));
            for process in &others {
                processes::reap(process.pid);
            }
        }
    }

    /// The larger of the program's peak memory and the current memory of it and its children.
    pub(super) fn memory(&self) -> Option<u64> {
        processes::memory(self.head)
    }

    /// The processor time of all processes that still exist, and of those that they waited for.
    pub(super) fn processor_time(&mut self) -> Duration {
        self.all().into_iter().map(processes::processor_time).sum()
    }

    /// Whether all of them together use more than `most` bytes of memory now. Shared memory counts
    /// once.
    pub(super) fn uses_more_than(&mut self, most: u64) -> bool {
        let all = self.all();
        let resident = |pid: &Pid| processes::resident(*pid).map_or(0, |(now, _)| now);
        // The exact value (PSS) is slow to read. The sum of RSS is an upper bound, so it is checked
        // first.
        all.iter().map(resident).sum::<u64>() > most
            && all.iter().copied().map(processes::proportional).sum::<u64>() > most
    }

    /// All processes that have not ended, including the head.
    pub(super) fn all(&mut self) -> Vec<Pid> {
        let head = self.head;
        self.others().iter().map(|process| process.pid).chain([head]).collect()
    }

    /// All processes that have not ended, except for the head.
    fn others(&mut self) -> Vec<Process> {
        let all = processes::all();
        let Some(head) = all.iter().find(|process| process.pid == self.head) else {
            return Vec::new();
        };
        let recent = all.iter().filter(|one| one.pid != head.pid && one.started >= head.started);
        let mut chosen = vec![self.head];
        let mut rest: Vec<&Process> = Vec::new();
        for process in recent.filter(|process| !process.ended) {
            // The mark is checked last, because it needs another file to be read.
            if process.group == Some(self.head)
                || self.seen.contains(&(process.pid.as_raw_pid(), process.started))
                || processes::has_variable(process.pid, &self.mark)
            {
                chosen.push(process.pid);
            } else {
                rest.push(process);
            }
        }
        // Their descendants, level by level.
        loop {
            let before = chosen.len();
            rest.retain(|process| {
                let is_child = process.parent.is_some_and(|parent| chosen.contains(&parent));
                if is_child {
                    chosen.push(process.pid);
                }
                !is_child
            });
            if chosen.len() == before {
                break;
            }
        }
        let head = self.head;
        let others = all.into_iter();
        let others: Vec<Process> =
            others.filter(|one| one.pid != head && chosen.contains(&one.pid)).collect();
        self.seen.extend(others.iter().map(|one| (one.pid.as_raw_pid(), one.started)));
        others
    }
}
