//! From the headers of a request, pseudo headers among them, to what arrived.

use super::{Arrival, Upgrade, is_override};

impl<'a> Arrival<'a> {
    /// Takes from raw headers what a decision looks at; names are compared ignoring case. Identity and cluster are
    /// no headers and stay empty.
    ///
    /// `host` counts as the authority where there is no `:authority`. A second authority, method or path leaves it
    /// open which one counts; the arrival then has no authority at all, which nothing admits, dry-run or not. (HTTP/2
    /// forbids a second pseudo header, RFC 9113 §8.3, and HTTP/1.1 a second `host`, RFC 9112 §3.2.)
    pub fn from_headers(headers: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Arrival<'a> {
        let mut authority = Once::Absent;
        let mut host = Once::Absent;
        let mut method = Once::Absent;
        let mut path = Once::Absent;
        let mut upgrade = Once::Absent;
        let mut overridden = false;
        for (name, value) in headers {
            match Field::of(name) {
                Some(Field::Authority) => authority.see(value),
                Some(Field::Host) => host.see(value),
                Some(Field::Method) => method.see(value),
                Some(Field::Path) => path.see(value),
                Some(Field::Upgrade) => upgrade.see(value),
                Some(Field::Override) => overridden = true,
                None => {}
            }
        }
        let authority = match authority {
            Once::Absent => host,
            _ => authority,
        };
        let refused = [authority, method, path].into_iter().any(|field| matches!(field, Once::Several));
        Arrival {
            identity: None,
            authority: if refused { b"" } else { authority.value().unwrap_or_default() },
            method: method.value().unwrap_or_default(),
            path: path.value(),
            upgrade: match upgrade {
                Once::Absent => Upgrade::Absent,
                Once::Value(value) => Upgrade::To(value),
                Once::Several => Upgrade::Several,
            },
            overridden,
            cluster: None,
            connection: None,
        }
    }
}

/// A header that a decision looks at.
enum Field {
    Authority,
    Host,
    Method,
    Path,
    Upgrade,
    Override,
}

impl Field {
    fn of(name: &[u8]) -> Option<Field> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        // The first byte rules most headers out.
        match name.first()? {
            b':' if is(":authority") => Some(Field::Authority),
            b':' if is(":method") => Some(Field::Method),
            b':' if is(":path") => Some(Field::Path),
            b'h' | b'H' if is("host") => Some(Field::Host),
            b'u' | b'U' if is("upgrade") => Some(Field::Upgrade),
            b'x' | b'X' if is_override(name) => Some(Field::Override),
            _ => None,
        }
    }
}

/// A header that may stand once.
#[derive(Clone, Copy)]
enum Once<'a> {
    Absent,
    Value(&'a [u8]),
    Several,
}

impl<'a> Once<'a> {
    fn see(&mut self, value: &'a [u8]) {
        *self = match self {
            Once::Absent => Once::Value(value),
            Once::Value(_) | Once::Several => Once::Several,
        };
    }

    fn value(self) -> Option<&'a [u8]> {
        match self {
            Once::Value(value) => Some(value),
            Once::Absent | Once::Several => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::OVERRIDE_HEADERS;
    use super::*;

    fn arrival(headers: &[(&'static str, &'static str)]) -> Arrival<'static> {
        Arrival::from_headers(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
    }

    const PLAIN: [(&str, &str); 3] = [(":authority", "a.com"), (":method", "GET"), (":path", "/a?b")];

    fn plain_and(more: &[(&'static str, &'static str)]) -> Arrival<'static> {
        arrival(&[&PLAIN, more].concat())
    }

    #[test]
    fn pseudo_headers_become_authority_method_and_path() {
        let arrival = plain_and(&[("accept", "*/*"), ("x-other", "1"), ("hostname", "x"), ("", "")]);
        assert_eq!((arrival.authority, arrival.method, arrival.path), (&b"a.com"[..], &b"GET"[..], Some(&b"/a?b"[..])));
        assert_eq!((arrival.upgrade, arrival.overridden), (Upgrade::Absent, false));
        assert!(arrival.identity.is_none() && arrival.cluster.is_none());
    }

    #[test]
    fn what_is_absent_is_empty_and_a_path_may_be_absent() {
        let arrival = arrival(&[]);
        assert_eq!((arrival.authority, arrival.method, arrival.path), (&b""[..], &b""[..], None));
    }

    #[test]
    fn host_counts_only_without_an_authority() {
        assert_eq!(plain_and(&[("host", "b.com")]).authority, b"a.com");
        assert_eq!(plain_and(&[("host", "b.com"), ("host", "c.com")]).authority, b"a.com");
        assert_eq!(arrival(&[("Host", "b.com")]).authority, b"b.com");
        assert_eq!(arrival(&[("host", "b.com"), (":authority", "")]).authority, b"");
    }

    #[test]
    fn a_second_authority_method_or_path_leaves_no_authority() {
        for second in PLAIN {
            assert_eq!(plain_and(&[second]).authority, b"", "{second:?}");
            assert_eq!(plain_and(&[(second.0, "")]).authority, b"", "{second:?}");
        }
        assert_eq!(arrival(&[("host", "a.com"), ("HOST", "a.com")]).authority, b"");
    }

    #[test]
    fn an_upgrade_is_one_value_or_several() {
        assert_eq!(plain_and(&[("Upgrade", "WebSocket")]).upgrade, Upgrade::To(b"WebSocket"));
        assert_eq!(plain_and(&[("upgrade", "")]).upgrade, Upgrade::To(b""));
        assert_eq!(plain_and(&[("upgrade", "websocket"), ("upgrade", "websocket")]).upgrade, Upgrade::Several);
    }

    #[test]
    fn each_override_header_is_seen_in_any_spelling() {
        for name in OVERRIDE_HEADERS {
            for spelling in [name.to_owned(), name.to_ascii_uppercase(), name.replace('-', "_")] {
                let header = [(spelling.as_bytes(), &b""[..])];
                assert!(Arrival::from_headers(header).overridden, "{spelling}");
            }
        }
        assert!(!plain_and(&[("x-http-methods", ""), ("http-method", "")]).overridden);
    }
}
