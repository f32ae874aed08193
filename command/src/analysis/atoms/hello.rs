//! Beginnings of connections.

use serde::Serialize;
use std::fmt;

/// The beginning of a connection, as policies tell it apart from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Hello {
    /// TLS that names the host.
    Named,
    /// No TLS, or TLS that names no server.
    Unnamed,
    /// TLS that names the host, and may hide another name (ECH).
    NamedEch,
    /// TLS that names no server, and may hide a name.
    UnnamedEch,
    /// Nothing: the server speaks first.
    Silent,
    /// TLS that names another host.
    Other,
}

impl Hello {
    /// Every beginning, those that people meet first.
    pub(super) const ALL: [Hello; 6] =
        [Hello::Named, Hello::Unnamed, Hello::NamedEch, Hello::UnnamedEch, Hello::Silent, Hello::Other];

    /// Tells whether its own TLS names a server.
    pub(super) fn is_named(self) -> bool {
        matches!(self, Hello::Named | Hello::NamedEch | Hello::Other)
    }

    /// Tells whether its own TLS may hide a name.
    pub(super) fn has_ech(self) -> bool {
        matches!(self, Hello::NamedEch | Hello::UnnamedEch)
    }

    /// Tells whether clients send it unless somebody means harm or errs.
    pub(super) fn is_usual(self) -> bool {
        !matches!(self, Hello::UnnamedEch | Hello::Other)
    }
}

impl fmt::Display for Hello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Hello::Named => "TLS",
            Hello::Unnamed => "no TLS or no name in it",
            Hello::NamedEch => "TLS with ECH",
            Hello::UnnamedEch => "TLS with ECH alone",
            Hello::Silent => "silence",
            Hello::Other => "TLS to another name",
        })
    }
}
