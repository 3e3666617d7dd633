//! Which requests reach the engine, and in which version of its API.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use caliper_core::facts::record::TestEnd;

use crate::bench::Bench;

/// The first line of each request that came, such as `GET /version HTTP/1.1`.
type Seen = Arc<Mutex<Vec<String>>>;

/// Listens at `path` and hands each connection on to the socket of the real engine. Over a plain socket
/// Caliper sends one request for each connection, so the first line of a connection is that request.
fn relay(path: &Path, engine: String) -> Seen {
    let seen = Seen::default();
    let listener = UnixListener::bind(path).unwrap();
    let lines = seen.clone();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, lines, engine) = (client.unwrap(), lines.clone(), engine.clone());
            std::thread::spawn(move || hand_on(&client, &engine, &lines));
        }
    });
    seen
}

fn hand_on(client: &UnixStream, engine: &str, lines: &Mutex<Vec<String>>) {
    let mut server = UnixStream::connect(engine).unwrap();
    let (mut back, mut down) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut back, &mut down);
        let _ = down.shutdown(Shutdown::Write);
    });
    let mut up = BufReader::new(client);
    let mut first = String::new();
    if up.read_line(&mut first).is_ok() && server.write_all(first.as_bytes()).is_ok() {
        lines.lock().unwrap().push(first);
        let _ = std::io::copy(&mut up, &mut server);
    }
    let _ = server.shutdown(Shutdown::Write);
}

#[test]
fn all_requests_but_the_four_of_shiplift_ask_for_one_version() {
    let Some(bench) = Bench::new() else { return };
    let endpoint = bench.backend.facts().endpoint.clone();
    let Some(socket) = endpoint.strip_prefix("unix://").map(str::to_owned) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relay");
    let seen = relay(&path, socket);
    let bench = bench.with(|options| options.host = Some(format!("unix://{}", path.display())));
    let environment = bench.build();
    let (end, _, error) = bench.test(&*environment, &["python", "-c", "print(1)"]);
    assert_eq!(end, TestEnd::Exited(0), "{error}");
    environment.release().unwrap();

    let mut without = BTreeSet::new();
    let mut versions = BTreeSet::new();
    for line in seen.lock().unwrap().iter() {
        let path = line.split_whitespace().nth(1).unwrap();
        let path = path.split('?').next().unwrap();
        let version = path.strip_prefix("/v").and_then(|rest| rest.split('/').next());
        match version.filter(|text| text.starts_with(|first: char| first.is_ascii_digit())) {
            Some(_) if path.contains("/libpod/") => {}
            Some(version) => drop(versions.insert(version.to_owned())),
            None => drop(without.insert(path.rsplit('/').next().unwrap().to_owned())),
        }
    }
    assert_eq!(versions.len(), 1, "{versions:?}");
    let allowed = ["attach", "start", "stop", "version", "wait"].map(str::to_owned);
    assert!(without.is_subset(&BTreeSet::from(allowed)), "{without:?}");
    assert!(without.contains("attach") && without.contains("start"), "{without:?}");
}
