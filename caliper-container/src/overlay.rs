//! Laying files of the project over installed packages, on every backend by one program.
//!
//! The program is given to the Python of the environment once everything is installed. It checks before it writes, never
//! writes into a file that is there, and tells what it replaced.

use std::path::{Path, PathBuf};
use std::{fs, io};

use caliper_core::facts::record::{Installed, OverlaidFile};
use caliper_core::names::{PackageName, Sha256};
use caliper_core::question::overlay::{PackageOverlay, chosen};
use caliper_core::question::plan::Setup;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::backend::{BackendError, LaidOverlay};
use crate::project::Project;

/// Lays files, for Python 2.7 and later: `python overlay.py ORDER REPORT`. With the report alone it tells what was laid,
/// if it is still there.
pub(crate) const PROGRAM: &str =
    concat!(include_str!("distributions.py"), include_str!("overlay.py"));

/// What is to be laid in one environment.
#[derive(Debug)]
pub(crate) struct Order {
    overlays: Vec<PackageOverlay>,
    /// What the program reads.
    text: String,
}

/// What the program tells of one overlay.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Told {
    files: Vec<OverlaidFile>,
    diff: String,
    is_diff_cut: bool,
}

/// The version of a package among these distributions, as its metadata spells it.
pub(crate) fn version_in(installed: &[Installed], package: &PackageName) -> Option<String> {
    let is_it = |name: &str| name.parse().is_ok_and(|name: PackageName| name == *package);
    installed.iter().find(|one| is_it(&one.name)).map(|one| one.version.clone())
}

impl Order {
    /// What is to be laid in an environment in which `installed` gives the version of a package; `None` for nothing.
    ///
    /// # Errors
    ///
    /// [`BackendError::Overlay`] if the environment has another version of a package, or a file of the project is not
    /// what it was when the plan was made.
    pub(crate) fn new(
        setup: &Setup,
        project: &Project,
        installed: impl Fn(&PackageName) -> Option<String>,
    ) -> Result<Option<Self>, BackendError> {
        if setup.overlays.is_empty() {
            return Ok(None);
        }
        let found = chosen(&setup.overlays, installed)
            .map_err(|mismatch| BackendError::Overlay { reason: mismatch.to_string() })?;
        let mut all = Vec::new();
        for (overlay, version) in &found {
            let mut files = Vec::new();
            for file in &overlay.files {
                let path = overlay.in_project(file);
                let content = fs::read(project.root().join(&path));
                let content = content.map_err(|error| BackendError::Overlay {
                    reason: format!(
                        "could not read `{path}` of the overlay of {}: {error}",
                        overlay.package
                    ),
                })?;
                if Sha256::of(&content) != file.sha256 {
                    return Err(BackendError::Overlay {
                        reason: format!(
                            "`{path}` of the overlay of {} is not the file that is asked for, which has the digest {}",
                            overlay.package, file.sha256
                        ),
                    });
                }
                files.push(json!({ "path": file.path, "content": hexadecimal(&content) }));
            }
            let package = overlay.package.normalized();
            all.push(json!({ "package": package, "version": version, "files": files }));
        }
        let overlays = found.into_iter().map(|(overlay, _)| overlay.clone()).collect();
        Ok(Some(Self { overlays, text: serde_json::Value::from(all).to_string() }))
    }

    /// Writes the program and what it reads, `overlay.py` and `order.json`, into a folder.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<[PathBuf; 2]> {
        let files = ["overlay.py", "order.json"].map(|name| folder.join(name));
        fs::write(&files[0], PROGRAM)?;
        fs::write(&files[1], &self.text)?;
        Ok(files)
    }

    /// What was laid, as the program tells it.
    pub(crate) fn laid(&self, told: Vec<Told>) -> Result<Vec<LaidOverlay>, BackendError> {
        if told.len() != self.overlays.len() {
            return Err(unreadable("it tells of other overlays"));
        }
        let laid = self.overlays.iter().zip(told).map(|(overlay, told)| LaidOverlay {
            package: overlay.package.clone(),
            version: overlay.version.clone(),
            folder: overlay.folder.clone(),
            files: told.files,
            diff: told.diff,
            is_diff_cut: told.is_diff_cut,
        });
        Ok(laid.collect())
    }
}

/// Reads what the program reports.
pub(crate) fn read(report: &[u8]) -> Result<Vec<Told>, serde_json::Error> {
    serde_json::from_slice(report)
}

/// The error of a program that did not lay the files, by what it said.
pub(crate) fn refused(said: &str) -> BackendError {
    let own = |line: &str| {
        let line = line.trim().strip_prefix("caliper: overlay ")?;
        line.strip_prefix("refused: ").or_else(|| line.strip_prefix("failed: ")).map(str::to_owned)
    };
    let reason = said.lines().rev().find_map(own).unwrap_or_else(|| {
        let mut lines = said.lines().rev().filter(|line| !line.trim().is_empty());
        lines.next().unwrap_or("its Python said nothing").trim().to_owned()
    });
    BackendError::Overlay { reason: format!("the overlay could not be laid: {reason}") }
}

/// The error of a program whose report makes no sense.
pub(crate) fn unreadable(problem: impl std::fmt::Display) -> BackendError {
    BackendError::Overlay { reason: format!("what was laid over a package is not told: {problem}") }
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests;
