//! Which test is run when.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;

use rayon::Scope;

use super::environment::OpenEnvironment;
use super::{RunError, RunOptions, Running};
use crate::interrupt::Interrupt;

/// Which test is run when.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Schedule {
    /// Tests of one environment side by side, then the next environment. As many environments are open at
    /// once as there are jobs. If tests are repeated and the environments are few, the cells take turns.
    #[default]
    Parallel,
    /// Like [`Parallel`](Self::Parallel), but while a test runs nothing else does: no other test and no
    /// build. For measurements of time.
    Exclusive,
    /// All environments are built first; then every test of every cell is run once, then all a second time,
    /// and so on. A disturbance of the machine then hits all cells alike. Like
    /// [`Exclusive`](Self::Exclusive), nothing else runs meanwhile. All environments stand at the same time,
    /// which takes disk space.
    Interleaved,
}

/// Keeps apart what must not happen at the same time.
pub(super) struct Gate {
    exclusive: bool,
    // Writers come before readers that arrive later, so builds cannot keep tests waiting for ever.
    lock: RwLock<()>,
}

/// What holds the gate open for one test.
pub(super) enum Pass<'a> {
    Shared { _guard: RwLockReadGuard<'a, ()> },
    Alone { _guard: RwLockWriteGuard<'a, ()> },
}

impl Gate {
    pub(super) fn new(schedule: Schedule) -> Self {
        let exclusive = match schedule {
            Schedule::Parallel => false,
            Schedule::Exclusive | Schedule::Interleaved => true,
        };
        Self { exclusive, lock: RwLock::new(()) }
    }

    /// Whether nothing may happen beside a test.
    pub(super) fn is_exclusive(&self) -> bool {
        self.exclusive
    }

    /// Waits until a build may go on.
    pub(super) fn build(&self) -> RwLockReadGuard<'_, ()> {
        self.lock.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a test may run.
    pub(super) fn test(&self) -> Pass<'_> {
        if self.exclusive {
            Pass::Alone { _guard: self.lock.write().unwrap_or_else(PoisonError::into_inner) }
        } else {
            Pass::Shared { _guard: self.build() }
        }
    }
}

impl<'a> Running<'a> {
    /// Measures the tasks of all groups; those of one group share an environment. `take_turns`: every test
    /// is run once before any is run a second time, also with [`Schedule::Parallel`].
    pub(super) fn measure(
        &self,
        mut groups: Vec<Vec<usize>>,
        options: &RunOptions,
        take_turns: bool,
    ) -> Result<(), RunError> {
        if groups.is_empty() {
            return Ok(());
        }
        let keyed = |group: &Vec<usize>| {
            Some((self.request(group[0])?, self.tasks[group[0]].identity.environment))
        };
        let requests: Vec<_> = groups.iter().filter_map(keyed).collect();
        self.context.backend.prepare(&requests);
        let jobs = options.jobs.max(1);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(jobs)
            .thread_name(|index| format!("cell-{index}"))
            .build()
            .map_err(|source| RunError::Threads { jobs, source: source.into() })?;
        while !groups.is_empty() {
            self.next.store(0, Ordering::SeqCst);
            thread::scope(|threads| {
                threads.spawn(|| self.fetch_ahead(&groups, jobs));
                match options.schedule {
                    Schedule::Parallel if take_turns => self.interleave(&groups, &pool, jobs),
                    Schedule::Parallel | Schedule::Exclusive => pool.scope(|scope| {
                        for _ in 0..jobs {
                            scope.spawn(|scope| self.open_environments(&groups, scope));
                        }
                    }),
                    Schedule::Interleaved => self.interleave(&groups, &pool, jobs),
                }
                // What was not opened will not be.
                self.next.store(groups.len(), Ordering::SeqCst);
            });
            let mut alone = std::mem::take(&mut *self.alone());
            alone.sort_unstable();
            self.is_alone.store(true, Ordering::SeqCst);
            groups = alone.into_iter().map(|task| vec![task]).collect();
        }
        Ok(())
    }

    /// Fetches the files of the environments that are opened next, `jobs` ahead, while those before them are built and
    /// tested. A file that fails is fetched again when its turn comes, and what is wrong is told then.
    fn fetch_ahead(&self, groups: &[Vec<usize>], jobs: usize) {
        if self.gate.is_exclusive() {
            return;
        }
        for (index, group) in groups.iter().enumerate().skip(jobs) {
            while index >= self.next.load(Ordering::SeqCst) + jobs {
                if self.is_over() {
                    return;
                }
                thread::sleep(Interrupt::POLL);
            }
            let task = &self.tasks[group[0]];
            let Some(request) = self.request(group[0]) else { continue };
            let key = &task.identity.environment;
            let estimate = self.context.backend.estimate(&request, &task.recipe, key);
            let is_behind = index < self.next.load(Ordering::SeqCst);
            if is_behind || !estimate.is_ok_and(|estimate| estimate.fetches) {
                continue;
            }
            let Some(file) = task.cell.file() else { continue };
            if self.is_over() || self.context.files.fetch(file).is_err() {
                return;
            }
        }
    }

    /// Opens environments until one has tests left to run. The last of these tests calls this again.
    fn open_environments<'s>(&'s self, groups: &'s [Vec<usize>], scope: &Scope<'s>)
    where
        'a: 's,
    {
        while !self.is_over() {
            let group = self.next.fetch_add(1, Ordering::SeqCst);
            let Some(group) = groups.get(group) else { return };
            let Some(open) = self.open(group) else { continue };
            let mut runs = open.runs().into_iter();
            // An import goes first: what it compiles the other tests need not compile again.
            let Some(first) = runs.next() else { continue };
            if self.run_test(&open, first) {
                continue;
            }
            let open = Arc::new(open);
            // The thread's own queue is last in, first out: begin with the last.
            for which in runs.rev() {
                let open = Arc::clone(&open);
                scope.spawn(move |scope| {
                    if self.run_test(&open, which) {
                        self.open_environments(groups, scope);
                    }
                });
            }
            return;
        }
    }

    /// Builds all environments, then runs all tests round after round.
    fn interleave(&self, groups: &[Vec<usize>], pool: &rayon::ThreadPool, jobs: usize) {
        let open: Mutex<Vec<(usize, OpenEnvironment<'_>)>> = Mutex::default();
        pool.scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|_| {
                    while !self.is_over() {
                        let index = self.next.fetch_add(1, Ordering::SeqCst);
                        let Some(group) = groups.get(index) else { return };
                        let built = self.open(group).map(|built| (index, built));
                        open.lock().unwrap_or_else(PoisonError::into_inner).extend(built);
                    }
                });
            }
        });
        let mut open = open.into_inner().unwrap_or_else(PoisonError::into_inner);
        open.sort_by_key(|(index, _)| *index);
        let mut runs: Vec<_> = open
            .iter()
            .flat_map(|(_, open)| open.runs().into_iter().map(move |which| (open, which)))
            .collect();
        // The sort is stable: within a round the cells keep their order.
        runs.sort_by_key(|(open, which)| open.round_of(*which));
        let next = AtomicUsize::new(0);
        pool.scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|_| {
                    while let Some((open, which)) = runs.get(next.fetch_add(1, Ordering::SeqCst)) {
                        self.run_test(open, *which);
                    }
                });
            }
        });
    }
}
