//! Several indexes: the first that has a project, and no other.

use std::net::TcpListener;
use std::sync::Arc;

use caliper_pypi::index::{ClientOptions, IndexError, PackageIndex as _, Project};

use crate::server::{DEMO, NEWER, Scripted, client_of, hasty, json, reply};

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
    let newest = |project: Project| project.releases().last().unwrap().version().to_string();
    assert_eq!(newest(ask(false).unwrap()), "9.0");
    assert_eq!(newest(ask(true).unwrap()), "9.0");
    // That there is no such project holds for nobody who may ask.
    assert_eq!(newest(ask(false).unwrap()), "1.0");
    assert_eq!(newest(ask(true).unwrap()), "1.0");
}
