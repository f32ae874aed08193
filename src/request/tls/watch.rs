//! The watch over a connection until no second ClientHello can be heard any more.
//!
//! After a HelloRetryRequest a server takes the second ClientHello with its server name: one that names another host would
//! lead there whatever the first one named. A client may send it before the answer, so its side is watched from the start.

use super::record_header::{
    ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, LENGTH, PartialHeader, RecordHeader,
};
use super::server_hello::{Answer, ServerHelloReader};
use super::{ClientHello, FirstBytes, HelloReader, Progress};

/// Keeps what a second ClientHello has to say.
#[derive(Debug)]
pub struct Watch {
    server_name: Option<Box<[u8]>>,
    ech: bool,
    client: Client,
    server: ServerHelloReader,
    /// The destination has asked for a second ClientHello.
    is_asked: bool,
    /// One was compared.
    is_compared: bool,
    is_over: bool,
}

/// The place of the client's side.
#[derive(Debug)]
enum Client {
    /// In the header of a record.
    Header { header: PartialHeader, bytes: [u8; LENGTH], come: usize },
    /// In a record that passes; so many bytes of it have not come.
    Passing(usize),
    /// In a second ClientHello.
    Hello(Box<HelloReader>),
}

/// The fate of bytes of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crossing {
    /// They may go on.
    Pass,
    /// They are held until more have come.
    Hold,
    /// The connection is closed: a second ClientHello says something else than the first one, or is none.
    Close,
}

impl Watch {
    /// Watches a connection that began with this ClientHello.
    pub fn new(first: &ClientHello<'_>) -> Watch {
        Watch {
            server_name: first.server_name.map(Box::from),
            ech: first.ech,
            client: Client::start(),
            server: ServerHelloReader::default(),
            is_asked: false,
            is_compared: false,
            is_over: false,
        }
    }

    /// Tells whether nothing needs to be read any more.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Passes over bytes of the client that need not be read, at most so many. Returns how many.
    pub fn skip(&mut self, most: usize) -> usize {
        let Client::Passing(left) = &mut self.client else { return if self.is_over { most } else { 0 } };
        let skipped = most.min(*left);
        *left = left.saturating_sub(skipped);
        if *left == 0 {
            self.client = Client::start();
        }
        skipped
    }

    /// The client's next bytes, behind its first ClientHello.
    pub fn client(&mut self, mut bytes: &[u8]) -> Crossing {
        while !bytes.is_empty() && !self.is_over {
            match self.step(bytes) {
                Some(read) => bytes = bytes.get(read..).unwrap_or_default(),
                None => return Crossing::Close,
            }
        }
        let is_inside = match &self.client {
            Client::Hello(_) => true,
            Client::Header { bytes, come, .. } => *come > 0 && bytes.first() == Some(&HANDSHAKE),
            Client::Passing(_) => false,
        };
        if is_inside && !self.is_over { Crossing::Hold } else { Crossing::Pass }
    }

    /// The destination's next bytes.
    pub fn server(&mut self, bytes: &[u8]) {
        if self.is_over || self.is_asked {
            return;
        }
        match self.server.read(bytes) {
            Some(Answer::Retry) if !self.is_compared => self.is_asked = true,
            Some(_) => self.is_over = true,
            None => {}
        }
    }

    /// Reads some of the client's bytes, and returns how many; none where the connection has to be closed.
    fn step(&mut self, bytes: &[u8]) -> Option<usize> {
        match &mut self.client {
            Client::Passing(_) => Some(self.skip(bytes.len())),
            Client::Hello(reader) => {
                let read = reader.read(bytes);
                self.compare()?;
                Some(read)
            }
            Client::Header { header, bytes: kept, come } => {
                let byte = *bytes.first()?;
                *kept.get_mut(*come)? = byte;
                *come = come.saturating_add(1);
                match header.push(byte) {
                    Ok(None) => {}
                    Ok(Some(RecordHeader { kind: HANDSHAKE, .. })) => {
                        let mut reader = HelloReader::default();
                        reader.read(kept);
                        self.client = Client::Hello(Box::new(reader));
                    }
                    Ok(Some(RecordHeader { kind: CHANGE_CIPHER_SPEC | ALERT | APPLICATION_DATA, length })) => {
                        self.client = if length == 0 { Client::start() } else { Client::Passing(usize::from(length)) };
                    }
                    Ok(Some(_)) | Err(_) => return None,
                }
                Some(1)
            }
        }
    }

    /// Compares the second ClientHello, once it is complete; none where it is another.
    fn compare(&mut self) -> Option<()> {
        let Client::Hello(reader) = &self.client else { return Some(()) };
        let is_equal = match (reader.progress(), reader.first_bytes()) {
            (Progress::Incomplete, _) => return Some(()),
            (_, FirstBytes::Hello(hello)) => hello.server_name == self.server_name.as_deref() && hello.ech == self.ech,
            _ => false,
        };
        self.client = Client::start();
        self.is_compared = true;
        self.is_over |= self.is_asked;
        is_equal.then_some(())
    }
}

impl Client {
    fn start() -> Client {
        Client::Header { header: PartialHeader::default(), bytes: [0; LENGTH], come: 0 }
    }
}
