//! External servers: they answer with what they were sent.

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

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
