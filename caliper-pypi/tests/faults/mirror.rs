//! A mirror before indexes that work, and before ones that do not: nothing is served that is not verified and
//! whole, nothing wrong is kept, and a client learns what failed.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use caliper_core::names::Sha256;
use caliper_core::question::files::FileSource as _;
use caliper_core::question::lock::Lock;
use caliper_pypi::download::{DownloadOptions, Downloader};
use caliper_pypi::index::{ClientOptions, IndexClient, IndexError, PackageIndex as _, Release};
use caliper_pypi::mirror::{Mirror, MirrorOptions, UnknownUploadTime};
use caliper_pypi::serve::{FolderServer, Forms, ServeOptions};
use caliper_pypi::{Notice, Notices};

use crate::server::{Scripted, client_of, cut, hasty, json, reply, walk};

/// A mirror of what `client` asks, with a folder of its own for files.
struct Bench {
    mirror: Mirror,
    cache: tempfile::TempDir,
}

/// An answer to one request.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).trim_end().to_owned()
    }
}

fn ask(listening: SocketAddr, path: &str, headers: &str) -> Answer {
    let mut stream = TcpStream::connect(listening).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|part| part == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: answer[end + 4..].to_vec() }
}

impl Bench {
    fn new(client: IndexClient) -> Self {
        Self::with(client, UnknownUploadTime::default(), DownloadOptions::default())
    }

    fn with(client: IndexClient, unknown: UnknownUploadTime, options: DownloadOptions) -> Self {
        let cache = tempfile::tempdir().unwrap();
        let files = Downloader::new(&client, cache.path(), options);
        let options = MirrorOptions { unknown_upload_time: unknown, ..MirrorOptions::default() };
        Self { mirror: Mirror::start(client, files, options).unwrap(), cache }
    }

    fn get(&self, path: &str) -> Answer {
        ask(self.mirror.listening(), path, "")
    }

    /// The names of what a page offers, as a client of ours reads it.
    fn offered(&self, as_of: Option<&str>) -> Result<Vec<String>, IndexError> {
        let address = self.mirror.address(as_of.map(|date| date.parse().unwrap()));
        let project = IndexClient::new(address, hasty()).project(&"demo".parse().unwrap())?;
        let files = project.releases().iter().flat_map(Release::files);
        Ok(files.map(|file| file.file.filename.clone()).collect())
    }

    /// What is kept of files: names and lengths.
    fn kept(&self) -> Vec<String> {
        let mut names: Vec<String> = walk(self.cache.path())
            .into_iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .filter(|name| name != ".lock")
            .collect();
        names.sort();
        names
    }
}

/// Puts a small wheel into `folder`.
fn wheel(folder: &Path, project: &str, version: &str) -> PathBuf {
    let path = folder.join(format!("{project}-{version}-py3-none-any.whl"));
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    archive.start_file(format!("{project}-{version}.dist-info/METADATA"), options).unwrap();
    write!(
        archive,
        "Metadata-Version: 2.1\nName: {project}\nVersion: {version}\nRequires-Python: >=3.6\n"
    )
    .unwrap();
    archive.finish().unwrap();
    path
}

/// A folder with three uploads of `demo`, the last withdrawn.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (version, uploaded) in [("1.0", "2019-05-01"), ("1.1", "2020-05-01"), ("2.0", "2021-05-01")]
    {
        let wheel = wheel(folder.path(), "demo", version);
        let uploaded_at = format!("{}.uploaded", wheel.display());
        std::fs::write(uploaded_at, uploaded).unwrap();
    }
    std::fs::write(folder.path().join("demo-2.0-py3-none-any.whl.yanked"), "").unwrap();
    folder
}

fn upstream(folder: &Path, metadata: bool) -> FolderServer {
    FolderServer::start(folder, ServeOptions { metadata, ..ServeOptions::default() }).unwrap()
}

fn client(server: &FolderServer) -> IndexClient {
    IndexClient::new(server.address(), hasty())
}

const WHEEL: &str = "demo-1.1-py3-none-any.whl";

#[test]
fn a_page_of_a_date_has_what_was_there() {
    let folder = folder();
    let server = upstream(folder.path(), true);
    let bench = Bench::new(client(&server));
    assert_eq!(bench.offered(None).unwrap().len(), 3);
    assert_eq!(bench.offered(Some("2020-05-01")).unwrap().len(), 2, "the moment itself counts");
    assert_eq!(bench.offered(Some("2020-04-30T23:59:59Z")).unwrap(), ["demo-1.0-py3-none-any.whl"]);
    assert_eq!(bench.offered(Some("2001-01-01")).unwrap(), [""; 0]);
    assert_eq!(bench.get("/as-of/yesterday/simple/demo/").status, 400);
    assert_eq!(
        bench.get("/as-of/2020-01-01/simple/Demo").head.split("\r\n").next(),
        Some("HTTP/1.1 301 Moved Permanently")
    );
    let absent = bench.get("/as-of/2020-01-01/simple/absent/");
    assert_eq!(absent.status, 404);
    assert!(absent.text().contains("has no project `absent`"), "{}", absent.text());
    assert_eq!(bench.mirror.failures(), 0);
    assert!(bench.mirror.without_upload_time().is_empty());
    // A page links to the same place at every date.
    let page = bench.get("/as-of/2020-05-01/simple/demo/").text();
    let now = bench.get("/simple/demo/").text();
    let digest = Sha256::of(&std::fs::read(folder.path().join(WHEEL)).unwrap()).hex();
    assert!(
        page.contains(&format!("\"../../../../files/{digest}/{WHEEL}#sha256={digest}\"")),
        "{page}"
    );
    assert!(now.contains(&format!("\"../../files/{digest}/{WHEEL}#sha256={digest}\"")), "{now}");
}

#[test]
fn a_lock_is_an_index_of_its_files_alone() {
    let folder = folder();
    wheel(folder.path(), "tool", "1.0");
    let server = upstream(folder.path(), true);
    // A file that the index does not list, nor ever did.
    let elsewhere = tempfile::tempdir().unwrap();
    let own = wheel(elsewhere.path(), "demo", "1.2");
    let own = std::fs::read(own).unwrap();
    let other = upstream(elsewhere.path(), true);
    let filename = "demo-1.2-py3-none-any.whl";
    let digest = Sha256::of(&own).hex();
    let url = other.address().to_string().replace("/simple/", &format!("/files/{filename}"));
    let lock = |recorded: &str| {
        let text = format!(
            "lock-version = \"1.0\"\n[[packages]]\nname = \"Demo\"\nversion = \"1.2\"\n\
             wheels = [{{ url = \"{url}\", hashes = {{ sha256 = \"{digest}\" }} }}]\n\
             [tool.caliper]\nrecorded = {recorded}\n"
        );
        Lock::from_toml(&text).unwrap()
    };
    let bench = Bench::new(client(&server));
    // The folder says of `tool` that it was uploaded now.
    let lock = lock("2100-01-01T00:00:00Z");
    let address = bench.mirror.lock_address(&lock, None);
    let path = |project: &str| format!("/lock/{}/simple/{project}/", lock.digest().hex());
    assert!(address.to_string().ends_with(&path("").replace("//", "/")), "{address}");
    let index = IndexClient::new(address, hasty());
    let offered = |project: &str| -> Vec<String> {
        let project = index.project(&project.parse().unwrap()).unwrap();
        let files = project.releases().iter().flat_map(Release::files);
        files.map(|file| file.file.filename.clone()).collect()
    };
    assert_eq!(offered("demo"), [filename]);
    // What it does not name is there as it was.
    assert_eq!(offered("tool"), ["tool-1.0-py3-none-any.whl"]);
    assert_eq!(bench.get(&path("absent")).status, 404);
    let page = bench.get(&path("demo")).text();
    assert!(page.contains(&format!("../../../../files/{digest}/{filename}#sha256=")), "{page}");
    assert_eq!(bench.get(&format!("/files/{digest}/{filename}.metadata")).status, 200);
    assert_eq!(bench.get(&format!("/files/{digest}/{filename}")).body, own);
    // From the cache, once it is there.
    drop(other);
    assert_eq!(bench.get(&format!("/files/{digest}/{filename}")).body, own);
    assert_eq!(bench.get("/simple/demo/").text().matches("demo-1.2").count(), 0);
    assert_eq!(bench.get(&format!("/lock/{}/simple/demo/", "0".repeat(64))).status, 404);
}

#[test]
fn the_tools_of_builds_have_a_date_of_their_own() {
    let folder = folder();
    for (version, uploaded) in [("1.0", "2018-05-01"), ("2.0", "2020-02-01"), ("3.0", "2021-05-01")]
    {
        let wheel = wheel(folder.path(), "setuptools", version);
        std::fs::write(format!("{}.uploaded", wheel.display()), uploaded).unwrap();
    }
    let server = upstream(folder.path(), false);
    let bench = Bench::new(client(&server));
    let [as_of, tools] = ["2019-06-01", "2020-06-01"].map(|date| date.parse().unwrap());
    let address = bench.mirror.address_for_builds(as_of, tools);
    assert!(address.as_str().ends_with("/as-of/2019-06-01/tools/2020-06-01/simple/"), "{address}");
    let index = IndexClient::new(address, hasty());
    let offered = |project: &str| -> Vec<String> {
        let project = index.project(&project.parse().unwrap()).unwrap();
        project.releases().iter().map(|release| release.version().to_string()).collect()
    };
    assert_eq!(offered("demo"), ["1.0"]);
    assert_eq!(offered("setuptools"), ["1.0", "2.0"]);
    // The links of the page lead to its files.
    let page = bench.get("/as-of/2019-06-01/tools/2020-06-01/simple/setuptools/").text();
    assert!(page.contains("\"../../../../../../files/"), "{page}");
    // Without a date there is none of its own.
    assert_eq!(bench.get("/tools/2020-06-01/simple/demo/").status, 404);
    assert_eq!(bench.get("/as-of/2019-06-01/tools/soon/simple/demo/").status, 400);
}

#[test]
fn both_forms_pass_on_what_the_index_says() {
    let folder = folder();
    let server = upstream(folder.path(), false);
    let bench = Bench::new(client(&server));
    let page = bench.get("/simple/demo/").text().replace(|c: char| !c.is_ascii(), "?");
    let link = page.lines().find(|line| line.contains("demo-2.0")).unwrap();
    let digest =
        Sha256::of(&std::fs::read(folder.path().join("demo-2.0-py3-none-any.whl")).unwrap()).hex();
    insta::assert_snapshot!(link.replace(&digest, "DIGEST"), @r#"<a href="../../files/DIGEST/demo-2.0-py3-none-any.whl#sha256=DIGEST" data-requires-python="&gt;=3.6" data-yanked="" data-core-metadata="true" data-dist-info-metadata="true" data-upload-time="2021-05-01T00:00:00Z">demo-2.0-py3-none-any.whl</a><br>"#);
    let accept = "Accept: application/vnd.pypi.simple.v1+json\r\n";
    let page = ask(bench.mirror.listening(), "/simple/demo/", accept);
    let mut page: serde_json::Value = serde_json::from_slice(&page.body).unwrap();
    let file = page["files"][2].take().to_string();
    insta::assert_snapshot!(file.replace(&digest, "DIGEST"), @r#"{"core-metadata":true,"filename":"demo-2.0-py3-none-any.whl","hashes":{"sha256":"DIGEST"},"requires-python":">=3.6","size":212,"upload-time":"2021-05-01T00:00:00Z","url":"../../files/DIGEST/demo-2.0-py3-none-any.whl","yanked":true}"#);
}

#[test]
fn fifty_clients_fetch_a_file_once() {
    let folder = folder();
    let server = upstream(folder.path(), true);
    let bench = Bench::new(client(&server));
    let bytes = std::fs::read(folder.path().join(WHEEL)).unwrap();
    let path = format!("/files/{}/{WHEEL}", Sha256::of(&bytes).hex());
    let before = server.requests();
    std::thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                assert_eq!(bench.get("/simple/demo/").status, 200);
                let answer = bench.get(&path);
                assert_eq!((answer.status, answer.body == bytes), (200, true));
            });
        }
    });
    // The page, once more to find the file, and the file.
    assert_eq!(server.requests() - before, 3);
    assert_eq!(bench.kept(), [WHEEL]);
    // A part of it is served out of the copy.
    let part = ask(bench.mirror.listening(), &path, "Range: bytes=2-5\r\n");
    assert_eq!((part.status, &part.body[..]), (206, &bytes[2..6]));
    // What is here needs no index any more.
    drop(server);
    assert_eq!(bench.get(&path).body, bytes);
    assert_eq!(bench.get(&format!("{path}.metadata")).status, 200);
    // A copy that was changed meanwhile is not served.
    let copy = walk(bench.cache.path()).into_iter().find(|path| path.ends_with(WHEEL)).unwrap();
    std::fs::write(&copy, b"something else, of another length").unwrap();
    assert_eq!(bench.get(&path).status, 502);
}

#[test]
fn metadata_is_served_where_the_index_has_none() {
    let folder = folder();
    for metadata in [true, false] {
        let server = upstream(folder.path(), metadata);
        let bench = Bench::new(client(&server));
        let digest = Sha256::of(&std::fs::read(folder.path().join(WHEEL)).unwrap()).hex();
        let path = format!("/files/{digest}/{WHEEL}.metadata");
        let answer = bench.get(&path);
        assert!(
            answer.text().starts_with("Metadata-Version: 2.1\nName: demo\n"),
            "{}",
            answer.text()
        );
        assert_eq!(bench.kept(), [format!("{WHEEL}.metadata")], "not the whole wheel");
        let before = server.requests();
        assert_eq!(bench.get(&path).body, answer.body);
        assert_eq!(server.requests(), before, "kept");
        // Once the wheel is here, it is the wheel that says it.
        std::fs::write(
            walk(bench.cache.path()).remove(0).parent().unwrap().join(format!("{WHEEL}.metadata")),
            "no",
        )
        .unwrap();
        assert_eq!(bench.get(&format!("/files/{digest}/{WHEEL}")).status, 200);
        assert_eq!(bench.get(&path).body, answer.body);
        // Our own client finds it by what the page says.
        let here = IndexClient::new(bench.mirror.address(None), hasty());
        let project = here.project(&"demo".parse().unwrap()).unwrap();
        let files = tempfile::tempdir().unwrap();
        let read = Downloader::new(&here, files.path(), DownloadOptions::default())
            .metadata(&project.releases()[0].files()[0])
            .unwrap();
        assert_eq!(read.way, caliper_pypi::download::Way::Beside);
    }
}

#[test]
fn files_without_upload_time_are_named() {
    let digest = Sha256::of(b"an archive").hex();
    let entry = |version: &str, time: &str| {
        format!(
            r#"{{"filename":"demo-{version}.tar.gz","url":"demo-{version}.tar.gz","hashes":{{"sha256":"{digest}"}}{time}}}"#
        )
    };
    let some =
        [entry("1.0", r#","upload-time":"2020-01-01T00:00:00Z""#), entry("2.0", "")].join(",");
    for (unknown, expected) in [(UnknownUploadTime::Exclude, 1), (UnknownUploadTime::Include, 2)] {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&told);
        let notices =
            Notices::to(move |notice: &Notice| heard.lock().unwrap().push(notice.to_string()));
        let server = Scripted::start(vec![json(&some)]);
        let options = ClientOptions { notices, ..hasty() };
        let bench = Bench::with(server.client(options), unknown, DownloadOptions::default());
        assert_eq!(bench.offered(Some("2020-06-01")).unwrap().len(), expected);
        assert_eq!(bench.offered(Some("2021-06-01")).unwrap().len(), expected);
        let named = bench.mirror.without_upload_time();
        assert_eq!(named.values().flatten().collect::<Vec<_>>(), ["demo-2.0.tar.gz"]);
        assert_eq!(told.lock().unwrap().len(), 1, "once");
        if unknown == UnknownUploadTime::Exclude {
            insta::assert_snapshot!(told.lock().unwrap()[0], @"the index gives no upload time for `demo-2.0.tar.gz` of demo: left out in pages of a date");
        }
    }
    // A later mirror knows what is kept, and asks nothing.
    let cache = tempfile::tempdir().unwrap();
    let options = || ClientOptions { cache: Some(cache.path().to_owned()), ..hasty() };
    let server = Scripted::start(vec![json(&some)]);
    let demo = "demo".parse().unwrap();
    for (asked, named) in [(false, &[][..]), (true, &["demo-2.0.tar.gz"])] {
        if asked {
            Bench::new(server.client(options())).offered(None).unwrap();
        }
        let later = Bench::new(server.client(options()));
        assert_eq!(later.mirror.without_upload_time_of(&demo), named);
    }
    assert_eq!(server.requests().len(), 1);
    // Of none of its files: an error, and not an empty page.
    let server = Scripted::start(vec![json(&entry("2.0", ""))]);
    let bench = Bench::new(server.client(hasty()));
    let answer = bench.get("/as-of/2020-01-01/simple/demo/");
    assert_eq!(answer.status, 502);
    insta::assert_snapshot!(answer.text().replace(&server.address.to_string(), "HOST"), @"the index at http://HOST/simple/ gives no upload times for demo, so what it offered at 2020-01-01T00:00:00Z cannot be told: ask for it without a date, or start the mirror so that it includes files without upload time");
    assert_eq!(bench.get("/simple/demo/").status, 200);
}

#[test]
fn a_fault_of_the_index_is_not_an_absent_project() {
    let gone = Scripted::start(vec![reply("404 No", "")]);
    let broken = Scripted::start(vec![reply("500 Broken", "")]);
    let rubbish =
        Scripted::start(vec![reply("200 OK\nContent-Type: text/html", "<h1>Log in</h1>")]);
    let short =
        Scripted::start(vec![cut("200 OK\nContent-Type: text/html\nContent-Length: 99", b"<a>")]);
    let dead = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let secret = Scripted::start(vec![reply("401 Who", "")]);
    let status = |client: IndexClient| {
        let bench = Bench::new(client);
        let answer = bench.get("/simple/demo/");
        assert_eq!(bench.mirror.failures(), u64::from(answer.status != 404));
        assert_eq!(bench.mirror.last_failure().unwrap_or_else(|| answer.text()), answer.text());
        (answer.status, answer.text())
    };
    let (absent, _) = status(client_of(&[&gone], hasty()));
    assert_eq!(absent, 404);
    for server in [&broken, &rubbish, &short, &secret] {
        // Also if it is the second index that fails: what it has is not known.
        let (failed, text) = status(client_of(&[&gone, server], hasty()));
        assert_eq!(failed, 502, "{text}");
        assert!(text.contains(&server.address.to_string()), "{text}");
    }
    let (failed, text) =
        status(IndexClient::new(format!("http://{dead}/").parse().unwrap(), hasty()));
    assert_eq!(failed, 502);
    assert!(text.starts_with(&format!("could not reach http://{dead}/demo/")), "{text}");
}

/// A server with one file of `demo`, for which it answers as `answer` does.
fn with_file(answer: impl Fn(usize, &mut TcpStream) + Send + 'static) -> Scripted {
    let files = Mutex::new(0);
    let page = json(&format!(
        r#"{{"filename":"demo-1.0.tar.gz","url":"/f/demo-1.0.tar.gz","hashes":{{"sha256":"{}"}}}}"#,
        Sha256::of(ARCHIVE).hex()
    ));
    Scripted::answering(move |_, request, stream| {
        if request.starts_with("GET /f/") {
            let mut files = files.lock().unwrap();
            answer(*files, stream);
            *files += 1;
        } else {
            page(stream);
        }
    })
}

const ARCHIVE: &[u8] = b"the bytes of a source distribution";

fn path_of_archive() -> String {
    format!("/files/{}/demo-1.0.tar.gz", Sha256::of(ARCHIVE).hex())
}

#[test]
fn a_file_that_is_not_the_file_is_never_served_nor_kept() {
    let wrong = with_file(|_, stream| reply("200 OK", "something else")(stream));
    let bench = Bench::new(wrong.client(hasty()));
    let answer = bench.get(&path_of_archive());
    assert_eq!(answer.status, 502);
    insta::assert_snapshot!(answer.text().replace(&wrong.address.to_string(), "HOST"), @"could not get `demo-1.0.tar.gz`: http://HOST/f/demo-1.0.tar.gz is not the file that the index describes: expected sha256:a4f836ae67680f32bbde63c38af495709209fd21355c1085becd381ea5307929, got sha256:f41f3fa625ff120ddca7ef456bf66371ecea23c129f4e4c32367101edb516cf8");
    assert_eq!(bench.kept(), [""; 0]);

    // Cut in the middle: what came is gone on from, and not served.
    let declared = format!("200 OK\nContent-Length: {}", ARCHIVE.len());
    let cutting = with_file(move |count, stream| match count {
        0 => cut(&declared, &ARCHIVE[..10])(stream),
        _ => reply("200 OK", ARCHIVE)(stream),
    });
    let bench = Bench::new(cutting.client(hasty()));
    let answer = bench.get(&path_of_archive());
    assert_eq!(answer.status, 502);
    insta::assert_snapshot!(answer.text().replace(&cutting.address.to_string(), "HOST"), @"could not get `demo-1.0.tar.gz`: the answer from http://HOST/f/demo-1.0.tar.gz ended early, after 10 of 34 bytes");
    assert_eq!(bench.kept(), [".part"]);
    let answer = bench.get(&path_of_archive());
    assert_eq!((answer.status, answer.body), (200, ARCHIVE.to_vec()));
    assert_eq!(bench.kept(), ["demo-1.0.tar.gz"]);

    let gone = with_file(|_, stream| reply("404 No", "")(stream));
    let bench = Bench::new(gone.client(hasty()));
    // The index says that it is there: it is a fault that it is not.
    assert_eq!(bench.get(&path_of_archive()).status, 502);
    let other = format!("/files/{}/demo-1.0.tar.gz", Sha256::of(b"").hex());
    let answer = bench.get(&other);
    assert_eq!(answer.status, 404);
    assert!(
        answer.text().contains("has no file `demo-1.0.tar.gz` with sha256:e3b0c442"),
        "{}",
        answer.text()
    );
    for odd in
        ["/files/x/demo-1.0.tar.gz", "/files/..%2f..%2fetc/passwd", "/files", "/simple/a%2fb/"]
    {
        assert_eq!(bench.get(odd).status, 404, "{odd}");
    }
}

#[test]
fn a_slow_index_holds_up_its_own_clients_only() {
    let slow = with_file(|_, stream| {
        std::thread::sleep(Duration::from_millis(1500));
        reply("200 OK", ARCHIVE)(stream);
    });
    let bench = Bench::new(slow.client(hasty()));
    assert_eq!(bench.get("/simple/demo/").status, 200);
    std::thread::scope(|scope| {
        let waiting: Vec<_> =
            (0..20).map(|_| scope.spawn(|| bench.get(&path_of_archive()))).collect();
        std::thread::sleep(Duration::from_millis(200));
        let begun = std::time::Instant::now();
        assert_eq!(bench.get("/simple/demo/").status, 200);
        assert!(begun.elapsed() < Duration::from_secs(1));
        for answer in waiting {
            assert_eq!(answer.join().unwrap().body, ARCHIVE);
        }
    });
    let fetched = slow.requests().iter().filter(|request| request.starts_with("GET /f/")).count();
    assert_eq!(fetched, 1);
    // One that is too slow is given up, with a reason.
    let never = with_file(|_, _| std::thread::sleep(Duration::from_secs(2)));
    let options = ClientOptions { answer_timeout: Duration::from_millis(200), ..hasty() };
    let bench = Bench::new(never.client(options));
    let answer = bench.get(&path_of_archive());
    assert_eq!(answer.status, 502);
    assert!(answer.text().contains("took too long"), "{}", answer.text());
}

#[test]
fn offline_names_what_is_missing() {
    let folder = folder();
    let server = upstream(folder.path(), true);
    let cache = tempfile::tempdir().unwrap();
    let options =
        |offline| ClientOptions { cache: Some(cache.path().join("index")), offline, ..hasty() };
    let start = |offline| {
        let client = IndexClient::new(server.address(), options(offline));
        let files = Downloader::new(&client, cache.path(), DownloadOptions::default());
        Mirror::start(client, files, MirrorOptions::default()).unwrap()
    };
    let bytes = std::fs::read(folder.path().join(WHEEL)).unwrap();
    let path = format!("/files/{}/{WHEEL}", Sha256::of(&bytes).hex());
    {
        let online = start(false);
        assert_eq!(ask(online.listening(), "/simple/demo/", "").status, 200);
        assert_eq!(ask(online.listening(), "/simple/absent/", "").status, 404);
        assert_eq!(ask(online.listening(), &path, "").body, bytes);
    }
    let before = server.requests();
    let offline = start(true);
    let get = |path: &str| ask(offline.listening(), path, "");
    assert_eq!(get("/as-of/2020-06-01/simple/demo/").status, 200);
    assert_eq!(get(&path).body, bytes);
    assert_eq!(get("/simple/absent/").status, 404, "the index said so");
    assert!(get("/simple/").text().contains("<a href=\"demo/\">demo</a>"));
    let other = get("/simple/other/");
    assert_eq!(other.status, 504);
    insta::assert_snapshot!(other.text().replace(&server.listening().to_string(), "HOST"), @"nothing is known of `other` from the index at http://HOST/simple/ without asking it: run once without the offline option");
    let second =
        Sha256::of(&std::fs::read(folder.path().join("demo-1.0-py3-none-any.whl")).unwrap()).hex();
    let file = get(&format!("/files/{second}/demo-1.0-py3-none-any.whl"));
    assert_eq!(file.status, 504);
    insta::assert_snapshot!(file.text(), @"could not get `demo-1.0-py3-none-any.whl`: it is not on this machine yet: run once without the offline option");
    assert_eq!(server.requests(), before, "nothing was asked");
}

#[test]
fn files_without_a_digest_follow_the_options_of_downloads() {
    let page = || json(r#"{"filename":"demo-1.0.tar.gz","url":"/f/demo-1.0.tar.gz","hashes":{}}"#);
    for (allow_unverified, status) in [(false, 502), (true, 200)] {
        let page = page();
        let server = Scripted::answering(move |_, request, stream| {
            if request.starts_with("GET /f/") {
                reply("200 OK", ARCHIVE)(stream);
            } else {
                page(stream);
            }
        });
        let options = DownloadOptions { allow_unverified, ..DownloadOptions::default() };
        let bench = Bench::with(server.client(hasty()), UnknownUploadTime::Exclude, options);
        let page = bench.get("/simple/demo/").text();
        assert!(page.contains("<a href=\"../../files/unverified/demo-1.0.tar.gz\">"), "{page}");
        assert_eq!(bench.get("/files/unverified/demo-1.0.tar.gz").status, status);
    }
}

#[test]
fn the_first_index_that_has_a_project_is_served() {
    let (first, second) = (tempfile::tempdir().unwrap(), folder());
    wheel(first.path(), "demo", "9.0");
    wheel(second.path(), "other", "1.0");
    let servers = [upstream(first.path(), true), upstream(second.path(), true)];
    let [one, two] = servers.each_ref().map(FolderServer::address);
    let bench = Bench::new(IndexClient::of_several(one, [two], hasty()));
    assert_eq!(bench.offered(None).unwrap(), ["demo-9.0-py3-none-any.whl"]);
    assert_eq!(bench.get("/simple/other/").status, 200);
    // Downloads through the mirror are verified once more by our own client.
    let here = IndexClient::new(bench.mirror.address(None), hasty());
    let other = here.project(&"other".parse().unwrap()).unwrap();
    let files = tempfile::tempdir().unwrap();
    let downloader = Downloader::new(&here, files.path(), DownloadOptions::default());
    assert!(downloader.fetch(&other.releases()[0].files()[0].file).is_ok());
}

#[test]
fn an_old_index_in_html_is_mirrored_in_both_forms() {
    let folder = folder();
    let options = ServeOptions { forms: Forms::Html, ..ServeOptions::default() };
    let server = FolderServer::start(folder.path(), options).unwrap();
    let bench = Bench::new(client(&server));
    assert_eq!(bench.offered(Some("2020-06-01")).unwrap().len(), 2);
    let accept = "Accept: application/vnd.pypi.simple.v1+json\r\n";
    let page = ask(bench.mirror.listening(), "/simple/demo/", accept);
    let page: serde_json::Value = serde_json::from_slice(&page.body).unwrap();
    // Sizes are demanded by version 1.1, and HTML has none.
    assert_eq!(page["meta"]["api-version"], "1.0");
    assert_eq!(page["files"][0]["size"], serde_json::Value::Null);
}

#[test]
fn a_port_that_is_taken_is_said() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap();
    let client = IndexClient::new("http://127.0.0.1:1/".parse().unwrap(), hasty());
    let files = Downloader::new(&client, "/nonexistent", DownloadOptions::default());
    let error = Mirror::start(client, files, MirrorOptions { listen, ..MirrorOptions::default() });
    let error = error.unwrap_err().to_string().replace(&listen.to_string(), "HOST");
    insta::assert_snapshot!(error, @"the mirror cannot listen on HOST: choose another address, or port 0 for any free one");
}
