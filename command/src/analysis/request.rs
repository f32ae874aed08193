//! A line of input: a request as JSON.

use crate::analysis::edge::{Edge, Refusal, Upgrading, account};
use crate::analysis::server_name;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Unexpected, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;
use tollgate::decision::Timestamp;
use tollgate::request::{Arrival, ClientHello, Connection, FirstBytes, HelloReader, Presented, Source, begins_http};

/// A request as a line gives it.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request<'a> {
    #[serde(borrow)]
    identity: Option<Text<'a>>,
    #[serde(borrow)]
    identity_b64: Option<Text<'a>>,
    /// `NAMESPACE/NAME`, a SPIFFE ID, or `anonymous`.
    #[serde(borrow, rename = "as")]
    caller: Option<Text<'a>>,
    #[serde(default, deserialize_with = "source")]
    source: Option<Source>,
    #[serde(borrow)]
    authority: Option<Text<'a>>,
    #[serde(borrow)]
    authority_b64: Option<Text<'a>>,
    #[serde(borrow)]
    method: Option<Text<'a>>,
    #[serde(borrow)]
    path: Option<Text<'a>>,
    #[serde(borrow)]
    path_b64: Option<Text<'a>>,
    #[serde(borrow, default)]
    headers: Headers<'a>,
    #[serde(borrow)]
    cluster: Option<Text<'a>>,
    now: Option<Now>,
    #[serde(default)]
    layer: Layer,
    /// For a connection: the server name in the caller's own TLS.
    #[serde(borrow)]
    sni: Option<Text<'a>>,
    /// For a connection: its first bytes.
    #[serde(borrow, rename = "clientHello_b64")]
    client_hello_b64: Option<Text<'a>>,
}

/// The layer that is decided on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Layer {
    #[default]
    Http,
    Tcp,
}

/// A mistake in a line, and the character at which it showed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) column: usize,
    pub(crate) message: String,
}

/// Memory for the values that are given in base64.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    identity: Vec<u8>,
    authority: Vec<u8>,
    path: Vec<u8>,
    seen: Seen,
    first: Vec<u8>,
    /// The server name of the mesh's own TLS.
    outer_sni: Vec<u8>,
    reader: HelloReader,
}

/// Memory for what is seen of a request behind the edge.
#[derive(Debug, Default)]
struct Seen {
    caller: Option<String>,
    authority: Vec<u8>,
    path: Vec<u8>,
}

/// A request as the filter sees it.
#[derive(Debug)]
pub(crate) struct Arrived<'r> {
    pub(crate) arrival: Arrival<'r>,
    /// The reason for which the filter does not see it.
    pub(crate) refused: Option<Refusal>,
}

impl<'a> Request<'a> {
    /// Reads a line.
    pub(crate) fn read(line: &'a [u8]) -> Result<Self, Mistake> {
        // serde would take a list as well, value by value
        if !line.trim_ascii_start().starts_with(b"{") {
            return Err(Mistake::anywhere("a request is a JSON object"));
        }
        serde_json::from_slice(line).map_err(|error| {
            let place = format!(" at line {} column {}", error.line(), error.column());
            let message = error.to_string();
            let message = message.strip_suffix(&place).unwrap_or(&message).to_owned();
            Mistake { column: error.column().max(1), message }
        })
    }

    /// The request as it arrives at the filter behind an edge.
    pub(crate) fn arrival<'r>(&'r self, edge: &Edge, buffers: &'r mut Buffers) -> Result<Arrived<'r>, Mistake> {
        if self.is_connection() {
            return self.connection(edge, buffers);
        }
        if self.sni.is_some() || self.client_hello_b64.is_some() {
            return Err(Mistake::anywhere("`sni` and `clientHello_b64` are of `layer: tcp`"));
        }
        let Buffers { identity, authority, path, seen, .. } = buffers;
        seen.caller = self.caller(edge)?;
        let identity = self.presented(seen.caller.as_deref(), identity)?;
        let authority = bytes("authority", &self.authority, &self.authority_b64, authority)?
            .ok_or_else(|| Mistake::anywhere("`authority` is missing"))?;
        let path = bytes("path", &self.path, &self.path_b64, path)?;
        let method = self.method.as_ref().map_or(b"GET".as_slice(), Text::as_bytes);
        let mut refused = None;
        let authority = if method == b"CONNECT" { authority } else { edge.authority(authority, &mut seen.authority) };
        let path = path.map(|path| {
            edge.path(path, &mut seen.path).unwrap_or_else(|| {
                refused = Some(Refusal::Path);
                path
            })
        });
        let others = self.headers.0.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let upgrading = edge.upgrade(others.clone());
        if upgrading == Upgrading::Refused {
            refused = refused.or(Some(Refusal::Upgrade));
        }
        let is_left =
            |(name, _): &(&[u8], &[u8])| upgrading != Upgrading::Dropped || !name.eq_ignore_ascii_case(b"upgrade");
        let pseudo = [(b":authority".as_slice(), authority), (b":method".as_slice(), method)];
        let path = path.map(|path| (b":path".as_slice(), path));
        let mut arrival = Arrival::from_headers(pseudo.into_iter().chain(path).chain(others.filter(is_left)));
        arrival.identity = identity;
        arrival.cluster = self.cluster.as_ref().map(Text::as_bytes);
        Ok(Arrived { arrival, refused })
    }

    /// Tells whether it is a TCP connection.
    pub(crate) fn is_connection(&self) -> bool {
        self.layer == Layer::Tcp
    }

    /// The connection as it arrives at the filter: led to the host and the port of its authority by the mesh's own TLS.
    fn connection<'r>(&'r self, edge: &Edge, buffers: &'r mut Buffers) -> Result<Arrived<'r>, Mistake> {
        let has_http = self.method.is_some() || self.path.is_some() || self.path_b64.is_some();
        if has_http || self.cluster.is_some() || !self.headers.0.is_empty() {
            return Err(Mistake::anywhere(
                "`method`, `path`, `headers` and `cluster` are of HTTP, and this is `layer: tcp`",
            ));
        }
        let Buffers { identity, authority, seen, first, outer_sni, reader, .. } = buffers;
        seen.caller = self.caller(edge)?;
        let identity = self.presented(seen.caller.as_deref(), identity)?;
        let authority = bytes("authority", &self.authority, &self.authority_b64, authority)?
            .ok_or_else(|| Mistake::anywhere("`authority` is missing"))?;
        *outer_sni = server_name::leading_to(authority);
        let first = match (&self.sni, bytes("clientHello", &None, &self.client_hello_b64, first)?) {
            (Some(_), Some(_)) => return Err(Mistake::anywhere("`sni` and `clientHello_b64` are both given")),
            (Some(sni), None) => FirstBytes::Hello(ClientHello { server_name: Some(sni.as_bytes()), ech: false }),
            (None, None) => FirstBytes::NoHello,
            (None, Some([])) => FirstBytes::Silent,
            (None, Some(bytes)) if begins_http(bytes) == Some(true) => FirstBytes::Http,
            (None, Some(bytes)) => {
                *reader = HelloReader::default();
                reader.read(bytes);
                reader.first_bytes()
            }
        };
        let connection = Connection { outer_sni, first, ..Connection::default() };
        Ok(Arrived { arrival: Arrival { authority, ..Arrival::of_connection(identity, connection) }, refused: None })
    }

    /// The identity and its source: that of a caller that is given in short, or else the one that is given itself.
    fn presented<'r>(
        &'r self,
        caller: Option<&'r str>,
        buffer: &'r mut Vec<u8>,
    ) -> Result<Option<Presented<'r>>, Mistake> {
        let id = match caller {
            Some(caller) => Some(caller.as_bytes()),
            None => bytes("identity", &self.identity, &self.identity_b64, buffer)?,
        };
        Ok(id.map(|id| Presented { source: self.source.unwrap_or(Source::PeerCertificate), id }))
    }

    /// The SPIFFE ID of a caller that is given in short.
    fn caller(&self, edge: &Edge) -> Result<Option<String>, Mistake> {
        let Some(caller) = &self.caller else {
            return Ok(self.identity.as_ref().and_then(|identity| edge.caller(&identity.0)));
        };
        if self.identity.is_some() || self.identity_b64.is_some() {
            return Err(Mistake::anywhere("`as` and `identity` are both given"));
        }
        let text = &*caller.0;
        let own = edge.trust_domain();
        match text {
            "anonymous" => Ok(None),
            id if id.contains("://") => Ok(Some(id.to_owned())),
            short => account(short, own).map(Some).ok_or_else(|| {
                Mistake::anywhere(format!("`{short}` is no caller; write NAMESPACE/NAME, a SPIFFE ID or `anonymous`"))
            }),
        }
    }

    /// Bytes of the names and values of its headers.
    pub(crate) fn header_bytes(&self, arrival: &Arrival<'_>) -> u64 {
        if arrival.connection.is_some() {
            return 0;
        }
        let path = arrival.path.map(|path| (":path", path.len()));
        let pseudo = [(":authority", arrival.authority.len()), (":method", arrival.method.len())];
        let others = self.headers.0.iter().map(|(name, value)| (name.len(), value.len()));
        let own = pseudo.into_iter().chain(path).map(|(name, value)| (name.len(), value));
        own.chain(others).fold(0, |sum, (name, value)| sum.saturating_add(name as u64).saturating_add(value as u64))
    }

    /// The time at which it is to be decided, if the line gives one.
    pub(crate) fn now(&self) -> Option<Timestamp> {
        self.now.as_ref().map(|now| now.0)
    }
}

/// A value that is given as text or in base64.
fn bytes<'r>(
    name: &str,
    text: &'r Option<Text<'_>>,
    base64: &Option<Text<'_>>,
    buffer: &'r mut Vec<u8>,
) -> Result<Option<&'r [u8]>, Mistake> {
    match (text, base64) {
        (Some(_), Some(_)) => Err(Mistake::anywhere(format!("`{name}` and `{name}_b64` are both given"))),
        (Some(text), None) => Ok(Some(text.as_bytes())),
        (None, None) => Ok(None),
        (None, Some(base64)) => {
            buffer.clear();
            match BASE64_STANDARD.decode_vec(base64.as_bytes(), buffer) {
                Ok(()) => Ok(Some(buffer)),
                Err(_) => Err(Mistake::anywhere(format!("`{name}_b64` is no base64"))),
            }
        }
    }
}

impl Mistake {
    /// A mistake of the line as a whole.
    pub(crate) fn anywhere(message: impl Into<String>) -> Self {
        Mistake { column: 1, message: message.into() }
    }
}

/// A string, borrowed from the line unless it has escapes.
#[derive(Debug)]
struct Text<'a>(Cow<'a, str>);

impl Text<'_> {
    fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor).map(Text)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }
    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

fn source<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Source>, D::Error> {
    match Option::<Text<'de>>::deserialize(deserializer)?.as_ref().map(|text| text.0.as_ref()) {
        None => Ok(None),
        Some("peer-certificate") => Ok(Some(Source::PeerCertificate)),
        Some("peer-principal") => Ok(Some(Source::PeerPrincipal)),
        Some(other) => Err(de::Error::unknown_variant(other, &["peer-certificate", "peer-principal"])),
    }
}

/// Headers in the order of the line. A name whose value is a list stands once for each of its elements.
#[derive(Debug, Default)]
struct Headers<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Headers<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("headers as a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers<'de>, A::Error> {
        let mut headers = Vec::new();
        while let Some(name) = map.next_key::<Text<'de>>()? {
            map.next_value_seed(Values { name: name.0, headers: &mut headers })?;
        }
        Ok(Headers(headers))
    }
}

/// The value or values of one name.
struct Values<'h, 'de> {
    name: Cow<'de, str>,
    headers: &'h mut Vec<(Cow<'de, str>, Cow<'de, str>)>,
}

impl<'de> de::DeserializeSeed<'de> for Values<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Values<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a header's value or a list of values")
    }
    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<(), E> {
        self.headers.push((self.name, Cow::Borrowed(text)));
        Ok(())
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.headers.push((self.name, Cow::Owned(text.to_owned())));
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        while let Some(value) = values.next_element::<Text<'de>>()? {
            self.headers.push((self.name.clone(), value.0));
        }
        Ok(())
    }
}

/// A moment: RFC 3339, or seconds since 1970.
#[derive(Debug)]
struct Now(Timestamp);

impl<'de> Deserialize<'de> for Now {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NowVisitor)
    }
}

struct NowVisitor;

impl Visitor<'_> for NowVisitor {
    type Value = Now;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time (RFC 3339, or seconds since 1970)")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Now, E> {
        Timestamp::parse(text).map(Now).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Now, E> {
        let nanoseconds = seconds.checked_mul(1_000_000_000);
        nanoseconds
            .map(|since| Now(Timestamp(since)))
            .ok_or_else(|| E::invalid_value(Unexpected::Unsigned(seconds), &self))
    }
    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Now, E> {
        let since = Duration::try_from_secs_f64(seconds).ok().and_then(|since| u64::try_from(since.as_nanos()).ok());
        since.map(|since| Now(Timestamp(since))).ok_or_else(|| E::invalid_value(Unexpected::Float(seconds), &self))
    }
}
