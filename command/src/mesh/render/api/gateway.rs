//! The Gateway API of Kubernetes: Gateway and HTTPRoute.

use super::{GatewayApi, MOST_OF_A_RULE};
use crate::mesh::render::carried::{CONNECTIONS, listeners_of_connections, nowhere_host, out_of_workload};
use crate::mesh::render::object::{LISTENER, Maker, Object, ObjectKind, ObjectPart, insert};
use crate::mesh::render::proxy_config::proxy_config;
use crate::mesh::render::rest::anchor_host;
use crate::mesh::render::routed::{NamedPort, PortWay, RoutedHost, name};
use crate::mesh::render::way::DynamicWay;
use crate::mesh::site::Gateway;
use serde_json::{Value, json};

#[derive(Debug)]
pub(super) struct KubernetesApi;

impl GatewayApi for KubernetesApi {
    fn attach(&self, gateway: &Gateway, spec: &mut Value) {
        let gateway = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": gateway.name});
        insert(spec, "targetRefs", json!([gateway]));
    }

    fn listener(&self, maker: &Maker<'_>) -> Object {
        let gateway = maker.gateway;
        let annotations = json!({"proxy.istio.io/config": proxy_config(gateway)});
        let listener = |name: &str, port: u16, protocol: &str| {
            json!({
                "name": name,
                "port": port,
                "protocol": protocol,
                "tls": {"mode": "Terminate", "options": {"gateway.istio.io/tls-terminate-mode": "ISTIO_MUTUAL"}},
                "allowedRoutes": {"namespaces": {"from": "Same"}},
            })
        };
        let of_connections = listeners_of_connections(gateway).map(|(name, port)| listener(name, port, "TLS"));
        let listeners: Vec<Value> =
            std::iter::once(listener(LISTENER, gateway.ports.http, "HTTPS")).chain(of_connections).collect();
        let mut object = maker.object(
            ObjectPart::Gateway,
            ObjectKind::KubernetesGateway,
            &gateway.name,
            json!({
                "gatewayClassName": "istio",
                "infrastructure": {"annotations": annotations},
                "listeners": listeners,
            }),
        );
        // without it Istio asks the cloud for an address on the outside
        if let Some(metadata) = object.value.get_mut("metadata") {
            insert(metadata, "annotations", json!({"networking.istio.io/service-type": "ClusterIP"}));
        }
        object
    }

    fn entrance_of_connections(&self, maker: &Maker<'_>) -> Vec<Object> {
        let parent = |(listener, _)| json!({"name": maker.gateway.name, "sectionName": listener});
        let parents: Vec<Value> = listeners_of_connections(maker.gateway).map(parent).collect();
        let to = json!({"group": "networking.istio.io", "kind": "Hostname", "name": nowhere_host(maker), "port": 443});
        let spec = json!({
            "parentRefs": parents,
            "rules": [{"backendRefs": [to]}],
        });
        vec![maker.object(ObjectPart::Gateway, ObjectKind::TcpRoute, &maker.name(CONNECTIONS), spec)]
    }

    fn routes(&self, host: &RoutedHost<'_>) -> Vec<Object> {
        let gateway = host.maker.gateway;
        let into_gateway = |way: &PortWay| {
            let mut rule = json!({"backendRefs": [{"name": gateway.service_name(), "port": gateway.ports.http}]});
            if way.named == NamedPort::Added {
                let authority = format!("{}:{}", host.host, way.upstream);
                let set = json!({"set": [{"name": "Host", "value": authority}]});
                let filter = json!({"type": "RequestHeaderModifier", "requestHeaderModifier": set});
                insert(&mut rule, "filters", json!([filter]));
            }
            let parent = json!({
                "group": "networking.istio.io", "kind": "ServiceEntry", "name": host.name, "port": way.mesh,
            });
            let name = name(&format!("{}-mesh-{}", gateway.name, way.mesh), host.host);
            host.maker.object(
                ObjectPart::Routes,
                ObjectKind::HttpRoute,
                &name,
                json!({"parentRefs": [parent], "rules": [rule]}),
            )
        };
        let removed: Vec<&String> = host.strip.iter().take(MOST_OF_A_RULE).collect();
        let out_of_gateway = |way: &PortWay| {
            let mut filters =
                vec![json!({"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": removed}})];
            if way.named == NamedPort::Added {
                filters.push(json!({"type": "URLRewrite", "urlRewrite": {"hostname": host.host}}));
            }
            json!({
                "matches": [{"headers": [{"type": "RegularExpression", "name": "Host", "value": way.authority()}]}],
                "filters": filters,
                "backendRefs": [{"group": "networking.istio.io", "kind": "Hostname", "name": host.host, "port": way.mesh}],
            })
        };
        let out = json!({
            "parentRefs": [{"name": gateway.name}],
            "hostnames": [host.host],
            "rules": host.ways.iter().map(out_of_gateway).collect::<Vec<_>>(),
        });
        let mut objects: Vec<Object> = host.ways.iter().map(into_gateway).collect();
        if !host.ways.is_empty() {
            objects.push(host.object(ObjectKind::HttpRoute, out));
        }
        objects.extend(out_of_workload_by_istio(host));
        objects
    }

    fn route_of(&self, host: &RoutedHost<'_>, number: usize, _: &PortWay) -> String {
        format!("{}.{}.{number}", host.maker.gateway.namespace, host.name)
    }

    fn route_of_any(&self, maker: &Maker<'_>, ways: &[DynamicWay], strip: &[String]) -> Object {
        let gateway = maker.gateway;
        let host = anchor_host(maker);
        let removed: Vec<&String> = strip.iter().take(MOST_OF_A_RULE).collect();
        let rule = |way: &DynamicWay| {
            let mut rule = json!({
                "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": removed}}],
                "backendRefs": [{"group": "networking.istio.io", "kind": "Hostname", "name": host, "port": 80}],
            });
            if let Some(authority) = &way.authority {
                let header = json!({"type": "RegularExpression", "name": "Host", "value": authority});
                insert(&mut rule, "matches", json!([{"headers": [header]}]));
            }
            rule
        };
        let spec = json!({
            "parentRefs": [{"name": gateway.name}],
            "rules": ways.iter().map(rule).collect::<Vec<_>>(),
        });
        maker.object(ObjectPart::Dynamic, ObjectKind::HttpRoute, &maker.name("any"), spec)
    }

    fn name_of_any(&self, maker: &Maker<'_>, number: usize, _: &DynamicWay) -> String {
        format!("{}.{}.{number}", maker.gateway.namespace, maker.name("any"))
    }

    fn configurations(&self, gateway: &Gateway) -> Vec<String> {
        let Gateway { namespace, name, .. } = gateway;
        ["~", "-"].map(|by| format!("{namespace}/{name}{by}istio-autogenerated-k8s-gateway{by}{LISTENER}")).into()
    }

    fn route_configuration(&self, gateway: &Gateway) -> String {
        let Gateway { namespace, name, ports, .. } = gateway;
        format!("https.{}.default.{name}~istio-autogenerated-k8s-gateway~{LISTENER}.{namespace}", ports.http)
    }

    fn filter_resource(&self, gateway: &Gateway) -> String {
        format!("extensions.istio.io/trafficextension/{}.{}", gateway.namespace, gateway.name)
    }

    fn retries_unasked(&self) -> bool {
        true
    }

    fn removes_any_number(&self) -> bool {
        false
    }

    fn has_traffic_extensions(&self) -> bool {
        true
    }

    fn leaves_pods_to_others(&self) -> bool {
        false
    }
}

/// Istio's own route out of a workload: those of the Gateway API name no subset, and the server name is one's.
fn out_of_workload_by_istio(host: &RoutedHost<'_>) -> Option<Object> {
    let routes = out_of_workload(host);
    let mut spec = json!({"hosts": [host.host], "exportTo": host.exported, "gateways": ["mesh"]});
    let is_any = !routes.is_empty();
    for (key, routes) in routes {
        insert(&mut spec, key, routes);
    }
    is_any.then(|| host.object(ObjectKind::VirtualService, spec))
}
