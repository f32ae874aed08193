//! Settings, which a policy has besides its entries: how the filter reads identities, answers, records and counts.

use crate::request::Source;
use std::fmt;

/// The settings of a policy, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Name of the policy.
    pub name: String,
    /// Revision, if the policy states one.
    pub revision: Option<String>,
    /// Enforce, or let through and record.
    pub mode: Mode,
    /// Sources of identities, tried in order; never empty.
    pub sources: Vec<Source>,
    /// Trust domains whose identities count; the first is the mesh's own. Never empty.
    pub trust_domains: Vec<String>,
    /// Port of an authority that names none.
    pub default_port: u16,
    /// Extent to which the routed cluster is compared with the authority; none where the policy leaves that to the source of
    /// the identity.
    pub verify_route: Option<VerifyRoute>,
    /// TCP connections.
    pub tcp: TcpSettings,
    /// Detail that a denied caller is told.
    pub detail: Detail,
    /// Address where people read on; in denials.
    pub docs_url: Option<String>,
    /// Request headers that no upstream gets, the tripwire's excepted.
    pub remove: Vec<HeaderName>,
    /// The one that removes them.
    pub remove_by: RemoveBy,
    /// The header that proves the filter's presence.
    pub tripwire: Option<Tripwire>,
    /// Admitted requests that get a full record.
    pub audit_allowed: AuditAllowed,
    /// Part of the path that a record has.
    pub audit_path: AuditPath,
    /// Labels of the request counter besides decision and reason.
    pub by: MetricLabels,
}

/// Readings of TCP connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpSettings {
    /// Port of a connection that was led to a host without one.
    pub port: u16,
    /// Names of the gateway itself: who was led to one of them is decided by the server name of the caller's own TLS.
    pub own: Vec<String>,
    /// Leads connections that begin as HTTP to the filter for HTTP.
    pub http: bool,
    /// Leads connections to clusters whose names no control plane makes.
    pub rendered: bool,
}

impl Default for TcpSettings {
    fn default() -> TcpSettings {
        TcpSettings { port: 443, own: Vec::new(), http: false, rendered: false }
    }
}

/// Header names to remove, in lower case and with `-` for every `_`: servers that read the two alike take the header
/// in any spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderName {
    /// This header.
    Exact(String),
    /// Every header whose name begins so (written `x-envoy-*`).
    Prefix(String),
}

/// The one that removes request headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RemoveBy {
    /// The filter.
    #[default]
    Filter,
    /// The routes, which were rendered so; left to the filter are other spellings of the names, and trailers.
    Routes,
}

/// Extent to which the routed cluster is compared with the authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyRoute {
    /// Not at all.
    Off,
    /// By its host: for listeners whose routes go by the authority's port.
    Host,
    /// By its host and its port.
    Full,
}

impl fmt::Display for HeaderName {
    /// As a policy writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeaderName::Exact(name) => f.write_str(name),
            HeaderName::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
}

/// Enforcement of denials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// They are.
    #[default]
    Enforce,
    /// They are recorded only.
    DryRun,
}

/// Detail that a denied caller is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Nothing: an empty body.
    None,
    /// The reason, without rule ids and the identity.
    #[default]
    Reason,
    /// Everything.
    Full,
}

/// Admitted requests that get a full record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuditAllowed {
    /// All of them.
    #[default]
    All,
    /// None: the record says only that it was admitted.
    None,
}

/// Part of the path that a record has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuditPath {
    /// The path without its query.
    #[default]
    Full,
    /// The pattern that admitted it; for a denial nothing.
    Pattern,
    /// Nothing.
    None,
}

/// Labels of the request counter besides decision and reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetricLabels {
    /// The id that decided.
    pub rule: bool,
    /// The namespace of the caller.
    pub namespace: bool,
    /// The named destination.
    pub destination: bool,
}

/// A header that only the filter can have set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tripwire {
    /// Lower-case header name.
    pub header: String,
    /// At least one secret; the first is sent.
    pub values: Vec<String>,
}

impl Settings {
    /// Tells whether identities are taken from the mesh's tunnel.
    pub fn reads_principals(&self) -> bool {
        self.sources.contains(&Source::PeerPrincipal)
    }
}

impl Default for Settings {
    fn default() -> Self {
        let exact = |name: &str| HeaderName::Exact(name.to_owned());
        Settings {
            name: String::new(),
            revision: None,
            mode: Mode::default(),
            sources: vec![Source::PeerCertificate],
            trust_domains: vec!["cluster.local".to_owned()],
            default_port: 443,
            verify_route: None,
            tcp: TcpSettings::default(),
            detail: Detail::default(),
            docs_url: None,
            remove: vec![
                exact("x-forwarded-client-cert"),
                exact("x-forwarded-for"),
                exact("x-forwarded-host"),
                exact("x-host"),
                exact("x-original-host"),
                exact("forwarded"),
                HeaderName::Prefix("x-envoy-".to_owned()),
            ],
            remove_by: RemoveBy::default(),
            tripwire: None,
            audit_allowed: AuditAllowed::default(),
            audit_path: AuditPath::default(),
            by: MetricLabels::default(),
        }
    }
}
