//! What lies in the folder of a project and is not part of it.

use std::fs;
use std::path::Path;

use caliper_core::question::left_out::{LeftOut, Size};

use super::Project;

impl Project {
    /// What lies in the folder and is not part of the project, sorted by path. Does not look how large it is.
    pub fn left_out(&self) -> Vec<LeftOut> {
        let outside = self.outside.iter();
        outside
            .map(|one| LeftOut {
                path: one.path.clone(),
                is_folder: one.is_folder,
                why: one.why.clone(),
                size: None,
            })
            .collect()
    }

    /// As [`Project::left_out`], with sizes. Looks at every file in the folder.
    pub fn left_out_with_sizes(&self) -> Vec<LeftOut> {
        let mut all = self.left_out();
        for one in &mut all {
            let mut size = Size::default();
            measure(&self.root.join(&one.path), &mut size);
            one.size = Some(size);
        }
        all
    }
}

/// Adds up the files at a path. What cannot be looked at counts as nothing.
fn measure(path: &Path, size: &mut Size) {
    let Ok(metadata) = fs::symlink_metadata(path) else { return };
    if metadata.is_dir() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            measure(&entry.path(), size);
        }
    } else {
        size.files += 1;
        size.bytes += if metadata.is_file() { metadata.len() } else { 0 };
    }
}
