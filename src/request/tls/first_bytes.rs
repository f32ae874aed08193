//! The first bytes of a connection, once enough of them have come.

use super::ClientHello;

/// The beginning of a connection, as it is decided about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FirstBytes<'a> {
    /// None have come; what depends on them is decided later.
    #[default]
    Unseen,
    /// None have come in the time after which a server may speak first.
    Silent,
    /// No TLS: SSL 2 is none, either.
    NoHello,
    /// They begin as HTTP does ([`begins_http`](crate::request::begins_http)); told apart from no TLS where the policy wants it.
    Http,
    /// They begin as TLS does, and are no ClientHello of one well-formed server name, or came too late.
    Unreadable,
    /// A ClientHello.
    Hello(ClientHello<'a>),
}

impl<'a> FirstBytes<'a> {
    /// The server name that they carry.
    pub fn server_name(&self) -> Option<&'a [u8]> {
        match self {
            FirstBytes::Hello(hello) => hello.server_name,
            FirstBytes::Unseen
            | FirstBytes::Silent
            | FirstBytes::NoHello
            | FirstBytes::Http
            | FirstBytes::Unreadable => None,
        }
    }
}
