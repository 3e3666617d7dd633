//! Indexes that want a login.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use crate::support::faults::{Answer, Faults, response};
use crate::support::{World, cells, has_uv, python};

/// `me:hunter2`, as a request carries it.
const LOGIN: &str = "authorization: basic bwu6ahvudgvymg==";

/// What stands in front of the world's index and lets nobody in without the login.
fn gate(world: &World) -> Faults {
    let behind = world.listening();
    Faults::start(move |_, request| {
        if !request.head.to_lowercase().contains(LOGIN) {
            let head = "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"";
            return Answer::Bytes(response(head, b"no"));
        }
        let mut stream = TcpStream::connect(behind).unwrap();
        let head = request.head.trim_end();
        write!(stream, "{head}\r\nConnection: close\r\n\r\n").unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        Answer::Bytes(bytes)
    })
}

/// Every file below `folder` that holds `text`, or is named so.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let shown = path.display().to_string();
        if path.is_symlink() {
            continue;
        } else if path.is_dir() {
            found.extend(holding(&path, text));
        } else if String::from_utf8_lossy(&std::fs::read(&path).unwrap()).contains(text)
            || shown.contains(text)
        {
            found.push(shown);
        }
    }
    found
}

#[test]
fn a_netrc_file_opens_an_index_for_us_and_for_uv() {
    if !has_uv() {
        return;
    }
    let world = World::with_config("  requirements: [helper]\n");
    world.wheel("demo", "1.0", &[("demo.py", "import helper\n")]);
    world.wheel("helper", "1.5", &[("helper.py", "")]);
    let gate = gate(&world);
    let python = python();
    let run = |netrc: &str| {
        let arguments = ["run", "-v", "--python", &python, "--index", &gate.url()];
        let netrc = world.project().parent().unwrap().join(netrc);
        world.said(world.command(&arguments).env("NETRC", netrc).output().unwrap())
    };
    let home = world.project().parent().unwrap().join("home");
    std::fs::write(home.join("empty"), "").unwrap();
    std::fs::write(home.join("netrc"), "machine 127.0.0.1\n  login me\n  password hunter2\n")
        .unwrap();

    let said = run("home/empty").expect(3);
    insta::assert_snapshot!(said.error(3).replace(&gate.address.to_string(), "[GATE]"), @"error: the index at http://[GATE]/simple/ refused to show `demo` (status 401): put credentials that may read it into the address (`https://user:password@host/…`) or into a netrc file");

    let said = run("home/netrc").expect(0);
    assert_eq!(cells(&world.results()), ["1.0: tested [import passed]"]);
    assert!(!said.out.contains("hunter2") && !said.err.contains("hunter2"), "{}", said.err);
    assert_eq!(holding(&world.project(), "hunter2"), [""; 0]);
    assert_eq!(holding(&world.project(), "bWU6aHVudGVyMg"), [""; 0]);
}

#[test]
fn a_netrc_file_that_cannot_be_used_is_said_without_its_secrets() {
    let world = World::new();
    let resolve = |netrc: &Path| {
        let mut command = world.command(&["resolve", "demo"]);
        world.said(command.env("NETRC", netrc).output().unwrap())
    };
    let netrc = world.project().join("netrc");
    insta::assert_snapshot!(resolve(&netrc).error(3), @"
    error: could not read the netrc file `[HERE]/project/netrc`
      caused by: No such file or directory (os error 2)
    ");
    std::fs::write(&netrc, "machine h login me\npassword correct hunter2 staple\n").unwrap();
    let said = resolve(&netrc);
    assert!(!said.err.contains("hunter2"), "{}", said.err);
    insta::assert_snapshot!(said.error(2), @"
    error: the netrc file `[HERE]/project/netrc` cannot be understood
      caused by: line 2: expected `login`, `password`, `account` or the next `machine`; a value with a space in it needs quotes
    ");
}

#[test]
fn the_home_folder_has_a_netrc_file_too() {
    let world = World::new();
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    let gate = gate(&world);
    let home = world.project().parent().unwrap().join("home");
    for name in [".netrc", "_netrc"] {
        let path = home.join(name);
        std::fs::write(&path, "machine 127.0.0.1 login me password hunter2").unwrap();
        let arguments = ["resolve", "demo", "--python", "3.11", "--index", &gate.url()];
        let said = world.caliper(&arguments).expect(0);
        assert!(said.out.contains("demo-1.0-py3-none-any.whl"), "{}", said.out);
        std::fs::remove_file(path).unwrap();
        std::fs::remove_dir_all(world.project().join(".caliper")).unwrap();
    }
}
