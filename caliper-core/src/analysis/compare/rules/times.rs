//! Rules for timestamps and durations.

use std::sync::LazyLock;

use regex::Regex;

use super::Edit;

/// What may precede a number. It is part of the match, because the `regex` crate has no
/// look-behind.
const APART: &str = r"(?:^|[^\w.])";

fn compiled(pattern: &str) -> Regex {
    Regex::new(&pattern.replace("APART", APART)).expect("a pattern")
}

/// The first groups of all matches of the patterns; at equal positions the earlier pattern wins.
fn found(patterns: &[Regex], line: &str, by: &'static str) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    for pattern in patterns {
        let ranges = pattern.captures_iter(line).filter_map(|found| found.get(1));
        edits.extend(ranges.map(|part| Edit::new(part.range(), by)));
    }
    // The sort is stable, so at equal positions the earlier pattern comes first.
    edits.sort_by_key(|edit| edit.range.start);
    let mut end = 0;
    edits.retain(|edit| {
        let free = edit.range.start >= end;
        end = if free { edit.range.end } else { end };
        free
    });
    edits
}

pub(super) fn timestamps(line: &str) -> Vec<Edit> {
    static PATTERNS: LazyLock<[Regex; 3]> = LazyLock::new(|| {
        const MONTH: &str = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)";
        const WEEKDAY: &str = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)";
        const TIME: &str = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)";
        const DATE: &str = r"[12][0-9]{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])";
        // ISO 8601, in the extended and the basic form.
        let zone = r"(?: ?(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}))?";
        let iso = format!(
            r"APART((?:{DATE}[T ](?:{TIME}(?:[.,][0-9]{{1,9}})?|[0-2][0-9]:[0-5][0-9])|[12][0-9]{{7}}T[0-9]{{6}}){zone})\b"
        );
        // RFC 2822, ctime(3) with and without a zone, syslog, and the logs of web servers.
        let words = format!(
            r"APART((?:{WEEKDAY}, )?[0-9]{{1,2}} {MONTH} [12][0-9]{{3}} {TIME}(?: (?:GMT|UTC|[+-][0-9]{{4}}))?|(?:{WEEKDAY} )?{MONTH} [ 0-3][0-9] {TIME}(?: [A-Z]{{3,4}})?(?: [12][0-9]{{3}})?|[0-3][0-9]/{MONTH}/[12][0-9]{{3}}:{TIME}(?: [+-][0-9]{{4}})?)\b"
        );
        // At the start of a line: a time of day, and what glog and absl print behind a letter.
        let log = format!(
            r"^(?:[ \t]*\[?|[IWEF])({TIME}(?:[.,][0-9]{{1,9}})?|[01][0-9][0-3][0-9] {TIME}\.[0-9]{{6}})\b"
        );
        [compiled(&iso), compiled(&words), compiled(&log)]
    });
    // All of them have a time of day in them, or the basic form's `T`.
    let digits = line.bytes().filter(u8::is_ascii_digit).take(5).count();
    if digits < 5 || !line.contains([':', 'T']) {
        return Vec::new();
    }
    found(&*PATTERNS, line, "<timestamp>")
}

pub(super) fn durations(line: &str) -> Vec<Edit> {
    static PATTERNS: LazyLock<[Regex; 4]> = LazyLock::new(|| {
        const UNIT: &str = "(?:seconds?|secs?|milliseconds?|msecs?|ms|microseconds?|usecs?|us|µs|μs|nanoseconds?|nsecs?|ns)";
        const WORD: &str =
            "(?:in|In|took|Took|after|After|elapsed|Elapsed|time|Time|duration|Duration)[:=]? ?";
        let number = r"[0-9]{1,15}(?:\.[0-9]{1,15})?(?:e[+-]?[0-9]{1,2})?";
        [
            compiled(&format!(r"APART({number} ?{UNIT})\b")),
            compiled(r"APART([0-9]{1,12}\.[0-9]{1,15}(?:e[+-]?[0-9]{1,2})?s)\b"),
            compiled(&format!(r"APART{WORD}({number} ?s)\b")),
            // As the shell's `time` prints it.
            compiled(r"APART([0-9]{1,6}m[0-9]{1,2}\.[0-9]{1,6}s)\b"),
        ]
    });
    if !line.contains('s') {
        return Vec::new();
    }
    found(&*PATTERNS, line, "<duration>")
}

#[cfg(test)]
mod tests {
    use crate::question::criteria::Rule;

    #[test]
    fn moments_are_seen() {
        for moment in [
            "2024-01-31T10:11:12",
            "2024-01-31 10:11:12.123456",
            "2024-01-31 10:11:12,345",
            "2024-01-31T10:11:12.5Z",
            "2024-01-31T10:11:12+01:00",
            "2024-01-31 10:11:12 UTC",
            "2024-01-31 10:11",
            "20240131T101112Z",
            "Wed, 31 Jan 2024 10:11:12 +0000",
            "31 Jan 2024 10:11:12",
            "Wed Jan 31 10:11:12 2024",
            "Wed Jan  3 10:11:12 CET 2024",
            "Jan 31 10:11:12",
            "31/Jan/2024:10:11:12 +0000",
        ] {
            let text = format!("at {moment}, x");
            assert_eq!(Rule::Timestamps.apply(&text), "at <timestamp>, x", "{text}");
        }
        let cases = [
            ("10:11:12 start", "<timestamp> start"),
            ("[10:11:12.123] start", "[<timestamp>] start"),
            ("I0131 10:11:12.123456 1 x.cc:5] hi", "I<timestamp> 1 x.cc:5] hi"),
            // Results, or no moments.
            ("offset 10:11:12", "offset 10:11:12"),
            ("2024-01-31", "2024-01-31"),
            ("2024-13-31 10:11:12", "2024-13-31 10:11:12"),
            ("25:11:12", "25:11:12"),
            ("x2024-01-31T10:11:12", "x2024-01-31T10:11:12"),
            ("ratio 3:4:5", "ratio 3:4:5"),
        ];
        for (text, left) in cases {
            assert_eq!(Rule::Timestamps.apply(text), left, "{text}");
        }
    }

    #[test]
    fn durations_are_seen() {
        let cases = [
            ("Ran 3 tests in 0.12s", "Ran 3 tests in <duration>"),
            ("took 1.3 seconds", "took <duration>"),
            ("12 ms, 12ms; 1e-05 s", "<duration>, <duration>; 1e-05 s"),
            ("1.2 ms ± 30 µs per loop", "<duration> ± <duration> per loop"),
            ("real\t0m1.234s", "real\t<duration>"),
            ("Wall time: 1.2 s", "Wall time: <duration>"),
            ("elapsed=12s", "elapsed=<duration>"),
            ("1 passed in 5 s", "1 passed in <duration>"),
            // Results, or no durations.
            ("loss 0.3 s", "loss 0.3 s"),
            ("the 1990s", "the 1990s"),
            ("12 min 3 max", "12 min 3 max"),
            ("12.5", "12.5"),
            ("3 msx 4 using", "3 msx 4 using"),
            ("v1.5s", "v1.5s"),
            ("in 5 steps", "in 5 steps"),
        ];
        for (text, left) in cases {
            assert_eq!(Rule::Durations.apply(text), left, "{text}");
        }
    }
}
