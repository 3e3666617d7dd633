//! Answers that are none.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use caliper_pypi::index::{ClientOptions, IndexClient, IndexError, PackageIndex as _};
use caliper_pypi::{Notice, Notices, RequestError};

use crate::server::{DEMO, Scripted, cut, drip, gzip, hasty, json, reply};

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
fn retry_after_is_heeded_or_is_an_error_at_once() {
    let demo = "demo".parse().unwrap();
    // A moment that has passed is no wait.
    for past in ["0", "Fri, 31 Dec 1999 23:59:59 GMT"] {
        for status in ["429 Slow", "503 Busy"] {
            let busy = reply(&format!("{status}\nRetry-After: {past}"), "");
            let server = Scripted::start(vec![busy, json(DEMO)]);
            server.client(ClientOptions::default()).project(&demo).unwrap();
            assert_eq!(server.requests().len(), 2);
        }
    }
    let say = |after: &str| {
        let server = Scripted::start(vec![reply(&format!("429 Slow\nRetry-After: {after}"), "")]);
        let (error, text) = server.error(ClientOptions::default());
        assert!(matches!(error, IndexError::Request(RequestError::RateLimited { .. })));
        assert_eq!(server.requests().len(), 1, "{after}");
        text
    };
    insta::assert_snapshot!(say("3600"), @"http://HOST/simple/demo/ asks for fewer requests (status 429, retry after 3600 s): try again later");
    insta::assert_snapshot!(say("99999999999999999999999999"), @"http://HOST/simple/demo/ asks for fewer requests (status 429, retry after 18446744073709551615 s): try again later");
    assert!(say("Fri, 31 Dec 9999 23:59:59 GMT").contains("asks for fewer requests"));
    // What is no time is none: the usual waits.
    let server = Scripted::start(vec![reply("429 Slow\nRetry-After: soon", ""), json(DEMO)]);
    server.client(ClientOptions::default()).project(&demo).unwrap();
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
    // Until the client goes away.
    let server = Scripted::start(vec![Box::new(|stream| _ = stream.read(&mut [0]))]);
    let options = ClientOptions { answer_timeout: Duration::from_millis(300), ..hasty() };
    let (error, text) = server.error(options);
    assert!(matches!(error, IndexError::Request(RequestError::TimedOut { .. })), "{error:?}");
    insta::assert_snapshot!(text, @"http://HOST/simple/demo/ took too long (waiting for an answer)");
}

#[test]
fn a_slow_drip_is_given_up() {
    let options = || ClientOptions { whole_timeout: Duration::from_millis(500), ..hasty() };
    for head in ["200 OK\nContent-Type: text/html", "200 OK\nX: "] {
        let (error, text) = Scripted::start(vec![drip(head)]).error(options());
        assert!(matches!(error, IndexError::Request(RequestError::TimedOut { .. })), "{error:?}");
        insta::allow_duplicates! {
            insta::assert_snapshot!(text, @"http://HOST/simple/demo/ took too long (from start to end)");
        }
    }
    // Also where each retry drips: the limit is one for all of them.
    let patient = ClientOptions { retries: 1000, ..options() };
    assert!(Scripted::start(vec![drip("200 OK")]).error(patient).1.contains("took too long"));
}

#[test]
fn a_length_that_is_wrong_is_found() {
    let page = "Links for demo <a href=demo-1.0.tar.gz>";
    let say = |length: usize| {
        let head = format!("200 OK\nContent-Type: text/html\nContent-Length: {length}");
        let server = Scripted::start(vec![cut(&head, page.as_bytes())]);
        server
            .client(hasty())
            .project(&"demo".parse().unwrap())
            .map_err(|error| error.to_string().replace(&server.address.to_string(), "HOST"))
    };
    insta::assert_snapshot!(say(page.len() + 1).unwrap_err(), @"the answer from http://HOST/simple/demo/ ended early, after 39 of 40 bytes");
    // What follows the declared length is not part of the answer.
    assert_eq!(say(page.len()).unwrap().releases().len(), 1);
    assert_eq!(say(page.len() - 1).unwrap().releases().len(), 0);
    let both = "200 OK\nContent-Type: text/html\nContent-Length: 1\nContent-Length: 39";
    let (_, text) = Scripted::start(vec![cut(both, page.as_bytes())]).error(hasty());
    insta::assert_snapshot!(text, @"the answer from http://HOST/simple/demo/ is garbled");
    let negative = "200 OK\nContent-Type: text/html\nContent-Length: -1";
    let (_, text) = Scripted::start(vec![cut(negative, page.as_bytes())]).error(hasty());
    insta::assert_snapshot!(text, @"the answer from http://HOST/simple/demo/ is garbled");
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
    let (error, text) = server.error(ClientOptions::default());
    assert!(matches!(error, IndexError::Request(RequestError::Redirects { .. })), "{error:?}");
    insta::assert_snapshot!(text, @"http://HOST/simple/demo/ redirects too often");
    assert_eq!(server.requests().len(), 11, "a loop is not tried again");
    // Each somewhere else.
    let steps = (0..20).map(|hop| reply(&format!("302 Found\nLocation: /hop/{hop}"), ""));
    let server = Scripted::start(steps.collect());
    assert!(server.error(ClientOptions::default()).1.contains("redirects too often"));
    // To where no index is.
    let say = |to: &str| {
        let location = format!("302 Found\nLocation: {to}");
        Scripted::start(vec![reply(&location, "")]).error(hasty()).1
    };
    insta::assert_snapshot!(say("file:///etc/passwd"), @"http://HOST/simple/demo/ redirects to what is not an address of the web");
    insta::assert_snapshot!(say("http://["), @"http://HOST/simple/demo/ redirects to what is not an address of the web");
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
