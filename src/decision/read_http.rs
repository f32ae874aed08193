//! Step 1: an HTTP request is made canonical, or refused.

use super::canonical::Canonical;
use super::identify::{identify, presented};
use super::pending_decision::{PendingDecision, Subject};
use super::question::{HttpQuestion, LONGEST_FOR_COSTLY, Layer, Method, QuestionPath};
use super::scratch::Buffers;
use super::{Evaluation, Reason};
use crate::index::Section;
use crate::policy::{Mode, Policy, VerifyRoute};
use crate::request::{Arrival, Authority, Comparison, Form, Path, Presented, Routed, Source, object_key, widen};

/// Reads canonical values, or answers without them.
#[cfg_attr(
    target_pointer_width = "64",
    expect(clippy::result_large_err, reason = "both are values of one decision, moved once")
)]
pub(super) fn read_http<'s>(
    policy: &'s Policy,
    arrival: &Arrival<'s>,
    buffers: &'s mut Buffers,
) -> Result<Canonical<'s>, Evaluation<'s>> {
    let Buffers { authority: buffer, path, wide_path, key, slashed_path, wide_slashed_path } = buffers;
    let dry_run = policy.settings.mode == Mode::DryRun;
    let presented = presented(policy, arrival);
    let (mut pending, mut subject) = (PendingDecision::default(), Subject::default());
    let Some(authority) = Authority::parse(arrival.authority, buffer) else {
        return Err(pending.deny(&subject, Reason::HostInvalid, None));
    };
    let mut port = match authority.port {
        Some(port) => port,
        // RFC 9110 §9.3.6: the target of CONNECT names its port
        None if Method::new(arrival.method).is_connect() => {
            return Err(pending.deny(&subject, Reason::HostInvalid, None));
        }
        None => policy.settings.default_port,
    };
    subject.host = Some(authority.host);
    subject.port = Some(port);

    if let Err(reason) = identify(policy, presented, &mut subject, &mut pending) {
        return Err(pending.deny(&subject, reason, None));
    }

    match routed_port(policy, presented, &authority, arrival.cluster) {
        Some(routed) => port = routed.unwrap_or(port),
        None if dry_run => pending.suspend(Reason::RouteMismatch, None),
        None => return Err(pending.deny(&subject, Reason::RouteMismatch, None)),
    }
    subject.port = Some(port);
    let key = arrival.path.filter(|_| policy.keys).and_then(|bytes| object_key(bytes, key));
    let path = arrival.path.map(|bytes| QuestionPath { key, ..read_path(policy, bytes, path, wide_path) });
    let slashed = path.filter(|path| path.form == Form::EncodedSlash && !path.wide.is_empty());
    Ok(Canonical {
        subject,
        host: authority.host,
        port,
        layer: Layer::Http(HttpQuestion {
            method: Method::new(arrival.method),
            upgrade: arrival.upgrade,
            overridden: arrival.overridden,
            path,
        }),
        slashed: slashed.map(|path| path.slashed(slashed_path, wide_slashed_path)),
        suspended: pending.reasons(),
    })
}

/// Returns the port of the route, where it counts; none where the route leads elsewhere than the authority says.
fn routed_port(
    policy: &Policy,
    presented: Option<Presented<'_>>,
    authority: &Authority<'_>,
    cluster: Option<&[u8]>,
) -> Option<Option<u16>> {
    // Who presents nothing where identities come from the tunnel came through it, too.
    let by_principal = match presented {
        Some(presented) => presented.source == Source::PeerPrincipal,
        None => policy.settings.reads_principals(),
    };
    let unless_said = if by_principal { VerifyRoute::Full } else { VerifyRoute::Off };
    let compared = policy.settings.verify_route.unwrap_or(unless_said);
    let Some(cluster) = cluster.filter(|name| !name.is_empty() && compared != VerifyRoute::Off) else {
        // no cluster: nothing leads out
        return Some(None);
    };
    let ports = compared == VerifyRoute::Full;
    match Routed::of(cluster) {
        Routed::To(route) => {
            let agrees = route.agrees(&authority.host, authority.port, Comparison { ports, wildcards: by_principal });
            agrees.then_some(Some(route.port).filter(|_| ports))
        }
        Routed::ByAuthority => Some(None),
        Routed::Elsewhere => None,
    }
}

/// Reads the path, and widely if anything asks for that.
fn read_path<'s>(policy: &Policy, bytes: &'s [u8], buffer: &'s mut Vec<u8>, wide: &'s mut Vec<u8>) -> QuestionPath<'s> {
    let Path { form, text } = Path::parse(bytes, buffer);
    wide.clear();
    let asks_widely = [&policy.deny, &policy.deny_dry_run, &policy.quotas].into_iter().any(Section::has_paths);
    if asks_widely && form != Form::Ambiguous {
        widen(text, wide);
    }
    QuestionPath { form, narrow: text, wide, is_long: text.len() > LONGEST_FOR_COSTLY, key: None }
}
