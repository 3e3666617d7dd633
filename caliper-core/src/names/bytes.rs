use std::fmt;

/// A number of bytes, shown for people: `1.5 GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[expect(clippy::cast_precision_loss, reason = "shown to a tenth")]
        let of = |unit: u32| self.0 as f64 / f64::from(unit);
        let text = match self.0 {
            0..1024 => format!("{} B", self.0),
            1024..1_048_576 => format!("{:.1} KiB", of(1 << 10)),
            1_048_576..1_073_741_824 => format!("{:.1} MiB", of(1 << 20)),
            _ => format!("{:.1} GiB", of(1 << 30)),
        };
        formatter.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_fits_the_number() {
        let shown = [0, 1023, 1536, 5 << 20, 5 << 30].map(|bytes| Bytes(bytes).to_string());
        assert_eq!(shown, ["0 B", "1023 B", "1.5 KiB", "5.0 MiB", "5.0 GiB"]);
        assert_eq!(format!("{:>8}|", Bytes(1)), "     1 B|");
    }
}
