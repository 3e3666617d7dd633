//! Where Pythons may be.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Where to look for Pythons.
#[derive(Debug, Default)]
pub(in crate::local) struct Places {
    /// The folders of `PATH`.
    pub(super) path: Vec<PathBuf>,
    /// Folders with one installation of Python in each folder in them.
    pub(super) installations: Vec<PathBuf>,
}

impl Places {
    /// `PATH`, what pyenv installed, and what uv installed.
    pub(in crate::local) fn of_this_machine() -> Self {
        let variable =
            |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = env::home_dir().unwrap_or_default();
        let pyenv = variable("PYENV_ROOT").unwrap_or_else(|| home.join(".pyenv"));
        let shims = pyenv.join("shims");
        let data = variable("XDG_DATA_HOME").unwrap_or_else(|| home.join(".local/share"));
        let uv = variable("UV_PYTHON_INSTALL_DIR").unwrap_or_else(|| data.join("uv/python"));
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::split_paths(&path)
            // A shim becomes another Python from folder to folder, and what it leads to is found in
            // pyenv's own folder. What a relative path leads to is anybody's guess.
            .filter(|folder| folder.is_absolute() && *folder != shims)
            .collect();
        Self { path, installations: vec![pyenv.join("versions"), uv] }
    }

    /// The programs that may be Pythons, without links, each once, the preferred first.
    pub(super) fn programs(&self) -> Vec<PathBuf> {
        let mut all = Vec::new();
        for folder in &self.path {
            all.extend(named_python(folder));
        }
        for folder in &self.installations {
            for installation in sorted(folder) {
                all.extend(named_python(&installation.join("bin")));
            }
        }
        let mut seen = BTreeSet::new();
        // The program behind the links of a virtual environment is what that was made from.
        all.iter()
            .filter_map(|path| fs::canonicalize(path).ok())
            .filter(|path| is_program(path) && seen.insert(path.clone()))
            .collect()
    }
}

fn named_python(folder: &Path) -> Vec<PathBuf> {
    let mut all = sorted(folder);
    all.retain(|path| path.file_name().and_then(OsStr::to_str).is_some_and(is_name_of_python));
    all
}

/// `python`, `python2`, `python3`, `python3.11`, `python3.13t`; not `python3-config`, `python3.11d`.
fn is_name_of_python(name: &str) -> bool {
    let Some(version) = name.strip_prefix("python") else { return false };
    let version = version.strip_suffix('t').unwrap_or(version);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match version.split_once('.') {
        Some((major, minor)) => digits(major) && digits(minor),
        None => matches!(version, "" | "2" | "3"),
    }
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    all.sort();
    all
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_pythons_are_told_from_their_neighbours() {
        for name in ["python", "python2", "python3", "python3.6", "python3.11", "python3.13t"] {
            assert!(is_name_of_python(name), "{name}");
        }
        for name in ["python3-config", "python3.11d", "python3.11-config", "pythonw", "ipython"] {
            assert!(!is_name_of_python(name), "{name}");
        }
    }

    #[test]
    fn a_program_under_several_names_is_asked_once() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        let bin = root.join("versions/3.11.7/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::create_dir_all(root.join("venv/bin")).unwrap();
        let real = bin.join("python3.11");
        fs::write(&real, "").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(bin.join("python3.9"), "not executable").unwrap();
        symlink("python3.11", bin.join("python")).unwrap();
        symlink(&real, root.join("venv/bin/python3")).unwrap();
        symlink("nowhere", root.join("venv/bin/python2")).unwrap();
        let places = Places {
            path: vec![root.join("venv/bin"), root.join("none")],
            installations: vec![root.join("versions")],
        };
        assert_eq!(places.programs(), [real]);
    }
}
