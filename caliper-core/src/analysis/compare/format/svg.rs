//! SVG images, as lines of text in which identifiers say nothing.
//!
//! Programs make identifiers up, and make other ones each time: matplotlib hashes with a random salt. They
//! only tie the elements of one image together, so each is replaced by the number of its first appearance.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

use super::source::Source;
use super::{Outcome, ResultFormat, in_memory, text};
use crate::analysis::compare::collector::Collector;
use crate::analysis::compare::comparison::{Extent, ReadAs};
use crate::analysis::compare::items::Item;
use crate::analysis::compare::rules::Lens;
use crate::analysis::compare::show;
use crate::question::criteria::Rule;

/// An SVG image.
pub(super) struct Svg;

impl ResultFormat for Svg {
    fn endings(&self) -> &'static [&'static str] {
        &["svg"]
    }

    fn read_as(&self) -> ReadAs {
        ReadAs::Svg
    }

    fn compare(&self, sides: [Source<'_>; 2], collector: &mut Collector<'_>) -> Outcome {
        let (expected, actual) = in_memory("SVG", sides)?;
        let (expected, actual) = (show::decoded(expected), show::decoded(actual));
        if !collector.policy().rules.contains(&Rule::SvgIds) {
            text::compare(&expected, &actual, collector);
            return Ok(Vec::new());
        }
        let (left, right) = (numbered(&expected), numbered(&actual));
        // The rule was needed if the identifiers are not the same ones in the same order.
        if left.ids != right.ids {
            collector.looks_past(Rule::SvgIds);
        }
        text::compare(&left.text, &right.text, collector);
        if let Some(Extent::Lines { .. }) = collector.extent
            && left.text == right.text
        {
            collector.extent = None;
        }
        Ok(Vec::new())
    }

    fn items(&self, result: &[u8], lens: &Lens<'_>) -> Option<Vec<Item>> {
        let decoded = show::decoded(result);
        if !lens.policy.rules.contains(&Rule::SvgIds) {
            return Some(text::items(result, lens));
        }
        Some(text::items(numbered(&decoded).text.as_bytes(), lens))
    }
}

/// A text with numbers in place of identifiers.
struct Numbered<'a> {
    text: Cow<'a, str>,
    /// The identifiers, in the order of their first appearance.
    ids: Vec<&'a str>,
}

/// Numbers the identifiers that elements of the image have, where they are defined and where they are
/// referred to.
fn numbered(text: &str) -> Numbered<'_> {
    static DEFINED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"\bid\s*=\s*(?:"([^"<>]{1,200})"|'([^'<>]{1,200})')"#).expect("a pattern")
    });
    // A definition, `"#id"` in an attribute, or `url(#id)`.
    static USED: LazyLock<Regex> = LazyLock::new(|| {
        let pattern =
            r#"\bid\s*=\s*(?:"([^"<>]{1,200})"|'([^'<>]{1,200})')|["'(]#([^"'()<>]{1,200})["')]"#;
        Regex::new(pattern).expect("a pattern")
    });
    let group = |found: &regex::Captures<'_>| {
        (1..4).find_map(|group| found.get(group).map(|part| part.range()))
    };
    let defined: std::collections::HashSet<&str> = DEFINED
        .captures_iter(text)
        .filter_map(|found| found.get(1).or(found.get(2)).map(|part| part.as_str()))
        .collect();
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut ids = Vec::new();
    let mut replaced = String::with_capacity(text.len());
    let mut from = 0;
    for found in USED.captures_iter(text) {
        let Some(range) = group(&found) else { continue };
        let id = &text[range.clone()];
        if !defined.contains(id) {
            continue;
        }
        let number = *numbers.entry(id).or_insert_with(|| {
            ids.push(id);
            ids.len()
        });
        replaced.push_str(&text[from..range.start]);
        // No number by itself, so that another order is another text.
        replaced.push_str(&format!("id_{number}"));
        from = range.end;
    }
    replaced.push_str(&text[from..]);
    let text = if ids.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(replaced) };
    Numbered { text, ids }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_numbered() {
        let svg = r##"<g id="figure_1"><defs><path id="m3f2a1b"/></defs><use xlink:href="#m3f2a1b"/><g clip-path="url(#p99)"/><clipPath id='p99'/><a href="#elsewhere" fill="#ffffff"/></g>"##;
        let numbered = numbered(svg);
        assert_eq!(numbered.ids, ["figure_1", "m3f2a1b", "p99"]);
        insta::assert_snapshot!(numbered.text, @r##"<g id="id_1"><defs><path id="id_2"/></defs><use xlink:href="#id_2"/><g clip-path="url(#id_3)"/><clipPath id='id_3'/><a href="#elsewhere" fill="#ffffff"/></g>"##);
    }
}
