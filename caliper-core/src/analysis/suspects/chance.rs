//! How much a split explains, and whether that may be chance.

/// Cells and those of them that fail, on the one side of a split and over both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    /// Cells on the side.
    pub(super) side: usize,
    /// Failing ones there.
    pub(super) failing_side: usize,
    /// All cells.
    pub(super) all: usize,
    /// All failing ones.
    pub(super) failing: usize,
}

/// The reduction of deviance (G): 2 Σ observed · ln(observed / expected) over the four fields of the table.
pub(super) fn gain(counts: Counts) -> f64 {
    let Counts { side, failing_side, all, failing } = counts;
    let (other, passing) = (all - side, all - failing);
    let failing_other = failing - failing_side;
    let fields = [
        (failing_side, side, failing),
        (side - failing_side, side, passing),
        (failing_other, other, failing),
        (other - failing_other, other, passing),
    ];
    let all = number(all);
    let term = |(observed, row, column): (usize, usize, usize)| {
        if observed == 0 {
            return 0.0;
        }
        let observed = number(observed);
        observed * (observed * all / (number(row) * number(column))).ln()
    };
    // Rounded, so that splits that explain the same are equal whatever the order of the sum.
    let sum: f64 = fields.into_iter().map(term).sum();
    (2.0 * sum * 1e9).round() / 1e9
}

/// The probability of a split at least as unequal in this direction if failing is independent of the side, for both
/// directions: twice the upper tail of the hypergeometric distribution (Fisher's exact test, one-sided and doubled).
pub(super) fn tail(counts: Counts) -> f64 {
    let Counts { side, failing_side, all, failing } = counts;
    // Seen from the side on which more fails than is expected.
    let (side, seen) = if failing_side * all >= failing * side {
        (side, failing_side)
    } else {
        (all - side, failing - failing_side)
    };
    let most = side.min(failing);
    let logs = Logs::up_to(all);
    let ways = logs.choose(all, side);
    let one = |hits: usize| {
        (logs.choose(failing, hits) + logs.choose(all - failing, side - hits) - ways).exp()
    };
    let least = (side + failing).saturating_sub(all).max(seen);
    (2.0 * (least..=most).map(one).sum::<f64>()).min(1.0)
}

/// The probability that of two splits, neither better than the other, one is right so much more often than the other
/// where they differ: the sign test on both sides, which is `McNemar`'s exact test.
pub(super) fn tie(differing: usize, right: usize) -> f64 {
    let logs = Logs::up_to(differing);
    let half = -number(differing) * std::f64::consts::LN_2;
    let one = |hits: usize| (logs.choose(differing, hits) + half).exp();
    (2.0 * (right..=differing).map(one).sum::<f64>()).min(1.0)
}

/// Logarithms of factorials.
struct Logs(Vec<f64>);

impl Logs {
    fn up_to(most: usize) -> Self {
        let mut logs = vec![0.0];
        for index in 1..=most {
            logs.push(logs[index - 1] + number(index).ln());
        }
        Self(logs)
    }

    /// The logarithm of the binomial coefficient; `chosen` is at most `all`.
    fn choose(&self, all: usize, chosen: usize) -> f64 {
        self.0[all] - self.0[chosen] - self.0[all - chosen]
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of cells are far below 2^52")]
fn number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(side: usize, failing_side: usize, all: usize, failing: usize) -> Counts {
        Counts { side, failing_side, all, failing }
    }

    fn is_near(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-9
    }

    #[test]
    fn the_tail_is_that_of_fishers_tea() {
        // All four cups right: 1 of 70 ways, doubled.
        assert!(is_near(tail(counts(4, 4, 8, 4)), 2.0 / 70.0));
        // Three of four: 17 of 70 ways.
        assert!(is_near(tail(counts(4, 3, 8, 4)), 34.0 / 70.0));
        // The same from the other side.
        assert!(is_near(tail(counts(4, 1, 8, 4)), 34.0 / 70.0));
        // Nothing is told by a split that parts nothing.
        assert!(is_near(tail(counts(8, 4, 8, 4)), 1.0));
    }

    #[test]
    fn the_gain_is_that_of_the_g_test() {
        // 2 n ln 2 for halves that are parted.
        assert!(is_near(gain(counts(4, 4, 8, 4)), 16.0 * std::f64::consts::LN_2));
        assert!(is_near(gain(counts(4, 2, 8, 4)), 0.0));
        // Computed apart, in Python.
        assert!(is_near(gain(counts(15, 10, 30, 12)), 9.505_040_955));
    }

    #[test]
    fn a_tie_is_decided_by_six() {
        assert!(is_near(tie(0, 0), 1.0) && is_near(tie(2, 1), 1.0));
        assert!(is_near(tie(5, 5), 2.0 / 32.0));
        assert!(is_near(tie(6, 6), 2.0 / 64.0));
    }
}
