//! Small worlds with known answers, measured for real: what each backend of this machine makes of
//! programs that crash, loop, fork, fill the disk or print for ever.

mod observe;
mod scenario;

pub(crate) use observe::Bench;
pub(crate) use scenario::{Scenario, all};
