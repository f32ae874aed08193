//! Upgrades as Envoy reads them: only `connection: upgrade` makes `upgrade` one (RFC 9110 §7.8), and `h2c` never is.

/// The fate of the `upgrade` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upgrading {
    /// The filter sees it, if there is one.
    Kept,
    /// It is removed, and an ordinary request is left.
    Dropped,
    /// Envoy refuses the request (403).
    Refused,
}

/// Reads the headers of a request.
pub(super) fn of<'h>(headers: impl Iterator<Item = (&'h [u8], &'h [u8])> + Clone) -> Upgrading {
    let values = |wanted: &'static str| {
        headers.clone().filter(move |(name, _)| name.eq_ignore_ascii_case(wanted.as_bytes())).map(|(_, value)| value)
    };
    // several headers of the name are one with commas
    let protocols: Vec<&[u8]> = values("upgrade").collect();
    let protocol = protocols.join(&b","[..]);
    if protocols.is_empty() {
        return Upgrading::Kept;
    }
    let mut tokens = values("connection").flat_map(|value| value.split(|byte| *byte == b','));
    if !tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade")) || protocol.eq_ignore_ascii_case(b"h2c")
    {
        return Upgrading::Dropped;
    }
    if protocol.eq_ignore_ascii_case(b"websocket") { Upgrading::Kept } else { Upgrading::Refused }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(headers: &[(&'static str, &'static str)]) -> Upgrading {
        of(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
    }

    #[test]
    fn only_a_connection_that_names_it_makes_an_upgrade() {
        let websocket = ("Upgrade", "WebSocket");
        assert_eq!(seen(&[]), Upgrading::Kept);
        assert_eq!(seen(&[websocket]), Upgrading::Dropped);
        assert_eq!(seen(&[websocket, ("connection", "keep-alive")]), Upgrading::Dropped);
        assert_eq!(seen(&[websocket, ("connection", "keep-alive, UPGRADE")]), Upgrading::Kept);
        assert_eq!(seen(&[websocket, ("connection", "keep-alive"), ("Connection", "upgrade")]), Upgrading::Kept);
        assert_eq!(seen(&[("upgrade", "h2c"), ("connection", "upgrade")]), Upgrading::Dropped);
        assert_eq!(seen(&[("upgrade", "TLS/1.2"), ("connection", "upgrade")]), Upgrading::Refused);
        assert_eq!(seen(&[websocket, websocket, ("connection", "upgrade")]), Upgrading::Refused);
    }
}
