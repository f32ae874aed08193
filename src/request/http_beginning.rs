//! The beginning of an HTTP connection, told from that of every other protocol.

/// Beginnings that are told: a method of the registry (RFC 9110 §16.1.1) or `PURGE`, and a space; and the preface of HTTP/2
/// (RFC 9113 §3.4). Another word is none of HTTP: protocols of mail and of databases begin with words, too.
#[rustfmt::skip]
const BEGINNINGS: [&[u8]; 41] = [
    b"GET ", b"POST ", b"PUT ", b"HEAD ", b"DELETE ", b"OPTIONS ", b"PATCH ", b"CONNECT ", b"TRACE ", b"ACL ",
    b"BASELINE-CONTROL ", b"BIND ", b"CHECKIN ", b"CHECKOUT ", b"COPY ", b"LABEL ", b"LINK ", b"LOCK ", b"MERGE ",
    b"MKACTIVITY ", b"MKCALENDAR ", b"MKCOL ", b"MKREDIRECTREF ", b"MKWORKSPACE ", b"MOVE ", b"ORDERPATCH ", b"PROPFIND ",
    b"PROPPATCH ", b"PURGE ", b"QUERY ", b"REBIND ", b"REPORT ", b"SEARCH ", b"UNBIND ", b"UNCHECKOUT ", b"UNLINK ", b"UNLOCK ",
    b"UPDATE ", b"UPDATEREDIRECTREF ", b"VERSION-CONTROL ",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];

/// Bytes that tell in every case: those of the longest beginning.
pub const HTTP_BEGINNING: usize = 24;

/// Tells whether a connection that begins so speaks HTTP; none while more bytes are needed.
pub fn begins_http(bytes: &[u8]) -> Option<bool> {
    if BEGINNINGS.iter().any(|beginning| bytes.starts_with(beginning)) {
        return Some(true);
    }
    let is_short = BEGINNINGS.iter().any(|beginning| beginning.starts_with(bytes));
    (!is_short).then_some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer to a beginning, and how many of its bytes it took.
    fn told(bytes: &[u8]) -> (bool, usize) {
        let answers = (0..=bytes.len()).filter_map(|length| Some((begins_http(&bytes[..length])?, length)));
        answers.into_iter().next().unwrap_or_else(|| panic!("never told: {bytes:?}"))
    }

    #[test]
    fn http_is_told_by_its_method_or_its_preface_whole() {
        for (bytes, taken) in [
            (&b"GET / HTTP/1.1\r\n"[..], 4),
            (b"CONNECT a.test:443 HTTP/1.1\r\n", 8),
            (b"PROPFIND /x HTTP/1.1\r\n", 9),
            (b"UPDATEREDIRECTREF / HTTP/1.1\r\n", 18),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00", 24),
        ] {
            assert_eq!(told(bytes), (true, taken));
            assert!(taken <= HTTP_BEGINNING);
        }
    }

    #[test]
    fn other_protocols_are_told_by_the_first_byte_that_differs() {
        for (bytes, taken) in [
            (&b"\x16\x03\x01"[..], 1),
            (b"get / HTTP/1.1", 1),
            (b"EHLO a.test\r\n", 1),
            (b"SSH-2.0-x", 2),
            (b"GETX / HTTP/1.1", 4),
            (b"UPDATE\tt", 7),
            (b"PRI / HTTP/2.0", 5),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r ", 24),
            (b" GET /", 1),
        ] {
            assert_eq!(told(bytes), (false, taken), "{bytes:?}");
        }
        assert_eq!(begins_http(b""), None);
    }

    #[test]
    fn every_beginning_is_short_and_none_begins_another() {
        assert_eq!(BEGINNINGS.iter().map(|beginning| beginning.len()).max(), Some(HTTP_BEGINNING));
        for (place, beginning) in BEGINNINGS.iter().enumerate() {
            let mut others = BEGINNINGS.iter().enumerate().filter(|(other, _)| *other != place);
            assert!(others.all(|(_, other)| !other.starts_with(beginning)), "{beginning:?}");
        }
    }
}
