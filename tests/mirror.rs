//! `caliper index serve`: a mirror as a command.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use crate::support::World;

/// A mirror that was started as a command.
struct Serving {
    child: Child,
    /// What it printed on standard output.
    address: String,
}

impl Serving {
    fn start(world: &World, arguments: &[&str]) -> Self {
        let mut command = world.command(&[&["index", "serve"], arguments].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut address).unwrap();
        Self { child, address: address.trim().to_owned() }
    }

    fn get(&self, path: &str) -> String {
        let host = self.address.split('/').nth(2).unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Ends it as Ctrl-C does; what it said on standard error.
    fn interrupt(mut self, world: &World) -> String {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(130), "{said}");
        let host = self.address.split('/').nth(2).unwrap();
        let here = world.project().display().to_string();
        said.replace(host, "[MIRROR]")
            .replace(&world.listening().to_string(), "[INDEX]")
            .replace(&here, "[PROJECT]")
    }
}

#[test]
fn a_mirror_is_served_until_it_is_interrupted() {
    let world = World::new();
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    let wheel = world.packages().join("demo-1.0-py3-none-any.whl.uploaded");
    std::fs::write(wheel, "2020-05-01").unwrap();
    let serving = Serving::start(&world, &["--as-of", "2021-01-01"]);
    assert!(serving.address.ends_with("/as-of/2021-01-01/simple/"), "{}", serving.address);
    assert!(serving.get("/as-of/2021-01-01/simple/demo/").contains("demo-1.0"));
    assert!(!serving.get("/as-of/2020-01-01/simple/demo/").contains("demo-1.0"));
    insta::assert_snapshot!(serving.interrupt(&world), @"
    serves http://[INDEX]/simple/; files are kept in [PROJECT]/.caliper/cache
      pip install --index-url http://[MIRROR]/as-of/2021-01-01/simple/ PACKAGE
      uv pip install --default-index http://[MIRROR]/as-of/2021-01-01/simple/ PACKAGE
    served 2 requests, 0 of them failed
    ");

    // What was asked for can be asked for again without the index.
    let serving = Serving::start(&world, &["--offline", "--listen", "127.0.0.1:0"]);
    assert!(serving.get("/simple/demo/").contains("demo-1.0"));
    assert!(serving.get("/simple/other/").starts_with("HTTP/1.1 504"));
    insta::assert_snapshot!(serving.interrupt(&world), @"
    serves http://[INDEX]/simple/; files are kept in [PROJECT]/.caliper/cache
      pip install --index-url http://[MIRROR]/simple/ PACKAGE
      uv pip install --default-index http://[MIRROR]/simple/ PACKAGE
    served 2 requests, 1 of them failed
    ");
}

#[test]
fn a_mirror_for_other_machines_is_named_as_such() {
    let world = World::new();
    let refused = world.caliper(&["index", "serve", "--listen", "0.0.0.0:8099"]).error(2);
    insta::assert_snapshot!(refused, @"error: other machines may reach 0.0.0.0:8099, and read all that the indexes offer: listen on 127.0.0.1:8099, or add `--public` if that is meant");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let refused = world.caliper(&["index", "serve", "--listen", &port]).error(3);
    insta::assert_snapshot!(refused.replace(&port, "PORT"), @"
    error: the mirror cannot listen on 127.0.0.1:PORT: choose another address, or port 0 for any free one
      caused by: Address already in use (os error 98)
    ");
    let serving = Serving::start(&world, &["--listen", "0.0.0.0:0", "--public"]);
    let said = serving.interrupt(&world);
    assert!(said.starts_with("warning: whoever reaches 0.0.0.0:0 can read all"), "{said}");
}
