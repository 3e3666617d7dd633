//! Proxies that the environment names, each in a process of its own.

use std::io::{Read as _, Write as _};
use std::process::Command;

use caliper_pypi::index::{ClientOptions, IndexClient, PackageIndex as _};

use crate::child;
use crate::server::{DEMO, Scripted, json, reply};

/// Asks the index whose address is the task.
fn ask(address: &str) {
    let options = ClientOptions { retries: 0, ..ClientOptions::default() };
    let client = IndexClient::new(address.parse().unwrap(), options);
    match client.project(&"demo".parse().unwrap()) {
        Ok(project) => child::say(&format!("{} releases", project.releases().len())),
        Err(error) => {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            child::say(&format!("{error}: {}", source.unwrap_or_default()));
            child::say(&format!("{error:?}"));
        }
    }
}

const VARIABLES: [&str; 8] = [
    "ALL_PROXY",
    "all_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
];

fn child(test: &str, address: &str) -> Command {
    let mut command = child::command(test, address);
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    command
}

#[test]
fn a_proxy_of_the_environment_is_used() {
    if let Some(address) = child::task() {
        return ask(&address);
    }
    let test = "proxies::a_proxy_of_the_environment_is_used";
    // As a tunnel, behind which it is the index itself.
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        let proxy = Scripted::answering(|_, request, stream| {
            assert!(request.starts_with("CONNECT index.invalid:80 "), "{request}");
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                request.push(byte[0]);
            }
            assert!(request.starts_with(b"GET /simple/demo/ "));
            json(DEMO)(stream);
        });
        let mut command = child(test, "http://index.invalid/simple/");
        command.env(variable, format!("http://me:hush@{}", proxy.address));
        let said = child::said(&command.output().unwrap());
        assert_eq!(said, ["1 releases"], "{variable}");
        let request = &proxy.requests()[0];
        assert!(request.contains("index.invalid"), "{request}");
        assert!(request.to_lowercase().contains("proxy-authorization: basic bwu6ahvzaa=="));
    }
}

#[test]
fn a_proxy_that_refuses_is_said_without_its_password() {
    if let Some(address) = child::task() {
        return ask(&address);
    }
    let test = "proxies::a_proxy_that_refuses_is_said_without_its_password";
    let proxy = Scripted::start(vec![reply("407 Proxy Authentication Required", "")]);
    for address in ["http://index.invalid/simple/", "https://index.invalid/simple/"] {
        let mut command = child(test, address);
        for variable in ["HTTP_PROXY", "HTTPS_PROXY"] {
            command.env(variable, format!("http://me:hush@{}", proxy.address));
        }
        let said = child::said(&command.output().unwrap());
        assert!(
            !said.concat().contains("hush") && !said.concat().contains("bWU6aHVzaA"),
            "{said:?}"
        );
        insta::allow_duplicates! {
            insta::assert_snapshot!(said[0].replace("https", "http"), @"could not reach http://index.invalid/simple/demo/: CONNECT proxy failed: proxy server responded 407/407");
        }
    }
    assert!(proxy.requests()[1].starts_with("CONNECT index.invalid:443 "));
}

#[test]
fn this_machine_itself_is_reached_without_a_proxy() {
    if let Some(address) = child::task() {
        return ask(&address);
    }
    let test = "proxies::this_machine_itself_is_reached_without_a_proxy";
    let proxy = Scripted::start(vec![reply("500 Oh", "")]);
    let index = Scripted::start(vec![json(DEMO)]);
    let mut command = child(test, &format!("http://{}/simple/", index.address));
    command.env("HTTP_PROXY", format!("http://{}", proxy.address));
    assert_eq!(child::said(&command.output().unwrap()), ["1 releases"]);
    // And what NO_PROXY names; nobody is called so, which is told by whoever looks it up.
    let mut command = child(test, "http://index.invalid/simple/");
    command.env("HTTP_PROXY", format!("http://{}", proxy.address)).env("NO_PROXY", ".invalid");
    let said = child::said(&command.output().unwrap());
    assert!(said[0].starts_with("could not reach http://index.invalid/simple/demo/"), "{said:?}");
    assert_eq!(proxy.requests().len(), 0);
}
