//! ClientHellos as clients write them (RFC 8446 §4.1.2), with no more in them than decisions read.

/// `server_name` (RFC 6066 §3).
const SERVER_NAME: [u8; 2] = [0, 0];
/// `supported_versions`: TLS 1.3 alone.
const VERSIONS: [u8; 7] = [0, 0x2b, 0, 3, 2, 3, 4];
/// `encrypted_client_hello` (RFC 9849) as those send it that have no key: GREASE.
const ENCRYPTED: [u8; 2] = [0xfe, 0x0d];

/// A record with a ClientHello that names this server, if any, and may hide another.
pub(crate) fn record(server: Option<&str>, ech: bool) -> Vec<u8> {
    let mut extensions = VERSIONS.to_vec();
    if let Some(name) = server {
        let entry = [&[0][..], &sized(name.as_bytes())].concat();
        extensions.extend([&SERVER_NAME[..], &sized(&sized(&entry))].concat());
    }
    if ech {
        extensions.extend([&ENCRYPTED[..], &sized(&[0; 16])].concat());
    }
    let random = [7; 32];
    let (session, ciphers, compressions) = (&[0][..], &[0, 2, 0x13, 1][..], &[1, 0][..]);
    let body = [&[3, 3][..], &random, session, ciphers, compressions, &sized(&extensions)].concat();
    // the length of a message has three bytes
    let message = [&[1, 0][..], &sized(&body)].concat();
    [&[22, 3, 1][..], &sized(&message)].concat()
}

/// Bytes behind their number, which is two bytes long. A name has 253 bytes at most, so that it always fits.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes(), bytes].concat()
}

#[cfg(test)]
mod tests {
    use super::record;
    use tollgate::request::{ClientHello, FirstBytes, HelloReader};

    #[test]
    fn a_hello_is_read_as_it_is_meant() {
        for server in [None, Some("api.example.com")] {
            for ech in [false, true] {
                let mut reader = HelloReader::default();
                let bytes = record(server, ech);
                assert_eq!(reader.read(&bytes), bytes.len());
                let expected = ClientHello { server_name: server.map(str::as_bytes), ech };
                assert_eq!(reader.first_bytes(), FirstBytes::Hello(expected));
            }
        }
    }
}
