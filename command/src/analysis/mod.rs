//! Questions about policies and requests, and their answers. Pure: nothing here knows a terminal, a clock or a mesh.

pub(crate) mod advice;
pub(crate) mod atoms;
pub(crate) mod client_hello;
pub(crate) mod diff;
pub(crate) mod edge;
pub(crate) mod explain;
pub(crate) mod further;
pub(crate) mod gateway;
pub(crate) mod lint;
pub(crate) mod ports;
pub(crate) mod public_suffix;
pub(crate) mod reach;
pub(crate) mod request;
pub(crate) mod server_name;
pub(crate) mod strength;
pub(crate) mod test;
pub(crate) mod unconfirmed;
pub(crate) mod who;
