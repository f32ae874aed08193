//! TCP connections in words.

use super::authority;
use crate::read::escape;
use tollgate::decision::{Evaluation, Reason};
use tollgate::policy::Settings;
use tollgate::request::{Arrival, Authority, Connection, FirstBytes, Host};

/// The caller's own TLS, behind the place of a connection.
pub(super) fn tls(first: &FirstBytes<'_>) -> String {
    match first {
        FirstBytes::Unseen | FirstBytes::Silent => " without a byte so far".to_owned(),
        FirstBytes::NoHello => " without TLS".to_owned(),
        FirstBytes::Http => " with HTTP".to_owned(),
        FirstBytes::Unreadable => " with TLS that cannot be read".to_owned(),
        FirstBytes::Hello(hello) => {
            let name = hello.server_name.map_or("no name".to_owned(), escape::bytes);
            format!(" with TLS to {name}{}", if hello.ech { " (ECH)" } else { "" })
        }
    }
}

/// Notes about the place that a connection is decided about, and about the name in its own TLS.
pub(super) fn notes(
    settings: &Settings,
    arrival: &Arrival<'_>,
    connection: &Connection<'_>,
    judged: &Evaluation<'_>,
) -> Vec<String> {
    let mut notes = Vec::new();
    let Some(host) = judged.host else {
        notes.push(match judged.decision.reason {
            Reason::HostInvalid => format!("it leads to no host outside the mesh: {}", fault(arrival.authority)),
            _ => "where it was led, the server name of its own TLS is the host, and it shows none".to_owned(),
        });
        return notes;
    };
    let mut buffer = Vec::new();
    let led = Authority::parse(arrival.authority, &mut buffer);
    let is_own =
        |led: &Authority<'_>| matches!(led.host, Host::Name(name) if settings.tcp.own.iter().any(|own| own == name));
    let port = settings.tcp.port;
    if led.as_ref().is_some_and(is_own) {
        notes.push(format!("it was led to the gateway itself: the server name of its own TLS is the host, and the port is that of `tcp.port`, {port}"));
    } else if led.is_some_and(|led| led.port.is_none()) {
        notes.push(format!("the authority names no port: that of `tcp.port`, {port}, counts"));
    }
    if let Some(name) = connection.first.server_name().filter(|name| *name != authority::shown(&host).as_bytes()) {
        notes.push(format!(
            "its own TLS names `{}`, and it was led to `{}`",
            escape::bytes(name),
            authority::shown(&host)
        ));
    }
    notes
}

/// Advice about what no edit of a policy should do away with.
pub(super) fn advice(reason: Reason, first: &FirstBytes<'_>, has_host: bool) -> Option<String> {
    let advice = match reason {
        Reason::HostInvalid => {
            "lead it to a name of two labels or more outside the mesh, in lower case, or to an address"
        }
        Reason::IdentityInvalid => "let the workload's certificate carry a SPIFFE ID as its first URI",
        Reason::IdentityMissing => {
            "send it through the mesh, with the workload's certificate; only `anonymous: true` admits what has none"
        }
        Reason::SniMismatch => "let its own TLS name the host that it was led to",
        Reason::SniMissing if *first == FirstBytes::Unreadable => "begin it with one ClientHello that names one server",
        Reason::SniMissing if !has_host => "begin it with a ClientHello that names the host",
        _ => return None,
    };
    Some(advice.to_owned())
}

/// The reason why no host outside the mesh is called so.
fn fault(name: &[u8]) -> String {
    match Authority::parse(name, &mut Vec::new()) {
        Some(_) => {
            "such a name is in lower case, has two labels or more, and is not below `svc` or `cluster.local`".to_owned()
        }
        None => authority::fault(name),
    }
}
