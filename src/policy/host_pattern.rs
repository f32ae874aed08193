//! Host patterns as they are written, and what to write instead of those that are none.

use super::decode::{Shape, Text};
use super::finding::{Findings, code};
use crate::model::{HostPattern, StarName};
use crate::request::{NameError, check_name};
use std::borrow::Cow;

impl<'de> Shape<'de> for HostPattern<'de> {
    const EXPECTED: &'static str = "a host";

    fn text(text: Text<'de>, findings: &mut Findings<'de>) -> Option<Self> {
        match parse(text.0) {
            Ok(pattern) => Some(pattern),
            Err((message, fix)) => findings.error(code::HOST, message, fix),
        }
    }
}

/// The reason why something is no host pattern, and what to write instead.
pub(super) type Bad = (String, Option<String>);

fn parse(text: Cow<'_, str>) -> Result<HostPattern<'_>, Bad> {
    if &*text == "**" {
        return Ok(HostPattern::All);
    }
    let canonical = canonical(text);
    if let Some(rest) = strip(&canonical, "**.") {
        return Ok(HostPattern::Many(name(rest, &canonical)?));
    }
    if let Some(rest) = strip(&canonical, "*.") {
        return Ok(HostPattern::One(name(rest, &canonical)?));
    }
    match check_name(canonical.as_bytes()) {
        Ok(_) => Ok(HostPattern::Exact(canonical)),
        Err(error) if canonical.contains('*') => star_name(canonical, error),
        Err(error) => Err(explain(&canonical, error)),
    }
}

/// A name with one `*` inside: with a letter in place of the `*` it is a name.
fn star_name(canonical: Cow<'_, str>, error: NameError) -> Result<HostPattern<'_>, Bad> {
    let filled = canonical.replace('*', "a");
    match check_name(filled.as_bytes()) {
        Ok(_) => match StarName::new(canonical.clone()) {
            Some(name) => Ok(HostPattern::Star(name)),
            None => Err(explain(&canonical, error)),
        },
        Err(error) if StarName::new(Cow::Borrowed(&canonical)).is_some() => Err(explain_star(&canonical, error)),
        Err(_) => Err(explain(&canonical, error)),
    }
}

/// Reads a host pattern.
///
/// # Errors
/// What is no host pattern: why, and what to write instead.
pub fn host_pattern(text: &str) -> Result<HostPattern<'_>, (String, Option<String>)> {
    parse(Cow::Borrowed(text))
}

/// Returns the spelling in which a host pattern is compared: lower case, without a dot at the end.
///
/// # Errors
/// What is no host pattern: why, and what to write instead.
pub fn host_spelling(text: &str) -> Result<String, (String, Option<String>)> {
    host_pattern(text).map(|pattern| pattern.to_string())
}

/// Lower case, without one trailing dot; borrowed where the text is so already.
fn canonical(text: Cow<'_, str>) -> Cow<'_, str> {
    let text =
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) { Cow::Owned(text.to_ascii_lowercase()) } else { text };
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.strip_suffix('.').unwrap_or(text)),
        Cow::Owned(mut text) => {
            if text.ends_with('.') {
                text.pop();
            }
            Cow::Owned(text)
        }
    }
}

fn strip<'a>(text: &Cow<'a, str>, prefix: &str) -> Option<Cow<'a, str>> {
    match text {
        Cow::Borrowed(text) => text.strip_prefix(prefix).map(Cow::Borrowed),
        Cow::Owned(text) => text.strip_prefix(prefix).map(|rest| Cow::Owned(rest.to_owned())),
    }
}

/// The name behind a wildcard.
fn name<'a>(name: Cow<'a, str>, pattern: &str) -> Result<Cow<'a, str>, Bad> {
    match check_name(name.as_bytes()) {
        Ok(_) => Ok(name),
        Err(error) if name.contains('*') => Err(explain(pattern, error)),
        Err(error) => Err(explain(&name, error)),
    }
}

/// Explains what is wrong with a pattern, in the words of somebody who wrote something else into the field.
fn explain(name: &str, error: NameError) -> Bad {
    if name.is_empty() {
        return ("a host is empty".to_owned(), None);
    }
    if name.contains("://") {
        let host = name.split("://").nth(1).and_then(|rest| rest.split(['/', ':']).next()).unwrap_or_default();
        return (format!("`{name}` is a URL, not a host"), Some(format!("write `{host}`")));
    }
    if let Some((host, _)) = name.split_once('/').filter(|(host, rest)| !host.is_empty() && !rest.is_empty()) {
        let cidr = host.parse::<std::net::IpAddr>().is_ok();
        let fix = if cidr {
            "addresses stand in `cidrs`".to_owned()
        } else {
            format!("write `{host}`; paths stand in `paths`")
        };
        return (format!("`{name}` is not a host"), Some(fix));
    }
    if name.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok() {
        return (format!("`{name}` is an IP address"), Some("addresses stand in `cidrs`".to_owned()));
    }
    if name.contains('@') {
        return (format!("`{name}` holds userinfo"), Some("write the host alone".to_owned()));
    }
    if let Some((host, port)) = name.rsplit_once(':')
        && port.bytes().all(|byte| byte.is_ascii_digit())
    {
        return (format!("`{name}` holds a port"), Some(format!("write `{host}` and `ports: [{port}]`")));
    }
    if name.contains('*') {
        return (format!("`*` cannot stand where it does in `{name}`"), Some(wildcard(name)));
    }
    if let Some(below) = name.strip_prefix('.').filter(|below| check_name(below.as_bytes()).is_ok()) {
        return (format!("`{name}` begins with a dot"), Some(apex_and_below(below)));
    }
    if !name.is_ascii() {
        let fix = super::punycode::to_ascii(name).map(|ascii| format!("write `{ascii}`"));
        return (format!("`{name}` is not ASCII"), fix);
    }
    (format!("`{name}` is no host name: {error}"), None)
}

/// Explains why a name with a `*` inside is none for another cause than its `*`.
fn explain_star(name: &str, error: NameError) -> Bad {
    let plain = ["://", "/", "@", ":", "["].iter().all(|sign| !name.contains(sign));
    if plain && name.is_ascii() { (format!("`{name}` is no host name: {error}"), None) } else { explain(name, error) }
}

/// The patterns that come nearest to one with a wildcard where none may be.
fn wildcard(pattern: &str) -> String {
    let is_name = |name: &&str| check_name(name.as_bytes()).is_ok();
    let behind = pattern.trim_start_matches(['*', '.']);
    if let Some(name) = Some(behind).filter(is_name).filter(|name| name.len() < pattern.len()) {
        // `*example.com` and `**example.com`, or `*.*.example.com`
        return match pattern.strip_suffix(name).is_some_and(|stars| stars.ends_with('.')) {
            true => format!("write `\"**.{name}\"`: one or more labels before `{name}`"),
            false => apex_and_below(name),
        };
    }
    match pattern.rsplit_once('*').and_then(|(_, behind)| behind.split_once('.')) {
        Some((_, name)) if is_name(&name) && name.contains('.') => format!(
            "inside a name `*` stands once, for one label or a part of one: list the names, or write `\"**.{name}\"` \
             (one or more labels before `{name}`)"
        ),
        _ => "write `*.example.com` (one label), `**.example.com` (one or more) or `**` (every name); inside a name `*` \
              stands once, for a label or a part of one, and not in the last two (`sts.*.example.com`, `api-*.example.com`)"
            .to_owned(),
    }
}

fn apex_and_below(name: &str) -> String {
    format!("write `{name}` and `\"**.{name}\"`: the name itself, and all below it")
}
