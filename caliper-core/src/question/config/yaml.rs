//! YAML as a tree that keeps each scalar as written and can locate each node.
//!
//! The deserializer reports positions only in its *errors*, and its untyped form turns `1.10` into the
//! number 1.1. So the text is read up to three times: once for the shape, once for the text of every
//! scalar, and once more for each problem found later. That last pass raises an error at the node in
//! question, whose position is the one we want.

use std::cell::RefCell;
use std::fmt;

use serde::Deserialize as _;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

/// A node of the tree.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// Nothing: `~`, `null`, or no value at all.
    Null,
    /// A single value, as written.
    Scalar {
        /// Its text: `1.10` stays `1.10`.
        text: String,
        /// Its type according to YAML.
        kind: ScalarKind,
    },
    /// `[a, b]`.
    Sequence(Vec<Node>),
    /// `a: b`, in order, duplicates included.
    Mapping(Vec<(String, Node)>),
    /// `!tag value`, which Caliper refuses.
    Tagged,
}

/// The type of a scalar according to YAML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScalarKind {
    Boolean,
    Integer,
    Float,
    Text,
}

/// The way to a node: the index of the child at every level (in a mapping, of the entry).
pub(super) type Path = Vec<usize>;

/// A position in a text: line and column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// How deep lists and mappings may nest.
const DEEPEST: usize = 100;

/// Where brackets nest deeper than that.
///
/// The time of the parser grows with the square of the depth, so this comes first. It counts brackets and
/// nothing else: a bracket in a text counts too, but no text has a hundred that are not closed.
fn too_deep(text: &str) -> Option<Place> {
    let mut depth = 0_usize;
    for (line, content) in (1..).zip(text.lines()) {
        // `- - - x` and `? ? ? x` nest too, each mark a level.
        let marks = content.split([' ', '\t']).take_while(|word| ["", "-", "?"].contains(word));
        let marks = marks.filter(|word| !word.is_empty()).count();
        for (column, character) in (1..).zip(content.chars()) {
            match character {
                '[' | '{' => depth += 1,
                ']' | '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth + marks > DEEPEST {
                return Some(Place { line, column });
            }
        }
    }
    None
}

/// Reads a text.
pub(super) fn parse(text: &str) -> Result<Node, (String, Option<Place>)> {
    if let Some(place) = too_deep(text) {
        return Err((format!("it nests more than {DEEPEST} levels deep"), Some(place)));
    }
    let failed = |error: serde_yaml::Error| {
        let place = error.location().map(|at| Place { line: at.line(), column: at.column() });
        (message(&error), place)
    };
    let mut node = Shape.deserialize(serde_yaml::Deserializer::from_str(text)).map_err(failed)?;
    Words(&mut node).deserialize(serde_yaml::Deserializer::from_str(text)).map_err(failed)?;
    Ok(node)
}

/// The position of the node at `path`; with `key`, that of its key.
pub(super) fn locate(text: &str, path: &[usize], key: bool) -> Option<Place> {
    // A mapping begins where its first key does, so the deserializer must look no deeper.
    let here = RefCell::new(None);
    let seek = Seek { path, key, here: &here };
    let _ = seek
        .deserialize(serde_yaml::Deserializer::from_str(text))
        .err()?
        .location()
        .map(|at| here.replace(Some(Place { line: at.line(), column: at.column() })));
    here.into_inner()
}

/// The error without the position that the library appends, because we show it ourselves.
fn message(error: &serde_yaml::Error) -> String {
    let text = error.to_string();
    let end = text.find(" at line ").unwrap_or(text.len());
    text[..end].to_owned()
}

struct Shape;

impl<'de> DeserializeSeed<'de> for Shape {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

fn scalar(kind: ScalarKind) -> Node {
    Node::Scalar { text: String::new(), kind }
}

impl<'de> Visitor<'de> for Shape {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("YAML")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(scalar(ScalarKind::Boolean))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(scalar(ScalarKind::Integer))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(scalar(ScalarKind::Integer))
    }

    fn visit_i128<E>(self, _: i128) -> Result<Node, E> {
        Ok(scalar(ScalarKind::Integer))
    }

    fn visit_u128<E>(self, _: u128) -> Result<Node, E> {
        Ok(scalar(ScalarKind::Integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(scalar(ScalarKind::Float))
    }

    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(scalar(ScalarKind::Text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = access.next_element_seed(Shape)? {
            nodes.push(node);
        }
        Ok(Node::Sequence(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = access.next_key_seed(Shape)? {
            if !matches!(key, Node::Scalar { .. }) {
                return Err(A::Error::custom("a key must be a plain word"));
            }
            entries.push((String::new(), access.next_value_seed(Shape)?));
        }
        Ok(Node::Mapping(entries))
    }

    fn visit_enum<A: serde::de::EnumAccess<'de>>(self, access: A) -> Result<Node, A::Error> {
        use serde::de::VariantAccess as _;
        let (_, variant) = access.variant::<IgnoredAny>()?;
        variant.newtype_variant::<IgnoredAny>()?;
        Ok(Node::Tagged)
    }
}

/// Fills in the text of every scalar in a tree that has the right shape.
struct Words<'a>(&'a mut Node);

impl<'de> DeserializeSeed<'de> for Words<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.0 {
            Node::Null | Node::Tagged => IgnoredAny::deserialize(deserializer).map(drop),
            Node::Scalar { text, .. } => {
                *text = String::deserialize(deserializer)?;
                Ok(())
            }
            Node::Sequence(_) => deserializer.deserialize_seq(self),
            Node::Mapping(_) => deserializer.deserialize_map(self),
        }
    }
}

impl<'de> Visitor<'de> for Words<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the same YAML as before")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        if let Node::Sequence(nodes) = self.0 {
            for node in nodes {
                access.next_element_seed(Words(node))?;
            }
        }
        // The end is an event of its own, to be read before the next sibling.
        access.next_element::<IgnoredAny>().map(drop)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        if let Node::Mapping(entries) = self.0 {
            for (key, node) in entries {
                if let Some(name) = access.next_key::<String>()? {
                    *key = name;
                }
                access.next_value_seed(Words(node))?;
            }
        }
        access.next_key::<IgnoredAny>().map(drop)
    }
}

/// Walks to a node and raises an error there, so that the deserializer reports its position.
struct Seek<'a> {
    path: &'a [usize],
    key: bool,
    here: &'a RefCell<Option<Place>>,
}

impl<'a> Seek<'a> {
    fn deeper(&self) -> Seek<'a> {
        Seek { path: &self.path[1..], key: self.key, here: self.here }
    }
}

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.path.is_empty() {
            deserializer.deserialize_any(Stop)
        } else {
            deserializer.deserialize_any(self)
        }
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the same YAML as before")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        for _ in 0..self.path[0] {
            access.next_element::<IgnoredAny>()?;
        }
        access.next_element_seed(self.deeper()).map(drop)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        for _ in 0..self.path[0] {
            access.next_entry::<IgnoredAny, IgnoredAny>()?;
        }
        if self.key && self.path.len() == 1 {
            return access.next_key_seed(Stopper).map(drop);
        }
        access.next_key::<IgnoredAny>()?;
        access.next_value_seed(self.deeper())
    }
}

struct Stopper;

impl<'de> DeserializeSeed<'de> for Stopper {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(Stop)
    }
}

/// Takes no value at all.
struct Stop;

impl Visitor<'_> for Stop {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("nothing: this is the place")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "a: 1.10\nlist:\n  - x\n  - {k: true, l: ~}\n\"2\": [0x1f, '3']\nlast: {m: 1, n: 2}\n";

    #[test]
    fn scalars_keep_their_words() {
        let Node::Mapping(entries) = parse(TEXT).unwrap() else { panic!() };
        let scalar = |text: &str, kind| Node::Scalar { text: text.to_owned(), kind };
        assert_eq!(entries[0], ("a".into(), scalar("1.10", ScalarKind::Float)));
        let Node::Sequence(list) = &entries[1].1 else { panic!() };
        assert_eq!(
            list[1],
            Node::Mapping(vec![
                ("k".into(), scalar("true", ScalarKind::Boolean)),
                ("l".into(), Node::Null)
            ])
        );
        let Node::Sequence(list) = &entries[2].1 else { panic!() };
        assert_eq!(list[..], [scalar("0x1f", ScalarKind::Integer), scalar("3", ScalarKind::Text)]);
    }

    #[test]
    fn every_node_has_its_place() {
        let place = |path: &[usize], key| {
            locate(TEXT, path, key).map(|place| (place.line, place.column)).unwrap()
        };
        assert_eq!(place(&[0], true), (1, 1));
        assert_eq!(place(&[0], false), (1, 4));
        assert_eq!(place(&[1], true), (2, 1));
        assert_eq!(place(&[1, 0], false), (3, 5));
        assert_eq!(place(&[1, 1, 0], true), (4, 6));
        assert_eq!(place(&[1, 1, 0], false), (4, 9));
        assert_eq!(place(&[1, 1, 1], false), (4, 18));
        assert_eq!(place(&[2, 1], false), (5, 13));
        assert_eq!(place(&[3, 1], true), (6, 14));
        assert_eq!(place(&[1], false), (3, 3));
    }

    #[test]
    fn rubbish_is_an_error_with_a_place() {
        let show = |text: &str| parse(text).map_err(|(message, at)| format!("{message} @ {at:?}"));
        insta::assert_snapshot!(show("a: [1, 2\nb: 3").unwrap_err(), @"did not find expected ',' or ']' @ Some(Place { line: 2, column: 2 })");
        let nested = "[".repeat(200_000);
        insta::assert_snapshot!(show(&format!("a:\n  {nested}")).unwrap_err(), @"it nests more than 100 levels deep @ Some(Place { line: 2, column: 103 })");
        insta::assert_snapshot!(show(&"- ".repeat(200)).unwrap_err(), @"it nests more than 100 levels deep @ Some(Place { line: 1, column: 1 })");
        insta::assert_snapshot!(show(&"{a: ".repeat(200)).unwrap_err(), @"it nests more than 100 levels deep @ Some(Place { line: 1, column: 401 })");
        assert!(parse("a: '[[[['\n").is_ok());
        insta::assert_snapshot!(show("a: \"x").unwrap_err(), @"found unexpected end of stream @ Some(Place { line: 1, column: 6 })");
        insta::assert_snapshot!(show("? [a]\n: 1").unwrap_err(), @"a key must be a plain word @ Some(Place { line: 1, column: 1 })");
        insta::assert_snapshot!(show("a: *nowhere").unwrap_err(), @"unknown anchor @ Some(Place { line: 1, column: 4 })");
        insta::assert_snapshot!(show("\t- x").unwrap_err(), @"found character that cannot start any token, while scanning for the next token @ Some(Place { line: 1, column: 1 })");
        assert_eq!(show("a: !t x").unwrap(), Node::Mapping(vec![("a".into(), Node::Tagged)]));
        // A thousand million laughs are cut off.
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let before = level - 1;
            let nine = vec![format!("*a{before}"); 9].join(", ");
            bomb = format!("{bomb}a{level}: &a{level} [{nine}]\n");
        }
        insta::assert_snapshot!(show(&bomb).unwrap_err(), @"repetition limit exceeded @ None");
    }
}
