//! The distributions in an environment, read from its files
//! ([recording installed projects](https://packaging.python.org/en/latest/specifications/recording-installed-packages/)).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use caliper_core::facts::record::Installed;
use caliper_core::names::PackageName;
use caliper_core::question::modules::{Distribution, Imports, imports};

use crate::direct_url;

/// A longer `__init__.py` does more than to share its name.
const LONGEST_NAMESPACE: u64 = 4096;

/// Everything that is installed, sorted by name, and what to import of `dependency`.
pub(super) fn read(
    environment: &Path,
    dependency: &PackageName,
) -> io::Result<(Vec<Installed>, Imports)> {
    let mut all = Vec::new();
    let mut imports = Imports::Nothing;
    for folder in site_packages(environment)? {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "dist-info") {
                continue;
            }
            let Some(metadata) = part(&path, "METADATA")? else { continue };
            let metadata = String::from_utf8_lossy(&metadata);
            let Some(mut installed) = parse(&metadata) else { continue };
            installed.file =
                part(&path, "direct_url.json")?.and_then(|text| direct_url::read(&text));
            if installed.name.parse::<PackageName>().is_ok_and(|name| name == *dependency) {
                imports = imports_of(dependency, &folder, &path, &metadata)?;
            }
            all.push(installed);
        }
    }
    all.sort_by_cached_key(|one| one.name.to_lowercase());
    Ok((all, imports))
}

/// `lib/python3.11/site-packages` and the like. `lib64` is the same folder under another name.
fn site_packages(environment: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(environment.join("lib"))? {
        let folder = entry?.path().join("site-packages");
        if folder.is_dir() {
            found.push(folder);
        }
    }
    Ok(found)
}

/// A file of a distribution's metadata. A folder without it is ignored.
fn part(dist_info: &Path, name: &str) -> io::Result<Option<Vec<u8>>> {
    match fs::read(dist_info.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// The headers of a METADATA file, which end with the first empty line.
fn parse(metadata: &str) -> Option<Installed> {
    let header = |name: &str| {
        let lines = metadata.lines().take_while(|line| !line.is_empty());
        let mut values = lines.filter_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        });
        values.next()
    };
    Some(Installed::new(header("name")?, header("version")?))
}

/// What to import of the distribution with this `dist-info` folder in `site_packages`.
fn imports_of(
    project: &PackageName,
    site_packages: &Path,
    dist_info: &Path,
    metadata: &str,
) -> io::Result<Imports> {
    let text = |name: &str| -> io::Result<String> {
        let bytes = part(dist_info, name)?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let paths: Vec<String> = text("RECORD")?.lines().filter_map(path_of).collect();
    Ok(imports(&Distribution {
        project,
        metadata,
        top_level: &text("top_level.txt")?,
        namespaces: &text("namespace_packages.txt")?,
        paths: &paths,
        is_namespace: &|init| shares_its_name(&site_packages.join(init)),
    }))
}

/// Whether an `__init__.py` makes its package a namespace
/// ([native ways](https://packaging.python.org/en/latest/guides/packaging-namespace-packages/)).
fn shares_its_name(init: &Path) -> bool {
    let small = fs::metadata(init).is_ok_and(|file| file.len() <= LONGEST_NAMESPACE);
    let text = if small { fs::read(init).unwrap_or_default() } else { Vec::new() };
    let says = |word: &[u8]| memchr::memmem::find(&text, word).is_some();
    says(b"extend_path") || says(b"declare_namespace")
}

/// The first field of a line of comma-separated values.
fn path_of(line: &str) -> Option<String> {
    let Some(quoted) = line.strip_prefix('"') else {
        return line.split(',').next().filter(|path| !path.is_empty()).map(str::to_owned);
    };
    let mut path = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            // A quote is doubled within quotes.
            '"' if characters.next() != Some('"') => return Some(path),
            other => path.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_is_read_from_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let site = folder.path().join("lib/python3.11/site-packages");
        for (name, metadata, record) in [
            (
                "zope.a-1.0.dist-info",
                "Metadata-Version: 2.1\nName: zope.a\nVersion: 1.0\n\nVersion: 9\n",
                "\"zope/a,b.py\",,\nzope/__init__.py,,\nzope/a/__init__.py,sha256=x,3\nzope.a-1.0.dist-info/RECORD,,\n",
            ),
            ("B-2.dist-info", "name: B\nversion: 2\n", ""),
        ] {
            fs::create_dir_all(site.join(name)).unwrap();
            fs::write(site.join(name).join("METADATA"), metadata).unwrap();
            fs::write(site.join(name).join("RECORD"), record).unwrap();
        }
        fs::create_dir_all(site.join("zope")).unwrap();
        let shared = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n";
        fs::write(site.join("zope/__init__.py"), shared).unwrap();
        let names = |dependency: &str| {
            let (installed, imports) = read(folder.path(), &dependency.parse().unwrap()).unwrap();
            let installed: Vec<String> =
                installed.iter().map(|one| format!("{}=={}", one.name, one.version)).collect();
            (installed.join(" "), imports)
        };
        let module = Imports::All(vec!["zope.a".parse().unwrap()]);
        assert_eq!(names("Zope-A"), ("B==2 zope.a==1.0".into(), module));
        // It has no modules, and there is nothing to import.
        assert_eq!(names("b").1, Imports::Nothing);
    }

    #[test]
    fn paths_may_be_quoted() {
        assert_eq!(path_of("a/b.py,sha256=x,1").as_deref(), Some("a/b.py"));
        assert_eq!(path_of(r#""a,""b"".py",,"#).as_deref(), Some(r#"a,"b".py"#));
        assert_eq!(path_of(r#""open"#), None);
        assert_eq!(path_of(""), None);
    }
}
