//! The shape of a policy file: its maps, keys and words. What a single value may say is checked where it is read;
//! what several say together, in `compile`.

use super::amount::{Burst, Bytes, Count};
use super::decode::{Any, At, Entries, Field, Items, Note, Shape, Stop, Text, each, object};
use super::finding::{Findings, code};
use super::period::Period;
use super::settings::{AuditAllowed, AuditPath, Detail, Mode, RemoveBy, VerifyRoute};
use super::target_document::{Region, TargetDoc};
use super::value::{
    Expiry, HeaderToRemove, Id, Port, Secret, ServiceAccount, SpiffeId, Switch, True, TrustDomain, WorkloadPart,
};
use super::words::{not_a_word, words};
use crate::model::HostPattern;
use crate::quota::{By, Overrun};
use crate::request::Source;

object! {
    /// An entry of `rules`.
    RuleDoc<'a>, "a rule" {
        "id" => id: Id<'a>,
        "from" => from: Vec<At<SelectorDoc<'a>>>,
        "to" => to: Vec<At<TargetDoc<'a>>>,
        "expiresAt" => expires_at: Expiry,
        "owner" => owner: Note,
        "reason" => reason: Note,
        "ticket" => ticket: Note,
    }
}

object! {
    /// An entry of `deny`.
    DenyDoc<'a>, "a deny entry" {
        "id" => id: Id<'a>,
        "from" => from: Vec<At<SelectorDoc<'a>>>,
        "to" => to: Vec<At<TargetDoc<'a>>>,
        "except" => except: Vec<At<TargetDoc<'a>>>,
        "notFrom" => not_from: Vec<At<SelectorDoc<'a>>>,
        "mode" => mode: Mode,
        "owner" => owner: Note,
        "reason" => reason: Note,
        "ticket" => ticket: Note,
    }
}

object! {
    /// An entry of `residency`.
    ResidencyDoc<'a>, "a residency entry" {
        "id" => id: Id<'a>,
        "from" => from: Vec<At<SelectorDoc<'a>>>,
        "regions" => regions: Vec<Region<'a>>,
        "owner" => owner: Note,
        "reason" => reason: Note,
        "ticket" => ticket: Note,
    }
}

object! {
    /// An entry of `quotas`.
    QuotaDoc<'a>, "a quota" {
        "id" => id: Id<'a>,
        "from" => from: Vec<At<SelectorDoc<'a>>>,
        "to" => to: Vec<At<TargetDoc<'a>>>,
        "by" => by: By,
        "limit" => limit: LimitDoc<'a>,
        "scope" => scope: Scope,
        "overrun" => overrun: Overrun,
        "mode" => mode: Mode,
        "owner" => owner: Note,
        "reason" => reason: Note,
        "ticket" => ticket: Note,
    }
}

object! {
    /// `limit` of a quota.
    LimitDoc<'a>, "a map with a unit and `per`" {
        "requests" => requests: Count,
        "bytesOut" => bytes_out: Bytes,
        "bytesIn" => bytes_in: Bytes,
        "bytes" => bytes: Bytes,
        "concurrent" => concurrent: Count,
        "per" => per: Period<'a>,
        "burst" => burst: Burst,
    }
}

object! {
    /// An element of `from`, `notFrom`, `dryRunFor` and of a set in `workloads`.
    SelectorDoc<'a>, "a selector" {
        "spiffe" => spiffe: SpiffeId<'a>,
        "serviceAccount" => service_account: ServiceAccount<'a>,
        "namespace" => namespace: WorkloadPart<'a>,
        "workloads" => workloads: Text<'a>,
        "any" => any: True,
        "anonymous" => anonymous: True,
        "trustDomain" => trust_domain: TrustDomain<'a>,
        "until" => until: Expiry,
    }
}

object! {
    IdentityDoc<'a>, "a map with `sources` and `trustDomains`" {
        "sources" => sources: Vec<Source>,
        "trustDomains" => trust_domains: Vec<TrustDomain<'a>>,
    }
}

object! {
    AuthorityDoc<'a>, "a map with `defaultPort` and `verifyRoute`" {
        "defaultPort" => default_port: Port,
        "verifyRoute" => verify_route: VerifyRoute,
    }
}

object! {
    TcpDoc<'a>, "a map with `port`, `self`, `http` and `rendered`" {
        "port" => port: Port,
        "self" => own: Any<At<HostPattern<'a>>>,
        "http" => http: Switch,
        "rendered" => rendered: Switch,
    }
}

object! {
    ResponseDoc<'a>, "a map with `detail` and `docsUrl`" {
        "detail" => detail: Detail,
        "docsUrl" => docs_url: Text<'a>,
    }
}

object! {
    RequestHeadersDoc<'a>, "a map with `remove`, `keep` and `by`" {
        "remove" => remove: Vec<HeaderToRemove>,
        "keep" => keep: Vec<HeaderToRemove>,
        "by" => by: RemoveBy,
    }
}

object! {
    TripwireDoc<'a>, "a map with `header` and `values`" {
        "header" => header: HeaderToRemove,
        "values" => values: Vec<Secret<'a>>,
    }
}

object! {
    AuditDoc<'a>, "a map with `allowed` and `path`" {
        "allowed" => allowed: AuditAllowed,
        "path" => path: AuditPath,
    }
}

object! {
    MetricsDoc<'a>, "a map with `by`" {
        "by" => by: Any<MetricLabel>,
    }
}

words! { Mode, "`enforce` or `dry-run`" {
    "enforce" => Mode::Enforce,
    "dry-run" => Mode::DryRun,
}}

words! { Detail, "`none`, `reason` or `full`" {
    "none" => Detail::None,
    "reason" => Detail::Reason,
    "full" => Detail::Full,
}}

words! { AuditAllowed, "`all` or `none`" {
    "all" => AuditAllowed::All,
    "none" => AuditAllowed::None,
}}

words! { AuditPath, "`full`, `pattern` or `none`" {
    "full" => AuditPath::Full,
    "pattern" => AuditPath::Pattern,
    "none" => AuditPath::None,
}}

words! { RemoveBy, "`filter` or `routes`" {
    "filter" => RemoveBy::Filter,
    "routes" => RemoveBy::Routes,
}}

words! { Source, "`peer-certificate` or `peer-principal`" {
    "peer-certificate" => Source::PeerCertificate,
    "peer-principal" => Source::PeerPrincipal,
}}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum MetricLabel {
    Rule,
    Namespace,
    Destination,
}

words! { MetricLabel, "`rule`, `namespace` or `destination`" {
    "rule" => MetricLabel::Rule,
    "namespace" => MetricLabel::Namespace,
    "destination" => MetricLabel::Destination,
}}

/// Keeper of a quota's state.
#[derive(Debug)]
pub(super) enum Scope {
    Gateway,
    Fleet,
}

words! { Scope, "`gateway` or `fleet`" {
    "gateway" => Scope::Gateway,
    "fleet" => Scope::Fleet,
}}

words! { Overrun, "`cut` or `finish`" {
    "cut" => Overrun::Cut,
    "finish" => Overrun::Finish,
}}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BucketKey {
    Identity,
    Namespace,
    Destination,
}

words! { BucketKey, "`identity`, `namespace` or `destination`" {
    "identity" => BucketKey::Identity,
    "namespace" => BucketKey::Namespace,
    "destination" => BucketKey::Destination,
}}

/// The one list of a map that may be empty: a bucket for everyone.
impl<'de> Shape<'de> for By {
    const EXPECTED: &'static str = "a list of `identity`, `namespace` and `destination`";
    fn list(items: Items<'_, 'de>, findings: &mut Findings<'de>) -> Result<Option<Self>, Stop> {
        let mut by = By::default();
        each::<BucketKey>(items, findings, |key, findings| {
            let (listed, word) = match key {
                BucketKey::Identity => (&mut by.identity, "identity"),
                BucketKey::Namespace => (&mut by.namespace, "namespace"),
                BucketKey::Destination => (&mut by.destination, "destination"),
            };
            if std::mem::replace(listed, true) {
                findings.error::<()>(code::DUPLICATE, format!("`{word}` is listed twice"), "remove one".to_owned());
            }
        })?;
        Ok(Some(by))
    }
}

impl<'de> Shape<'de> for VerifyRoute {
    const EXPECTED: &'static str = "`off`, `host` or `full`";

    fn text(text: Text<'de>, findings: &mut Findings<'de>) -> Option<Self> {
        match &*text {
            "off" => Some(VerifyRoute::Off),
            "host" => Some(VerifyRoute::Host),
            "full" => Some(VerifyRoute::Full),
            other => not_a_word(other, &["off", "host", "full"], findings),
        }
    }

    /// `true` and `false`, from before there was `host`.
    fn boolean(full: bool, _: &mut Findings<'de>) -> Option<Self> {
        Some(if full { VerifyRoute::Full } else { VerifyRoute::Off })
    }
}
