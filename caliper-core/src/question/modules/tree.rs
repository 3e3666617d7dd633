//! The modules among the files of a distribution.

use std::collections::{BTreeMap, BTreeSet};

/// For namespaces deeper than this, their own name is used.
const DEEPEST: usize = 4;

/// The folders and modules of a distribution.
#[derive(Default)]
pub(super) struct Tree<'a> {
    root: Folder<'a>,
}

#[derive(Default)]
struct Folder<'a> {
    folders: BTreeMap<&'a str, Folder<'a>>,
    modules: BTreeSet<&'a str>,
    /// The path of its `__init__.py`.
    init: Option<&'a str>,
}

impl<'a> Tree<'a> {
    /// The tree of these paths, as a `RECORD` lists them.
    pub(super) fn of(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let mut tree = Self::default();
        for path in paths {
            if !path.starts_with(['/', '.']) && !path.contains("..") {
                tree.root.add(path, path);
            }
        }
        tree
    }

    /// The modules that are imported first: those at the top, and of namespaces those inside, sorted.
    /// `is_shared` says of a package, by its name and the path of its `__init__.py`, whether it is a
    /// namespace all the same.
    pub(super) fn modules(&self, is_shared: &dyn Fn(&str, &str) -> bool) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.root.modules("", is_shared, 0, &mut found);
        found
    }

    /// All modules, as far as they are not very deep.
    pub(super) fn all(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.root.all("", 0, &mut found);
        found
    }
}

impl<'a> Folder<'a> {
    fn add(&mut self, path: &'a str, whole: &'a str) {
        match path.split_once('/') {
            Some((folder, rest)) if is_identifier(folder) => {
                self.folders.entry(folder).or_default().add(rest, whole);
            }
            Some(_) => {}
            None => match module_name(path) {
                Some("__init__") => self.init = Some(whole),
                Some(module) => {
                    self.modules.insert(module);
                }
                None => {}
            },
        }
    }

    fn modules(
        &self,
        prefix: &str,
        is_shared: &dyn Fn(&str, &str) -> bool,
        depth: usize,
        found: &mut BTreeSet<String>,
    ) {
        found.extend(self.modules.iter().map(|module| format!("{prefix}{module}")));
        for (name, folder) in &self.folders {
            let module = format!("{prefix}{name}");
            let before = found.len();
            let enters = depth < DEEPEST && folder.init.is_none_or(|init| is_shared(&module, init));
            if enters {
                folder.modules(&format!("{module}."), is_shared, depth + 1, found);
            }
            // A package that is declared to be a namespace and has nothing inside is itself all there is.
            if folder.init.is_some() && found.len() == before {
                found.insert(module);
            }
        }
    }

    fn all(&self, prefix: &str, depth: usize, found: &mut BTreeSet<String>) {
        found.extend(self.modules.iter().map(|module| format!("{prefix}{module}")));
        for (name, folder) in &self.folders {
            let module = format!("{prefix}{name}");
            if depth < DEEPEST {
                folder.all(&format!("{module}."), depth + 1, found);
            }
            if folder.init.is_some() {
                found.insert(module);
            }
        }
    }
}

/// The module name of a file, if it is a module: `a.py`, `a.cpython-311-x86_64-linux-gnu.so`, `a.so`.
fn module_name(file: &str) -> Option<&str> {
    let (stem, ending) = file.rsplit_once('.')?;
    let (name, tagged) = match stem.split_once('.') {
        Some((name, _)) => (name, true),
        None => (stem, false),
    };
    let is_module = match ending {
        "py" => !tagged,
        // `libz.so` is a library that a module loads.
        "so" => tagged || !name.starts_with("lib"),
        "pyd" => true,
        _ => false,
    };
    (is_module && is_identifier(name)).then_some(name)
}

fn is_identifier(name: &str) -> bool {
    name != "__pycache__"
        && name.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && name.chars().all(|character| character.is_alphanumeric() || character == '_')
}
