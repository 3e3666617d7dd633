use std::fmt;
use std::str::FromStr;

use super::{excerpt, serde_as_string};

/// A moment in UTC, printed as [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339) with a `Z`.
///
/// Also parses a bare date, `2021-03-01`, as its first moment in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// The moment `seconds` after 1970-01-01T00:00:00Z; saturates at the years -9999 and 9999.
    pub fn from_unix_seconds(seconds: i64) -> Self {
        let limit = if seconds < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
        Self(jiff::Timestamp::from_second(seconds).unwrap_or(limit))
    }

    /// How many days lie between the day of this moment in UTC and the day with this year, month and number, which
    /// may be earlier; `None` if there is no such day.
    pub(crate) fn days_until(self, (year, month, day): (i16, i8, i8)) -> Option<i64> {
        let from = jiff::tz::TimeZone::UTC.to_datetime(self.0).date();
        let to = jiff::civil::Date::new(year, month, day).ok()?;
        Some(from.until(to).ok()?.get_days().into())
    }

    /// Whole seconds since 1970-01-01T00:00:00Z.
    pub fn unix_seconds(self) -> i64 {
        self.0.as_second()
    }

    /// Whole microseconds since 1970-01-01T00:00:00Z.
    pub(crate) fn unix_microseconds(self) -> i64 {
        self.0.as_microsecond()
    }
}

impl From<std::time::SystemTime> for Timestamp {
    /// Keeps milliseconds.
    fn from(time: std::time::SystemTime) -> Self {
        let milliseconds = time
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX));
        Self(jiff::Timestamp::from_millisecond(milliseconds).unwrap_or(jiff::Timestamp::MAX))
    }
}

impl From<Timestamp> for std::time::SystemTime {
    /// A moment before 1970 becomes that of 1970.
    fn from(time: Timestamp) -> Self {
        let microseconds = u64::try_from(time.unix_microseconds()).unwrap_or_default();
        Self::UNIX_EPOCH + std::time::Duration::from_micros(microseconds)
    }
}

/// Why a text is not a moment in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a date: write `2021-03-01` or `2021-03-01T12:00:00Z`")]
pub struct ParseTimestampError(String);

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let date = || -> Option<jiff::Timestamp> {
            let date: jiff::civil::Date = text.parse().ok().filter(|_| text.len() == 10)?;
            Some(date.to_zoned_datetime(jiff::tz::TimeZone::UTC).ok()?.timestamp())
        };
        text.parse()
            .ok()
            .or_else(date)
            .map(Self)
            .ok_or_else(|| ParseTimestampError(excerpt(text, 60)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

serde_as_string!(Timestamp, "a moment in UTC, RFC 3339", "^-?[0-9]{4,6}-[0-9]{2}-[0-9]{2}");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_moments_parse() {
        for (text, expected) in [
            ("2021-03-01", "2021-03-01T00:00:00Z"),
            ("2021-03-01T12:00:00.123456Z", "2021-03-01T12:00:00.123456Z"),
            ("2021-03-01T12:00:00+02:00", "2021-03-01T10:00:00Z"),
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), expected);
        }
        for bad in ["", "yesterday", "2021-13-01", "2021-03-01T25:00:00Z"] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }
}
