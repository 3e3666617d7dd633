//! Orphans: processes of a test that have lost every trace of their origin (parent, process group and
//! environment).
//!
//! With the consent of the embedder, this process becomes the parent of every orphan below it
//! (`PR_SET_CHILD_SUBREAPER`, prctl(2)), so that none is lost. One of the programs that ran when an
//! orphan was first seen must have started it. Which one is unknown, so the orphan is killed when the
//! last of them has ended.
//!
//! If this process itself is killed, it can end nothing. So it starts a guard with the same consent: a shell that waits for
//! the end of a pipe, and then kills what has the marks of this process's programs.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, RawPid, Signal};

use super::processes;

static STATE: Mutex<State> = Mutex::new(State {
    adopting: false,
    guard: None,
    next: 0,
    running: BTreeMap::new(),
    orphans: BTreeMap::new(),
});

struct State {
    adopting: bool,
    /// The shell that kills the running programs if this process is killed; `None` if it could not be started. The pipe to its
    /// standard input stays open as long as this process runs.
    guard: Option<Child>,
    next: u64,
    /// The running programs and their processes.
    running: BTreeMap<u64, Pid>,
    /// For each orphan (number and start time) the programs that may have started it.
    orphans: BTreeMap<(RawPid, u64), BTreeSet<u64>>,
}

/// Makes this process the parent of orphans, permanently, and starts the guard.
pub(super) fn adopt() {
    #[cfg(target_os = "linux")]
    if rustix::process::set_child_subreaper(Some(rustix::process::getpid())).is_ok() {
        let mut state = state();
        state.adopting = true;
        if state.guard.is_none() {
            // Without a shell there is no guard, and what is left by SIGKILL goes on.
            state.guard = guard().ok();
        }
    }
}

/// Starts the guard, in a group of its own: what is sent to the group of this process, such as Ctrl-C, is not for it.
#[cfg(target_os = "linux")]
fn guard() -> io::Result<Child> {
    Command::new("sh")
        .args(["-c", include_str!("guard.sh"), "guard", &super::family::marks()])
        .env_remove(super::family::MARK)
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

/// Registers a running program until it is dropped. Drop it after the program was waited for.
pub(super) struct Running(u64);

/// Starts a program. While orphans are adopted, all programs of this process must be started here;
/// others would be mistaken for orphans.
pub(super) fn start(spawn: impl FnOnce() -> io::Result<Child>) -> io::Result<(Child, Running)> {
    // Held during the start, so that no other thread sees a child that is not in the list yet.
    let mut state = state();
    let child = spawn()?;
    state.tell_guard(b"+\n");
    let name = state.next;
    state.next += 1;
    state.running.insert(name, Pid::from_child(&child));
    Ok((child, Running(name)))
}

impl Drop for Running {
    fn drop(&mut self) {
        for round in 0..100 {
            let ended = {
                let mut state = state();
                if round == 0 {
                    if state.adopting {
                        // Orphans that appeared while this program ran may be its own.
                        state.look();
                    }
                    state.running.remove(&self.0);
                    state.tell_guard(b"-\n");
                    for suspects in state.orphans.values_mut() {
                        suspects.remove(&self.0);
                    }
                }
                if !state.adopting {
                    return;
                }
                state.look();
                state.end_free()
            };
            if ended.is_empty() {
                return;
            }
            thread::sleep(Duration::from_millis(1));
            ended.into_iter().for_each(processes::reap);
        }
    }
}

impl State {
    fn tell_guard(&mut self, line: &[u8]) {
        if let Some(pipe) = self.guard.as_mut().and_then(|guard| guard.stdin.as_mut()) {
            // It may have been killed.
            let _ = pipe.write_all(line);
        }
    }

    /// Finds new orphans, and removes ended ones from the list.
    fn look(&mut self) {
        let mut present = BTreeSet::new();
        for process in processes::children_of_this() {
            let is_guard =
                self.guard.as_ref().is_some_and(|guard| Pid::from_child(guard) == process.pid);
            if is_guard || self.running.values().any(|pid| *pid == process.pid) {
                continue;
            }
            if process.ended {
                processes::reap(process.pid);
                continue;
            }
            let name = (process.pid.as_raw_pid(), process.started);
            present.insert(name);
            self.orphans.entry(name).or_insert_with(|| self.running.keys().copied().collect());
        }
        self.orphans.retain(|name, _| present.contains(name));
    }

    /// Kills the orphans that no running program can have started.
    fn end_free(&self) -> Vec<Pid> {
        let free = self.orphans.iter().filter(|(_, suspects)| suspects.is_empty());
        let free: Vec<Pid> = free.filter_map(|((pid, _), _)| Pid::from_raw(*pid)).collect();
        for pid in &free {
            let _ = rustix::process::kill_process(*pid, Signal::KILL);
        }
        free
    }
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}
