//! What is counted of the elements of two arrays.

use crate::analysis::compare::arrays::ArrayComparison;
use crate::analysis::compare::number::{Distance, larger};

/// What was found of one element, which may hold several values.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Found {
    differs: bool,
    beyond: bool,
    other_bits: bool,
}

/// What was found of all elements so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    differing: u64,
    beyond: u64,
    other_bits: u64,
    largest_absolute: Option<f64>,
    largest_relative: Option<f64>,
    largest_ulps: Option<u64>,
    /// The first element that differs in value, and the first that differs in bits.
    first: [Option<usize>; 2],
}

impl Found {
    /// Adds two values. Of values of other types it is no matter that their bits differ.
    pub(super) fn add(
        &mut self,
        distance: Option<Distance>,
        is_beyond: bool,
        other_type: bool,
        tally: &mut Tally,
    ) {
        let Some(Distance { within, absolute, relative, ulps }) = distance else { return };
        // A NaN that may equal another has no distance.
        if within && absolute.is_none_or(|far| far.total_cmp(&0.0).is_eq()) {
            self.other_bits |= !other_type;
            return;
        }
        self.differs = true;
        self.beyond |= is_beyond;
        tally.largest_absolute = larger(tally.largest_absolute, absolute);
        tally.largest_relative = larger(tally.largest_relative, relative);
        tally.largest_ulps = tally.largest_ulps.max(ulps);
    }
}

impl Tally {
    pub(super) fn add(&mut self, found: Found, element: usize) {
        if found.differs {
            self.differing += 1;
            self.first[0].get_or_insert(element);
        } else if found.other_bits {
            self.other_bits += 1;
            self.first[1].get_or_insert(element);
        }
        self.beyond += u64::from(found.beyond);
    }

    /// Whether any element is not the same in all its bits.
    pub(super) fn found_any(&self) -> bool {
        self.first.iter().any(Option::is_some)
    }

    /// Tells what was found; `index` makes an index of the number of an element.
    pub(super) fn tell(&self, comparison: &mut ArrayComparison, index: impl Fn(usize) -> Vec<u64>) {
        comparison.differing = self.differing;
        comparison.beyond = self.beyond;
        comparison.other_bits = self.other_bits;
        comparison.largest_absolute = self.largest_absolute;
        comparison.largest_relative = self.largest_relative;
        comparison.largest_ulps = self.largest_ulps;
        let [of_value, of_bits] = self.first;
        comparison.first = of_value.or(of_bits).map(index);
    }
}
