//! The client against servers that do everything wrong: bounded time, bounded memory, a clear error,
//! and nothing kept that is not whole.
//!
//! Time is bounded by limits that the tests set, and not looked at: a server that never ends would keep a
//! client without a limit for ever.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod answers;
mod cache;
mod child;
mod downloads;
mod forms;
mod logins;
mod memory;
mod metadata;
mod mirror;
mod names;
mod proxies;
mod server;
mod several;
