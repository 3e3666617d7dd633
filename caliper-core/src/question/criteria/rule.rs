use std::fmt;

use serde::{Deserialize, Serialize};

/// Something in text that differs between runs which did the same, and says nothing of the result.
///
/// The order is the one in which rules are applied.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Carriage returns at the end of a line, and line breaks at the end of the text.
    LineEndings,
    /// Text overwritten after a carriage return is removed, as on a terminal. In the progress bars of
    /// tqdm the percentage, the bar, the times and the rate become `<progress>`; the counts and the
    /// program's own text stay.
    ProgressBars,
    /// Escape sequences: colours, movements, titles, links.
    Ansi,
    /// The version of the release under test, where it stands by itself: `3.8.2`, `v3.8.2`. One of two
    /// numbers, such as `24.1`, has to stand behind the name of the project or the word `version`: it could
    /// be a result.
    Version,
    /// Moments with a date and a time of day, in the forms of ISO 8601, RFC 2822, ctime, logs of web
    /// servers and of glog; and at the start of a line a time of day alone. A date alone stays: it
    /// can be a result.
    Timestamps,
    /// The line number in `file.py:123: SomeWarning`.
    WarningLines,
    /// `at 0x…` as in the default form of Python objects, and other hexadecimal numbers behind `0x`
    /// that have the length of an address: 9 to 12 digits, or 16 of which the first four are 0. So
    /// digests and masks of 32 and 64 bits stay.
    Addresses,
    /// Absolute paths of what is installed, up to `site-packages`, `dist-packages` or `pythonX.Y`,
    /// of which the first two stay; and all but the last part of absolute paths in a virtual
    /// environment or a folder for temporary files. Other paths stay.
    Paths,
    /// Names that Python's `tempfile`, pytest and `mktemp` make up. One that stands alone has to
    /// have a digit in it, because `tmp_results` looks the same.
    TempNames,
    /// Numbers with a unit of time: `12 ms`, `1.3 seconds`, `0m1.234s`. For `s` alone the number has
    /// to stand right before it and have a fraction, or follow a word such as `in` or `took`: that
    /// `loss 0.3 s` stays, and so do the 1990s. Minutes, hours and days in words are results.
    Durations,
    /// Numbers per unit of time, and of time per step: `12.3it/s`, `31ms/step`.
    Rates,
    /// Elements of sets of plain values, `{'b', 'a'}`, are sorted. Dictionaries have an order and
    /// keep it.
    Sets,
    /// Identifiers of the elements of an SVG image are numbered in the order in which they appear.
    SvgIds,
    /// What of a PNG or JPEG image is not its pixels: texts, dates, and how pixels are packed.
    ImageMetadata,
    /// Other spellings of the same number (`1.10` and `1.1`), other types of the same numbers in arrays, and
    /// the white space beside numbers. What looks like an identifier is not the same in another spelling
    /// anyway: digits behind a leading zero (`01234`), and zeros with an exponent (`0e123`).
    Spelling,
}

impl Rule {
    /// All, in the order in which they are applied.
    pub const ALL: [Self; 15] = [
        Self::LineEndings,
        Self::ProgressBars,
        Self::Ansi,
        Self::Version,
        Self::Timestamps,
        Self::WarningLines,
        Self::Addresses,
        Self::Paths,
        Self::TempNames,
        Self::Durations,
        Self::Rates,
        Self::Sets,
        Self::SvgIds,
        Self::ImageMetadata,
        Self::Spelling,
    ];
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::LineEndings => "line_endings",
            Self::ProgressBars => "progress_bars",
            Self::Ansi => "ansi",
            Self::Version => "version",
            Self::Timestamps => "timestamps",
            Self::WarningLines => "warning_lines",
            Self::Addresses => "addresses",
            Self::Paths => "paths",
            Self::TempNames => "temp_names",
            Self::Durations => "durations",
            Self::Rates => "rates",
            Self::Sets => "sets",
            Self::SvgIds => "svg_ids",
            Self::ImageMetadata => "image_metadata",
            Self::Spelling => "spelling",
        })
    }
}
