//! Hosts as people write them.

use super::written::text;

/// Advises what to write instead of an invalid host; none if the checker's message says it best.
pub(super) fn fix(word: &str) -> Option<String> {
    let trimmed = word.trim();
    if trimmed != word && !trimmed.is_empty() {
        return Some(format!("write `{}`, without spaces around it", text(trimmed)));
    }
    let host = bare(word);
    if host == word || host.is_empty() || host.parse::<std::net::IpAddr>().is_ok() {
        return None;
    }
    let rest = word.split_once(host).map_or("", |(_, rest)| rest);
    let port = rest.strip_prefix(':').map(|rest| rest.split('/').next().unwrap_or(rest)).filter(|port| is_port(port));
    let path = rest.find('/').and_then(|at| rest.get(at..)).filter(|path| path.len() > 1 && !path.starts_with("//"));
    let mut fix = format!("write `{}`", text(host));
    if let Some(port) = port {
        fix.push_str(&format!(" and `ports: [{port}]`"));
    }
    if let Some(path) = path {
        fix.push_str(&format!(" and `paths: [{}]`", text(path.split(['?', '#']).next().unwrap_or(path))));
    }
    Some(fix)
}

fn is_port(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// The host of a URL, complete or not: `https://a.example.com:443/v1`, `https//a.example.com`, `//a.example.com`.
pub(super) fn bare(word: &str) -> &str {
    let schemes = ["https", "http", "wss", "ws", "grpc", "tcp"];
    let mut rest = word;
    for scheme in schemes {
        if let Some(behind) = rest.strip_prefix(scheme).filter(|behind| behind.starts_with([':', '/'])) {
            // a host of that name has a port, or nothing, behind it
            let address = behind.trim_start_matches([':', '/']);
            if !address.is_empty() && !is_port(address) && behind.starts_with([':', '/']) {
                rest = address;
            }
            break;
        }
    }
    let rest = rest.trim_start_matches('/');
    let rest = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let rest = rest.rsplit('@').next().unwrap_or(rest);
    match rest.rsplit_once(':') {
        Some((host, port)) if is_port(port) && !host.contains(':') => host,
        _ => rest,
    }
}
