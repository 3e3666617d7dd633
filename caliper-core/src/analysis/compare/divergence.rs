//! Where two results part, and what a number there is called.

use super::comparison::{Divergence, Place};
use super::number::Distance;
use super::show;

/// A difference at a place: what stands there, and for numbers how far apart they are.
pub(super) fn divergence(
    place: Place,
    expected: &str,
    actual: &str,
    distance: Option<Distance>,
) -> Divergence {
    let (expected, actual) = (show::excerpt(expected), show::excerpt(actual));
    let label = name(&place);
    let (absolute, relative, ulps) = match distance {
        Some(Distance { absolute, relative, ulps, .. }) => (absolute, relative, ulps),
        None => (None, None, None),
    };
    Divergence { place, label, expected, actual, absolute, relative, ulps }
}

/// What a number at a place is called: its column, field or array.
pub(super) fn name(place: &Place) -> Option<String> {
    let name = match place {
        Place::Field { path } => Some(path.trim_start_matches(['$', '.']).to_owned()),
        Place::Cell { name, .. } => name.clone(),
        Place::Element { array, field, .. } => field.clone().or_else(|| array.clone()),
        Place::Line { .. }
        | Place::Pixel { .. }
        | Place::Shape { .. }
        | Place::Dtype { .. }
        | Place::Array { .. }
        | Place::Whole { .. }
        | Place::Byte { .. } => None,
    };
    name.filter(|name| !name.is_empty())
}

/// What a number is called that stands behind this text: the last words before it.
pub(super) fn label(before: &str) -> Option<String> {
    const MOST: usize = 40;
    let before = before.trim_end_matches(|c: char| c.is_whitespace() || "=:([{,|".contains(c));
    let part = |c: char| c.is_whitespace() || ",;|()[]{}=:".contains(c);
    let mut from = before.len();
    for word in before.rsplit(part) {
        let at = word.as_ptr().addr() - before.as_ptr().addr();
        let is_name = word.chars().any(char::is_alphabetic);
        if before.len() - at > MOST || (!word.is_empty() && !is_name) {
            break;
        }
        from = at;
        // A sign that is not white space ends a name.
        if before[..at].chars().next_back().is_none_or(|sign| !sign.is_whitespace()) {
            break;
        }
    }
    let label = before[from..].trim();
    (!label.is_empty()).then(|| show::excerpt(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_called_after_the_text_before_it() {
        for (before, called) in [
            ("iterations ", Some("iterations")),
            ("step 3: mean loss = ", Some("mean loss")),
            ("{'a': 1, 'b': ", Some("'b'")),
            ("R-squared:              ", Some("R-squared")),
            ("1.0 2.0 ", None),
            ("", None),
        ] {
            assert_eq!(label(before).as_deref(), called, "{before}");
        }
    }
}
