//! A configuration and the places around it.

use std::io;
use std::path::{Path, PathBuf};

use caliper_core::question::config::Config;

use crate::exit::Failure;

/// The folder in a project that is Caliper's own.
pub(crate) const OWN: &str = ".caliper";

/// What a configuration is called if nothing else is said.
pub(crate) const FILE: &str = "caliper.yaml";

/// A configuration that was read, and where things are.
pub(crate) struct Setting {
    /// The file.
    pub(crate) path: PathBuf,
    /// What it says.
    pub(crate) config: Config,
}

impl Setting {
    /// Reads a configuration.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let folder = folder(path);
        let text = std::fs::read(path).map_err(|error| missing(path, error))?;
        let text = String::from_utf8(text)
            .map_err(|_| Failure::question(format!("`{}` is not UTF-8 text", path.display())))?;
        let read = |name: &str| read_inside(&folder, name);
        let list = |name: &str| list_inside(&folder, name);
        let config = Config::from_project(&path.display().to_string(), &text, &read, &list)?;
        Ok(Self { path: path.to_owned(), config })
    }

    /// The folder of the configuration: the project.
    pub(crate) fn folder(&self) -> PathBuf {
        folder(&self.path)
    }

    /// Whether something was measured already.
    pub(crate) fn has_results(&self) -> bool {
        self.results().join("results.json").is_file()
    }

    /// Where results are kept.
    pub(crate) fn results(&self) -> PathBuf {
        results(&self.path)
    }
}

/// The folder of a configuration.
fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Where the results of a configuration are kept: `.caliper` beside `caliper.yaml`, and
/// `.caliper/NAME` beside any other `NAME.yaml`, so that two in one folder do not mix.
pub(crate) fn results(config: &Path) -> PathBuf {
    let all = folder(config).join(OWN);
    match config.file_stem() {
        Some(stem) if stem != "caliper" => all.join(stem),
        _ => all,
    }
}

/// Where results are that are named by their own folder, or by the configuration that they belong to.
pub(crate) fn results_of(path: &Path) -> PathBuf {
    let here = |folder: &Path| folder.join("results.json").is_file();
    let inside = path.join(OWN);
    if here(path) {
        path.to_owned()
    } else if here(&inside) {
        inside
    } else {
        results(path)
    }
}

/// Where the cache of a configuration is, unless `CALIPER_CACHE_DIR` says otherwise.
pub(crate) fn cache(config: &Path) -> PathBuf {
    shared_cache().unwrap_or_else(|| own_cache(config))
}

/// The cache that `CALIPER_CACHE_DIR` names, which several projects may share.
pub(crate) fn shared_cache() -> Option<PathBuf> {
    let named = std::env::var_os("CALIPER_CACHE_DIR").filter(|folder| !folder.is_empty());
    named.map(|folder| absolute(PathBuf::from(folder)))
}

/// The cache that belongs to the project of a configuration alone.
pub(crate) fn own_cache(config: &Path) -> PathBuf {
    absolute(folder(config).join(OWN).join("cache"))
}

/// Tools are started elsewhere and must find it all the same.
fn absolute(folder: PathBuf) -> PathBuf {
    std::path::absolute(&folder).unwrap_or(folder)
}

fn missing(path: &Path, error: io::Error) -> Failure {
    if error.kind() == io::ErrorKind::NotFound {
        return Failure::question(format!(
            "there is no `{}`; `caliper init` writes one to start from",
            path.display()
        ));
    }
    if path.is_dir() {
        return Failure::question(format!(
            "`{}` is a folder; name the file: `{}`",
            path.display(),
            path.join("caliper.yaml").display()
        ));
    }
    Failure::infrastructure(format!("could not read `{}`", path.display()), error)
}

/// Reads a file of the project, and only of the project: a link must not lead out of it.
pub(crate) fn read_inside(folder: &Path, name: &str) -> io::Result<Vec<u8>> {
    let path = std::fs::canonicalize(folder.join(name))?;
    if !path.starts_with(std::fs::canonicalize(folder)?) {
        return Err(io::Error::other("it leads out of the project"));
    }
    let kind = std::fs::metadata(&path)?.file_type();
    if kind.is_dir() {
        return Err(io::Error::other("it is a folder"));
    }
    // Of a pipe there may never be an end.
    if !kind.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    std::fs::read(path)
}

/// Lists the files below a folder of the project. A symbolic link in it or on the way to it is refused: what it leads to
/// may be another file when the cell is measured.
fn list_inside(folder: &Path, name: &str) -> io::Result<Vec<String>> {
    let mut place = folder.to_owned();
    for part in name.split('/') {
        place.push(part);
        if std::fs::symlink_metadata(&place)?.is_symlink() {
            return Err(is_link(&place.strip_prefix(folder).unwrap_or(&place).to_string_lossy()));
        }
    }
    let mut found = Vec::new();
    list_below(&place, "", &mut found)?;
    Ok(found)
}

fn list_below(folder: &Path, above: &str, found: &mut Vec<String>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_str().ok_or_else(|| {
            io::Error::other(format!("the name `{above}{}` is not UTF-8", name.to_string_lossy()))
        })?;
        let path = format!("{above}{name}");
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            return Err(is_link(&path));
        } else if kind.is_dir() {
            list_below(&entry.path(), &format!("{path}/"), found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

fn is_link(path: &str) -> io::Error {
    io::Error::other(format!("`{path}` is a symbolic link; put a copy in its place"))
}
