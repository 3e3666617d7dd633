use std::sync::{Arc, OnceLock};

use caliper_core::question::left_out::WhyLeftOut;

use super::Entry;

/// A file or folder that is not part of the project.
#[derive(Debug)]
pub(super) struct Outside {
    pub(super) path: String,
    pub(super) is_folder: bool,
    pub(super) why: WhyLeftOut,
    /// What it holds, once somebody asked.
    pub(super) entries: OnceLock<Arc<[Entry]>>,
}

impl Outside {
    pub(super) fn new(path: String, is_folder: bool, why: WhyLeftOut) -> Self {
        Self { path, is_folder, why, entries: OnceLock::new() }
    }

    /// Whether `path` is it, or lies in it.
    pub(super) fn holds(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.path.as_str());
        rest.is_some_and(|rest| rest.is_empty() || (self.is_folder && rest.starts_with('/')))
    }
}
