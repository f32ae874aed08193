//! Requests as an origin received them.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::HeaderMap;
use hyper::http::request::Parts;
use hyper::{Version, ext};

/// One request as it arrived at an origin.
#[derive(Clone, PartialEq, Eq)]
pub struct Received {
    /// The version of HTTP it came in.
    pub protocol: Protocol,
    /// `:method`, or the one of the request line.
    pub method: String,
    /// `:authority`, or the Host header.
    pub authority: String,
    /// The path with its query.
    pub path: String,
    /// Names in lower case, values as they were.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The bytes of the head, in HTTP/1.1.
    pub raw: Vec<u8>,
    /// The body, as far as it has arrived.
    pub body: Vec<u8>,
    /// Trailers, as far as they have arrived: names in lower case, values as they were.
    pub trailers: Vec<(String, Vec<u8>)>,
    /// Bytes that have come through the tunnel so far, if the request opened one.
    pub tunnel: Vec<u8>,
}

/// Framing of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.0 or 1.1.
    Http1,
    /// HTTP/2.
    Http2,
    /// Neither: bytes that are no request.
    Unreadable,
}

impl Received {
    pub(super) fn new(parts: &Parts, raw: Vec<u8>) -> Received {
        let header = |name: &str| parts.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let is_http2 = parts.version == Version::HTTP_2;
        let extended_connect = parts.extensions.get::<ext::Protocol>();
        let mut headers = fields(&parts.headers);
        headers.extend(extended_connect.map(|protocol| (":protocol".to_owned(), protocol.as_ref().to_vec())));
        Received {
            protocol: if is_http2 { Protocol::Http2 } else { Protocol::Http1 },
            method: parts.method.to_string(),
            authority: match parts.uri.authority() {
                Some(authority) => authority.to_string(),
                None => header("host").unwrap_or_default().into_owned(),
            },
            path: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            headers,
            raw,
            body: Vec::new(),
            trailers: Vec::new(),
            tunnel: Vec::new(),
        }
    }

    pub(super) fn unreadable(raw: Vec<u8>) -> Received {
        Received {
            protocol: Protocol::Unreadable,
            method: String::new(),
            authority: String::new(),
            path: String::new(),
            headers: Vec::new(),
            raw,
            body: Vec::new(),
            trailers: Vec::new(),
            tunnel: Vec::new(),
        }
    }

    /// The value of the first header of this lower-case name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_slice())
    }
}

impl fmt::Debug for Received {
    /// One line; the whole of it would hide what matters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} `{} {}{}`", self.protocol, self.method, self.authority, self.path)?;
        if self.protocol == Protocol::Unreadable {
            write!(f, " `{}`", self.raw.escape_ascii())?;
        }
        if !self.tunnel.is_empty() {
            write!(f, " and through the tunnel `{}`", self.tunnel.escape_ascii())?;
        }
        Ok(())
    }
}

/// Names and values of a header map.
pub(super) fn fields(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}

/// A record that still grows.
pub(super) type Shared = Arc<Mutex<Received>>;

#[derive(Debug, Default)]
pub(super) struct Records(Mutex<Vec<Shared>>);

impl Records {
    pub(super) fn add(&self, received: Received) -> Shared {
        let shared = Arc::new(Mutex::new(received));
        lock(&self.0).push(Arc::clone(&shared));
        shared
    }

    pub(super) fn take(&self) -> Vec<Received> {
        std::mem::take(&mut *lock(&self.0)).iter().map(|shared| lock(shared).clone()).collect()
    }

    pub(super) fn snapshot(&self) -> Vec<Received> {
        lock(&self.0).iter().map(|shared| lock(shared).clone()).collect()
    }
}

/// Records are whole after every push, so a panic elsewhere does not spoil them.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
