//! The entries of a policy, and what they are made of. Lists that are empty were not given: the language has no
//! other empty ones, but for `by`.

use super::protocol::Protocol;
use super::values::{
    Amount, By, Cidr, Host, Id, Method, Mode, Namespace, NotEmpty, Overrun, PathPattern, Period, Ports, Scope,
    ServiceAccount, SpiffeId, Tls, TrustDomain,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use std::borrow::Cow;
use tollgate::policy::{
    self, HostPattern, Network, TargetContext, TargetOptions, TargetTerms, host_pattern, networks, path_pattern,
};

/// Who may reach what.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("defaultSnippets" = [{"label": "rule", "description": "admits callers to hosts", "body": {"id": "$1", "from": [{"serviceAccount": "$2"}], "to": [{"hosts": ["$3"]}], "owner": "$4", "reason": "$5"}}]))]
#[expect(dead_code, reason = "the schema has every key")]
pub(crate) struct Rule {
    /// Its name in records and reports, unique in the policy.
    #[schemars(with = "Id")]
    pub(crate) id: String,
    /// Who; any one selector suffices.
    #[schemars(with = "NotEmpty<Selector>")]
    pub(crate) from: Vec<Selector>,
    /// What; any one target suffices.
    #[schemars(with = "NotEmpty<Target>")]
    pub(crate) to: Vec<Target>,
    /// When the rule ends (RFC 3339).
    #[schemars(extend("format" = "date-time"))]
    pub(crate) expires_at: Option<String>,
    /// Who answers for it; for people, never matched.
    pub(crate) owner: Option<String>,
    /// Why it is there; for people, never matched.
    pub(crate) reason: Option<String>,
    /// Where it was agreed; for people, never matched.
    pub(crate) ticket: Option<String>,
}

/// What is denied, whatever the rules say. What it leaves out is everything.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("defaultSnippets" = [{"label": "deny entry", "description": "denies what no rule can admit", "body": {"id": "$1", "to": [{"hosts": ["$2"]}]}}]))]
#[expect(dead_code, reason = "the schema has every key")]
pub(crate) struct Deny {
    /// Its name in records and reports, unique in the policy.
    #[schemars(with = "Id")]
    pub(crate) id: String,
    /// Whom it denies; everyone unless given.
    #[serde(default)]
    #[schemars(with = "NotEmpty<Selector>")]
    pub(crate) from: Vec<Selector>,
    /// What it denies; everything unless given.
    #[serde(default)]
    #[schemars(with = "NotEmpty<Target>")]
    pub(crate) to: Vec<Target>,
    /// What it leaves to the rules.
    #[serde(default)]
    #[schemars(with = "NotEmpty<Target>")]
    pub(crate) except: Vec<Target>,
    /// Whom it leaves to the rules.
    #[serde(default)]
    #[schemars(with = "NotEmpty<Selector>")]
    pub(crate) not_from: Vec<Selector>,
    /// `dry-run` only records what it would have denied.
    #[serde(default)]
    pub(crate) mode: Mode,
    /// Who answers for it; for people, never matched.
    pub(crate) owner: Option<String>,
    /// Why it is there; for people, never matched.
    pub(crate) reason: Option<String>,
    /// Where it was agreed; for people, never matched.
    pub(crate) ticket: Option<String>,
}

/// Identities that may reach only destinations of certain regions.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "the schema has every key")]
pub(crate) struct Residency {
    /// Its name in records and reports, unique in the policy.
    #[schemars(with = "Id")]
    pub(crate) id: String,
    /// Who is bound to them; any one selector suffices.
    #[schemars(with = "NotEmpty<Selector>")]
    pub(crate) from: Vec<Selector>,
    /// The labels that a destination may have.
    #[schemars(with = "NotEmpty<String>")]
    pub(crate) regions: Vec<String>,
    /// Who answers for it; for people, never matched.
    pub(crate) owner: Option<String>,
    /// Why it is there; for people, never matched.
    pub(crate) reason: Option<String>,
    /// Where it was agreed; for people, never matched.
    pub(crate) ticket: Option<String>,
}

/// How much of what may be used.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("defaultSnippets" = [{"label": "quota", "description": "limits what is admitted", "body": {"id": "$1", "to": [{"hosts": ["$2"]}], "limit": {"requests": "^${3:100}", "per": "${4:1s}"}}}]))]
#[expect(dead_code, reason = "the schema has every key")]
pub(crate) struct Quota {
    /// Its name in records and reports, unique in the policy, and part of its buckets' key.
    #[schemars(with = "Id")]
    pub(crate) id: String,
    /// Whose requests are counted; everyone's unless given.
    #[serde(default)]
    #[schemars(with = "NotEmpty<Selector>")]
    pub(crate) from: Vec<Selector>,
    /// Which requests are counted; all unless given.
    #[serde(default)]
    #[schemars(with = "NotEmpty<Target>")]
    pub(crate) to: Vec<Target>,
    /// What a bucket is kept for: `[identity]` unless given; `[]` is one bucket for everyone.
    pub(crate) by: Option<Vec<By>>,
    /// How much a bucket allows.
    pub(crate) limit: Limit,
    /// Where the state is kept.
    #[serde(default)]
    pub(crate) scope: Scope,
    /// What happens to the request that crosses a limit of bytes.
    pub(crate) overrun: Option<Overrun>,
    /// `dry-run` only records; `enforce` holds even where the policy or the caller is in dry-run.
    pub(crate) mode: Option<Mode>,
    /// Who answers for it; for people, never matched.
    pub(crate) owner: Option<String>,
    /// Why it is there; for people, never matched.
    pub(crate) reason: Option<String>,
    /// Where it was agreed; for people, never matched.
    pub(crate) ticket: Option<String>,
}

/// How much: one unit, and over what it is counted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("oneOf" = [
    {"required": ["requests", "per"]}, {"required": ["bytesOut", "per"]}, {"required": ["bytesIn", "per"]},
    {"required": ["bytes", "per"]}, {"required": ["concurrent"], "not": {"required": ["per"]}},
]))]
pub(crate) struct Limit {
    /// Requests.
    #[schemars(range(min = 1))]
    pub(crate) requests: Option<u64>,
    /// Bytes to the destination: `10GiB`, or a number.
    pub(crate) bytes_out: Option<Amount>,
    /// Bytes from the destination: `10GiB`, or a number.
    pub(crate) bytes_in: Option<Amount>,
    /// Bytes both ways: `10GiB`, or a number.
    pub(crate) bytes: Option<Amount>,
    /// Requests in flight.
    #[schemars(range(min = 1))]
    pub(crate) concurrent: Option<u64>,
    /// A duration (`250ms`, `1s`, `5m`, `1h`) for a rate; `minute`, `hour`, `day`, `week` or `month` for a calendar
    /// window in UTC.
    #[schemars(with = "Option<Period>")]
    pub(crate) per: Option<String>,
    /// How much a rate allows at once after a rest; the limit unless given.
    pub(crate) burst: Option<Amount>,
}

/// Who: one of these keys.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("oneOf" = [
    {"required": ["spiffe"]}, {"required": ["serviceAccount"]}, {"required": ["namespace"]},
    {"required": ["workloads"]}, {"required": ["any"]}, {"required": ["anonymous"]},
]))]
pub(crate) struct Selector {
    /// Exactly this SPIFFE ID.
    #[schemars(with = "Option<SpiffeId>")]
    pub(crate) spiffe: Option<String>,
    /// `NAMESPACE/NAME`: that service account.
    #[schemars(with = "Option<ServiceAccount>")]
    pub(crate) service_account: Option<String>,
    /// Every service account of that namespace.
    #[schemars(with = "Option<Namespace>")]
    pub(crate) namespace: Option<String>,
    /// The set of that name.
    pub(crate) workloads: Option<String>,
    /// Every authenticated identity of a trusted domain; in `deny` every request.
    #[schemars(extend("const" = true))]
    pub(crate) any: Option<bool>,
    /// Requests without any identity.
    #[schemars(extend("const" = true))]
    pub(crate) anonymous: Option<bool>,
    /// With `serviceAccount` and `namespace`: their trust domain, if it is not the mesh's own.
    #[schemars(with = "Option<TrustDomain>")]
    pub(crate) trust_domain: Option<String>,
    /// In `dryRunFor`: until when, for people and advice.
    #[schemars(skip)]
    pub(crate) until: Option<String>,
}

impl Selector {
    /// Returns whom it selects, where `own` is the mesh's trust domain; none for a set of workloads.
    pub(crate) fn typed(&self, own: &str) -> Option<policy::Selector> {
        let domain = self.trust_domain.as_deref().unwrap_or(own);
        if let Some(id) = &self.spiffe {
            Some(policy::Selector::Spiffe(id.as_str().into()))
        } else if let Some(account) = &self.service_account {
            policy::Selector::service_account(domain, account)
        } else if let Some(namespace) = &self.namespace {
            Some(policy::Selector::Namespace { domain: domain.into(), namespace: namespace.as_str().into() })
        } else if self.any == Some(true) {
            Some(policy::Selector::Any)
        } else {
            (self.anonymous == Some(true)).then_some(policy::Selector::Anonymous)
        }
    }
}

/// A selector of `dryRunFor`, for the schema: it may have an end.
#[derive(Debug)]
pub(crate) struct Onboarded;

impl JsonSchema for Onboarded {
    fn schema_name() -> Cow<'static, str> {
        "Onboarded".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Selector::json_schema(generator);
        let until = json_schema!({
            "description": "Until when, for people and advice (RFC 3339).",
            "type": "string",
            "format": "date-time",
        });
        schema.insert("description".to_owned(), "Who, as in any list of selectors, and until when.".into());
        if let Some(properties) = schema.get_mut("properties").and_then(serde_json::Value::as_object_mut) {
            properties.insert("until".to_owned(), until.into());
        }
        schema
    }
}

/// What: a named destination, or hosts and networks; everything given must match.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Target {
    /// Name of an entry of `destinations`.
    pub(crate) destination: Option<String>,
    /// `api.example.com`, `*.example.com` (one label before), `**.example.com` (one or more), `sts.*.example.com` and
    /// `api-*.example.com` (a label, or part of one), `**` (every name).
    #[schemars(with = "NotEmpty<Host>")]
    pub(crate) hosts: Vec<String>,
    /// `10.0.0.0/8`, an address, or `private`. They judge addresses in the request, not what a name resolves to.
    #[schemars(with = "NotEmpty<Cidr>")]
    pub(crate) cidrs: Vec<String>,
    /// Ports, ranges in quotes (`"8000-8100"`), or `any` in place of the list. In rules 80 and 443 unless given; in `deny` and
    /// `quotas` every port.
    pub(crate) ports: Option<Ports>,
    /// A label that `residency` compares.
    #[schemars(length(min = 1))]
    pub(crate) region: Option<String>,
    /// How it is reached; for renderers and advice.
    pub(crate) tls: Option<Tls>,
    /// In rules every method but CONNECT unless given; in `deny` and `quotas` every method.
    #[schemars(with = "NotEmpty<Method>")]
    pub(crate) methods: Vec<String>,
    /// `/v1/charges`, `/v1/**` (all below), `/v1/*/items` (one segment), `/files/{a,b}-*.json`.
    #[schemars(with = "NotEmpty<PathPattern>")]
    pub(crate) paths: Vec<String>,
    /// Upgrades that a rule lets through besides plain requests.
    #[schemars(with = "NotEmpty<Upgrade>")]
    pub(crate) upgrades: Vec<Upgrade>,
    /// `data`: `%2F` is an ordinary escape here, as package registries use it. `key`: behind the literal segments of the pattern
    /// stands the key of an object store, which may hold empty segments and escaped escapes, too; in rules only.
    pub(crate) encoded_slash: Option<EncodedSlash>,
    /// `optional`: a TCP connection may begin without a TLS hello that names the host. In rules only; `required` unless given.
    pub(crate) client_hello: Option<ClientHello>,
    /// `allow`: the server name of a caller's own TLS may be encrypted, as browsers send it always. In rules only.
    pub(crate) ech: Option<Ech>,
    /// `host-only`: over TLS that callers make themselves, methods, paths and upgrades are set aside. In rules only.
    pub(crate) over_tls: Option<OverTls>,
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) places: Places,
    #[serde(skip)]
    #[schemars(skip)]
    terms: TargetTerms,
}

impl Default for Target {
    fn default() -> Target {
        Target::NOTHING_GIVEN
    }
}

impl Target {
    /// Everything, where what is left out is that.
    pub(crate) const NOTHING_GIVEN: Target = Target {
        destination: None,
        hosts: Vec::new(),
        cidrs: Vec::new(),
        ports: None,
        region: None,
        tls: None,
        methods: Vec::new(),
        paths: Vec::new(),
        upgrades: Vec::new(),
        encoded_slash: None,
        places: Places::NONE,
        client_hello: None,
        ech: None,
        over_tls: None,
        terms: TargetTerms::EVERYTHING,
    };

    /// Conditions on requests besides whose they are and where they go, as values. Those of a named destination's ports are
    /// among them.
    pub(crate) fn terms(&self) -> &TargetTerms {
        &self.terms
    }

    /// Keys that it gives about what nobody sees in a connection.
    pub(crate) fn unseen_keys(&self) -> impl Iterator<Item = &'static str> {
        let keys = [
            ("paths", !self.paths.is_empty()),
            ("methods", !self.methods.is_empty()),
            ("upgrades", !self.upgrades.is_empty()),
        ];
        keys.into_iter().filter(|(_, is_given)| *is_given).map(|(key, _)| key)
    }

    /// Fills terms and places in, where `ports` are those of the target's place, and its servers may speak first or not; none where
    /// something is no value of the language.
    pub(super) fn fill_in(
        &mut self,
        context: TargetContext,
        ports: Option<policy::Ports>,
        server_first: bool,
    ) -> Option<()> {
        let methods = self.methods.iter().map(|method| Box::from(method.as_str()));
        let paths: Option<Vec<policy::PathPattern<'static>>> =
            self.paths.iter().map(|path| Some(path_pattern(path)?.into_owned())).collect();
        let options = TargetOptions { server_first, ..self.options() };
        self.terms = TargetTerms::new(context, ports, methods, paths?, options);
        self.places = Places::of(&self.hosts, &self.cidrs)?;
        Some(())
    }

    fn options(&self) -> TargetOptions {
        TargetOptions {
            websocket: !self.upgrades.is_empty(),
            encoded_slash: match self.encoded_slash {
                None => policy::EncodedSlash::Refused,
                Some(EncodedSlash::Data) => policy::EncodedSlash::Data,
                Some(EncodedSlash::Key) => policy::EncodedSlash::Key,
            },
            hello_optional: self.client_hello == Some(ClientHello::Optional),
            ech: self.ech.is_some(),
            host_only: self.over_tls.is_some(),
            server_first: false,
        }
    }
}

/// An upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Upgrade {
    /// RFC 6455.
    Websocket,
}

/// The demand on a caller's own TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ClientHello {
    /// Its first bytes name the host.
    Required,
    /// They may be anything.
    Optional,
}

/// The word about an encrypted server name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ech {
    /// There may be one.
    Allow,
}

/// The word about what nobody can read in a caller's own TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OverTls {
    /// The host suffices.
    HostOnly,
}

/// What `%2F` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EncodedSlash {
    /// An ordinary escape.
    Data,
    /// Part of a key that is opaque, as empty segments and escaped escapes are. In rules only.
    Key,
}

/// A place with a name.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Destination {
    /// `api.example.com`, `*.example.com` (one label before), `**.example.com` (one or more), `sts.*.example.com` and
    /// `api-*.example.com` (a label, or part of one), `**` (every name).
    #[schemars(with = "NotEmpty<Host>")]
    pub(crate) hosts: Vec<String>,
    /// `10.0.0.0/8`, an address, or `private`.
    #[schemars(with = "NotEmpty<Cidr>")]
    pub(crate) cidrs: Vec<String>,
    /// Ports, ranges in quotes (`"8000-8100"`), or `any` in place of the list. In rules 80 and 443 unless given; in `deny` and
    /// `quotas` every port.
    pub(crate) ports: Option<Ports>,
    /// A label that `residency` compares.
    #[schemars(length(min = 1))]
    pub(crate) region: Option<String>,
    /// How it is reached; for renderers and advice.
    pub(crate) tls: Option<Tls>,
    /// What is spoken there: `http` unless given, on ports of other protocols theirs. `http2` and `grpc` speak HTTP/2 to it,
    /// whatever the caller speaks. For renderers and advice; never matched.
    pub(crate) protocol: Option<Protocol>,
    /// Its servers may speak first (MySQL, SMTP, SSH): connections to them are decided by caller, host and port alone, whatever
    /// `clientHello` and `ech` say.
    pub(crate) server_first: bool,
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) places: Places,
}

impl Destination {
    /// Fills its places in; none where something is no value of the language.
    pub(super) fn fill_in(&mut self) -> Option<()> {
        self.places = Places::of(&self.hosts, &self.cidrs)?;
        Some(())
    }
}

/// Hosts and networks as values, in the order in which they are written.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) hosts: Vec<HostPattern<'static>>,
    /// Those of `private` in its place.
    pub(super) networks: Vec<Network>,
}

impl Places {
    const NONE: Places = Places { hosts: Vec::new(), networks: Vec::new() };

    fn of(hosts: &[String], cidrs: &[String]) -> Option<Places> {
        let hosts: Option<Vec<_>> = hosts.iter().map(|host| Some(host_pattern(host).ok()?.into_owned())).collect();
        let networks: Option<Vec<_>> =
            cidrs.iter().map(|cidr| Some(networks(cidr)).filter(|networks| !networks.is_empty())).collect();
        Some(Places { hosts: hosts?, networks: networks?.concat() })
    }
}
