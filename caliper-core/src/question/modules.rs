//! The importable top-level modules of a distribution, whatever its project is called.

use std::collections::{BTreeMap, BTreeSet};

/// Modules that distributions often install besides their own, such as tests.
const BYSTANDERS: &[&str] =
    &["test", "tests", "testing", "doc", "docs", "example", "examples", "benchmarks", "scripts"];

/// The modules whose import shows that a distribution works, sorted.
///
/// `paths` are the installed files as a `RECORD` lists them
/// ([recording installed projects](https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file)),
/// with `/` between components. A folder without `__init__` is a shared namespace
/// ([PEP 420](https://peps.python.org/pep-0420/)). Importing it would prove nothing, so its contents are
/// listed instead: `google.protobuf`. Private modules and others such as `tests` are left out unless
/// there is nothing else. Empty if nothing can be imported.
pub fn importable<'a>(paths: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut root = Folder::default();
    for path in paths {
        if !path.starts_with(['/', '.']) && !path.contains("..") {
            root.add(path);
        }
    }
    let mut all = BTreeSet::new();
    root.modules("", 0, &mut all);
    let main = |name: &&String| {
        !name.split('.').any(|part| part.starts_with('_')) && !BYSTANDERS.contains(&name.as_str())
    };
    let chosen: Vec<String> = all.iter().filter(main).cloned().collect();
    if chosen.is_empty() { all.into_iter().collect() } else { chosen }
}

#[derive(Default)]
struct Folder<'a> {
    folders: BTreeMap<&'a str, Folder<'a>>,
    modules: BTreeSet<&'a str>,
}

impl<'a> Folder<'a> {
    fn add(&mut self, path: &'a str) {
        match path.split_once('/') {
            Some((folder, rest)) if is_identifier(folder) => {
                self.folders.entry(folder).or_default().add(rest);
            }
            Some(_) => {}
            None => {
                if let Some(module) = module_name(path) {
                    self.modules.insert(module);
                }
            }
        }
    }

    fn modules(&self, prefix: &str, depth: usize, found: &mut BTreeSet<String>) {
        // For namespaces deeper than this, their own name is used.
        const DEEPEST: usize = 3;
        for module in &self.modules {
            if *module != "__init__" {
                found.insert(format!("{prefix}{module}"));
            }
        }
        for (name, folder) in &self.folders {
            if folder.modules.contains("__init__") {
                found.insert(format!("{prefix}{name}"));
            } else if depth < DEEPEST {
                folder.modules(&format!("{prefix}{name}."), depth + 1, found);
            }
        }
    }
}

/// The module name of a file, if it is a module: `a.py`, `a.cpython-311-x86_64-linux-gnu.so`, `a.so`.
fn module_name(file: &str) -> Option<&str> {
    let stem = file
        .strip_suffix(".py")
        .or_else(|| file.strip_suffix(".so"))
        .or_else(|| file.strip_suffix(".pyd"))?;
    let name = stem.split('.').next()?;
    (is_identifier(name) && !name.starts_with("lib")).then_some(name)
}

fn is_identifier(name: &str) -> bool {
    name != "__pycache__"
        && name.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && name.chars().all(|character| character.is_alphanumeric() || character == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_come_from_files_and_not_from_names() {
        let cases: &[(&[&str], &[&str])] = &[
            (&["jinja2/__init__.py", "jinja2/ext.py", "Jinja2-2.8.dist-info/RECORD"], &["jinja2"]),
            (&["attr/__init__.py", "attrs/__init__.py"], &["attr", "attrs"]),
            (&["_yaml/__init__.py", "yaml/__init__.py"], &["yaml"]),
            (&["six.py", "__pycache__/six.cpython-311.pyc"], &["six"]),
            (&["google/protobuf/__init__.py", "google/protobuf/any.py"], &["google.protobuf"]),
            (&["_cffi_backend.cpython-311-x86_64-linux-gnu.so"], &["_cffi_backend"]),
            (&["x/__init__.py", "tests/__init__.py", "x.libs/libz.so.1"], &["x"]),
            (&["../../bin/tool", "/etc/x.py"], &[]),
            (&["numpy/__init__.py", "numpy.libs/libgfortran-1.so"], &["numpy"]),
        ];
        for (paths, expected) in cases {
            assert_eq!(importable(paths.iter().copied()), *expected, "{paths:?}");
        }
    }
}
