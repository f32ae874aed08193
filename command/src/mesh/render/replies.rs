//! Answers of Envoy itself that stand for a decision: they look like Tollgate's, and the filter knows them by it.

use super::object::insert;
use crate::read::document::Detail;
use crate::read::document::Document;
use serde_json::{Value, json};
use tollgate::decision::Reason;
use tollgate::decision::answer::HEADER;
use tollgate_envoy::{ADDRESS_INSIDE_POLICY, ROUTE_KEY, ROUTE_POLICY, type_url};

/// A name that leads inside, an address of the inside, and a route that is not the one that was judged.
pub(super) fn replies(document: &Document) -> Value {
    let address = format!(
        "response.code_details.contains('address_denied') || response.code_details.contains('{ADDRESS_INSIDE_POLICY}')"
    );
    let route = format!(
        "response.code_details.contains('{ROUTE_POLICY}') || response.code_details == 'rbac_access_denied_matched_policy[none]' && xds.cluster_name != filter_state['{ROUTE_KEY}']"
    );
    let mappers = [
        mapper(
            document,
            &address,
            Reason::AddressInside,
            "the host is at an address of the inside: a rule that names the address, or `inside` of the site, would let it through",
        ),
        mapper(
            document,
            &route,
            Reason::RouteMismatch,
            "the route leads to another host than the one that was decided about: the gateway's routes are not those that were rendered",
        ),
    ];
    json!({"local_reply_config": {"mappers": mappers}})
}

fn mapper(document: &Document, when: &str, reason: Reason, message: &str) -> Value {
    let header = json!({"key": HEADER, "value": reason.as_str()});
    json!({
        "filter": {
            "extension_filter": {
                "name": "envoy.access_loggers.extension_filters.cel",
                "typed_config": {
                    "@type": type_url("envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter"),
                    "expression": when,
                },
            },
        },
        "status_code": 403,
        "headers_to_add": [{"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}],
        "body_format_override": body(document, reason, message),
    })
}

/// The body of a denial, as far as it does not change with every policy.
fn body(document: &Document, reason: Reason, message: &str) -> Value {
    if document.response.detail == Detail::None {
        return json!({"text_format_source": {"inline_string": ""}});
    }
    let mut body = json!({
        "error": "egress_denied",
        "reason": reason.as_str(),
        "message": message,
        "policy": document.name,
        "request_id": "%REQ(X-REQUEST-ID)%",
    });
    if let Some(docs) = &document.response.docs_url {
        insert(&mut body, "docs", docs.as_str().replace('%', "%%").into());
    }
    json!({"json_format": body})
}
