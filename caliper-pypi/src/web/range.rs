//! Ranges of bytes ([RFC 9110, 14.1](https://www.rfc-editor.org/rfc/rfc9110#section-14.1)).

use std::ops::Range;

/// What a `Range` header asks for of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it, also when the header is one that may be passed over.
    Whole,
    /// These bytes.
    Part(Range<u64>),
    /// Bytes that the file does not have.
    Outside,
}

/// Reads a `Range` header for a file of `length` bytes.
pub(super) fn read(header: Option<&str>, length: u64) -> Wanted {
    let parse = || {
        let (unit, range) = header?.split_once('=')?;
        let (first, last) = range.trim().split_once('-')?;
        // Several ranges in one answer are allowed to be answered with the whole.
        if !unit.trim().eq_ignore_ascii_case("bytes") || last.contains(',') {
            return None;
        }
        if first.is_empty() {
            let count: u64 = last.parse().ok()?;
            return Some((length.saturating_sub(count), length));
        }
        let first: u64 = first.parse().ok()?;
        let end = match last {
            "" => length,
            last => last.parse::<u64>().ok().filter(|last| *last >= first)?.saturating_add(1),
        };
        Some((first, end.min(length)))
    };
    match parse() {
        None => Wanted::Whole,
        Some((first, end)) if first < end => Wanted::Part(first..end),
        Some(_) => Wanted::Outside,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        let cases: &[(Option<&str>, Wanted)] = &[
            (None, Wanted::Whole),
            (Some("bytes=0-"), Wanted::Part(0..10)),
            (Some("bytes=3-5"), Wanted::Part(3..6)),
            (Some("bytes=3-99"), Wanted::Part(3..10)),
            (Some("bytes=-4"), Wanted::Part(6..10)),
            (Some("bytes=-99"), Wanted::Part(0..10)),
            (Some("bytes=10-"), Wanted::Outside),
            (Some("bytes=-0"), Wanted::Outside),
            (Some("bytes=5-3"), Wanted::Whole),
            (Some("bytes=0-1,3-4"), Wanted::Whole),
            (Some("lines=0-1"), Wanted::Whole),
            (Some("bytes=x-y"), Wanted::Whole),
        ];
        for (header, wanted) in cases {
            assert_eq!(read(*header, 10), *wanted, "{header:?}");
        }
    }
}
