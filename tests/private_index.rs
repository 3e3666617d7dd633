//! Indexes of one's own: that want a login, or stand before another.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use caliper_pypi::pack;

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
        }
        if path.is_dir() {
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

#[test]
fn a_package_and_what_it_needs_come_from_the_first_index_that_has_them() {
    if !has_uv() {
        return;
    }
    let (own, public) = (World::with_config("  requirements: [other]\n"), World::new());
    own.wheel("helper", "1.0", &[("helper.py", "")]);
    // The same names, and higher versions: dependency confusion.
    public.wheel("demo", "9.0", &[("demo.py", "raise Exception('taken')")]);
    public.wheel("helper", "9.0", &[("helper.py", "raise Exception('taken')")]);
    public.wheel("other", "2.0", &[("other.py", "")]);
    let files = [("demo.py", "import helper, other\n")];
    pack::wheel(&own.packages(), "demo", "1.0", &["helper"], &files).unwrap();
    let python = python();
    let (first, second) = (own.index(), public.index());
    let arguments = ["run", "--python", &python, "--index", &first, "--index", &second];
    own.caliper(&arguments).expect(0);
    let results = own.results();
    assert_eq!(cells(&results), ["1.0: tested [import passed]"]);
    assert_eq!(results["cells"][0]["environment"]["index"], first);
    let schema = own.caliper(&["schema", "results"]).expect(0).out;
    jsonschema::validate(&serde_json::from_str(&schema).unwrap(), &results).unwrap();
    let installed = &results["cells"][0]["environment"]["installed"];
    for (place, name, version, index) in
        [(1, "helper", "1.0", &first), (2, "other", "2.0", &second)]
    {
        let found = &installed[place];
        assert_eq!((&found["name"], &found["version"]), (&name.into(), &version.into()));
        let host = index.split('/').nth(2).unwrap();
        let url = found["file"]["url"].as_str().unwrap();
        assert!(url.starts_with(&format!("http://{host}/")), "{url}");
    }

    // The environment names several too.
    let mut command = own.command(&["resolve", "demo", "--python", &python, "--format", "json"]);
    let said = command.env("CALIPER_INDEX_URL", format!("{second} {first}")).output().unwrap();
    let grid: serde_json::Value = serde_json::from_str(&own.said(said).expect(0).out).unwrap();
    assert_eq!(grid["cells"][0]["version"], "9.0");
}

#[test]
fn an_index_that_cannot_be_asked_is_not_skipped() {
    let world = World::with_config("");
    let url = world.index();
    // One that cannot be asked is an error, whatever the next one has.
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    let gone = "http://127.0.0.1:1/simple/";
    let said = world.caliper(&["resolve", "demo", "--index", gone, "--index", &url]);
    insta::assert_snapshot!(said.error(3), @"
    error: could not reach http://127.0.0.1:1/simple/demo/
      caused by: Connection refused (os error 111)
    ");
    let said = world.caliper(&["resolve", "nosuch", "--index", &url, "--index", &url]);
    insta::assert_snapshot!(said.error(2), @"error: none of the indexes at http://[INDEX]/simple/ and http://[INDEX]/simple/ has a project `nosuch`: check its spelling, or name another index");
}
