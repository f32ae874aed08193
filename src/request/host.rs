//! Canonical hosts.

use std::net::IpAddr;

/// A canonical host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host<'a> {
    /// A DNS name: lower case, no trailing dot, 1–253 bytes.
    Name(&'a str),
    /// An IP literal.
    Ip(IpAddr),
}
