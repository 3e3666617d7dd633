//! Which processors a program may use.

use std::io;

use caliper_core::question::limits::CpuSet;

/// Calls `start` with this thread bound to these processors. The started program inherits the binding.
#[cfg(target_os = "linux")]
pub(super) fn on<T>(
    processors: Option<&CpuSet>,
    start: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    use rustix::thread::{sched_getaffinity, sched_setaffinity};
    let Some(processors) = processors else { return start() };
    let before = sched_getaffinity(None)?;
    let mut chosen = rustix::thread::CpuSet::new();
    processors.numbers().for_each(|number| chosen.set(usize::from(number)));
    sched_setaffinity(None, &chosen)?;
    let started = start();
    sched_setaffinity(None, &before)?;
    started
}

/// The first of these processors that this process may not use.
#[cfg(target_os = "linux")]
pub(super) fn missing(processors: &CpuSet) -> Option<u16> {
    let allowed = rustix::thread::sched_getaffinity(None).ok()?;
    processors.numbers().find(|number| {
        let number = usize::from(*number);
        number >= rustix::thread::CpuSet::MAX_CPU || !allowed.is_set(number)
    })
}

#[cfg(not(target_os = "linux"))]
pub(super) fn on<T>(_: Option<&CpuSet>, start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    // Refused beforehand, see `limits`.
    start()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn missing(_: &CpuSet) -> Option<u16> {
    None
}
