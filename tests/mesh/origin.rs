//! External servers: they answer with what they were sent.

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A certificate and its key.
pub type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

/// Serves an address for as long as the lab runs; with TLS, if it has a certificate.
pub fn serve(address: &str, identity: Option<Identity>) {
    let listener = TcpListener::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
    let config = identity.map(|(certificate, key)| {
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
        Arc::new(config)
    });
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let config = config.clone();
            std::thread::spawn(move || {
                // whoever breaks off has seen enough
                let _ = match config {
                    Some(config) => ServerConnection::new(config)
                        .map_err(io::Error::other)
                        .and_then(|tls| answer(StreamOwned::new(tls, stream))),
                    None => answer::<TcpStream>(stream),
                };
            });
        }
    });
}

/// Connections that a server had.
#[derive(Clone, Debug)]
pub struct Count(Arc<AtomicUsize>);

impl Count {
    pub fn so_far(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Counts connections to an address, and answers none of them. An address that is counted already starts anew.
pub fn count(address: &str) -> Count {
    counted(address, b"")
}

/// Counts connections to an address, and greets each: the server speaks first.
pub fn greet(address: &str) -> Count {
    counted(address, b"220 greetings\r\n")
}

fn counted(address: &str, greeting: &'static [u8]) -> Count {
    static COUNTED: Mutex<BTreeMap<String, Count>> = Mutex::new(BTreeMap::new());
    let mut counted = COUNTED.lock().unwrap();
    if let Some(count) = counted.get(address) {
        count.0.store(0, Ordering::SeqCst);
        return count.clone();
    }
    let count = Count(Arc::default());
    counted.insert(address.to_owned(), count.clone());
    let listener = TcpListener::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
    let seen = count.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            seen.0.fetch_add(1, Ordering::SeqCst);
            let _ = stream.write_all(greeting);
        }
    });
    count
}

/// Serves an address for as long as the lab runs: whatever comes goes back.
pub fn echo(address: &str) {
    let listener = TcpListener::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let _ = io::copy(&mut &stream, &mut &stream);
            });
        }
    });
}

/// Answers one request with its head.
fn answer<S: Read + Write>(mut stream: S) -> io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\nx-origin: reached\r\n\r\n",
        head.len()
    )?;
    stream.write_all(&head)?;
    stream.flush()
}
