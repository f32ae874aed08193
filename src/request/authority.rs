//! `:authority`: a canonical host and the port that it names.

use super::host::Host;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str;

/// Length of a DNS name in its textual form, without a trailing dot (RFC 1035 §3.1: 255 octets on the wire).
const MAX_NAME: usize = 253;
/// Length of a label (RFC 1035 §3.1).
const MAX_LABEL: usize = 63;
/// Length of `:65535`.
const MAX_PORT: usize = 6;

/// A canonical authority (RFC 3986 §3.2 without userinfo).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// The host.
    pub host: Host<'a>,
    /// The port, if the authority names one; never 0.
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Reads `:authority`; `None` where it has no canonical host or a port that is none.
    ///
    /// Upper case is lowered and one trailing dot removed, nothing else is repaired. `buffer` holds the host only if
    /// there was upper case.
    pub fn parse(bytes: &'a [u8], buffer: &'a mut Vec<u8>) -> Option<Authority<'a>> {
        let (host, port) = split(bytes)?;
        let host = match host {
            [b'[', address @ .., b']'] => ipv6(address)?,
            name => self::name(name, buffer)?,
        };
        Some(Authority { host, port })
    }
}

/// Separates the port: 1–65535, no sign, no leading zero.
fn split(bytes: &[u8]) -> Option<(&[u8], Option<u16>)> {
    if bytes.ends_with(b"]") {
        return Some((bytes, None));
    }
    // A colon further left stands before no port, and no host holds one outside of brackets.
    let tail = bytes.len().saturating_sub(MAX_PORT);
    let Some(colon) = bytes.iter().skip(tail).rposition(|&byte| byte == b':') else {
        return Some((bytes, None));
    };
    let (host, port) = bytes.split_at_checked(tail.saturating_add(colon))?;
    let digits = str::from_utf8(port.get(1..)?).ok()?;
    // The standard parser takes a sign and zeros in front, so the first digit is looked at here.
    if !digits.starts_with(|first| matches!(first, '1'..='9')) {
        return None;
    }
    Some((host, Some(digits.parse().ok()?)))
}

/// An address out of its brackets. The standard parser knows no zones.
fn ipv6<'a>(address: &[u8]) -> Option<Host<'a>> {
    let address: Ipv6Addr = str::from_utf8(address).ok()?.parse().ok()?;
    Some(Host::Ip(IpAddr::V6(address).to_canonical()))
}

fn name<'a>(name: &'a [u8], buffer: &'a mut Vec<u8>) -> Option<Host<'a>> {
    let name = str::from_utf8(name.strip_suffix(b".").unwrap_or(name)).ok()?;
    match scan(name) {
        Ok(Case::Lower) => Some(Host::Name(name)),
        Ok(Case::Upper(_)) => {
            buffer.clear();
            buffer.extend(name.bytes().map(|byte| byte.to_ascii_lowercase()));
            str::from_utf8(buffer).ok().map(Host::Name)
        }
        Err(NameError::Number) => name.parse::<Ipv4Addr>().ok().map(|address| Host::Ip(IpAddr::V4(address))),
        Err(_) => None,
    }
}

/// Checks a host name that is lower case already and has no trailing dot; returns it as text.
///
/// The rules are those of exact host patterns and of canonical hosts alike: labels of 1–63 letters, digits, `-` and
/// `_`, no `-` at either end of a label, at most 253 bytes, and a last label that no resolver takes for a number.
///
/// # Errors
/// The first rule that the name breaks.
pub fn check_name(lower: &[u8]) -> Result<&str, NameError> {
    let name = str::from_utf8(lower)
        .map_err(|error| NameError::Character(lower.get(error.valid_up_to()).copied().unwrap_or_default()))?;
    match scan(name)? {
        Case::Lower => Ok(name),
        Case::Upper(byte) => Err(NameError::Character(byte)),
    }
}

/// A host that is canonical as it stands; none for anything that would have to be repaired.
pub(super) fn canonical_host(bytes: &[u8]) -> Option<Host<'_>> {
    if let Ok(name) = check_name(bytes) {
        return Some(Host::Name(name));
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let address: IpAddr = text.parse().ok()?;
    (address.to_canonical().to_string() == text).then_some(Host::Ip(address))
}

/// The rule that a host name breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// There is nothing.
    Empty,
    /// More than 253 bytes.
    Long,
    /// Two dots in a row, or one at the start.
    EmptyLabel,
    /// A label of more than 63 bytes.
    LongLabel,
    /// A label that starts with `-`.
    LeadingHyphen,
    /// A label that ends with `-`.
    TrailingHyphen,
    /// A byte other than `a`–`z`, `0`–`9`, `-`, `.` and `_`.
    Character(u8),
    /// A last label that is all digits or starts with `0x`: resolvers take the name for an IPv4 address.
    Number,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            NameError::Empty => f.write_str("it is empty"),
            NameError::Long => write!(f, "it is longer than {MAX_NAME} bytes"),
            NameError::EmptyLabel => f.write_str("a label is empty"),
            NameError::LongLabel => write!(f, "a label is longer than {MAX_LABEL} bytes"),
            NameError::LeadingHyphen => f.write_str("a label starts with `-`"),
            NameError::TrailingHyphen => f.write_str("a label ends with `-`"),
            NameError::Character(byte @ 0x21..=0x7E) => write!(f, "it holds `{}`", char::from(byte)),
            NameError::Character(byte) => write!(f, "it holds the byte 0x{byte:02x}"),
            NameError::Number => f.write_str("its last label is a number, which makes it an IP address"),
        }
    }
}

impl std::error::Error for NameError {}

/// Tells whether a name is canonical as it stands.
enum Case {
    Lower,
    /// It holds this upper-case letter.
    Upper(u8),
}

/// Checks a name label by label; letters of either case pass.
fn scan(name: &str) -> Result<Case, NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > MAX_NAME {
        return Err(NameError::Long);
    }
    let (mut seen, mut last) = (0, &[][..]);
    for label in name.as_bytes().split(|byte| *byte == b'.') {
        seen |= scan_label(label)?;
        last = label;
    }
    if matches!(last, [b'0', b'x' | b'X', ..]) || last.iter().all(u8::is_ascii_digit) {
        return Err(NameError::Number);
    }
    let upper = if seen & UPPER == 0 { None } else { name.bytes().rfind(u8::is_ascii_uppercase) };
    Ok(upper.map_or(Case::Lower, Case::Upper))
}

/// Checks a label; the classes of its bytes.
fn scan_label(label: &[u8]) -> Result<u8, NameError> {
    let class = |byte: u8| CLASS.get(usize::from(byte)).copied().unwrap_or(FOREIGN);
    let seen = label.iter().fold(0, |seen, byte| seen | class(*byte));
    if seen & FOREIGN != 0
        && let Some(byte) = label.iter().find(|byte| class(**byte) == FOREIGN)
    {
        return Err(NameError::Character(*byte));
    }
    match label {
        [] => Err(NameError::EmptyLabel),
        [b'-', ..] => Err(NameError::LeadingHyphen),
        [.., b'-'] => Err(NameError::TrailingHyphen),
        label if label.len() > MAX_LABEL => Err(NameError::LongLabel),
        _ => Ok(seen),
    }
}

/// Upper-case letters.
const UPPER: u8 = 1;
/// A byte that no label holds.
const FOREIGN: u8 = 2;

const CLASS: [u8; 256] = {
    let mut class = [FOREIGN; 256];
    let mut byte = 0x21;
    while byte <= 0x7E_usize {
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
        {
            class[byte] = match byte as u8 {
                b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => 0,
                b'A'..=b'Z' => UPPER,
                _ => FOREIGN,
            };
        }
        byte = byte.saturating_add(1);
    }
    class
};

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(authority: &str) -> Option<(String, Option<u16>)> {
        let mut buffer = b"left over".to_vec();
        let Authority { host, port } = Authority::parse(authority.as_bytes(), &mut buffer)?;
        let host = match host {
            Host::Name(name) => name.to_owned(),
            Host::Ip(IpAddr::V4(address)) => format!("v4 {address}"),
            Host::Ip(IpAddr::V6(address)) => format!("v6 {address}"),
        };
        Some((host, port))
    }

    #[track_caller]
    fn reads(authority: &str, host: &str, port: Option<u16>) {
        assert_eq!(parse(authority), Some((host.to_owned(), port)), "{authority}");
    }

    #[track_caller]
    fn refuses(authorities: &[&str]) {
        for authority in authorities {
            assert_eq!(parse(authority), None, "{authority:?}");
        }
    }

    #[test]
    fn case_and_one_trailing_dot_are_the_only_freedoms_of_a_name() {
        reads("api.example.com", "api.example.com", None);
        reads("API.Example.COM.", "api.example.com", None);
        reads("api.example.com.:8443", "api.example.com", Some(8443));
        reads("localhost", "localhost", None);
        reads("_sip._tcp.example.com", "_sip._tcp.example.com", None);
        refuses(&["", ".", "..", "a..", ".a", "a..b", "-a", "a-", "a.-b", "a-.b"]);
    }

    #[test]
    fn no_other_byte_is_part_of_a_name() {
        for byte in 0..=u8::MAX {
            let allowed = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            let authority = [b'a', byte, b'c', b'.', b'd'];
            assert_eq!(Authority::parse(&authority, &mut Vec::new()).is_some(), allowed, "0x{byte:02x}");
        }
        refuses(&[
            "bücher.example",
            "a.com,b.com",
            "user@a.com",
            "a%2ecom",
            "https://a.com",
            "a.com/",
            "a.com?",
            "a.com#b",
        ]);
    }

    #[test]
    fn labels_have_63_bytes_and_names_253() {
        let label = "a".repeat(63);
        reads(&label, &label, None);
        refuses(&[&"a".repeat(64), &format!("{}.com", "a".repeat(64))]);
        let name = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        assert_eq!(name.len(), 253);
        reads(&format!("{name}.:443"), &name, Some(443));
        refuses(&[&format!("{name}a"), &"a.".repeat(4000)]);
    }

    #[test]
    fn a_port_is_a_decimal_without_sign_or_leading_zero() {
        reads("a.com:1", "a.com", Some(1));
        reads("a.com:65535", "a.com", Some(65535));
        refuses(&[
            "a.com:",
            "a.com:0",
            "a.com:00443",
            "a.com:0443",
            "a.com:+443",
            "a.com:-1",
            "a.com:65536",
            "a.com:99999",
            "a.com:100000",
            "a.com:0x1bb",
            "a.com: 80",
            "a.com:80 ",
            "a.com:443:80",
            "a.com:8\u{664}",
            ":443",
            ":",
            "a:b",
        ]);
    }

    #[test]
    fn a_name_that_ends_in_a_number_is_a_canonical_dotted_quad_or_nothing() {
        reads("127.0.0.1", "v4 127.0.0.1", None);
        reads("169.254.169.254.:80", "v4 169.254.169.254", Some(80));
        reads("1.2.3.4.example", "1.2.3.4.example", None);
        reads("a0x1", "a0x1", None);
        reads("0x1.example", "0x1.example", None);
        refuses(&[
            "2130706433",
            "127.1",
            "0177.0.0.1",
            "127.000.000.001",
            "0x7f.0.0.1",
            "0x7f000001",
            "0X7F000001",
            "a.0x",
            "256.0.0.1",
            "1.2.3.4.5",
            "a.1",
            "1.2.3.4..",
            "1.2.3.0x4",
        ]);
    }

    #[test]
    fn brackets_hold_an_ipv6_address_without_zone() {
        reads("[::1]", "v6 ::1", None);
        reads("[2001:DB8:0::1]:8443", "v6 2001:db8::1", Some(8443));
        reads("[64:ff9b::169.254.169.254]", "v6 64:ff9b::a9fe:a9fe", None);
        refuses(&[
            "::1",
            "::1:443",
            "2001:db8::1",
            "[]",
            "[]:443",
            "[::1",
            "::1]",
            "[[::1]]",
            "[::1]]",
            "[::1].",
            "[::1]a",
            "[::1]:",
            "[::1]:0",
            "[::1]a:80",
            "[fe80::1%25eth0]",
            "[fe80::1%eth0]",
            "[fe80::1%1]",
            "[example.com]",
            "[127.0.0.1]",
            "[::1 ]",
            "[v1.a]",
            "[1:2:3:4:5:6:7:8:9]",
            "[::01.2.3.4]",
        ]);
    }

    #[test]
    fn a_mapped_ipv4_address_is_read_as_ipv4() {
        reads("[::ffff:169.254.169.254]", "v4 169.254.169.254", None);
        reads("[::FFFF:a9fe:a9fe]:80", "v4 169.254.169.254", Some(80));
        reads("[::169.254.169.254]", "v6 ::a9fe:a9fe", None);
    }

    #[test]
    fn a_canonical_name_is_borrowed_and_the_buffer_left_alone() {
        let mut buffer = Vec::new();
        assert!(Authority::parse(b"api.example.com:443", &mut buffer).is_some());
        assert_eq!(buffer.capacity(), 0);
    }

    #[test]
    fn a_bad_name_says_which_rule_it_breaks() {
        let message = |name: &str| check_name(name.as_bytes()).unwrap_err().to_string();
        assert_eq!(check_name(b"localhost"), Ok("localhost"));
        assert_eq!(message(""), "it is empty");
        assert_eq!(message(&"a.".repeat(127)), "it is longer than 253 bytes");
        assert_eq!(message("a..b"), "a label is empty");
        assert_eq!(message("a."), "a label is empty");
        assert_eq!(message(&"a".repeat(64)), "a label is longer than 63 bytes");
        assert_eq!(message("a.-b"), "a label starts with `-`");
        assert_eq!(message("a-.b"), "a label ends with `-`");
        assert_eq!(message("a b"), "it holds the byte 0x20");
        assert_eq!(message("A.com"), "it holds `A`");
        assert_eq!(message("*.com"), "it holds `*`");
        assert_eq!(message("1.2.3.4"), "its last label is a number, which makes it an IP address");
        assert_eq!(check_name(b"ab\xff"), Err(NameError::Character(0xff)));
    }
}
