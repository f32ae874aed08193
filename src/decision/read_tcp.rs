//! Step 1 for a TCP connection: where it was led, and whether the caller's own TLS says the same.

use super::canonical::Canonical;
use super::identify::{identify, presented};
use super::pending_decision::{PendingDecision, Subject};
use super::question::{Layer, TcpQuestion};
use super::scratch::Buffers;
use super::{Evaluation, Reason, Way};
use crate::policy::{Mode, Policy, TcpSettings};
use crate::request::{Arrival, Connection, FirstBytes, Host, Led, is_below, is_of_the_mesh};

/// The host and the port that a connection is decided about.
struct Place<'s> {
    /// None where the caller's own TLS would have to name it, and does not.
    host: Option<Host<'s>>,
    port: u16,
    /// It was called by the name of this very host.
    is_called_by_host: bool,
    /// The caller's own TLS names another host.
    is_mismatch: bool,
}

/// Reads canonical values, or answers without them.
#[cfg_attr(
    target_pointer_width = "64",
    expect(clippy::result_large_err, reason = "both are values of one decision, moved once")
)]
pub(super) fn read_tcp<'s>(
    policy: &'s Policy,
    arrival: &Arrival<'s>,
    connection: &Connection<'s>,
    buffers: &'s mut Buffers,
) -> Result<Canonical<'s>, Evaluation<'s>> {
    let (mut pending, mut subject) = (PendingDecision::default(), Subject::default());
    if connection.first == FirstBytes::Http && policy.settings.tcp.http {
        // whose it is and where it goes, the filter for HTTP decides
        let _ = identify(policy, presented(policy, arrival), &mut subject, &mut PendingDecision::default());
        return Err(Evaluation { way: Way::Http, ..pending.let_through(&subject, &[]) });
    }
    let Some(place) = Place::of(connection, &policy.settings.tcp, &mut buffers.authority) else {
        return Err(pending.deny(&subject, Reason::HostInvalid, None));
    };
    subject.host = place.host;
    subject.port = Some(place.port);
    subject.is_called_by_host = place.is_called_by_host;
    if let Err(reason) = identify(policy, presented(policy, arrival), &mut subject, &mut pending) {
        return Err(pending.deny(&subject, reason, None));
    }
    if place.is_mismatch {
        if policy.settings.mode != Mode::DryRun {
            return Err(pending.deny(&subject, Reason::SniMismatch, None));
        }
        pending.suspend(Reason::SniMismatch, None);
    }
    let (Some(host), false) = (place.host, connection.first == FirstBytes::Unreadable) else {
        // no dry-run lets through what nobody can read
        return Err(pending.deny(&subject, Reason::SniMissing, None));
    };
    let (is_named, ech) = match connection.first {
        FirstBytes::Hello(hello) => (hello.server_name.is_some(), hello.ech),
        FirstBytes::Unseen => (true, false),
        FirstBytes::Silent | FirstBytes::NoHello | FirstBytes::Http | FirstBytes::Unreadable => (false, false),
    };
    Ok(Canonical {
        subject,
        host,
        port: place.port,
        layer: Layer::Tcp(TcpQuestion { is_silent: connection.first == FirstBytes::Silent, is_named, ech }),
        slashed: None,
        suspended: pending.reasons(),
    })
}

impl<'s> Place<'s> {
    /// None where the connection was led to no canonical host, or inside the mesh.
    fn of(connection: &Connection<'s>, settings: &TcpSettings, buffer: &'s mut Vec<u8>) -> Option<Place<'s>> {
        let is_own = |host: &Host<'_>| matches!(host, Host::Name(name) if settings.own.iter().any(|own| own == name));
        let named = match &connection.first {
            FirstBytes::Hello(hello) => hello.host(),
            _ => None,
        };
        let place = match connection.led(buffer)? {
            // it was led to the gateway itself
            Led::To { host, is_exact: true, .. } if is_own(&host) => Place::by_name(named, settings.port),
            Led::To { host, port, is_exact } => Place {
                host: Some(host),
                port: port.unwrap_or(settings.port),
                is_called_by_host: is_exact,
                is_mismatch: connection.first.server_name().is_some() && named != Some(host),
            },
            Led::Below { suffix, port } => {
                let is_below = matches!(named, Some(Host::Name(name)) if is_below(name, suffix));
                Place { is_mismatch: named.is_some() && !is_below, ..Place::by_name(named, port) }
            }
        };
        let is_inside = place.host.is_some_and(|host| is_of_the_mesh(&host) || is_own(&host));
        (!is_inside).then_some(place)
    }

    /// A place that the caller's own TLS names.
    fn by_name(host: Option<Host<'s>>, port: u16) -> Place<'s> {
        Place { host, port, is_called_by_host: false, is_mismatch: false }
    }
}
