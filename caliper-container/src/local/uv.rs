//! Getting `uv`: from `PATH` if it is recent enough, else from Caliper's cache, else from the package
//! index.

use std::ffi::OsStr;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use pep440_rs::Version;

use super::UvWheel;
use super::supervise::{How, Program};
use crate::backend::BackendError;

/// The oldest `uv` that is used. It is the first that supports all options that
/// are needed here: `cache-control` for an index, and `--exclude-newer-package`.
const OLDEST: [u64; 3] = [0, 8, 4];

/// The largest accepted program, unpacked; all real releases are much smaller.
const LARGEST: u64 = 512 << 20;

/// The `uv` to use.
pub(super) fn obtain(cache: &Path, wheel: &UvWheel) -> Result<PathBuf, BackendError> {
    if let Some(uv) = on_path(&env::var_os("PATH").unwrap_or_default()) {
        return Ok(uv);
    }
    let tools = cache.join(crate::cache::TOOLS);
    if let Some(uv) = in_cache(&tools) {
        return Ok(uv);
    }
    let wheel = wheel().map_err(|source| caliper_core::question::files::FileError {
        filename: "uv".to_owned(),
        source,
    })?;
    unpack(&wheel, &tools)
        .map_err(BackendError::machine(format!("could not take `uv` out of `{}`", wheel.display())))
}

/// The first `uv` on a path, if it is recent enough.
pub(super) fn on_path(path: &OsStr) -> Option<PathBuf> {
    let uv = env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("uv"))
        .find(|uv| uv.is_file())?;
    (version(&uv)? >= Version::new(OLDEST)).then_some(uv)
}

/// The version that a `uv` reports: `uv 0.8.3 (a commit and a date)`.
pub(super) fn version(uv: &Path) -> Option<Version> {
    let mut command = Command::new(uv);
    command.arg("--version").env("UV_NO_CONFIG", "1");
    let ended = Program::new(command, Duration::from_secs(10)).run().ok()?;
    let succeeded = matches!(ended.how, How::Ended(status) if status.success());
    let output = String::from_utf8_lossy(&ended.output.bytes);
    let version = output.strip_prefix("uv ")?.split_whitespace().next()?.parse().ok()?;
    succeeded.then_some(version)
}

/// The newest `uv` that was unpacked before.
fn in_cache(tools: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(tools).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let name = entry.file_name();
            let version: Version = name.to_str()?.strip_prefix("uv-")?.parse().ok()?;
            let uv = entry.path().join("uv");
            (version >= Version::new(OLDEST) && uv.is_file()).then_some((version, uv))
        })
        .max()
        .map(|(_, uv)| uv)
}

/// Unpacks the program `uv` from a wheel, to `tools/uv-VERSION/uv`.
fn unpack(wheel: &Path, tools: &Path) -> io::Result<PathBuf> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let name = wheel.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let version: Version = name
        .strip_prefix("uv-")
        .and_then(|rest| rest.split('-').next()?.parse().ok())
        .ok_or_else(|| invalid("it is not named as a wheel of uv is"))?;
    let mut archive = zip::ZipArchive::new(io::BufReader::new(fs::File::open(wheel)?))?;
    // https://packaging.python.org/en/latest/specifications/binary-distribution-format/#the-data-directory
    let member = archive.by_name(&format!("uv-{version}.data/scripts/uv"))?;
    if member.size() > LARGEST {
        return Err(invalid("the program in it is too large"));
    }
    let folder = tools.join(format!("uv-{version}"));
    fs::create_dir_all(&folder)?;
    let uv = folder.join("uv");
    let new = folder.join(format!("uv.{}.new", std::process::id()));
    let written = (|| {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o755)
            .open(&new)?;
        // The size that an archive declares may be wrong.
        let size = io::copy(&mut member.take(LARGEST + 1), &mut file)?;
        if size > LARGEST {
            return Err(invalid("the program in it is too large"));
        }
        file.flush()?;
        file.sync_all()?;
        fs::rename(&new, &uv)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written.map(|()| uv)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn program(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn an_old_uv_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        program(&root.join("old/uv"), "#!/bin/sh\necho 'uv 0.4.30'\n");
        program(&root.join("new/uv"), "#!/bin/sh\necho 'uv 0.10.0 (abc 2026-01-01)'\n");
        program(&root.join("odd/uv"), "#!/bin/sh\necho 'uv 9.9.9'; exit 1\n");
        assert_eq!(on_path(root.join("old").as_os_str()), None);
        assert_eq!(on_path(root.join("odd").as_os_str()), None);
        assert_eq!(on_path(root.join("new").as_os_str()), Some(root.join("new/uv")));
        assert_eq!(on_path(OsStr::new("")), None);
    }

    #[test]
    fn the_program_is_taken_out_of_a_wheel_once() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let wheel = root.join("uv-0.9.2-py3-none-manylinux_2_28_x86_64.whl");
        let mut archive = zip::ZipWriter::new(fs::File::create(&wheel).unwrap());
        let options = zip::write::SimpleFileOptions::default();
        for (name, text) in [("uv-0.9.2.data/scripts/uv", "#!/bin/sh\n"), ("uv/__init__.py", "")] {
            archive.start_file(name, options).unwrap();
            archive.write_all(text.as_bytes()).unwrap();
        }
        archive.finish().unwrap();
        let tools = root.join("tools");
        assert_eq!(in_cache(&tools), None);
        let uv = unpack(&wheel, &tools).unwrap();
        assert_eq!(uv, tools.join("uv-0.9.2/uv"));
        assert_eq!(fs::metadata(&uv).unwrap().permissions().mode() & 0o111, 0o111);
        program(&tools.join("uv-0.10.1/uv"), "");
        program(&tools.join("uv-0.1.0/uv"), "");
        assert_eq!(in_cache(&tools), Some(tools.join("uv-0.10.1/uv")));
    }

    #[test]
    fn a_wheel_of_something_else_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = folder.path().join("uv-0.9.2-py3-none-any.whl");
        zip::ZipWriter::new(fs::File::create(&wheel).unwrap()).finish().unwrap();
        let error = obtain_from(&wheel, folder.path());
        insta::assert_snapshot!(error, @"specified file not found in archive");
        let other = folder.path().join("ruff-0.9.2-py3-none-any.whl");
        insta::assert_snapshot!(obtain_from(&other, folder.path()), @"it is not named as a wheel of uv is");
    }

    fn obtain_from(wheel: &Path, tools: &Path) -> String {
        unpack(wheel, tools).unwrap_err().to_string()
    }
}
