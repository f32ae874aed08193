//! Configurations: what each instance of the plugin serves, and what becomes of a bad policy.
//!
//! Envoy tries a configuration in a VM of its own on the main thread, the canary, and hands it to the VMs that serve
//! only if the canary accepts it. A serving VM that refused would be given up with all its streams, so the refusal
//! has to come from the canary, which is new and remembers nothing. The mark that a plugin has had a good policy
//! therefore lies in shared data:
//!
//! | bad policy, in a VM | marked | not marked |
//! |---|---|---|
//! | where another instance of the plugin serves a good one | accept, serve that | accept, serve that |
//! | that has none (the canary, or one rebuilt after a crash) | refuse: Envoy keeps what it has | accept, answer `POLICY_INVALID` |
//!
//! The first row is needed since Envoy remembers a canary's verdict for as long as the plugin lives: a first bad
//! policy that was accepted is not tried again when it comes back after a good one.

use std::rc::Rc;

use tollgate::policy::Policy;
use xxhash_rust::xxh64::Xxh64;

use crate::host::{Failure, Host, Level, MetricId};
use crate::metrics::{self, Requests};
use crate::removal::Removal;

/// The name of plugins that would filter TCP.
const TCP: &str = "tollgate-tcp";

/// How many findings of a rejected policy are logged; `tollgate check` shows all.
const FINDINGS: usize = 10;

/// A policy, and what was computed from it.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) policy: Policy,
    pub(crate) removal: Removal,
    pub(crate) requests: Requests,
}

/// One instance of the plugin: a root context, as the ABI calls it. Every update makes a new one.
#[derive(Debug)]
pub(crate) struct Root {
    id: u32,
    /// What several instances have in common, across updates.
    plugin: String,
    serving: Option<Rc<Serving>>,
    /// Counts the requests refused while nothing is served.
    refused: Option<MetricId>,
}

impl Root {
    /// What is served; nothing before there is a good policy.
    pub(crate) fn serving(&self) -> Option<&Serving> {
        self.serving.as_deref()
    }

    /// Counts the requests refused while nothing is served.
    pub(crate) fn refused(&self) -> Option<MetricId> {
        self.refused
    }
}

/// The instances in this VM.
#[derive(Debug, Default)]
pub(crate) struct Roots(Vec<Root>);

impl Roots {
    /// An instance.
    pub(crate) fn find(&self, id: u32) -> Option<&Root> {
        self.0.iter().find(|root| root.id == id)
    }

    /// Configures an instance and says whether Envoy may use it.
    pub(crate) fn configure(&mut self, host: &mut impl Host, id: u32, size: usize) -> bool {
        // Nobody tells of instances that are gone: a callback for it would be called for every request too. Looking
        // before a policy is read leaves room for it where the last but one lay.
        self.0.retain(|root| root.id == id || host.knows(root.id, id));
        let began = host.now();
        let plugin = match Plugin::read(host) {
            Ok(plugin) => plugin,
            Err(failure) => {
                return self.reject(host, id, Plugin::default(), &[format!("the plugin's name: {failure}")]);
            }
        };
        if plugin.is_tcp() {
            host.log(
                Level::Error,
                "a plugin named `tollgate-tcp` would filter TCP, which this module does not do yet; not loaded",
            );
            return false;
        }
        let text = match configuration(host, size) {
            Ok(text) => text,
            Err(complaint) => return self.reject(host, id, plugin, &[complaint]),
        };
        let loaded = Policy::load(&text);
        let fingerprint = fingerprint(&text);
        drop(text);
        match loaded {
            Ok(policy) => {
                self.accept(host, id, plugin, policy, fingerprint);
                if let (Some(root), Ok(began), Ok(now)) = (self.find(id), began, host.now()) {
                    root.log_loaded(host, now.saturating_sub(began) / 1_000_000);
                }
                true
            }
            Err(rejection) => {
                let mut complaints: Vec<String> =
                    rejection.findings.iter().take(FINDINGS).map(|finding| finding.to_string()).collect();
                let more = rejection.findings.len().saturating_sub(complaints.len());
                if more > 0 {
                    complaints.push(format!("and {more} more; `tollgate check` shows them all"));
                }
                self.reject(host, id, plugin, &complaints)
            }
        }
    }

    fn accept(&mut self, host: &mut impl Host, id: u32, plugin: Plugin, policy: Policy, fingerprint: u64) {
        let removal = Removal::new(policy.settings());
        let (requests, uncounted) = Requests::define(host, &policy);
        let rules = u64::try_from(policy.rule_count()).unwrap_or(u64::MAX);
        let told = [
            uncounted.map_or(Ok(()), Err),
            metrics::gauge(host, "tollgate_policy_rules", rules),
            metrics::gauge(host, "tollgate_policy_fingerprint", fingerprint),
            metrics::gauge(host, "tollgate_policy_valid", 1),
            metrics::count(host, "result=.=loaded;.;tollgate_policy_loads_total"),
        ];
        warn_uncounted(host, told);
        // Without the mark a later bad policy would be answered by refusing requests: closed, so not worth refusing
        // this one.
        if let Err(failure) = host.set_shared(&plugin.mark(), b"1") {
            host.log(Level::Warn, &format!("cannot mark that a good policy is loaded: {failure}"));
        }
        let serving = Some(Rc::new(Serving { policy, removal, requests }));
        self.put(Root { id, plugin: plugin.key(), serving, refused: None });
    }

    /// See the table at the top.
    fn reject(&mut self, host: &mut impl Host, id: u32, plugin: Plugin, complaints: &[String]) -> bool {
        let key = plugin.key();
        let last_good = self.0.iter().rev().filter(|root| root.plugin == key).find_map(|root| root.serving.clone());
        let (accepted, consequence) = if last_good.is_some() {
            (true, "the last good one keeps serving")
        } else if matches!(host.shared(&plugin.mark()), Ok(Some(_))) {
            (false, "what served before keeps serving")
        } else {
            (true, "every request is refused with POLICY_INVALID until there is a good one")
        };
        for complaint in complaints {
            host.log(Level::Error, &format!("policy rejected, {consequence}: {complaint}"));
        }
        let mut told = vec![metrics::count(host, "result=.=rejected;.;tollgate_policy_loads_total")];
        let mut refused = None;
        if accepted && last_good.is_none() {
            let counter = Requests::without_policy(host);
            refused = counter.ok();
            told.extend([counter.map(|_| ()), metrics::gauge(host, "tollgate_policy_valid", 0)]);
        }
        warn_uncounted(host, told);
        self.put(Root { id, plugin: key, serving: last_good, refused });
        accepted
    }

    fn put(&mut self, root: Root) {
        self.0.retain(|old| old.id != root.id);
        self.0.push(root);
    }
}

impl Root {
    fn log_loaded(&self, host: &mut impl Host, milliseconds: u64) {
        let Some(serving) = self.serving() else { return };
        let settings = serving.policy.settings();
        let revision = settings.revision.as_deref().unwrap_or("none");
        let rules = serving.policy.rule_count();
        host.log(
            Level::Info,
            &format!("policy loaded: {}, revision {revision}, {rules} rules, {milliseconds} ms", settings.name),
        );
    }
}

/// How Envoy's configuration names the plugin.
#[derive(Debug, Default)]
struct Plugin {
    name: String,
    root_id: String,
}

impl Plugin {
    fn read(host: &mut impl Host) -> Result<Plugin, Failure> {
        let mut property = |path| {
            let value = host.property(path)?.unwrap_or_default();
            Ok(String::from_utf8_lossy(&value).into_owned())
        };
        Ok(Plugin { name: property("plugin_name")?, root_id: property("plugin_root_id")? })
    }

    /// Whether it is named `tollgate-tcp`: by its root id (Istio's `pluginName`), or by its name, which Istio makes
    /// `NAMESPACE.NAME` or `NAMESPACE.NAME~ORIGIN`.
    fn is_tcp(&self) -> bool {
        let name = self.name.split('~').next().unwrap_or_default();
        self.root_id == TCP || name == TCP || name.rsplit('.').next() == Some(TCP)
    }

    fn key(&self) -> String {
        [&self.name, "/", &self.root_id].concat()
    }

    /// The key in shared data, which all plugins of the process may use, of the mark that this plugin has had a good
    /// policy.
    fn mark(&self) -> String {
        ["tollgate/1/@loaded/", &self.key()].concat()
    }
}

fn configuration(host: &mut impl Host, size: usize) -> Result<Vec<u8>, String> {
    if size == 0 {
        return Ok(Vec::new());
    }
    let text = host.configuration(size).map_err(|failure| format!("the configuration: {failure}"))?;
    if text.len() == size { Ok(text) } else { Err(format!("the configuration: {} of {size} bytes", text.len())) }
}

/// The first 48 bits of the text's XXH64: a number that a metric can hold exactly.
fn fingerprint(text: &[u8]) -> u64 {
    let mut hash = Xxh64::new(0);
    // In pieces: V8 optimises a function for its next call, never in the middle of a long one.
    text.chunks(1 << 14).for_each(|piece| hash.update(piece));
    hash.digest() >> 16
}

fn warn_uncounted(host: &mut impl Host, told: impl IntoIterator<Item = Result<(), Failure>>) {
    if let Some(failure) = told.into_iter().find_map(Result::err) {
        host.log(Level::Warn, &format!("some metrics are not counted: {failure}"));
    }
}
