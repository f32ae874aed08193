//! The entrance of the mesh's traffic: a port that ends the mesh's mTLS, so that callers have an identity.

use super::api;
use super::envoy_filter::filters;
use super::object::{Maker, Object, ObjectKind, ObjectPart};
use super::patches::PROVIDER;
use crate::analysis::advice::{Advice, code};
use crate::mesh::site::Permission;
use serde_json::json;

pub(super) fn objects(maker: &Maker<'_>, strip: &[String], advice: &mut Advice) -> Vec<Object> {
    let gateway = maker.gateway;
    let listener = api::of(maker.gateway).listener(maker);
    let to_gateway = maker.object(
        ObjectPart::Gateway,
        ObjectKind::DestinationRule,
        &gateway.name,
        json!({
            "host": gateway.service,
            "trafficPolicy": {
                "portLevelSettings": [{
                    "port": {"number": gateway.ports.http},
                    // gRPC stays HTTP/2 on its way to the gateway
                    "connectionPool": {"http": {"useClientProtocol": true}},
                    "tls": {"mode": "ISTIO_MUTUAL"},
                }],
            },
        }),
    );
    let mut logging = json!({"accessLogging": [{"providers": [{"name": PROVIDER}]}]});
    api::of(maker.gateway).attach(gateway, &mut logging);
    let logging = maker.object(ObjectPart::Gateway, ObjectKind::Telemetry, &gateway.name, logging);
    [listener, to_gateway, logging].into_iter().chain(once(maker, strip, advice)).collect()
}

/// Has what was decided about and charged once be sent once. Istio's own routes say so themselves; those of the Gateway API cannot,
/// and get Istio's default of two retries, nor can they take more than sixteen headers away.
fn once(maker: &Maker<'_>, strip: &[String], advice: &mut Advice) -> Option<Object> {
    if !api::of(maker.gateway).retries_unasked() {
        return None;
    }
    if maker.gateway.envoy_filter == Permission::Forbidden {
        let message = "the gateway sends some requests again that failed, and quotas count them once".to_owned();
        let fix = "allow EnvoyFilter, or set `defaultHttpRetryPolicy: {attempts: 0}` in the MeshConfig".to_owned();
        advice.add(code::RETRIES, String::new(), message, fix);
        return None;
    }
    // a number cannot be merged down to 0; what is retried only if a response has headers of an empty list never is
    let never =
        json!({"route": {"retry_policy": {"retry_on": "retriable-headers"}}, "request_headers_to_remove": strip});
    let patch = json!({
        "applyTo": "HTTP_ROUTE",
        "match": {"context": "GATEWAY", "routeConfiguration": {"vhost": {"route": {"action": "ROUTE"}}}},
        "patch": {"operation": "MERGE", "value": never},
    });
    Some(filters(maker, "once", ObjectPart::Gateway, 5, vec![patch]))
}
