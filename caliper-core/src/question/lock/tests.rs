use super::*;
use crate::question::interpreter::Libc;

fn file(filename: &str, kind: FileKind) -> LockedFile {
    LockedFile {
        filename: filename.to_owned(),
        url: format!("https://files.example/{filename}"),
        sha256: Sha256::of(filename.as_bytes()),
        kind,
        upload_time: Some("2022-04-28T17:21:25.5Z".parse().unwrap()),
        size: Some(7),
    }
}

fn lock() -> Lock {
    let package = |name: &str, version: &str, file| LockedPackage {
        name: name.parse().unwrap(),
        version: version.parse().unwrap(),
        file,
    };
    let bare =
        LockedFile { upload_time: None, size: None, ..file("six-1.16.0.tar.gz", FileKind::Sdist) };
    Lock {
        python: Some(PythonVersion::new(3, 11)),
        platform: Some(Platform::Linux {
            arch: "x86_64".to_owned(),
            libc: Libc::Glibc { major: 2, minor: 36 },
        }),
        index: Some("https://index.example/simple/".to_owned()),
        as_of: Some("2022-05-01".parse().unwrap()),
        recorded: Some("2026-11-28T19:00:00Z".parse().unwrap()),
        packages: vec![
            package(
                "MarkupSafe",
                "2.1.1",
                file("MarkupSafe-2.1.1-cp311-cp311-linux_x86_64.whl", FileKind::Wheel),
            ),
            package("six", "1.16.0", bare),
        ],
    }
}

#[test]
fn a_lock_is_a_pylock() {
    insta::assert_snapshot!(lock().to_toml(), @r#"
    lock-version = "1.0"
    environments = ["sys_platform == 'linux' and platform_machine == 'x86_64'"]
    requires-python = "==3.11.*"
    created-by = "caliper"

    [[packages]]
    name = "markupsafe"
    version = "2.1.1"
    index = "https://index.example/simple/"
    wheels = [{ name = "MarkupSafe-2.1.1-cp311-cp311-linux_x86_64.whl", upload-time = 2022-04-28T17:21:25.5Z, url = "https://files.example/MarkupSafe-2.1.1-cp311-cp311-linux_x86_64.whl", size = 7, hashes = { sha256 = "b401eea29f25a1a1a95df99610f72692963151c38cafffb3be61713c84b257b3" } }]

    [[packages]]
    name = "six"
    version = "1.16.0"
    index = "https://index.example/simple/"
    sdist = { name = "six-1.16.0.tar.gz", url = "https://files.example/six-1.16.0.tar.gz", hashes = { sha256 = "135e350f19a413031effd323157deca33127accf74d95f3a723e6ed10ee8ef25" } }

    [tool.caliper]
    index = "https://index.example/simple/"
    as-of = 2022-05-01T00:00:00Z
    recorded = 2026-11-28T19:00:00Z
    "#);
}

#[test]
fn what_is_written_is_read() {
    let lock = lock();
    let read = Lock::from_toml(&lock.to_toml()).unwrap();
    assert_eq!(read, Lock { platform: None, ..lock });
    let empty = Lock {
        python: None,
        platform: None,
        index: None,
        as_of: None,
        recorded: None,
        packages: Vec::new(),
    };
    assert_eq!(Lock::from_toml(&empty.to_toml()).unwrap(), empty);
}

#[test]
fn a_file_of_this_machine_is_named_by_its_path() {
    let text = lock().to_toml_with(&|file| {
        (file.kind == FileKind::Sdist).then(|| "/a \"b\"/six.tar.gz".to_owned())
    });
    let line = text.lines().find(|line| line.starts_with("sdist")).unwrap();
    insta::assert_snapshot!(line, @r#"sdist = { name = "six-1.16.0.tar.gz", path = "/a \"b\"/six.tar.gz", hashes = { sha256 = "135e350f19a413031effd323157deca33127accf74d95f3a723e6ed10ee8ef25" } }"#);
    // It is looked up in no index.
    assert_eq!(text.matches("\nindex = ").count(), 2, "{text}");
}

#[test]
fn anything_else_is_refused_by_name() {
    let digest = "a".repeat(64);
    let one = |rest: &str| format!("lock-version = \"1.0\"\n[[packages]]\nname = \"a\"\n{rest}");
    let wheel = format!(
        "{{ url = \"https://x/a-1-py3-none-any.whl\", hashes = {{ sha256 = \"{digest}\" }} }}"
    );
    let cases = [
        "no lock [".to_owned(),
        "packages = []".to_owned(),
        "lock-version = \"2.0\"".to_owned(),
        one(""),
        one("version = \"1\""),
        one("version = \"1\"\nvcs = { type = \"git\" }"),
        one(&format!("version = \"1\"\nwheels = [{wheel}, {wheel}]")),
        one("version = \"1\"\nwheels = [{ path = \"../a.whl\" }]"),
        one("version = \"1\"\nwheels = [{ url = \"file:///a.whl\" }]"),
        one(
            "version = \"1\"\nsdist = { url = \"https://x/a-1.tar.gz\", hashes = { md5 = \"0\" } }",
        ),
        format!(
            "{}\n[[packages]]\nname = \"A\"\nversion = \"1\"\nwheels = [{wheel}]",
            one(&format!("version = \"1\"\nwheels = [{wheel}]"))
        ),
        "lock-version = \"1.0\"\n[[packages]]\nname = \"-\"".to_owned(),
    ];
    let errors = cases.map(|text| Lock::from_toml(&text).unwrap_err().to_string());
    insta::assert_snapshot!(errors.join("\n"), @"
    it is not a `pylock.toml`: key with no value, expected `=`
    it is not a `pylock.toml`: missing field `lock-version`
    it has lock version 2.0, and this Caliper reads 1.0; use a newer Caliper
    its package `a` has no version: write one with uv or pip from packages of an index
    its package `a` has not exactly one file: only locks for one Python and one platform can be taken
    its package `a` has not exactly one file: only locks for one Python and one platform can be taken
    its package `a` has not exactly one file: only locks for one Python and one platform can be taken
    its package `a` has a file without `url`
    its package `a` has a file without `url`
    its package `a` has a file without a valid `hashes.sha256`
    it has `A` more than once: it is for several environments, and Caliper takes one for each cell
    its package `-` has no valid name
    ");
}
