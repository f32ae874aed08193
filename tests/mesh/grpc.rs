//! A gRPC server on the outside.

use super::http2::{ACK, DATA, END_STREAM, GOAWAY, HEADERS, PREFACE, SETTINGS, STREAM, frame, headers, read_frame};
use super::origin::Identity;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

/// Every answer of the server: a message without a field.
pub const MESSAGE: &[u8] = b"\0\0\0\0\0";

/// Serves an address for as long as the lab runs, over TLS, and nothing to who does not offer HTTP/2 in the handshake.
pub fn serve(address: &str, (certificate, key): Identity) {
    let listener = TcpListener::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
    let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let config = Arc::clone(&config);
            std::thread::spawn(move || {
                let mut tls = ServerConnection::new(config).unwrap();
                // whoever breaks off has seen enough
                let _ = tls.complete_io(&mut stream);
                if tls.alpn_protocol() == Some(b"h2") {
                    let _ = answer(&mut StreamOwned::new(tls, stream));
                }
            });
        }
    });
}

/// Answers one call, and the connection's last.
fn answer(stream: &mut (impl Read + Write)) -> io::Result<()> {
    let mut preface = [0; PREFACE.len()];
    stream.read_exact(&mut preface)?;
    let mut bytes = Vec::new();
    frame(&mut bytes, SETTINGS, 0, 0, &[]);
    loop {
        let (kind, flags, ..) = read_frame(stream)?;
        match kind {
            SETTINGS if flags & ACK == 0 => frame(&mut bytes, SETTINGS, ACK, 0, &[]),
            HEADERS | DATA if flags & END_STREAM != 0 => break,
            _ => {}
        }
    }
    headers(&mut bytes, &[(b":status", b"200"), (b"content-type", b"application/grpc")], false);
    frame(&mut bytes, DATA, 0, STREAM, MESSAGE);
    headers(&mut bytes, &[(b"grpc-status", b"0")], true);
    frame(&mut bytes, GOAWAY, 0, 0, &[STREAM.to_be_bytes(), [0; 4]].concat());
    stream.write_all(&bytes)?;
    stream.flush()?;
    while read_frame(stream).is_ok() {}
    Ok(())
}
