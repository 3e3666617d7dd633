//! What Git ignores in the folder of a project.
//!
//! Rules are asked from the top down, folder by folder, as Git does: what lies in an ignored folder cannot be
//! taken back in by a later rule. A file that Git tracks is not ignored, whatever the rules say
//! (<https://git-scm.com/docs/gitignore>). The user's own list for all repositories (`core.excludesFile`) is not
//! read: two people with one repository have one project.

mod index;

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use caliper_core::names::{Sha256, Sha256Stream};
use caliper_core::question::left_out::WhyLeftOut;
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// The rules that hold in one folder.
pub(super) struct GitRules {
    root: PathBuf,
    /// The repository that the project is in, and its data.
    repository: Option<Repository>,
    /// The outermost first; the innermost that says anything decides.
    levels: Vec<Gitignore>,
    tracked: OnceCell<BTreeSet<String>>,
}

struct Repository {
    top: PathBuf,
    /// With the index.
    data: PathBuf,
    /// With `info/exclude`: the same, except in a linked work tree.
    common: PathBuf,
}

impl GitRules {
    /// The rules that hold in the folder `root` because of what is above it.
    pub(super) fn above(root: &Path) -> Self {
        let repository = Repository::around(root);
        let mut rules = Self {
            root: root.to_owned(),
            repository,
            levels: Vec::new(),
            tracked: OnceCell::new(),
        };
        let Some(Repository { top, common, .. }) = &rules.repository else { return rules };
        let mut exclude = GitignoreBuilder::new(top);
        // A pattern that is none is ignored by Git too.
        let _ = exclude.add(common.join("info/exclude"));
        let mut levels: Vec<Gitignore> = exclude.build().into_iter().collect();
        let mut outer: Vec<&Path> = root.ancestors().skip(1).collect();
        outer.retain(|folder| folder.starts_with(top));
        levels.extend(outer.iter().rev().map(|folder| Gitignore::new(folder.join(".gitignore")).0));
        // In a folder that its repository ignores, such as a scratch folder, the rules of the repository would
        // leave nothing of the project.
        let anything = root.join("anything");
        let mut within: Vec<&Path> = root.ancestors().collect();
        within.retain(|folder| folder.starts_with(top) && folder != top);
        let is_ignored = within.iter().any(|folder| pattern(&levels, folder, true).is_some())
            || pattern(&levels, &anything, false).is_some();
        if !is_ignored {
            rules.levels = levels;
        }
        rules
    }

    /// Adds the rules of a folder, which hold until it is left.
    pub(super) fn enter(&mut self, folder: &Path) {
        self.levels.push(Gitignore::new(folder.join(".gitignore")).0);
    }

    pub(super) fn leave(&mut self) {
        self.levels.pop();
    }

    /// Why Git ignores a path in the folder that was entered last.
    pub(super) fn ignores(&self, path: &Path, is_folder: bool) -> Option<WhyLeftOut> {
        let (pattern, file) = pattern(&self.levels, path, is_folder)?;
        let file = file.strip_prefix(&self.root).unwrap_or(&file);
        Some(WhyLeftOut::Git { pattern, file: file.to_string_lossy().into_owned() })
    }

    /// Whether Git tracks this file, or something in this folder.
    pub(super) fn tracks(&self, relative: &str, is_folder: bool) -> bool {
        let tracked = self.tracked.get_or_init(|| match &self.repository {
            Some(repository) => repository.tracked(&self.root).unwrap_or_default(),
            None => BTreeSet::new(),
        });
        if is_folder {
            let below = format!("{relative}/");
            tracked.range(below.clone()..).next().is_some_and(|path| path.starts_with(&below))
        } else {
            tracked.contains(relative)
        }
    }
}

/// Shows the history of the project in `root` to a copy of it, if that is the top of a repository.
///
/// The copy gets the data of a linked work tree (<https://git-scm.com/docs/gitrepository-layout>): what it points at, and
/// an index of its own. What the copy does not have (`has`), although it is there and tracked, counts as unchanged: a
/// version is not that of a changed project because a configuration of Caliper is no part of the project.
pub(super) fn show_history(root: &Path, copy: &Path, has: &dyn Fn(&str) -> bool) -> io::Result<()> {
    let Some(repository) = Repository::around(root).filter(|repository| repository.top == root)
    else {
        return Ok(());
    };
    let own = copy.join(".git");
    fs::create_dir(&own)?;
    for entry in fs::read_dir(&repository.data)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_of_tree = name == "HEAD"
            || name == "index"
            || name.as_encoded_bytes().starts_with(b"sharedindex.");
        if is_of_tree {
            fs::copy(entry.path(), own.join(&name))?;
        }
    }
    let common = fs::canonicalize(&repository.common)?;
    fs::write(own.join("commondir"), [common.as_os_str().as_encoded_bytes(), b"\n"].concat())?;
    let left_out = repository.tracked(root).unwrap_or_default().into_iter().filter(|path| {
        !has(path) && fs::symlink_metadata(root.join(path)).is_ok_and(|found| !found.is_dir())
    });
    let left_out: Vec<u8> = left_out.flat_map(|path| [path.as_bytes(), b"\0"].concat()).collect();
    // Where there is no Git, nobody asks it for a version.
    for (arguments, input) in [
        (&["update-index", "--skip-worktree", "-z", "--stdin"][..], left_out.as_slice()),
        // The files are the same, but not their times, by which Git knows them.
        (&["update-index", "-q", "--refresh"][..], &[]),
    ] {
        let mut git = Command::new("git");
        git.args(["-c", "safe.directory=*"]).args(arguments).current_dir(copy);
        // As they are in a hook.
        for name in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"] {
            git.env_remove(name);
        }
        git.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(mut child) = git.spawn() else { return Ok(()) };
        if let Some(mut stdin) = child.stdin.take() {
            let _ = stdin.write_all(input);
        }
        child.wait()?;
    }
    Ok(())
}

/// A digest over the commit that is checked out, the names of commits, and the paths that are tracked.
pub(super) fn history(root: &Path) -> Option<Sha256> {
    let repository = Repository::around(root).filter(|repository| repository.top == root)?;
    let mut digest = Sha256Stream::default();
    let mut files = vec![repository.data.join("HEAD"), repository.common.join("packed-refs")];
    let mut folders = vec![repository.common.join("refs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder { &mut folders } else { &mut files }.push(entry.path());
        }
    }
    files.sort();
    for file in files {
        let Ok(content) = fs::read(&file) else { continue };
        let path = file.strip_prefix(&repository.common).unwrap_or(&file);
        digest.field(path.as_os_str().as_encoded_bytes());
        digest.field(&content);
    }
    for path in repository.tracked(root).unwrap_or_default() {
        digest.field(path.as_bytes());
    }
    Some(digest.finish())
}

/// The pattern that ignores a path, and where it stands.
fn pattern(levels: &[Gitignore], path: &Path, is_folder: bool) -> Option<(String, PathBuf)> {
    levels.iter().rev().find_map(|level| match level.matched(path, is_folder) {
        Match::None => None,
        Match::Whitelist(_) => Some(None),
        Match::Ignore(glob) => {
            let file = glob.from().map(Path::to_owned).unwrap_or_default();
            Some(Some((glob.original().to_owned(), file)))
        }
    })?
}

impl Repository {
    /// The repository that a folder is in.
    fn around(folder: &Path) -> Option<Self> {
        let top = folder.ancestors().find(|folder| folder.join(".git").exists())?;
        let mut data = top.join(".git");
        if data.is_file() {
            // https://git-scm.com/docs/gitrepository-layout: a linked work tree or a submodule.
            let text = fs::read_to_string(&data).ok()?;
            data = top.join(text.strip_prefix("gitdir: ")?.trim_end());
        }
        let common = fs::read_to_string(data.join("commondir"));
        let common = common.map_or_else(|_| data.clone(), |text| data.join(text.trim_end()));
        Some(Self { top: top.to_owned(), data, common })
    }

    /// The paths of the tracked files below `root`, relative to it.
    fn tracked(&self, root: &Path) -> Option<BTreeSet<String>> {
        let index = fs::read(self.data.join("index")).ok()?;
        let prefix = root.strip_prefix(&self.top).ok()?.to_str()?;
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let paths = index::paths(&index)?;
        Some(paths.iter().filter_map(|path| Some(path.strip_prefix(&prefix)?.to_owned())).collect())
    }
}
