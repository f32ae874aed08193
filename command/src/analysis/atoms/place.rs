//! Sets of hosts, as policies name them.

use super::address::Range;
use serde::{Serialize, Serializer};
use std::collections::BTreeSet;
use std::fmt;
use tollgate::policy::{HostPattern, Network, Reading, StarName, host_pattern};

/// A set of hosts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Place {
    /// One name.
    Name(String),
    /// `*.NAME`.
    Star(String),
    /// `**.NAME`.
    Below(String),
    /// A name with one `*` inside, and how it is read; narrowly where both readings are the same.
    Inside(StarName<'static>, Reading),
    /// `*`: every name of one label. No pattern of the language says it.
    Single,
    /// `**` of a rule: every name of two or more labels.
    Dotted,
    /// `**` of a deny entry: every name.
    Names,
    /// Addresses.
    Range(Range),
}

impl Place {
    /// Sets of hosts that hosts and networks name; everything if neither is given. The wide reading finds IPv4 addresses
    /// inside IPv6 ones.
    pub(super) fn listed(hosts: &[HostPattern<'_>], networks: &[Network], wide: bool) -> Vec<Place> {
        if hosts.is_empty() && networks.is_empty() {
            return Place::everywhere();
        }
        let mut listed = BTreeSet::new();
        listed.extend(hosts.iter().map(|host| Place::of(host.clone(), wide)));
        for range in networks.iter().map(Range::of) {
            if wide {
                listed.extend(range.embedded().map(Place::Range));
            }
            listed.insert(Place::Range(range));
        }
        listed.into_iter().collect()
    }

    /// Every name and every address.
    pub(crate) fn everywhere() -> Vec<Place> {
        vec![Place::Names, Place::Range(Range::ALL_V4), Place::Range(Range::ALL_V6)]
    }

    /// The one place of a canonical host.
    pub(crate) fn of_host(host: tollgate::request::Host<'_>) -> Place {
        match host {
            tollgate::request::Host::Name(name) => Place::Name(name.to_owned()),
            tollgate::request::Host::Ip(address) => Place::Range(Range::one(address)),
        }
    }

    /// The set that a host pattern stands for.
    fn of(pattern: HostPattern<'_>, wide: bool) -> Place {
        match pattern {
            HostPattern::Exact(name) => Place::Name(name.into_owned()),
            HostPattern::Star(name) => Place::inside(name.into_owned(), wide),
            HostPattern::One(name) => Place::Star(name.into_owned()),
            HostPattern::Many(name) => Place::Below(name.into_owned()),
            HostPattern::All => {
                if wide {
                    Place::Names
                } else {
                    Place::Dotted
                }
            }
        }
    }

    pub(super) fn inside(name: StarName<'static>, wide: bool) -> Place {
        let reading = if wide && name.is_read_in_two_ways() { Reading::Wide } else { Reading::Narrow };
        Place::Inside(name, reading)
    }

    /// The places of a host pattern that a person asks about; none where it is none.
    pub(crate) fn of_pattern(pattern: &str) -> Option<Place> {
        host_pattern(pattern).ok().map(|pattern| Place::of(pattern, false))
    }

    /// Tells whether all of the other set is in this one.
    pub(crate) fn covers(&self, other: &Place) -> bool {
        match (self, other) {
            (Place::Range(wide), Place::Range(range)) => wide.covers(range),
            (Place::Range(_), _) | (_, Place::Range(_)) => false,
            (Place::Names, _) => true,
            (Place::Dotted, Place::Name(name)) => name.contains('.'),
            (Place::Dotted, Place::Star(_) | Place::Below(_)) => true,
            (Place::Star(parent), Place::Name(name)) => parent_of(name) == Some(parent),
            (Place::Below(above), Place::Name(name) | Place::Star(name) | Place::Below(name)) => {
                is_below(name, above) || name == above && !matches!(other, Place::Name(_))
            }
            (Place::Dotted, Place::Inside(..)) => true,
            (Place::Star(parent), Place::Inside(name, _)) => name.parts().0.is_empty() && name.tail() == parent,
            (Place::Below(above), Place::Inside(name, _)) => name.tail() == above || is_below(name.tail(), above),
            (Place::Inside(own, reading), Place::Name(name)) => own.contains(name, *reading),
            (Place::Inside(own, reading), Place::Inside(other, of_other)) => {
                own.covers(other)
                    && (*reading == Reading::Wide || *of_other == Reading::Narrow || !own.is_read_in_two_ways())
            }
            _ => self == other,
        }
    }

    /// Tells whether the two have a host in common.
    pub(super) fn meets(&self, other: &Place) -> bool {
        match (self, other) {
            (Place::Range(one), Place::Range(other)) => one.meets(other),
            (Place::Star(one), Place::Below(above)) | (Place::Below(above), Place::Star(one)) => {
                one == above || is_below(one, above)
            }
            (Place::Inside(name, _), Place::Star(above)) | (Place::Star(above), Place::Inside(name, _)) => {
                name.meets_below(above, false)
            }
            (Place::Inside(name, _), Place::Below(above)) | (Place::Below(above), Place::Inside(name, _)) => {
                name.meets_below(above, true)
            }
            (Place::Inside(one, _), Place::Inside(other, _)) => one.meets(other),
            _ => self.covers(other) || other.covers(self),
        }
    }

    /// Sets that cover a pattern with a `*` inside, but for other such patterns.
    pub(super) fn covering_star(name: &StarName<'_>) -> Vec<Place> {
        let mut places = vec![Place::Names, Place::Dotted];
        places.extend(name.parts().0.is_empty().then(|| Place::Star(name.tail().to_owned())));
        places.extend(suffixes(name.tail()).map(|above| Place::Below(above.to_owned())));
        places
    }

    /// Sets that cover a name, from itself up to all names, but for patterns with a `*` inside.
    pub(super) fn covering_name(name: &str) -> Vec<Place> {
        let mut places = vec![Place::Name(name.to_owned()), Place::Names];
        if let Some(parent) = parent_of(name) {
            places.extend([Place::Dotted, Place::Star(parent.to_owned())]);
        }
        places.extend(
            std::iter::successors(parent_of(name), |name| parent_of(name)).map(|above| Place::Below(above.to_owned())),
        );
        places
    }

    /// The name that the pattern is made of, if it has one; of one with a `*` inside, the labels behind it.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Place::Name(name) | Place::Star(name) | Place::Below(name) => Some(name),
            Place::Inside(name, _) => Some(name.tail()),
            _ => None,
        }
    }
}

/// The name without its first label; none if that is all.
pub(super) fn parent_of(name: &str) -> Option<&str> {
    name.split_once('.').map(|(_, parent)| parent)
}

/// The name, and what follows each of its labels.
pub(super) fn suffixes(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| parent_of(name))
}

/// Tells whether a name has labels before the other one.
pub(super) fn is_below(name: &str, above: &str) -> bool {
    name.strip_suffix(above).is_some_and(|before| before.ends_with('.'))
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Name(name) => f.write_str(name),
            Place::Star(name) => write!(f, "*.{name}"),
            Place::Below(name) => write!(f, "**.{name}"),
            Place::Inside(name, Reading::Narrow) => f.write_str(name.text()),
            Place::Inside(name, Reading::Wide) => write!(f, "{} (widely)", name.text()),
            Place::Single => f.write_str("*"),
            Place::Dotted => f.write_str("**"),
            Place::Names => f.write_str("every name"),
            Place::Range(range) => range.fmt(f),
        }
    }
}
