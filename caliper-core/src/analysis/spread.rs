//! How much the runs of a training vary, and whether one group of runs varies more than another.
//!
//! The usual question: how much of the spread of a result comes from the seed, and how much from the machine? One
//! *group* has runs with the same seed, the other has runs with different seeds. A group has *metrics*, such as `loss`,
//! with one number for each run. [`spread`] describes each metric of each group, and holds every group against the
//! first one.
//!
//! Groups come from tables ([`table`]) or from recorded results ([`recorded()`]). Whatever is not as planned is a
//! [`Problem`], and withholds the comparison until the caller allows it: 36 runs of 50 are often the 36 that ended
//! early, so a ratio of them would look like an answer and be none.
//!
//! Sources: the F test and its interval are G. W. Snedecor and W. G. Cochran, "Statistical Methods", 8th edition, 1989,
//! section 5.11; Levene's test with medians is M. B. Brown and A. B. Forsythe, "Robust tests for the equality of
//! variances", 1974; the test of position is H. B. Mann and D. R. Whitney, "On a test of whether one of two random
//! variables is stochastically larger than the other", 1947; the exact test of repeating is R. A. Fisher, "Statistical Methods
//! for Research Workers", 5th edition, 1934, section 21.02; the percentile bootstrap is B. Efron and R. J. Tibshirani,
//! "An Introduction to the Bootstrap", 1993, chapter 13.

pub mod table;

mod bootstrap;
mod contrast;
mod describe;
mod fisher;
mod group;
mod guard;
mod levene;
mod problem;
mod ranks;
mod ratio;
mod recorded;
mod repeating;
mod together;
mod values;

pub use bootstrap::BootstrapInterval;
pub use contrast::{Contrast, SpreadTest, Verdict};
pub use describe::Description;
pub use group::{Group, Metric};
pub use problem::Problem;
pub use ranks::{MannWhitney, PMethod};
pub use ratio::{POWER, RunsNeeded};
pub use recorded::{AxisError, Place, Recording, Studied, recorded};
pub(in crate::analysis) use recorded::{by_place, labels, the_axis};
pub use repeating::Repeating;
pub use together::{Described, GroupSize, MetricSpread, Spread, spread};
pub use values::{ALPHA, Undefined};

#[cfg(test)]
mod tests;
