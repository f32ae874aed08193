//! Invariants of canonical values, whatever bytes arrive. Property tests and fuzz targets call the same functions; each
//! panics if its invariant is broken.

use std::net::IpAddr;
use tollgate::decision::{Scratch, Timestamp};
use tollgate::policy::Policy;
use tollgate::request::{Arrival, Authority, Form, Host, Identity, Path, check_name, widen};

/// A canonical authority is one also when it is read again.
pub fn authority(bytes: &[u8]) {
    let mut buffer = b"left over".to_vec();
    let Some(Authority { host, port }) = Authority::parse(bytes, &mut buffer) else {
        return;
    };
    assert_ne!(port, Some(0));
    let mut text = match host {
        Host::Name(name) => {
            assert_eq!(check_name(name.as_bytes()), Ok(name));
            name.to_owned()
        }
        Host::Ip(address) => {
            assert_eq!(address, address.to_canonical(), "a mapped address is IPv4");
            match address {
                IpAddr::V4(address) => address.to_string(),
                IpAddr::V6(address) => format!("[{address}]"),
            }
        }
    };
    if let Some(port) = port {
        text.push_str(&format!(":{port}"));
    }
    let mut unused = Vec::new();
    assert_eq!(Authority::parse(text.as_bytes(), &mut unused), Some(Authority { host, port }));
    assert_eq!(unused.capacity(), 0, "a canonical authority is borrowed");
}

/// A canonical path is one also when it is read again, and so is its wide reading.
pub fn path(bytes: &[u8]) {
    let mut buffer = b"left over".to_vec();
    let Path { form, text } = Path::parse(bytes, &mut buffer);
    let raw = bytes.split(|&byte| byte == b'?').next().unwrap();
    if form == Form::Ambiguous {
        assert_eq!(text, raw);
        return;
    }
    assert!(text.eq_ignore_ascii_case(raw));
    let mut unused = Vec::new();
    assert_eq!(Path::parse(text, &mut unused), Path { form, text });
    assert_eq!(unused.capacity(), 0, "a canonical path is borrowed");

    let text = str::from_utf8(text).unwrap();
    assert_eq!(form == Form::EncodedSlash, text.contains("%2F"));
    let separated = text.replace("%2F", "/");
    assert_eq!(Path::parse(separated.as_bytes(), &mut Vec::new()).form, Form::Canonical);

    let wide = wide(text.as_bytes());
    assert!(!wide.iter().any(|byte| byte.is_ascii_uppercase() || *byte == b';'));
    let slashes = |text: &[u8]| text.iter().filter(|&&byte| byte == b'/').count();
    assert_eq!(slashes(&wide), slashes(text.as_bytes()), "segments are neither joined nor split");
    assert_eq!(self::wide(&wide), wide, "what is wide stays as it is");
    assert_eq!(self::wide(text.to_ascii_uppercase().as_bytes()), wide, "case does not matter");
}

fn wide(text: &[u8]) -> Vec<u8> {
    let mut out = b"left over".to_vec();
    widen(text, &mut out);
    out
}

/// The parts of a SPIFFE ID put together are the ID.
pub fn identity(bytes: &[u8]) {
    let Some(identity) = Identity::parse(bytes) else {
        return;
    };
    assert_eq!(identity.id().as_bytes(), bytes);
    assert_eq!(identity.namespace().is_some(), identity.service_account_key().is_some());
    let trust_domain = identity.trust_domain();
    if let (Some(namespace), Some(key)) = (identity.namespace(), identity.service_account_key()) {
        assert_eq!(identity.id(), format!("spiffe://{trust_domain}/ns/{key}"));
        assert!(key.strip_prefix(namespace).is_some_and(|rest| rest.starts_with("/sa/") && !rest[4..].contains('/')));
    } else {
        assert!(identity.id().starts_with(&format!("spiffe://{trust_domain}")));
    }
}

/// A policy is accepted or refused with reasons, each time alike; one that is accepted decides.
pub fn policy(bytes: &[u8]) {
    let first = Policy::load(bytes);
    let second = Policy::load(bytes);
    match (&first, &second) {
        (Ok(policy), Ok(_)) => {
            for authority in [&b"api.example.com"[..], b"10.0.0.1:80", b""] {
                let arrival = Arrival { authority, method: b"GET", path: Some(b"/v1/a"), ..Arrival::default() };
                let mut scratch = Scratch::default();
                policy.decide(&arrival, Timestamp(0), &mut scratch);
            }
        }
        (Err(first), Err(second)) => {
            assert_eq!(first, second);
            assert!(!first.findings.is_empty());
            assert!(first.findings.iter().all(|finding| !finding.to_string().is_empty()));
            assert!(first.findings.iter().all(|finding| finding.offset.is_none_or(|offset| offset <= bytes.len())));
        }
        _ => panic!("accepted once and refused once"),
    }
}
