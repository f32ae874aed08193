//! Rendering: every object of Istio and Kubernetes that a policy needs at a gateway.

mod addresses;
mod api;
mod callers;
mod carried;
mod cluster_patch;
mod clusters;
mod connections;
mod consequences;
mod destinations;
mod dynamic;
mod entrance;
mod envoy_filter;
mod fit;
pub(crate) mod folder;
mod hosts;
mod inside;
mod limits;
mod literals;
mod lockdown;
mod network;
mod object;
mod one_port;
mod output;
pub(crate) mod patched;
mod patches;
mod pinned;
mod plan;
mod plugin;
mod proxy_config;
mod purpose;
mod removal;
mod replies;
mod resolved;
mod rest;
mod routed;
mod tripwire;
mod vip;
mod way;
mod yaml;

pub(crate) use self::consequences::Consequences;
use self::destinations::Destinations;
use self::hosts::HostMaker;
use self::object::{Maker, Object};
pub(crate) use self::output::stream;
use self::output::{Files, files, title};
use self::patches::Patch;
pub(crate) use self::plan::Plan;
pub(crate) use self::plugin::Pack;
pub(crate) use self::purpose::Purpose;
use super::site::{Gateway, Routes, Site};
use crate::analysis::advice::Advice;
use crate::read::Loaded;
use crate::read::document::Document;
use serde_json::Value;
use std::io;

/// Everything that a policy needs at a gateway.
#[derive(Debug)]
pub(crate) struct Rendered {
    policy: String,
    gateway: String,
    revision: String,
    hosts: usize,
    pub(crate) objects: Vec<Object>,
    patches: Vec<Patch>,
    pub(crate) consequences: Consequences,
}

impl Rendered {
    /// First line of every file: it tells what was rendered by whom for whom.
    pub(crate) fn title(&self) -> String {
        title(&self.policy, &self.gateway)
    }

    /// The folder's files, by name.
    ///
    /// # Errors
    /// An object cannot be written as text.
    pub(crate) fn files(&self) -> io::Result<Files> {
        files(&self.objects, &self.patches, &self.title())
    }
}

/// Renders a policy for a gateway, and says what of it the site cannot do.
///
/// # Errors
/// An object cannot be written as text.
pub(crate) fn render(
    loaded: &Loaded,
    document: &Document,
    site: &Site,
    gateway: &Gateway,
    purpose: Purpose,
    pack: plugin::Pack,
    advice: &mut Advice,
) -> io::Result<Rendered> {
    fit::judge(document, site, gateway, advice);
    pinned::judge(site, gateway, purpose, advice);
    inside::judge(gateway, advice);
    callers::judge(document, site, advice);
    resolved::judge(document, gateway, advice);
    let maker = Maker { gateway, policy: &document.name };
    let destinations = Destinations::of(document, gateway, purpose, advice);
    let strip = removal::names(document);
    let mut objects = entrance::objects(&maker, &strip, &carried::subsets(&maker, &destinations), advice);
    objects.extend(connections::objects(&maker));
    objects.extend(limits::objects(&maker));
    let policy = plugin::policy(&loaded.json)?;
    let revision = policy.get("revision").and_then(Value::as_str).unwrap_or_default().to_owned();
    objects.extend(plugin::objects(&maker, site, document, &policy, pack, advice)?);
    objects.extend(tripwire::objects(&maker, site, document, advice));
    let vips = vip::of(destinations.known_by_address(), gateway.dns.family);
    let common = HostMaker::new(maker, site, document.default_port(), &strip, &vips);
    for (host, reached) in &destinations.hosts {
        objects.extend(common.objects(host, reached, advice));
    }
    objects.extend(rest::objects(&maker, site, &destinations));
    if gateway.routes == Routes::CatchAll {
        objects.extend(dynamic::objects(&maker, site, &destinations, &strip));
    }
    objects.extend(one_port::objects(&maker, site, document, &destinations));
    objects.push(network::object(&maker, site, &destinations));
    objects.extend(lockdown::objects(&maker, site));
    objects.sort_by_key(|object| object.part);
    let patches = patches::patches(&maker, site, !vips.is_empty());
    Ok(Rendered {
        policy: document.name.clone(),
        gateway: gateway.name.clone(),
        revision,
        hosts: destinations.hosts.len(),
        objects,
        consequences: Consequences::of(site, gateway, &patches),
        patches,
    })
}
