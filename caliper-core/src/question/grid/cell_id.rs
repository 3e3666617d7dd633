//! The name of a cell, as text and as a value.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use pep440_rs::Version;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::names::{PythonVersion, Sha256};

/// The name of a cell: a release, a Python, and the further axes of the grid.
///
/// Prints as `2.10.1/3.11`, with the variant behind it if there is one: `2.10.1/3.11[seed=3]`.
/// [`FromStr`] reads what it prints.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CellId {
    /// The release.
    pub version: Version,
    /// The Python.
    pub python: PythonVersion,
    /// The further axes.
    pub variant: Variant,
}

impl CellId {
    /// The cell of `version` × `python` with no further axes.
    pub fn new(version: Version, python: PythonVersion) -> Self {
        Self { version, python, variant: Variant::default() }
    }

    /// A name for files that keep something of this cell: it holds no separator of paths, and two
    /// cells never share one.
    pub fn file_stem(&self) -> String {
        // A version holds only ASCII letters, digits and `.!+`: safe in every file system.
        let stem = format!("{}-py{}", self.version, self.python);
        if self.variant.is_empty() {
            return stem;
        }
        // Values of a variant are free text, so they enter as a digest. It is over the sorted axes,
        // so that another order of the axes in the configuration names the same file.
        let digest = Sha256::of(self.variant.sorted().to_string().as_bytes()).hex();
        format!("{stem}-{}", &digest[..12])
    }
}

impl fmt::Display for CellId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.version, self.python)?;
        if !self.variant.is_empty() {
            write!(formatter, "[{}]", self.variant)?;
        }
        Ok(())
    }
}

/// Why a text does not name a cell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a cell ({problem}); write one such as `2.10.1/3.11` or `2.10.1/3.11[seed=3]`"
)]
pub struct ParseCellIdError {
    text: String,
    problem: String,
}

impl FromStr for CellId {
    type Err = ParseCellIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |problem: String| ParseCellIdError { text: text.to_owned(), problem };
        let (version, rest) =
            text.split_once('/').ok_or_else(|| error("it has no `/`".to_owned()))?;
        let (python, variant) = match rest.split_once('[') {
            None => (rest, Variant::default()),
            Some((python, inside)) => {
                let inside = inside
                    .strip_suffix(']')
                    .ok_or_else(|| error("its `[` is not closed".to_owned()))?;
                (python, inside.parse().map_err(error)?)
            }
        };
        Ok(Self {
            version: version.parse().map_err(|_| error(format!("`{version}` is not a version")))?,
            python: python.parse().map_err(|_| error(format!("`{python}` is not a Python")))?,
            variant,
        })
    }
}

/// The further axes of a cell, such as the index date or a seed: a name and a label each.
///
/// They are printed in the order of the configuration. That order is for people only: two variants
/// with the same labels are equal, whatever the order, so that moving an axis in the configuration
/// does not make other cells. Variants sort by the names of their axes, then by their labels, in
/// which numbers sort by value (`cpus=2` before `cpus=10`).
#[derive(Debug, Clone, Default)]
pub struct Variant(Vec<(String, String)>);

impl Variant {
    /// Whether the grid has no further axes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts `label` in place of the label of `axis`, which comes last if it is new.
    pub fn insert(&mut self, axis: impl Into<String>, label: impl Into<String>) {
        let (axis, label) = (axis.into(), label.into());
        match self.0.iter_mut().find(|(name, _)| *name == axis) {
            Some((_, old)) => *old = label,
            None => self.0.push((axis, label)),
        }
    }

    /// The label of an axis.
    pub fn get(&self, axis: &str) -> Option<&str> {
        self.iter().find_map(|(name, label)| (name == axis).then_some(label))
    }

    /// Each axis with its label, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(axis, label)| (axis.as_str(), label.as_str()))
    }

    fn sorted(&self) -> Self {
        let mut sorted = self.clone();
        sorted.0.sort();
        sorted
    }

    fn sorted_pairs(&self) -> Vec<(&str, &str)> {
        let mut pairs: Vec<_> = self.iter().collect();
        pairs.sort_unstable();
        pairs
    }
}

impl<A: Into<String>, L: Into<String>> FromIterator<(A, L)> for Variant {
    fn from_iter<I: IntoIterator<Item = (A, L)>>(pairs: I) -> Self {
        let mut variant = Self::default();
        for (axis, label) in pairs {
            variant.insert(axis, label);
        }
        variant
    }
}

impl PartialEq for Variant {
    fn eq(&self, other: &Self) -> bool {
        self.sorted_pairs() == other.sorted_pairs()
    }
}

impl Eq for Variant {}

impl Hash for Variant {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.sorted_pairs().hash(state);
    }
}

impl Ord for Variant {
    fn cmp(&self, other: &Self) -> Ordering {
        let (one, other) = (self.sorted_pairs(), other.sorted_pairs());
        let pairs = one.iter().zip(&other).map(|((axis, label), (other_axis, other_label))| {
            axis.cmp(other_axis).then_with(|| by_number(label, other_label))
        });
        // Labels that differ only in how a number is spelt (`1` and `01`) must not be equal.
        pairs
            .fold(Ordering::Equal, Ordering::then)
            .then_with(|| one.len().cmp(&other.len()))
            .then_with(|| one.cmp(&other))
    }
}

impl PartialOrd for Variant {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Compares two labels with every run of digits taken as a number.
fn by_number(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one, other);
    loop {
        let digits =
            |text: &str| text.find(|next: char| !next.is_ascii_digit()).unwrap_or(text.len());
        let (first, second) = (digits(one), digits(other));
        if first > 0 && second > 0 {
            let number = |text: &str, end: usize| {
                let digits = text[..end].trim_start_matches('0').to_owned();
                (digits.len(), digits)
            };
            let order = number(one, first).cmp(&number(other, second));
            if order.is_ne() {
                return order;
            }
            (one, other) = (&one[first..], &other[second..]);
            continue;
        }
        match (one.chars().next(), other.chars().next()) {
            (Some(a), Some(b)) if a == b => {
                (one, other) = (&one[a.len_utf8()..], &other[b.len_utf8()..]);
            }
            (a, b) => return a.cmp(&b),
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (axis, label)) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(formatter, "{comma}{}={}", Word(axis), Word(label))?;
        }
        Ok(())
    }
}

/// A name or a label, in quotes where it could be misread: as a JSON string.
struct Word<'a>(&'a str);

impl fmt::Display for Word<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let special =
            |next: char| next.is_whitespace() || next.is_control() || ",=\"[]/".contains(next);
        if self.0.is_empty() || self.0.contains(special) {
            write!(formatter, "{}", serde_json::Value::from(self.0))
        } else {
            formatter.write_str(self.0)
        }
    }
}

impl FromStr for Variant {
    type Err = String;

    /// Reads what stands between the brackets of a cell's name: `as_of=today,cpus=1`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut variant = Self::default();
        let mut rest = text;
        loop {
            let (axis, behind) = word(rest)?;
            let behind = behind
                .strip_prefix('=')
                .ok_or_else(|| format!("there is no `=` behind `{axis}`"))?;
            let (label, behind) = word(behind)?;
            if variant.get(&axis).is_some() {
                return Err(format!("`{axis}` stands there twice"));
            }
            variant.insert(axis, label);
            match behind.strip_prefix(',') {
                Some(next) => rest = next,
                None if behind.is_empty() => return Ok(variant),
                None => return Err(format!("`{behind}` stands behind a label")),
            }
        }
    }
}

/// The first word of a text, with or without quotes, and what stands behind it.
fn word(text: &str) -> Result<(String, &str), String> {
    if text.starts_with('"') {
        let mut strings = serde_json::Deserializer::from_str(text).into_iter::<String>();
        return match strings.next() {
            Some(Ok(word)) => {
                let end = strings.byte_offset();
                Ok((word, &text[end..]))
            }
            _ => Err(format!("the quotes in `{text}` are not closed")),
        };
    }
    let end = text.find([',', '=']).unwrap_or(text.len());
    if end == 0 {
        return Err("a name or a label is missing".to_owned());
    }
    Ok((text[..end].to_owned(), &text[end..]))
}

impl Serialize for Variant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (axis, label) in self.iter() {
            map.serialize_entry(axis, label)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Variant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Variant;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the axes of a cell with their labels")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Variant, A::Error> {
                let mut variant = Variant::default();
                while let Some((axis, label)) = map.next_entry::<String, String>()? {
                    variant.insert(axis, label);
                }
                Ok(variant)
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

impl schemars::JsonSchema for Variant {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Variant".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "The further axes of a cell: each name with a label, in the order of the configuration.",
            "type": "object",
            "additionalProperties": {"type": "string"}
        })
    }
}

crate::names::serde_as_string!(
    CellId,
    "the name of a cell, such as 2.10.1/3.11[seed=3]",
    "^[^/]+/[^/]+"
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(text: &str) -> CellId {
        text.parse().unwrap()
    }

    #[test]
    fn a_cell_is_read_with_its_axes() {
        let cell = id("2.1.0/3.11[as_of=today,cpus=1]");
        assert_eq!(cell.to_string(), "2.1.0/3.11[as_of=today,cpus=1]");
        assert_eq!(cell.variant.get("cpus"), Some("1"));
        assert_eq!(id("2.1/cp39").to_string(), "2.1/3.9");
        let quoted = id(r#"1.0/3.9[mode="a,b=\"c\"",x=1]"#);
        assert_eq!(quoted.variant.get("mode"), Some("a,b=\"c\""));
        assert_eq!(quoted.to_string(), r#"1.0/3.9[mode="a,b=\"c\"",x=1]"#);
        let wrong = |text: &str| text.parse::<CellId>().unwrap_err().problem;
        let told = [
            "1.0",
            "x/3.9",
            "1.0/y",
            "1.0/3.9[a=1",
            "1.0/3.9[]",
            "1.0/3.9[a]",
            "1.0/3.9[a=1,a=2]",
            "1.0/3.9[a=\"1]",
        ]
        .map(wrong);
        insta::assert_snapshot!(told.join("\n"), @r#"
        it has no `/`
        `x` is not a version
        `y` is not a Python
        its `[` is not closed
        a name or a label is missing
        there is no `=` behind `a`
        `a` stands there twice
        the quotes in `"1` are not closed
        "#);
    }

    #[test]
    fn the_order_of_the_axes_is_for_people_only() {
        let (one, other) = (id("1.0/3.9[b=1,a=2]"), id("1.0/3.9[a=2,b=1]"));
        assert_eq!(one, other);
        assert_eq!(one.cmp(&other), Ordering::Equal);
        assert_eq!(one.file_stem(), other.file_stem());
        assert_eq!(one.to_string(), "1.0/3.9[b=1,a=2]");
        let text = serde_json::to_string(&one.variant).unwrap();
        assert_eq!(text, r#"{"b":"1","a":"2"}"#);
        let read: Variant = serde_json::from_str(&text).unwrap();
        assert_eq!(read.to_string(), "b=1,a=2");
    }

    #[test]
    fn labels_sort_by_number() {
        let mut cells = ["[n=10]", "[n=2]", "", "[n=2.10]", "[n=2.9]", "[n=02]"]
            .map(|variant| id(&format!("1.0/3.9{variant}")));
        cells.sort();
        let sorted: Vec<String> = cells.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(sorted.join(" "), @"1.0/3.9 1.0/3.9[n=02] 1.0/3.9[n=2] 1.0/3.9[n=2.9] 1.0/3.9[n=2.10] 1.0/3.9[n=10]");
    }

    fn cells() -> impl Strategy<Value = CellId> {
        let pair = (any::<String>(), "[0-9a-c,=\"\\]\\[ .]{0,4}");
        let pairs = proptest::collection::vec(pair, 0..4);
        ("[0-9]{1,2}(\\.[0-9]){0,2}", pairs).prop_map(|(version, pairs)| {
            let cell = CellId::new(version.parse().unwrap(), PythonVersion::new(3, 11));
            CellId { variant: pairs.into_iter().collect(), ..cell }
        })
    }

    proptest! {
        #[test]
        fn what_is_printed_names_the_same_cell(cell in cells()) {
            let read: CellId = cell.to_string().parse().unwrap();
            prop_assert_eq!(&read, &cell);
            prop_assert_eq!(read.to_string(), cell.to_string());
        }

        #[test]
        fn cells_have_one_order(a in cells(), b in cells(), c in cells()) {
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            prop_assert_eq!(a == b, a.cmp(&b).is_eq());
            if a <= b && b <= c {
                prop_assert!(a <= c);
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9./]{0,6}\\[?[ -~é]{0,12}\\]?") {
            let _ = text.parse::<CellId>();
        }
    }
}
