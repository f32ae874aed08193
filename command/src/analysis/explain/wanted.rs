//! A request in the words of a policy.

use crate::analysis::who;
use serde_json::Value;
use tollgate::policy::Settings;
use tollgate::request::{Arrival, FirstBytes, Form, Host, Identity, Path, Upgrade, object_key};

/// A request in the words of a policy.
pub(crate) struct Wanted<'w> {
    pub(crate) selector: Value,
    /// The key of the place, `hosts` or `cidrs`; `place` is a name or an address.
    pub(crate) key: &'static str,
    pub(crate) place: String,
    pub(crate) name: Option<&'w str>,
    pub(crate) port: u16,
    pub(crate) method: String,
    /// The path, if a pattern can say it and nothing else.
    pub(crate) path: Option<String>,
    pub(crate) encoded_slash: bool,
    /// Only a target that takes keys compares its path.
    pub(crate) is_key: bool,
    /// The protocol that it asks to upgrade to: only one can be admitted.
    pub(crate) upgrade: Asked,
    pub(crate) overridden: bool,
    /// The beginning of a TCP connection; none for HTTP.
    pub(crate) hello: Option<WantedHello>,
}

/// The beginning of a TCP connection, as far as targets ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WantedHello {
    /// Its own TLS names the host.
    pub(crate) is_named: bool,
    pub(crate) ech: bool,
}

impl WantedHello {
    fn of(first: &FirstBytes<'_>) -> WantedHello {
        let ech = matches!(first, FirstBytes::Hello(hello) if hello.ech);
        WantedHello { is_named: first.server_name().is_some(), ech }
    }
}

impl<'w> Wanted<'w> {
    pub(crate) fn of(
        settings: &Settings,
        arrival: &Arrival<'_>,
        identity: Option<&Identity<'_>>,
        host: &Host<'w>,
        port: u16,
    ) -> Wanted<'w> {
        let (key, place, name) = match host {
            Host::Name(name) => ("hosts", (*name).to_owned(), Some(*name)),
            Host::Ip(address) => ("cidrs", address.to_string(), None),
        };
        let mut buffer = Vec::new();
        let path = arrival.path.map(|raw| Path::parse(raw, &mut buffer)).filter(|path| path.form != Form::Ambiguous);
        let encoded_slash = path.as_ref().is_some_and(|path| path.form == Form::EncodedSlash);
        // an empty segment alone is more often a mistake of the client's than part of a key
        let may_be_key = |raw: &[u8]| raw.contains(&b'%') && object_key(raw, &mut Vec::new()).is_some();
        let is_key = path.is_none() && arrival.path.is_some_and(may_be_key);
        let text = path.map(|path| String::from_utf8_lossy(path.text).into_owned());
        Wanted {
            selector: who::selector_of(settings, identity),
            key,
            place,
            name,
            port,
            method: String::from_utf8_lossy(arrival.method).into_owned(),
            path: text.filter(|text| !text.contains(['*', '{', '}', '[', ']'])),
            encoded_slash,
            is_key,
            upgrade: Asked::of(arrival.upgrade),
            overridden: arrival.overridden,
            hello: arrival.connection.map(|connection| WantedHello::of(&connection.first)),
        }
    }
}

/// An upgrade that a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Nothing,
    Websocket,
    /// Something that no policy can admit.
    Other,
}

impl Asked {
    pub(crate) fn of(upgrade: Upgrade<'_>) -> Asked {
        match upgrade {
            Upgrade::Absent => Asked::Nothing,
            Upgrade::To(protocol) if protocol.eq_ignore_ascii_case(b"websocket") => Asked::Websocket,
            Upgrade::To(_) | Upgrade::Several => Asked::Other,
        }
    }
}

/// The path as a pattern with `*` for its last segment that looks like an id; none where none does.
pub(crate) fn without_id(path: &str) -> Option<(String, &str)> {
    let segments: Vec<&str> = path.split('/').collect();
    let at = segments.iter().rposition(|segment| looks_like_an_id(segment))?;
    let id = *segments.get(at)?;
    let segments: Vec<&str> =
        segments.iter().map(|segment| if looks_like_an_id(segment) { "*" } else { segment }).collect();
    Some((segments.join("/"), id))
}

/// Tells whether a segment is a number, or long with several digits in it, as ids are.
fn looks_like_an_id(segment: &str) -> bool {
    let digits = segment.bytes().filter(u8::is_ascii_digit).count();
    let is_word = segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    is_word && digits > 0 && (digits == segment.len() || segment.len() >= 8 && digits >= 2)
}

#[cfg(test)]
mod tests {
    use super::without_id;

    #[test]
    fn a_segment_that_looks_like_an_id_becomes_a_star() {
        for (path, expected) in [
            ("/v1/42/close", Some(("/v1/*/close", "42"))),
            ("/v1/charges", None),
            ("/v1/ch_1Nqz82eZvK/items/7", Some(("/v1/*/items/*", "7"))),
            ("/a/0f8fad5b-d9cb-469f-a165-70867728950e", Some(("/a/*", "0f8fad5b-d9cb-469f-a165-70867728950e"))),
            ("/oauth2/token", None),
        ] {
            assert_eq!(without_id(path), expected.map(|(pattern, id)| (pattern.to_owned(), id)), "{path}");
        }
    }
}
