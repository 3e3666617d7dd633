//! Things that are made once, however many threads ask for them at once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// One lock for each thing that is being made by this process.
#[derive(Debug)]
pub(crate) struct Turns<K>(Mutex<HashMap<K, Arc<Mutex<()>>>>);

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Turns<K> {
    /// Calls `make` while no other thread does so for the same key. A thread that had to wait calls it too, so `make`
    /// should first check whether the thing exists by now.
    pub(crate) fn alone<T>(&self, key: &K, make: impl FnOnce() -> T) -> T
    where
        K: Clone,
    {
        let lock = {
            let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(under_way.entry(key.clone()).or_default())
        };
        let made = {
            let _alone = lock.lock().unwrap_or_else(PoisonError::into_inner);
            make()
        };
        drop(lock);
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Only the map holds it: no other thread waits.
        if under_way.get(key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            under_way.remove(key);
        }
        made
    }
}
