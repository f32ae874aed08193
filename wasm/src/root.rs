//! Configurations: what each instance of the plugin serves, and what becomes of a bad policy.
//!
//! Envoy tries a configuration in a VM of its own on the main thread, the canary, and hands it to the VMs that serve
//! only if the canary accepts it. A serving VM that refused would be given up with all its streams, so the refusal
//! has to come from the canary, which is new and remembers nothing. The mark that a plugin has had a good policy
//! therefore lies in shared data:
//!
//! | bad policy, in a VM | marked | not marked |
//! |---|---|---|
//! | that has the plugin's last good one | accept, serve that | accept, serve that |
//! | that has none (the canary, or one rebuilt after a crash) | refuse: Envoy keeps what it has | accept, answer `POLICY_INVALID` |
//!
//! The first row is needed since Envoy remembers a canary's verdict, and often the instance too: a first bad policy,
//! which was accepted, is not tried again when it comes back after a good one. So an instance without a policy of its
//! own looks for the last good one at every request. It must bear the same policy name: two plugins of one Envoy that
//! bear the same plugin name by mistake do not serve each other's policies.

use std::rc::Rc;

use serde::Deserialize;
use tollgate::policy::{Policy, Rejection};
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
struct Root {
    id: u32,
    /// [`Plugin::key`].
    plugin: String,
    state: State,
}

#[derive(Debug)]
enum State {
    Good(Rc<Serving>),
    Bad {
        /// The policy's name, if it could be read.
        name: Option<String>,
        /// Counts the requests refused for want of a policy.
        refused: Option<MetricId>,
    },
}

/// What an instance does with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Service<'a> {
    /// It decides.
    Decide(&'a Serving),
    /// It refuses for want of a policy, and counts that.
    Refuse(Option<MetricId>),
}

/// The instances in this VM, the newest last.
#[derive(Debug, Default)]
pub(crate) struct Roots {
    roots: Vec<Root>,
    /// The policy that each plugin loaded last.
    last_good: Vec<(String, Rc<Serving>)>,
}

impl Roots {
    /// What an instance does with a request; one that is not configured refuses it.
    pub(crate) fn service(&self, id: u32) -> Service<'_> {
        let Some(root) = self.roots.iter().find(|root| root.id == id) else { return Service::Refuse(None) };
        match &root.state {
            State::Good(serving) => Service::Decide(serving),
            State::Bad { name, refused } => {
                self.last_good(&root.plugin, name.as_deref()).map_or(Service::Refuse(*refused), Service::Decide)
            }
        }
    }

    /// Configures an instance and says whether Envoy may use it.
    pub(crate) fn configure(&mut self, host: &mut impl Host, id: u32, size: usize) -> bool {
        self.roots.retain(|root| root.id != id);
        let began = host.now();
        let plugin = match Plugin::read(host) {
            Ok(plugin) => plugin,
            Err(failure) => {
                let complaint = format!("the plugin's name: {failure}");
                return self.reject(host, id, Plugin::default(), None, &[complaint]);
            }
        };
        if plugin.is_tcp() {
            host.log(
                Level::Error,
                "a plugin named `tollgate-tcp` would filter TCP, which this module cannot: not loaded",
            );
            return false;
        }
        self.forget(host, id, &plugin.key());
        let text = match configuration(host, size) {
            Ok(text) => text,
            Err(complaint) => return self.reject(host, id, plugin, None, &[complaint]),
        };
        match Policy::load(&text) {
            Ok(policy) => {
                let fingerprint = fingerprint(&text);
                drop(text);
                let serving = self.accept(host, id, plugin, policy, fingerprint);
                serving.log_loaded(host, began);
                true
            }
            Err(rejection) => {
                let name = serde_json::from_slice(&text).ok().map(|Named { name }| name);
                self.reject(host, id, plugin, name, &complaints(&rejection))
            }
        }
    }

    /// Drops what instances held that are gone, but for what the plugin that is being configured may need.
    ///
    /// Nobody tells of their end: a callback for it would be called at the end of every request too. Looking before a
    /// policy is read makes its room out of that of the last but one.
    fn forget(&mut self, host: &mut impl Host, current: u32, plugin: &str) {
        self.roots.retain(|root| host.knows(root.id, current));
        let roots = &self.roots;
        self.last_good.retain(|(of, _)| of == plugin || roots.iter().any(|root| root.plugin == *of));
    }

    fn accept(
        &mut self,
        host: &mut impl Host,
        id: u32,
        plugin: Plugin,
        policy: Policy,
        fingerprint: u64,
    ) -> Rc<Serving> {
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
        // Without the mark the canary accepts a later bad policy, whose instances then find the last good one here.
        if let Err(failure) = host.set_shared(&plugin.mark(), b"1") {
            host.log(Level::Warn, &format!("cannot mark that a good policy is loaded: {failure}"));
        }
        let serving = Rc::new(Serving { policy, removal, requests });
        let plugin = plugin.key();
        self.last_good.retain(|(of, _)| *of != plugin);
        self.last_good.push((plugin.clone(), Rc::clone(&serving)));
        self.roots.push(Root { id, plugin, state: State::Good(Rc::clone(&serving)) });
        serving
    }

    /// See the table at the top.
    fn reject(
        &mut self,
        host: &mut impl Host,
        id: u32,
        plugin: Plugin,
        name: Option<String>,
        complaints: &[String],
    ) -> bool {
        let key = plugin.key();
        let keeps = self.last_good(&key, name.as_deref()).is_some();
        let refuses = !keeps && matches!(host.shared(&plugin.mark()), Ok(Some(_)));
        let consequence = if keeps || refuses {
            "the last good one keeps serving"
        } else {
            "every request is refused with POLICY_INVALID until there is a good one"
        };
        for complaint in complaints {
            host.log(Level::Error, &format!("policy rejected, {consequence}: {complaint}"));
        }
        let counter = Requests::without_policy(host);
        let mut told =
            vec![counter.map(|_| ()), metrics::count(host, "result=.=rejected;.;tollgate_policy_loads_total")];
        if !keeps && !refuses {
            told.push(metrics::gauge(host, "tollgate_policy_valid", 0));
        }
        warn_uncounted(host, told);
        self.roots.push(Root { id, plugin: key, state: State::Bad { name, refused: counter.ok() } });
        !refuses
    }

    fn last_good(&self, plugin: &str, name: Option<&str>) -> Option<&Serving> {
        let (_, serving) = self.last_good.iter().find(|(of, _)| of == plugin)?;
        (Some(serving.policy.settings().name.as_str()) == name).then_some(serving)
    }
}

/// What is read of a policy that is rejected.
#[derive(Deserialize)]
struct Named {
    name: String,
}

fn complaints(rejection: &Rejection) -> Vec<String> {
    let mut complaints: Vec<String> = rejection.findings.iter().take(FINDINGS).map(ToString::to_string).collect();
    let more = rejection.findings.len().saturating_sub(complaints.len());
    if more > 0 {
        complaints.push(format!("and {more} more; `tollgate check` shows them all"));
    }
    complaints
}

impl Serving {
    fn log_loaded(&self, host: &mut impl Host, began: Result<u64, Failure>) {
        let settings = self.policy.settings();
        let revision = settings.revision.as_deref().unwrap_or("none");
        let rules = self.policy.rule_count();
        let milliseconds = host.now().unwrap_or_default().saturating_sub(began.unwrap_or_default()) / 1_000_000;
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
