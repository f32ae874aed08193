//! What a policy asks for and a gateway is not.

use crate::cli::advice::{Advice, code};
use crate::cli::document::{Document, RouteWord, Source};
use crate::cli::site::{Api, Gateway, Permission, Routes};

/// Says what does not fit.
pub(super) fn judge(document: &Document, gateway: &Gateway, advice: &mut Advice) {
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
    if document.verify_route() == Some(RouteWord::Full) {
        let message = "`verifyRoute` compares with the port of a ServiceEntry, which is 80 for what an authority without a port means".to_owned();
        let fix = "leave it out: what is rendered goes by the authority's port alone".to_owned();
        advice.add(code::VERIFY_ROUTE, "authority.verifyRoute".to_owned(), message, fix);
    }
}
