//! Finds the files of a project, and what lies in its folder besides.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use caliper_core::question::left_out::WhyLeftOut;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use super::git::GitRules;
use super::ignore::Ignore;
use super::kinds;
use super::outside::Outside;
use super::{Entry, Kind, ProjectError};
use crate::digest;

/// A project is copied for every test. A larger one is probably a mistake, such as a data set in its folder.
const MOST_BYTES: u64 = 1 << 30;
const MOST_ENTRIES: usize = 50_000;

/// What was found, sorted by path.
pub(super) struct Found {
    pub(super) entries: Vec<Entry>,
    pub(super) outside: Vec<Outside>,
}

/// Walks through the folder `root`. `config` is the configuration in use; `outputs` are files that the caller
/// writes.
pub(super) fn folder(
    root: &Path,
    config: Option<PathBuf>,
    outputs: &BTreeSet<PathBuf>,
) -> Result<Found, ProjectError> {
    let rules = Rules { docker: Ignore::read(root)?, git: GitRules::above(root), config, outputs };
    let mut walk = Walk::new(root, Some(rules));
    walk.directory("", None)?;
    walk.finish()
}

/// Walks through something that was left out, without the rules that left it out.
pub(super) fn below(root: &Path, outside: &Outside) -> Result<Vec<Entry>, ProjectError> {
    let mut walk = Walk::new(root, None);
    let path = root.join(&outside.path);
    if outside.is_folder {
        walk.push(outside.path.clone(), Pending::Directory)?;
        walk.directory(&outside.path, None)?;
    } else {
        let metadata = fs::symlink_metadata(&path)
            .map_err(|source| ProjectError::Read { path: path.clone(), source })?;
        walk.leaf(outside.path.clone(), &path, &metadata)?;
    }
    Ok(walk.finish()?.entries)
}

struct Rules<'a> {
    docker: Ignore,
    git: GitRules,
    config: Option<PathBuf>,
    outputs: &'a BTreeSet<PathBuf>,
}

struct Walk<'a> {
    root: &'a Path,
    rules: Option<Rules<'a>>,
    found: Vec<(String, Pending)>,
    outside: Vec<Outside>,
    /// The excluded folders around the place that is looked at, and whether they are in `found` because
    /// something in them is included.
    around: Vec<(String, bool)>,
    bytes: u64,
}

/// An entry that was not read yet.
enum Pending {
    Directory,
    File { executable: bool, size: u64 },
    Link { target: PathBuf },
}

impl<'a> Walk<'a> {
    fn new(root: &'a Path, rules: Option<Rules<'a>>) -> Self {
        let (found, outside, around) = (Vec::new(), Vec::new(), Vec::new());
        Self { root, rules, found, outside, around, bytes: 0 }
    }

    /// Walks through a folder. `excluded` says why nothing in it belongs to the project but what rules take
    /// back in.
    fn directory(
        &mut self,
        relative: &str,
        excluded: Option<&WhyLeftOut>,
    ) -> Result<(), ProjectError> {
        let path = self.root.join(relative);
        let failed = |source| ProjectError::Read { path: path.clone(), source };
        let children = match fs::read_dir(&path) {
            Ok(children) => children,
            Err(error)
                if error.kind() == io::ErrorKind::PermissionDenied && !relative.is_empty() =>
            {
                self.found.retain(|(found, _)| found != relative);
                self.leave_out(relative.to_owned(), true, WhyLeftOut::Unreadable);
                return Ok(());
            }
            Err(error) => return Err(failed(error)),
        };
        if let Some(rules) = &mut self.rules {
            rules.git.enter(&path);
        }
        for child in children {
            let child = child.map_err(failed)?;
            let name = child.file_name();
            let lossy = name.to_string_lossy();
            let below = if relative.is_empty() {
                lossy.into_owned()
            } else {
                format!("{relative}/{lossy}")
            };
            let metadata = match child.metadata() {
                Ok(metadata) => metadata,
                // Files come and go, such as an editor's.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(ProjectError::Read { path: child.path(), source }),
            };
            if name.to_str().is_none() {
                self.leave_out(below, metadata.is_dir(), WhyLeftOut::NotUnicode);
                continue;
            }
            self.entry(below, &child.path(), &metadata, excluded)?;
        }
        if let Some(rules) = &mut self.rules {
            rules.git.leave();
        }
        Ok(())
    }

    fn entry(
        &mut self,
        relative: String,
        path: &Path,
        metadata: &Metadata,
        excluded: Option<&WhyLeftOut>,
    ) -> Result<(), ProjectError> {
        let is_folder = metadata.is_dir();
        if let Some(why) = self.nature(path, metadata) {
            self.leave_out(relative, is_folder, why);
            return Ok(());
        }
        let excluded = self.rule(&relative, path, is_folder, excluded);
        match (excluded, is_folder) {
            (None, true) => {
                self.parents()?;
                self.push(relative.clone(), Pending::Directory)?;
                self.directory(&relative, None)
            }
            (None, false) => {
                self.parents()?;
                self.leaf(relative, path, metadata)
            }
            (Some(why), true) if self.may_hold_more(&relative, &why) => {
                let before = self.outside.len();
                self.around.push((relative.clone(), false));
                self.directory(&relative, Some(&why))?;
                if let Some((folder, false)) = self.around.pop() {
                    self.outside.truncate(before);
                    self.leave_out(folder, true, why);
                }
                Ok(())
            }
            (Some(why), _) => {
                self.leave_out(relative, is_folder, why);
                Ok(())
            }
        }
    }

    /// Why something is not part of the project because of what it is.
    fn nature(&self, path: &Path, metadata: &Metadata) -> Option<WhyLeftOut> {
        if let Some(rules) = &self.rules {
            if rules.config.as_deref() == Some(path) {
                return Some(WhyLeftOut::Configuration);
            }
            if rules.outputs.contains(path) {
                return Some(WhyLeftOut::Output);
            }
        }
        kinds::nature(path, metadata)
    }

    /// Why a rule of the user excludes it; `excluded` is why its folder is.
    fn rule(
        &self,
        relative: &str,
        path: &Path,
        is_folder: bool,
        excluded: Option<&WhyLeftOut>,
    ) -> Option<WhyLeftOut> {
        let rules = self.rules.as_ref()?;
        if rules.docker.matches(relative) {
            return Some(WhyLeftOut::Docker);
        }
        let by_git = match excluded {
            // A `!` in .dockerignore took it back in.
            None | Some(WhyLeftOut::Docker) => rules.git.ignores(path, is_folder),
            Some(why) => Some(why.clone()),
        };
        by_git.filter(|_| !rules.git.tracks(relative, is_folder) || is_folder)
    }

    /// Whether something in an excluded folder may be part of the project.
    fn may_hold_more(&self, folder: &str, why: &WhyLeftOut) -> bool {
        self.rules.as_ref().is_some_and(|rules| match why {
            WhyLeftOut::Docker => rules.docker.has_exceptions(),
            _ => rules.git.tracks(folder, true),
        })
    }

    /// Adds what is not a folder.
    fn leaf(
        &mut self,
        relative: String,
        path: &Path,
        metadata: &Metadata,
    ) -> Result<(), ProjectError> {
        if metadata.is_symlink() {
            match self.link(&relative, path) {
                Ok(target) => self.push(relative, Pending::Link { target })?,
                Err(why) => self.leave_out(relative, false, why),
            }
        } else if metadata.is_file() {
            use std::os::unix::fs::PermissionsExt as _;
            let executable = metadata.permissions().mode() & 0o111 != 0;
            self.push(relative, Pending::File { executable, size: metadata.len() })?;
        } else {
            self.leave_out(relative, false, WhyLeftOut::Special);
        }
        Ok(())
    }

    /// Where a link leads, as seen from its folder.
    fn link(&self, relative: &str, path: &Path) -> Result<PathBuf, WhyLeftOut> {
        let target = fs::read_link(path).unwrap_or_default();
        let told = || target.to_string_lossy().into_owned();
        let real =
            fs::canonicalize(path).map_err(|_| WhyLeftOut::LinkDangles { target: told() })?;
        let Ok(inside) = real.strip_prefix(self.root) else {
            return Err(WhyLeftOut::LinkLeaves { target: told() });
        };
        if target.is_relative() {
            return Ok(target);
        }
        // In a copy, an absolute target would lead to the original, which a test could then change.
        let up = "../".repeat(relative.matches('/').count());
        Ok(Path::new(if up.is_empty() { "./" } else { &up }).join(inside))
    }

    /// Adds the excluded folders around something that is included.
    fn parents(&mut self) -> Result<(), ProjectError> {
        for index in 0..self.around.len() {
            let (folder, is_found) = &mut self.around[index];
            if !std::mem::replace(is_found, true) {
                let folder = folder.clone();
                self.push(folder, Pending::Directory)?;
            }
        }
        Ok(())
    }

    fn leave_out(&mut self, path: String, is_folder: bool, why: WhyLeftOut) {
        self.outside.push(Outside::new(path, is_folder, why));
    }

    fn push(&mut self, path: String, entry: Pending) -> Result<(), ProjectError> {
        if let Pending::File { size, .. } = entry {
            self.bytes += size;
        }
        self.found.push((path, entry));
        // More need not be counted to say that it is too much.
        if self.found.len() > MOST_ENTRIES { Err(self.too_large()) } else { Ok(()) }
    }

    fn too_large(&self) -> ProjectError {
        ProjectError::TooLarge {
            root: self.root.to_owned(),
            entries: self.found.len(),
            mebibytes: self.bytes >> 20,
            largest: largest(&self.found),
        }
    }

    /// Reads the files that were found.
    fn finish(mut self) -> Result<Found, ProjectError> {
        if self.bytes > MOST_BYTES {
            return Err(self.too_large());
        }
        self.found.sort_by(|one, other| one.0.cmp(&other.0));
        self.found.dedup_by(|one, other| one.0 == other.0);
        let root = self.root;
        let read: Vec<Result<Entry, Outside>> = self
            .found
            .into_par_iter()
            .map(|(path, pending)| {
                let kind = match pending {
                    Pending::Directory => Kind::Directory,
                    Pending::Link { target } => Kind::Link { target },
                    Pending::File { executable, size } => {
                        match digest::of_file(&root.join(&path)) {
                            Ok(content) => Kind::File { executable, size, content },
                            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                                return Ok(Err(Outside::new(path, false, WhyLeftOut::Unreadable)));
                            }
                            Err(source) => {
                                return Err(ProjectError::Read { path: root.join(path), source });
                            }
                        }
                    }
                };
                Ok(Ok(Entry { path, kind }))
            })
            .collect::<Result<_, ProjectError>>()?;
        let mut entries = Vec::new();
        for one in read {
            match one {
                Ok(entry) => entries.push(entry),
                Err(outside) => self.outside.push(outside),
            }
        }
        self.outside.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Found { entries, outside: self.outside })
    }
}

/// The largest things at the top, by size, or by number where all are small.
fn largest(found: &[(String, Pending)]) -> String {
    let mut sizes = std::collections::BTreeMap::<&str, (u64, u64)>::new();
    for (path, pending) in found {
        let top = path.split('/').next().unwrap_or_default();
        let (bytes, count) = sizes.entry(top).or_default();
        *count += 1;
        if let Pending::File { size, .. } = pending {
            *bytes += size;
        }
    }
    let mut sizes: Vec<_> = sizes.into_iter().collect();
    sizes.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    let named = sizes
        .iter()
        .take(3)
        .map(|(name, (bytes, count))| format!("`{name}` ({} MiB, {count} files)", bytes >> 20));
    named.collect::<Vec<_>>().join(", ")
}
