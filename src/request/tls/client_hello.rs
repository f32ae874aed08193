//! The message ClientHello.

use super::super::authority::canonical_host;
use super::super::host::Host;

/// The type of the message.
pub(super) const CLIENT_HELLO: u8 = 1;

/// `server_name` (RFC 6066 §3).
const SERVER_NAME: u16 = 0;
/// `encrypted_client_hello` (RFC 9849), GREASE included, and the drafts of it that clients were shipped with:
/// `encrypted_server_name` and versions 8 to 12.
const ENCRYPTED: [u16; 7] = [0xfe0d, 0xffce, 0xfe08, 0xfe09, 0xfe0a, 0xfe0b, 0xfe0c];
/// `host_name`, the only type of names in `server_name`.
const HOST_NAME: u8 = 0;

/// The parts of a ClientHello by which a connection is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientHello<'a> {
    /// The name in `server_name`, as it was sent; none where the extension is absent.
    pub server_name: Option<&'a [u8]>,
    /// It carries `encrypted_client_hello`: the server may see another name.
    pub ech: bool,
}

impl<'a> ClientHello<'a> {
    /// Reads the body of the message, without type and length; none where it is not of the form of RFC 8446 §4.1.2, or
    /// names several servers.
    pub fn parse(body: &'a [u8]) -> Option<ClientHello<'a>> {
        let mut rest = body;
        let [major, _] = *take::<2>(&mut rest)?;
        if major != 3 {
            return None;
        }
        take::<32>(&mut rest)?;
        let session = vector8(&mut rest)?;
        let ciphers = vector16(&mut rest)?;
        let compressions = vector8(&mut rest)?;
        if session.len() > 32 || ciphers.is_empty() || ciphers.len() % 2 != 0 || compressions.is_empty() {
            return None;
        }
        let mut hello = ClientHello { server_name: None, ech: false };
        if rest.is_empty() {
            // SSL 3 and TLS 1.0 know no extensions
            return Some(hello);
        }
        let mut extensions = vector16(&mut rest)?;
        if !rest.is_empty() {
            return None;
        }
        let mut is_named = false;
        while !extensions.is_empty() {
            let kind = u16::from_be_bytes(*take::<2>(&mut extensions)?);
            let data = vector16(&mut extensions)?;
            if kind == SERVER_NAME {
                // of two, servers may take either
                if std::mem::replace(&mut is_named, true) {
                    return None;
                }
                hello.server_name = Some(server_name(data)?);
            }
            hello.ech |= ENCRYPTED.contains(&kind);
        }
        Some(hello)
    }

    /// The server's name as a host, if it is canonical as an authority without a port: lower case, no trailing dot.
    pub fn host(&self) -> Option<Host<'a>> {
        canonical_host(self.server_name?)
    }
}

/// The one host name of the extension `server_name`.
fn server_name(mut data: &[u8]) -> Option<&[u8]> {
    let mut list = vector16(&mut data)?;
    let [kind] = *take::<1>(&mut list)?;
    let name = vector16(&mut list)?;
    (kind == HOST_NAME && !name.is_empty() && list.is_empty() && data.is_empty()).then_some(name)
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (first, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(first)
}

/// Bytes behind their number, which is one byte long.
fn vector8<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let [length] = *take::<1>(rest)?;
    bytes(rest, usize::from(length))
}

/// Bytes behind their number, which is two bytes long.
fn vector16<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u16::from_be_bytes(*take::<2>(rest)?);
    bytes(rest, usize::from(length))
}

fn bytes<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (first, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(first)
}
