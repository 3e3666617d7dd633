//! What a comparison looks past: rules for text, and tolerances for numbers.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::ignore::Ignore;
use super::rule::Rule;

/// How two results are compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// What is taken out of text before it is compared.
    pub rules: BTreeSet<Rule>,
    /// How far numbers may lie apart.
    pub tolerance: Tolerance,
    /// Other tolerances for some fields: a column of a CSV file, a field of JSON (its path without
    /// `$.`, or its name), an array of an `.npz` file, a field of a structured array.
    ///
    /// `*` stands for any characters and `?` for one. A name that is written out comes before
    /// patterns, and patterns are tried in alphabetical order.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Tolerance>,
    /// What else is left out.
    #[serde(skip_serializing_if = "Ignore::is_empty")]
    pub ignore: Ignore,
}

impl Default for Policy {
    /// All rules, and the tolerance that NumPy has.
    fn default() -> Self {
        Self {
            rules: Rule::ALL.into_iter().collect(),
            tolerance: Tolerance::default(),
            fields: BTreeMap::new(),
            ignore: Ignore::default(),
        }
    }
}

impl Policy {
    /// The tolerance of a field that is known by all these names.
    pub(crate) fn of_field(&self, names: &[&str]) -> &Tolerance {
        let exact = || names.iter().find_map(|name| self.fields.get(*name));
        let pattern = || {
            let mut patterns = self.fields.iter();
            patterns.find(|(pattern, _)| fits(pattern, names)).map(|(_, tolerance)| tolerance)
        };
        exact().or_else(pattern).unwrap_or(&self.tolerance)
    }

    /// Which of the ignored fields a field is that is known by all these names.
    pub(crate) fn ignored(&self, names: &[&str]) -> Option<&str> {
        let fields = self.ignore.fields.iter();
        fields.map(String::as_str).find(|pattern| fits(pattern, names))
    }
}

/// How far a number may lie from the one that is expected.
///
/// It is within if `|actual - expected| <= absolute + relative * |expected|`, computed in double
/// precision, or if no more than `ulps` numbers lie between the two; one of them is enough.
/// Infinities have to be equal, and `-0.0` is `0.0`.
///
/// Two whole numbers are held against `absolute` alone: the others exist because floats are rounded,
/// and a count or an identifier is not. With the default, whole numbers are therefore exact, however
/// many digits they have; beyond 38 digits they are either equal or not.
///
/// Source: `numpy.testing.assert_allclose`, with `relative` as `rtol` and `absolute` as `atol`. It
/// differs for whole numbers, and in half and single precision, where NumPy rounds the bound too.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "Written", into = "Written")]
#[schemars(with = "Written")]
pub struct Tolerance {
    absolute: f64,
    relative: f64,
    ulps: Option<u64>,
    nan: Nan,
}

/// Whether a value that is not a number equals another such value.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Nan {
    /// It does.
    #[default]
    Equal,
    /// It is beyond every tolerance.
    Different,
}

impl Default for Tolerance {
    /// `1e-7` of the expected value, as NumPy has it.
    fn default() -> Self {
        Self { absolute: 0.0, relative: 1e-7, ulps: None, nan: Nan::Equal }
    }
}

impl Tolerance {
    /// So far in absolute terms, and so far relative to the expected value.
    ///
    /// # Errors
    ///
    /// [`ToleranceError`] if one of the two is negative, infinite or not a number.
    pub fn new(absolute: f64, relative: f64) -> Result<Self, ToleranceError> {
        for (name, value) in [("absolute", absolute), ("relative", relative)] {
            if !value.is_finite() || value < 0.0 {
                return Err(ToleranceError { name, value });
            }
        }
        Ok(Self { absolute, relative, ..Self::default() })
    }

    /// Also takes what lies no more than so many representable numbers away.
    #[must_use]
    pub fn with_ulps(self, ulps: u64) -> Self {
        Self { ulps: Some(ulps), ..self }
    }

    /// The absolute tolerance, and no other.
    pub(crate) fn absolute_only(&self) -> Self {
        Self { relative: 0.0, ulps: None, ..*self }
    }

    /// Says what holds for values that are not numbers.
    #[must_use]
    pub fn with_nan(self, nan: Nan) -> Self {
        Self { nan, ..self }
    }

    /// How far in absolute terms.
    pub fn absolute(&self) -> f64 {
        self.absolute
    }

    /// How far, as a part of the expected value.
    pub fn relative(&self) -> f64 {
        self.relative
    }

    /// How far in representable numbers, of the coarser of the two types.
    pub fn ulps(&self) -> Option<u64> {
        self.ulps
    }

    /// What holds for values that are not numbers.
    pub fn nan(&self) -> Nan {
        self.nan
    }
}

/// A tolerance that no comparison can keep.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the {name} tolerance is {value}: it must be a finite number, not below 0")]
pub struct ToleranceError {
    name: &'static str,
    value: f64,
}

/// A tolerance as it is written down.
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Tolerance", description = "How far a number may lie from the expected one.")]
struct Written {
    /// How far in absolute terms.
    #[schemars(range(min = 0.0))]
    absolute: f64,
    /// How far, as a part of the expected value.
    #[schemars(range(min = 0.0))]
    relative: f64,
    /// How far in representable numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    ulps: Option<u64>,
    /// What holds for values that are not numbers.
    nan: Nan,
}

impl Default for Written {
    fn default() -> Self {
        Tolerance::default().into()
    }
}

impl From<Tolerance> for Written {
    fn from(Tolerance { absolute, relative, ulps, nan }: Tolerance) -> Self {
        Self { absolute, relative, ulps, nan }
    }
}

impl TryFrom<Written> for Tolerance {
    type Error = ToleranceError;

    fn try_from(Written { absolute, relative, ulps, nan }: Written) -> Result<Self, Self::Error> {
        Ok(Self { ulps, nan, ..Self::new(absolute, relative)? })
    }
}

/// Whether one of the names of a field fits a pattern.
fn fits(pattern: &str, names: &[&str]) -> bool {
    /// What is longer was not named for a pattern, and would take long to look at.
    const LONGEST: usize = 1000;
    names.iter().any(|name| name.len() <= LONGEST && matches(pattern, name))
}

/// Whether a name fits a pattern with `*` and `?`.
///
/// Only the last star is ever taken back, so this takes no longer than the product of the lengths.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut of, mut star) = (0, 0, None);
    while of < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, of));
                at += 1;
            }
            Some(&byte) if byte == b'?' || byte == name[of] => {
                at += 1;
                of += 1;
            }
            _ => {
                let Some((back, from)) = star else { return false };
                star = Some((back, from + 1));
                at = back + 1;
                of = from + 1;
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_written_down_and_read_again() {
        let policy = Policy {
            rules: [Rule::Timestamps, Rule::Ansi].into(),
            tolerance: Tolerance::default().with_ulps(4),
            fields: [("loss*".to_owned(), Tolerance::new(0.5, 0.0).unwrap())].into(),
            ignore: Ignore::default(),
        };
        let text = serde_json::to_string(&policy).unwrap();
        insta::assert_snapshot!(text, @r#"{"rules":["ansi","timestamps"],"tolerance":{"absolute":0.0,"relative":1e-7,"ulps":4,"nan":"equal"},"fields":{"loss*":{"absolute":0.5,"relative":0.0,"nan":"equal"}}}"#);
        assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), policy);
        assert_eq!(serde_json::from_str::<Policy>("{}").unwrap(), Policy::default());
        let part = serde_json::from_str::<Policy>(r#"{"tolerance": {"absolute": 1}}"#).unwrap();
        assert_eq!(part.tolerance, Tolerance::new(1.0, 1e-7).unwrap());
    }

    #[test]
    fn a_tolerance_is_finite_and_not_negative() {
        for value in [-1.0, f64::NAN, f64::INFINITY, -f64::MIN_POSITIVE] {
            assert!(Tolerance::new(value, 0.0).is_err(), "{value}");
            assert!(Tolerance::new(0.0, value).is_err(), "{value}");
        }
        let error = serde_json::from_str::<Tolerance>(r#"{"relative": -0.1}"#).unwrap_err();
        insta::assert_snapshot!(error, @"the relative tolerance is -0.1: it must be a finite number, not below 0");
        let error = serde_json::from_str::<Policy>(r#"{"rules": ["dates"]}"#).unwrap_err();
        insta::assert_snapshot!(error, @"unknown variant `dates`, expected one of `line_endings`, `progress_bars`, `ansi`, `version`, `timestamps`, `warning_lines`, `addresses`, `paths`, `temp_names`, `durations`, `rates`, `sets`, `svg_ids`, `image_metadata`, `spelling` at line 1 column 18");
        assert!(serde_json::from_str::<Tolerance>(r#"{"rtol": 0.1}"#).is_err());
    }

    #[test]
    fn names_come_before_patterns() {
        let with = |absolute| Tolerance::new(absolute, 0.0).unwrap();
        let fields = [("*", 1.0), ("loss", 2.0), ("a[*].?", 3.0)];
        let policy = Policy {
            fields: fields.map(|(name, absolute)| (name.to_owned(), with(absolute))).into(),
            ..Policy::default()
        };
        let of = |names: &[&str]| policy.of_field(names).absolute();
        assert!((of(&["x"]) - 1.0).abs() < 0.1);
        assert!((of(&["x", "loss"]) - 2.0).abs() < 0.1);
        // `*` stands before `a` in the alphabet.
        assert!((of(&["a[3].b"]) - 1.0).abs() < 0.1);
        let policy = Policy { fields: [("l".to_owned(), with(1.0))].into(), ..policy };
        assert_eq!(*policy.of_field(&["loss"]), Tolerance::default());
    }

    #[test]
    fn patterns_fit_as_in_a_shell() {
        for (pattern, name, fits) in [
            ("", "", true),
            ("*", "", true),
            ("a*b*c", "aXbYbZc", true), // the second star takes back what the first `b` took
            ("a*b*c", "aXbYbZ", false),
            ("?", "", false),
            ("loss", "loss2", false),
            ("*.loss", "a.b.loss", true),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }
}
