//! The `caliper` binary from the outside: what a person or a script sees.
//!
//! Offline: the package index is a folder of tiny wheels that the harness builds and serves on
//! loopback. What needs a container engine or `uv` says so on standard error if it is skipped, and
//! fails instead where `CALIPER_REQUIRE_ENGINE` is 1.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(unreachable_pub, reason = "one binary, whose modules show each other what they share")]

mod axes;
mod bad_config;
mod bad_index;
mod bad_machine;
mod blame;
mod bounds;
mod builds;
mod commands;
mod dated_builds;
mod elsewhere;
mod examples;
mod expected;
mod exports;
mod far_engine;
mod folder;
mod frozen;
mod grids;
mod groups;
mod heal;
mod imports;
mod init;
mod killed;
mod live;
mod local_run;
mod looks;
mod mirror;
mod overlay;
mod partial;
mod private_index;
mod probe;
mod progress;
mod project;
mod public_api;
mod pytest;
mod replay;
mod report;
mod source;
mod spread;
mod support;
mod third_outcome;
mod witness;
