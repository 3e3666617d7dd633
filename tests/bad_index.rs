//! An index that fails: exit code 3 (2 for a project that does not exist), within bounded time, and
//! never as a result of the package's.

use std::time::{Duration, Instant};

use crate::support::World;
use crate::support::faults::{Answer, Faults, response};

/// What `caliper resolve demo` says to an index that answers so.
fn resolve(faults: &Faults, code: i32) -> String {
    let world = World::new();
    let begun = Instant::now();
    let said =
        world.caliper(&["resolve", "demo", "--index", &faults.url(), "--index-timeout", "1"]);
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    said.error(code).replace(&faults.address.to_string(), "[INDEX]")
}

#[test]
fn a_project_that_the_index_does_not_have() {
    let world = World::new();
    insta::assert_snapshot!(world.caliper(&["resolve", "nosuch"]).error(2), @"error: the index at http://[INDEX]/simple/ has no project `nosuch`: check its spelling, or name another index");
    let faults = Faults::always("404 Not Found\r\nContent-Type: text/html", b"no");
    insta::assert_snapshot!(resolve(&faults, 2), @"error: the index at http://[INDEX]/simple/ has no project `demo`: check its spelling, or name another index");
}

#[test]
fn an_index_that_answers_500() {
    let faults = Faults::always("500 Internal Server Error", b"");
    insta::assert_snapshot!(resolve(&faults, 3), @"error: http://[INDEX]/simple/demo/ answered with status 500");
    assert!(faults.requests() > 1, "it is asked again");
}

#[test]
fn an_index_that_wants_us_to_wait() {
    let page = br#"{"meta": {"api-version": "1.0"}, "name": "demo", "files": [{"filename": "demo-1.0-py3-none-any.whl", "url": "demo-1.0-py3-none-any.whl", "hashes": {}}]}"#;
    let good = response("200 OK\r\nContent-Type: application/vnd.pypi.simple.v1+json", page);
    let busy = response("429 Too Many Requests\r\nRetry-After: 1", b"");
    let faults = Faults::start(move |number, _| {
        Answer::Bytes(if number == 0 { busy.clone() } else { good.clone() })
    });
    let world = World::new();
    let begun = Instant::now();
    let said = world.caliper(&["resolve", "demo", "--python", "3.11", "--index", &faults.url()]);
    assert!(said.expect(0).out.contains("demo-1.0-py3-none-any.whl"));
    assert!(begun.elapsed() >= Duration::from_secs(1), "it waited as long as it was told to");

    // And one that wants too much.
    let faults = Faults::always("429 Too Many Requests\r\nRetry-After: 86400", b"");
    insta::assert_snapshot!(resolve(&faults, 3), @"error: http://[INDEX]/simple/demo/ asks for fewer requests (status 429, retry after 86400 s): try again later");
}

#[test]
fn an_index_that_answers_rubbish() {
    let faults = Faults::always("200 OK\r\nContent-Type: text/html", b"<html>please log in</html>");
    insta::assert_snapshot!(resolve(&faults, 3), @"error: the answer from http://[INDEX]/simple/demo/ is not one of a package index: expected a page of links to files; its content type is `text/html` and it starts with `<html>please log in</html>`");
    let json = "200 OK\r\nContent-Type: application/vnd.pypi.simple.v1+json";
    let faults = Faults::always(json, b"{\"files\": 7}");
    insta::assert_snapshot!(resolve(&faults, 3), @r#"error: the answer from http://[INDEX]/simple/demo/ is not one of a package index: expected an index's JSON (invalid type: integer `7`, expected a sequence at line 1 column 11); its content type is `application/vnd.pypi.simple.v1+json` and it starts with `{\"files\": 7}`"#);
}

#[test]
fn an_index_that_stops_in_the_middle() {
    let mut bytes = response("200 OK\r\nContent-Type: text/html", &[b' '; 1000]);
    bytes.truncate(bytes.len() - 500);
    let faults = Faults::start(move |_, _| Answer::Bytes(bytes.clone()));
    insta::assert_snapshot!(resolve(&faults, 3), @"error: the answer from http://[INDEX]/simple/demo/ ended early, after 500 of 1000 bytes");
}

#[test]
fn an_index_that_never_answers() {
    let faults = Faults::start(|_, _| Answer::Never);
    // On a busy machine it is another phase of the last attempt that meets the limit of the whole.
    let error = resolve(&faults, 3);
    let (error, _phase) = error.split_once(" (").unwrap();
    insta::assert_snapshot!(error, @"error: http://[INDEX]/simple/demo/ took too long");
}

#[test]
fn an_index_that_is_not_there() {
    let world = World::new();
    let said = world.caliper(&["resolve", "demo", "--index", "http://127.0.0.1:1/simple/"]);
    insta::assert_snapshot!(said.error(3), @"
    error: could not reach http://127.0.0.1:1/simple/demo/
      caused by: Connection refused (os error 111)
    ");
    let said = world.caliper(&["resolve", "demo", "--index", "ftp://user:secret@host/"]);
    insta::assert_snapshot!(said.error(2), @"error: the address of the index does not start with `https://` or `http://`");
}

#[test]
fn an_answer_that_is_not_in_the_cache() {
    let world = World::new();
    insta::assert_snapshot!(world.caliper(&["resolve", "demo", "--offline"]).error(3), @"error: nothing is known of `demo` from the index at http://[INDEX]/simple/ without asking it: run once without the offline option");
    // What was asked once is answered without the index.
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    world.caliper(&["resolve", "demo", "--python", "3.11"]).expect(0);
    let said = world.caliper(&["resolve", "demo", "--python", "3.11", "--offline"]).expect(0);
    assert!(said.out.contains("demo-1.0-py3-none-any.whl"), "{}", said.out);
}

#[test]
fn a_password_is_never_shown() {
    let faults = Faults::always("401 Unauthorized", b"");
    let world = World::new();
    let url = faults.url().replace("http://", "http://user:hunter2@");
    let said = world.caliper(&["resolve", "demo", "--index", &url]).expect(3);
    assert!(!said.err.contains("hunter2"), "{}", said.err);
    insta::assert_snapshot!(said.error(3).replace(&faults.address.to_string(), "[INDEX]"), @"error: the index at http://[INDEX]/simple/ refused to show `demo` (status 401): put credentials that may read it into the address (`https://user:password@host/…`) or into a netrc file");
}

#[test]
fn a_file_that_is_not_the_one_that_was_promised() {
    if !crate::support::has_uv() {
        return;
    }
    let wheel = "demo-1.0-py3-none-any.whl";
    let page = format!(
        r#"{{"meta": {{"api-version": "1.0"}}, "name": "demo", "files": [{{"filename": "{wheel}", "url": "/{wheel}", "hashes": {{"sha256": "{}"}}}}]}}"#,
        "0".repeat(64)
    );
    let page =
        response("200 OK\r\nContent-Type: application/vnd.pypi.simple.v1+json", page.as_bytes());
    let file = response("200 OK\r\nContent-Type: application/octet-stream", b"not a wheel");
    let faults = Faults::start(move |_, request| {
        Answer::Bytes(if request.path == format!("/{wheel}") { file.clone() } else { page.clone() })
    });
    let world = World::with_config("");
    let python = crate::support::python();
    let said = world.caliper(&["run", "--index", &faults.url(), "--python", &python]).expect(3);
    let warning = said.err.lines().find(|line| line.contains("could not be measured: ")).unwrap();
    let warning = warning.replace(&python, "X.Y").replace(&faults.address.to_string(), "[INDEX]");
    insta::assert_snapshot!(warning, @"[1/1] 1.0/X.Y  could not be measured: could not get `demo-1.0-py3-none-any.whl`: http://[INDEX]/demo-1.0-py3-none-any.whl is not the file that the index describes: expected sha256:0000000000000000000000000000000000000000000000000000000000000000, got sha256:e7dc6be13be0055dd03d1fe10caf78db0daa6327eb1f5b08c3e2dc8c06431cd2");
    assert_eq!(crate::support::cells(&world.results()), ["1.0: not_measured []"]);
}
