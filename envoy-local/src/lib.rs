//! A local egress gateway: real Envoys, a throw-away PKI and an "external" server on loopback, without Docker and
//! without root. The demo, the tests and the benchmarks stand on it.
//!
//! A [`Lab`](lab::Lab) is what surrounds a gateway, a [`Gateway`](gateway::Gateway) the Envoy under test, a
//! [`Plugin`](plugin::Plugin) the filter in it, a [`Sidecar`](sidecar::Sidecar) the client's side of the mesh.

pub mod audit;
pub mod background;
pub mod compose;
pub mod config;
pub mod demo;
pub mod envoy;
pub mod gateway;
pub mod lab;
pub mod module;
mod one_name;
pub mod origin;
pub mod paths;
pub mod pki;
pub mod plugin;
pub mod policy;
pub mod sidecar;
pub mod supply;
pub mod tcp_gateway;
pub mod wire;
