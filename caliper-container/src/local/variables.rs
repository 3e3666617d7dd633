//! The environment variables of programs: few, and the same on every machine.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::{env, iter};

/// Variables that configure proxies and certificates, which programs need behind a proxy. No other
/// variable of the user is passed on.
const NETWORK: &[&str] = &[
    "ALL_PROXY",
    "CURL_CA_BUNDLE",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// Environment variables of a program.
pub(super) type Variables = BTreeMap<OsString, OsString>;

/// For a program with `bin` first on its `PATH`, and with the given home and temporary folders.
pub(super) fn clean(bin: Option<&Path>, home: &Path, temporary: &Path) -> Variables {
    let network = NETWORK.iter().filter_map(|name| Some((name.into(), env::var_os(name)?)));
    let mut variables: Variables = network.collect();
    let mut set = |name: &str, value: &OsStr| variables.insert(name.into(), value.to_owned());
    set("PATH", &path(bin));
    set("HOME", home.as_os_str());
    set("TMPDIR", temporary.as_os_str());
    set("LANG", OsStr::new("C.UTF-8"));
    variables
}

/// For a test in a virtual environment.
pub(super) fn of_test(environment: &Path, home: &Path, temporary: &Path) -> Variables {
    let mut variables = clean(Some(&environment.join("bin")), home, temporary);
    let mut set = |name: &str, value: &OsStr| variables.insert(name.into(), value.to_owned());
    set("VIRTUAL_ENV", environment.as_os_str());
    set("PYTHONNOUSERSITE", OsStr::new("1"));
    // A fixed hash seed makes the order of sets of strings the same in all runs, which would be noise
    // between releases. A test can set it to `random` itself.
    set("PYTHONHASHSEED", OsStr::new("0"));
    set("COLUMNS", OsStr::new(crate::backend::COLUMNS));
    variables
}

/// `bin`, then the folders of this process's `PATH`: compilers, version control.
fn path(bin: Option<&Path>) -> OsString {
    let present = env::var_os("PATH").unwrap_or_default();
    // A relative folder would be resolved in the copy of the project.
    let folders = env::split_paths(&present).filter(|folder| folder.is_absolute());
    let folders = bin.map(Path::to_owned).into_iter().chain(folders);
    // Fails only if a folder name contains a colon, which `PATH` cannot express.
    env::join_paths(folders)
        .or_else(|_| env::join_paths(iter::once(Path::new("/usr/bin"))))
        .unwrap_or_default()
}
