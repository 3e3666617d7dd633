//! The client against servers that do everything wrong: bounded time, a clear error, and nothing kept
//! that is not whole.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use caliper_pypi::index::{ClientOptions, IndexClient, IndexError, PackageIndex as _};
use caliper_pypi::netrc::Netrc;
use caliper_pypi::{Notice, Notices, RequestError};

/// What a server does with one connection after it has read the request.
type Step = Box<dyn Fn(&mut TcpStream) + Send>;

/// A server that takes one step for each connection, and repeats the last one.
struct Scripted {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    fn start(steps: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&requests);
        std::thread::spawn(move || {
            for (count, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                let mut request = Vec::new();
                let mut byte = [0];
                while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                    request.push(byte[0]);
                }
                heard.lock().unwrap().push(String::from_utf8(request).unwrap());
                steps[count.min(steps.len() - 1)](&mut stream);
            }
        });
        Self { address, requests }
    }

    fn client(&self, options: ClientOptions) -> IndexClient {
        self.client_as("", options)
    }

    fn client_as(&self, credentials: &str, options: ClientOptions) -> IndexClient {
        let address = format!("http://{credentials}{}/simple/", self.address);
        IndexClient::new(address.parse().unwrap(), options)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Asks for `demo`; the error, with the port masked.
    fn error(&self, options: ClientOptions) -> (IndexError, String) {
        let error = self.client(options).project(&"demo".parse().unwrap()).unwrap_err();
        let text = error.to_string().replace(&self.address.to_string(), "HOST");
        (error, text)
    }
}

/// An answer with this head and body.
fn reply(head: &str, body: impl Into<Vec<u8>>) -> Step {
    let (head, body) = (head.replace('\n', "\r\n"), body.into());
    Box::new(move |stream| {
        let _ = write!(
            stream,
            "HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let _ = stream.write_all(&body);
    })
}

fn json(files: &str) -> Step {
    json_with("", files)
}

fn json_with(headers: &str, files: &str) -> Step {
    reply(
        &format!("200 OK\nContent-Type: application/vnd.pypi.simple.v1+json{headers}"),
        format!(r#"{{"meta":{{"api-version":"1.0"}},"name":"demo","files":[{files}]}}"#),
    )
}

const DEMO: &str = r#"{"filename":"demo-1.0.tar.gz","url":"demo-1.0.tar.gz","hashes":{}}"#;

/// No retries, and little patience.
fn hasty() -> ClientOptions {
    ClientOptions {
        retries: 0,
        answer_timeout: Duration::from_millis(400),
        whole_timeout: Duration::from_millis(900),
        ..ClientOptions::default()
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn passing_faults_are_tried_again() {
    let notices: Arc<Mutex<Vec<Notice>>> = Arc::default();
    let sink = Arc::clone(&notices);
    let server = Scripted::start(vec![
        reply("500 Oh", ""),
        reply("429 Slow\nRetry-After: 0", ""),
        Box::new(|_| {}), // closes without a word
        json(DEMO),
    ]);
    let client = server.client(ClientOptions {
        notices: Notices::to(move |notice| sink.lock().unwrap().push(notice.clone())),
        ..ClientOptions::default()
    });
    let project = client.project(&"demo".parse().unwrap()).unwrap();
    assert_eq!(project.releases().len(), 1);
    assert_eq!(server.requests().len(), 4);
    let notices = notices.lock().unwrap();
    assert!(
        matches!(&notices[..], [Notice::Retrying { attempt: 1, of: 4, .. }, _, _]),
        "{notices:?}"
    );
}

#[test]
fn retries_end() {
    let server = Scripted::start(vec![reply("503 No", "")]);
    let (error, text) = server.error(ClientOptions { retries: 1, ..ClientOptions::default() });
    assert!(matches!(error, IndexError::Request(RequestError::Status { status: 503, .. })));
    insta::assert_snapshot!(text, @"http://HOST/simple/demo/ answered with status 503");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_long_retry_after_is_an_error_at_once() {
    let server = Scripted::start(vec![reply("429 Slow\nRetry-After: 3600", "")]);
    let start = Instant::now();
    let (error, text) = server.error(ClientOptions::default());
    assert!(matches!(error, IndexError::Request(RequestError::RateLimited { .. })));
    insta::assert_snapshot!(text, @"http://HOST/simple/demo/ asks for fewer requests (status 429, retry after 3600 s): try again later");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn statuses_that_say_something() {
    let say = |status: &str| Scripted::start(vec![reply(status, "")]).error(hasty()).1;
    insta::assert_snapshot!(say("404 No"), @"the index at http://HOST/simple/ has no project `demo`: check its spelling, or name another index");
    insta::assert_snapshot!(say("401 No"), @"the index at http://HOST/simple/ refused to show `demo` (status 401): put credentials that may read it into the address (`https://user:password@host/…`) or into a netrc file");
    insta::assert_snapshot!(say("418 Teapot"), @"http://HOST/simple/demo/ answered with status 418");
}

#[test]
fn rubbish_is_shown() {
    let say = |head: &str, body: &str| Scripted::start(vec![reply(head, body)]).error(hasty()).1;
    insta::assert_snapshot!(say("200 OK\nContent-Type: text/plain", "log in first\x1b[0m"), @r"the answer from http://HOST/simple/demo/ is not one of a package index: expected JSON or HTML; its content type is `text/plain` and it starts with `log in first\u{1b}[0m`");
    insta::assert_snapshot!(say("200 OK\nContent-Type: application/json", "<html>"), @"the answer from http://HOST/simple/demo/ is not one of a package index: expected an index's JSON (expected value at line 1 column 1); its content type is `application/json` and it starts with `<html>`");
    insta::assert_snapshot!(say("200 OK\nContent-Type: text/html", "<a href=login.php>Log in</a>"), @"the answer from http://HOST/simple/demo/ is not one of a package index: expected a page of links to files; its content type is `text/html` and it starts with `<a href=login.php>Log in</a>`");
    insta::assert_snapshot!(say("200 OK", "{}"), @"the answer from http://HOST/simple/demo/ is not one of a package index: expected JSON or HTML; its content type is `` and it starts with `{}`");
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let server = Scripted::start(vec![Box::new(|stream| {
        std::thread::sleep(Duration::from_secs(3));
        let _ = stream.write_all(b"late");
    })]);
    let start = Instant::now();
    let (error, text) = server.error(hasty());
    assert!(matches!(error, IndexError::Request(RequestError::TimedOut { .. })), "{error:?}");
    insta::assert_snapshot!(text, @"http://HOST/simple/demo/ took too long (waiting for an answer)");
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_slow_drip_is_given_up() {
    let server = Scripted::start(vec![Box::new(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n");
        while stream.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    })]);
    let start = Instant::now();
    let (error, text) = server.error(hasty());
    assert!(matches!(error, IndexError::Request(RequestError::TimedOut { .. })), "{error:?}");
    insta::assert_snapshot!(text, @"http://HOST/simple/demo/ took too long (from start to end)");
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_cut_answer_is_none() {
    let server = Scripted::start(vec![Box::new(|stream| {
        let _ = stream.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100\r\n\r\n<a href",
        );
    })]);
    let (error, text) = server.error(hasty());
    assert!(matches!(error, IndexError::Request(RequestError::Truncated { .. })), "{error:?}");
    insta::assert_snapshot!(text, @"the answer from http://HOST/simple/demo/ ended early, after 7 of 100 bytes");

    let chunked = Scripted::start(vec![Box::new(|stream| {
        let _ = stream.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n\
              5\r\n<a hr",
        );
    })]);
    insta::assert_snapshot!(chunked.error(hasty()).1, @"the answer from http://HOST/simple/demo/ ended early, after 5 bytes");

    let zipped = gzip(b"<a href=x>");
    let head = "200 OK\nContent-Type: text/html\nContent-Encoding: gzip";
    let zipped = Scripted::start(vec![reply(head, &zipped[..zipped.len() - 6])]);
    insta::assert_snapshot!(zipped.error(hasty()).1, @"the answer from http://HOST/simple/demo/ is garbled");
}

#[test]
fn garbled_compression_is_an_error() {
    let head = "200 OK\nContent-Type: text/html\nContent-Encoding: gzip";
    let (error, text) =
        Scripted::start(vec![reply(head, "this is not gzip at all")]).error(hasty());
    assert!(matches!(error, IndexError::Request(RequestError::Garbled { .. })), "{error:?}");
    insta::assert_snapshot!(text, @"the answer from http://HOST/simple/demo/ is garbled");
}

#[test]
fn large_answers_are_refused_also_when_they_come_small() {
    let options = || ClientOptions { largest_answer: 1000, ..hasty() };
    let declared = Scripted::start(vec![Box::new(|stream| {
        let _ = stream.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 10000000000\r\n\r\n",
        );
    })]);
    let (error, text) = declared.error(options());
    assert!(matches!(error, IndexError::Request(RequestError::TooLarge { .. })), "{error:?}");
    insta::assert_snapshot!(text, @"the answer from http://HOST/simple/demo/ is larger than the limit of 1000 bytes");

    let endless = Scripted::start(vec![Box::new(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n");
        while stream.write_all(&[b' '; 4096]).is_ok() {}
    })]);
    assert!(endless.error(options()).1.contains("larger than the limit"));

    let head = "200 OK\nContent-Type: text/html\nContent-Encoding: gzip";
    let bomb = Scripted::start(vec![reply(head, gzip(&vec![b' '; 50_000_000]))]);
    assert!(bomb.error(options()).1.contains("larger than the limit"));
}

#[test]
fn redirects_end() {
    let server = Scripted::start(vec![reply("302 Found\nLocation: /simple/demo/", "")]);
    let (error, text) = server.error(hasty());
    assert!(matches!(error, IndexError::Request(RequestError::Redirects { .. })), "{error:?}");
    insta::assert_snapshot!(text, @"http://HOST/simple/demo/ redirects too often");
}

#[test]
fn nobody_there_is_said() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = IndexClient::new(format!("http://{free}/").parse().unwrap(), hasty());
    let error = client.project(&"demo".parse().unwrap()).unwrap_err();
    assert!(matches!(error, IndexError::Request(RequestError::Unreachable { .. })), "{error:?}");
    insta::assert_snapshot!(error.to_string().replace(&free.to_string(), "HOST"), @"could not reach http://HOST/demo/");
}

#[test]
fn tls_that_is_none_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.unwrap().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let address = format!("https://{host}/").parse().unwrap();
    let error = IndexClient::new(address, hasty()).project(&"demo".parse().unwrap()).unwrap_err();
    assert!(matches!(error, IndexError::Request(RequestError::Tls { .. })), "{error:?}");
    insta::assert_snapshot!(error.to_string().replace(&host.to_string(), "HOST"), @"no trusted connection to https://HOST/demo/: if a proxy re-signs connections here, let SSL_CERT_FILE name the file with its certificate");
}

#[test]
fn relative_addresses_are_read_against_the_final_one() {
    let target = Scripted::start(vec![json(DEMO)]);
    let location = format!("302 Found\nLocation: http://{}/elsewhere/demo/", target.address);
    let server = Scripted::start(vec![reply(&location, "")]);
    let project = server.client(hasty()).project(&"demo".parse().unwrap()).unwrap();
    assert_eq!(
        project.releases()[0].files()[0].file.url,
        format!("http://{}/elsewhere/demo/demo-1.0.tar.gz", target.address)
    );
}

#[test]
fn credentials_reach_their_host_only_and_no_text() {
    let target = Scripted::start(vec![json(
        r#"{"filename":"demo-1.0.tar.gz","url":"http://you:hush@files.example/demo-1.0.tar.gz","hashes":{}}"#,
    )]);
    let location = format!("302 Found\nLocation: http://{}/demo/", target.address);
    let server = Scripted::start(vec![reply(&location, ""), reply("403 No", "")]);
    let client = server.client_as("me:secret@", hasty());
    let project = client.project(&"demo".parse().unwrap()).unwrap();
    assert!(server.requests()[0].to_lowercase().contains("authorization: basic bwu6c2vjcmv0"));
    assert!(!target.requests()[0].to_lowercase().contains("authorization"));
    assert_eq!(project.releases()[0].files()[0].file.url, "http://files.example/demo-1.0.tar.gz");
    let error = client.project(&"demo".parse().unwrap()).unwrap_err();
    for text in [error.to_string(), format!("{error:?}"), format!("{client:?}")] {
        assert!(!text.contains("secret") && !text.contains("hush"), "{text}");
        assert!(!text.contains("bWU6c2VjcmV0"), "{text}");
    }
}

#[test]
fn a_login_of_a_netrc_file_reaches_its_host_only_and_nothing_that_stays() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("netrc");
    std::fs::write(&file, "machine 127.0.0.1 login me password secret\n").unwrap();
    let target = Scripted::start(vec![json(DEMO)]);
    let location = format!("302 Found\nLocation: http://{}/demo/", target.address);
    let server = Scripted::start(vec![
        json_with("\nCache-Control: max-age=600", DEMO),
        reply(&location, ""),
        reply("403 No", ""),
    ]);
    let options = || ClientOptions {
        cache: Some(folder.path().join("cache")),
        netrc: Netrc::read(&file).unwrap(),
        ..hasty()
    };
    let client = server.client(options());
    client.project(&"demo".parse().unwrap()).unwrap();
    let login = "authorization: basic bwu6c2vjcmv0";
    assert!(server.requests()[0].to_lowercase().contains(login));
    for path in walk(&folder.path().join("cache")) {
        let kept = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        for secret in ["secret", "bWU6c2VjcmV0"] {
            assert!(!kept.contains(secret) && !path.to_str().unwrap().contains(secret), "{kept}");
        }
    }
    client.project(&"moved".parse().unwrap()).unwrap();
    assert!(server.requests()[1].to_lowercase().contains(login));
    assert!(!target.requests()[0].to_lowercase().contains("authorization"));
    let error = client.project(&"closed".parse().unwrap()).unwrap_err();
    let options = client.options();
    for text in [error.to_string(), format!("{error:?} {client:?} {options:?}")] {
        assert!(!text.contains("secret") && !text.contains("bWU6c2VjcmV0"), "{text}");
    }
    // An address that has a login of its own is asked with that one.
    let client = server.client_as("you:hush@", options.clone());
    client.project(&"other".parse().unwrap()).unwrap_err();
    assert!(server.requests()[3].contains("Basic eW91Omh1c2g="), "{:?}", server.requests()[3]);
}

const NEWER: &str = r#"{"filename":"demo-9.0.tar.gz","url":"demo-9.0.tar.gz","hashes":{}}"#;

/// A client of these servers, in this order.
fn client_of(servers: &[&Scripted], options: ClientOptions) -> IndexClient {
    let addresses = servers.iter().map(|server| format!("http://{}/simple/", server.address));
    let mut addresses = addresses.map(|address| address.parse().unwrap());
    IndexClient::of_several(addresses.next().unwrap(), addresses, options)
}

#[test]
fn a_project_comes_from_the_first_index_that_has_it() {
    let demo = "demo".parse().unwrap();
    let empty = Scripted::start(vec![reply("404 No", "")]);
    let first = Scripted::start(vec![json(DEMO)]);
    let second = Scripted::start(vec![json(NEWER)]);
    let project = client_of(&[&empty, &first, &second], hasty()).project(&demo).unwrap();
    let versions: Vec<String> =
        project.releases().iter().map(|release| release.version().to_string()).collect();
    assert_eq!(versions, ["1.0"]);
    assert_eq!(project.index().unwrap(), format!("http://{}/simple/", first.address));
    assert_eq!(second.requests().len(), 0, "what it offers under that name is somebody else's");
    // It has the project, and no files of it: still its own.
    let bare = Scripted::start(vec![json("")]);
    let project = client_of(&[&bare, &second], hasty()).project(&demo).unwrap();
    assert_eq!(project.releases().len(), 0);
}

#[test]
fn an_index_that_cannot_be_asked_is_not_passed_over() {
    let demo = "demo".parse().unwrap();
    let second = Scripted::start(vec![json(NEWER)]);
    for fault in ["500 Oh", "403 No", "401 No", "429 Slow\nRetry-After: 9999"] {
        let first = Scripted::start(vec![reply(fault, "")]);
        client_of(&[&first, &second], hasty()).project(&demo).unwrap_err();
    }
    let rubbish = Scripted::start(vec![reply("200 OK\nContent-Type: text/html", "log in")]);
    client_of(&[&rubbish, &second], hasty()).project(&demo).unwrap_err();
    let nobody = Scripted {
        address: TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap(),
        requests: Arc::default(),
    };
    client_of(&[&nobody, &second], hasty()).project(&demo).unwrap_err();
    assert_eq!(second.requests().len(), 0);

    let (none, nothing) =
        (Scripted::start(vec![reply("404 No", "")]), Scripted::start(vec![reply("410 Gone", "")]));
    let error = client_of(&[&none, &nothing], hasty()).project(&demo).unwrap_err().to_string();
    let error = error.replace(&none.address.to_string(), "ONE");
    insta::assert_snapshot!(error.replace(&nothing.address.to_string(), "TWO"), @"none of the indexes at http://ONE/simple/ and http://TWO/simple/ has a project `demo`: check its spelling, or name another index");
}

#[test]
fn offline_the_first_index_is_still_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let demo = "demo".parse().unwrap();
    let first = Scripted::start(vec![reply("404 No", ""), json(DEMO)]);
    let second = Scripted::start(vec![json(NEWER)]);
    let ask = |offline| {
        let cache = Some(folder.path().into());
        let options = ClientOptions { cache, offline, ..hasty() };
        client_of(&[&first, &second], options).project(&demo)
    };
    // Nothing is known of the first: nobody can tell whether the second would be asked.
    client_of(&[&second], ClientOptions { cache: Some(folder.path().into()), ..hasty() })
        .project(&demo)
        .unwrap();
    assert!(matches!(ask(true), Err(IndexError::Offline { .. })));
    let newest = |project: caliper_pypi::index::Project| {
        project.releases().last().unwrap().version().to_string()
    };
    assert_eq!(newest(ask(false).unwrap()), "9.0");
    assert_eq!(newest(ask(true).unwrap()), "9.0");
    // That there is no such project holds for nobody who may ask.
    assert_eq!(newest(ask(false).unwrap()), "1.0");
    assert_eq!(newest(ask(true).unwrap()), "1.0");
}

#[test]
fn an_answer_is_kept_for_as_long_as_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let server = Scripted::start(vec![json_with("\nCache-Control: max-age=600", DEMO)]);
    let options = || ClientOptions { cache: Some(folder.path().into()), ..hasty() };
    let first = server.client(options()).project(&"demo".parse().unwrap()).unwrap();
    // Another process, as it were; and another spelling.
    let second = server.client(options()).project(&"Demo".parse().unwrap()).unwrap();
    assert_eq!(first.releases(), second.releases());
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_stale_answer_is_asked_about() {
    let folder = tempfile::tempdir().unwrap();
    let server = Scripted::start(vec![
        json_with("\nCache-Control: no-cache\nETag: \"one\"", DEMO),
        reply("304 Not Modified\nCache-Control: max-age=600", ""),
        reply("500 Oh", ""),
    ]);
    let options = || ClientOptions { cache: Some(folder.path().into()), ..hasty() };
    for _ in 0..3 {
        let project = server.client(options()).project(&"demo".parse().unwrap()).unwrap();
        assert_eq!(project.releases().len(), 1);
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 2); // the second answer was fresh for the third time
    assert!(requests[1].to_lowercase().contains("if-none-match: \"one\""), "{}", requests[1]);
}

#[test]
fn offline_answers_from_what_is_kept_or_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Scripted::start(vec![json_with("\nCache-Control: no-cache", DEMO)]);
    let offline = || ClientOptions { cache: Some(folder.path().into()), offline: true, ..hasty() };
    let (error, text) = server.error(offline());
    assert!(matches!(error, IndexError::Offline { .. }));
    insta::assert_snapshot!(text, @"nothing is known of `demo` from the index at http://HOST/simple/ without asking it: run once without the offline option");
    let online = ClientOptions { offline: false, ..offline() };
    server.client(online).project(&"demo".parse().unwrap()).unwrap();
    server.client(offline()).project(&"demo".parse().unwrap()).unwrap();
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn what_was_not_whole_or_not_readable_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let server = Scripted::start(vec![
        reply("200 OK\nContent-Type: text/html\nCache-Control: max-age=600", "Links for demo"),
        reply("200 OK\nContent-Type: application/json\nCache-Control: max-age=600", "<"),
    ]);
    let options = || ClientOptions { cache: Some(folder.path().into()), ..hasty() };
    let demo = "demo".parse().unwrap();
    let other = "other".parse().unwrap();
    server.client(options()).project(&demo).unwrap();
    server.client(options()).project(&other).unwrap_err();
    let kept: Vec<_> = walk(folder.path());
    assert_eq!(kept.len(), 1, "{kept:?}");
    // A kept answer that was damaged is asked for again.
    std::fs::write(&kept[0], b"damaged").unwrap();
    server.client(options()).project(&demo).unwrap_err();
    assert_eq!(server.requests().len(), 3);
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn project_json_is_understood() {
    let server = Scripted::start(vec![reply(
        "200 OK\nContent-Type: application/json",
        r#"{"info":{"name":"demo"},"releases":{"0.1":[],"1.0":[
            {"filename":"demo-1.0.tar.gz","url":"https://files.example/demo-1.0.tar.gz",
             "digests":{"md5":"x","sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
             "size":3,"upload_time":"2020-01-02T03:04:05","upload_time_iso_8601":"2020-01-02T03:04:05.678Z",
             "requires_python":">=3.6","yanked":true,"yanked_reason":null},
            {"filename":"demo-1.0-py3-none-any.whl","url":7}]},"urls":[]}"#,
    )]);
    let address = format!("http://{}/pypi/", server.address).parse().unwrap();
    let project = IndexClient::new(address, hasty()).project(&"demo".parse().unwrap()).unwrap();
    assert!(server.requests()[0].starts_with("GET /pypi/demo/json "));
    assert_eq!(project.releases().len(), 2);
    assert_eq!(project.malformed().len(), 1);
    insta::assert_snapshot!(project.malformed()[0].fault, @"the index describes a file wrongly: invalid type: integer `7`, expected a string at line 1 column 47");
    let file = &project.releases()[1].files()[0].file;
    insta::assert_snapshot!(serde_json::to_string_pretty(file).unwrap(), @r#"
    {
      "filename": "demo-1.0.tar.gz",
      "url": "https://files.example/demo-1.0.tar.gz",
      "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "size": 3,
      "kind": "sdist",
      "upload_time": "2020-01-02T03:04:05.678Z",
      "requires_python": ">=3.6",
      "yanked": true
    }
    "#);
}

#[test]
fn html_is_understood() {
    let server = Scripted::start(vec![reply(
        "200 OK\nContent-Type: text/html; charset=utf-8",
        r#"<!DOCTYPE html><html><head><base href="/files/"><title>x</title></head><body>
           <A HREF="a/demo-1.0%2Bcpu-py3-none-any.whl?token=1#sha256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
              data-requires-python="&gt;=3.6" data-yanked data-upload-time='2020-01-02T03:04:05Z'>text</A>
           <a href="../">up</a> <a>none</a> <a href="demo-0.9.tar.gz#sha256=nonsense">x</a>
           <script>"<a href='demo-0.8.tar.gz'>"</script>"#,
    )]);
    let project = server.client(hasty()).project(&"demo".parse().unwrap()).unwrap();
    assert_eq!(project.releases().len(), 1);
    let file = &project.releases()[0].files()[0].file;
    let shown = serde_json::to_string_pretty(file).unwrap();
    insta::assert_snapshot!(shown.replace(&server.address.to_string(), "HOST"), @r#"
    {
      "filename": "demo-1.0+cpu-py3-none-any.whl",
      "url": "http://HOST/files/a/demo-1.0%2Bcpu-py3-none-any.whl?token=1",
      "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "size": null,
      "kind": "wheel",
      "upload_time": "2020-01-02T03:04:05Z",
      "requires_python": ">=3.6",
      "yanked": true
    }
    "#);
    insta::assert_snapshot!(project.malformed()[0].fault, @"the index gives `demo-0.9.tar.gz` a digest that is none");
}
