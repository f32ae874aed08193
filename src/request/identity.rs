//! The identity of a caller: a SPIFFE ID and, where it has Istio's form, the service account in it.

use super::segment::Segment;
use std::str;

/// Longest SPIFFE ID (SPIFFE-ID §2.3), in bytes.
const MAX_ID: usize = 2048;
/// Longest trust domain (SPIFFE-ID §2.1), in bytes.
const MAX_TRUST_DOMAIN: usize = 255;

/// A valid SPIFFE ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    id: &'a str,
    trust_domain: &'a str,
    account: Option<ServiceAccount<'a>>,
}

/// The part of `spiffe://TD/ns/NS/sa/NAME` behind the trust domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ServiceAccount<'a> {
    namespace: &'a str,
    key: &'a str,
}

impl<'a> Identity<'a> {
    /// Reads a SPIFFE ID; `None` where it is none. Without a path (the ID of a trust domain) it is valid.
    pub fn parse(id: &'a [u8]) -> Option<Identity<'a>> {
        if id.len() > MAX_ID {
            return None;
        }
        let id = str::from_utf8(id).ok()?;
        let rest = id.strip_prefix("spiffe://")?;
        let (trust_domain, path) = split(rest)?;
        let valid = is_trust_domain(trust_domain) && path.is_none_or(is_path);
        valid.then_some(Identity { id, trust_domain, account: path.and_then(ServiceAccount::of) })
    }

    /// The whole SPIFFE ID.
    pub fn id(&self) -> &'a str {
        self.id
    }

    /// Its trust domain.
    pub fn trust_domain(&self) -> &'a str {
        self.trust_domain
    }

    /// `NS`, if the ID is exactly `spiffe://TD/ns/NS/sa/NAME`.
    pub fn namespace(&self) -> Option<&'a str> {
        self.account.map(|account| account.namespace)
    }

    /// `NS/sa/NAME`, if the ID is exactly `spiffe://TD/ns/NS/sa/NAME`.
    pub fn service_account_key(&self) -> Option<&'a str> {
        self.account.map(|account| account.key)
    }

    /// Trust domain and namespace as they stand in the SPIFFE ID: `cluster.local/ns/payments`.
    pub fn namespace_key(&self) -> Option<&'a str> {
        let without_scheme = self.id.strip_prefix("spiffe://")?;
        let end = self.trust_domain.len().checked_add("/ns/".len())?.checked_add(self.namespace()?.len())?;
        without_scheme.get(..end)
    }
}

impl<'a> ServiceAccount<'a> {
    fn of(path: &'a str) -> Option<ServiceAccount<'a>> {
        let key = path.strip_prefix("ns/")?;
        let (namespace, rest) = split(key)?;
        let name = rest?.strip_prefix("sa/")?;
        let is_last = !name.bytes().any(|byte| byte == b'/');
        is_last.then_some(ServiceAccount { namespace, key })
    }
}

/// Returns what stands before the first slash, and what behind it. Quicker here than the standard search, which is made for
/// longer texts.
fn split(text: &str) -> Option<(&str, Option<&str>)> {
    match text.bytes().position(|byte| byte == b'/') {
        Some(slash) => text.split_at_checked(slash).map(|(before, behind)| (before, behind.strip_prefix('/'))),
        None => Some((text, None)),
    }
}

fn is_trust_domain(text: &str) -> bool {
    (1..=MAX_TRUST_DOMAIN).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_'))
}

/// Segments of `[A-Za-z0-9._-]+` other than `.` and `..`, joined by `/`.
fn is_path(text: &str) -> bool {
    let last = text.bytes().try_fold(Segment::Empty, |segment, byte| match byte {
        b'/' => segment.slash(),
        b'.' => Some(segment.dot()),
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => Some(Segment::Other),
        _ => None,
    });
    last == Some(Segment::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refuses(ids: &[&str]) {
        for id in ids {
            assert_eq!(Identity::parse(id.as_bytes()), None, "{id:?}");
        }
    }

    #[test]
    fn a_service_account_is_known_by_namespace_and_name() {
        let id = "spiffe://cluster.local/ns/payments/sa/checkout";
        let identity = Identity::parse(id.as_bytes()).unwrap();
        assert_eq!(identity.id(), id);
        assert_eq!(identity.trust_domain(), "cluster.local");
        assert_eq!(identity.namespace(), Some("payments"));
        assert_eq!(identity.service_account_key(), Some("payments/sa/checkout"));
        assert_eq!(identity.namespace_key(), Some("cluster.local/ns/payments"));
    }

    #[test]
    fn any_other_form_has_no_namespace() {
        for id in [
            "spiffe://td",
            "spiffe://td/ns/a",
            "spiffe://td/ns/a/sa",
            "spiffe://td/ns/a/sa/b/c",
            "spiffe://td/ns/a/b/sa/c",
            "spiffe://td/x/ns/a/sa/b",
            "spiffe://td/NS/a/sa/b",
            "spiffe://td/ns/a/SA/b",
            "spiffe://td/nsx/a/sa/b",
            "spiffe://td/sa/a/ns/b",
        ] {
            let identity = Identity::parse(id.as_bytes()).unwrap();
            assert_eq!((identity.namespace(), identity.service_account_key()), (None, None), "{id}");
        }
    }

    #[test]
    fn a_scheme_is_spelled_exactly() {
        refuses(&["", "spiffe", "spiffe:", "spiffe:/td/a", "SPIFFE://td/a", " spiffe://td/a", "https://td/a", "td/a"]);
    }

    #[test]
    fn a_trust_domain_is_lower_case_and_has_1_to_255_bytes() {
        let of_length = |length| format!("spiffe://{}/a", "t".repeat(length));
        assert!(Identity::parse(of_length(255).as_bytes()).is_some());
        assert!(Identity::parse(b"spiffe://a_b-c.9/a").is_some());
        refuses(&[
            &of_length(256),
            "spiffe://",
            "spiffe:///a",
            "spiffe://TD/a",
            "spiffe://td:80/a",
            "spiffe://u@td/a",
            "spiffe://t%64/a",
        ]);
    }

    #[test]
    fn a_segment_is_neither_empty_nor_dots() {
        refuses(&[
            "spiffe://td/",
            "spiffe://td/a/",
            "spiffe://td//a",
            "spiffe://td/./a",
            "spiffe://td/a/..",
            "spiffe://td/ns//sa/b",
        ]);
        assert!(Identity::parse(b"spiffe://td/.../.a/..b").is_some());
    }

    #[test]
    fn no_other_byte_is_part_of_a_segment() {
        for byte in 0..=u8::MAX {
            let mut id = b"spiffe://td/a_a/b".to_vec();
            id[13] = byte;
            let allowed = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
            assert_eq!(Identity::parse(&id).is_some(), allowed, "0x{byte:02x}");
        }
        refuses(&["spiffe://td/a?b", "spiffe://td/a#b", "spiffe://td/%61", "spiffe://td/é"]);
    }

    #[test]
    fn an_id_has_at_most_2048_bytes() {
        let of_length = |length: usize| format!("spiffe://td/{}", "a".repeat(length - 12));
        assert!(Identity::parse(of_length(2048).as_bytes()).is_some());
        refuses(&[&of_length(2049)]);
    }
}
