//! What a policy says besides its entries.

use super::values::{HeaderName, Host, NotEmpty, Secret, TrustDomain};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Where identities come from.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Identity {
    /// Tried in order; `peer-certificate` unless given.
    #[schemars(with = "NotEmpty<Source>")]
    pub(crate) sources: Vec<Source>,
    /// Trust domains whose identities count; the first is the mesh's own. `cluster.local` unless given.
    #[schemars(with = "NotEmpty<TrustDomain>")]
    pub(crate) trust_domains: Vec<String>,
}

/// Where an identity comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Source {
    /// The client certificate of the connection: at gateways.
    PeerCertificate,
    /// The principal of the mesh's tunnel: at waypoints.
    PeerPrincipal,
}

/// How the authority of a request is read.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Authority {
    /// Port of an authority that names none; 443 unless given.
    #[schemars(range(min = 1, max = 65535))]
    pub(crate) default_port: Option<u16>,
    /// How far the routed cluster is compared with the authority. Unless given, `full` for identities from
    /// `peer-principal` and `off` for others; `true` and `false` mean `full` and `off`.
    pub(crate) verify_route: Option<VerifyRoute>,
}

/// How far the routed cluster is compared with the authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum VerifyRoute {
    /// As it is written today.
    Word(RouteWord),
    /// As it was before there was `host`.
    Switch(bool),
}

impl VerifyRoute {
    pub(super) fn word(self) -> RouteWord {
        match self {
            VerifyRoute::Word(word) => word,
            VerifyRoute::Switch(true) => RouteWord::Full,
            VerifyRoute::Switch(false) => RouteWord::Off,
        }
    }
}

impl JsonSchema for VerifyRoute {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "VerifyRoute".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let word = generator.subschema_for::<RouteWord>();
        json_schema!({"anyOf": [word, {"type": "boolean"}]})
    }
}

/// Readings of TCP connections. `tollgate render` fills it in.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Tcp {
    /// Port of a connection that was led to a host without one; 443 unless given.
    #[schemars(range(min = 1, max = 65535))]
    pub(crate) port: Option<u16>,
    /// Names of the gateway's own service: who was led to one of them means the server name of its own TLS.
    #[serde(rename = "self")]
    #[schemars(with = "Vec<Host>")]
    pub(crate) own: Vec<String>,
    /// At a port for everything: connections that begin as HTTP are led to the filter for HTTP, which decides their requests.
    pub(crate) http: bool,
    /// Connections to a host that a rule names are led to `tollgate.tcp|PORT|HOST`, which `render` writes, and not to
    /// `outbound|PORT||HOST`, which Istio makes of whatever ServiceEntry is the oldest.
    pub(crate) rendered: bool,
}

/// How far the routed cluster is compared with the authority, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RouteWord {
    /// Not at all.
    Off,
    /// By its host.
    Host,
    /// By its host and its port.
    Full,
}

/// What a denied caller is told.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Response {
    /// How much.
    pub(crate) detail: Detail,
    /// Where people read on.
    pub(crate) docs_url: Option<String>,
}

/// How much a denied caller is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Detail {
    /// Nothing.
    None,
    /// The reason.
    #[default]
    Reason,
    /// The reason, the entry that decided, and the rule that came nearest.
    Full,
}

/// Request headers that no external server gets to see.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct RequestHeaders {
    /// Besides the default: `x-forwarded-client-cert`, `x-forwarded-for`, `x-forwarded-host`, `x-host`,
    /// `x-original-host`, `forwarded` and `x-envoy-*`. A name may end in `*`, and stands for every spelling with `_`.
    #[schemars(with = "NotEmpty<HeaderName>")]
    pub(crate) remove: Vec<String>,
    /// What of the default is left in place.
    #[schemars(with = "NotEmpty<HeaderName>")]
    pub(crate) keep: Vec<String>,
    /// Who removes them: the filter, or the routes, which `tollgate render` writes so.
    pub(crate) by: RemoveBy,
}

/// Who removes request headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RemoveBy {
    /// The filter.
    #[default]
    Filter,
    /// The routes; the filter removes other spellings only.
    Routes,
}

/// A header that proves the filter's presence.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Tripwire {
    /// Its name.
    #[schemars(with = "HeaderName")]
    pub(crate) header: String,
    /// The first is sent, every one is accepted: so that it can be changed.
    #[schemars(with = "NotEmpty<Secret>")]
    pub(crate) values: Vec<String>,
}

/// What records say.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Audit {
    /// Which admitted requests get a full record.
    pub(crate) allowed: AuditAllowed,
    /// What a record says of the path.
    pub(crate) path: AuditPath,
}

/// Which admitted requests get a full record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AuditAllowed {
    /// Every one.
    #[default]
    All,
    /// None.
    None,
}

/// What a record says of the path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AuditPath {
    /// All of it, without the query.
    #[default]
    Full,
    /// The pattern that admitted it.
    Pattern,
    /// Nothing.
    None,
}

/// Labels of the request counter.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Metrics {
    /// Besides decision and reason. Each multiplies the number of time series.
    pub(crate) by: Vec<Label>,
}

/// A label of the request counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Label {
    /// The entry that decided.
    Rule,
    /// The caller's namespace.
    Namespace,
    /// The named destination.
    Destination,
}
