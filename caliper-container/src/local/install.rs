//! Making the environment of a cell: a virtual environment, and `uv` to fill it.
//!
//! `uv` installs with `--prefix` for the Python that the environment is made from, which it knows
//! already. Given the environment's own Python it would have to start that one first to ask what it
//! is: on one machine 175 ms instead of 23 ms for Jinja2 with everything in the cache, and a process
//! of `uv venv` before it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use caliper_core::facts::record::{BuildReason, Installed};
use caliper_core::names::{PythonVersion, Timestamp};
use caliper_core::question::modules::Imports;
use caliper_core::question::plan::Setup;
use caliper_core::question::project::ProjectPackage;

use super::pythons::Python;
use super::supervise::{How, Program};
use super::work::Workspace;
use super::{installed, linked, lock, variables};
use crate::backend::{BackendError, EnvironmentRequest, LaidOverlay};

/// How long a build may take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// What fails where `uv` itself does.
const INSTALL: &str = "uv could not install";

/// What is done to make environments.
pub(super) struct Builder<'a> {
    pub(super) uv: &'a Path,
    /// The only configuration that `uv` reads.
    pub(super) configuration: &'a Path,
    /// Where `uv` keeps what it downloads, and that folder as it was when the run began.
    pub(super) cache: &'a Path,
    pub(super) opened_cache: &'a File,
    /// The file with the logins of hosts.
    pub(super) netrc: Option<&'a Path>,
    pub(super) offline: bool,
    /// How files come out of the cache.
    pub(super) link_mode: &'a str,
    pub(super) workspace: &'a Workspace,
}

/// What an environment was filled with.
#[derive(Debug)]
pub(super) struct Filled {
    /// What is in it, or why it could not be built.
    pub(super) contents: Result<Contents, BuildReason>,
    /// All that `uv` printed.
    pub(super) log: Vec<u8>,
}

/// What is in an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contents {
    /// Sorted by name.
    pub(super) installed: Vec<Installed>,
    /// What to import of the dependency.
    pub(super) imports: Imports,
    /// What was laid over packages.
    pub(super) overlays: Vec<LaidOverlay>,
}

impl Builder<'_> {
    /// Makes the environment of a cell in an empty folder.
    pub(super) fn build(
        &self,
        request: &EnvironmentRequest<'_>,
        python: &Python,
        folder: &Path,
    ) -> Result<Filled, BackendError> {
        let Some(file) = request.cell.file() else {
            let log = b"there is no file to install".to_vec();
            return Ok(Filled { contents: Err(BuildReason::NoMatchingDistribution), log });
        };
        let file = request.files.fetch(file)?;
        create(folder, python).map_err(BackendError::machine(format!(
            "could not make an environment in `{}`",
            folder.display()
        )))?;

        let around = self.workspace.place('b')?;
        let (home, temporary) = (around.folder("home")?, around.folder("tmp")?);
        let uv = |action| {
            let mut command = self.command(action, request, python);
            command.env_clear().envs(variables::clean(None, &home, &temporary));
            command.envs(self.variables()).current_dir(around.path());
            command
        };
        let mut command = uv("install");
        command.args(["--link-mode", self.link_mode]).arg("--prefix").arg(folder);
        if self.offline {
            command.arg("--offline");
        }
        let write = |name: &str, text: String| {
            let path = around.path().join(name);
            let what = format!("could not write `{}`", path.display());
            fs::write(&path, text).map(|()| path).map_err(BackendError::machine(what))
        };
        let Setup { constraints, build_constraints, requirements, lock, .. } = request.setup;
        // A lock says all by itself.
        let constraints: &[String] = if lock.is_some() { &[] } else { constraints };
        for (option, constraints) in
            [("--constraints", constraints), ("--build-constraints", build_constraints)]
        {
            if !constraints.is_empty() {
                let text = constraints.join("\n") + "\n";
                command.arg(option).arg(write(&format!("{}.txt", &option[2..]), text)?);
            }
        }
        if let Some(lock) = lock {
            let text = lock::to_install(lock, request.files);
            command.arg("--no-deps").arg("-r").arg(write("pylock.toml", text)?);
        } else {
            command.arg("--").arg(&file);
            if let Some(package) = &request.setup.project {
                command.arg(project_of(package, request, python)?);
            }
            command.args(requirements);
        }

        let program = Program::new(command, TIMEOUT).until(request.interrupt).merged();
        let ended = program
            .run()
            .map_err(BackendError::machine(format!("could not run `{}`", self.uv.display())))?;
        let log = ended.output.bytes;
        let failed = |reason| Ok(Filled { contents: Err(reason), log: log.clone() });
        let has_ended_well = matches!(ended.how, How::Ended(status) if status.success());
        if !has_ended_well && self.cache_was_removed() {
            return Err(uv_failed(
                INSTALL,
                format!("its cache `{}` was removed meanwhile", self.cache.display()),
            ));
        }
        match ended.how {
            How::Interrupted => return Err(BackendError::Interrupted),
            // Of all limits it has the one on time.
            How::TimedOut | How::Idle | How::OutOfMemory => {
                return failed(BuildReason::TimedOut);
            }
            How::Ended(status) => match status.code() {
                Some(0) => {}
                Some(code) => match fault(code, &String::from_utf8_lossy(&log)) {
                    // What a lock names was there once: only that a file cannot be built now says something of it.
                    Ok(reason) if lock.is_some() && !says_build_failed(&log) => {
                        let said = said(&String::from_utf8_lossy(&log));
                        return Err(uv_failed(INSTALL, said.unwrap_or_else(|| reason.to_string())));
                    }
                    Ok(reason) => return failed(reason),
                    Err(line) => return Err(uv_failed(INSTALL, line)),
                },
                // Killed by a signal from outside: an infrastructure failure, not a fault of the package.
                None => return Err(uv_failed(INSTALL, format!("uv ended with {status}"))),
            },
        }
        let read = (|| {
            adopt_scripts(folder, python)?;
            installed::read(folder, request.dependency)
        })();
        let (mut installed, imports) = read.map_err(BackendError::machine(format!(
            "could not read the environment in `{}`",
            folder.display()
        )))?;
        match &request.setup.lock {
            Some(lock) => lock::name_files(&mut installed, lock),
            None => lock::add_files(&mut installed, request, uv("compile"), around.path()),
        }
        Ok(Filled { contents: Ok(Contents { installed, imports, overlays: Vec::new() }), log })
    }

    /// `uv pip ACTION` for the index, the date and the Python of a cell.
    fn command(&self, action: &str, request: &EnvironmentRequest<'_>, python: &Python) -> Command {
        let mut command = Command::new(self.uv);
        command.args(["pip", action, "--no-progress", "--no-python-downloads"]);
        command.arg("--config-file").arg(self.configuration);
        command.arg("--python").arg(&python.executable);
        let setup = request.setup;
        // A lock names everything but the tools that a file is built with.
        let of_lock = setup.lock.as_ref().filter(|lock| lock.is_dated());
        let time = setup.as_of.or_else(|| of_lock?.tools_as_of());
        if let Some(time) = time {
            command.args(["--exclude-newer", &time.to_string()]);
            // The tools for builds from source may be newer.
            let tools = date_of_build_tools(time, python.interpreter.python).to_string();
            for tool in ["setuptools", "wheel"] {
                command.args(["--exclude-newer-package", &format!("{tool}={tools}")]);
            }
        }
        command
    }

    pub(super) fn variables(&self) -> impl Iterator<Item = (&'static str, &OsStr)> {
        let one = OsStr::new("1");
        // Whom the machine trusts, not a list that came with `uv`: the name of this now, and before.
        let always = [
            ("NO_COLOR", one),
            ("UV_SYSTEM_CERTS", one),
            ("UV_NATIVE_TLS", one),
            // Else it warns where it reads a lock.
            ("UV_PREVIEW_FEATURES", OsStr::new("pylock")),
        ];
        // Else it would look into the home that it is given, which is empty.
        let netrc = self.netrc.map(|netrc| ("NETRC", netrc.as_os_str()));
        always.into_iter().chain([("UV_CACHE_DIR", self.cache.as_os_str())]).chain(netrc)
    }

    /// Whether the cache was removed since the run began, or another folder stands in its place. What `uv` says then
    /// may read like a fault of the package.
    fn cache_was_removed(&self) -> bool {
        let identity = |found: &fs::Metadata| (found.dev(), found.ino());
        let (opened, now) = (self.opened_cache.metadata(), fs::metadata(self.cache));
        // A folder that was removed has no name left.
        !matches!((opened, now), (Ok(opened), Ok(now)) if opened.nlink() > 0 && identity(&opened) == identity(&now))
    }
}

/// The date of the index for the tools that build from source, where all else is of `as_of`.
///
/// On the day on which an old release came out, pip ran its `setup.py` with whatever setuptools was there. uv builds in
/// isolation, which setuptools knows since 40.8 (PEP 517). Releases of that time ask for more than setuptools has today:
/// 45, of early 2020, is the last one with all of it. The first that runs on Python 3.12, without `distutils` in the
/// standard library, is of 2023.
pub fn date_of_build_tools(as_of: Timestamp, python: PythonVersion) -> Timestamp {
    const EARLY_2020: i64 = 1_583_539_200;
    const OCTOBER_2023: i64 = 1_696_204_800;
    let has_distutils = (python.major(), python.minor()) < (3, 12);
    let first = if has_distutils { EARLY_2020 } else { OCTOBER_2023 };
    as_of.max(Timestamp::from_unix_seconds(first))
}

/// The requirement for the project's own package: its wheel by its path, which may hold anything.
fn project_of(
    package: &ProjectPackage,
    request: &EnvironmentRequest<'_>,
    python: &Python,
) -> Result<String, BackendError> {
    let feature = python.interpreter.python;
    let wheel = package.wheel(feature).ok_or_else(|| BackendError::Unsupported {
        backend: super::NAME,
        what: format!("Python {feature}, for which {} was not built", package.name),
        fix: "make the plan anew".to_owned(),
    })?;
    let path = request.files.fetch(&wheel.file)?;
    let mut address = "file://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte) {
            address.push(char::from(*byte));
        } else {
            address.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(format!("{}{} @ {address}", package.name.normalized(), package.extras_in_brackets()))
}

/// Why a build failed; `Err` with what uv says if it could not do its own work. It exits with 1 for
/// what it found out, and with 2 for what kept it from finding out.
pub(super) fn fault(code: i32, log: &str) -> Result<BuildReason, String> {
    let reason = BuildReason::read(log);
    let own = ["(os error ", "Usage: uv ", "Failed to initialize cache"];
    // With more than 2 it ends where it panics.
    let of_itself = code > 2 || (code == 2 && own.iter().any(|own| log.contains(own)));
    if of_itself && reason == BuildReason::Unknown {
        return Err(said(log).unwrap_or_else(|| format!("it ended with status {code}")));
    }
    Ok(reason)
}

/// The errors that uv printed, on one line.
fn said(log: &str) -> Option<String> {
    let errors = log.lines().filter_map(|line| {
        let line = line.trim();
        line.strip_prefix("error: ").or_else(|| line.strip_prefix("cause: "))
    });
    Some(errors.collect::<Vec<_>>().join(": ")).filter(|said| !said.is_empty())
}

/// Whether uv tried to build something from source, and that failed.
fn says_build_failed(log: &[u8]) -> bool {
    memchr::memmem::find(log, b"Failed to build").is_some()
}

pub(super) fn uv_failed(action: &str, message: String) -> BackendError {
    BackendError::Machine { action: action.to_owned(), source: io::Error::other(message) }
}

/// The configuration of `uv` for these indexes, the first first.
///
/// Only the first that has a package is asked for it, as for the dependency itself. The last is the
/// default, in whose place `uv` would ask the public one.
///
/// What the index answered is believed for ten minutes, which is what the public one asks for. Many
/// others ask for nothing, and would be asked anew for every cell. A file is never changed, only
/// withdrawn.
pub(super) fn configuration(index_urls: &[String]) -> String {
    if index_urls.is_empty() {
        return String::new();
    }
    let mut text = "index-strategy = \"first-index\"\n".to_owned();
    for (number, url) in (1..).zip(index_urls) {
        // The strings of JSON are strings of TOML.
        let url = serde_json::Value::from(url.as_str());
        let default = number == index_urls.len();
        text += &format!(
            "\n[[index]]\nname = \"caliper-{number}\"\nurl = {url}\ndefault = {default}\n\
             cache-control = {{ api = \"max-age=600\", files = \"max-age=365000000, immutable\" }}\n"
        );
    }
    text
}

/// Makes an empty virtual environment in an empty folder, as PEP 405 describes it.
pub(super) fn create(folder: &Path, python: &Python) -> io::Result<()> {
    let version = &python.interpreter.version;
    let feature = python.interpreter.python;
    let home = python.executable.parent().unwrap_or(Path::new("/"));
    fs::write(
        folder.join("pyvenv.cfg"),
        format!(
            "home = {}\nimplementation = CPython\nversion = {version}\n\
             include-system-site-packages = false\n",
            home.display()
        ),
    )?;
    let bin = folder.join("bin");
    fs::create_dir(&bin)?;
    symlink(&python.executable, bin.join("python"))?;
    symlink("python", bin.join(format!("python{}", feature.major())))?;
    symlink("python", bin.join(format!("python{feature}")))?;
    fs::create_dir_all(folder.join("lib").join(format!("python{feature}")).join("site-packages"))?;
    if cfg!(all(target_os = "linux", target_pointer_width = "64")) {
        // Where some distributions put extension modules.
        symlink("lib", folder.join("lib64"))?;
    }
    Ok(())
}

/// Lets the scripts of an environment run on its own Python: for `--prefix` uv names the one that
/// it was made from.
fn adopt_scripts(folder: &Path, python: &Python) -> io::Result<()> {
    let bin = folder.join("bin");
    let own = bin.join("python");
    for entry in fs::read_dir(&bin)? {
        let entry = entry?;
        if !entry.file_type()?.is_file() {
            continue;
        }
        let text = fs::read(entry.path())?;
        if let Some(new) = adopted(&text, &python.executable, &own) {
            // The cache may have it too.
            linked::own(&entry.path())?;
            // Keeps its permissions.
            fs::write(entry.path(), new)?;
        }
    }
    Ok(())
}

/// A script with another interpreter; `None` if it is not a script of the Python `base`.
fn adopted(text: &[u8], base: &Path, own: &Path) -> Option<Vec<u8>> {
    let encoded = |path: &Path| OsStr::as_encoded_bytes(path.as_os_str()).to_vec();
    let (base, own) = (encoded(base), encoded(own));
    let plain = [b"#!", base.as_slice()].concat();
    let through_shell =
        |path: &[u8]| [b"#!/bin/sh\n'''exec' '", path, b"' \"$0\" \"$@\"\n' '''\n"].concat();
    let rest = if let Some(rest) = text.strip_prefix(plain.as_slice()) {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        // The last part of a longer name, or an option.
        if !rest[..end].trim_ascii().is_empty() {
            return None;
        }
        &rest[end + 1..]
    } else {
        text.strip_prefix(through_shell(&base).as_slice())?
    };
    // https://man7.org/linux/man-pages/man2/execve.2.html: 127 bytes on kernels before 5.1
    let fits = own.len() < 120 && !own.contains(&b' ');
    let start = if fits { [b"#!", own.as_slice(), b"\n"].concat() } else { through_shell(&own) };
    Some([start.as_slice(), rest].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_adopted() {
        let base = Path::new("/usr/bin/python3.11");
        let own = Path::new("/cells/e1/bin/python");
        let long = format!("/{}/python", "x".repeat(130));
        let adopt = |text: &str, own: &Path| {
            adopted(text.as_bytes(), base, own).map(|text| String::from_utf8(text).unwrap())
        };
        assert_eq!(
            adopt("#!/usr/bin/python3.11\nimport x\n", own).unwrap(),
            "#!/cells/e1/bin/python\nimport x\n"
        );
        assert_eq!(
            adopt("#!/usr/bin/python3.11\nimport x\n", Path::new(&long)).unwrap(),
            format!("#!/bin/sh\n'''exec' '{long}' \"$0\" \"$@\"\n' '''\nimport x\n")
        );
        assert_eq!(
            adopt("#!/bin/sh\n'''exec' '/usr/bin/python3.11' \"$0\" \"$@\"\n' '''\nx\n", own)
                .unwrap(),
            "#!/cells/e1/bin/python\nx\n"
        );
        for other in ["#!/bin/sh\nx\n", "#!/usr/bin/python3.11-config\n", "\x7fELF", ""] {
            assert_eq!(adopt(other, own), None, "{other:?}");
        }
    }

    #[test]
    fn what_keeps_uv_from_its_work_is_nobodys_fault() {
        let read_only = "error: Failed to initialize cache at `/c`\n  cause: failed to create directory \
                         `/c`: Read-only file system (os error 30)\n";
        insta::assert_snapshot!(fault(2, read_only).unwrap_err(), @"Failed to initialize cache at `/c`: failed to create directory `/c`: Read-only file system (os error 30)");
        assert!(fault(2, "error: unexpected argument\n\nUsage: uv pip install\n").is_err());
        assert!(fault(101, "thread 'main' panicked at src/main.rs:9:5:\n").is_err());
        // A disk that is full is known for what it is, and a file that cannot be read is its own fault.
        let full = "cause: No space left on device (os error 28)";
        assert_eq!(fault(2, full), Ok(BuildReason::Disk));
        let broken = "cause: unable to locate the end of central directory record";
        assert_eq!(fault(1, broken), Ok(BuildReason::Unknown));
    }

    #[test]
    fn the_index_is_written_down_whatever_its_address() {
        assert_eq!(configuration(&[]), "");
        let urls = ["https://u:p@index.example/a\"b/simple", "https://other.example/simple"];
        insta::assert_snapshot!(configuration(&urls.map(str::to_owned)), @r#"
        index-strategy = "first-index"

        [[index]]
        name = "caliper-1"
        url = "https://u:p@index.example/a\"b/simple"
        default = false
        cache-control = { api = "max-age=600", files = "max-age=365000000, immutable" }

        [[index]]
        name = "caliper-2"
        url = "https://other.example/simple"
        default = true
        cache-control = { api = "max-age=600", files = "max-age=365000000, immutable" }
        "#);
    }
}
