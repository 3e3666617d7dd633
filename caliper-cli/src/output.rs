//! Files that a command is told to write.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::exit::Failure;
use crate::own;
use crate::setting::Setting;

/// Writes a file that the user named, in place of what it held: a reader sees all of the old content or all of the new. A
/// symbolic link stays one, and what is no file, such as `/dev/stdout`, is written to. The file stays no part of the
/// project that it may lie in.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), Failure> {
    write(path, content).map_err(|error| {
        Failure::infrastructure(format!("could not write `{}`", path.display()), error)
    })?;
    own::remember_file(path);
    Ok(())
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&path).is_ok_and(|known| !known.is_file()) {
        return fs::write(&path, content);
    }
    let mut new = tempfile::Builder::new();
    let mut new = readable(new.prefix(".caliper-output-")).tempfile_in(folder(&path))?;
    new.write_all(content)?;
    new.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

/// The folder of a file.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Temporary files are for their owner alone; these are for whom the umask lets read.
pub(crate) fn readable<'a, 'b>(
    builder: &'a mut tempfile::Builder<'b, 'b>,
) -> &'a mut tempfile::Builder<'b, 'b> {
    use std::os::unix::fs::PermissionsExt as _;
    builder.permissions(fs::Permissions::from_mode(0o666))
}

/// Refuses to write over a configuration or one of its tests, into a folder of results, or over a folder.
pub(crate) fn check(
    path: &Path,
    configuration: Option<&Path>,
    results: &Path,
) -> Result<(), Failure> {
    let refused = |why: &str| {
        Err(Failure::question(format!("`{}` {why}; name another file", path.display())))
    };
    let real = real(path);
    if configuration.is_some_and(|one| fs::canonicalize(one).is_ok_and(|one| real == one)) {
        return refused("is the configuration");
    }
    if fs::canonicalize(results).is_ok_and(|results| real.starts_with(results)) {
        return refused("is in the folder of the results");
    }
    if real.is_dir() {
        return refused("is a folder");
    }
    if configuration.is_some_and(|one| tests(one).any(|test| real == test)) {
        return refused("is a test of the configuration");
    }
    Ok(())
}

/// The files that the tests of a configuration name. One that cannot be read has none here: reading it tells why.
fn tests(configuration: &Path) -> impl Iterator<Item = PathBuf> {
    let config = Setting::open(configuration).ok().map(|setting| setting.config);
    let words = config.into_iter().flat_map(|config| config.tests).flat_map(|test| test.command);
    let beside = folder(configuration).to_owned();
    words.filter_map(move |word| fs::canonicalize(beside.join(word)).ok())
}

/// Where a file is, that need not exist.
fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| {
        let folder = fs::canonicalize(folder(path)).unwrap_or_else(|_| folder(path).to_owned());
        path.file_name().map_or(folder.clone(), |name| folder.join(name))
    })
}

/// Keeps other processes from replacing a file between reading and writing it, as long as what is returned lives. The lock is
/// on its folder, because the file itself is replaced.
pub(crate) fn lock(path: &Path) -> Result<File, Failure> {
    let folder = folder(path);
    let locked = File::open(folder).and_then(|file| file.lock().map(|()| file));
    locked.map_err(|error| {
        Failure::infrastructure(format!("could not lock `{}`", folder.display()), error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_not_be_lost_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at(".caliper/records")).unwrap();
        let study = "analysis: {name: a, dependency: demo, tests: [test.py]}\n";
        fs::write(at("caliper.yaml"), study).unwrap();
        fs::write(at("old"), "old").unwrap();
        std::os::unix::fs::symlink(at("caliper.yaml"), at("link")).unwrap();
        let (config, results) = (at("caliper.yaml"), at(".caliper"));
        let check = |name: &str| {
            let checked = check(&at(name), Some(&config), &results);
            checked.map_err(|failure| {
                failure.error.to_string().replace(&*folder.path().to_string_lossy(), "")
            })
        };
        assert!(check("new").is_ok() && check("old").is_ok());
        fs::write(at("test.py"), "").unwrap();
        let refused =
            ["test.py", "caliper.yaml", "link", ".caliper/results.json", ".caliper/records/x", "."];
        let told: Vec<String> = refused.iter().map(|name| check(name).unwrap_err()).collect();
        insta::assert_snapshot!(told.join("\n"), @"
        `/test.py` is a test of the configuration; name another file
        `/caliper.yaml` is the configuration; name another file
        `/link` is the configuration; name another file
        `/.caliper/results.json` is in the folder of the results; name another file
        `/.caliper/records/x` is in the folder of the results; name another file
        `/.` is a folder; name another file
        ");
        replace(&at("old"), b"new").unwrap();
        assert_eq!(fs::read(at("old")).unwrap(), b"new");
        let _lock = lock(&at("old")).unwrap();
        assert!(File::open(folder.path()).unwrap().try_lock().is_err());
    }
}
