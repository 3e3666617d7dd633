//! Writing a `pylock.toml`. The order of the keys is that of PEP 751.

use std::fmt::Write as _;

use super::{Lock, LockedFile, LockedPackage};
use crate::names::Sha256;
use crate::question::grid::FileKind;
use crate::question::interpreter::Platform;

impl Lock {
    /// The lock as the text of a `pylock.toml`.
    pub fn to_toml(&self) -> String {
        self.to_toml_with(&|_| None)
    }

    /// The same, where `path` says that a file is on this machine: that is named in place of its address.
    pub fn to_toml_with(&self, path: &dyn Fn(&LockedFile) -> Option<String>) -> String {
        let mut text = "lock-version = \"1.0\"\n".to_owned();
        if let Some(platform) = &self.platform {
            let _ = writeln!(text, "environments = [{}]", quoted(&marker(platform)));
        }
        if let Some(python) = self.python {
            let _ = writeln!(text, "requires-python = \"=={python}.*\"");
        }
        text += "created-by = \"caliper\"\n";
        if self.packages.is_empty() {
            text += "packages = []\n";
        }
        for package in &self.packages {
            text += &self.of_package(package, path(&package.file));
        }
        let times = [("as-of", self.as_of), ("recorded", self.recorded)];
        let times: Vec<_> =
            times.iter().filter_map(|(key, time)| Some((key, time.as_ref()?))).collect();
        if !times.is_empty() || self.index.is_some() {
            text += "\n[tool.caliper]\n";
        }
        if let Some(index) = &self.index {
            let _ = writeln!(text, "index = {}", quoted(index));
        }
        for (key, time) in times {
            let _ = writeln!(text, "{key} = {time}");
        }
        text
    }

    fn of_package(&self, package: &LockedPackage, path: Option<String>) -> String {
        let LockedPackage { name, version, file } = package;
        let mut text = format!(
            "\n[[packages]]\nname = {}\nversion = {}\n",
            quoted(name.normalized()),
            quoted(&version.to_string())
        );
        // uv looks a file up in its cache by the index that it came from.
        if let Some(index) = self.index.as_ref().filter(|_| path.is_none()) {
            let _ = writeln!(text, "index = {}", quoted(index));
        }
        let file = of_file(file, path);
        let _ = match package.file.kind {
            FileKind::Sdist => writeln!(text, "sdist = {file}"),
            FileKind::Wheel => writeln!(text, "wheels = [{file}]"),
        };
        text
    }
}

fn of_file(file: &LockedFile, path: Option<String>) -> String {
    let LockedFile { filename, url, sha256, kind: _, upload_time, size } = file;
    let mut parts = vec![format!("name = {}", quoted(filename))];
    parts.extend(upload_time.map(|time| format!("upload-time = {time}")));
    parts.push(match path {
        Some(path) => format!("path = {}", quoted(&path)),
        None => format!("url = {}", quoted(url)),
    });
    parts.extend(size.map(|size| format!("size = {size}")));
    parts.push(format!("hashes = {{ sha256 = {} }}", quoted(&Sha256::hex(sha256))));
    format!("{{ {} }}", parts.join(", "))
}

/// The marker of a platform ([PEP 508](https://peps.python.org/pep-0508/#environment-markers)).
pub(super) fn marker(platform: &Platform) -> String {
    let (system, machine) = match platform {
        Platform::Linux { arch, .. } => ("linux", arch.as_str()),
        Platform::MacOs { arch, .. } => ("darwin", arch.as_str()),
        Platform::Windows { arch } if arch == "amd64" => ("win32", "AMD64"),
        Platform::Windows { arch } => ("win32", arch.as_str()),
    };
    let machine: String =
        machine.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    format!("sys_platform == '{system}' and platform_machine == '{machine}'")
}

/// A string of TOML. Those of JSON are that too, but for one character that JSON does not escape.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}
