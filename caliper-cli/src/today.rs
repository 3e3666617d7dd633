//! The moment that is today.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use caliper_core::names::Timestamp;

use crate::exit::Failure;
use crate::terminal::Terminal;

/// The moment that is today: that of an earlier call that is less than a day ago, so that one that was interrupted goes
/// on, or else now. It is kept in a folder of results.
pub(crate) fn of(kept: &Path, terminal: Terminal) -> Result<Timestamp, Failure> {
    const DAY: i64 = 24 * 3600;
    let path = kept.join("today");
    let now = Timestamp::from_unix_seconds(Timestamp::from(SystemTime::now()).unix_seconds());
    let earlier =
        fs::read_to_string(&path).ok().and_then(|text| text.trim().parse::<Timestamp>().ok());
    if let Some(earlier) = earlier
        && (0..DAY).contains(&(now.unix_seconds() - earlier.unix_seconds()))
    {
        terminal.detail(&format!("today is {earlier}, as of the last call"));
        return Ok(earlier);
    }
    fs::write(&path, format!("{now}\n")).map_err(|error| {
        Failure::infrastructure(format!("could not write `{}`", path.display()), error)
    })?;
    Ok(now)
}
