//! Classes of callers, hosts, ports, methods and paths, and of connections, that the entries of policies tell apart, small enough that one
//! request decides for all of its class.
//!
//! A region (some callers, some hosts) is parted by the entries that speak of it. Every part is then asked about with
//! one request. The answer for the part is that of [`Authorizer::decide`](tollgate::decision::Authorizer::decide) for
//! the request.

mod address;
mod ask;
mod class;
mod classes;
mod connections;
mod entry;
mod found;
mod hello;
mod host;
mod measure;
mod names;
mod part;
mod partition;
mod parts;
mod paths;
mod place;
mod ports;
mod region;
mod side;
mod star;
mod strengths;
mod tuple;
mod who;
mod witness;

pub(crate) use ask::{Ask, Connections};
pub(crate) use entry::Reach;
pub(crate) use found::{Found, merged};
pub(crate) use measure::{Alone, admitted_anew};
pub(crate) use part::{Part, list, rejoined};
pub(crate) use partition::Layer;
pub(crate) use place::Place;
pub(crate) use region::{Analysis, Inquiry};
pub(crate) use side::{Said, Side};
pub(crate) use strengths::Strengths;
pub(crate) use who::Who;
pub(crate) use witness::Witness;
