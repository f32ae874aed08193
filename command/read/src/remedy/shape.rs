//! The kind of value that belongs in each place of a policy.

use crate::pointer::Trail;

/// A kind of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// An entry of `rules`, `deny`, `residency` or `quotas`.
    Entry,
    Selector,
    Target,
    Destination,
    Host,
    Port,
    Method,
    /// Words, names and notes.
    Text,
    /// A number that is no amount.
    Number,
    /// A number of requests.
    Count,
    /// `limit` of a quota.
    Limit,
    /// `true` and nothing else.
    True,
    /// `true` or `false`.
    Boolean,
    /// A map of other keys.
    Map,
}

/// The kind of value that belongs in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) shape: Shape,
    /// A list of such.
    pub(crate) list: bool,
}

impl Shape {
    /// Value expected at the end of a trail.
    pub(crate) fn at(trail: &Trail<'_, '_>) -> Option<Expected> {
        Shape::under(&trail.keys(), trail.is_element())
    }

    /// Value expected under these keys; with `element`, inside the list that stands there.
    pub(crate) fn under(keys: &[&str], element: bool) -> Option<Expected> {
        let list = |shape| Some(Expected { shape, list: !element });
        let one = |shape| Some(Expected { shape, list: false });
        match keys {
            ["rules" | "deny" | "residency" | "quotas"] => list(Shape::Entry),
            ["workloads", _] | [.., "from" | "notFrom" | "dryRunFor"] => list(Shape::Selector),
            [.., "to" | "except"] => list(Shape::Target),
            ["destinations", _] => one(Shape::Destination),
            ["workloads" | "destinations" | "identity" | "authority" | "response" | "requestHeaders" | "tripwire"]
            | ["audit" | "metrics"] => one(Shape::Map),
            [.., "hosts"] => list(Shape::Host),
            [.., "ports"] => list(Shape::Port),
            [.., "methods"] => list(Shape::Method),
            [
                ..,
                "cidrs" | "paths" | "upgrades" | "regions" | "by" | "sources" | "trustDomains" | "remove" | "keep"
                | "values",
            ] if keys != ["requestHeaders", "by"] => list(Shape::Text),
            [.., "limit"] => one(Shape::Limit),
            ["version" | "replicas"] | [.., "defaultPort"] => one(Shape::Number),
            [.., "requests" | "concurrent"] => one(Shape::Count),
            [.., "any" | "anonymous"] => one(Shape::True),
            [.., "verifyRoute"] => one(Shape::Boolean),
            [.., _] => one(Shape::Text),
            [] => None,
        }
    }

    /// Tells whether only a number belongs there.
    pub(crate) fn is_number(self) -> bool {
        matches!(self, Shape::Port | Shape::Number | Shape::Count)
    }
}
