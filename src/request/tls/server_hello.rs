//! The destination's first message, as far as it says whether a second ClientHello will come.

use super::record_header::{ALERT, CHANGE_CIPHER_SPEC, HANDSHAKE, PartialHeader, RecordHeader};

/// The type of the message, of a HelloRetryRequest too.
const SERVER_HELLO: u8 = 2;
/// The random by which a HelloRetryRequest is known (RFC 8446 §4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];
/// Type, length and version in front of the random.
const BEFORE_RANDOM: usize = 6;
/// Bytes of the message up to the end of its random.
const NEEDED: usize = BEFORE_RANDOM + RETRY.len();
/// Most bytes of the destination that are looked at for it.
const MOST: usize = 512;

/// Reads the first bytes of a destination as they come.
#[derive(Debug, Default)]
pub(super) struct ServerHelloReader {
    header: PartialHeader,
    kind: u8,
    /// Bytes of the present record that have not come.
    left: usize,
    message: Vec<u8>,
    read: usize,
}

/// The destination's answer to a ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A HelloRetryRequest: a second ClientHello is to come.
    Retry,
    /// A ServerHello, or no TLS at all: no second ClientHello would be heard.
    Other,
}

impl ServerHelloReader {
    /// Reads on; none where more bytes are needed.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Option<Answer> {
        for byte in bytes {
            self.read = self.read.saturating_add(1);
            if self.read > MOST {
                return Some(Answer::Other);
            }
            if self.left == 0 {
                match self.header.push(*byte) {
                    Ok(None) => {}
                    Ok(Some(RecordHeader { kind: kind @ (HANDSHAKE | ALERT | CHANGE_CIPHER_SPEC), length })) => {
                        self.kind = kind;
                        self.left = usize::from(length);
                    }
                    Ok(Some(_)) | Err(_) => return Some(Answer::Other),
                }
                continue;
            }
            self.left = self.left.saturating_sub(1);
            if self.kind != HANDSHAKE {
                continue;
            }
            self.message.push(*byte);
            if self.message.first() != Some(&SERVER_HELLO) {
                return Some(Answer::Other);
            }
            if self.message.len() == NEEDED {
                let is_retry = self.message.get(BEFORE_RANDOM..) == Some(&RETRY);
                return Some(if is_retry { Answer::Retry } else { Answer::Other });
            }
        }
        None
    }
}
