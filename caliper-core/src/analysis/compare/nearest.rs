//! A number as statistics take it: the nearest floating point number, and whether that is another one.

/// A number that was read from a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::analysis) struct Nearest {
    /// The nearest floating point number; may be NaN or infinite.
    pub(in crate::analysis) value: f64,
    /// Whether the text is a whole number that no floating point number equals. Fractions are not meant: they are
    /// nearly always rounded, by less than what is measured.
    pub(in crate::analysis) is_rounded: bool,
}

impl Nearest {
    /// Reads a text; `None` if it is no number.
    pub(in crate::analysis) fn read(text: &str) -> Option<Self> {
        let value = text.parse().ok()?;
        Some(Self { value, is_rounded: is_rounded(text) })
    }
}

/// A whole number is exact if it has at most 53 bits from its first to its last bit that is set.
fn is_rounded(text: &str) -> bool {
    let digits = text.strip_suffix('.').unwrap_or(text).trim_start_matches(['+', '-']);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    // Of what has more than 128 bits only multiples of 2^75 are exact, and none of those is a count of something.
    digits.parse::<u128>().map_or(true, |number| {
        let unused = number.leading_zeros() + number.trailing_zeros().min(u128::BITS - 1);
        u128::BITS.saturating_sub(unused) > f64::MANTISSA_DIGITS
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_of_more_than_53_bits_is_rounded() {
        let cases = [
            ("0", false),
            ("-7.", false),
            ("9007199254740992", false),                       // 2^53
            ("9007199254740993", true),                        // and one more
            ("-9007199254740993", true),                       // with a sign
            ("9007199254740994", false),                       // even
            ("18446744073709551616", false),                   // 2^64
            ("18446744073709551615", true),                    // all 64 bits
            ("10000000000000000000000", false), // 10^22 is the last exact power of ten
            ("100000000000000000000000", true), // 10^23
            ("340282366920938463463374607431768211455", true), // 2^128 - 1
            ("340282366920938463463374607431768211457", true), // more than 128 bits
            ("0.1", false),
            ("9007199254740993.5", false),
            ("1e23", false),
            ("nan", false),
        ];
        for (text, is) in cases {
            assert_eq!(Nearest::read(text).map(|read| read.is_rounded), Some(is), "{text}");
        }
        assert_eq!(Nearest::read("one"), None);
    }
}
