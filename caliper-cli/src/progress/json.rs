use std::io::Write as _;

use caliper_core::facts::event::{Event, Reporter};

/// Every event as a line of JSON on standard error.
pub(super) struct Json;

impl super::Progress for Json {}

impl Reporter for Json {
    fn report(&self, event: &Event) {
        if let Ok(line) = serde_json::to_string(event) {
            // In one write, so that nothing else gets between.
            let _ = std::io::stderr().lock().write_all(format!("{line}\n").as_bytes());
        }
    }
}
