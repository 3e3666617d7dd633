//! The docker backend against a real engine.
//!
//! Needs an engine with the image `python:3.11`, which `tests/images/build.sh` makes. Without it the
//! tests say `SKIPPED` and pass; with `CALIPER_REQUIRE_ENGINE=1` they fail.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "docker/bench.rs"]
mod bench;
#[path = "docker/build.rs"]
mod build;
#[path = "docker/leftovers.rs"]
mod leftovers;
#[path = "docker/overhead.rs"]
mod overhead;
#[path = "docker/requests.rs"]
mod requests;
#[path = "docker/run.rs"]
mod run;
