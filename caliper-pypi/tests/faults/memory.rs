//! Answers that are meant to fill the memory, each in a process of its own.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use caliper_pypi::index::{ClientOptions, IndexClient, PackageIndex as _};

use crate::child;
use crate::server::{Scripted, Step, gzip, reply};

/// The limit that the children set, in bytes.
const LIMIT: u64 = 8 << 20;
/// What a child may take in all, in KiB: a small multiple of the limit.
const MOST: u64 = 96 << 10;
/// What the system takes of a connection that nobody reads, at most.
const UNREAD: u64 = 24 << 20;

const HTML: &str = "200 OK\nContent-Type: text/html";
const JSON: &str = "200 OK\nContent-Type: application/vnd.pypi.simple.v1+json";

/// Asks for a project, and tells how that ended and what it took.
fn ask(address: &str) {
    let options = ClientOptions { largest_answer: LIMIT, retries: 0, ..ClientOptions::default() };
    let client = IndexClient::new(format!("http://{address}/simple/").parse().unwrap(), options);
    match client.project(&"demo".parse().unwrap()) {
        Ok(project) => {
            let files: usize = project.releases().iter().map(|release| release.files().len()).sum();
            child::say(&format!("{files} files, {} left out", project.malformed().len()));
        }
        Err(error) => child::say(&error.to_string().replace(address, "HOST")),
    }
    child::say(&child::peak().to_string());
}

/// What a child says to a server that answers so, having stayed within its memory.
fn outcome(test: &str, answer: Step) -> String {
    let server = Scripted::start(vec![answer]);
    let output = child::command(test, &server.address.to_string()).output().unwrap();
    let said = child::said(&output);
    let peak: u64 = said[1].parse().unwrap();
    assert!(peak < MOST, "{peak} KiB: {}", said[0]);
    assert_eq!(server.requests().len(), 1);
    said[0].clone()
}

/// A page of nothing but `part`, as large as allowed.
fn full(head: &str, start: &str, part: &str, end: &str) -> Step {
    let room = usize::try_from(LIMIT).unwrap() - start.len() - end.len();
    reply(head, [start, &part.repeat(room / part.len()), end].concat())
}

#[test]
fn ten_gigabytes_are_neither_read_nor_held() {
    if let Some(address) = child::task() {
        return ask(&address);
    }
    let test = "memory::ten_gigabytes_are_neither_read_nor_held";
    let sent = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&sent);
    let endless = move |stream: &mut TcpStream, head: &str| {
        let _ = write!(stream, "HTTP/1.1 {HTML}{head}\r\n\r\n", HTML = HTML.replace('\n', "\r\n"));
        let part = vec![b' '; 1 << 20];
        for _ in 0..10_000 {
            if stream.write_all(&part).is_err() {
                break;
            }
            counted.fetch_add(part.len() as u64, Ordering::SeqCst);
        }
    };
    let silent = endless.clone();
    let said = outcome(test, Box::new(move |stream| silent(stream, "")));
    insta::assert_snapshot!(said, @"the answer from http://HOST/simple/demo/ is larger than the limit of 8388608 bytes");
    assert!(sent.load(Ordering::SeqCst) < LIMIT + UNREAD, "{sent:?}");
    sent.store(0, Ordering::SeqCst);
    // One that says so beforehand is not read at all.
    let said =
        outcome(test, Box::new(move |stream| endless(stream, "\r\nContent-Length: 10485760000")));
    insta::assert_snapshot!(said, @"the answer from http://HOST/simple/demo/ is larger than the limit of 8388608 bytes");
    assert!(sent.load(Ordering::SeqCst) < UNREAD, "{sent:?}");
}

#[test]
fn what_comes_small_and_grows_is_stopped() {
    if let Some(address) = child::task() {
        return ask(&address);
    }
    let test = "memory::what_comes_small_and_grows_is_stopped";
    // 10 GB, in members of one gzip stream that are all the same.
    let member = gzip(&vec![b' '; 10 << 20]);
    let bomb = member.repeat(1000);
    for head in [HTML, JSON] {
        let step = reply(&format!("{head}\nContent-Encoding: gzip"), bomb.clone());
        insta::allow_duplicates! {
            insta::assert_snapshot!(outcome(test, step), @"the answer from http://HOST/simple/demo/ is larger than the limit of 8388608 bytes");
        }
    }
}

#[test]
fn pages_that_are_bombs_stay_small() {
    if let Some(address) = child::task() {
        return ask(&address);
    }
    let test = "memory::pages_that_are_bombs_stay_small";
    let page = |start, part, end| outcome(test, full(HTML, start, part, end));
    let start = "<title>Links for demo</title>";
    // Deep, wide, and never closed.
    assert_eq!(page(start, "<div>", ""), "0 files, 0 left out");
    insta::assert_snapshot!(page(start, "<a>", ""), @"the answer from http://HOST/simple/demo/ is not one of a package index: it has more than 200000 links; its content type is `text/html` and it starts with `<title>Links for demo</title><a><a><a><a><a><a><a><a><a><a><`");
    assert_eq!(page(start, "<!--", ""), "0 files, 0 left out");
    assert_eq!(page(start, "&amp;", ""), "0 files, 0 left out");
    assert_eq!(page("Links for <a ", "x=1 ", ">"), "0 files, 0 left out");
    assert_eq!(page("Links for <a href='", "x", ".whl'>"), "0 files, 1 left out");
    let mut attributes = String::from("Links for <a ");
    for number in 0..900_000 {
        attributes += &format!("a{number} ");
    }
    assert_eq!(outcome(test, reply(HTML, attributes + ">")), "0 files, 0 left out");
}

#[test]
fn json_that_is_a_bomb_stays_small() {
    if let Some(address) = child::task() {
        return ask(&address);
    }
    let test = "memory::json_that_is_a_bomb_stays_small";
    let answer = |start, part, end| {
        let said = outcome(test, full(JSON, start, part, end));
        said.split("; its content type").next().unwrap().to_owned()
    };
    insta::assert_snapshot!(answer("", "[", ""), @"the answer from http://HOST/simple/demo/ is not one of a package index: expected an index's JSON (invalid type: sequence, expected a string at line 1 column 2)");
    insta::assert_snapshot!(answer("", "{\"a\":", ""), @"the answer from http://HOST/simple/demo/ is not one of a package index: expected an index's JSON (EOF while parsing a value at line 1 column 8388605)");
    insta::assert_snapshot!(answer("{\"files\":[", "{},", "{}]}"), @"the answer from http://HOST/simple/demo/ is not one of a package index: expected an index's JSON (more than 200000 entries at line 1 column 600013)");
    insta::assert_snapshot!(answer("{\"files\":[", r#"{"filename":"","url":""},"#, "{}]}"), @"the answer from http://HOST/simple/demo/ is not one of a package index: expected an index's JSON (more than 200000 entries at line 1 column 5000035)");
    insta::assert_snapshot!(answer("{\"versions\":[", "\"\",", "\"\"],\"files\":[]}"), @"the answer from http://HOST/simple/demo/ is not one of a package index: expected an index's JSON (more than 200000 entries at line 1 column 600016)");
    insta::assert_snapshot!(answer("{\"releases\":{", "\"1\":[],", "\"2\":[]}}"), @"the answer from http://HOST/simple/demo/ is not one of a package index: expected an index's JSON (more than 200000 entries at line 1 column 1400019)");
    insta::assert_snapshot!(answer("{\"files\":[{\"filename\":\"", "\\u0000", "\",\"url\":\"\"}]}"), @"0 files, 1 left out");
}

#[test]
fn ten_thousand_files_are_no_bomb() {
    if let Some(address) = child::task() {
        return ask(&address);
    }
    let test = "memory::ten_thousand_files_are_no_bomb";
    let (mut html, mut json) = (String::from("Links for demo"), String::from("{\"files\":["));
    for number in 0..10_000 {
        let name = format!("demo-1.{number}-py3-none-any.whl");
        html += &format!("<a href='{name}#sha256={number:064x}'>{name}</a>");
        let hashes = format!("{{\"sha256\":\"{number:064x}\"}}");
        json += &format!("{{\"filename\":\"{name}\",\"url\":\"{name}\",\"hashes\":{hashes}}},");
    }
    json.pop();
    json += "]}";
    assert_eq!(outcome(test, reply(HTML, html)), "10000 files, 0 left out");
    assert_eq!(outcome(test, reply(JSON, json)), "10000 files, 0 left out");
}
