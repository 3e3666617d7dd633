//! Names and addresses that lead elsewhere.

use caliper_core::names::Sha256;
use caliper_core::question::files::FileSource as _;
use caliper_core::question::grid::{DistFile, FileKind};
use caliper_pypi::download::{DownloadOptions, Downloader};
use caliper_pypi::index::{PackageIndex as _, Project, Release};

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

use crate::server::{Scripted, hasty, reply, walk};

/// Names that are more than names, with what makes them so.
fn names() -> Vec<String> {
    let long = format!("demo-1.0{}.tar.gz", "0".repeat(100_000));
    let mut names: Vec<String> = [
        "../demo-1.0.tar.gz",
        "../../../../../../etc/passwd",
        "/etc/demo-1.0.tar.gz",
        "..\\demo-1.0.tar.gz",
        "C:\\demo-1.0.tar.gz",
        "demo-1.0/../../x.tar.gz",
        "demo-1.0.tar.gz/../x",
        "demo-1.0\u{0}.tar.gz",
        "demo-1.0.tar.gz\u{0}",
        "demo-1.0\n.tar.gz",
        "demo-1.0\u{1b}[31m.tar.gz",
        "demo-1.0\u{202e}.tar.gz",
        "d\u{435}mo-1.0.tar.gz", // a Cyrillic letter
        "demo-\u{661}.0.tar.gz", // an Arabic digit
        "demo-1.0-py3-none-../../any.whl",
        "demo-1.0-py3-none-any\u{0}.whl",
        "demo-1.0-py3-none-any\r\n.whl",
        "demo-1.0-1/..-py3-none-any.whl",
        "..",
        ".",
        "",
        "demo-1.0-py3-none-\u{e9}.whl",
    ]
    .map(str::to_owned)
    .into();
    names.push(long);
    names
}

/// Every name that a client took for one of a file.
fn taken(project: &Project) -> Vec<&str> {
    let files = project.releases().iter().flat_map(Release::files);
    files.map(|file| file.file.filename.as_str()).collect()
}

#[test]
fn names_that_lead_elsewhere_are_left_out() {
    let demo = "demo".parse().unwrap();
    let good = "demo-1.0-py3-none-any.whl";
    let mut files = vec![serde_json::json!({ "filename": good, "url": good, "hashes": {} })];
    let mut html = format!("Links for demo <a href={good}>");
    for name in names() {
        files.push(serde_json::json!({ "filename": name, "url": "x", "hashes": {} }));
        // As it is, and with everything escaped: %2e%2e%2f.
        let escaped = percent_encode(name.as_bytes(), NON_ALPHANUMERIC);
        html += &format!("<a href=\"{name}\">x</a><a href=\"{escaped}\">x</a>");
    }
    let json = serde_json::json!({ "meta": { "api-version": "1.0" }, "files": files }).to_string();
    let json = reply("200 OK\nContent-Type: application/vnd.pypi.simple.v1+json", json);
    let project = Scripted::start(vec![json]).client(hasty()).project(&demo).unwrap();
    assert_eq!(taken(&project), [good]);
    assert_eq!(project.malformed().len(), names().len());
    for malformed in project.malformed() {
        let said = malformed.fault.to_string();
        assert!(said.len() < 1000 && !said.contains(char::is_control), "{said:?}");
    }
    let project =
        Scripted::start(vec![reply("200 OK\nContent-Type: text/html", html)]).client(hasty());
    let project = project.project(&demo).unwrap();
    // The folder of a link is not part of the name: those are files of other folders.
    assert!(taken(&project).iter().all(|name| [good, "demo-1.0.tar.gz"].contains(name)));
}

#[test]
fn no_name_leads_a_download_out_of_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let server = Scripted::start(vec![reply("200 OK", "bytes")]);
    let downloader = Downloader::new(
        &server.client(hasty()),
        folder.path().join("cache"),
        DownloadOptions { allow_unverified: true, ..DownloadOptions::default() },
    );
    for name in names() {
        let file = DistFile {
            filename: name,
            url: format!("http://{}/x", server.address),
            sha256: Some(Sha256::of(b"bytes")),
            size: None,
            kind: FileKind::Sdist,
            upload_time: None,
            requires_python: None,
            yanked: false,
        };
        for file in [DistFile { sha256: None, ..file.clone() }, file] {
            match downloader.fetch(&file) {
                // A strange name, and the name of a file all the same.
                Ok(path) => assert!(path.starts_with(folder.path().join("cache")), "{path:?}"),
                Err(error) => {
                    let source = std::error::Error::source(&error).unwrap().to_string();
                    assert!(source.contains("is not accepted as the name of a file"), "{source}");
                    assert!(!format!("{error} {source}").contains(char::is_control));
                }
            }
        }
    }
    for path in walk(folder.path()) {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(!name.contains(char::is_control) && !name.contains(['/', '\\']), "{name:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "only the cache");
}

#[test]
fn an_address_leads_to_a_server_or_is_none() {
    let demo = "demo".parse().unwrap();
    let cases = [
        ("demo.tar.gz", Some("http://HOST/simple/demo/demo.tar.gz")),
        ("../../../../../etc/passwd", Some("http://HOST/etc/passwd")),
        (
            "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
            Some("http://HOST/simple/demo/%2e%2e%2f%2e%2e%2fetc%2fpasswd"),
        ),
        ("/a\u{0}b", Some("http://HOST/a%00b")),
        ("//other.example/x", Some("http://other.example/x")),
        ("http://me:hush@other.example/x#sha256=1", Some("http://other.example/x")),
        ("file:///etc/passwd", None),
        ("FILE:/etc/passwd", None),
        ("javascript:alert(1)", None),
        ("data:text/plain,x", None),
        ("ftp://other.example/x", None),
        ("http://", None),
        ("http://[::1", None),
        ("http://a b/", None),
    ];
    for (url, expected) in cases {
        let file = serde_json::json!({ "filename": "demo-1.0.tar.gz", "url": url, "hashes": {} });
        let server = Scripted::start(vec![crate::server::json(&file.to_string())]);
        let project = server.client(hasty()).project(&demo).unwrap();
        let file = project.releases().first().map(|release| release.files()[0].file.url.clone());
        let file = file.map(|url| url.replace(&server.address.to_string(), "HOST"));
        assert_eq!(file.as_deref(), expected, "{url}");
        assert_eq!(project.malformed().len(), usize::from(expected.is_none()), "{url}");
    }
}
