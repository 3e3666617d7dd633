use proptest::prelude::*;

use super::*;
use crate::question::testing;

fn pins_of(text: &str, python: &str) -> Result<Pinned, LockFileError> {
    LockFile::read(text)?.pins(&testing::interpreter(python))
}

/// The pins, then what is left out, on one line.
fn told(text: &str, python: &str) -> String {
    let Pinned { pins, left_out, .. } = pins_of(text, python).unwrap();
    let pins: Vec<String> =
        pins.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let left_out: Vec<String> = left_out.iter().map(ToString::to_string).collect();
    format!("{} | {}", pins.join(", "), left_out.join(", "))
}

fn error(text: &str) -> String {
    pins_of(text, "3.11").unwrap_err().to_string()
}

/// As uv 0.13 writes it, without hashes and most files.
const UV: &str = r#"
version = 1
revision = 5
requires-python = ">=3.9"
resolution-markers = ["python_full_version >= '3.10'", "python_full_version < '3.10'"]

[[package]]
name = "asgiref"
version = "3.11.1"
source = { registry = "https://pypi.org/simple" }
resolution-markers = ["python_full_version < '3.10'"]
dependencies = [{ name = "typing-extensions" }]
sdist = { url = "https://files.example/asgiref-3.11.1.tar.gz", hash = "sha256:5f18", size = 38550, upload-time = "2026-02-03T13:30:14.33Z" }

[[package]]
name = "asgiref"
version = "3.13.0"
source = { registry = "https://pypi.org/simple" }
resolution-markers = ["python_full_version >= '3.12'", "python_full_version == '3.11.*'", "python_full_version == '3.10.*'"]

[[package]]
name = "click"
version = "8.1.8"
source = { registry = "https://pypi.org/simple" }
dependencies = [{ name = "colorama", marker = "sys_platform == 'win32'" }]

[[package]]
name = "colorama"
version = "0.4.6"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "flask"
version = "3.1.3"
source = { registry = "https://pypi.org/simple" }
dependencies = [{ name = "click" }]

[package.optional-dependencies]
async = [
    { name = "asgiref", version = "3.11.1", source = { registry = "https://pypi.org/simple" }, marker = "python_full_version < '3.10'" },
    { name = "asgiref", version = "3.13.0", source = { registry = "https://pypi.org/simple" }, marker = "python_full_version >= '3.10'" },
]

[[package]]
name = "iniconfig"
version = "2.1.0"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "markupsafe"
version = "3.0.2"
source = { git = "https://github.com/pallets/markupsafe?rev=3.0.2#28ace20" }

[[package]]
name = "pytest"
version = "9.2.0"
source = { registry = "https://pypi.org/simple" }
dependencies = [{ name = "iniconfig" }]

[[package]]
name = "typing-extensions"
version = "4.15.0"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "weather"
version = "0.1.0"
source = { virtual = "." }
dependencies = [{ name = "markupsafe" }]

[package.optional-dependencies]
web = [{ name = "flask", extra = ["async"] }]

[package.dev-dependencies]
dev = [{ name = "pytest" }]

[package.metadata]
requires-dist = [{ name = "flask", extras = ["async"], marker = "extra == 'web'" }]
"#;

#[test]
fn uv_locks_are_followed_from_the_project() {
    let left_out = "markupsafe (from a repository), weather (a folder)";
    let common = "click 8.1.8, flask 3.1.3, iniconfig 2.1.0, pytest 9.2.0";
    assert_eq!(told(UV, "3.11"), format!("asgiref 3.13.0, {common} | {left_out}"));
    let old = format!("asgiref 3.11.1, {common}, typing-extensions 4.15.0 | {left_out}");
    assert_eq!(told(UV, "3.9"), old);
    let requires = pins_of(UV, "3.11").unwrap().requires;
    let of = |name: &str| -> Vec<String> {
        let required = requires.get(&name.parse().unwrap()).into_iter().flatten();
        required.map(ToString::to_string).collect()
    };
    assert_eq!(of("flask"), ["asgiref", "click"]);
    // What is not for this platform is not required.
    assert_eq!(of("click"), [""; 0]);

    // The lock of a script has no project, but says what was asked for.
    let script = r#"
        version = 1
        [manifest]
        requirements = [{ name = "six", specifier = ">=1" }]
        [[package]]
        name = "six"
        version = "1.16.0"
        source = { registry = "https://pypi.org/simple" }
        [[package]]
        name = "stray"
        version = "1.0"
        source = { url = "https://files.example/stray-1.0.whl" }
    "#;
    assert_eq!(told(script, "3.11"), "six 1.16.0 | ");
}

const PYLOCK: &str = r#"
lock-version = "1.0"
created-by = "uv"
requires-python = ">=3.9"

[[packages]]
name = "asgiref"
version = "3.11.1"
marker = "python_full_version < '3.10'"
index = "https://pypi.org/simple"
sdist = { url = "https://files.example/asgiref-3.11.1.tar.gz", upload-time = 2026-02-03T13:30:14Z, size = 38550, hashes = { sha256 = "5f18" } }

[[packages]]
name = "asgiref"
version = "3.13.0"
marker = "python_full_version >= '3.10'"

[[packages]]
name = "colorama"
version = "0.4.6"
marker = "sys_platform == 'win32'"

[[packages]]
name = "pytest"
version = "9.2.0"
marker = "'dev' in dependency_groups"
dependencies = [{ name = "asgiref", version = "3.13.0" }]

[[packages]]
name = "old"
version = "1.0"
requires-python = "<3.0"

[[packages]]
name = "weather"
directory = { path = ".", editable = true }

[[packages]]
name = "tool"
vcs = { type = "git", url = "https://git.example/tool", commit-id = "28ace20" }
"#;

#[test]
fn pylock_has_markers_of_its_own() {
    let left_out = "weather (a folder), tool (from a repository)";
    assert_eq!(told(PYLOCK, "3.11"), format!("asgiref 3.13.0, pytest 9.2.0 | {left_out}"));
    assert_eq!(told(PYLOCK, "3.9"), format!("asgiref 3.11.1, pytest 9.2.0 | {left_out}"));
}

/// As Poetry 2.5 writes it.
const POETRY: &str = r#"
# This file is automatically @generated by Poetry 2.5.1 and should not be changed by hand.

[[package]]
name = "click"
version = "8.1.8"
description = "Composable command line interface toolkit"
optional = false
python-versions = ">=3.7"
groups = ["main"]
markers = "python_version == \"3.9\""
files = [{file = "click-8.1.8-py3-none-any.whl", hash = "sha256:63c1"}]

[package.dependencies]
colorama = {version = "*", markers = "platform_system == \"Windows\""}

[package.source]
type = "legacy"
url = "https://pypi.org/simple"
reference = "simple"

[[package]]
name = "click"
version = "8.5.1"
description = ""
optional = false
python-versions = ">=3.10"
groups = ["main"]
markers = "python_version >= \"3.10\""
files = []

[[package]]
name = "colorama"
version = "0.4.6"
description = ""
optional = false
python-versions = "!=3.0.*,>=2.7"
groups = ["main", "dev"]
files = []
markers = {main = "python_version == \"3.9\" and platform_system == \"Windows\"", dev = "sys_platform == \"win32\""}

[[package]]
name = "tomli"
version = "2.2.1"
description = ""
optional = false
python-versions = ">=3.8"
groups = ["main", "dev"]
files = []
markers = {dev = "python_full_version <= \"3.11.0a6\""}

[[package]]
name = "tool"
version = "1.0"
description = ""
optional = false
python-versions = "*"
groups = ["main"]
files = []

[package.source]
type = "git"
url = "https://git.example/tool"
reference = "main"
resolved_reference = "28ace20"

[metadata]
lock-version = "2.1"
python-versions = ">=3.9,<4"
content-hash = "2f1c"
"#;

/// As Poetry 1.8 writes it: no marker stands at a package.
const POETRY_1: &str = r#"
[[package]]
name = "atomicwrites"
version = "1.4.1"
description = ""
optional = false
python-versions = ">=2.7, !=3.0.*"
files = []

[[package]]
name = "numpy"
version = "1.24.4"
description = ""
optional = false
python-versions = ">=3.8"
files = []

[[package]]
name = "numpy"
version = "2.0.2"
description = ""
optional = false
python-versions = ">=3.9"
files = []

[[package]]
name = "pandas"
version = "2.2.2"
description = ""
optional = false
python-versions = ">=3.8"
files = []

[package.dependencies]
numpy = [
    {version = ">=1.22.4,<2", markers = "python_version < \"3.11\""},
    {version = ">=1.23.2", markers = "python_version >= \"3.12\""},
    {version = ">=2", markers = "python_version == \"3.11\""},
]

[[package]]
name = "pytest"
version = "7.4.0"
description = ""
optional = false
python-versions = ">=3.7"
files = []

[package.dependencies]
atomicwrites = {version = ">=1.0", markers = "sys_platform == \"win32\""}

[[package]]
name = "left"
version = "1.0"
description = ""
optional = false
python-versions = "*"
files = []

[package.dependencies]
right = "*"

[[package]]
name = "right"
version = "1.0"
description = ""
optional = false
python-versions = "*"
files = []

[package.dependencies]
left = "*"

[metadata]
lock-version = "2.0"
python-versions = "^3.8"
content-hash = "2f1c"
"#;

#[test]
fn poetry_locks_of_both_formats() {
    assert_eq!(told(POETRY, "3.11"), "click 8.5.1, tomli 2.2.1 | tool (from a repository)");
    assert_eq!(told(POETRY, "3.9"), "click 8.1.8, tomli 2.2.1 | tool (from a repository)");
    // Two that require each other alone are installed all the same.
    let rest = "pandas 2.2.2, pytest 7.4.0, right 1.0 | ";
    assert_eq!(told(POETRY_1, "3.11"), format!("left 1.0, numpy 2.0.2, {rest}"));
    assert_eq!(told(POETRY_1, "3.10"), format!("left 1.0, numpy 1.24.4, {rest}"));
    // Both fit what is required there, and no marker decides.
    let forks = pins_of(POETRY_1, "3.12").unwrap_err();
    insta::assert_snapshot!(forks, @"several releases of numpy apply to Python 3.12: 1.24.4, 2.0.2; their markers do not decide it, so export the lock for one environment, such as with `uv export`");
}

#[test]
fn requirements_are_pins() {
    let text = "\
# This file was autogenerated by uv
--index-url https://user:secret@index.example/simple
-e .
-e git+https://user:secret@git.example/tool@main#egg=tool
asgiref==3.11.1 ; python_full_version < '3.10'
asgiref==3.13.0 ; python_full_version >= '3.10' \\
    --hash=sha256:63c1 \\
    --hash=sha256:75ad
    # via flask
Flask[async] == 3.1.3  # why
six===1.16.0
demo @ https://files.example/demo-1.0-py3-none-any.whl
./other-1.0.tar.gz
";
    insta::assert_snapshot!(told(text, "3.11"), @"asgiref 3.13.0, Flask 3.1.3, six 1.16.0 | --index-url (an option of pip), . (a folder), git+https://git.example/tool@main#egg=tool (from a repository), demo (from an address), ./other-1.0.tar.gz (a file of this machine)");
    assert_eq!(told("", "3.11"), " | ");
    assert_eq!(told("# nothing\n", "3.11"), " | ");
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (text, expected) in [
        ("a==1\nb>=2,<3\n", "line 2: `b>=2,<3` is not pinned"),
        ("a\n", "line 1: `a` is not pinned"),
        ("a==1.*\n", "line 1: `a==1.*` is not pinned"),
        ("\n-r base.txt\n", "line 2 includes `base.txt`"),
        ("what is this\n", "line 1: `what is this` is not a requirement"),
        ("a==1\na==2\n", "several releases of a apply to Python 3.11"),
        ("{\"_meta\": {}}", "it is neither"),
        // pdm.lock
        ("[metadata]\nlock_version = '4.5.0'\n[[package]]\nname = 'a'\n", "it is neither"),
        ("version = 2\n", "version `2` of the format of uv.lock is not known"),
        ("lock-version = '2.0'\n", "version `2.0` of the format of pylock.toml is not known"),
        (
            "[metadata]\nlock-version = '3.0'\n",
            "version `3.0` of the format of poetry.lock is not known",
        ),
        ("version = 1\n<<<<<<< HEAD\n[[package]]\n", "line 2 cannot be read as TOML"),
        (
            "version = 1\n\n[[package]]\nname = 'a b'\nversion = '1'\nsource = {}\n",
            "line 4 cannot be read as uv.lock: `a b` is not a project name",
        ),
        (
            "version = 1\n[[package]]\nname = 'a'\n",
            "line 2 cannot be read as uv.lock: missing field",
        ),
    ] {
        let told = error(text);
        assert!(told.starts_with(expected), "{text:?}: {told}");
    }
}

proptest! {
    /// Nothing that stands in a file makes the reading panic, and a pin that is written is read.
    #[test]
    fn any_text_is_read_or_refused(text in "(?s).{0,200}", version in "[0-9]{1,3}(\\.[0-9]{1,3}){0,3}") {
        let _ = pins_of(&text, "3.11");
        for whole in [UV, PYLOCK, POETRY, POETRY_1] {
            let mut cut = whole.to_owned();
            let at = cut.char_indices().map(|(at, _)| at).nth(text.len() * 7 % cut.len());
            cut.insert_str(at.unwrap_or(0), &text);
            let _ = pins_of(&cut, "3.11");
        }
        let pinned = pins_of(&format!("demo=={version}"), "3.11").unwrap();
        let version: Version = version.parse().unwrap();
        prop_assert_eq!(pinned.pins.get(&"demo".parse().unwrap()), Some(&version));
    }
}
