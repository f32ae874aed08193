//! A request or connection that stands for classes of them.

use super::hello::Hello;
use std::collections::BTreeSet;

/// Classes by number: of ports, methods, paths, upgrades and override headers; of a connection those of ports and beginnings.
pub(super) type At = [BTreeSet<usize>; 5];

/// One value of each: a request's, and the classes that it stands for.
#[derive(Clone, Debug)]
pub(super) struct Tuple {
    pub(super) at: At,
    pub(super) port: Option<u16>,
    pub(super) content: Content,
}

/// The part of a request behind the host and the port.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Http(HttpContent),
    Tcp(Hello),
}

#[derive(Clone, Debug)]
pub(super) struct HttpContent {
    pub(super) method: String,
    pub(super) path: Option<String>,
    pub(super) upgrade: Option<&'static str>,
    pub(super) overridden: bool,
}
