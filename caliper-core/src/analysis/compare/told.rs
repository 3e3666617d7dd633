//! How two results compare, in a line for people.

use std::fmt;

use super::comparison::{
    Comparison, Divergence, Extent, Numbers, PartComparison, Place, ReadAs, Rung,
};
use crate::question::criteria::Rule;

impl fmt::Display for PartComparison {
    /// The part and the size of its change: `stdout: 9 of 19 numbers differ, the largest by 33 %: iterations
    /// 8 → 6`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.part, self.comparison)
    }
}

impl fmt::Display for Comparison {
    /// What differs, and by how much; the expected result comes first. For results that count as the same,
    /// what was looked past.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let past = self.past();
        match self.rung {
            Rung::SameBytes => formatter.write_str("same bytes"),
            Rung::SameNormalised if self.rules == [Rule::ImageMetadata] => {
                formatter.write_str("same pixels; only the metadata differs (image_metadata)")
            }
            Rung::SameNormalised if self.rules == [Rule::Version] => {
                write!(formatter, "only the version differs ({past})")
            }
            Rung::SameNormalised if past.is_empty() => formatter.write_str("same values"),
            Rung::SameNormalised => write!(formatter, "same, looking past {past}"),
            Rung::WithinTolerance => {
                formatter.write_str("same within the tolerance")?;
                if let Some(far) = self.numbers.as_ref().and_then(farthest).filter(|_| {
                    self.numbers
                        .as_ref()
                        .is_some_and(|numbers| numbers.largest_absolute > Some(0.0))
                }) {
                    write!(formatter, ", the farthest by {far}")?;
                }
                if past.is_empty() { Ok(()) } else { write!(formatter, ", looking past {past}") }
            }
            Rung::OtherNumbers => self.numbers_differ(formatter),
            Rung::OtherText => self.text_differs(formatter),
        }
    }
}

impl Comparison {
    /// What was looked past, with how often: `durations (3), line: ^versions (1)`.
    pub fn past(&self) -> String {
        let past =
            self.looked_past.iter().map(|(what, times)| format!("{what} ({})", grouped(*times)));
        past.collect::<Vec<_>>().join(", ")
    }

    fn numbers_differ(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(numbers) = &self.numbers else { return formatter.write_str("other numbers") };
        let (beyond, compared) = (grouped(numbers.beyond), grouped(numbers.compared));
        if self.read_as == ReadAs::Image {
            let largest = numbers.largest_absolute.unwrap_or_default();
            let most = numbers.largest_relative.filter(|share| *share > 0.0);
            let most = most.map_or(255.0, |share| (largest / share).round());
            return write!(
                formatter,
                "{beyond} of {compared} pixels differ, the largest difference {largest} of {most}"
            );
        }
        let verb = if numbers.beyond == 1 { "differs" } else { "differ" };
        let noun = if numbers.compared == 1 { "number" } else { "numbers" };
        write!(formatter, "{beyond} of {compared} {noun} {verb}")?;
        let one = self.farthest.as_ref().or(self.divergence.as_ref());
        let Some(Divergence { place, label, expected, actual, relative, .. }) = one else {
            return Ok(());
        };
        match relative {
            Some(far) if numbers.beyond > 1 => {
                write!(formatter, ", the largest by {}", share(*far))?;
            }
            Some(far) => write!(formatter, " by {}", share(*far))?,
            None => {}
        }
        let named = label.clone().unwrap_or_else(|| place.to_string());
        write!(formatter, ": {named} {expected} → {actual}")
    }

    fn text_differs(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.extent {
            Some(Extent::Bytes { expected, actual }) => {
                let (expected, actual) = (grouped(expected), grouped(actual));
                return write!(formatter, "other bytes, {expected} → {actual} bytes");
            }
            Some(Extent::Lines { expected, differ: Some(differ), .. }) => {
                let noun = if expected == 1 { "line" } else { "lines" };
                let verb = if differ == 1 { "differs" } else { "differ" };
                let (differ, expected) = (grouped(differ), grouped(expected));
                write!(formatter, "{differ} of {expected} {noun} {verb}")?;
            }
            Some(Extent::Lines { expected, actual, differ: None }) => {
                write!(formatter, "{} → {} lines", grouped(expected), grouped(actual))?;
            }
            None => formatter.write_str("other content")?,
        }
        match &self.divergence {
            Some(Divergence { place: Place::Whole { .. }, expected, actual, .. }) => {
                write!(formatter, ": {expected} → {actual}")
            }
            Some(Divergence { place, expected, actual, .. }) => {
                write!(formatter, ", first at {place}: `{expected}` → `{actual}`")
            }
            None => Ok(()),
        }
    }
}

/// The largest distance that was found, relatively where it can be.
fn farthest(numbers: &Numbers) -> Option<String> {
    let relative = numbers.largest_relative.map(share);
    relative.or_else(|| numbers.largest_absolute.map(|far| format!("{far:.2e}")))
}

/// A relative distance: in percent, where that is readable.
fn share(far: f64) -> String {
    let percent = far * 100.0;
    if (10.0..100_000.0).contains(&percent) {
        format!("{percent:.0} %")
    } else if (0.01..10.0).contains(&percent) {
        // Two digits.
        let digits = if percent >= 1.0 {
            1
        } else if percent >= 0.1 {
            2
        } else {
            3
        };
        format!("{percent:.digits$} %")
    } else {
        format!("{far:.1e} of its value")
    }
}

/// A count with a comma after every three digits.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::super::{Format, compare};
    use crate::question::criteria::Policy;

    #[test]
    fn a_change_is_told_with_its_size() {
        let told = |format, expected: &[u8], actual: &[u8]| {
            compare(format, expected, actual, &Policy::default()).to_string()
        };
        let cases: &[(Format, &[u8], &[u8])] = &[
            (Format::Text, b"loss 0.50 iterations 8", b"loss 0.51 iterations 6"),
            (Format::Text, b"loss 0.5", b"loss 0.25"),
            (Format::Text, b"a 0", b"a 1"),
            (Format::Text, b"one\ntwo\nthree", b"one\n2\nthree"),
            (Format::Text, b"one\ntwo", b"one\nother\ntwo"),
            (Format::Text, b"loss 0.5 took 1.2 s", b"loss 0.5 took 2.2 s"),
            (Format::Text, b"loss 0.5", b"loss 0.50000001"),
            (Format::Text, b"x 1.10", b"x 1.1"),
            (Format::Text, b"zip 01234", b"zip 1234"),
            (Format::Json, br#"{"fit": {"loss": 1.0}}"#, br#"{"fit": {"loss": 1.5}}"#),
            (Format::Json, br#"{"a": 1, "b": 2}"#, br#"{"b": 2, "a": 1}"#),
            (Format::Csv, b"step,loss\n1,0.5\n", b"step,loss\n1,0.75\n"),
            (Format::Binary, &[0; 9120], &[1; 9132]),
        ];
        let told: Vec<String> = cases
            .iter()
            .map(|(format, expected, actual)| told(*format, expected, actual))
            .collect();
        insta::assert_snapshot!(told.join("\n"), @"
        2 of 2 numbers differ, the largest by 25 %: iterations 8 → 6
        1 of 1 number differs by 50 %: loss 0.5 → 0.25
        1 of 1 number differs: a 0 → 1
        1 of 3 lines differs, first at line 2, column 1: `two` → `2`
        2 → 3 lines, first at line 2, column 1: `two` → `other`
        same, looking past durations (1)
        same within the tolerance, the farthest by 2.0e-8 of its value
        same within the tolerance, looking past spelling (1)
        1 of 1 number differs: zip 01234 → 1234
        1 of 1 number differs by 50 %: fit.loss 1.0 → 1.5
        same values
        1 of 2 numbers differs by 50 %: loss 0.5 → 0.75
        other bytes, 9,120 → 9,132 bytes
        ");
    }
}
