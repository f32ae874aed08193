//! Terms of a target: ports, methods, paths and options.

use super::path_pattern::PathPattern;
use super::ports::Ports;
use super::target_context::TargetContext;
use super::target_options::TargetOptions;
use crate::request::{Upgrade, is_method};

/// Conditions of a target on a request besides whose it is and where it goes, to read and compare policies by. Two are equal
/// where their targets say the same in lists of one kind, in whatever order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetTerms {
    context: TargetContext,
    ports: Ports,
    /// Sorted, each once; empty where none are given.
    methods: Vec<Box<str>>,
    options: TargetOptions,
    /// Sorted, each once; empty where none are given.
    paths: Vec<PathPattern<'static>>,
}

impl TargetTerms {
    /// Terms of a target that closes and gives nothing: every request.
    pub const EVERYTHING: TargetTerms = TargetTerms {
        context: TargetContext::Closing,
        ports: Ports::ALL,
        methods: Vec::new(),
        options: TargetOptions::NONE,
        paths: Vec::new(),
    };

    /// The terms of a target with these keys; an empty list was not given.
    pub fn new(
        context: TargetContext,
        ports: Option<Ports>,
        methods: impl IntoIterator<Item = Box<str>>,
        paths: impl IntoIterator<Item = PathPattern<'static>>,
        options: TargetOptions,
    ) -> TargetTerms {
        TargetTerms { context, ports: context.ports(ports), methods: sorted(methods), options, paths: sorted(paths) }
    }

    /// The kind of list that the target stands in.
    pub fn context(&self) -> TargetContext {
        self.context
    }

    /// The ports, those that are usual in its list where none are given.
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// The methods that are listed; none where none are given.
    pub fn methods(&self) -> impl Iterator<Item = &str> {
        self.methods.iter().map(|method| &**method)
    }

    /// The paths that are listed; none where none are given.
    pub fn paths(&self) -> &[PathPattern<'static>] {
        &self.paths
    }

    /// The options.
    pub fn options(&self) -> TargetOptions {
        self.options
    }

    /// Tells whether a header that names another method or path makes a difference: some are listed.
    pub fn minds_overrides(&self) -> bool {
        !self.methods.is_empty() || !self.paths.is_empty()
    }

    /// Tells whether every request to its places and ports is taken.
    pub fn asks_only_for_ports(&self) -> bool {
        let takes_every_form = self.options.covers(self.context, TargetOptions::NONE, TargetContext::Closing);
        self.context == TargetContext::Closing && !self.minds_overrides() && takes_every_form
    }

    /// Tells whether every request to its places is taken.
    pub fn takes_everything(&self) -> bool {
        self.asks_only_for_ports() && self.ports.is_all()
    }

    /// Tells whether a request to this port is taken; none is a port that no list names.
    pub fn takes_port(&self, port: Option<u16>) -> bool {
        self.ports.is_all() || port.is_some_and(|port| self.ports.contains(port))
    }

    /// Tells whether a request with this `upgrade` header is taken.
    pub fn takes_upgrade(&self, upgrade: Upgrade<'_>) -> bool {
        self.options.takes_upgrade(self.context, upgrade)
    }

    /// Tells whether connections whose contents nobody reads may be taken, whatever their TLS: methods, paths and upgrades are not
    /// seen there, and open nothing.
    pub fn takes_connections(&self) -> bool {
        let lists_none = !self.minds_overrides() && !self.options.websocket;
        self.context == TargetContext::Closing || self.options.host_only || lists_none
    }

    /// Tells whether a request with this method may be taken, whatever its path: a tunnel may carry what closing targets list.
    pub fn takes_method(&self, method: &str) -> bool {
        match self.context {
            TargetContext::Rule if self.methods.is_empty() => is_method(method.as_bytes()) && method != "CONNECT",
            _ if self.methods.is_empty() => true,
            TargetContext::Rule | TargetContext::Exception => self.methods.iter().any(|listed| **listed == *method),
            TargetContext::Closing => {
                method.eq_ignore_ascii_case("CONNECT")
                    || self.methods.iter().any(|listed| listed.eq_ignore_ascii_case(method))
            }
        }
    }

    /// Tells whether every request that another target takes to one of its places would be taken; false where that is not sure.
    pub fn covers(&self, other: &TargetTerms) -> bool {
        // a rule admits too little for all that closes, and for an exception
        let is_comparable = self.context == other.context
            || self.context == TargetContext::Closing && other.context == TargetContext::Rule;
        is_comparable
            && self.ports.covers(&other.ports)
            && self.covers_methods(other)
            && self.options.covers(self.context, other.options, other.context)
            && self.covers_paths(other)
            // what lists `upgrades` admits plain requests as well, and no connection
            && (self.takes_connections() || !other.takes_connections())
    }

    fn covers_methods(&self, other: &TargetTerms) -> bool {
        match (self.methods.as_slice(), other.methods.as_slice()) {
            ([], listed) if self.context == TargetContext::Rule => listed.iter().all(|method| **method != *"CONNECT"),
            ([], _) => true,
            (_, []) => false,
            (own, listed) => listed.iter().all(|method| own.contains(method)),
        }
    }

    /// A target that covers narrowly does so widely, too.
    fn covers_paths(&self, other: &TargetTerms) -> bool {
        if self.paths.is_empty() {
            return true;
        }
        !other.paths.is_empty()
            && self.options.encoded_slash.covers(other.options.encoded_slash, other.context.reading())
            && other.paths.iter().all(|listed| self.paths.iter().any(|own| own.covers(listed)))
    }
}

fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort_unstable();
    items.dedup();
    items
}

#[cfg(test)]
mod tests {
    use super::super::{EncodedSlash, PortRange};
    use super::*;

    /// Terms of a target with these methods and paths, and with ports where any are given.
    fn terms(context: TargetContext, ports: &[u16], methods: &[&str], paths: &[&str]) -> TargetTerms {
        let ranges = ports.iter().filter_map(|port| PortRange::new(*port, *port));
        TargetTerms::new(
            context,
            (!ports.is_empty()).then(|| Ports::of(ranges)),
            methods.iter().map(|method| Box::from(*method)),
            paths.iter().map(|path| PathPattern::unchecked(path).into_owned()),
            TargetOptions::NONE,
        )
    }

    #[test]
    fn absent_keys_mean_the_usual_in_a_rule_and_everything_elsewhere() {
        let (rule, exception, closing) = (
            terms(TargetContext::Rule, &[], &[], &[]),
            terms(TargetContext::Exception, &[], &[], &[]),
            terms(TargetContext::Closing, &[], &[], &[]),
        );
        assert_eq!((rule.ports(), exception.ports(), closing.ports()), (&Ports::usual(), &Ports::ALL, &Ports::ALL));
        assert!(!rule.takes_method("CONNECT") && !rule.takes_method("get") && rule.takes_method("GET"));
        assert!(exception.takes_method("CONNECT") && closing.takes_method("get"));
        assert!(closing.takes_everything() && !rule.takes_everything() && !exception.takes_everything());
        assert_eq!(closing, TargetTerms::EVERYTHING);
        let websocket = TargetOptions { websocket: true, ..TargetOptions::NONE };
        assert!(!TargetTerms { options: websocket, ..TargetTerms::EVERYTHING }.asks_only_for_ports());
        let one_port = terms(TargetContext::Closing, &[443], &[], &[]);
        assert!(one_port.asks_only_for_ports() && !one_port.takes_everything());
    }

    #[test]
    fn methods_are_compared_as_they_are_spelled_but_where_the_target_closes() {
        assert!(!terms(TargetContext::Exception, &[], &["GET"], &[]).takes_method("get"));
        let closing = terms(TargetContext::Closing, &[], &["GET"], &[]);
        assert!(closing.takes_method("get") && closing.takes_method("CONNECT") && !closing.takes_method("POST"));
    }

    #[test]
    fn terms_cover_what_asks_for_as_much_or_more() {
        let rule = |ports: &[u16], methods: &[&str], paths: &[&str]| terms(TargetContext::Rule, ports, methods, paths);
        let closing = |paths: &[&str]| terms(TargetContext::Closing, &[], &[], paths);
        for (outer, inner, expected) in [
            (rule(&[], &[], &[]), rule(&[443], &["GET"], &["/a"]), true),
            (rule(&[], &[], &[]), rule(&[], &["CONNECT"], &[]), false),
            (rule(&[], &["GET"], &[]), rule(&[], &[], &[]), false),
            (rule(&[], &["POST", "GET"], &[]), rule(&[], &["GET"], &[]), true),
            (rule(&[443], &[], &[]), rule(&[], &[], &[]), false),
            (rule(&[], &[], &["/a/**"]), rule(&[], &[], &["/a/b", "/a/c/**"]), true),
            (rule(&[], &[], &["/a/**"]), rule(&[], &[], &[]), false),
            (rule(&[], &[], &["/a/**"]), rule(&[], &[], &["/a/b", "/b"]), false),
            (terms(TargetContext::Closing, &[], &[], &[]), rule(&[], &["CONNECT"], &[]), true),
            (rule(&[], &[], &[]), terms(TargetContext::Closing, &[443], &[], &[]), false),
            (closing(&["/a/**"]), closing(&["/a/b", "/a/{b,c}/**"]), true),
            (closing(&["/a/**"]), closing(&["/a"]), false),
            (closing(&["/a/**"]), rule(&[], &[], &["/a/b"]), true),
            (terms(TargetContext::Exception, &[], &[], &[]), rule(&[], &[], &[]), false),
        ] {
            assert_eq!(outer.covers(&inner), expected, "{outer:?} {inner:?}");
        }
    }

    #[test]
    fn only_what_closes_takes_connections_by_methods_paths_or_upgrades() {
        let websocket = TargetOptions { websocket: true, ..TargetOptions::NONE };
        for context in [TargetContext::Rule, TargetContext::Exception, TargetContext::Closing] {
            let plain = terms(context, &[443], &[], &[]);
            assert!(plain.takes_connections(), "{context:?}");
            let upgrading = TargetTerms { options: websocket, ..plain };
            for listing in [terms(context, &[], &["GET"], &[]), terms(context, &[], &[], &["/a"]), upgrading] {
                assert_eq!(listing.takes_connections(), context == TargetContext::Closing, "{listing:?}");
                let options = TargetOptions { host_only: true, ..listing.options };
                assert!(TargetTerms { options, ..listing }.takes_connections());
            }
        }
    }

    #[test]
    fn terms_cover_no_upgrade_and_no_connection_that_they_do_not_take() {
        let plain = terms(TargetContext::Rule, &[], &[], &[]);
        let with = |options: TargetOptions| TargetTerms { options, ..plain.clone() };
        let websocket = TargetOptions { websocket: true, ..TargetOptions::NONE };
        let both = with(TargetOptions { host_only: true, ..websocket });
        let websocket = with(websocket);
        assert!(!websocket.covers(&plain) && !plain.covers(&websocket));
        assert!(both.covers(&plain) && both.covers(&websocket) && !websocket.covers(&both));
        let listing = TargetTerms { options: both.options, ..terms(TargetContext::Rule, &[], &["GET"], &[]) };
        let of_host = TargetOptions { host_only: true, ..TargetOptions::NONE };
        assert!(plain.covers(&TargetTerms { options: of_host, ..listing }));
    }

    #[test]
    fn paths_are_covered_only_where_their_forms_are() {
        let with = |encoded_slash| TargetTerms {
            options: TargetOptions { encoded_slash, ..TargetOptions::NONE },
            ..terms(TargetContext::Rule, &[], &[], &["/a/**"])
        };
        assert!(with(EncodedSlash::Data).covers(&with(EncodedSlash::Refused)));
        assert!(!with(EncodedSlash::Refused).covers(&with(EncodedSlash::Data)));
        assert!(!with(EncodedSlash::Key).covers(&with(EncodedSlash::Refused)));
        let any_path = terms(TargetContext::Rule, &[], &[], &[]);
        assert!(any_path.covers(&with(EncodedSlash::Key)));
    }

    #[test]
    fn order_and_repetition_make_no_difference() {
        let one = terms(TargetContext::Rule, &[443, 80], &["POST", "GET", "GET"], &["/b", "/a"]);
        assert_eq!(one, terms(TargetContext::Rule, &[80, 443], &["GET", "POST"], &["/a", "/b", "/a"]));
    }
}
