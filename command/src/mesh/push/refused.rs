//! Reasons why a registry did not take an image, in words.

use std::error::Error;
use std::time::Duration;

/// Longest time that a server may take to answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);
/// The most of a registry's own words that is shown, in characters.
const SAID: usize = 200;

/// The reason why nothing was pushed, in words for the user.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) String);

/// Says why a server was not reached, without the address that was asked: that may hold what lets in.
pub(crate) fn unreachable(server: &str, error: &reqwest::Error) -> String {
    if behind(error).any(is_no_tls) {
        return format!("`{server}` answers in plain HTTP: add --plain-http");
    }
    if behind(error).any(|error| error.to_string() == "dns error") {
        return format!("`{server}` has no address (DNS)");
    }
    if let Some(status) = error.status() {
        return format!("`{server}` answers {}", status.as_u16());
    }
    if error.is_timeout() {
        return format!("`{server}` does not answer for {} s", TIMEOUT.as_secs());
    }
    let why = behind(error).last().map_or_else(String::new, |cause| said(&cause.to_string()));
    format!("`{server}` cannot be reached{why}")
}

/// Tells whether the other side answered a TLS handshake with something else. Errors of I/O may wrap the one of TLS, several times.
pub(super) fn is_no_tls(error: &(dyn Error + 'static)) -> bool {
    match error.downcast_ref::<rustls::Error>() {
        Some(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)) => true,
        Some(_) => false,
        None => error
            .downcast_ref::<std::io::Error>()
            .and_then(|error| error.get_ref())
            .is_some_and(|error| is_no_tls(error)),
    }
}

/// The causes of an error, the nearest first.
pub(super) fn behind<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(error.source(), |error| (**error).source())
}

/// The words of a registry, in one line.
pub(super) fn said(message: &str) -> String {
    let line: String = message.trim().chars().take(SAID).map(|of| if of.is_control() { ' ' } else { of }).collect();
    if line.is_empty() { line } else { format!(": {line}") }
}
