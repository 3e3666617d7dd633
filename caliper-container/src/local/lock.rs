//! Which files the distributions of an environment came from.
//!
//! An installed distribution does not tell. But `uv` writes a lock file for the versions that it has just installed
//! ([PEP 751](https://peps.python.org/pep-0751/)), from its cache and without the network, in which it names the one
//! file of each that it chooses for this Python, with address and digest. It costs some 50 ms for each environment
//! that is made.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use caliper_core::facts::record::{Installed, RecordedFile};
use caliper_core::names::{PackageName, Sha256, Timestamp};
use caliper_core::question::files::FileSource;
use caliper_core::question::lock::Lock;
use serde::Deserialize;

use super::supervise::{How, Program};
use crate::backend::EnvironmentRequest;
use crate::direct_url::file_at;

/// How long `uv` may take.
const TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: Option<String>,
    #[serde(default)]
    wheels: Vec<File>,
    sdist: Option<File>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    url: Option<String>,
    upload_time: Option<toml::value::Datetime>,
    size: Option<u64>,
    #[serde(default)]
    hashes: Hashes,
}

#[derive(Default, Deserialize)]
struct Hashes {
    sha256: Option<String>,
}

/// Adds the files that `uv` tells of to what is installed. `compile` is the start of a `uv pip compile` with the
/// index, the date and the Python of the environment; `around` is a folder for it. Where `uv` cannot tell, for
/// example because it is too old to write such a file, the files stay unknown.
pub(super) fn add_files(
    installed: &mut [Installed],
    request: &EnvironmentRequest<'_>,
    mut compile: Command,
    around: &Path,
) {
    let project = request.setup.project.as_ref().map(|package| &package.name);
    let known: Vec<&PackageName> = project.into_iter().chain([request.dependency]).collect();
    let asked = requirements(installed, &known);
    let (input, output) = (around.join("installed.in"), around.join("pylock.toml"));
    if asked.is_empty() || fs::write(&input, asked).is_err() {
        return;
    }
    compile.args(["--quiet", "--no-header", "--no-deps", "--offline", "--format", "pylock.toml"]);
    compile.arg("--output-file").arg(&output).arg("--").arg(&input);
    let ended = Program::new(compile, TIMEOUT).until(request.interrupt).merged().run();
    if !ended.is_ok_and(|ended| matches!(ended.how, How::Ended(status) if status.success())) {
        return;
    }
    if let Ok(text) = fs::read_to_string(&output) {
        add_from(installed, &text);
    }
}

/// The text of the lock from which `uv` rebuilds an environment. A file of which Caliper has a copy is named by its path:
/// one that is not found at its address any more need not be there. The others uv has in its own cache, or fetches.
pub(super) fn to_install(lock: &Lock, files: &dyn FileSource) -> String {
    lock.to_toml_with(&|file| Some(files.kept(&file.offered())?.to_str()?.to_owned()))
}

/// Names the files of an environment that was rebuilt from `lock`, each of which uv verified.
pub(super) fn name_files(installed: &mut [Installed], lock: &Lock) {
    for one in installed {
        let Ok(name) = one.name.parse::<PackageName>() else { continue };
        let version = one.version.parse::<pep440_rs::Version>().ok();
        let locked = lock.package(&name).filter(|locked| version.as_ref() == Some(&locked.version));
        one.file = locked.map(|locked| RecordedFile::from(&locked.file.offered()));
    }
}

/// A line for each distribution whose file is not known. Those of the dependency and of the project are known to the
/// cell.
fn requirements(installed: &[Installed], known: &[&PackageName]) -> String {
    let mut lines = String::new();
    for Installed { name, version, .. } in installed.iter().filter(|one| one.file.is_none()) {
        let is_version = version.parse::<pep440_rs::Version>().is_ok();
        if is_version && name.parse::<PackageName>().is_ok_and(|name| !known.contains(&&name)) {
            let _ = writeln!(lines, "{name}=={version}");
        }
    }
    lines
}

/// Takes over the files of a lock file, for the versions that are installed.
fn add_from(installed: &mut [Installed], lock: &str) {
    let Ok(Told { packages }) = toml::from_str(lock) else { return };
    for package in packages {
        let Ok(name) = package.name.parse::<PackageName>() else { continue };
        let is_it = |one: &&mut Installed| {
            one.file.is_none()
                && Some(&one.version) == package.version.as_ref()
                && one.name.parse::<PackageName>().is_ok_and(|of| of == name)
        };
        if let Some(one) = installed.iter_mut().find(is_it) {
            one.file = package.file();
        }
    }
}

impl Package {
    /// The file that was chosen; `None` if there are several.
    fn file(self) -> Option<RecordedFile> {
        let mut wheels = self.wheels.into_iter();
        let file = wheels.next().or(self.sdist)?;
        if wheels.next().is_some() {
            return None;
        }
        let sha256 = file.hashes.sha256.and_then(|digest| digest.parse::<Sha256>().ok());
        let time = file.upload_time.and_then(|time| time.to_string().parse::<Timestamp>().ok());
        Some(RecordedFile { upload_time: time, size: file.size, ..file_at(&file.url?, sha256)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_the_index_is_asked_for() {
        let mut direct = Installed::new("direct", "1.0");
        direct.file = file_at("https://x.example/direct-1.0-py3-none-any.whl", None);
        let installed = [
            Installed::new("Demo", "1.0"),
            Installed::new("numpy", "1.26.4"),
            Installed::new("odd", "of today\n--index-url=x"),
            direct,
        ];
        assert_eq!(requirements(&installed, &[&"demo".parse().unwrap()]), "numpy==1.26.4\n");
    }

    #[test]
    fn files_are_those_of_the_installed_versions() {
        let digest = "a".repeat(64);
        let lock = format!(
            r#"
            lock-version = "1.0"
            created-by = "uv"
            [[packages]]
            name = "typing-extensions"
            version = "4.0"
            sdist = {{ url = "https://x.example/s.tar.gz", hashes = {{ sha256 = "{digest}" }} }}
            wheels = [{{ url = "https://u:p@x.example/t-4.0-py3-none-any.whl", upload-time = 2022-04-28T17:21:27Z, size = 1, hashes = {{ sha256 = "{digest}" }} }}]
            [[packages]]
            name = "built"
            version = "1.0"
            sdist = {{ url = "https://x.example/built-1.0.tar.gz", hashes = {{}} }}
            [[packages]]
            name = "moved"
            version = "2.0"
            wheels = [{{ url = "https://x.example/moved-2.0-py3-none-any.whl" }}]
            [[packages]]
            name = "two"
            version = "1.0"
            wheels = [{{ url = "https://x.example/1.whl" }}, {{ url = "https://x.example/2.whl" }}]
            "#
        );
        let names =
            [("Typing_Extensions", "4.0"), ("built", "1.0"), ("moved", "1.0"), ("two", "1.0")];
        let mut installed = names.map(|(name, version)| Installed::new(name, version));
        add_from(&mut installed, &lock);
        let told = installed.map(|one| {
            let time = |file: &RecordedFile| file.upload_time.map(|time| time.to_string());
            one.file.map(|file| (time(&file), file.size, file.url, file.sha256.is_some()))
        });
        assert_eq!(
            told,
            [
                Some((
                    Some("2022-04-28T17:21:27Z".to_owned()),
                    Some(1),
                    "https://x.example/t-4.0-py3-none-any.whl".to_owned(),
                    true
                )),
                Some((None, None, "https://x.example/built-1.0.tar.gz".to_owned(), false)),
                None,
                None,
            ]
        );
        let mut one = [Installed::new("a", "1")];
        add_from(&mut one, "no lock [");
        assert_eq!(one[0].file, None);
    }
}
