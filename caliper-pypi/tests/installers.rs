//! A served folder as pip and uv see it. They are not on every machine, so these are run by name,
//!
//! `CALIPER_PYTHON=/path/to/python cargo test -p caliper-pypi --test installers -- --ignored`,
//!
//! where that Python has pip and uv installed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::process::{Command, Output};

use caliper_pypi::serve::{FolderServer, Forms, ServeOptions};

/// Runs a module of the Python, without what this machine's environment would add.
fn run(arguments: &[&str], environment: &[(&str, &Path)]) -> (bool, String) {
    let python = std::env::var_os("CALIPER_PYTHON").unwrap_or_else(|| "python3".into());
    let mut command = Command::new(python);
    command.arg("-m").args(arguments).env("NO_PROXY", "127.0.0.1");
    command.env_remove("PIP_FIND_LINKS").env_remove("PIP_INDEX_URL").envs(environment.to_vec());
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    (status.success(), text)
}

/// A folder with two releases, the newer one withdrawn.
fn served(forms: Forms) -> (tempfile::TempDir, FolderServer) {
    let folder = tempfile::tempdir().unwrap();
    for version in ["1.0", "2.0"] {
        let name = format!("demo-{version}-py3-none-any.whl");
        let info = format!("demo-{version}.dist-info");
        let mut archive =
            zip::ZipWriter::new(std::fs::File::create(folder.path().join(name)).unwrap());
        for (member, text) in [
            ("METADATA", format!("Metadata-Version: 2.1\nName: demo\nVersion: {version}\n")),
            (
                "WHEEL",
                "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
                    .to_owned(),
            ),
            ("RECORD", format!("{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")),
        ] {
            let options = zip::write::SimpleFileOptions::default();
            archive.start_file(format!("{info}/{member}"), options).unwrap();
            std::io::Write::write_all(&mut archive, text.as_bytes()).unwrap();
        }
        archive.finish().unwrap();
    }
    std::fs::write(folder.path().join("demo-2.0-py3-none-any.whl.yanked"), "broken").unwrap();
    let options = ServeOptions { forms, ..ServeOptions::default() };
    let server = FolderServer::start(folder.path(), options).unwrap();
    (folder, server)
}

#[test]
#[ignore = "needs a Python with pip"]
fn pip_downloads_what_is_not_yanked() {
    for forms in [Forms::Negotiated, Forms::Html, Forms::Json] {
        let (_folder, server) = served(forms);
        let to = tempfile::tempdir().unwrap();
        let address = server.address().to_string();
        let arguments =
            ["pip", "download", "--no-cache-dir", "--index-url", &address, "demo", "-d"];
        let (good, text) = run(&[&arguments[..], &[to.path().to_str().unwrap()]].concat(), &[]);
        assert!(good, "{text}");
        assert!(to.path().join("demo-1.0-py3-none-any.whl").exists(), "{text}");
    }
}

#[test]
#[ignore = "needs a Python with uv"]
fn uv_installs_from_it_with_and_without_a_date() {
    let (folder, server) = served(Forms::Negotiated);
    std::fs::write(folder.path().join("demo-1.0-py3-none-any.whl.uploaded"), "2020-01-01").unwrap();
    let to = tempfile::tempdir().unwrap();
    let address = server.address().to_string();
    let (good, text) = run(&["uv", "venv", to.path().to_str().unwrap()], &[]);
    assert!(good, "{text}");
    let install = |arguments: &[&str]| {
        // Named, because `python -m uv` takes the Python that it was started with before any other.
        let python = to.path().to_str().unwrap();
        let fixed = ["uv", "pip", "install", "--no-cache", "--python", python, "--default-index"];
        run(&[&fixed[..], &[&address], arguments].concat(), &[])
    };
    let (good, text) = install(&["demo", "--exclude-newer", "2021-01-01"]);
    assert!(good && text.contains("demo==1.0"), "{text}");
    let (good, text) = install(&["demo==2.0"]);
    assert!(good && text.contains("demo==2.0") && text.contains("broken"), "{text}");
    let (good, text) = install(&["demo==2.0", "--reinstall", "--exclude-newer", "2021-01-01"]);
    assert!(!good, "{text}");
}
