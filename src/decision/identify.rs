//! The identity of a caller, as part of step 1.

use super::Reason;
use super::pending_decision::{PendingDecision, Subject};
use crate::policy::{Mode, Policy};
use crate::request::{Arrival, Identity, Presented};

/// Returns the identity, if it comes from a source that the policy reads; an empty one counts as none.
pub(super) fn presented<'s>(policy: &Policy, arrival: &Arrival<'s>) -> Option<Presented<'s>> {
    arrival.identity.filter(|identity| !identity.id.is_empty() && policy.settings.sources.contains(&identity.source))
}

fn trusts(policy: &Policy, identity: &Identity<'_>) -> bool {
    policy.settings.trust_domains.iter().any(|trusted| trusted == identity.trust_domain())
}

/// Notes the identity that was presented, and whether it is trusted. One that does not count is none where a dry-run suspends
/// that.
///
/// # Errors
/// The reason for which the caller is refused.
pub(super) fn identify<'s>(
    policy: &Policy,
    presented: Option<Presented<'s>>,
    subject: &mut Subject<'s>,
    pending: &mut PendingDecision<'s>,
) -> Result<(), Reason> {
    let identity = presented.and_then(|presented| Identity::parse(presented.id));
    subject.identity = presented.filter(|_| identity.is_some());
    let reason = match identity {
        None if presented.is_some() => Reason::IdentityInvalid,
        Some(known) if !trusts(policy, &known) => Reason::IdentityUntrusted,
        _ => {
            subject.trusted = identity;
            return Ok(());
        }
    };
    if policy.settings.mode != Mode::DryRun {
        return Err(reason);
    }
    pending.suspend(reason, None);
    Ok(())
}
