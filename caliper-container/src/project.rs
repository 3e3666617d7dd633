//! The files of the user's project: which of them a cell gets, and their digest.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use caliper_core::names::{Sha256, Sha256Stream};
use caliper_core::question::plan::Test;
use globset::{Glob, GlobBuilder};

mod ignore;

pub use ignore::{Ignore, IgnoreError};

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

/// Never part of a project: Caliper's results, the data of version control, and Python's bytecode. They
/// change although no file of the user changes.
const NEVER: &[&str] = &[".caliper", ".git", ".hg", ".svn", "__pycache__"];

/// A project is copied for every test. A larger one is probably a mistake, such as a data set or an
/// environment in its folder.
const MOST_BYTES: u64 = 1 << 30;
const MOST_ENTRIES: usize = 50_000;

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
        let ignore = Ignore::read(&root)?;
        let mut walk = Walk { root: &root, config, ignore, entries: Vec::new(), bytes: 0 };
        walk.directory("")?;
        let Walk { mut entries, bytes, .. } = walk;
        entries.sort_by(|one, other| one.path.cmp(&other.path));
        let digest = digest(&entries);
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

    /// Whether it is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
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

    /// Adds the project to an archive, below `prefix` and without the files named in `except`.
    ///
    /// Owners and times are omitted, so that equal projects give equal bytes.
    pub(crate) fn append_to(
        &self,
        archive: &mut tar::Builder<impl io::Write>,
        prefix: &str,
        except: &[&str],
    ) -> io::Result<()> {
        let prefix = Path::new(prefix);
        let header = |kind, mode, size| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_mode(mode);
            header.set_size(size);
            header.set_mtime(0);
            header
        };
        if !prefix.as_os_str().is_empty() {
            // An empty project is still a folder that can be copied.
            let mut header = header(tar::EntryType::Directory, 0o755, 0);
            archive.append_data(&mut header, prefix, io::empty())?;
        }
        for entry in self.entries.iter().filter(|entry| !except.contains(&entry.path.as_str())) {
            let path = prefix.join(&entry.path);
            match &entry.kind {
                Kind::Directory => {
                    let mut header = header(tar::EntryType::Directory, 0o755, 0);
                    archive.append_data(&mut header, path, io::empty())?;
                }
                Kind::File { executable, .. } => {
                    let file = fs::File::open(self.root.join(&entry.path))?;
                    let size = file.metadata()?.len();
                    let mode = if *executable { 0o755 } else { 0o644 };
                    let mut header = header(tar::EntryType::Regular, mode, size);
                    archive.append_data(&mut header, path, file.take(size))?;
                }
                Kind::Link { target } => {
                    let mut header = header(tar::EntryType::Symlink, 0o777, 0);
                    archive.append_link(&mut header, path, target)?;
                }
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

struct Walk<'a> {
    root: &'a Path,
    config: Option<PathBuf>,
    ignore: Ignore,
    entries: Vec<Entry>,
    bytes: u64,
}

impl Walk<'_> {
    fn directory(&mut self, relative: &str) -> Result<(), ProjectError> {
        let path = self.root.join(relative);
        let failed = |source| ProjectError::Read { path: path.clone(), source };
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else {
                return Err(ProjectError::NotUnicode { path: entry.path() });
            };
            if NEVER.contains(&name.as_str()) {
                continue;
            }
            let child = if relative.is_empty() { name } else { format!("{relative}/{name}") };
            self.entry(child, &entry.path())?;
        }
        Ok(())
    }

    fn entry(&mut self, relative: String, path: &Path) -> Result<(), ProjectError> {
        let failed = |source| ProjectError::Read { path: path.to_owned(), source };
        let metadata = fs::symlink_metadata(path).map_err(failed)?;
        let ignored = self.ignore.matches(&relative);
        if metadata.is_dir() {
            // A `!` line may include files below an ignored folder again.
            if ignored && !self.ignore.has_exceptions() {
                return Ok(());
            }
            if !ignored {
                self.push(relative.clone(), Kind::Directory)?;
            }
            return self.directory(&relative);
        }
        if ignored || self.config.as_deref() == Some(path) {
            return Ok(());
        }
        self.parents(&relative)?;
        if metadata.is_symlink() {
            let target = fs::read_link(path).map_err(failed)?;
            let inside = fs::canonicalize(path).is_ok_and(|real| real.starts_with(self.root));
            // An absolute target points to the original, which a test could then change.
            if !inside || target.is_absolute() {
                return Err(ProjectError::LinkLeaves { path: path.to_owned(), target });
            }
            self.push(relative, Kind::Link { target })
        } else if metadata.is_file() {
            use std::os::unix::fs::PermissionsExt as _;
            let executable = metadata.permissions().mode() & 0o111 != 0;
            let size = metadata.len();
            self.check_size(size)?;
            let content = digest_file(path).map_err(failed)?;
            self.push(relative, Kind::File { executable, size, content })
        } else {
            // Sockets, pipes and devices cannot be copied and are not part of a project.
            Ok(())
        }
    }

    /// Adds the ignored parent folders of a file that was included again.
    fn parents(&mut self, relative: &str) -> Result<(), ProjectError> {
        for (index, _) in relative.match_indices('/') {
            let parent = &relative[..index];
            if self.ignore.matches(parent) && !self.entries.iter().any(|entry| entry.path == parent)
            {
                self.push(parent.to_owned(), Kind::Directory)?;
            }
        }
        Ok(())
    }

    fn push(&mut self, path: String, kind: Kind) -> Result<(), ProjectError> {
        let entry = Entry { path, kind };
        self.bytes += entry.bytes();
        self.entries.push(entry);
        self.check_size(0)
    }

    /// Whether `more` bytes would exceed the limit; checked before they are read.
    fn check_size(&self, more: u64) -> Result<(), ProjectError> {
        let bytes = self.bytes + more;
        if self.entries.len() > MOST_ENTRIES || bytes > MOST_BYTES {
            return Err(ProjectError::TooLarge {
                root: self.root.to_owned(),
                entries: self.entries.len(),
                mebibytes: bytes >> 20,
            });
        }
        Ok(())
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

fn digest_file(path: &Path) -> io::Result<Sha256> {
    let mut file = fs::File::open(path)?;
    let mut stream = Sha256Stream::default();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(stream.finish()),
            read => stream.update(&buffer[..read]),
        }
    }
}

/// Why a project cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectError {
    /// A file or folder cannot be read.
    #[error("could not read `{}`", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
    /// A test names files that do not exist.
    #[error("`files` of the test `{test}`: `{pattern}`: {problem}")]
    Files {
        /// The test.
        test: String,
        /// The glob.
        pattern: String,
        /// The problem.
        problem: String,
    },
    /// A name is not Unicode.
    #[error("the name of `{}` is not Unicode; rename it or list it in .dockerignore", path.display())]
    NotUnicode {
        /// Which.
        path: PathBuf,
    },
    /// A link points out of the project, or to an absolute path.
    #[error(
        "the link `{}` leads to `{}`, out of the project; copy what it leads to, or list the link \
         in .dockerignore",
        path.display(),
        target.display()
    )]
    LinkLeaves {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// There is too much to copy for every test.
    #[error(
        "the project `{}` has more than {entries} files or {mebibytes} MiB, and every test gets a \
         copy of it; list what tests don't need in .dockerignore",
        root.display()
    )]
    TooLarge {
        /// The folder.
        root: PathBuf,
        /// How many files and folders were seen.
        entries: usize,
        /// How large they are.
        mebibytes: u64,
    },
    /// `.dockerignore` is not valid.
    #[error(transparent)]
    Ignore(#[from] IgnoreError),
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
        write(root, ".dockerignore", "data\n!data/keep/small\n");
        let project = Project::read(root, Some(&root.join("caliper.yaml"))).unwrap();
        assert_eq!(
            paths(&project),
            [".dockerignore", "a.py", "data", "data/keep", "data/keep/small"]
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
