//! The header of a record (RFC 8446 §5.1), read byte by byte.

/// `handshake`.
pub(super) const HANDSHAKE: u8 = 22;
/// `change_cipher_spec`.
pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
/// `alert`.
pub(super) const ALERT: u8 = 21;
/// `application_data`.
pub(super) const APPLICATION_DATA: u8 = 23;

/// Length of a header in bytes.
pub(super) const LENGTH: usize = 5;
/// Most bytes in a record that is not encrypted.
const LONGEST: u16 = 1 << 14;
/// An encrypted record may be longer (RFC 5246 §6.2.3).
const LONGEST_ENCRYPTED: u16 = LONGEST + 2048;

/// A record's type, and how many bytes follow its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub(super) kind: u8,
    pub(super) length: u16,
}

/// A header of which some bytes have come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PartialHeader {
    bytes: [u8; LENGTH],
    come: usize,
}

/// The bytes are the header of no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoRecord;

impl PartialHeader {
    /// Takes in one byte; a header once the last one has come.
    ///
    /// # Errors
    /// The byte cannot stand there: SSL 2 and what is no TLS fail at the first or the second one.
    pub(super) fn push(&mut self, byte: u8) -> Result<Option<RecordHeader>, NoRecord> {
        let fits = match self.come {
            0 => (CHANGE_CIPHER_SPEC..=APPLICATION_DATA).contains(&byte),
            1 => byte == 3,
            _ => true,
        };
        let Some(place) = self.bytes.get_mut(self.come).filter(|_| fits) else { return Err(NoRecord) };
        *place = byte;
        self.come = self.come.saturating_add(1);
        if self.come < LENGTH {
            return Ok(None);
        }
        let [kind, _, _, high, low] = self.bytes;
        *self = PartialHeader::default();
        let length = u16::from_be_bytes([high, low]);
        let longest = if kind == HANDSHAKE { LONGEST } else { LONGEST_ENCRYPTED };
        if length == 0 && kind != APPLICATION_DATA || length > longest {
            return Err(NoRecord);
        }
        Ok(Some(RecordHeader { kind, length }))
    }

    /// Tells whether its first byte and its second one have come.
    pub(super) fn is_versioned(&self) -> bool {
        self.come >= 2
    }
}
