//! HDF5 in a build that does not read it: bytes, which a comparison says.

use super::source::Source;
use super::{Outcome, ResultFormat, Unread, Weaker};
use crate::analysis::compare::collector::Collector;
use crate::analysis::compare::comparison::ReadAs;

/// Groups of arrays, which this build does not read.
pub(super) struct Hdf5;

impl ResultFormat for Hdf5 {
    fn endings(&self) -> &'static [&'static str] {
        &["h5", "hdf5"]
    }

    fn read_as(&self) -> ReadAs {
        ReadAs::Hdf5
    }

    fn compare(&self, _: [Source<'_>; 2], _: &mut Collector<'_>) -> Outcome {
        let reason = "this build of Caliper does not read HDF5: compared as bytes";
        Err(Unread { reasons: vec![reason.to_owned()], weaker: Weaker::Bytes })
    }
}
