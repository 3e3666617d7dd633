//! Which files of a project a test sees, and which a Dockerfile copies.

use std::collections::BTreeMap;
use std::sync::Arc;

#[cfg(any(feature = "docker", test))]
use caliper_core::question::left_out::WhyLeftOut;
use caliper_core::question::overlay::PackageOverlay;
use caliper_core::question::plan::Test;
use globset::{Glob, GlobMatcher};

use super::outside::Outside;
use super::{Entry, Project, ProjectError, glob, walk};

/// A glob, and what of it is plain.
struct Pattern {
    matcher: GlobMatcher,
    /// The components before the first with a wildcard.
    plain: String,
    has_wildcard: bool,
}

impl Pattern {
    fn new(glob: &Glob) -> Self {
        let is_wild = |part: &&str| part.contains(['*', '?', '[', '{', '\\']);
        let parts: Vec<&str> = glob.glob().split('/').collect();
        let plain = parts.iter().position(is_wild).unwrap_or(parts.len());
        Self {
            matcher: glob.compile_matcher(),
            plain: parts[..plain].join("/"),
            has_wildcard: plain < parts.len(),
        }
    }

    /// Whether it matches a path or a folder above it.
    fn matches(&self, path: &str) -> bool {
        let above = path.match_indices('/').map(|(index, _)| &path[..index]);
        above.chain([path]).any(|part| self.matcher.is_match(part))
    }

    /// Whether it names something that is left out, or something in it: in plain words, or by a wildcard if a
    /// rule leaves it out. A wildcard at the very beginning names files only, or `**/*.csv` would reach into
    /// every ignored folder.
    fn names(&self, outside: &Outside) -> bool {
        if !self.plain.is_empty() && outside.holds(&self.plain) {
            return true;
        }
        let in_plain = outside.path.strip_prefix(&self.plain);
        let is_within = self.plain.is_empty() || in_plain.is_some_and(|rest| rest.starts_with('/'));
        let is_reached = self.matches(&outside.path)
            || (self.has_wildcard && outside.is_folder && !self.plain.is_empty());
        outside.why.is_rule()
            && is_within
            && is_reached
            && !(outside.is_folder && self.plain.is_empty())
    }
}

impl Project {
    /// The part of the project that a test sees, see [`Test::files`].
    ///
    /// # Errors
    ///
    /// [`ProjectError`] if one of its globs is not valid, or matches nothing; and if its command names
    /// something that it would not find because that is left out.
    pub fn for_test(&self, test: &Test) -> Result<Self, ProjectError> {
        let Some(patterns) = &test.files else {
            self.check_command(test)?;
            return Ok(self.clone());
        };
        let mut picked = BTreeMap::new();
        for text in patterns {
            if text == "." {
                picked.extend(self.entries.iter().map(|entry| (entry.path.clone(), entry.clone())));
                continue;
            }
            let problem = |problem: String| ProjectError::Files {
                test: test.name.clone(),
                pattern: text.clone(),
                problem,
            };
            let plain = text.trim_start_matches("./").trim_end_matches('/');
            let glob = glob(plain).map_err(|error| problem(error.kind().to_string()))?;
            let pattern = Pattern::new(&glob);
            let before = picked.len();
            self.pick(&pattern, &mut picked);
            let mut refused = None;
            for outside in self.outside.iter().filter(|outside| pattern.names(outside)) {
                if outside.why.can_be_named() {
                    self.pick_outside(&pattern, outside, &mut picked)?;
                } else {
                    refused = Some(outside);
                }
            }
            let finds_nothing =
                picked.len() == before && !picked.keys().any(|path| pattern.matches(path));
            match refused {
                Some(outside) if finds_nothing => {
                    return Err(problem(format!(
                        "`{}` cannot be part of the project: {}",
                        outside.path, outside.why
                    )));
                }
                None if finds_nothing => {
                    return Err(problem("the project has no such file".to_owned()));
                }
                _ => {}
            }
        }
        Ok(self.picked(picked))
    }

    /// The project with all files of these overlays, also where a rule leaves them out.
    ///
    /// # Errors
    ///
    /// [`ProjectError`] if one cannot be read.
    pub fn with_overlays(&self, overlays: &[PackageOverlay]) -> Result<Self, ProjectError> {
        let mut picked: BTreeMap<String, Entry> =
            self.entries.iter().map(|entry| (entry.path.clone(), entry.clone())).collect();
        for overlay in overlays {
            for path in overlay.files.iter().map(|file| overlay.in_project(file)) {
                let Ok(glob) = glob(&globset::escape(&path)) else { continue };
                let pattern = Pattern::new(&glob);
                let holds = |outside: &&Outside| outside.holds(&path) && outside.why.can_be_named();
                for outside in self.outside.iter().filter(holds) {
                    self.pick_outside(&pattern, outside, &mut picked)?;
                }
            }
        }
        Ok(self.picked(picked))
    }

    /// The part whose paths match, as a build finds it: what only Git ignores is there too.
    #[cfg(any(feature = "docker", test))]
    pub(crate) fn matching(&self, globs: &[Glob]) -> Self {
        // Called for every cell with the name of the file to install, which is usually not part of the
        // project. So plain names are looked up first, and all paths are scanned only if one exists.
        let mut picked = BTreeMap::new();
        for pattern in globs.iter().map(Pattern::new) {
            if pattern.has_wildcard || self.has(&pattern.plain) {
                self.pick(&pattern, &mut picked);
            }
            for outside in self.outside.iter().filter(|outside| pattern.names(outside)) {
                if outside.why.can_be_named() && outside.why != WhyLeftOut::Docker {
                    // The build will say that it is missing.
                    let _ = self.pick_outside(&pattern, outside, &mut picked);
                }
            }
        }
        self.picked(picked)
    }

    /// What something that is left out holds, as if it were part of the project.
    fn entries_of(&self, outside: &Outside) -> Result<Arc<[Entry]>, ProjectError> {
        if let Some(entries) = outside.entries.get() {
            return Ok(Arc::clone(entries));
        }
        let entries: Arc<[Entry]> = walk::below(&self.root, outside)?.into();
        Ok(Arc::clone(outside.entries.get_or_init(|| entries)))
    }

    fn pick(&self, pattern: &Pattern, picked: &mut BTreeMap<String, Entry>) {
        let found = self.entries.iter().filter(|entry| pattern.matches(&entry.path));
        picked.extend(found.map(|entry| (entry.path.clone(), entry.clone())));
    }

    fn pick_outside(
        &self,
        pattern: &Pattern,
        outside: &Outside,
        picked: &mut BTreeMap<String, Entry>,
    ) -> Result<(), ProjectError> {
        let entries = self.entries_of(outside)?;
        for entry in entries.iter().filter(|entry| pattern.matches(&entry.path)) {
            picked.insert(entry.path.clone(), entry.clone());
            add_above(&entry.path, &entries, picked);
        }
        Ok(())
    }

    /// What was picked, with the folders above.
    fn picked(&self, mut picked: BTreeMap<String, Entry>) -> Self {
        let paths: Vec<String> = picked.keys().cloned().collect();
        for path in paths {
            add_above(&path, &self.entries, &mut picked);
        }
        self.only(picked.into_values().collect())
    }
}

/// Adds the folders above a path that `entries` has; these are sorted.
fn add_above(path: &str, entries: &[Entry], picked: &mut BTreeMap<String, Entry>) {
    for (index, _) in path.match_indices('/') {
        let above = &path[..index];
        if !picked.contains_key(above)
            && let Ok(found) = entries.binary_search_by(|entry| entry.path.as_str().cmp(above))
        {
            picked.insert(above.to_owned(), entries[found].clone());
        }
    }
}
