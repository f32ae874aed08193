//! The filter's own object: the policy, and the image that enforces it.

use super::api;
use super::carried::CONNECTIONS;
use super::fit;
use super::object::{Maker, Object, ObjectKind, ObjectPart, insert};
use super::removal;
use crate::analysis::advice::{Advice, code};
use crate::mesh::site::{FailStrategy, Module, Site, without_tag};
use crate::read::document::{Document, Source};
use crate::read::revision;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde_json::{Map, Value, json};
use std::io::{self, Write};

/// Form of the policy in its object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Pack {
    /// Packed if it would be large
    #[default]
    Auto,
    /// Packed: small, and not to be read by people
    Always,
    /// As it is written
    Never,
}

/// Bytes that an object may have: what API servers and etcd take by default, with room for what they add.
const MOST: usize = 1 << 20;
/// From here on a policy is packed, and a finding says how large the object is.
const LARGE: usize = MOST / 10 * 7;

/// Keys that only people read.
const FOR_PEOPLE: [&str; 3] = ["owner", "reason", "ticket"];
/// Lists whose entries have them.
const LISTS: [&str; 4] = ["deny", "rules", "residency", "quotas"];
/// Keys that stand beside what is packed.
const OUTSIDE: [&str; 3] = ["version", "name", "revision"];

/// The first Istio whose API has TrafficExtension.
const TRAFFIC_EXTENSION: u32 = 30;
/// The first Istio whose API has FAIL_RELOAD.
const FAIL_RELOAD: u32 = 27;

/// The policy as one map, unpacked, with a revision, and without what only says until when something is meant to hold.
///
/// # Errors
/// A policy that is no map, which the checker refuses before.
pub(crate) fn policy(json: &str) -> io::Result<Map<String, Value>> {
    let mut policy = revision::whole(json)?;
    let revision = revision::of(&policy)?;
    policy.insert("revision".to_owned(), revision.into());
    revision::without(policy.get_mut("dryRunFor"), &["until"]);
    Ok(policy)
}

/// Makes the objects of the filters: of the one for HTTP, and of that for connections where the gateway has a port for them.
///
/// # Errors
/// None that a checked policy has.
pub(crate) fn objects(
    maker: &Maker<'_>,
    site: &Site,
    document: &Document,
    policy: &Map<String, Value>,
    pack: Pack,
    advice: &mut Advice,
) -> io::Result<Vec<Object>> {
    let mut policy = policy.clone();
    replicas(&mut policy, document, maker, advice);
    let mut of_http = policy.clone();
    bind(&mut of_http, document, maker);
    if maker.gateway.ports.all.is_some() {
        cross(&mut of_http, document);
    }
    let mut objects = vec![object(maker, site, document, &Filter::Http, of_http, pack, advice)?];
    let ports = fit::ports_of_connections(site, maker.gateway);
    if !ports.is_empty() {
        // a connection to the gateway itself says with its own server name where to
        let tcp = policy.entry("tcp").or_insert_with(|| json!({}));
        if tcp.get("self").is_none() {
            insert(tcp, "self", json!([maker.gateway.service]));
        }
        insert(tcp, "rendered", true.into());
        if maker.gateway.ports.all.is_some() {
            insert(tcp, "http", true.into());
        }
        objects.push(object(maker, site, document, &Filter::Connections { ports }, policy, pack, advice)?);
    }
    Ok(objects)
}

/// A filter.
enum Filter {
    /// In every chain of HTTP.
    Http,
    /// In the chains of these ports alone: elsewhere it would wait for what never comes.
    Connections { ports: Vec<u16> },
}

fn object(
    maker: &Maker<'_>,
    site: &Site,
    document: &Document,
    filter: &Filter,
    mut policy: Map<String, Value>,
    pack: Pack,
    advice: &mut Advice,
) -> io::Result<Object> {
    let plain = json_length(&policy);
    if pack == Pack::Always || (pack == Pack::Auto && plain > LARGE) {
        policy = packed(policy)?;
    }
    let spec = spec(maker, site, filter, policy.into());
    let part = if document.tripwire.is_some() { ObjectPart::Secret } else { ObjectPart::Plugin };
    let kind = if extends(maker, site) { ObjectKind::TrafficExtension } else { ObjectKind::WasmPlugin };
    let name = match filter {
        Filter::Http => maker.gateway.name.clone(),
        Filter::Connections { .. } => maker.name(CONNECTIONS),
    };
    let object = maker.object(part, kind, &name, spec);
    size(json_length(&object.value), advice);
    Ok(object)
}

/// Tells whether the object is the newer of the two that Istio knows; each API goes with its own.
fn extends(maker: &Maker<'_>, site: &Site) -> bool {
    api::of(maker.gateway).has_traffic_extensions()
        && site.istio.minor().is_some_and(|minor| minor >= TRAFFIC_EXTENSION)
}

fn spec(maker: &Maker<'_>, site: &Site, filter: &Filter, policy: Value) -> Value {
    let Module { pull_secret, fail_strategy, .. } = &site.module;
    let url = match filter {
        Filter::Http => url(&site.module.image, site.module.digest.as_deref()),
        Filter::Connections { .. } => {
            let (image, digest) = site.module.of_connections();
            url(&image, digest)
        }
    };
    let fail = match fail_strategy {
        FailStrategy::FailReload if site.istio.minor().is_some_and(|minor| minor >= FAIL_RELOAD) => "FAIL_RELOAD",
        FailStrategy::FailReload | FailStrategy::FailClose => "FAIL_CLOSE",
    };
    let (layer, plugin) = match filter {
        Filter::Http => ("HTTP", "tollgate"),
        Filter::Connections { .. } => ("NETWORK", "tollgate-tcp"),
    };
    let mut wasm = json!({
        "url": url,
        "type": layer,
        "pluginName": plugin,
        "failStrategy": fail,
        "pluginConfig": policy,
    });
    if let Some(secret) = pull_secret {
        insert(&mut wasm, "imagePullSecret", secret.as_str().into());
    }
    let mut spec = if extends(maker, site) { json!({"wasm": wasm}) } else { wasm };
    // behind the authentication of requests, before authorization: so that the tripwire sees what Tollgate left
    insert(&mut spec, "phase", "AUTHZ".into());
    insert(&mut spec, "priority", 100.into());
    if let Filter::Connections { ports } = filter {
        let ports: Vec<Value> = ports.iter().map(|port| json!({"number": port})).collect();
        // a gateway is a client of what is behind it
        insert(&mut spec, "match", json!([{"mode": "CLIENT", "ports": ports}]));
    }
    api::of(maker.gateway).attach(maker.gateway, &mut spec);
    spec
}

/// The image's address, by its digest where the site says one.
fn url(image: &str, digest: Option<&str>) -> String {
    match digest {
        Some(digest) => format!("oci://{}@{digest}", without_tag(image)),
        None => format!("oci://{image}"),
    }
}

/// The number of gateways, which limits are divided by, is the site's to know.
fn replicas(policy: &mut Map<String, Value>, document: &Document, maker: &Maker<'_>, advice: &mut Advice) {
    match (document.replicas, maker.gateway.replicas) {
        (None, Some(replicas)) => {
            policy.insert("replicas".to_owned(), replicas.into());
        }
        (Some(of_policy), Some(of_site)) if of_policy != of_site => {
            let message = format!("the policy says {of_policy} replicas, and the site {of_site}");
            advice.add(code::REPLICAS, "replicas".to_owned(), message, "leave it to the site file".to_owned());
        }
        _ => {}
    }
}

/// The route is compared by host, whatever the policy says: rendered routes go by the authority's port, and the ports of their clusters
/// are others. Headers are removed by the routes, so that removing them leaves the route as it was judged.
fn bind(policy: &mut Map<String, Value>, document: &Document, maker: &Maker<'_>) {
    let mut set = |key: &str, below: &str, value: &str| {
        let map = policy.entry(key).or_insert_with(|| json!({}));
        insert(map, below, value.into());
    };
    set("authority", "verifyRoute", "host");
    if removal::is_by_routes(maker.gateway, document) {
        set("requestHeaders", "by", "routes");
    }
}

/// The caller of a request that came by the port for everything is known by what crossed with its connection.
fn cross(policy: &mut Map<String, Value>, document: &Document) {
    let mut sources = document.sources();
    sources.insert(Source::PeerPrincipal);
    let identity = policy.entry("identity").or_insert_with(|| json!({}));
    insert(identity, "sources", json!(sources));
}

/// Packs a policy: all but its name is compressed, and without what only people read.
fn packed(policy: Map<String, Value>) -> io::Result<Map<String, Value>> {
    let (mut outside, mut inside) = (Map::new(), Map::new());
    for (key, mut value) in policy {
        if LISTS.contains(&key.as_str()) {
            revision::without(Some(&mut value), &FOR_PEOPLE);
        }
        if OUTSIDE.contains(&key.as_str()) { &mut outside } else { &mut inside }.insert(key, value);
    }
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
    deflate.write_all(&serde_json::to_vec(&inside)?)?;
    outside.insert("packed".to_owned(), format!("deflate;{}", STANDARD.encode(deflate.finish()?)).into());
    Ok(outside)
}

fn json_length(value: &impl serde::Serialize) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX, |json| json.len())
}

fn size(bytes: usize, advice: &mut Advice) {
    let percent = bytes.saturating_mul(100) / MOST;
    let message =
        format!("the object that holds the policy has {} KiB: {percent} % of what API servers take", bytes >> 10);
    let fix = "pack it (`--pack auto`), name what repeats (`destinations`, `workloads`), or give teams a gateway each";
    match bytes {
        bytes if bytes > MOST => advice.add(code::TOO_LARGE, String::new(), message, fix.to_owned()),
        bytes if bytes > LARGE => advice.add(code::OBJECT_SIZE, String::new(), message, fix.to_owned()),
        _ => {}
    }
}
