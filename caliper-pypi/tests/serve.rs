//! A served folder, as our own client, pip and uv see it; and downloads from it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, Mutex};

use caliper_core::names::Sha256;
use caliper_core::question::files::FileSource as _;
use caliper_core::question::grid::DistFile;
use caliper_pypi::download::{DownloadError, DownloadOptions, Downloader, Progress};
use caliper_pypi::index::{ClientOptions, IndexClient, PackageIndex as _, Project, Release};
use caliper_pypi::metadata::{read_metadata, record_paths};
use caliper_pypi::serve::{FolderServer, Forms, ServeOptions};

const WHEEL: &str = "demo-1.0-py3-none-any.whl";

/// Puts a small wheel into `folder`.
fn wheel(folder: &Path, project: &str, version: &str, headers: &str) -> String {
    let filename = format!("{project}-{version}-py3-none-any.whl");
    let info = format!("{project}-{version}.dist-info");
    let metadata =
        format!("Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n{headers}\nText\n");
    let members = [
        (format!("{project}/__init__.py"), String::new()),
        (format!("{info}/METADATA"), metadata),
        (
            format!("{info}/WHEEL"),
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
                .into(),
        ),
        (
            format!("{info}/RECORD"),
            format!(
                "{project}/__init__.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
            ),
        ),
    ];
    archive(&folder.join(&filename), &members);
    filename
}

fn archive(path: &Path, members: &[(String, String)]) {
    let mut archive = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, text) in members {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap();
}

/// A folder with a wheel and its sidecars, and a source distribution of a project with a dash.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    wheel(
        path,
        "demo",
        "1.0",
        "Requires-Python: >=3.6,\n  <4\nRequires-Dist: a-b>=1 ; extra == 'x'\n",
    );
    std::fs::write(path.join(format!("{WHEEL}.yanked")), "broken & \"bad\"").unwrap();
    std::fs::write(path.join(format!("{WHEEL}.uploaded")), "2020-01-02T03:04:05Z\n").unwrap();
    wheel(path, "demo", "2.0+local.1", "");
    std::fs::write(path.join("a-b-1.0.tar.gz"), b"an archive").unwrap();
    std::fs::write(path.join("notes.txt"), b"nothing to install").unwrap();
    folder
}

fn project(server: &FolderServer, name: &str) -> Project {
    let client = IndexClient::new(server.address(), ClientOptions::default());
    client.project(&name.parse().unwrap()).unwrap()
}

/// Sends a request as it stands; gives the answer as text.
fn raw(server: &FolderServer, request: &str) -> String {
    let mut stream = TcpStream::connect(server.listening()).unwrap();
    write!(stream, "{request}\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn both_forms_tell_the_same() {
    let folder = folder();
    let serve = |forms| {
        FolderServer::start(folder.path(), ServeOptions { forms, ..ServeOptions::default() })
            .unwrap()
    };
    let json = serve(Forms::Json);
    let html = serve(Forms::Html);
    let mut of_json = project(&json, "Demo");
    let of_html = project(&html, "demo");
    let shown = |project: &Project, server: &FolderServer| {
        let files = project.releases().iter().flat_map(Release::files);
        let files: Vec<_> = files
            .map(|file| DistFile { size: None, ..file.file.clone() }) // HTML has no size
            .collect();
        serde_json::to_string_pretty(&files)
            .unwrap()
            .replace(&server.listening().to_string(), "HOST")
    };
    assert_eq!(shown(&of_json, &json), shown(&of_html, &html));
    let first = &of_json.releases()[0].files()[0].file;
    assert_eq!(first.requires_python.as_deref(), Some(">=3.6, <4"));
    assert_eq!(first.upload_time.unwrap().to_string(), "2020-01-02T03:04:05Z");
    assert!(first.yanked);
    let bytes = std::fs::read(folder.path().join(WHEEL)).unwrap();
    assert_eq!((first.sha256, first.size), (Some(Sha256::of(&bytes)), Some(bytes.len() as u64)));
    // The folder may change.
    std::fs::remove_file(folder.path().join(format!("{WHEEL}.yanked"))).unwrap();
    wheel(folder.path(), "demo", "3.0", "");
    of_json = project(&json, "demo");
    assert_eq!(of_json.releases().len(), 3);
    assert!(!of_json.releases()[0].files()[0].file.yanked);
}

#[test]
fn pages_ranges_and_validators() {
    let folder = folder();
    let server = FolderServer::start(folder.path(), ServeOptions::default()).unwrap();
    let status =
        |request: &str| raw(&server, request).lines().next().unwrap_or_default().to_owned();
    assert_eq!(status("GET /simple/ HTTP/1.1"), "HTTP/1.1 200 OK");
    assert_eq!(status("GET /simple/A_B HTTP/1.1"), "HTTP/1.1 301 Moved Permanently");
    assert_eq!(status("GET /simple/absent/ HTTP/1.1"), "HTTP/1.1 404 Not Found");
    assert_eq!(status("GET /files/notes.txt HTTP/1.1"), "HTTP/1.1 404 Not Found");
    assert_eq!(status("GET /files/..%2Fnotes.txt HTTP/1.1"), "HTTP/1.1 404 Not Found");
    assert_eq!(status("GET /files/../notes.txt HTTP/1.1"), "HTTP/1.1 404 Not Found");
    assert_eq!(status("POST /simple/ HTTP/1.1"), "HTTP/1.1 405 Method Not Allowed");
    assert_eq!(status("GET /simple/ HTTP/1.1\r\nAccept: image/png"), "HTTP/1.1 406 Not Acceptable");

    let part = raw(&server, "GET /files/a-b-1.0.tar.gz HTTP/1.1\r\nRange: bytes=3-6");
    assert!(part.starts_with("HTTP/1.1 206"), "{part}");
    assert!(part.contains("content-range: bytes 3-6/10\r\n") && part.ends_with("arch"), "{part}");
    let beyond = status("GET /files/a-b-1.0.tar.gz HTTP/1.1\r\nRange: bytes=10-");
    assert_eq!(beyond, "HTTP/1.1 416 Range Not Satisfiable");
    let head = raw(&server, "HEAD /files/a-b-1.0.tar.gz HTTP/1.1");
    assert!(head.contains("content-length: 10\r\n") && head.ends_with("\r\n\r\n"), "{head}");

    let page = raw(&server, "GET /simple/demo/ HTTP/1.1");
    assert!(page.contains("data-yanked=\"broken &amp; &quot;bad&quot;\""), "{page}");
    let etag = page.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let again = status(&format!("GET /simple/demo/ HTTP/1.1\r\nIf-None-Match: {etag}"));
    assert_eq!(again, "HTTP/1.1 304 Not Modified");

    let metadata = raw(&server, &format!("GET /files/{WHEEL}.metadata HTTP/1.1"));
    assert!(metadata.contains("\r\n\r\nMetadata-Version: 2.1\nName: demo\n"), "{metadata}");
}

#[test]
fn a_dropped_server_is_gone() {
    let folder = folder();
    let server = FolderServer::start(folder.path(), ServeOptions::default()).unwrap();
    let address = server.listening();
    assert!(TcpStream::connect(address).is_ok());
    drop(server);
    // The listener is closed by another thread, a moment later.
    let gone = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        TcpStream::connect(address).is_err()
    });
    assert!(gone);
}

#[test]
fn a_folder_that_is_none_is_said() {
    let error = FolderServer::start("/nonexistent/folder", ServeOptions::default()).unwrap_err();
    insta::assert_snapshot!(error, @"cannot serve the folder `/nonexistent/folder`");
}

#[test]
fn a_client_that_may_keep_pages_asks_once() {
    let (folder, cache) = (folder(), tempfile::tempdir().unwrap());
    let max_age = std::time::Duration::from_secs(60);
    let options = ServeOptions { max_age, ..ServeOptions::default() };
    let server = FolderServer::start(folder.path(), options).unwrap();
    for _ in 0..3 {
        let cache = Some(cache.path().to_owned());
        let options = ClientOptions { cache, ..ClientOptions::default() };
        IndexClient::new(server.address(), options).project(&"demo".parse().unwrap()).unwrap();
    }
    assert_eq!(server.requests(), 1);
}

// Downloads.

fn downloader(server: &FolderServer, folder: &Path, options: DownloadOptions) -> Downloader {
    Downloader::new(&IndexClient::new(server.address(), ClientOptions::default()), folder, options)
}

fn first_file(server: &FolderServer) -> DistFile {
    project(server, "demo").releases()[0].files()[0].file.clone()
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".lock")
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_is_fetched_once_and_verified() {
    let (folder, cache) = (folder(), tempfile::tempdir().unwrap());
    let server = FolderServer::start(folder.path(), ServeOptions::default()).unwrap();
    let file = first_file(&server);
    let downloader = downloader(&server, cache.path(), DownloadOptions::default());
    assert_eq!(downloader.cached(&file), None);
    let before = server.requests();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| downloader.fetch(&file).unwrap());
        }
    });
    assert_eq!(server.requests() - before, 1);
    let path = downloader.fetch(&file).unwrap();
    assert_eq!(path.file_name().unwrap(), WHEEL);
    assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(folder.path().join(WHEEL)).unwrap());
    assert_eq!(downloader.cached(&file), Some(path.clone()));
    assert_eq!(names(path.parent().unwrap()), [WHEEL]);

    let metadata = read_metadata(&path).unwrap();
    assert_eq!(metadata.requires_python.as_deref(), Some(">=3.6, <4"));
    assert_eq!(metadata.requires_dist, ["a-b>=1 ; extra == 'x'"]);
    assert_eq!(
        record_paths(&path).unwrap(),
        [
            "demo-1.0.dist-info/METADATA",
            "demo-1.0.dist-info/RECORD",
            "demo-1.0.dist-info/WHEEL",
            "demo/__init__.py",
        ]
    );
}

#[test]
fn a_copy_that_was_changed_is_fetched_anew() {
    let (folder, cache) = (folder(), tempfile::tempdir().unwrap());
    let server = FolderServer::start(folder.path(), ServeOptions::default()).unwrap();
    let file = first_file(&server);
    let downloader = downloader(&server, cache.path(), DownloadOptions::default());
    let path = downloader.fetch(&file).unwrap();
    let good = std::fs::read(&path).unwrap();
    let mut changed = good.clone();
    changed[40] ^= 1;
    std::fs::write(&path, &changed).unwrap();
    assert!(downloader.has_copy(&file));
    assert_eq!(downloader.cached(&file), None);
    assert_eq!(std::fs::read(downloader.fetch(&file).unwrap()).unwrap(), good);
}

#[test]
fn progress_is_told() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(folder.path().join("demo-1.0.tar.gz"), vec![7; 1_000_000]).unwrap();
    let server = FolderServer::start(folder.path(), ServeOptions::default()).unwrap();
    let downloader = downloader(&server, cache.path(), DownloadOptions::default());
    let mut seen = Vec::new();
    downloader.fetch_with_progress(&first_file(&server), &mut |now| seen.push(now)).unwrap();
    assert!(seen.len() > 2 && seen.is_sorted_by_key(|now| now.done));
    assert_eq!(seen.last(), Some(&Progress { done: 1_000_000, total: Some(1_000_000) }));
}

#[test]
fn what_is_not_the_file_never_gets_its_name() {
    let (folder, cache) = (folder(), tempfile::tempdir().unwrap());
    let server = FolderServer::start(folder.path(), ServeOptions::default()).unwrap();
    let file = first_file(&server);
    let downloader = downloader(&server, cache.path(), DownloadOptions::default());
    let wrong = DistFile { sha256: Some(Sha256::of(b"something else")), ..file.clone() };
    let error = downloader.fetch(&wrong).unwrap_err();
    insta::assert_snapshot!(error, @"could not get `demo-1.0-py3-none-any.whl`");
    let source = error.source.downcast_ref::<DownloadError>().unwrap();
    assert!(matches!(source, DownloadError::Digest { .. }), "{source:?}");
    let folder_of = cache.path().join("files").join(wrong.sha256.unwrap().hex());
    assert_eq!(names(&folder_of), [""; 0]);

    let source = |file: &DistFile| downloader.fetch(file).unwrap_err().source.to_string();
    let nameless = DistFile { filename: "../../demo".into(), ..file.clone() };
    insta::assert_snapshot!(source(&nameless), @"`../../demo` is not accepted as the name of a file");
    let bare = DistFile { sha256: None, ..file.clone() };
    insta::assert_snapshot!(source(&bare), @"the index gives no sha256 for it, and files that cannot be verified are not allowed");
    let small = DistFile { size: Some(3), ..file.clone() };
    assert!(source(&small).contains("larger than the limit of 3 bytes"));

    let trusting = DownloadOptions { allow_unverified: true, ..DownloadOptions::default() };
    let trusting = Downloader::new(
        &IndexClient::new(server.address(), ClientOptions::default()),
        cache.path(),
        trusting,
    );
    assert_eq!(trusting.fetch(&bare).unwrap().file_name().unwrap(), WHEEL);

    let offline = ClientOptions { offline: true, ..ClientOptions::default() };
    let offline = IndexClient::new(server.address(), offline);
    let offline = Downloader::new(&offline, cache.path(), DownloadOptions::default());
    let error = offline.fetch(&file).unwrap_err();
    assert!(matches!(error.source.downcast_ref(), Some(DownloadError::Offline)));
}

/// Serves `bytes` in pieces: each connection gets at most `piece` bytes, then is cut.
fn cutting_server(bytes: Vec<u8>, piece: usize, ranges: bool) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/demo-1.0.tar.gz", listener.local_addr().unwrap());
    let requests: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = Arc::clone(&requests);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                request.push(byte[0]);
            }
            let request = String::from_utf8(request).unwrap().to_lowercase();
            let start = request.split("range: bytes=").nth(1).filter(|_| ranges);
            let start: usize =
                start.map_or(0, |rest| rest.split('-').next().unwrap().parse().unwrap());
            heard.lock().unwrap().push(request);
            let status = if start > 0 { "206 Partial Content" } else { "200 OK" };
            let left = bytes.len() - start;
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: {left}\r\nETag: \"v1\"\r\n\
                 Content-Range: bytes {start}-{}/{}\r\nConnection: close\r\n\r\n",
                bytes.len() - 1,
                bytes.len()
            );
            let _ = stream.write_all(&bytes[start..bytes.len().min(start + piece)]);
        }
    });
    (url, requests)
}

fn described(url: &str, bytes: &[u8]) -> DistFile {
    let mut file = Project::from_filenames("demo".parse().unwrap(), ["demo-1.0.tar.gz"]).releases()
        [0]
    .files()[0]
        .file
        .clone();
    (file.url, file.sha256) = (url.to_owned(), Some(Sha256::of(bytes)));
    file
}

fn hasty_downloader(cache: &Path) -> Downloader {
    let options = ClientOptions { retries: 1, ..ClientOptions::default() };
    let client = IndexClient::new("http://127.0.0.1:1/".parse().unwrap(), options);
    Downloader::new(&client, cache, DownloadOptions::default())
}

#[test]
fn a_cut_download_goes_on() {
    let cache = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    // More cuts than retries: only failures without progress count.
    let (url, requests) = cutting_server(bytes.clone(), 300_000, true);
    let path = hasty_downloader(cache.path()).fetch(&described(&url, &bytes)).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), bytes);
    let requests = requests.lock().unwrap();
    assert_eq!(requests.len(), 4);
    assert!(requests[3].contains("if-range: \"v1\""), "{}", requests[3]);
}

#[test]
fn a_cut_download_without_ranges_ends() {
    let cache = tempfile::tempdir().unwrap();
    let bytes = vec![1; 100_000];
    let (url, requests) = cutting_server(bytes.clone(), 60_000, false);
    let error = hasty_downloader(cache.path()).fetch(&described(&url, &bytes)).unwrap_err();
    assert!(error.source.to_string().contains("ended early"), "{}", error.source);
    assert!(requests.lock().unwrap().len() < 5);
}

#[test]
fn what_a_killed_process_left_is_used() {
    let cache = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..50_000_u32).flat_map(u32::to_le_bytes).collect();
    let (url, requests) = cutting_server(bytes.clone(), usize::MAX / 2, true);
    let file = described(&url, &bytes);
    let folder = cache.path().join("files").join(file.sha256.unwrap().hex());
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(".part"), &bytes[..1000]).unwrap();
    let path = hasty_downloader(cache.path()).fetch(&file).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), bytes);
    assert!(requests.lock().unwrap()[0].contains("range: bytes=1000-"));

    // Left-overs of another file are found out, and do not stand in the way.
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(".part"), vec![9; 1000]).unwrap();
    let path = hasty_downloader(cache.path()).fetch(&file).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), bytes);
}

// Archives that want to harm.

#[test]
fn a_wheel_that_leads_out_of_itself_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for bad in ["../evil.py", "/etc/evil", "a/../../evil", "C:/evil", "a\\..\\evil"] {
        let path = folder.path().join(WHEEL);
        archive(&path, &[(bad.to_owned(), String::new())]);
        let error = record_paths(&path).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("could lead out"), "{bad}: {source}");
    }
}

#[test]
fn a_wheel_whose_metadata_is_a_bomb_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(WHEEL);
    archive(&path, &[("demo-1.0.dist-info/METADATA".to_owned(), " ".repeat(50_000_000))]);
    let error = read_metadata(&path).unwrap_err();
    insta::assert_snapshot!(std::error::Error::source(&error).unwrap(), @"it holds more than is read of any wheel");
    std::fs::write(&path, b"no archive").unwrap();
    let error = read_metadata(&path).unwrap_err();
    insta::assert_snapshot!(std::error::Error::source(&error).unwrap(), @"it is not a whole zip archive");
}
