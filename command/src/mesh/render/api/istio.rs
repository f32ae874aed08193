//! Istio's own API: Gateway and VirtualService.

use super::GatewayApi;
use crate::mesh::render::carried::{CONNECTIONS, listeners_of_connections, nowhere_host, out_of_workload};
use crate::mesh::render::object::{LISTENER, Maker, Object, ObjectKind, ObjectPart, insert};
use crate::mesh::render::rest::anchor_host;
use crate::mesh::render::routed::{NamedPort, PortWay, RoutedHost, cluster_name};
use crate::mesh::render::way::DynamicWay;
use crate::mesh::site::Gateway;
use serde_json::{Value, json};

#[derive(Debug)]
pub(super) struct IstioApi;

impl GatewayApi for IstioApi {
    fn attach(&self, gateway: &Gateway, spec: &mut Value) {
        insert(spec, "selector", json!({"matchLabels": gateway.selector}));
    }

    fn listener(&self, maker: &Maker<'_>) -> Object {
        let gateway = maker.gateway;
        maker.object(
            ObjectPart::Gateway,
            ObjectKind::Gateway,
            &gateway.name,
            json!({
                "selector": gateway.selector,
                "servers": [{
                    "port": {"number": gateway.ports.http, "name": LISTENER, "protocol": "HTTPS"},
                    // routes of the gateway's own namespace alone
                    "hosts": ["./*"],
                    "tls": {"mode": "ISTIO_MUTUAL"},
                }],
            }),
        )
    }

    fn entrance_of_connections(&self, maker: &Maker<'_>) -> Vec<Object> {
        let name = maker.name(CONNECTIONS);
        let server = |(listener, port): (&str, u16)| {
            json!({
                "port": {"number": port, "name": listener, "protocol": "TLS"},
                "hosts": ["./*"],
                "tls": {"mode": "ISTIO_MUTUAL"},
            })
        };
        let listeners = || listeners_of_connections(maker.gateway);
        let servers: Vec<Value> = listeners().map(server).collect();
        let gateway = json!({"selector": maker.gateway.selector, "servers": servers});
        let destination = json!({"host": nowhere_host(maker), "port": {"number": 443}});
        let to_nowhere = |(_, port): (&str, u16)| json!({"match": [{"gateways": [name], "port": port}], "route": [{"destination": destination}]});
        let routes: Vec<Value> = listeners().map(to_nowhere).collect();
        let route = json!({
            "hosts": ["*"],
            "exportTo": ["."],
            "gateways": [name],
            "tcp": routes,
        });
        let object = |kind, spec| maker.object(ObjectPart::Gateway, kind, &name, spec);
        vec![object(ObjectKind::Gateway, gateway), object(ObjectKind::VirtualService, route)]
    }

    fn routes(&self, host: &RoutedHost<'_>) -> Vec<Object> {
        let gateway = host.maker.gateway;
        let destination = |to: &str, port: u16| json!([{"destination": {"host": to, "port": {"number": port}}}]);
        // once is once: what is charged to a quota is sent once
        let never = json!({"attempts": 0});
        let into_gateway = |way: &PortWay| {
            let mut route = json!({
                "name": format!("to-gateway-{}", way.mesh),
                "match": [{"gateways": ["mesh"], "port": way.mesh}],
                "route": destination(&gateway.service, gateway.ports.http),
                "retries": never,
            });
            if way.named == NamedPort::Added {
                insert(&mut route, "rewrite", json!({"authority": format!("{}:{}", host.host, way.upstream)}));
            }
            route
        };
        let out_of_gateway = |way: &PortWay| {
            let mut route = json!({
                "name": cluster_name(way.upstream, host.host),
                "match": [{"gateways": [gateway.name], "authority": {"regex": way.authority()}}],
                "headers": {"request": {"remove": host.strip}},
                "route": destination(host.host, way.mesh),
                "retries": never,
            });
            if way.named == NamedPort::Added {
                insert(&mut route, "rewrite", json!({"authority": host.host}));
            }
            route
        };
        let routes: Vec<Value> =
            host.ways.iter().map(into_gateway).chain(host.ways.iter().map(out_of_gateway)).collect();
        let mut spec = json!({"hosts": [host.host], "exportTo": host.exported, "gateways": ["mesh"]});
        if !routes.is_empty() {
            insert(&mut spec, "gateways", json!(["mesh", gateway.name]));
            insert(&mut spec, "http", routes.into());
        }
        for (key, routes) in out_of_workload(host) {
            insert(&mut spec, key, routes);
        }
        vec![host.object(ObjectKind::VirtualService, spec)]
    }

    fn route_of(&self, host: &RoutedHost<'_>, _: usize, way: &PortWay) -> String {
        cluster_name(way.upstream, host.host)
    }

    fn route_of_any(&self, maker: &Maker<'_>, ways: &[DynamicWay], strip: &[String]) -> Object {
        let gateway = maker.gateway;
        let host = anchor_host(maker);
        let route = |way: &DynamicWay| {
            let mut route = json!({
                "name": way.name,
                "headers": {"request": {"remove": strip}},
                "route": [{"destination": {"host": host, "port": {"number": 80}}}],
                "retries": {"attempts": 0},
            });
            if let Some(authority) = &way.authority {
                insert(&mut route, "match", json!([{"authority": {"regex": authority}}]));
            }
            route
        };
        let spec = json!({
            "hosts": ["*"],
            "exportTo": ["."],
            "gateways": [gateway.name],
            "http": ways.iter().map(route).collect::<Vec<_>>(),
        });
        maker.object(ObjectPart::Dynamic, ObjectKind::VirtualService, &maker.name("any"), spec)
    }

    fn name_of_any(&self, _: &Maker<'_>, _: usize, way: &DynamicWay) -> String {
        way.name.to_owned()
    }

    fn configurations(&self, gateway: &Gateway) -> Vec<String> {
        vec![format!("{}/{}", gateway.namespace, gateway.name)]
    }

    fn route_configuration(&self, gateway: &Gateway) -> String {
        format!("https.{}.{LISTENER}.{}.{}", gateway.ports.http, gateway.name, gateway.namespace)
    }

    fn filter_resource(&self, gateway: &Gateway) -> String {
        let Gateway { namespace, name, .. } = gateway;
        // Istio makes the newer of the two objects of a WasmPlugin
        format!("extensions.istio.io/trafficextension/{namespace}.{name}~istio-translated-wasmplugin")
    }

    fn retries_unasked(&self) -> bool {
        false
    }

    fn removes_any_number(&self) -> bool {
        true
    }

    fn has_traffic_extensions(&self) -> bool {
        false
    }

    fn leaves_pods_to_others(&self) -> bool {
        true
    }
}
