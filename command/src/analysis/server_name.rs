//! Server names of the mesh's own TLS.

use tollgate::request::Host;

/// The server name by which the mesh's proxies lead a connection to an authority: a plain name where that has no port.
pub(crate) fn leading_to(authority: &[u8]) -> Vec<u8> {
    let port = |colon: usize| Some((authority.get(..colon)?, authority.get(colon.checked_add(1)?..)?));
    match authority.iter().rposition(|byte| *byte == b':').and_then(port) {
        Some((host, port)) if !host.contains(&b':') || host.ends_with(b"]") => {
            let host = host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host);
            [b"outbound_.", port, b"_._.", host].concat()
        }
        _ => authority.to_vec(),
    }
}

/// The server name by which they lead one to this host and port.
pub(crate) fn of_cluster(host: &Host<'_>, port: u16) -> String {
    match host {
        Host::Name(name) => format!("outbound_.{port}_._.{name}"),
        Host::Ip(address) => format!("outbound_.{port}_._.{address}"),
    }
}

#[cfg(test)]
mod tests {
    use super::leading_to;

    #[test]
    fn a_port_becomes_part_of_the_name() {
        for (authority, expected) in [
            ("api.example.com:443", "outbound_.443_._.api.example.com"),
            ("api.example.com", "api.example.com"),
            ("10.0.0.1:5432", "outbound_.5432_._.10.0.0.1"),
            ("[2001:db8::1]:443", "outbound_.443_._.2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
        ] {
            assert_eq!(leading_to(authority.as_bytes()), expected.as_bytes(), "{authority}");
        }
    }
}
