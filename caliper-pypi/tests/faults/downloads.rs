//! Files that do not come as they should.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use caliper_core::names::Sha256;
use caliper_core::question::files::FileSource as _;
use caliper_core::question::grid::{DistFile, FileKind};
use caliper_pypi::download::{DownloadOptions, Downloader};
use caliper_pypi::index::ClientOptions;

use crate::server::{Scripted, Step, cut, drip, hasty, reply, walk};

const BYTES: &[u8] = b"the bytes of a source distribution";

/// What came of fetching [`BYTES`], whose length the index says to be `size`.
struct Fetched {
    /// The file, or why there is none.
    said: String,
    requests: Vec<String>,
    /// The names and lengths of what is in the folder.
    left: Vec<(String, u64)>,
}

fn fetch(steps: Vec<Step>, size: Option<usize>, options: ClientOptions) -> Fetched {
    let folder = tempfile::tempdir().unwrap();
    let server = Scripted::start(steps);
    let limits = DownloadOptions {
        largest_file: 1 << 20,
        whole_timeout: options.whole_timeout,
        ..DownloadOptions::default()
    };
    let downloader = Downloader::new(&server.client(options), folder.path(), limits);
    let file = DistFile {
        filename: "demo-1.0.tar.gz".to_owned(),
        url: format!("http://{}/files/demo-1.0.tar.gz", server.address),
        sha256: Some(Sha256::of(BYTES)),
        size: size.map(|size| size as u64),
        kind: FileKind::Sdist,
        upload_time: None,
        requires_python: None,
        yanked: false,
    };
    let said = match downloader.fetch(&file) {
        Ok(path) => {
            assert_eq!(std::fs::read(&path).unwrap(), BYTES);
            "fetched".to_owned()
        }
        Err(error) => std::error::Error::source(&error).unwrap().to_string(),
    };
    let left = walk(folder.path()).into_iter().map(|path| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, path.metadata().unwrap().len())
    });
    let left: Vec<(String, u64)> = left.filter(|(name, _)| name != ".lock").collect();
    let named = left.iter().any(|(name, _)| !name.starts_with('.'));
    assert_eq!(named, said == "fetched", "only a whole file has a name: {left:?}");
    let said = said.replace(&server.address.to_string(), "HOST");
    Fetched { said, requests: server.requests(), left }
}

#[test]
fn a_file_of_the_wrong_length_is_not_the_file() {
    let size = Some(BYTES.len());
    let longer = [BYTES, b"!"].concat();
    let declared = |length: usize| format!("200 OK\nContent-Length: {length}");
    // Less than the server declares, then less than the index does.
    let said = fetch(vec![cut(&declared(BYTES.len()), &BYTES[..30])], size, hasty()).said;
    insta::assert_snapshot!(said, @"the answer from http://HOST/files/demo-1.0.tar.gz ended early, after 30 of 34 bytes");
    let said = fetch(vec![cut(&declared(30), &BYTES[..30])], size, hasty()).said;
    insta::assert_snapshot!(said, @"the answer from http://HOST/files/demo-1.0.tar.gz ended early, after 30 of 34 bytes");
    let said = fetch(vec![cut(&declared(30), &BYTES[..30])], None, hasty()).said;
    assert!(said.contains("is not the file that the index describes"), "{said}");
    // More than the index declares, told beforehand or not.
    let said = fetch(vec![reply("200 OK", longer.as_slice())], size, hasty()).said;
    insta::assert_snapshot!(said, @"the answer from http://HOST/files/demo-1.0.tar.gz is larger than the limit of 34 bytes");
    let said = fetch(vec![cut("200 OK", &longer)], size, hasty()).said;
    insta::assert_snapshot!(said, @"the answer from http://HOST/files/demo-1.0.tar.gz is larger than the limit of 34 bytes");
    // More than the server declares is not part of the answer.
    let said = fetch(vec![cut(&declared(BYTES.len()), &longer)], size, hasty()).said;
    assert_eq!(said, "fetched");
    // The index is wrong about the length: then it is about the file.
    let said = fetch(vec![reply("200 OK", BYTES)], Some(BYTES.len() - 1), hasty()).said;
    insta::assert_snapshot!(said, @"the answer from http://HOST/files/demo-1.0.tar.gz is larger than the limit of 33 bytes");
    let said = fetch(vec![reply("200 OK", BYTES)], Some(BYTES.len() + 1), hasty()).said;
    insta::assert_snapshot!(said, @"the answer from http://HOST/files/demo-1.0.tar.gz ended early, after 34 of 35 bytes");
    // Nobody can send as much as the index says there is.
    let said = fetch(vec![reply("200 OK", BYTES)], Some(10 << 30), hasty()).said;
    insta::assert_snapshot!(said, @"the answer from http://HOST/files/demo-1.0.tar.gz is larger than the limit of 1048576 bytes");
}

#[test]
fn an_endless_file_is_given_up_at_the_limit() {
    let sent = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&sent);
    let endless: Step = Box::new(move |stream| {
        let _ = write!(stream, "HTTP/1.1 200 OK\r\n\r\n");
        let part = vec![0; 64 << 10];
        while stream.write_all(&part).is_ok() {
            counted.fetch_add(part.len() as u64, Ordering::SeqCst);
        }
    });
    let fetched = fetch(vec![endless], None, ClientOptions::default());
    insta::assert_snapshot!(fetched.said, @"the answer from http://HOST/files/demo-1.0.tar.gz is larger than the limit of 1048576 bytes");
    assert_eq!(fetched.requests.len(), 1, "what is too large once is not asked for again");
    assert!(sent.load(Ordering::SeqCst) < 24 << 20, "{sent:?}");
    let left: u64 = fetched.left.iter().map(|(_, length)| length).sum();
    assert_eq!(left, 0, "{:?}", fetched.left);
}

#[test]
fn a_drip_is_given_up_and_what_came_is_kept() {
    let options = ClientOptions { whole_timeout: Duration::from_millis(500), ..hasty() };
    let fetched = fetch(vec![drip("200 OK")], None, options);
    insta::assert_snapshot!(fetched.said, @"http://HOST/files/demo-1.0.tar.gz took too long (from start to end)");
    assert_eq!(fetched.left[0].0, ".part");
}

#[test]
fn a_redirect_without_end_is_an_error() {
    let step = reply("301 Moved\nLocation: /files/demo-1.0.tar.gz", "");
    let fetched = fetch(vec![step], None, ClientOptions::default());
    insta::assert_snapshot!(fetched.said, @"http://HOST/files/demo-1.0.tar.gz redirects too often");
    assert_eq!(fetched.requests.len(), 11);
}

#[test]
fn a_page_in_place_of_the_file_is_not_the_file() {
    let page = reply("200 OK\nContent-Type: text/html", "<h1>Log in</h1>");
    let said = fetch(vec![page], None, hasty()).said;
    assert!(said.contains("is not the file that the index describes"), "{said}");
    let part = reply("206 Part\nContent-Range: bytes 0-9/34", &BYTES[..10]);
    let said = fetch(vec![part], None, hasty()).said;
    assert!(said.contains("is not the file that the index describes"), "{said}");
    let said = fetch(vec![reply("204 Nothing", "")], None, hasty()).said;
    insta::assert_snapshot!(said, @"http://HOST/files/demo-1.0.tar.gz answered with status 204");
    let said = fetch(vec![reply("404 No", BYTES)], None, hasty()).said;
    insta::assert_snapshot!(said, @"http://HOST/files/demo-1.0.tar.gz answered with status 404");
}

#[test]
fn a_rest_that_is_none_starts_the_file_anew() {
    let first = || cut(&format!("200 OK\nContent-Length: {}", BYTES.len()), &BYTES[..10]);
    let options = || ClientOptions { retries: 2, ..ClientOptions::default() };
    let part = |range: &str, bytes: &[u8]| {
        reply(&format!("206 Part\nContent-Range: bytes {range}/{}", BYTES.len()), bytes)
    };
    let rest = fetch(vec![first(), part("10-33", &BYTES[10..])], Some(BYTES.len()), options());
    assert_eq!(rest.said, "fetched");
    assert!(
        rest.requests[1].to_lowercase().contains("range: bytes=10-\r\n"),
        "{rest:?}",
        rest = rest.requests
    );
    // Another part than was asked for, then the whole file.
    let steps = vec![first(), part("0-33", BYTES), reply("200 OK", BYTES)];
    assert_eq!(fetch(steps, Some(BYTES.len()), options()).said, "fetched");
    // What claims to be the rest, and is not: found by the digest, and never named.
    let steps = vec![first(), part("10-33", &[b'x'; 24])];
    let said = fetch(steps, Some(BYTES.len()), options()).said;
    assert!(said.contains("is not the file that the index describes"), "{said}");
    // A rest that no number holds.
    let endless = format!("206 Part\nContent-Range: bytes 10-33/34\nContent-Length: {}", u64::MAX);
    let said = fetch(vec![first(), cut(&endless, b"x")], None, options()).said;
    assert!(said.contains("is larger than the limit"), "{said}");
    // Ranges that the server does not have after all.
    let steps = vec![first(), reply("416 No", ""), reply("200 OK", BYTES)];
    assert_eq!(fetch(steps, Some(BYTES.len()), options()).said, "fetched");
}
