//! APIs by which a gateway is made, and the differences between them.

mod gateway;
mod istio;

use super::object::{Maker, Object};
use super::routed::{PortWay, RoutedHost};
use super::way::DynamicWay;
use crate::mesh::site;
use serde_json::Value;
use std::fmt;

/// One of the APIs. What is rendered whatever the API does not ask for it.
pub(super) trait GatewayApi: fmt::Debug + Sync {
    /// Names the pods that an object is about, in its `spec`.
    fn attach(&self, gateway: &site::Gateway, spec: &mut Value);

    /// The port that ends the mesh's mTLS.
    fn listener(&self, maker: &Maker<'_>) -> Object;

    /// The ports that connections arrive at, with a route that leads nowhere.
    fn entrance_of_connections(&self, maker: &Maker<'_>) -> Vec<Object>;

    /// Routes of a host, out of the workload and out of the gateway.
    fn routes(&self, host: &RoutedHost<'_>) -> Vec<Object>;

    /// Name by which Envoy knows the route out of the gateway for one of a host's ways.
    fn route_of(&self, host: &RoutedHost<'_>, number: usize, way: &PortWay) -> String;

    /// Routes for hosts that no object names; `strip` are headers that end at the gateway.
    fn route_of_any(&self, maker: &Maker<'_>, ways: &[DynamicWay], strip: &[String]) -> Object;

    /// Name by which Envoy knows one of these.
    fn name_of_any(&self, maker: &Maker<'_>, number: usize, way: &DynamicWay) -> String;

    /// Names of the rendered listener's route configuration, as releases of Istio call it.
    fn configurations(&self, gateway: &site::Gateway) -> Vec<String>;

    /// Name of the route configuration that the rendered listener for HTTP asks for.
    fn route_configuration(&self, gateway: &site::Gateway) -> String;

    /// Name by which the filter for HTTP is asked for.
    fn filter_resource(&self, gateway: &site::Gateway) -> String;

    /// Tells an API whose routes cannot say that nothing is sent again.
    fn retries_unasked(&self) -> bool;

    /// Tells an API whose routes take away any number of headers.
    fn removes_any_number(&self) -> bool;

    /// Tells an API with the newer of the two objects that carry a filter.
    fn has_traffic_extensions(&self) -> bool;

    /// Tells an API whose pods somebody else deploys.
    fn leaves_pods_to_others(&self) -> bool;
}

/// Most headers that a rule of the Gateway API removes.
pub(super) const MOST_OF_A_RULE: usize = 16;

/// The API of a gateway.
pub(super) fn of(gateway: &site::Gateway) -> &'static dyn GatewayApi {
    match gateway.api {
        site::Api::Istio => &istio::IstioApi,
        // a waypoint is refused before anything is rendered for it
        site::Api::Gateway | site::Api::Waypoint => &gateway::KubernetesApi,
    }
}
