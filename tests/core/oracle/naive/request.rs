//! Canonical form of a request, defined a second time: lists of labels, segments and tokens.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A canonical host.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    Name(Vec<String>),
    Address(IpAddr),
}

/// Host and named port of `:authority`.
pub fn authority(bytes: &[u8]) -> Option<(Place, Option<u16>)> {
    let text = str::from_utf8(bytes).ok()?;
    let (host, port) = match text.find(']') {
        Some(end) => (&text[..=end], &text[end + 1..]),
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port = match port.strip_prefix(':') {
        Some(digits) => Some(self::port(digits)?),
        None if port.is_empty() => None,
        None => return None,
    };
    let place = match host.strip_prefix('[') {
        Some(rest) => Place::Address(unmapped(rest.strip_suffix(']')?.parse().ok()?)),
        None => name(host)?,
    };
    Some((place, port))
}

/// A decimal is a port if it is spelled as it would be printed.
fn port(digits: &str) -> Option<u16> {
    let port: u16 = digits.parse().ok()?;
    (port > 0 && port.to_string() == digits).then_some(port)
}

pub fn unmapped(address: Ipv6Addr) -> IpAddr {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xFFFF, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        _ => IpAddr::V6(address),
    }
}

fn name(text: &str) -> Option<Place> {
    let text = text.to_ascii_lowercase();
    let text = text.strip_suffix('.').unwrap_or(&text);
    let labels: Vec<String> = text.split('.').map(str::to_owned).collect();
    let good = |label: &String| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text.len() > 253 || !labels.iter().all(good) {
        return None;
    }
    let last = labels.last()?;
    if last.chars().all(|c| c.is_ascii_digit()) || last.starts_with("0x") {
        let address: Ipv4Addr = text.parse().ok()?;
        return (address.to_string() == text).then_some(Place::Address(IpAddr::V4(address)));
    }
    Some(Place::Name(labels))
}

/// The parts of a SPIFFE ID: trust domain and path segments.
pub fn spiffe(id: &[u8]) -> Option<(String, Vec<String>)> {
    let id = str::from_utf8(id).ok()?;
    let mut parts = id.strip_prefix("spiffe://")?.split('/').map(str::to_owned);
    let trust_domain = parts.next()?;
    let segments: Vec<String> = parts.collect();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_' || c == '-';
    let good = (1..=255).contains(&trust_domain.len())
        && trust_domain.chars().all(|c| plain(c) && !c.is_ascii_uppercase())
        && segments.iter().all(|s| !s.is_empty() && s != "." && s != ".." && s.chars().all(plain))
        && id.len() <= 2048;
    good.then_some((trust_domain, segments))
}

/// A byte of a path, as it stands or escaped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Token {
    Plain(u8),
    Escaped(u8),
}

/// A path without its query.
#[derive(Clone, Debug)]
pub struct Path {
    /// Hex digits of escapes in upper case; meaningful unless `ambiguous`.
    pub text: String,
    /// No target with paths knows what it means.
    pub ambiguous: bool,
    /// Only targets with `encodedSlash: data` know.
    pub encoded_slash: bool,
    /// Bytes of the path as it came.
    pub length: usize,
    /// The text that targets with `encodedSlash: key` compare; they compare none else.
    pub key: Option<String>,
}

impl Path {
    /// Too long for costly patterns.
    pub fn is_long(&self) -> bool {
        self.length > 8192
    }

    /// The path if `%2F` were a slash.
    pub fn slashed(&self) -> Path {
        Path { text: self.text.replace("%2F", "/"), ..self.clone() }
    }
}

pub fn path(raw: &[u8]) -> Path {
    let bytes = raw.split(|&byte| byte == b'?').next().unwrap();
    let ambiguous =
        Path { text: String::new(), ambiguous: true, encoded_slash: false, length: bytes.len(), key: key(bytes) };
    let Some(tokens) = tokens(bytes) else {
        return ambiguous;
    };
    let encoded_slash = tokens.contains(&Token::Escaped(b'/'));
    let separated: Vec<Token> =
        tokens.iter().map(|&token| if token == Token::Escaped(b'/') { Token::Plain(b'/') } else { token }).collect();
    if bytes.first() != Some(&b'/') || !canonical(&separated) {
        return ambiguous;
    }
    Path { text: spell(&tokens), ambiguous: false, encoded_slash, length: bytes.len(), key: key(bytes) }
}

/// A path as the key of an object store: canonical but for empty segments, `%2F` and what stands behind `%25`; and however often
/// it is decoded, it leads nowhere else.
fn key(bytes: &[u8]) -> Option<String> {
    let tokens = tokens(bytes).filter(|_| bytes.first() == Some(&b'/'))?;
    let kept = |token: &Token| !matches!(token, Token::Escaped(b'/' | b'%') | Token::Plain(b'/'));
    // The first segment is canonical for itself.
    let slash = |token: &Token| matches!(token, Token::Plain(b'/') | Token::Escaped(b'/'));
    let first: Vec<Token> = tokens[1..].iter().take_while(|token| !slash(token)).copied().collect();
    let is_canonical = canonical(&[&[Token::Plain(b'/')], first.as_slice()].concat());
    if !is_canonical || first.is_empty() && tokens.len() > 1 {
        return None;
    }
    // With something in the place of what a key may hold, it is canonical.
    let replaced: Vec<Token> =
        tokens.iter().map(|token| if kept(token) { *token } else { Token::Plain(b'x') }).collect();
    let whole = [&[Token::Plain(b'/')], replaced.as_slice()].concat();
    let mut rest = bytes;
    let mut decoded = Vec::new();
    while let Some((first, behind)) = rest.split_first() {
        let mut behind = behind;
        if *first != b'%' {
            decoded.push(*first);
        } else {
            while behind.starts_with(b"25") && behind.get(2..4).is_some_and(|next| hex(next).is_some()) {
                behind = &behind[2..];
            }
            decoded.push(hex(&behind[..2])?);
            behind = &behind[2..];
        }
        rest = behind;
    }
    let leads_up = decoded.split(|byte| b"/\\".contains(byte)).any(|segment| {
        let before = segment.split(|byte| *byte == b';').next().unwrap();
        before == b"." || before == b".."
    });
    (canonical(&whole) && !leads_up).then(|| spell(&tokens))
}

/// `None` where a `%` begins no escape.
pub fn tokens(bytes: &[u8]) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'%' {
            tokens.push(Token::Plain(bytes[at]));
            at += 1;
            continue;
        }
        tokens.push(Token::Escaped(hex(bytes.get(at + 1..at + 3)?)?));
        at += 3;
    }
    Some(tokens)
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digits = str::from_utf8(digits).ok()?;
    if !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    u8::from_str_radix(digits, 16).ok()
}

pub fn spell(tokens: &[Token]) -> String {
    let spell = |token: &Token| match *token {
        Token::Plain(byte) => char::from(byte).to_string(),
        Token::Escaped(byte) => format!("%{byte:02X}"),
    };
    tokens.iter().map(spell).collect()
}

fn canonical(tokens: &[Token]) -> bool {
    let forbidden =
        |byte: u8| byte < 0x20 || byte == 0x7F || b"/\\-._~".contains(&byte) || byte.is_ascii_alphanumeric();
    for (at, token) in tokens.iter().enumerate() {
        let good = match *token {
            Token::Plain(byte) => (0x21..=0x7E).contains(&byte) && byte != b'\\' && byte != b'#',
            Token::Escaped(b'%') => match tokens.get(at + 1..at + 3) {
                Some(&[Token::Plain(high), Token::Plain(low)]) => !hex(&[high, low]).is_some_and(forbidden),
                _ => true,
            },
            Token::Escaped(byte) => !forbidden(byte),
        };
        if !good {
            return false;
        }
    }
    // Each run of escapes from %80 up, for itself.
    let high = |token: &Token| match *token {
        Token::Escaped(byte) if byte >= 0x80 => Some(byte),
        _ => None,
    };
    for run in tokens.split(|token| high(token).is_none()) {
        let bytes: Vec<u8> = run.iter().filter_map(high).collect();
        if String::from_utf8(bytes).is_err() {
            return false;
        }
    }
    let segments: Vec<&[Token]> = tokens.split(|token| *token == Token::Plain(b'/')).skip(1).collect();
    let semicolon = |token: &Token| matches!(token, Token::Plain(b';') | Token::Escaped(b';'));
    let dots = |segment: &&[Token]| {
        let before = segment.split(semicolon).next().unwrap();
        matches!(before, [Token::Plain(b'.')] | [Token::Plain(b'.'), Token::Plain(b'.')])
    };
    let empty = segments.iter().rev().skip(1).any(|segment| segment.is_empty());
    !empty && !segments.iter().any(dots)
}
