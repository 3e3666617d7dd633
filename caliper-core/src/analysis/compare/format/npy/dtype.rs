//! The types of elements, and elements.

use std::collections::BTreeSet;

use super::item::{Item, Unit};
use super::literal::Literal;
use super::scalar::{Kind, Scalar};
use crate::analysis::compare::number::Precision;
use crate::analysis::compare::show;

/// The type of an array's elements.
#[derive(Debug, Default)]
pub(in crate::analysis::compare::format) struct Dtype {
    /// The values of which an element is made, in their order.
    pub(in crate::analysis::compare::format) leaves: Vec<Leaf>,
    /// The size of an element, in bytes.
    pub(in crate::analysis::compare::format) size: usize,
    /// What decides whether two types are the same: no order of bytes, padding, or width of strings.
    pub(super) canonical: String,
    /// The type as it is written.
    pub(in crate::analysis::compare::format) shown: String,
}

/// A value within an element, or several in a row.
#[derive(Debug)]
pub(in crate::analysis::compare::format) struct Leaf {
    /// Its field, and the fields that this is in; empty where elements have no fields.
    pub(super) name: String,
    pub(in crate::analysis::compare::format) offset: usize,
    pub(in crate::analysis::compare::format) scalar: Scalar,
    /// The type as it is written.
    pub(super) written: String,
    /// How many there are: the product of the shape.
    pub(in crate::analysis::compare::format) count: usize,
    pub(super) shape: Vec<usize>,
}

impl Dtype {
    pub(super) fn read(literal: &Literal) -> Result<Self, String> {
        let mut dtype = Self::default();
        match literal {
            Literal::Text(name) => {
                dtype.add(String::new(), name, Vec::new())?;
                dtype.shown = show::excerpt(name);
            }
            _ => dtype.add_fields("", literal)?,
        }
        dtype.with_names()
    }

    /// A type without values yet, which is told as `shown`.
    pub(in crate::analysis::compare::format) fn called(shown: &str) -> Self {
        Self { shown: shown.to_owned(), ..Self::default() }
    }

    /// The type itself, if no two fields have one name.
    pub(in crate::analysis::compare::format) fn with_names(self) -> Result<Self, String> {
        let names: BTreeSet<&str> = self.leaves.iter().map(|leaf| &*leaf.name).collect();
        if names.len() < self.leaves.len() {
            return Err("its type has two fields of one name".to_owned());
        }
        Ok(self)
    }

    /// The literals lie in each other no deeper than those that are read.
    fn add_fields(&mut self, within: &str, literal: &Literal) -> Result<(), String> {
        let wrong = || format!("its type is not known: {}", show::excerpt(&format!("{literal:?}")));
        let Literal::Sequence(fields) = literal else { return Err(wrong()) };
        for field in fields {
            let Literal::Sequence(parts) = field else { return Err(wrong()) };
            let (name, inner, shape) = match &parts[..] {
                [name, inner] => (name, inner, Vec::new()),
                [name, inner, shape] => (name, inner, axes(shape).ok_or_else(wrong)?),
                _ => return Err(wrong()),
            };
            let name = match name {
                Literal::Text(name) => name,
                // A title, and the name.
                Literal::Sequence(names) => match &names[..] {
                    [_, Literal::Text(name)] => name,
                    _ => return Err(wrong()),
                },
                Literal::Number(_) | Literal::Word(_) | Literal::Dictionary(_) => {
                    return Err(wrong());
                }
            };
            let full = if within.is_empty() { name.clone() } else { format!("{within}.{name}") };
            // Many fields could be within one, and repeat its name.
            if full.len() > 1000 {
                return Err("its fields have names that are too long".to_owned());
            }
            match inner {
                Literal::Text(inner) => {
                    if !self.shown.is_empty() {
                        self.shown.push_str(", ");
                    }
                    self.shown.push_str(&format!("{full}: {inner}"));
                    let (padding, before) = (name.is_empty(), self.leaves.len());
                    let canonical = self.canonical.len();
                    self.add(full, inner, shape)?;
                    if padding {
                        self.leaves.truncate(before);
                        self.canonical.truncate(canonical);
                    }
                }
                // A field of nested arrays of fields could stand for any number of values.
                inner if shape.is_empty() => self.add_fields(&full, inner)?,
                _ => return Err("its type has arrays of structures within structures".to_owned()),
            }
        }
        Ok(())
    }

    fn add(&mut self, name: String, written: &str, shape: Vec<usize>) -> Result<(), String> {
        let scalar = Scalar::read(written)?;
        let offset = self.size;
        self.push(name, scalar, offset, written, shape, "")
    }

    /// Adds values of a type, which lie behind so many bytes. `more` is what else tells the type from others.
    pub(in crate::analysis::compare::format) fn push(
        &mut self,
        name: String,
        scalar: Scalar,
        offset: usize,
        written: &str,
        shape: Vec<usize>,
        more: &str,
    ) -> Result<(), String> {
        let count = shape.iter().try_fold(1_usize, |product, length| product.checked_mul(*length));
        let size = count.and_then(|count| count.checked_mul(scalar.size));
        let end = size.and_then(|size| offset.checked_add(size));
        let (Some(count), Some(end)) = (count, end) else {
            return Err("its type is larger than can be".to_owned());
        };
        self.canonical.push_str(&format!("{name:?} {}{more} {shape:?};", scalar.canonical()));
        self.leaves.push(Leaf {
            name,
            offset,
            scalar,
            written: show::excerpt(written),
            count,
            shape,
        });
        self.size = self.size.max(end);
        Ok(())
    }
}

fn axes(literal: &Literal) -> Option<Vec<usize>> {
    let number = |literal: &Literal| match literal {
        Literal::Number(number) => Some(*number),
        _ => None,
    };
    match literal {
        Literal::Sequence(axes) if axes.len() <= super::AXES => axes.iter().map(number).collect(),
        literal => number(literal).map(|length| vec![length]),
    }
}

impl Leaf {
    pub(super) fn is_number(&self) -> bool {
        self.scalar.is_numeric()
            || matches!(self.scalar.kind, Kind::Moment(_) | Kind::Span(_) | Kind::Long)
    }

    /// The size of one value, in bytes.
    pub(super) fn size(&self) -> usize {
        // What is no value takes part in nothing.
        if self.scalar.kind == Kind::Reference { 0 } else { self.scalar.size }
    }

    /// Whether values of the two can be the same.
    pub(super) fn compares_with(&self, other: &Self) -> bool {
        let (left, right) = (self.scalar, other.scalar);
        let same_unit = |left: Unit, right: Unit| {
            std::mem::discriminant(&left) == std::mem::discriminant(&right)
        };
        self.shape == other.shape
            && match (left.kind, right.kind) {
                (Kind::Moment(left), Kind::Moment(right))
                | (Kind::Span(left), Kind::Span(right)) => same_unit(left, right),
                (Kind::Bytes | Kind::HeapText, Kind::Bytes | Kind::HeapText)
                | (Kind::Text, Kind::Text)
                | (Kind::Reference, Kind::Reference) => true,
                (left_kind, right_kind) => {
                    (left.is_numeric() && right.is_numeric())
                        || (left_kind == right_kind && left.size == right.size)
                }
            }
    }

    /// The type in which representable numbers are counted.
    pub(super) fn precision(&self) -> Precision {
        match (self.scalar.kind, self.scalar.size) {
            (Kind::Brain, _) => Precision::Brain,
            (Kind::Float, 2) => Precision::Half,
            (Kind::Float, 4) | (Kind::Complex, 8) => Precision::Single,
            _ => Precision::Double,
        }
    }

    /// One of its values, in the element that begins at `at`. Zero where the data ends before it,
    /// which a reader of the header has made sure of.
    pub(super) fn item<'a>(
        &self,
        data: &'a [u8],
        heap: &'a [u8],
        at: usize,
        repeat: usize,
    ) -> Item<'a> {
        let size = self.scalar.size;
        let from = at + self.offset + repeat * size;
        self.scalar.item(data.get(from..from + size).unwrap_or_default(), heap)
    }
}
