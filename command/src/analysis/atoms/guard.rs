//! Demands of a target on requests besides caller and host: ports, methods, upgrades and paths.

use super::paths::Pattern;
use crate::read::document::EncodedSlash;
use tollgate::policy::Ports;

/// Demands of a target on a request besides caller and host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Guard {
    pub(super) reading: Reading,
    pub(super) ports: Ports,
    /// Empty if none are given.
    pub(super) methods: Vec<String>,
    pub(super) websocket: bool,
    pub(super) paths: Vec<String>,
    pub(super) encoded_slash: Option<EncodedSlash>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Reading {
    Rule,
    Exception,
    Wide,
}

impl Guard {
    /// The guard that every request passes.
    pub(super) const ANYTHING: Guard = Guard {
        reading: Reading::Wide,
        ports: Ports::ALL,
        methods: Vec::new(),
        websocket: false,
        paths: Vec::new(),
        encoded_slash: None,
    };

    /// Tells whether this one surely asks for no more than the other, in the wide reading.
    pub(super) fn covers(&self, other: &Guard) -> bool {
        fn lists<T: PartialEq>(wide: &[T], narrow: &[T]) -> bool {
            wide.is_empty() || !narrow.is_empty() && narrow.iter().all(|one| wide.contains(one))
        }
        self.ports.covers(&other.ports)
            && lists(&self.methods, &other.methods)
            && lists(&self.paths, &other.paths)
            && (!self.websocket || other.websocket)
            && (self.paths.is_empty() || self.encoded_slash == other.encoded_slash)
    }

    /// Tells whether it asks for nothing but ports.
    pub(super) fn is_open(&self) -> bool {
        self.reading == Reading::Wide && self.methods.is_empty() && self.paths.is_empty() && !self.websocket
    }

    pub(super) fn has_port(&self, port: Option<u16>) -> bool {
        self.ports.is_all() || port.is_some_and(|port| self.ports.contains(port))
    }

    pub(super) fn has_method(&self, method: &str) -> bool {
        match (self.reading, self.methods.is_empty()) {
            // a tunnel may carry any method
            (Reading::Wide, false) => {
                method.eq_ignore_ascii_case("CONNECT")
                    || self.methods.iter().any(|listed| listed.eq_ignore_ascii_case(method))
            }
            (_, false) => self.methods.iter().any(|listed| listed == method),
            (Reading::Rule, true) => tollgate::request::is_method(method.as_bytes()) && method != "CONNECT",
            (_, true) => true,
        }
    }

    pub(super) fn has_upgrade(&self, upgrade: Option<&str>) -> bool {
        match (self.reading, upgrade) {
            (Reading::Wide, None) => !self.websocket,
            (Reading::Wide, Some(_)) => true,
            (_, None) => true,
            (Reading::Rule, Some(protocol)) => self.websocket && protocol == "websocket",
            (Reading::Exception, Some(protocol)) => !self.websocket || protocol == "websocket",
        }
    }
}

impl Guard {
    pub(super) fn patterns(&self) -> impl Iterator<Item = Pattern> + '_ {
        let wide = self.reading == Reading::Wide;
        self.paths.iter().map(move |text| Pattern { text: text.clone(), wide })
    }
}
