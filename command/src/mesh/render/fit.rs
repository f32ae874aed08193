//! Demands of a policy that a gateway does not meet.

use crate::analysis::advice::{Advice, code};
use crate::mesh::site::{Api, Gateway, Permission, Routes, Site};
use crate::read::document::{Document, Mode, RouteWord, Source};

/// Says what does not fit.
pub(super) fn judge(document: &Document, site: &Site, gateway: &Gateway, advice: &mut Advice) {
    versions(site, gateway, advice);
    for (key, port) in [("ports.tls", gateway.ports.tls), ("ports.all", gateway.ports.all)] {
        if port.is_some() && gateway.envoy_filter == Permission::Forbidden {
            let message = format!("`{key}` takes an EnvoyFilter, which the site forbids");
            let fix = format!("leave `{key}` out, or set `envoyFilter: allowed`");
            advice.add(code::NOT_RENDERED, String::new(), message, fix);
        }
    }
    dry_run(document, gateway, advice);
    if gateway.api == Api::Waypoint {
        let message = "`api: waypoint` is not rendered yet".to_owned();
        let fix = "render a gateway; docs/commands/render.md says what there is".to_owned();
        advice.add(code::NOT_RENDERED, String::new(), message, fix);
    }
    if gateway.routes == Routes::CatchAll && gateway.envoy_filter == Permission::Forbidden {
        let message = "`routes: catch-all` takes an EnvoyFilter, which the site forbids".to_owned();
        let fix = "set `routes: listed`, or `envoyFilter: allowed`".to_owned();
        advice.add(code::NOT_RENDERED, String::new(), message, fix);
    }
    if gateway.routes == Routes::CatchAll && document.default_port() != 443 {
        let message = format!(
            "`routes: catch-all` goes to port 443 where an authority names no port, and the policy means {}",
            document.default_port()
        );
        let fix = "leave `authority.defaultPort` out, or set `routes: listed`".to_owned();
        advice.add(code::NOT_RENDERED, "authority.defaultPort".to_owned(), message, fix);
    }
    if gateway.api != Api::Waypoint && !document.sources().contains(&Source::PeerCertificate) {
        let message = "no caller has an identity here: at a gateway it is in the certificate".to_owned();
        let fix = "add `peer-certificate` to `identity.sources`".to_owned();
        advice.add(code::SOURCES, "identity.sources".to_owned(), message, fix);
    }
    let written = match document.verify_route() {
        Some(RouteWord::Full) => Some(
            "`verifyRoute: full` compares ports, and that of a ServiceEntry is 80 for what an authority without a port means",
        ),
        Some(RouteWord::Off) => Some("`verifyRoute: off` lets routes lead elsewhere than was decided"),
        Some(RouteWord::Host) | None => None,
    };
    if let Some(message) = written {
        let fix = "write `host`, or leave it out: `render` writes `host` whatever stands here".to_owned();
        advice.add(code::VERIFY_ROUTE, "authority.verifyRoute".to_owned(), message.to_owned(), fix);
    }
}

/// The ports for connections, where the site can have any at all.
pub(super) fn ports_of_connections(site: &Site, gateway: &Gateway) -> Vec<u16> {
    let can = gateway.envoy_filter == Permission::Allowed && site.istio.minor() >= Some(RESOLVING);
    gateway.ports.of_connections().filter(|_| can).collect()
}

/// The oldest Istio that is rendered for.
const OLDEST: u32 = 27;
/// The first Istio whose Envoy judges every address that a name resolves to, and has the rest of what is needed.
const RESOLVING: u32 = 31;

/// Says what the site's Istio cannot do.
fn versions(site: &Site, gateway: &Gateway, advice: &mut Advice) {
    let Some(minor) = site.istio.minor() else { return };
    let version = &site.istio.version;
    let mut say = |message: String, fix: &str| advice.add(code::TOO_OLD, String::new(), message, fix.to_owned());
    if minor < OLDEST {
        let message = format!("`istio.version` is {version}, and nothing is rendered for one older than 1.{OLDEST}");
        say(message, "update Istio; what is older gets no fixes either");
    }
    let keys = [
        ("routes: catch-all", gateway.routes == Routes::CatchAll),
        ("inside", !gateway.inside.is_empty()),
        ("ports.tls", gateway.ports.tls.is_some()),
        ("ports.all", gateway.ports.all.is_some()),
        ("api: waypoint", gateway.api == Api::Waypoint),
    ];
    for (key, _) in keys.into_iter().filter(|(_, is_set)| *is_set && minor < RESOLVING) {
        let message = format!("`{key}` needs Istio 1.{RESOLVING}, and `istio.version` is {version}");
        say(message, "update Istio and the site file, or leave the key out");
    }
}

/// Says that a dry-run lets nothing through that has no route.
fn dry_run(document: &Document, gateway: &Gateway, advice: &mut Advice) {
    let key = if document.mode == Mode::DryRun { "mode" } else { "dryRunFor" };
    if gateway.routes == Routes::Listed && (document.mode == Mode::DryRun || !document.dry_run_for.is_empty()) {
        let message =
            "with `routes: listed` a dry-run lets nothing through that no rule names: such a host has no route"
                .to_owned();
        let fix = "set `routes: catch-all` in the site file until the dry-run ends".to_owned();
        advice.add(code::DRY_AND_LISTED, key.to_owned(), message, fix);
    }
}
