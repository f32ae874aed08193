//! A ClientHello, collected from records and pieces of any size.

use super::client_hello::CLIENT_HELLO;
use super::record_header::{HANDSHAKE, PartialHeader, RecordHeader};
use super::{ClientHello, FirstBytes};

/// Most bytes that are read of a connection before it is decided, those of record headers included.
pub const MOST_HELD: usize = 16 << 10;
/// Type and length in front of a message.
const MESSAGE_HEADER: usize = 4;

/// Reads the first bytes of a connection as they come. Keeps the message, and nothing else.
#[derive(Debug, Default)]
pub struct HelloReader {
    header: PartialHeader,
    /// Bytes of the present record that have not come.
    left: usize,
    /// Type, length and body of the message, as far as they have come.
    message: Vec<u8>,
    /// Bytes read.
    held: usize,
    progress: Progress,
}

/// Progress of a [`HelloReader`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// More bytes are needed.
    #[default]
    Incomplete,
    /// The first bytes are no TLS.
    NoHello,
    /// They began as TLS does, and are no ClientHello.
    Unreadable,
    /// The message is there, and its record has ended.
    Complete,
}

impl HelloReader {
    /// Reads on, up to the end of the message's last record. Returns how many of the bytes were read; all of them while
    /// the message is not complete.
    pub fn read(&mut self, bytes: &[u8]) -> usize {
        let mut read = 0_usize;
        while self.progress == Progress::Incomplete
            && let Some((byte, rest)) = bytes.get(read..).and_then(<[u8]>::split_first)
        {
            let step = if self.left == 0 { self.header_byte(*byte) } else { self.record_bytes(*byte, rest) };
            read = read.saturating_add(step);
            self.held = self.held.saturating_add(step);
            if self.progress == Progress::Incomplete && self.held >= MOST_HELD {
                self.progress = Progress::Unreadable;
            }
        }
        read
    }

    /// Its progress.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// The beginning of the connection, where nothing more will come than has come so far.
    pub fn first_bytes(&self) -> FirstBytes<'_> {
        match self.progress {
            Progress::Incomplete | Progress::Unreadable => FirstBytes::Unreadable,
            Progress::NoHello => FirstBytes::NoHello,
            Progress::Complete => {
                let body = self.message.get(MESSAGE_HEADER..).unwrap_or_default();
                ClientHello::parse(body).map_or(FirstBytes::Unreadable, FirstBytes::Hello)
            }
        }
    }

    /// Takes in a byte of a record's header. Returns 1.
    fn header_byte(&mut self, byte: u8) -> usize {
        let is_first = self.message.is_empty();
        let is_begun = !is_first || self.header.is_versioned();
        match self.header.push(byte) {
            Ok(None) if byte != HANDSHAKE && is_first && self.held == 0 => self.progress = Progress::NoHello,
            Ok(None) => {}
            Ok(Some(RecordHeader { kind: HANDSHAKE, length })) => self.left = usize::from(length),
            // the first byte of the first record has said that this is a handshake
            Ok(Some(_)) => self.progress = Progress::Unreadable,
            Err(_) if is_begun => self.progress = Progress::Unreadable,
            Err(_) => self.progress = Progress::NoHello,
        }
        1
    }

    /// Takes in what has come of the present record: this byte and some of those behind it. Returns how many.
    fn record_bytes(&mut self, byte: u8, rest: &[u8]) -> usize {
        self.message.push(byte);
        let room = MOST_HELD.saturating_sub(self.held).saturating_sub(1);
        let more = rest.len().min(self.left.saturating_sub(1)).min(room);
        self.message.extend_from_slice(rest.get(..more).unwrap_or_default());
        let read = more.saturating_add(1);
        self.left = self.left.saturating_sub(read);
        self.judge();
        read
    }

    fn judge(&mut self) {
        let [_, length @ ..] = match self.message.first_chunk::<MESSAGE_HEADER>() {
            _ if self.message.first().is_some_and(|kind| *kind != CLIENT_HELLO) => {
                // whatever it is, nobody takes it for a hello
                self.progress = Progress::NoHello;
                return;
            }
            Some(header) => *header,
            None => return,
        };
        let [high, middle, low] = length.map(usize::from);
        let whole = (high << 16 | middle << 8 | low).saturating_add(MESSAGE_HEADER);
        let come = self.message.len();
        self.progress = if whole > MOST_HELD || come > whole || come == whole && self.left > 0 {
            // a hello ends its record
            Progress::Unreadable
        } else if come == whole {
            Progress::Complete
        } else {
            Progress::Incomplete
        };
    }
}
