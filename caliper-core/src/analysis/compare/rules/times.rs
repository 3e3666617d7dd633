//! The rule for timestamps.

use std::sync::LazyLock;

use regex::Regex;

use super::Edit;
use crate::names::Timestamp;

/// What may precede a number. It is part of the match, because the `regex` crate has no
/// look-behind.
pub(super) const APART: &str = r"(?:^|[^\w.])";

pub(super) fn compiled(pattern: &str) -> Regex {
    Regex::new(&pattern.replace("APART", APART)).expect("a pattern")
}

/// The first groups of all matches of the patterns; at equal positions the earlier pattern wins.
pub(super) fn found(patterns: &[Regex], line: &str, by: &'static str) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    for pattern in patterns {
        let ranges = pattern.captures_iter(line).filter_map(|found| found.get(1).or(found.get(2)));
        edits.extend(ranges.map(|part| Edit::new(part.range(), by)));
    }
    without_overlaps(edits)
}

/// In the order of their positions, without those that begin within an earlier one. Of two that begin at the same
/// position the first of `edits` stays.
pub(super) fn without_overlaps(mut edits: Vec<Edit>) -> Vec<Edit> {
    // The sort is stable.
    edits.sort_by_key(|edit| edit.range.start);
    let mut end = 0;
    edits.retain(|edit| {
        let free = edit.range.start >= end;
        end = if free { edit.range.end } else { end };
        free
    });
    edits
}

/// The moments in a line. If it is known when the result came to be, those with a date of another time are left
/// out: they are data.
pub(super) fn timestamps(line: &str, measured: Option<[Timestamp; 2]>) -> Vec<Edit> {
    static PATTERNS: LazyLock<[Regex; 5]> = LazyLock::new(|| {
        const MONTH: &str = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)";
        const WEEKDAY: &str = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)";
        const TIME: &str = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)";
        const DATE: &str = r"[12][0-9]{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])";
        // ISO 8601, in the extended and the basic form.
        let zone = r"(?: ?(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}))?";
        let iso = format!(
            r"APART((?:{DATE}[T ](?:{TIME}(?:[.,][0-9]{{1,9}})?|[0-2][0-9]:[0-5][0-9])|[12][0-9]{{7}}T[0-9]{{6}}){zone})\b"
        );
        // RFC 2822, ctime(3) with and without a zone, syslog, the logs of web servers, and the American way.
        let words = format!(
            r"APART((?:{WEEKDAY}, )?[0-9]{{1,2}} {MONTH} [12][0-9]{{3}} {TIME}(?: (?:GMT|UTC|[+-][0-9]{{4}}))?|(?:{WEEKDAY} )?{MONTH} [ 0-3][0-9] {TIME}(?: [A-Z]{{3,4}})?(?: [12][0-9]{{3}})?|[0-3][0-9]/{MONTH}/[12][0-9]{{3}}:{TIME}(?: [+-][0-9]{{4}})?|[01]?[0-9]/[0-3]?[0-9]/(?:[12][0-9])?[0-9]{{2}},? {TIME}(?: [AP]M)?)\b"
        );
        // At the start of a line: a time of day, and what glog and absl print behind a letter, with the
        // number of the process or thread.
        let log = format!(
            r"^(?:[ \t]*\[?|[IWEF])({TIME}(?:[.,][0-9]{{1,9}})?|[01][0-9][0-3][0-9] {TIME}\.[0-9]{{6}}(?: {{1,7}}[0-9]{{1,15}})?)\b"
        );
        // Behind a word that says so: a time of day, and a date with the names of the day and month.
        let clock = format!(
            r"\b(?:[Tt]ime|[Cc]lock|[Ss]tarted|[Ff]inished|[Ee]nded|[Bb]egan)(?: at)?[:=] {{0,40}}({TIME}(?:[.,][0-9]{{1,9}})?)\b"
        );
        let day = format!(
            r"\b(?:(?:[Dd]ate|[Cc]reated|[Gg]enerated|[Ss]tarted|[Ff]inished)(?: on)?[:=] {{0,40}}((?:{WEEKDAY},? )?[0-9]{{1,2}} {MONTH}[a-z]{{0,6}} [12][0-9]{{3}}|(?:{WEEKDAY},? )?{MONTH}[a-z]{{0,6}} [0-9]{{1,2}},? [12][0-9]{{3}})|(?:[Cc]reated|[Gg]enerated)(?: on)?:? ({DATE}))\b"
        );
        [compiled(&iso), compiled(&words), compiled(&log), compiled(&clock), compiled(&day)]
    });
    // All of them have a time of day in them, the basic form's `T`, or a word that ends in one of `=:nd`.
    let digits = line.bytes().filter(u8::is_ascii_digit).take(5).count();
    if digits < 5 || !line.contains([':', 'T', '=', 'd', 'n']) {
        return Vec::new();
    }
    let mut found = found(&*PATTERNS, line, "<timestamp>");
    if let Some([started, finished]) = measured {
        let may_be_now = |moment: &str| {
            date(moment).is_none_or(|date| {
                started.days_until(date).is_none_or(|days| days >= -DAYS)
                    && finished.days_until(date).is_none_or(|days| days <= DAYS)
            })
        };
        found.retain(|edit| may_be_now(&line[edit.range.clone()]));
    }
    found
}

/// So many days may lie between what a clock says in any time zone and what it says in UTC, and one more.
const DAYS: i64 = 2;

/// The year, month and day of a moment; `None` if it does not tell all of them.
fn date(moment: &str) -> Option<(i16, i8, i8)> {
    static DATES: LazyLock<[Regex; 4]> = LazyLock::new(|| {
        [
            compiled(r"^(?<year>[12][0-9]{3})-?(?<month>[01][0-9])-?(?<day>[0-3][0-9])"),
            compiled(
                r"^(?<month>[01]?[0-9])/(?<day>[0-3]?[0-9])/(?<year>(?:[12][0-9])?[0-9]{2})\b",
            ),
            compiled(
                r"\b(?<day>[0-9]{1,2})[ /](?<month>[A-Z][a-z]{2})[a-z]*[ /](?<year>[12][0-9]{3})",
            ),
            compiled(
                r"\b(?<month>[A-Z][a-z]{2})[a-z]* {1,2}(?<day>[0-9]{1,2})\b.*\b(?<year>[12][0-9]{3})$",
            ),
        ]
    });
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let found = DATES.iter().find_map(|pattern| pattern.captures(moment))?;
    let month = match (1..).zip(MONTHS).find(|(_, name)| *name == &found["month"]) {
        Some((month, _)) => month,
        None => found["month"].parse().ok()?,
    };
    let year: i16 = found["year"].parse().ok()?;
    // The American way may leave the century out.
    let year = if year < 100 { 2000 + year } else { year };
    Some((year, month, found["day"].parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::criteria::Rule;

    #[test]
    fn dates_of_another_time_are_data() {
        let now = ["2024-01-31T22:00:00Z", "2024-02-01T03:00:00Z"].map(|at| at.parse().unwrap());
        for (moment, is_now) in [
            ("2024-01-31T10:11:12", true),
            ("2024-02-02 10:11:12 +1400", true),
            ("20240131T101112Z", true),
            ("Wed, 31 Jan 2024 10:11:12 +0000", true),
            ("Wed Jan 31 10:11:12 CET 2024", true),
            ("31/Jan/2024:10:11:12 +0000", true),
            // No year.
            ("Jan 31 10:11:12", true),
            ("2020-01-02 03:04:05", false),
            ("2024-02-05T10:11:12", false),
            ("20200102T030405Z", false),
            ("Thu, 2 Jan 2020 03:04:05 GMT", false),
            ("Thu Jan  2 03:04:05 2020", false),
            ("02/Jan/2020:03:04:05", false),
            ("1/31/24 10:11:12", true),
            ("01/02/2020 03:04:05 PM", false),
        ] {
            let found = timestamps(moment, Some(now));
            assert_eq!(!found.is_empty(), is_now, "{moment} {found:?}");
        }
        assert!(timestamps("Generated on: January 2, 2020", Some(now)).is_empty());
        assert!(!timestamps("Generated on: January 31, 2024", Some(now)).is_empty());
    }

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
            // The handlers of rich, and logging with a format of one's own.
            "01/31/24 10:11:12",
            "01/31/2024 10:11:12 AM",
        ] {
            let text = format!("at {moment}, x");
            assert_eq!(Rule::Timestamps.apply(&text), "at <timestamp>, x", "{text}");
        }
        let cases = [
            ("10:11:12 start", "<timestamp> start"),
            ("[10:11:12.123] start", "[<timestamp>] start"),
            ("I0131 10:11:12.123456 140123 x.cc:5] hi", "I<timestamp> x.cc:5] hi"),
            // A table of statsmodels.
            ("Date:                Sat, 28 Nov 2026", "Date:                <timestamp>"),
            (
                "Time:                        00:26:09   Log-Likelihood: 1",
                "Time:                        <timestamp>   Log-Likelihood: 1",
            ),
            ("Started at: 09:10:11.5", "Started at: <timestamp>"),
            ("Created on 2026-11-28 by x", "Created on <timestamp> by x"),
            ("Generated on: November 28, 2026", "Generated on: <timestamp>"),
            // Results, or no moments.
            ("offset 10:11:12", "offset 10:11:12"),
            ("2024-01-31", "2024-01-31"),
            ("Date: 2024-01-31", "Date: 2024-01-31"),
            ("born 28 Nov 2026", "born 28 Nov 2026"),
            ("Time: 3.5", "Time: 3.5"),
            ("2024-13-31 10:11:12", "2024-13-31 10:11:12"),
            ("25:11:12", "25:11:12"),
            ("x2024-01-31T10:11:12", "x2024-01-31T10:11:12"),
            ("ratio 3:4:5", "ratio 3:4:5"),
        ];
        for (text, left) in cases {
            assert_eq!(Rule::Timestamps.apply(text), left, "{text}");
        }
    }
}
