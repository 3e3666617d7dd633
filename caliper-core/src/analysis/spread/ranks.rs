//! Whether the numbers of one group tend to be larger than those of another: the test of Mann and Whitney.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF as _, Normal};

use super::values::count;

/// The test of Mann and Whitney, two-sided.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema)]
pub struct MannWhitney {
    /// How many pairs there are in which the first number is the larger one; a pair of equal numbers counts half.
    pub u: f64,
    /// The probability of a U at least as far from its mean if the numbers of both groups come from one distribution.
    pub p: f64,
    /// How p was found.
    pub method: PMethod,
}

/// How a p was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PMethod {
    /// By counting all orders.
    Exact,
    /// By the normal distribution, corrected for ties and for continuity.
    Normal,
}

/// The smaller group has at most this many numbers where p is exact, as with SciPy's `method="auto"`.
const FEW: usize = 8;

/// The larger group has at most this many: the counts must fit 128 bits, and be few.
const MANY: usize = 10_000;

/// Compares the positions of two sorted lists of finite numbers; `None` if one is empty, or all numbers are equal.
pub(super) fn mann_whitney(first: &[f64], second: &[f64]) -> Option<MannWhitney> {
    if first.is_empty() || second.is_empty() {
        return None;
    }
    let mut all: Vec<(f64, bool)> = first.iter().map(|number| (*number, true)).collect();
    all.extend(second.iter().map(|number| (*number, false)));
    all.sort_by(|one, other| one.0.total_cmp(&other.0));
    // Half the sum of ranks would do for floats; twice the sum stays whole.
    let (mut twice_ranks, mut ties, mut place) = (0_u128, 0.0, 0);
    // Zeros of both signs are next to each other, and equal.
    for equal in all.chunk_by(|one, other| one.0 >= other.0) {
        let of_first = equal.iter().filter(|(_, is_first)| *is_first).count();
        twice_ranks += wide(of_first) * wide(2 * place + equal.len() + 1);
        let tied = count(equal.len());
        ties += tied * tied * tied - tied;
        place += equal.len();
    }
    let (n, m) = (first.len(), second.len());
    let twice_u = twice_ranks - wide(n) * wide(n + 1);
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 pairs")]
    let u = twice_u as f64 / 2.0;
    let larger = u.max(count(n) * count(m) - u);
    let is_exact = ties <= 0.0 && n.min(m) <= FEW && n.max(m) <= MANY;
    let (p, method) = if is_exact {
        let twice = twice_u.max(2 * wide(n) * wide(m) - twice_u);
        (exact(n.min(m), n.max(m), usize::try_from(twice / 2).ok()?), PMethod::Exact)
    } else {
        (normal(n, m, larger, ties)?, PMethod::Normal)
    };
    Some(MannWhitney { u, p, method })
}

fn wide(number: usize) -> u128 {
    u128::try_from(number).unwrap_or(u128::MAX)
}

/// Twice the share of all orders of `few` and `many` different numbers whose U is at least `least`.
///
/// The number of orders with each U is a coefficient of the Gaussian binomial, the product of (1 - q^(many + i)) /
/// (1 - q^i) for i from 1 to `few`. Each factor is one pass over the coefficients. What is between a multiplication and
/// a division may be negative and wraps around; the results are counts of at most C(10008, 8) < 2^128, and so exact.
fn exact(few: usize, many: usize, least: usize) -> f64 {
    let most = few * many;
    let mut orders = vec![0_u128; most + 1];
    orders[0] = 1;
    for factor in 1..=few {
        let above = many + factor;
        for u in (above..=most).rev() {
            orders[u] = orders[u].wrapping_sub(orders[u - above]);
        }
        for u in factor..=most {
            orders[u] = orders[u].wrapping_add(orders[u - factor]);
        }
    }
    let all: u128 = orders.iter().sum();
    let far: u128 = orders.iter().skip(least).sum();
    #[expect(clippy::cast_precision_loss, reason = "a share of counts")]
    let share = far as f64 / all as f64;
    (2.0 * share).min(1.0)
}

/// The same by the normal distribution; `None` if all numbers are equal. `ties` is the sum of t^3 - t over the sizes t
/// of groups of equal numbers.
fn normal(n: usize, m: usize, larger: f64, ties: f64) -> Option<f64> {
    let (n, m) = (count(n), count(m));
    let all = n + m;
    let variance = n * m / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
    if variance.is_nan() || variance <= 0.0 {
        return None;
    }
    let z = (larger - n * m / 2.0 - 0.5) / variance.sqrt();
    let standard = Normal::new(0.0, 1.0).ok()?;
    Some((2.0 * standard.sf(z)).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All ways to deal out ranks, by brute force.
    fn counted(n: usize, m: usize, least: usize) -> f64 {
        let (mut far, mut all) = (0, 0);
        for taken in 0_u32..1 << (n + m) {
            if usize::try_from(taken.count_ones()).unwrap() == n {
                let ranks = (0..n + m).filter(|rank| taken >> rank & 1 == 1);
                let u: usize = ranks.enumerate().map(|(before, rank)| rank - before).sum();
                all += 1;
                far += usize::from(u >= least);
            }
        }
        (2.0 * count(far) / count(all)).min(1.0)
    }

    #[test]
    fn all_orders_are_counted() {
        for (n, m) in [(1_usize, 1_usize), (1, 4), (2, 3), (3, 5), (4, 4), (5, 7)] {
            for least in (n * m).div_ceil(2)..=n * m {
                let (expected, found) = (counted(n, m, least), exact(n, m, least));
                assert!((expected - found).abs() < 1e-12, "{n} {m} {least}: {expected} {found}");
            }
        }
        // statrs 0.19.1 says 1.
        assert!((exact(3, 5, 9) - 0.785_714_285_714).abs() < 1e-9);
        // The largest that is counted.
        assert!(exact(FEW, MANY, FEW * MANY / 2 + 1) > 0.99);
    }

    #[test]
    fn equal_numbers_have_no_order() {
        assert_eq!(mann_whitney(&[1.0; 3], &[1.0; 4]), None);
        assert_eq!(mann_whitney(&[-0.0; 3], &[0.0; 4]), None);
        assert_eq!(mann_whitney(&[], &[1.0]), None);
    }
}
