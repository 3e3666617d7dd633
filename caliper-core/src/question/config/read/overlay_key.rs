//! Reads the key `overlay`: files of the project that are laid over packages.

use std::io::ErrorKind;

use super::{At, Reader, shorten};
use crate::names::{PackageName, Sha256};
use crate::question::overlay::{OverlayFile, PackageOverlay};

/// The keys of an overlay.
pub(in crate::question::config) const OVERLAY: &[&str] = &["package", "version", "files"];

const FORM: &str = "write `{package: keras, version: 2.2.4, files: patches/keras}`";

/// More files or bytes than this are not a patch of a package.
const MOST_FILES: usize = 1000;
const MOST_BYTES: usize = 16 << 20;

impl Reader<'_> {
    /// The overlays. Each is for another version of its package.
    pub(super) fn overlays(&mut self, at: &At<'_>) -> Vec<PackageOverlay> {
        let mut all: Vec<PackageOverlay> = Vec::new();
        for node in self.list(at, "`overlay`") {
            let Some(overlay) = self.package_overlay(&node) else { continue };
            let is_same = |one: &&PackageOverlay| {
                (&one.package, &one.version) == (&overlay.package, &overlay.version)
            };
            if all.iter().any(|one| is_same(&one)) {
                let message = format!(
                    "there is an overlay of {} {} already",
                    overlay.package, overlay.version
                );
                self.problem_with_help(&node, message, "put the files of both into one folder");
            } else {
                all.push(overlay);
            }
        }
        all
    }

    fn package_overlay(&mut self, at: &At<'_>) -> Option<PackageOverlay> {
        let mut entries = self.mapping(at, "an overlay", OVERLAY)?;
        let [package, version, files] = ["package", "version", "files"].map(|key| {
            let node = entries.remove(key);
            let stands_there = matches!(at.node, super::Node::Mapping(pairs) if pairs.iter().any(|(name, _)| name == key));
            if !stands_there {
                self.problem_with_help(at, format!("the overlay has no `{key}`"), FORM);
            }
            node
        });
        let package: Option<PackageName> = package.and_then(|node| self.parsed(&node, "`package`"));
        let version = version.and_then(|node| {
            let text = self.text(&node, "`version`")?;
            let version = text.parse().ok();
            if version.is_none() {
                let message = format!("`{}` is not one version", shorten(&text));
                self.problem_with_help(
                    &node,
                    message,
                    "an overlay is for one exact version, such as `2.2.4`; write another overlay for another version",
                );
            }
            version
        });
        let (folder, files) = files.and_then(|node| self.files_of_overlay(&node))?;
        Some(PackageOverlay { package: package?, version: version?, folder, files })
    }

    /// The folder and what is in it.
    fn files_of_overlay(&mut self, at: &At<'_>) -> Option<(String, Vec<OverlayFile>)> {
        const LAYOUT: &str =
            "the files lie in it as in site-packages, such as `keras/engine/training.py`";
        let text = self.text(at, "`files`")?;
        if text.starts_with('/') || text.split('/').any(|part| part == "..") {
            let message = format!("`{}` leaves the project", shorten(&text));
            self.problem_with_help(at, message, "name a folder of the project; move it there");
            return None;
        }
        let parts: Vec<&str> =
            text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        if parts.is_empty() {
            let message = "the whole project cannot be an overlay";
            self.problem_with_help(at, message, "name a folder in it");
            return None;
        }
        let folder = parts.join("/");
        let mut paths = match (self.list)(&folder) {
            Ok(paths) => paths,
            Err(error) => {
                let shown = shorten(&folder);
                let (message, help) = match error.kind() {
                    ErrorKind::NotFound => (
                        format!("there is no folder `{shown}`"),
                        "paths are relative to the folder of the configuration",
                    ),
                    ErrorKind::NotADirectory => (format!("`{shown}` is not a folder"), LAYOUT),
                    _ => (format!("could not list `{shown}`: {error}"), LAYOUT),
                };
                self.problem_with_help(at, message, help);
                return None;
            }
        };
        paths.retain(|path| !is_bytecode(path));
        paths.sort();
        if paths.is_empty() {
            let message = format!("there is no file in `{}`", shorten(&folder));
            self.problem_with_help(at, message, LAYOUT);
            return None;
        }
        if paths.len() > MOST_FILES {
            let message = format!(
                "there are {} files in `{}`, and an overlay has at most {MOST_FILES}",
                paths.len(),
                shorten(&folder)
            );
            self.problem_with_help(at, message, "leave in it only what differs from the package");
            return None;
        }
        let (mut files, mut bytes) = (Vec::new(), 0);
        for path in paths {
            let content = self.file(at, &format!("{folder}/{path}"))?;
            bytes += content.len();
            if bytes > MOST_BYTES {
                let message = format!("the files in `{}` are larger than 16 MiB", shorten(&folder));
                self.problem(at, message);
                return None;
            }
            files.push(OverlayFile { path, sha256: Sha256::of(&content) });
        }
        Some((folder, files))
    }
}

/// Python makes it again, from the files that are laid.
fn is_bytecode(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, ending)| ending == "pyc")
        || path.split('/').any(|part| part == "__pycache__")
}
