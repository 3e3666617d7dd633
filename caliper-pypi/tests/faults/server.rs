//! A server that does what it is told, and clients of it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use caliper_pypi::index::{ClientOptions, IndexClient, IndexError, PackageIndex as _};

/// What a server does with one connection after it has read the request.
pub(crate) type Step = Box<dyn Fn(&mut TcpStream) + Send>;

/// A server that takes one step for each connection, and repeats the last one.
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    pub(crate) fn start(steps: Vec<Step>) -> Self {
        Self::answering(move |count, _, stream| steps[count.min(steps.len() - 1)](stream))
    }

    /// Hands the number of each request, its head and the connection to `answer`.
    pub(crate) fn answering(answer: impl Fn(usize, &str, &mut TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&requests);
        std::thread::spawn(move || {
            for (count, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                let mut request = Vec::new();
                let mut byte = [0];
                while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                    request.push(byte[0]);
                }
                let request = String::from_utf8(request).unwrap();
                heard.lock().unwrap().push(request.clone());
                answer(count, &request, &mut stream);
            }
        });
        Self { address, requests }
    }

    pub(crate) fn client(&self, options: ClientOptions) -> IndexClient {
        self.client_as("", options)
    }

    pub(crate) fn client_as(&self, credentials: &str, options: ClientOptions) -> IndexClient {
        let address = format!("http://{credentials}{}/simple/", self.address);
        IndexClient::new(address.parse().unwrap(), options)
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Asks for `demo`; the error, with the port masked.
    pub(crate) fn error(&self, options: ClientOptions) -> (IndexError, String) {
        let error = self.client(options).project(&"demo".parse().unwrap()).unwrap_err();
        let text = error.to_string().replace(&self.address.to_string(), "HOST");
        (error, text)
    }
}

/// An answer with this head and body.
pub(crate) fn reply(head: &str, body: impl Into<Vec<u8>>) -> Step {
    let (head, body) = (head.replace('\n', "\r\n"), body.into());
    Box::new(move |stream| {
        let _ = write!(
            stream,
            "HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let _ = stream.write_all(&body);
    })
}

pub(crate) fn json(files: &str) -> Step {
    json_with("", files)
}

pub(crate) fn json_with(headers: &str, files: &str) -> Step {
    reply(
        &format!("200 OK\nContent-Type: application/vnd.pypi.simple.v1+json{headers}"),
        format!(r#"{{"meta":{{"api-version":"1.0"}},"name":"demo","files":[{files}]}}"#),
    )
}

pub(crate) const DEMO: &str =
    r#"{"filename":"demo-1.0.tar.gz","url":"demo-1.0.tar.gz","hashes":{}}"#;

/// No retries.
pub(crate) fn hasty() -> ClientOptions {
    ClientOptions { retries: 0, ..ClientOptions::default() }
}

/// The head of an answer, then a byte now and then for as long as anybody listens.
pub(crate) fn drip(head: &str) -> Step {
    let head = format!("HTTP/1.1 {}\r\n\r\n", head.replace('\n', "\r\n"));
    Box::new(move |stream| {
        let _ = stream.write_all(head.as_bytes());
        while stream.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    })
}

/// This head, and a body that is not as long as it says, whatever that is.
pub(crate) fn cut(head: &str, body: &[u8]) -> Step {
    let head = format!("HTTP/1.1 {}\r\nConnection: close\r\n\r\n", head.replace('\n', "\r\n"));
    let bytes = [head.as_bytes(), body].concat();
    Box::new(move |stream| _ = stream.write_all(&bytes))
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) const NEWER: &str =
    r#"{"filename":"demo-9.0.tar.gz","url":"demo-9.0.tar.gz","hashes":{}}"#;

/// A client of these servers, in this order.
pub(crate) fn client_of(servers: &[&Scripted], options: ClientOptions) -> IndexClient {
    let addresses = servers.iter().map(|server| format!("http://{}/simple/", server.address));
    let mut addresses = addresses.map(|address| address.parse().unwrap());
    IndexClient::of_several(addresses.next().unwrap(), addresses, options)
}

/// Every file below `folder`.
pub(crate) fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else {
            found.push(path);
        }
    }
    found
}
