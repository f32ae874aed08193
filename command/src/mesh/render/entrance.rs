//! The entrance of the mesh's traffic: a port that ends the mesh's mTLS, so that callers have an identity.

use super::api;
use super::envoy_filter::filters;
use super::object::{Maker, Object, ObjectKind, ObjectPart, insert};
use super::patches::PROVIDER;
use crate::analysis::advice::{Advice, code};
use crate::mesh::site::Permission;
use serde_json::{Value, json};

/// Subsets that one object holds: some 200 bytes each, and an object has 1 MiB at most.
const MOST_SUBSETS: usize = 2_000;

pub(super) fn objects(maker: &Maker<'_>, strip: &[String], subsets: &[Value], advice: &mut Advice) -> Vec<Object> {
    let gateway = maker.gateway;
    let listener = api::of(maker.gateway).listener(maker);
    let mut logging = json!({"accessLogging": [{"providers": [{"name": PROVIDER}]}]});
    api::of(maker.gateway).attach(gateway, &mut logging);
    let logging = maker.object(ObjectPart::Gateway, ObjectKind::Telemetry, &gateway.name, logging);
    let into_gateway = into_gateway(maker, subsets);
    [listener].into_iter().chain(into_gateway).chain([logging]).chain(once(maker, strip, advice)).collect()
}

/// Has sidecars speak the mesh's mTLS to the gateway. Istio takes the subsets of all objects about one host together.
fn into_gateway(maker: &Maker<'_>, subsets: &[Value]) -> Vec<Object> {
    let gateway = maker.gateway;
    let mut settings = vec![json!({
        "port": {"number": gateway.ports.http},
        // gRPC stays HTTP/2 on its way to the gateway
        "connectionPool": {"http": {"useClientProtocol": true}},
        "tls": {"mode": "ISTIO_MUTUAL"},
    })];
    settings.extend(gateway.ports.of_connections().map(|port| {
        let mut setting = json!({"port": {"number": port}, "tls": {"mode": "ISTIO_MUTUAL"}});
        if Some(port) == gateway.ports.all {
            insert(&mut setting, "connectionPool", json!({"http": {"useClientProtocol": true}}));
        }
        setting
    }));
    let policy = json!({"host": gateway.service, "trafficPolicy": {"portLevelSettings": settings}});
    let mut specs: Vec<Value> =
        subsets.chunks(MOST_SUBSETS).map(|subsets| json!({"host": gateway.service, "subsets": subsets})).collect();
    match (specs.first_mut(), &policy) {
        (Some(Value::Object(first)), Value::Object(policy)) => first.extend(policy.clone()),
        _ => specs.push(policy),
    }
    let named = |(number, spec): (usize, Value)| {
        let name = if number == 0 { gateway.name.clone() } else { maker.name(&format!("subsets-{number}")) };
        maker.object(ObjectPart::Gateway, ObjectKind::DestinationRule, &name, spec)
    };
    specs.into_iter().enumerate().map(named).collect()
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
