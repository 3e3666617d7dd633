//! Numbers, and the distance between them.

use crate::question::criteria::{Nan, Tolerance};

/// A number that was read from somewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number<'a> {
    /// A whole number, written without a fraction.
    Whole(i128),
    /// An integer outside the range of `i128`, kept as text: an optional sign, then digits.
    Long(&'a str),
    /// A floating point number.
    Float(f64),
    /// A finite literal outside the range of `f64` (overflow, or underflow to 0), kept as text.
    Spelled(&'a str),
    /// A real and an imaginary part.
    Complex(f64, f64),
}

/// Whether a number is close enough to what is expected.
pub(in crate::analysis) fn close(expected: f64, actual: f64, tolerance: &Tolerance) -> bool {
    Number::Float(expected).distance(Number::Float(actual), tolerance, Precision::Double).within
}

/// The type in which representable numbers are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Precision {
    /// 16 bits with the range of 32, `bfloat16`: the coarsest.
    Brain,
    /// 16 bits.
    Half,
    /// 32 bits.
    Single,
    /// 64 bits.
    Double,
}

/// How far a number is from the expected one. Only finite distances are reported.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Distance {
    pub(super) within: bool,
    pub(super) absolute: Option<f64>,
    pub(super) relative: Option<f64>,
    pub(super) ulps: Option<u64>,
}

impl Distance {
    /// The distance of equal numbers.
    const NONE: Self =
        Self { within: true, absolute: Some(0.0), relative: Some(0.0), ulps: Some(0) };

    /// For pairs without a distance, such as a NaN and a number.
    pub(super) const fn unknown(within: bool) -> Self {
        Self { within, absolute: None, relative: None, ulps: None }
    }
}

impl<'a> Number<'a> {
    /// Reads a text that is known to be a number, in the notation of Python or JSON. A trailing point
    /// does not make it a float, because it may end a sentence.
    pub(super) fn of(text: &'a str) -> Self {
        let digits = text.strip_suffix('.').unwrap_or(text);
        let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
        if !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
            return digits.parse().map_or(Self::Long(digits), Self::Whole);
        }
        // Rust reads `inf`, `infinity` and `nan` in any case, as Python does.
        let number = text.parse().unwrap_or(f64::NAN);
        let digits = unsigned.split(['e', 'E']).next().unwrap_or_default();
        let says_infinity = !digits.bytes().any(|byte| byte.is_ascii_digit());
        let says_zero = !digits.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
        if (number.is_infinite() && !says_infinity) || (number == 0.0 && !says_zero) {
            Self::Spelled(text)
        } else {
            Self::Float(number)
        }
    }

    /// As floating point numbers: the real and the imaginary part.
    pub(super) fn parts(self) -> [f64; 2] {
        let (real, imaginary) = self.float();
        [real, imaginary]
    }

    /// The nearest floating point number.
    fn float(self) -> (f64, f64) {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "the nearest one is what is asked for")]
            Self::Whole(number) => (number as f64, 0.0),
            Self::Long(text) | Self::Spelled(text) => (text.parse().unwrap_or(f64::NAN), 0.0),
            Self::Float(number) => (number, 0.0),
            Self::Complex(real, imaginary) => (real, imaginary),
        }
    }

    /// How far `actual` lies from this number, which is the expected one.
    pub(super) fn distance(
        self,
        actual: Number<'_>,
        tolerance: &Tolerance,
        precision: Precision,
    ) -> Distance {
        match (self, actual) {
            (Self::Whole(expected), Number::Whole(actual)) => whole(expected, actual, tolerance),
            (Self::Long(_) | Self::Whole(_), Number::Long(_) | Number::Whole(_)) => {
                if self.canonical() == actual.canonical() {
                    return Distance::NONE;
                }
                let (expected, actual) = (self.float().0, actual.float().0);
                let absolute = Some((actual - expected).abs()).filter(|far| *far > 0.0);
                apart(false, absolute, expected.abs())
            }
            (Self::Spelled(expected), Number::Spelled(actual)) if expected == actual => {
                Distance::NONE
            }
            (Self::Spelled(_) | Self::Long(_), _) | (_, Number::Spelled(_) | Number::Long(_)) => {
                let tiny = |number| matches!(number, Number::Spelled(_)) && number.float().0 == 0.0;
                let finite = [self, actual].iter().all(|number| number.float().0.is_finite());
                // What is beyond floats has no distance, and next to 0 only an absolute one counts.
                if finite && (tolerance.absolute() > 0.0 || !(tiny(self) || tiny(actual))) {
                    floats(self.float(), actual.float(), tolerance, precision)
                } else {
                    Distance::unknown(false)
                }
            }
            (
                Self::Whole(_) | Self::Float(_) | Self::Complex(..),
                Number::Whole(_) | Number::Float(_) | Number::Complex(..),
            ) => floats(self.float(), actual.float(), tolerance, precision),
        }
    }

    /// The digits that decide whether two whole numbers are the same.
    fn canonical(self) -> (bool, String) {
        let text = match self {
            Self::Long(digits) => digits.to_owned(),
            Self::Whole(number) => number.to_string(),
            Self::Float(_) | Self::Spelled(_) | Self::Complex(..) => String::new(),
        };
        let digits = text.trim_start_matches(['+', '-']).trim_start_matches('0');
        (text.starts_with('-') && !digits.is_empty(), digits.to_owned())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a distance is told as the nearest float")]
fn whole(expected: i128, actual: i128, tolerance: &Tolerance) -> Distance {
    if expected == actual {
        return Distance::NONE;
    }
    let absolute = expected.abs_diff(actual) as f64;
    apart(absolute <= tolerance.absolute(), Some(absolute), expected.unsigned_abs() as f64)
}

/// The larger of two numbers, as far as they are known.
pub(super) fn larger(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    }
}

/// A distance between whole numbers.
fn apart(within: bool, absolute: Option<f64>, size: f64) -> Distance {
    let absolute = absolute.filter(|absolute| absolute.is_finite());
    let relative = absolute.map(|absolute| absolute / size).filter(|far| far.is_finite());
    Distance { within, absolute, relative, ulps: None }
}

/// Floating point numbers; what is real has no imaginary part.
fn floats(
    expected: (f64, f64),
    actual: (f64, f64),
    tolerance: &Tolerance,
    precision: Precision,
) -> Distance {
    let nan = |(real, imaginary): (f64, f64)| real.is_nan() || imaginary.is_nan();
    let finite = |(real, imaginary): (f64, f64)| real.is_finite() && imaginary.is_finite();
    if nan(expected) || nan(actual) {
        let both = nan(expected) && nan(actual);
        return Distance::unknown(both && tolerance.nan() == Nan::Equal);
    }
    if expected == actual {
        return Distance::NONE;
    }
    if !finite(expected) || !finite(actual) {
        return Distance::unknown(false);
    }
    // The square root of a sum of squares would round where one part alone does not.
    let size = |(real, imaginary): (f64, f64)| {
        if imaginary == 0.0 { real.abs() } else { real.hypot(imaginary) }
    };
    let absolute = size((actual.0 - expected.0, actual.1 - expected.1));
    let of = |expected: f64, actual: f64| {
        ordinal(expected, precision).abs_diff(ordinal(actual, precision))
    };
    let ulps = of(expected.0, actual.0).max(of(expected.1, actual.1));
    let bound = tolerance.absolute() + tolerance.relative() * size(expected);
    let within = absolute <= bound || tolerance.ulps().is_some_and(|most| ulps <= most);
    Distance { ulps: Some(ulps), ..apart(within, Some(absolute), size(expected)) }
}

/// The place of a number among all that its type can hold, with both zeros at 0.
fn ordinal(number: f64, precision: Precision) -> i64 {
    let size = match precision {
        Precision::Double => number.abs().to_bits(),
        #[expect(clippy::cast_possible_truncation, reason = "it is rounded to the coarser type")]
        Precision::Single => u64::from((number.abs() as f32).to_bits()),
        Precision::Half => half_bits(number.abs()),
        #[expect(clippy::cast_possible_truncation, reason = "it is rounded to the coarser type")]
        Precision::Brain => u64::from(brain_bits(number.abs() as f32)),
    };
    // The highest bit is that of the sign, which is not set.
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    if number.is_sign_negative() { -size } else { size }
}

/// The bits of the nearest `bfloat16`, which are the upper half of those of a float.
fn brain_bits(number: f32) -> u32 {
    let bits = number.to_bits();
    // Ties go to the even one. What is no number is not asked for.
    bits.saturating_add(0x7fff + ((bits >> 16) & 1)) >> 16
}

/// The bits of the nearest number of half precision. All steps but one are exact in doubles.
fn half_bits(number: f64) -> u64 {
    const INFINITY: f64 = 31744.0;
    let exponent = (number.to_bits() >> 52).cast_signed() - 1023;
    let bits = if exponent < -14 {
        number * 2f64.powi(24)
    } else if exponent > 15 {
        INFINITY
    } else {
        let exponent = i32::try_from(exponent).unwrap_or(0);
        let biased = f64::from(exponent + 15) * 1024.0;
        biased + (number / 2f64.powi(exponent) - 1.0) * 1024.0
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and infinity's 31744"
    )]
    let bits = bits.round_ties_even().min(INFINITY) as u64;
    bits
}

/// A number of half precision, from its bits.
pub(super) fn from_half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = ((bits >> 10) & 0x1f, f64::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f64.powi(i32::from(exponent) - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(expected: &str, actual: &str, tolerance: Tolerance) -> bool {
        Number::of(expected).distance(Number::of(actual), &tolerance, Precision::Double).within
    }

    #[test]
    fn numbers_are_held_against_a_tolerance() {
        let exact = Tolerance::new(0.0, 0.0).unwrap();
        let two = "170141183460469231731687303715884105728"; // 2^127: one more than i128 holds
        let cases = [
            ("1.0", "1.00000005", Tolerance::default(), true),
            ("1.0", "1.0000002", Tolerance::default(), false),
            ("-0.0", "0.0", exact, true),
            ("inf", "inf", exact, true),
            ("inf", "-inf", Tolerance::new(1e300, 1.0).unwrap(), false),
            // The next number, by bits, is infinity.
            ("1.7976931348623157e308", "inf", exact.with_ulps(5), false),
            ("nan", "NaN", exact, true),
            ("nan", "nan", exact.with_nan(Nan::Different), false),
            ("nan", "1", Tolerance::new(10.0, 10.0).unwrap(), false),
            ("0", "1e-300", Tolerance::default(), false),
            ("0.1", "0.10000000000000002", exact.with_ulps(1), true),
            ("0.1", "0.10000000000000003", exact.with_ulps(1), false),
            ("-5e-324", "5e-324", exact.with_ulps(2), true), // across zero
            // Whole numbers know only the absolute tolerance.
            ("1000000007", "1000000008", Tolerance::default(), false),
            ("100", "150", Tolerance::new(0.0, 1.0).unwrap(), false),
            ("100", "102", Tolerance::new(2.0, 0.0).unwrap(), true),
            ("100", "103", Tolerance::new(2.0, 0.0).unwrap(), false),
            ("9007199254740993", "9007199254740992", exact, false), // equal as floats
            (two, two, exact, true),
            (two, "+0170141183460469231731687303715884105728", exact, true),
            (
                two,
                "170141183460469231731687303715884105729",
                Tolerance::new(1.0, 1.0).unwrap(),
                false,
            ),
            ("-0", "+00", exact, true),
            // A whole number beside a float is a float.
            ("1", "1.0", exact, true),
            ("1", "1.00000005", Tolerance::default(), true),
            ("7.", "7", exact, true),
            // What no float holds.
            ("1e400", "2.5e999", Tolerance::default(), false),
            ("1e400", "inf", Tolerance::default(), false),
            ("-1e400", "-1e400", exact, true),
            ("1e-400", "0.0", Tolerance::default(), false),
            ("1e-400", "0.0", Tolerance::new(1e-300, 0.0).unwrap(), true),
            ("0.0e-999", "0", exact, true),
            ("inf", "Infinity", exact, true),
            ("1e400", "nan", Tolerance::default(), false),
            (two, "1.7014118346046923e38", Tolerance::default(), true),
        ];
        for (expected, actual, tolerance, is) in cases {
            assert_eq!(within(expected, actual, tolerance), is, "{expected} {actual}");
        }
    }

    #[test]
    fn complex_numbers_have_one_distance() {
        let of = |expected, actual, tolerance: Tolerance| {
            let (expected, actual): ((f64, f64), (f64, f64)) = (expected, actual);
            Number::Complex(expected.0, expected.1)
                .distance(Number::Complex(actual.0, actual.1), &tolerance, Precision::Double)
                .within
        };
        let five = Tolerance::new(5.0, 0.0).unwrap();
        assert!(of((0.0, 0.0), (3.0, 4.0), five));
        assert!(!of((0.0, 0.0), (3.0, 4.1), five));
        assert!(of((f64::NAN, 1.0), (2.0, f64::NAN), five)); // NumPy asks whether either part is
        assert!(!of((f64::INFINITY, 1.0), (f64::INFINITY, 2.0), five));
        assert!(of((f64::INFINITY, 1.0), (f64::INFINITY, 1.0), five));
    }

    #[test]
    fn every_number_of_16_bits_is_its_own_bits() {
        for bits in 0..0x7c00u16 {
            assert_eq!(half_bits(from_half(bits)), u64::from(bits));
        }
        assert_eq!(half_bits(1e6), 0x7c00);
        assert_eq!(half_bits(65519.9), 0x7bff); // just below the middle between the last and infinity
        for bits in 0..0x7f80u32 {
            assert_eq!(brain_bits(f32::from_bits(bits << 16)), bits);
        }
        assert_eq!(brain_bits(1.0 + 1.0 / 256.0), 0x3f80); // a tie, and the even one
        assert_eq!(brain_bits(f32::MAX), 0x7f80);
        assert!(from_half(0x7c01).is_nan() && from_half(0xfc00) == f64::NEG_INFINITY);
    }
}
