//! Processes that a test cut loose so well that nothing about them tells whose they are: no parent, no
//! process group, no environment.
//!
//! If the embedder agrees, this process becomes the parent of every orphan below it
//! (`PR_SET_CHILD_SUBREAPER`, prctl(2)), so that none gets away. An orphan is ended with the last of
//! the programs that ran when it was first seen, one of which must have started it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::process::Child;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, RawPid, Signal};

use super::processes;

static STATE: Mutex<State> = Mutex::new(State {
    adopting: false,
    next: 0,
    running: BTreeMap::new(),
    orphans: BTreeMap::new(),
});

struct State {
    adopting: bool,
    next: u64,
    /// The programs that run, and their processes.
    running: BTreeMap<u64, Pid>,
    /// By number and time of start: the programs that may have started it.
    orphans: BTreeMap<(RawPid, u64), BTreeSet<u64>>,
}

/// Makes this process the parent of orphans from now on, for good.
pub(super) fn adopt() {
    #[cfg(target_os = "linux")]
    if rustix::process::set_child_subreaper(Some(rustix::process::getpid())).is_ok() {
        state().adopting = true;
    }
}

/// Says that a program runs, until it is dropped. To be dropped when the program was waited for.
pub(super) struct Running(u64);

/// Starts a program. Nothing else may start one in this process while orphans are adopted: it would be
/// taken for one.
pub(super) fn start(spawn: impl FnOnce() -> io::Result<Child>) -> io::Result<(Child, Running)> {
    // Held while it is started, so that nobody sees a child that is not in the list.
    let mut state = state();
    let child = spawn()?;
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
                        // Those that came about while this one ran may be its own.
                        state.look();
                    }
                    state.running.remove(&self.0);
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
    /// Finds new orphans, and forgets those that have ended.
    fn look(&mut self) {
        let mut present = BTreeSet::new();
        for process in processes::children_of_this() {
            if self.running.values().any(|pid| *pid == process.pid) {
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

    /// Ends the orphans that nobody who runs can have started.
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
