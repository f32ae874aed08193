//! A policy that is asked, compiled and as written.

use super::witness::Witness;
use crate::analysis::strength::Strength;
use crate::read::Loaded;
use crate::read::document::Document;
use serde::Serialize;
use std::collections::BTreeMap;
use tollgate::decision::{Authorizer, Evaluation, Scratch};
use tollgate::policy::Policy;
use tollgate::request::Authority;

/// A policy and its text.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) policy: Policy,
    pub(crate) document: Document,
    /// The ends of rules, by their ids.
    pub(crate) ends: BTreeMap<String, String>,
}

/// Decision of a policy about a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Said {
    pub(crate) decision: &'static str,
    pub(crate) reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<String>,
}

impl Side {
    /// None only for a policy that the checker would not have let through.
    pub(crate) fn new(loaded: Loaded) -> Option<Side> {
        let document = Document::read(&loaded.json)?;
        let ends = document.rules.iter().filter_map(|rule| Some((rule.id.clone(), rule.expires_at.clone()?))).collect();
        Some(Side { document, policy: loaded.policy, ends })
    }

    pub(crate) fn ask<T>(&self, witness: &Witness, scratch: &mut Scratch, of: impl FnOnce(&Evaluation<'_>) -> T) -> T {
        of(&Authorizer::new(&self.policy).decide(&witness.arrival(), witness.time(), scratch))
    }

    /// The strength with which the way of a request is held.
    pub(super) fn strength(&self, witness: &Witness, scratch: &mut Scratch) -> Strength {
        let mut buffer = Vec::new();
        let arrival = witness.arrival();
        match Authority::parse(arrival.authority, &mut buffer) {
            Some(Authority { host, port }) => {
                let settings = self.policy.settings();
                let usual = if arrival.connection.is_some() { settings.tcp.port } else { settings.default_port };
                let port = port.unwrap_or(usual);
                Strength::of(&self.policy, arrival.identity, &host, port, witness.time(), scratch)
            }
            None => Strength::Host,
        }
    }

    /// Decides the request in its written form, as `tollgate eval` does; none if it cannot be read.
    pub(crate) fn confirm(&self, witness: &Witness, scratch: &mut Scratch) -> Option<Said> {
        witness.as_read(|arrival, now| Said::of(&Authorizer::new(&self.policy).decide(arrival, now, scratch)))
    }
}

impl Said {
    pub(crate) fn of(judged: &Evaluation<'_>) -> Said {
        let decision = &judged.decision;
        Said {
            decision: decision.outcome.as_str(),
            reason: decision.reason.as_str(),
            rule: decision.rule.map(str::to_owned),
        }
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.decision, self.reason)?;
        self.rule.as_ref().map_or(Ok(()), |rule| write!(f, " {rule}"))
    }
}
