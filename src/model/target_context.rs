//! The kind of list that a target stands in.

use super::ports::Ports;
use super::reading::Reading;

/// The kind of list that a target stands in. It decides how the target is read, and the meaning of keys that are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetContext {
    /// `to` of a rule. What is left out is the usual: ports 80 and 443, no CONNECT, no upgrade.
    Rule,
    /// `except` of a deny entry. It opens, too, and what is left out is everything.
    Exception,
    /// `to` of a deny entry or a quota. What is left out is everything.
    Closing,
}

impl TargetContext {
    /// The way in which the target's patterns are read.
    pub fn reading(self) -> Reading {
        match self {
            TargetContext::Rule | TargetContext::Exception => Reading::Narrow,
            TargetContext::Closing => Reading::Wide,
        }
    }

    /// The ports of a target, filled in where it gives none.
    pub fn ports(self, given: Option<Ports>) -> Ports {
        given.unwrap_or_else(|| match self {
            TargetContext::Rule => Ports::usual(),
            TargetContext::Exception | TargetContext::Closing => Ports::ALL,
        })
    }
}
