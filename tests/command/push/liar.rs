//! A server that says what a test tells it to, and remembers what it was told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A running server; it stays as long as the test's process.
pub struct Liar {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Liar {
    /// Answers what `answer` makes of the number of a request, from 0, and of its head.
    pub fn start(answer: impl Fn(usize, &str) -> String + Send + 'static) -> Liar {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let remembered = Arc::clone(&heads);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let Some(head) = head(&mut stream) else { continue };
                let number = {
                    let mut heads = remembered.lock().unwrap();
                    heads.push(head.clone());
                    heads.len() - 1
                };
                // who has gone has no use for an answer
                drop(stream.write_all(answer(number, &head).as_bytes()));
            }
        });
        Liar { address, heads }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The heads of all requests so far.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// The values of `authorization` that arrived.
    pub fn authorizations(&self) -> Vec<String> {
        let heads = self.heads();
        let lines = heads.iter().flat_map(|head| head.lines()).filter_map(|line| line.split_once(": "));
        lines
            .filter(|(name, _)| name.eq_ignore_ascii_case("authorization"))
            .map(|(_, value)| value.to_owned())
            .collect()
    }
}

/// Everything up to the empty line; a body is read off.
fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.extend(byte);
    }
    let head = String::from_utf8(head).ok()?;
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    Some(head)
}

/// An answer with these headers (each with its end of line) and this body.
pub fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}
