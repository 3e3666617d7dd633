//! Whether the runs of two groups repeat a number equally often: Fisher's exact test, for a group that is constant.
//!
//! Where all runs of one group have the same number there is no ratio, and Levene's test is weak if a single number of
//! the other group is far from all others. How far the numbers are does not matter here: of each group it is counted
//! how many runs do not have its most frequent number.
//!
//! Source: R. A. Fisher, "Statistical Methods for Research Workers", 5th edition, 1934, section 21.02.

use serde::Serialize;

use super::values::{Values, count};

/// How often the runs of two groups do not repeat the most frequent number of their group. One of the groups is constant,
/// so that all of its runs do.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Repeating {
    /// How many runs of the group that varies have another number than its most frequent one.
    pub other: usize,
    /// How many runs that group has.
    pub runs: usize,
    /// The probability of counts that are at most as likely if both groups repeat alike; two-sided, by the
    /// hypergeometric distribution.
    pub p: f64,
}

/// Compares two groups of which exactly one is constant, and each has at least two runs; else `None`.
pub(super) fn repeating(first: &Values, second: &Values) -> Option<Repeating> {
    let (constant, varied) = match (first.is_constant(), second.is_constant()) {
        (true, false) => (first, second),
        (false, true) => (second, first),
        (true, true) | (false, false) => return None,
    };
    if constant.count() < 2 {
        return None;
    }
    // The zeros of both signs are next to each other, and equal.
    let equal = varied.sorted().chunk_by(|one, other| one >= other).map(<[f64]>::len);
    let (runs, other) = (varied.count(), varied.count() - equal.max().unwrap_or(0));
    Some(Repeating { other, runs, p: fisher_exact(constant.count(), runs, other) })
}

/// The two-sided p if of `steady` runs none is odd, and of `runs` runs `odd` are.
///
/// With the sums of rows and columns kept, the table is given by how many of the `steady` runs are odd. Each weight follows
/// from the one before, relative to what was seen, so that no factorial is needed. Tables that are as likely but for rounding
/// count, as in SciPy.
fn fisher_exact(steady: usize, runs: usize, odd: usize) -> f64 {
    const AS_LIKELY: f64 = 1.0 + 1e-7;
    let (mut weight, mut all, mut far) = (1.0_f64, 0.0, 0.0);
    for moved in 0..=steady.min(odd) {
        all += weight;
        if weight <= AS_LIKELY {
            far += weight;
        }
        let more = count(steady - moved) * count(odd - moved);
        weight *= more / (count(moved + 1) * count(runs - odd + moved + 1));
    }
    // Beyond 1e308 times as likely as what was seen is as good as certain.
    far / all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_is_that_of_scipy() {
        // scipy.stats.fisher_exact([[0, steady], [odd, runs - odd]]), SciPy 1.17.
        let cases = [
            ((2, 2, 1), 1.0),
            ((5, 5, 4), 0.047_619_047_619_047_616),
            ((50, 50, 5), 0.056_284_494_428_824_33),
            ((50, 50, 6), 0.026_661_076_308_390_465),
            ((3, 9, 8), 0.018_181_818_181_818_18),
        ];
        for ((steady, runs, odd), expected) in cases {
            let found = fisher_exact(steady, runs, odd);
            assert!((found - expected).abs() < 1e-12, "{steady} {runs} {odd}: {found}");
        }
        // Too unlikely for a floating point number, and not NaN.
        assert!((0.0..1e-300).contains(&fisher_exact(3000, 3000, 2999)));
    }

    #[test]
    fn all_runs_are_dealt_out() {
        // By brute force: which runs are odd, of all that there are.
        for (steady, runs, odd) in [(2_usize, 3_usize, 2_usize), (4, 4, 3), (3, 6, 5), (7, 4, 3)] {
            let all: Vec<usize> = (0_u32..1 << (steady + runs))
                .filter(|chosen| chosen.count_ones() as usize == odd)
                .map(|chosen| (chosen & ((1 << steady) - 1)).count_ones() as usize)
                .collect();
            let ways = |moved: usize| all.iter().filter(|one| **one == moved).count();
            let far = all.iter().filter(|moved| ways(**moved) <= ways(0)).count();
            let (found, expected) =
                (fisher_exact(steady, runs, odd), count(far) / count(all.len()));
            assert!((found - expected).abs() < 1e-12, "{steady} {runs} {odd}: {found} {expected}");
        }
    }

    #[test]
    fn exactly_one_group_is_constant() {
        let of = |one: &[f64], other: &[f64]| repeating(&Values::of(one), &Values::of(other));
        assert_eq!(of(&[1.0, 2.0], &[1.0, 2.0]), None);
        assert_eq!(of(&[1.0, 1.0], &[2.0, 2.0]), None);
        assert_eq!(of(&[1.0], &[1.0, 2.0]), None);
        assert_eq!(of(&[], &[1.0, 2.0]), None);
        let found = of(&[0.0, -0.0, 3.0, 0.0, 4.0], &[7.0, 7.0]).unwrap();
        assert_eq!((found.other, found.runs), (2, 5));
    }
}
