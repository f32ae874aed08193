//! Filter state that crosses to an internal listener: the caller's identity, and the authority of its CONNECT request. Only
//! these filters set it; no header of a caller does.

use crate::type_url;
use serde_json::{Value, json};

/// The URI in the certificate of the caller. Of several Envoy makes one text with commas, which is no identity.
const PEER: &str = "%DOWNSTREAM_PEER_URI_SAN%";

/// A network filter that passes the caller's identity along (`identity.sources: [peer-principal]` reads it). It stands behind
/// a filter that holds the connection until its handshake is done: before, there is no identity.
pub fn principal() -> Value {
    json!({
        "name": "tollgate.principal",
        "typed_config": {
            "@type": type_url("envoy.extensions.filters.network.set_filter_state.v3.Config"),
            "on_new_connection": [value("io.istio.peer_principal", PEER)],
        },
    })
}

/// An HTTP filter that passes along the identity of a caller and the authority of its CONNECT request. It stands behind the
/// filter that decides about that request.
pub fn tunnel() -> Value {
    json!({
        "name": "tollgate.tunnel",
        "typed_config": {
            "@type": type_url("envoy.extensions.filters.http.set_filter_state.v3.Config"),
            "on_request_headers": [
                value("io.istio.peer_principal", PEER),
                value("tollgate.authority", "%REQ(:AUTHORITY)%"),
            ],
        },
    })
}

/// A route that ends CONNECT requests here, and leads what is in them to a cluster. Their listener takes the upgrade `CONNECT`.
pub fn tunnel_route(cluster: &str) -> Value {
    json!({
        "match": {"connect_matcher": {}},
        "route": {
            "cluster": cluster,
            "timeout": "0s",
            "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}],
        },
    })
}

/// One piece of filter state, not set where it would be empty.
///
/// It is of the kind that takes part in the choice of an upstream connection. A connection to an internal listener that was opened
/// for a caller who has gone waits in its pool with that caller's state: of the other kind of text (`envoy.string`), the next
/// caller would get it, and be taken for the first.
fn value(key: &str, format: &str) -> Value {
    json!({
        "object_key": key,
        "factory_key": "envoy.hashable_string",
        "format_string": {"text_format_source": {"inline_string": format}, "omit_empty_values": true},
        "skip_if_empty": true,
        "read_only": true,
        "shared_with_upstream": "ONCE",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the other kind, a connection in a pool would be the next caller's, with what crossed for the last.
    #[test]
    fn whatever_crosses_takes_part_in_the_choice_of_a_connection() {
        let values =
            [&principal()["typed_config"]["on_new_connection"], &tunnel()["typed_config"]["on_request_headers"]]
                .map(|values| values.as_array().unwrap().clone())
                .concat();
        assert_eq!(values.len(), 3);
        for value in values {
            assert_eq!(
                (&value["factory_key"], &value["shared_with_upstream"]),
                (&"envoy.hashable_string".into(), &"ONCE".into())
            );
        }
    }
}
