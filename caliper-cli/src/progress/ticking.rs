//! A reporter that also acts when nothing happens.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use caliper_core::facts::event::{Event, Reporter};
use caliper_core::facts::record::Record;
use caliper_core::facts::store::DirStore;

use super::Progress;

/// The time between two ticks: a line is drawn no more often.
const EVERY: Duration = Duration::from_millis(125);

/// When the first tick comes: late enough that what is done at once shows nothing, and a person does not wait.
const FIRST: Duration = Duration::from_millis(100);

/// What shows a run.
pub(super) trait Shows: Send + 'static {
    /// Something happened, at this time since the beginning.
    fn event(&mut self, event: &Event, now: Duration);

    /// Time went by.
    fn tick(&mut self, now: Duration);

    /// This is where results are.
    fn read_from(&mut self, store: DirStore);

    /// These are the results of earlier runs.
    fn remember(&mut self, records: &[Record]);

    /// Nothing more happens.
    fn end(&mut self);
}

/// Calls what shows a run with events, and several times in a second.
pub(super) struct Ticking<S: Shows> {
    shared: Arc<Shared<S>>,
    begun: Instant,
    thread: Option<JoinHandle<()>>,
}

struct Shared<S> {
    inner: Mutex<Inner<S>>,
    ended: Condvar,
}

struct Inner<S> {
    shows: S,
    is_over: bool,
}

impl<S> Shared<S> {
    fn inner(&self) -> MutexGuard<'_, Inner<S>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Shows> Ticking<S> {
    pub(super) fn start(shows: S) -> Self {
        let inner = Mutex::new(Inner { shows, is_over: false });
        let shared = Arc::new(Shared { inner, ended: Condvar::new() });
        let begun = Instant::now();
        let of_thread = Arc::clone(&shared);
        // Without a thread only events are shown.
        let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(move || {
            let mut wait = FIRST;
            let mut inner = of_thread.inner();
            loop {
                let waited =
                    of_thread.ended.wait_timeout_while(inner, wait, |inner| !inner.is_over);
                inner = waited.unwrap_or_else(PoisonError::into_inner).0;
                if inner.is_over {
                    return;
                }
                inner.shows.tick(begun.elapsed());
                wait = EVERY;
            }
        });
        Self { shared, begun, thread: thread.ok() }
    }
}

impl<S: Shows> Reporter for Ticking<S> {
    fn report(&self, event: &Event) {
        self.shared.inner().shows.event(event, self.begun.elapsed());
    }
}

impl<S: Shows> Progress for Ticking<S> {
    fn remember(&self, results: &std::path::Path) {
        let shared = Arc::clone(&self.shared);
        let store = DirStore::read_only(results);
        shared.inner().shows.read_from(DirStore::read_only(results));
        // Thousands of records take a while, and only the estimate waits for them.
        let _ = std::thread::Builder::new().spawn(move || {
            let records = store.records().map(|(records, _)| records).unwrap_or_default();
            shared.inner().shows.remember(&records);
        });
    }
}

impl<S: Shows> Drop for Ticking<S> {
    fn drop(&mut self) {
        self.shared.inner().is_over = true;
        self.shared.ended.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.shared.inner().shows.end();
    }
}
