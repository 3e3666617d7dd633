use std::io::Write as _;

use caliper_core::facts::event::{Event, Reporter};

/// Every event as a line of JSON on standard error.
pub(super) struct Json;

impl Reporter for Json {
    fn report(&self, event: &Event) {
        if let Ok(line) = serde_json::to_string(event) {
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        }
    }
}
