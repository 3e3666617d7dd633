//! A server that answers wrongly.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Answers every request with what it was given, until it is dropped.
pub struct Faults {
    pub address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

/// What is asked.
pub struct Request<'a> {
    pub path: &'a str,
    /// The request line and the headers.
    pub head: &'a str,
}

/// What to answer.
#[derive(Debug, Clone)]
pub enum Answer {
    /// These bytes, then the end of the connection.
    Bytes(Vec<u8>),
    /// Nothing, for longer than anybody waits.
    Never,
}

impl Faults {
    /// Answers each request, the first of which is number 0.
    pub fn start(answer: impl Fn(usize, &Request<'_>) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let (count, answer) = (Arc::clone(&requests), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let number = count.fetch_add(1, Ordering::SeqCst);
                let answer = Arc::clone(&answer);
                std::thread::spawn(move || serve(stream, number, &*answer));
            }
        });
        Self { address, requests }
    }

    /// The same answer to everybody.
    pub fn always(head: &str, body: &[u8]) -> Self {
        let bytes = response(head, body);
        Self::start(move |_, _| Answer::Bytes(bytes.clone()))
    }

    pub fn url(&self) -> String {
        format!("http://{}/simple/", self.address)
    }

    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// A response with a status line, headers, and a body of the right length.
pub fn response(head: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())
            .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn serve(mut stream: TcpStream, number: usize, answer: &dyn Fn(usize, &Request<'_>) -> Answer) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(read) => request.extend_from_slice(&buffer[..read]),
        }
    }
    let request = String::from_utf8_lossy(&request);
    let path = request.split(' ').nth(1).unwrap_or_default();
    match answer(number, &Request { path, head: &request }) {
        Answer::Bytes(bytes) => {
            let _ = stream.write_all(&bytes);
        }
        Answer::Never => std::thread::sleep(Duration::from_secs(60)),
    }
}
