//! Durations and sizes with units.

#[cfg(feature = "config")]
use std::time::Duration;

/// Reads `90s`, `10m`, `1h 30m`.
///
/// # Errors
///
/// A message for users.
#[cfg(feature = "config")]
pub fn duration(text: &str) -> Result<Duration, String> {
    let explain = || format!("`{text}` is not a time: write `90s`, `10m` or `1h 30m`");
    let duration: jiff::SignedDuration = text.parse().map_err(|_| explain())?;
    let duration = Duration::try_from(duration).map_err(|_| explain())?;
    if duration.is_zero() {
        return Err(format!("`{text}` leaves no time at all"));
    }
    Ok(duration)
}

/// Reads a size: `512MiB`, `2GiB`, `1.5 GB`, or a number of bytes. It is not zero.
///
/// # Errors
///
/// A message for users.
pub fn bytes(text: &str) -> Result<u64, String> {
    const UNITS: &[(&str, u32, u32)] = &[
        ("b", 10, 0),
        ("", 10, 0),
        ("kb", 10, 3),
        ("mb", 10, 6),
        ("gb", 10, 9),
        ("tb", 10, 12),
        ("kib", 2, 10),
        ("mib", 2, 20),
        ("gib", 2, 30),
        ("tib", 2, 40),
    ];
    let explain = || format!("`{text}` is not a size: write `512MiB`, `2GiB` or a number of bytes");
    let digits =
        text.find(|next: char| !next.is_ascii_digit() && next != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let number: f64 = number.parse().map_err(|_| explain())?;
    let &(_, base, power) = UNITS.iter().find(|(name, ..)| *name == unit).ok_or_else(explain)?;
    let value = number * f64::from(base).powi(i32::try_from(power).unwrap_or(0));
    if !(1.0..=9e15).contains(&value) {
        return Err(explain());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and 9e15, where every whole number is exact"
    )]
    Ok(value.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_have_units() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("1h 30m", 5400), ("1h30m", 5400)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for bad in ["", "10", "0s", "-1s", "10 bananas", "1y"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        for (text, expected) in [
            ("5MiB", 5 << 20),
            ("2 GiB", 2 << 30),
            ("1.5kB", 1500),
            ("77", 77),
            ("1tb", 1_000_000_000_000),
        ] {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for bad in ["", "x", "-5", "1..2", "5 apples", "0", "99999TiB", "1e5"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }
}
