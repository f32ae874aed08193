//! Invariants of canonical values, whatever bytes arrive. Property tests and fuzz targets call the same functions; each
//! panics if its invariant is broken.

use std::net::IpAddr;
use tollgate::decision::{Authorizer, Evaluation, Outcome, Reason, Scratch, Timestamp};
use tollgate::policy::Policy;
use tollgate::quota::{Memory, Now, QuotaThread};
use tollgate::request::{Arrival, Authority, Form, Host, Identity, Path, Upgrade, check_name, is_override, widen};

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
                Authorizer::new(policy).decide(&arrival, Timestamp(0), &mut scratch);
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

/// Headers, one a line, with a colon between name and value (a name may begin with one), are read alike in whatever
/// order they come. Which authority, method or path counts is never a choice between two.
pub fn headers(bytes: &[u8]) {
    let header = |line| -> (&[u8], &[u8]) {
        let line: &[u8] = line;
        let colon = line.iter().skip(1).position(|byte| *byte == b':').map_or(line.len(), |place| place + 1);
        (&line[..colon], line.get(colon + 1..).unwrap_or_default())
    };
    let headers: Vec<(&[u8], &[u8])> = bytes.split(|byte| *byte == b'\n').map(header).collect();
    let arrival = Arrival::from_headers(headers.iter().copied());
    let all = |wanted: &str| -> Vec<&[u8]> {
        let named = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted.as_bytes()));
        named.map(|(_, value)| *value).collect()
    };
    let [authorities, hosts, methods, paths, upgrades] = [":authority", "host", ":method", ":path", "upgrade"].map(all);
    let authorities = if authorities.is_empty() { hosts } else { authorities };
    match [&authorities, &methods, &paths].iter().any(|values| values.len() > 1) {
        true => assert_eq!(arrival.authority, b""),
        false => {
            assert_eq!(arrival.authority, authorities.first().copied().unwrap_or_default());
            assert_eq!(arrival.method, methods.first().copied().unwrap_or_default());
            assert_eq!(arrival.path, paths.first().copied());
        }
    }
    let upgrade = match upgrades.as_slice() {
        [] => Upgrade::Absent,
        [one] => Upgrade::To(one),
        _ => Upgrade::Several,
    };
    assert_eq!(arrival.upgrade, upgrade);
    assert_eq!(arrival.overridden, headers.iter().any(|(name, _)| is_override(name)));
    let back = Arrival::from_headers(headers.iter().rev().copied());
    assert_eq!(back.authority, arrival.authority);
    assert_eq!((back.upgrade, back.overridden), (arrival.upgrade, arrival.overridden));
}

/// Buckets that anybody may have written let pass or refuse, each time alike, and what is made of them is read again.
pub fn page(bytes: &[u8]) {
    let text = br#"{"version": 1, "name": "p", "rules": [{"id": "r", "from": [{"any": true}, {"anonymous": true}], "to": [{"hosts": ["a.test"]}]}],
        "quotas": [{"id": "rate", "limit": {"requests": 10, "per": "1s"}}, {"id": "held", "limit": {"concurrent": 3}},
            {"id": "day", "limit": {"bytes": "1kB", "per": "day"}}]}"#;
    let policy = Policy::load(text).unwrap();
    let arrival = Arrival { authority: b"a.test", method: b"GET", path: Some(b"/"), ..Arrival::default() };
    let charged = |store: &mut Memory| {
        let (mut scratch, mut thread) = (Scratch::default(), QuotaThread::default());
        let mut evaluation: Evaluation<'_> = Authorizer::new(&policy).decide(&arrival, Timestamp(0), &mut scratch);
        let charged = Authorizer::new(&policy).charge(&mut evaluation, 100, &mut thread, store);
        let told: Vec<_> = charged.outcomes.iter().map(|outcome| format!("{outcome:?}")).collect();
        if let Some(mut account) = charged.account {
            assert!(policy.terms().settle(&mut account, &mut thread, store), "nobody else is there");
        }
        (evaluation.decision.outcome, evaluation.decision.reason, told)
    };
    let mut fresh = Memory::default();
    fresh.now = Now { monotonic: 1 << 50, wall: 1 << 60 };
    assert_eq!(charged(&mut fresh).0, Outcome::Allow);
    let keys: Vec<String> = fresh.keys().map(str::to_owned).collect();
    for key in keys {
        let mut store = fresh.clone();
        store.overwrite(&key, bytes);
        let first = charged(&mut store.clone());
        assert_eq!(first, charged(&mut store), "each time alike");
        let is_quota = matches!(first.1, Reason::QuotaRequests | Reason::QuotaConcurrent | Reason::QuotaBytes);
        assert!(first.0 == Outcome::Allow || is_quota || first.1 == Reason::QuotaUnavailable, "{first:?}");
        charged(&mut store);
    }
}

/// However the bytes of a connection come, its reader says the same; it reads no more than it may; and what follows a hello is
/// closed or not, however that comes.
pub fn hello(bytes: &[u8]) {
    use tollgate::request::{
        ClientHello, Crossing, FirstBytes, HTTP_BEGINNING, HelloReader, MOST_HELD, Progress, Watch, begins_http,
    };
    let piece = usize::from(bytes.first().copied().unwrap_or_default() % 7).saturating_add(1);
    let (mut whole, mut pieces) = (HelloReader::default(), HelloReader::default());
    let read = whole.read(bytes);
    let mut read_in_pieces = 0_usize;
    for piece in bytes.chunks(piece) {
        read_in_pieces = read_in_pieces.saturating_add(pieces.read(piece));
    }
    assert_eq!((whole.progress(), whole.first_bytes()), (pieces.progress(), pieces.first_bytes()));
    assert!(read <= MOST_HELD);
    if whole.progress() == Progress::Complete {
        assert_eq!(read, read_in_pieces);
    }
    if let FirstBytes::Hello(hello) = whole.first_bytes() {
        assert_eq!(hello.server_name.is_some(), whole.first_bytes().server_name().is_some());
        let _ = hello.host();
    }
    // HTTP is told by the first bytes that tell, whatever follows, and never where TLS could still come
    let told = (0..=bytes.len()).find_map(|length| begins_http(bytes.get(..length).unwrap_or_default()));
    assert_eq!(begins_http(bytes), told);
    assert!(told.is_some() || bytes.len() < HTTP_BEGINNING);
    assert!(told != Some(true) || whole.progress() == Progress::NoHello);
    let new = || Watch::new(&ClientHello { server_name: Some(b"a.test"), ech: false });
    let (mut watch, mut in_pieces) = (new(), new());
    let expected = watch.client(bytes);
    let mut crossing = Crossing::Pass;
    for piece in bytes.chunks(piece) {
        if crossing != Crossing::Close {
            crossing = in_pieces.client(piece);
        }
    }
    assert_eq!(crossing, expected);
    let (mut watch, mut in_pieces) = (new(), new());
    watch.server(bytes);
    bytes.chunks(piece).for_each(|piece| in_pieces.server(piece));
    assert_eq!(watch.is_over(), in_pieces.is_over());
}
