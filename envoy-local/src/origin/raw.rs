//! A server that speaks no protocol: it keeps every byte, and answers as it was told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};

/// A connection as it arrived: its bytes so far.
type Heard = Arc<Mutex<Vec<u8>>>;

/// A running server; its threads end with their connections, and with the process.
#[derive(Debug)]
pub struct RawOrigin {
    address: SocketAddr,
    connections: Arc<Mutex<Vec<Heard>>>,
}

impl RawOrigin {
    /// Serves on a free port of loopback. Each connection begins with `greeting`, and each piece of bytes is answered with
    /// `answer`, the first one or every one.
    pub fn start(greeting: Vec<u8>, answer: Vec<u8>) -> Result<RawOrigin> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("no port for a server")?;
        let address = listener.local_addr()?;
        let connections = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&connections);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let heard = Heard::default();
                all.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&heard));
                let (greeting, answer) = (greeting.clone(), answer.clone());
                thread::spawn(move || serve(stream, &heard, &greeting, &answer));
            }
        });
        Ok(RawOrigin { address, connections })
    }

    /// Address at which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The bytes of every connection since the last call, those without any among them.
    pub fn take(&self) -> Vec<Vec<u8>> {
        let taken = std::mem::take(&mut *self.connections.lock().unwrap_or_else(PoisonError::into_inner));
        taken.iter().map(|heard| heard.lock().unwrap_or_else(PoisonError::into_inner).clone()).collect()
    }
}

fn serve(mut stream: TcpStream, heard: &Mutex<Vec<u8>>, greeting: &[u8], answer: &[u8]) {
    let mut bytes = vec![0; 1 << 16];
    let mut goes_on = stream.write_all(greeting).is_ok();
    while goes_on && let Ok(length @ 1..) = stream.read(&mut bytes) {
        heard.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes.get(..length).unwrap_or_default());
        goes_on = stream.write_all(answer).is_ok();
    }
}
