//! The files of the user's project: which of them a cell gets, and their digest.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use caliper_core::names::{Sha256, Sha256Stream};
use caliper_core::question::plan::Test;
use globset::{Glob, GlobBuilder};

#[cfg(feature = "docker")]
mod archive;
mod error;
mod ignore;
mod walk;

pub use error::ProjectError;
use ignore::Ignore;
pub use ignore::IgnoreError;

/// The files of the user's project, as every test sees them.
///
/// Excluded are `.caliper`, version control, `__pycache__`, the configuration itself (its values are part of
/// a cell's key), and the files that `.dockerignore` excludes.
#[derive(Debug, Clone)]
pub struct Project {
    root: PathBuf,
    /// Sorted by path. Shared, because every run of a test holds the project.
    entries: Arc<[Entry]>,
    digest: Sha256,
    bytes: u64,
}

#[derive(Debug, Clone)]
struct Entry {
    /// Relative to the root; `/` between the components.
    path: String,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Directory,
    File { executable: bool, size: u64, content: Sha256 },
    Link { target: PathBuf },
}

impl Project {
    /// Reads the folder `root`, without the file `config` in it.
    ///
    /// # Errors
    ///
    /// [`ProjectError`] if a file cannot be read, a link leaves the folder, `.dockerignore` is not
    /// valid, or the folder is too large to be copied for every test.
    pub fn read(root: &Path, config: Option<&Path>) -> Result<Self, ProjectError> {
        let root = fs::canonicalize(root)
            .map_err(|source| ProjectError::Read { path: root.to_owned(), source })?;
        let config = config.and_then(|config| fs::canonicalize(config).ok());
        let entries = walk::entries(&root, config)?;
        let (bytes, digest) = (entries.iter().map(Entry::bytes).sum(), digest(&entries));
        Ok(Self { root, entries: entries.into(), digest, bytes })
    }

    /// The files and folders whose path is `wanted`, with everything below them, and their parent folders.
    /// Paths are relative to the root.
    fn part(&self, wanted: impl Fn(&str) -> bool) -> Self {
        let picked = |path: &str| {
            let above = path.match_indices('/').map(|(index, _)| &path[..index]);
            above.chain([path]).any(&wanted)
        };
        let mut paths = BTreeSet::new();
        for entry in self.entries.iter().filter(|entry| picked(&entry.path)) {
            paths.extend(entry.path.match_indices('/').map(|(index, _)| &entry.path[..index]));
            paths.insert(&entry.path);
        }
        let entries = self.entries.iter().filter(|entry| paths.contains(entry.path.as_str()));
        self.only(entries.cloned().collect())
    }

    fn only(&self, entries: Vec<Entry>) -> Self {
        let bytes = entries.iter().map(Entry::bytes).sum();
        let digest = digest(&entries);
        Self { root: self.root.clone(), entries: entries.into(), digest, bytes }
    }

    /// The part whose paths match.
    pub(crate) fn matching(&self, globs: &[Glob]) -> Self {
        // Called for every cell with the name of the file to install, which is usually not part of the
        // project. So plain names are looked up first, and all paths are scanned only if one exists.
        let is_name = |glob: &str| !glob.contains(['*', '?', '[', '{', '\\']);
        let globs = globs.iter().filter(|glob| !is_name(glob.glob()) || self.has(glob.glob()));
        let globs: Vec<_> = globs.map(Glob::compile_matcher).collect();
        if globs.is_empty() {
            return self.only(Vec::new());
        }
        self.part(|path| globs.iter().any(|glob| glob.is_match(path)))
    }

    fn has(&self, path: &str) -> bool {
        self.entries.binary_search_by(|entry| entry.path.as_str().cmp(path)).is_ok()
    }

    /// The part of the project that a test sees, see [`Test::files`].
    ///
    /// # Errors
    ///
    /// [`ProjectError`] if one of its globs is not valid, or matches nothing.
    pub fn for_test(&self, test: &Test) -> Result<Self, ProjectError> {
        let Some(patterns) = &test.files else { return Ok(self.clone()) };
        let mut globs = Vec::new();
        for pattern in patterns {
            let problem = |problem: String| ProjectError::Files {
                test: test.name.clone(),
                pattern: pattern.clone(),
                problem,
            };
            let glob = glob(pattern).map_err(|error| problem(error.kind().to_string()))?;
            let matcher = glob.compile_matcher();
            if !self.entries.iter().any(|entry| matcher.is_match(&entry.path)) {
                return Err(problem("the project has no such file".to_owned()));
            }
            globs.push(glob);
        }
        Ok(self.matching(&globs))
    }

    /// The digest over the names, kinds and contents of all files.
    pub fn digest(&self) -> &Sha256 {
        &self.digest
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The total size in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Copies the project to `target`, which must not exist.
    ///
    /// # Errors
    ///
    /// The error of the file system.
    pub fn copy_to(&self, target: &Path) -> io::Result<()> {
        fs::create_dir_all(target)?;
        for entry in self.entries.iter() {
            let to = target.join(&entry.path);
            match &entry.kind {
                Kind::Directory => fs::create_dir(&to)?,
                // Copies the permissions too.
                Kind::File { .. } => fs::copy(self.root.join(&entry.path), &to).map(drop)?,
                Kind::Link { target } => std::os::unix::fs::symlink(target, &to)?,
            }
        }
        Ok(())
    }
}

/// A path pattern in which `*` does not match `/` and `**` does.
pub(crate) fn glob(pattern: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(pattern).literal_separator(true).build()
}

impl Entry {
    fn bytes(&self) -> u64 {
        match self.kind {
            Kind::File { size, .. } => size,
            Kind::Directory | Kind::Link { .. } => 0,
        }
    }
}

fn digest(entries: &[Entry]) -> Sha256 {
    let mut all = Sha256Stream::default();
    for entry in entries {
        all.field(entry.path.as_bytes());
        match &entry.kind {
            Kind::Directory => all.field(b"directory"),
            Kind::Link { target } => {
                all.field(b"link");
                all.field(target.as_os_str().as_encoded_bytes());
            }
            Kind::File { executable, content, .. } => {
                all.field(if *executable { b"program" } else { b"file" });
                all.field(content.hex().as_bytes());
            }
        }
    }
    all.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn paths(project: &Project) -> Vec<&str> {
        project.entries.iter().map(|entry| entry.path.as_str()).collect()
    }

    #[test]
    fn a_project_is_what_is_not_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for path in ["a.py", "caliper.yaml", ".caliper/x", ".git/x", "data/big", "data/keep/small"]
        {
            write(root, path, path);
        }
        write(root, "data/keep/too", "");
        write(root, ".dockerignore", "data\n!data/keep/*\n");
        let project = Project::read(root, Some(&root.join("caliper.yaml"))).unwrap();
        assert_eq!(
            paths(&project),
            [".dockerignore", "a.py", "data", "data/keep", "data/keep/small", "data/keep/too"]
        );

        let target = root.join(".caliper/copy");
        project.copy_to(&target).unwrap();
        assert!(target.join("data/keep/small").exists() && !target.join("data/big").exists());
    }

    #[test]
    fn a_part_has_what_lies_below_and_above() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["a.py", "data/big/x", "data/small/y", "data2/z"] {
            write(folder.path(), path, path);
        }
        let project = Project::read(folder.path(), None).unwrap();
        let part = project.part(|path| path == "data/small" || path == "nowhere");
        assert_eq!(paths(&part), ["data", "data/small", "data/small/y"]);
        assert_eq!(part.bytes(), "data/small/y".len() as u64);
        assert!(paths(&project.part(|_| false)).is_empty());
        write(folder.path(), "a.py", "changed");
        let changed = Project::read(folder.path(), None).unwrap();
        assert_ne!(changed.digest(), project.digest());
        assert_eq!(changed.part(|path| path == "data/small").digest(), part.digest());
        assert_eq!(project.part(|_| true).digest(), project.digest());
    }

    #[test]
    fn the_digest_follows_names_contents_and_modes() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        write(root, "a.py", "1");
        let read = || *Project::read(root, None).unwrap().digest();
        let first = read();
        assert_eq!(read(), first);
        write(root, ".caliper/results.json", "{}");
        assert_eq!(read(), first);
        write(root, "a.py", "2");
        let second = read();
        assert_ne!(second, first);
        fs::rename(root.join("a.py"), root.join("b.py")).unwrap();
        assert_ne!(read(), second);
    }

    #[test]
    fn a_link_out_of_the_project_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("x")).unwrap();
        let error = Project::read(folder.path(), None).unwrap_err();
        assert!(matches!(error, ProjectError::LinkLeaves { .. }), "{error}");
    }
}
