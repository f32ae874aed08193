//! Single values of the language, checked as they are read.

use super::decode::{Items, Shape, Stop, Text, each};
use super::finding::{Findings, code};
use super::settings::HeaderName;
use crate::model::{PortRange, Ports};
use crate::request::{Identity, is_method};
use crate::timestamp::Timestamp;
use std::num::NonZeroU32;

/// An id, or the name of a policy: `[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?`.
#[derive(Debug)]
pub(super) struct Id<'a>(pub(super) Text<'a>);

impl<'de> Shape<'de> for Id<'de> {
    const EXPECTED: &'static str = "an id";

    fn text(text: Text<'de>, findings: &mut Findings<'de>) -> Option<Self> {
        let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let inside = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        let bytes = text.as_bytes();
        if bytes.len() <= 63
            && ends(bytes.first().copied())
            && ends(bytes.last().copied())
            && bytes.iter().copied().all(inside)
        {
            return Some(Id(text));
        }
        let fix = "use 1 to 63 of `a-z`, `0-9`, `.`, `_` and `-`, with a letter or digit at both ends";
        findings.error(code::VALUE, format!("`{}` is no id", &*text), fix.to_owned())
    }
}

/// A revision: 1 to 64 of `[A-Za-z0-9._-]`.
#[derive(Debug)]
pub(super) struct Revision<'a>(pub(super) Text<'a>);

impl<'de> Shape<'de> for Revision<'de> {
    const EXPECTED: &'static str = "a revision (a string: in YAML a number needs quotes)";

    fn text(text: Text<'de>, findings: &mut Findings<'de>) -> Option<Self> {
        if (1..=64).contains(&text.len()) && text.bytes().all(is_segment_byte) {
            return Some(Revision(text));
        }
        let fix = "use 1 to 64 of `A-Z`, `a-z`, `0-9`, `.`, `_` and `-`";
        findings.error(code::VALUE, format!("`{}` is no revision", &*text), fix.to_owned())
    }
}

/// A TCP port, 1 to 65535.
#[derive(Debug)]
pub(super) struct Port(pub(super) u16);

impl<'de> Shape<'de> for Port {
    const EXPECTED: &'static str = "a port";

    fn number(number: u64, findings: &mut Findings<'de>) -> Option<Self> {
        match u16::try_from(number) {
            Ok(port) if port > 0 => Some(Port(port)),
            _ => findings.error(code::VALUE, format!("`{number}` is no port"), "ports are 1 to 65535".to_owned()),
        }
    }
}

impl<'de> Shape<'de> for Ports {
    const EXPECTED: &'static str = "a list";

    fn text(text: Text<'de>, findings: &mut Findings<'de>) -> Option<Self> {
        if &*text == "any" {
            return Some(Ports::ALL);
        }
        findings.wrong_type(Self::EXPECTED, "a string");
        None
    }

    fn list(items: Items<'_, 'de>, findings: &mut Findings<'de>) -> Result<Option<Self>, Stop> {
        let mut ranges: Vec<PortRange> = Vec::with_capacity(1);
        if each(items, findings, |range, _| ranges.push(range))? {
            return Ok(Some(Ports::of(ranges)));
        }
        findings.empty_list();
        Ok(None)
    }
}

/// A port, or a range of them.
impl<'de> Shape<'de> for PortRange {
    const EXPECTED: &'static str = "a port";

    fn number(number: u64, findings: &mut Findings<'de>) -> Option<Self> {
        let Port(port) = Port::number(number, findings)?;
        PortRange::new(port, port)
    }

    fn text(text: Text<'de>, findings: &mut Findings<'de>) -> Option<Self> {
        if let Some(range) = PortRange::parse(&text) {
            return Some(range);
        }
        if &*text == "any" {
            let fix = "write `ports: any`, in place of the list".to_owned();
            return findings.error(code::VALUE, "`any` stands in a list", fix);
        }
        let number = |text: &str| text.trim().parse::<u64>().ok();
        let range = text.split_once('-').and_then(|(from, to)| Some((number(from)?, number(to)?)));
        let Some((from, to)) = range else {
            findings.wrong_type(Self::EXPECTED, "a string");
            return None;
        };
        let (low, high) = (from.min(to), from.max(to));
        let fix = match low > 0 && high <= u64::from(u16::MAX) {
            true => format!("write `\"{low}-{high}\"`: two ports, the lower one first"),
            false => "ports are 1 to 65535".to_owned(),
        };
        findings.error(code::VALUE, format!("`{}` is no range of ports", &*text), fix)
    }
}

/// A method in its only spelling: `[A-Z][A-Z0-9_-]*`.
#[derive(Debug)]
pub(super) struct MethodName<'a>(pub(super) Text<'a>);

impl<'de> Shape<'de> for MethodName<'de> {
    const EXPECTED: &'static str = "a method";

    fn text(text: Text<'de>, findings: &mut Findings<'de>) -> Option<Self> {
        if is_method(text.as_bytes()) {
            return Some(MethodName(text));
        }
        let upper = text.to_ascii_uppercase();
        let fix = is_method(upper.as_bytes()).then(|| format!("write `{upper}`"));
        findings.error(code::VALUE, format!("`{}` is no method", &*text), fix)
    }
}

/// A moment after which a rule no longer admits (RFC 3339).
#[derive(Debug)]
pub(super) struct Expiry(pub(super) Timestamp);

impl<'de> Shape<'de> for Expiry {
    const EXPECTED: &'static str = "a date and time";

    fn text(text: Text<'de>, findings: &mut Findings<'de>) -> Option<Self> {
        match Timestamp::parse(&text) {
            // what lies before 1970 has expired, what lies beyond 2554 never does
            Some(moment) => Some(Expiry(moment)),
            None => findings.error(
                code::VALUE,
                format!("`{}` is no date and time", &*text),
                "write it as `2027-01-31T00:00:00Z`".to_owned(),
            ),
        }
    }
}

/// `true`, where `false` would say nothing.
#[derive(Debug)]
pub(super) struct True;

impl<'de> Shape<'de> for True {
    const EXPECTED: &'static str = "`true`";

    fn boolean(boolean: bool, findings: &mut Findings<'de>) -> Option<Self> {
        if boolean {
            return Some(True);
        }
        findings.error(code::VALUE, "`false` selects nothing", "remove the selector".to_owned())
    }
}

/// A switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Switch(pub(super) bool);

impl<'de> Shape<'de> for Switch {
    const EXPECTED: &'static str = "`true` or `false`";

    fn boolean(boolean: bool, _: &mut Findings<'de>) -> Option<Self> {
        Some(Switch(boolean))
    }
}

/// A SPIFFE ID.
#[derive(Debug)]
pub(super) struct SpiffeId<'a> {
    pub(super) id: Text<'a>,
}

impl SpiffeId<'_> {
    pub(super) fn trust_domain(&self) -> &str {
        Identity::parse(self.id.as_bytes()).map_or("", |identity| identity.trust_domain())
    }
}

impl<'de> Shape<'de> for SpiffeId<'de> {
    const EXPECTED: &'static str = "a SPIFFE ID";

    fn text(text: Text<'de>, findings: &mut Findings<'de>) -> Option<Self> {
        if Identity::parse(text.as_bytes()).is_some() {
            return Some(SpiffeId { id: text });
        }
        let fix = if text.contains('*') {
            "identities have no wildcards: say `namespace`, `any`, or list them"
        } else {
            "write `spiffe://TRUST-DOMAIN/path`, as `spiffe://cluster.local/ns/payments/sa/checkout`"
        };
        findings.error(code::IDENTITY, format!("`{}` is no SPIFFE ID", &*text), fix.to_owned())
    }
}

/// A trust domain: `[a-z0-9._-]+`, at most 255 bytes.
#[derive(Debug)]
pub(super) struct TrustDomain<'a>(pub(super) Text<'a>);

impl<'de> Shape<'de> for TrustDomain<'de> {
    const EXPECTED: &'static str = "a trust domain";

    fn text(text: Text<'de>, findings: &mut Findings<'de>) -> Option<Self> {
        let good = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        if (1..=255).contains(&text.len()) && text.bytes().all(good) {
            return Some(TrustDomain(text));
        }
        let fix = "use `a-z`, `0-9`, `.`, `_` and `-`, as in `cluster.local`";
        findings.error(code::IDENTITY, format!("`{}` is no trust domain", &*text), fix.to_owned())
    }
}

/// A namespace: one segment of a SPIFFE ID's path.
#[derive(Debug)]
pub(super) struct WorkloadPart<'a>(pub(super) Text<'a>);

impl<'de> Shape<'de> for WorkloadPart<'de> {
    const EXPECTED: &'static str = "a namespace";

    fn text(text: Text<'de>, findings: &mut Findings<'de>) -> Option<Self> {
        if is_segment(&text) {
            return Some(WorkloadPart(text));
        }
        findings.error(code::IDENTITY, format!("`{}` is no namespace", &*text), no_wildcards(&text))
    }
}

/// `namespace/name`.
#[derive(Debug)]
pub(super) struct ServiceAccount<'a>(Text<'a>);

impl ServiceAccount<'_> {
    /// The tail that a SPIFFE ID of this service account has: `NS/sa/NAME`.
    pub(super) fn key<'b>(&self, buffer: &'b mut String) -> &'b str {
        let (namespace, name) = split(&self.0).unwrap_or_default();
        buffer.clear();
        for part in [namespace, "/sa/", name] {
            buffer.push_str(part);
        }
        buffer
    }
}

/// Splits a text at its first slash. Quicker here than the standard search, which is made for
/// longer texts.
fn split(text: &str) -> Option<(&str, &str)> {
    let slash = text.bytes().position(|byte| byte == b'/')?;
    Some((text.get(..slash)?, text.get(slash.checked_add(1)?..)?))
}

impl<'de> Shape<'de> for ServiceAccount<'de> {
    const EXPECTED: &'static str = "a service account";

    fn text(text: Text<'de>, findings: &mut Findings<'de>) -> Option<Self> {
        if split(&text).is_some_and(|(namespace, name)| is_segment(namespace) && is_segment(name)) {
            return Some(ServiceAccount(text));
        }
        let fix = no_wildcards(&text).or_else(|| Some("write `NAMESPACE/NAME`".to_owned()));
        findings.error(code::IDENTITY, format!("`{}` is no service account", &*text), fix)
    }
}

fn no_wildcards(text: &str) -> Option<String> {
    text.contains('*').then(|| "identities have no wildcards: say `namespace`, `any`, or list them".to_owned())
}

fn is_segment(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_segment_byte) && !matches!(text, "." | "..")
}

fn is_segment_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// Headers by which requests are told apart.
const FRAMING: [&str; 6] = ["host", "content-length", "transfer-encoding", "connection", "te", "upgrade"];

/// A header name to remove, or all that begin so: `x-internal-token`, `x-envoy-*`.
#[derive(Debug)]
pub(super) struct HeaderToRemove {
    pub(super) name: HeaderName,
    /// As it was written, in lower case.
    pub(super) written: String,
    /// Position in its list.
    pub(super) item: usize,
}

impl<'de> Shape<'de> for HeaderToRemove {
    const EXPECTED: &'static str = "a header name";

    fn text(text: Text<'de>, findings: &mut Findings<'de>) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        // servers that read `_` and `-` alike take either for the other
        let plain = lower.replace('_', "-");
        let (stem, prefix) = match plain.strip_suffix('*') {
            Some(stem) => (stem, true),
            None => (&*plain, false),
        };
        // RFC 9110 §5.6.2: a token
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'+-.^_`|~".contains(&byte);
        if stem.is_empty() || !stem.bytes().all(is_token) {
            return findings.error(code::VALUE, format!("`{}` is no header name", &*text), None);
        }
        let is_taken = |header: &&&str| if prefix { header.starts_with(stem) } else { **header == stem };
        if let Some(header) = FRAMING.iter().find(is_taken) {
            let message = format!("`{header}` is part of the request's framing");
            return findings.error(code::VALUE, message, "name headers that requests can do without".to_owned());
        }
        let stem = stem.to_owned();
        let name = if prefix { HeaderName::Prefix(stem) } else { HeaderName::Exact(stem) };
        Some(HeaderToRemove { name, written: lower, item: findings.item() })
    }
}

/// Most gateway pods that there will be.
#[derive(Debug)]
pub(super) struct Replicas(pub(super) NonZeroU32);

impl<'de> Shape<'de> for Replicas {
    const EXPECTED: &'static str = "a number of pods";

    fn number(number: u64, findings: &mut Findings<'de>) -> Option<Self> {
        match u32::try_from(number).ok().and_then(NonZeroU32::new) {
            Some(pods) => Some(Replicas(pods)),
            None => findings.error(
                code::VALUE,
                format!("`{number}` is no number of pods"),
                "there is at least 1".to_owned(),
            ),
        }
    }
}

/// A tripwire's secret: at least 16 of `[A-Za-z0-9_-]`.
#[derive(Debug)]
pub(super) struct Secret<'a>(pub(super) Text<'a>);

impl<'de> Shape<'de> for Secret<'de> {
    const EXPECTED: &'static str = "a secret";

    fn text(text: Text<'de>, findings: &mut Findings<'de>) -> Option<Self> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if text.len() >= 16 && text.bytes().all(good) {
            return Some(Secret(text));
        }
        // the value itself is not repeated: findings are logged
        let fix = "use at least 16 of `A-Z`, `a-z`, `0-9`, `_` and `-`";
        findings.error(code::VALUE, "the value is no secret", fix.to_owned())
    }
}
