//! A policy as it is written: every entry with all that people said in it, owners and reasons too.
//!
//! The compiled [`Policy`](tollgate::policy::Policy) keeps what decisions need; lint, explanations, differences and reports
//! need the text's own words. These types are also where the JSON Schema of the language comes from: what stands
//! above a field is what an editor shows of its key.

mod defaults;
mod entries;
mod protocol;
mod settings;
mod values;

pub(crate) use entries::{Deny, Destination, Limit, Quota, Residency, Rule, Selector, Target};
pub(crate) use protocol::Protocol;
pub(crate) use settings::{
    Audit, AuditPath, Authority, Detail, Identity, Metrics, RequestHeaders, Response, RouteWord, Source, Tcp, Tripwire,
};
pub(crate) use values::{Amount, By, Mode, Overrun, Ports, Tls};

use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use tollgate::policy::{HostPattern, Network, TargetContext, unpack};

/// Who may reach which external host, port, method and path through the egress gateway, and how much of it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(title = "Tollgate policy")]
pub(crate) struct Document {
    /// Version of the policy language.
    #[schemars(range(min = 1, max = 1))]
    pub(crate) version: u64,
    /// Name of the policy: in every record and in every quota's key.
    #[schemars(with = "values::Id")]
    pub(crate) name: String,
    /// What tells this state of the policy from others, in every record. `tollgate render` fills it in.
    #[schemars(regex(pattern = r"^[A-Za-z0-9._-]{1,64}$"))]
    pub(crate) revision: Option<String>,
    /// The other keys, packed: raw DEFLATE in base64. Written by tools.
    #[schemars(regex(pattern = r"^deflate;[A-Za-z0-9+/]*={0,2}$"))]
    pub(crate) packed: Option<String>,
    /// `dry-run` lets through what would be denied, and records why. It suspends no deny entry.
    #[serde(default)]
    pub(crate) mode: Mode,
    /// Identities still being onboarded: what no rule admits of theirs is let through and recorded.
    #[serde(default)]
    #[schemars(with = "Vec<entries::Onboarded>")]
    pub(crate) dry_run_for: Vec<Selector>,
    /// Where identities come from.
    #[serde(default)]
    pub(crate) identity: Identity,
    /// Named sets of selectors, for `workloads: NAME`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, values::NotEmpty<Selector>>")]
    pub(crate) workloads: BTreeMap<String, Vec<Selector>>,
    /// How the authority of a request is read.
    #[serde(default)]
    pub(crate) authority: Authority,
    /// Readings of TCP connections.
    #[serde(default)]
    pub(crate) tcp: Tcp,
    /// Named places, for `destination: NAME`.
    #[serde(default)]
    pub(crate) destinations: BTreeMap<String, Destination>,
    /// What nobody may reach, whatever the rules say; the first entry that matches decides.
    #[serde(default)]
    pub(crate) deny: Vec<Deny>,
    /// What may be reached, and by whom. What no rule admits is denied.
    #[serde(default)]
    pub(crate) rules: Vec<Rule>,
    /// Identities that may reach only destinations of certain regions.
    #[serde(default)]
    pub(crate) residency: Vec<Residency>,
    /// The most gateway pods there will be: every limit is divided by it.
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    pub(crate) replicas: Option<u64>,
    /// How much may be used: rates, calendar windows, bytes and requests in flight.
    #[serde(default)]
    pub(crate) quotas: Vec<Quota>,
    /// What a denied caller is told.
    #[serde(default)]
    pub(crate) response: Response,
    /// Request headers that no external server gets to see.
    #[serde(default)]
    pub(crate) request_headers: RequestHeaders,
    /// A header that proves to the proxy behind the filter that the filter was there.
    pub(crate) tripwire: Option<Tripwire>,
    /// What records say.
    #[serde(default)]
    pub(crate) audit: Audit,
    /// Labels of the request counter.
    #[serde(default)]
    pub(crate) metrics: Metrics,
}

impl Document {
    /// Reads the JSON text of a policy that the checker found valid; none for any other.
    pub(crate) fn read(json: &str) -> Option<Document> {
        let whole: Document = serde_json::from_str(json).ok()?;
        let Some(packed) = &whole.packed else { return whole.with_values() };
        let mut rest: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(&unpack(packed).ok()?).ok()?;
        rest.insert("version".to_owned(), whole.version.into());
        rest.insert("name".to_owned(), whole.name.clone().into());
        let unpacked: Document = serde_json::from_value(rest.into()).ok()?;
        Document { revision: whole.revision, packed: whole.packed, ..unpacked }.with_values()
    }

    /// Fills in what targets and destinations say as values; none where something is no value of the language.
    fn with_values(mut self) -> Option<Document> {
        self.destinations.values_mut().try_for_each(Destination::fill_in)?;
        let rules = self.rules.iter_mut().flat_map(|rule| &mut rule.to);
        let mut all: Vec<(TargetContext, &mut Target)> = rules.map(|target| (TargetContext::Rule, target)).collect();
        for deny in &mut self.deny {
            all.extend(deny.to.iter_mut().map(|target| (TargetContext::Closing, target)));
            all.extend(deny.except.iter_mut().map(|target| (TargetContext::Exception, target)));
        }
        let quotas = self.quotas.iter_mut().flat_map(|quota| &mut quota.to);
        all.extend(quotas.map(|target| (TargetContext::Closing, target)));
        for (context, target) in all {
            let (ports, server_first) = match target.destination.as_ref().and_then(|name| self.destinations.get(name)) {
                Some(destination) => (destination.ports.as_ref(), destination.server_first),
                None => (target.ports.as_ref(), false),
            };
            let ports = ports.map(Ports::set);
            target.fill_in(context, ports, server_first)?;
        }
        Some(self)
    }

    /// Where a target points: its own words, or those of the destination that it names.
    pub(crate) fn place<'d>(&'d self, target: &'d Target) -> Place<'d> {
        match target.destination.as_ref().and_then(|name| self.destinations.get(name)) {
            Some(destination) => Place {
                hosts: &destination.hosts,
                cidrs: &destination.cidrs,
                patterns: &destination.places.hosts,
                networks: &destination.places.networks,
                ports: destination.ports.as_ref(),
                region: destination.region.as_deref(),
                tls: destination.tls,
                protocol: destination.protocol,
            },
            None => Place {
                hosts: &target.hosts,
                cidrs: &target.cidrs,
                patterns: &target.places.hosts,
                networks: &target.places.networks,
                ports: target.ports.as_ref(),
                region: target.region.as_deref(),
                tls: target.tls,
                protocol: None,
            },
        }
    }

    /// The selectors of a list, those of its sets in their place.
    pub(crate) fn selectors<'d>(&'d self, listed: &'d [Selector]) -> impl Iterator<Item = &'d Selector> {
        listed.iter().flat_map(|selector| match selector.workloads.as_ref().and_then(|name| self.workloads.get(name)) {
            Some(set) => set.as_slice(),
            None => std::slice::from_ref(selector),
        })
    }
}

/// Hosts, networks and ports, and how they are reached, wherever they are written. What is empty was not given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'d> {
    pub(crate) hosts: &'d [String],
    pub(crate) cidrs: &'d [String],
    /// The hosts as values, one for each.
    pub(crate) patterns: &'d [HostPattern<'static>],
    /// The networks that the CIDRs stand for.
    pub(crate) networks: &'d [Network],
    pub(crate) ports: Option<&'d Ports>,
    pub(crate) region: Option<&'d str>,
    pub(crate) tls: Option<Tls>,
    pub(crate) protocol: Option<Protocol>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate::policy::{PathPattern, PortRange};

    const POLICY: &str = r#"{
        "version": 1, "name": "p",
        "destinations": {"d": {"hosts": ["D.test.", "**"], "cidrs": ["192.0.2.0/24", "private"], "ports": [8443], "serverFirst": true}},
        "rules": [{"id": "r", "from": [{"any": true}], "to": [
            {"hosts": ["a.test"], "methods": ["POST", "GET"], "paths": ["/caf%c3%a9"], "upgrades": ["websocket"]},
            {"destination": "d", "paths": ["/a%2Fb"], "encodedSlash": "data"}]}],
        "deny": [{"id": "n", "to": [{"hosts": ["a.test"]}], "except": [{"hosts": ["a.test"]}]}],
        "quotas": [{"id": "q", "to": [{"destination": "d"}], "limit": {"requests": 1, "per": "1s"}}]
    }"#;

    #[test]
    fn the_terms_of_a_target_are_those_of_its_list_and_place() {
        let document = Document::read(POLICY).unwrap();
        let ports = tollgate::policy::Ports::of(PortRange::new(8443, 8443));
        let [rule, named] = [0, 1].map(|item| document.rules[0].to[item].terms());
        assert_eq!((rule.context(), rule.ports()), (TargetContext::Rule, &tollgate::policy::Ports::usual()));
        assert_eq!(rule.methods().collect::<Vec<_>>(), ["GET", "POST"]);
        assert_eq!(rule.paths().iter().map(PathPattern::text).collect::<Vec<_>>(), ["/caf%C3%A9"]);
        assert!(rule.options().websocket && !named.options().websocket);
        assert_eq!(named.ports(), &ports);
        assert!(named.options().server_first && !rule.options().server_first);
        assert_eq!(named.options().encoded_slash, tollgate::policy::EncodedSlash::Data);
        let deny = &document.deny[0];
        assert_eq!(deny.to[0].terms().context(), TargetContext::Closing);
        assert!(deny.to[0].terms().takes_everything());
        assert_eq!(deny.except[0].terms().context(), TargetContext::Exception);
        let quota = document.quotas[0].to[0].terms();
        assert_eq!((quota.context(), quota.ports()), (TargetContext::Closing, &ports));
    }

    #[test]
    fn hosts_and_networks_of_a_target_are_those_of_its_destination() {
        let document = Document::read(POLICY).unwrap();
        let place = document.place(&document.rules[0].to[1]);
        assert_eq!(place.patterns.iter().map(HostPattern::to_string).collect::<Vec<_>>(), ["d.test", "**"]);
        assert_eq!(place.networks[0].to_string(), "192.0.2.0/24");
        assert_eq!(place.networks[1..], tollgate::policy::networks("private"));
        let own = document.place(&document.deny[0].to[0]);
        assert_eq!((own.patterns[0].to_string(), own.networks), ("a.test".to_owned(), &[][..]));
    }

    #[test]
    fn what_is_no_value_makes_no_document() {
        for (good, bad) in
            [("/caf%c3%a9", "/a?b"), ("a.test", "a test"), ("D.test.", "d:1"), ("private", "010.0.0.0/8")]
        {
            assert!(Document::read(&POLICY.replace(good, bad)).is_none(), "{bad}");
        }
    }
}
