//! Instances of plugins: the policy that each serves, and the fate of a bad one.
//!
//! Envoy tries a configuration in a VM of its own on the main thread, the canary, and hands it to the VMs that serve
//! only if the canary accepts it. A serving VM that refused would not only be given up with all its streams: Envoy
//! would take no configuration at all any more. So a refusal has to come from the canary, which is new and remembers
//! nothing, and never from a VM that serves, which may be as new: rebuilt after a crash. Shared data tells them apart.
//! A bad policy, in the order of asking:
//!
//! | in this process | what becomes of it |
//! |---|---|
//! | this VM has the plugin's last good policy | accepted; that one keeps serving |
//! | a canary has accepted these bytes | accepted; requests are answered with `POLICY_INVALID` |
//! | the plugin has had a good policy | refused; Envoy keeps what it has |
//! | none of it | accepted, and marked so; requests are answered with `POLICY_INVALID` |
//!
//! The first row is needed since Envoy remembers a canary's verdict, and often the instance too: a first bad policy,
//! which was accepted, is not tried again when it comes back after a good one. So an instance without a policy of its
//! own looks for the last good one at every request. It must bear the same policy name: two plugins of one Envoy that
//! bear the same plugin name by mistake do not serve each other's policies.

use std::rc::Rc;

use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec;
use tollgate::policy::{Policy, Rejection};
use xxhash_rust::xxh64::Xxh64;

use crate::attributes::ROUTE;
use crate::host::{Expected, Failure, Host, Level, MetricId};
use crate::metrics::{self, Quotas, Requests};
use crate::plugin::Plugin;
use crate::serving::{Service, Serving, TICK_MILLISECONDS};

/// Findings of a rejected policy that are logged; `tollgate check` shows all.
const FINDINGS: usize = 10;

/// Limit in bytes of a policy's text that is kept beside the loaded policy: eight times what an object of Kubernetes
/// holds.
const TEXT: usize = 8 << 20;

/// Policies that were accepted.
const LOADED: &str = "result=.=loaded;.;tollgate_policy_loads_total";
/// Policies that were not.
const REJECTED: &str = "result=.=rejected;.;tollgate_policy_loads_total";

/// Undecided connections that were closed for room.
pub(crate) const CROWDED_OUT: &str = "tollgate_undecided_refused_total";

/// One instance of a plugin. Every update makes a new one.
#[derive(Debug)]
struct Instance {
    id: u32,
    plugin: Plugin,
    state: State,
    /// Number of the last request that asked it; 0 before the first.
    asked: u64,
    /// Number of the last stream that came to it, or of its configuration.
    used: u64,
}

#[derive(Debug)]
enum State {
    Good {
        serving: Rc<Serving>,
        /// The policy's text, to load it again; none if it is too large to be kept.
        text: Option<Vec<u8>>,
    },
    /// A good policy that nobody asks any more while open streams keep the instance: its text, DEFLATE.
    Resting(Vec<u8>),
    Bad {
        /// The policy's name, if it could be read.
        name: Option<String>,
        /// Counts the requests refused for want of a policy.
        refused: Option<MetricId>,
    },
}

/// The layer that a module filters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Layer {
    #[default]
    Http,
    Tcp,
}

impl Layer {
    /// The name of a gauge: two filters of one pod do not write the same one.
    fn gauge(self, name: &str) -> String {
        match self {
            Layer::Http => name.to_owned(),
            Layer::Tcp => format!("layer=.=tcp;.;{name}"),
        }
    }
}

/// The instances of one worker, the newest last.
#[derive(Debug, Default)]
pub(crate) struct Instances {
    layer: Layer,
    instances: Vec<Instance>,
    /// The policy that each plugin loaded last.
    last_good: Vec<(Plugin, Rc<Serving>)>,
    /// Number of requests so far.
    asked: u64,
    /// Number of streams and configurations so far.
    used: u64,
}

impl Instances {
    /// The instances of a worker that filters this layer.
    pub(crate) fn of(layer: Layer) -> Instances {
        Instances { layer, ..Instances::default() }
    }

    /// A stream has come to an instance.
    pub(crate) fn touch(&mut self, id: u32) {
        self.used = self.used.wrapping_add(1);
        if let Some(instance) = self.instances.iter_mut().find(|instance| instance.id == id) {
            instance.used = self.used;
        }
    }

    /// The instance by which the plugin of this one decides now: the proxy configured it last, or has gone back to it, which
    /// only the streams that come there show.
    pub(crate) fn latest(&self, id: u32) -> u32 {
        let Some(own) = self.instances.iter().find(|instance| instance.id == id) else { return id };
        let of_plugin = self.instances.iter().filter(|instance| instance.plugin == own.plugin);
        of_plugin.max_by_key(|instance| instance.used).map_or(id, |instance| instance.id)
    }

    /// Finds the instance for a request. One that is not configured refuses it.
    pub(crate) fn service(&mut self, host: &mut impl Host, id: u32) -> Service<'_> {
        self.asked = self.asked.wrapping_add(1);
        let Some(instance) = self.instances.iter_mut().find(|instance| instance.id == id) else {
            return Service::Refuse(None);
        };
        instance.asked = self.asked;
        if let State::Resting(text) = &instance.state {
            // Envoy has gone back to a policy whose instance an open stream has kept: it is not configured again.
            instance.state = wake(host, text);
        }
        match &instance.state {
            State::Good { serving, .. } => Service::Decide(serving),
            State::Resting(_) => Service::Refuse(None),
            State::Bad { name, refused } => {
                let last = last_good(&self.last_good, &instance.plugin, name.as_deref());
                last.map_or(Service::Refuse(*refused), Service::Decide)
            }
        }
    }

    /// Configures an instance. Tells whether the proxy may use it. `busy`: the worker has to be called from time to
    /// time, whatever the policy says.
    pub(crate) fn configure(
        &mut self,
        host: &mut impl Host,
        id: u32,
        plugin: Result<&str, Failure>,
        busy: bool,
    ) -> bool {
        self.instances.retain(|instance| instance.id != id);
        self.used = self.used.wrapping_add(1);
        let began = host.now();
        let plugin = match plugin {
            Ok(name) => Plugin(name.to_owned()),
            Err(failure) => return self.reject(host, id, Plugin(String::new()), Bad::unread(failure)),
        };
        self.make_room(&plugin);
        let text = match host.configuration() {
            Ok(text) => text,
            Err(failure) => return self.reject(host, id, plugin, Bad::unread(failure)),
        };
        let fingerprint = fingerprint(&text);
        match Policy::load(&text) {
            Ok(policy) => {
                let serving = self.accept(host, id, plugin, policy, text);
                log_loaded(host, &serving.policy, began);
                if busy || self.layer == Layer::Tcp || !serving.policy.quotas().is_empty() {
                    ask_for_ticks(host);
                }
                true
            }
            Err(rejection) => self.reject(host, id, plugin, Bad::new(fingerprint, &rejection)),
        }
    }

    /// Forgets an instance: Envoy says so once it has left the configuration and its last stream has ended. Its
    /// plugin's last good policy stays for the next one.
    pub(crate) fn remove(&mut self, id: u32) {
        self.instances.retain(|instance| instance.id != id);
    }

    /// Makes room for a policy that is about to be read.
    ///
    /// Last good policies go with the last instance of their plugin, but for the one that is being configured. Of an
    /// instance that only open streams keep, the text of its policy is left: Envoy may go back to it without
    /// configuring it again.
    fn make_room(&mut self, plugin: &Plugin) {
        let instances = &self.instances;
        self.last_good.retain(|(of, _)| of == plugin || instances.iter().any(|instance| instance.plugin == *of));
        let newest =
            self.instances.iter().filter(|instance| instance.plugin == *plugin).map(|instance| instance.asked).max();
        for instance in
            self.instances.iter_mut().filter(|instance| instance.plugin == *plugin && Some(instance.asked) != newest)
        {
            if let State::Good { serving, text: Some(text) } = &instance.state
                && !self.last_good.iter().any(|(_, last)| Rc::ptr_eq(last, serving))
            {
                instance.state = State::Resting(compress_to_vec(text, 1));
            }
        }
    }

    fn accept(&mut self, host: &mut impl Host, id: u32, plugin: Plugin, policy: Policy, text: Vec<u8>) -> Rc<Serving> {
        let fingerprint = fingerprint(&text);
        let (requests, quotas, uncounted) = counters(host, &policy);
        let layer = self.layer;
        let rules = u64::try_from(policy.rule_count()).unwrap_or(u64::MAX);
        let told = [
            uncounted,
            metrics::gauge(host, &layer.gauge("tollgate_policy_rules"), rules),
            metrics::gauge(host, &layer.gauge("tollgate_policy_fingerprint"), fingerprint),
            metrics::gauge(
                host,
                &layer.gauge("tollgate_policy_revision"),
                revision_number(policy.settings().revision.as_deref()),
            ),
            metrics::gauge(host, &layer.gauge("tollgate_policy_valid"), 1),
            metrics::gauge(host, &layer.gauge("tollgate_filter_version"), version_number()),
            metrics::count(host, LOADED),
            metrics::define(host, REJECTED),
            match layer {
                Layer::Http => Ok(()),
                Layer::Tcp => metrics::define(host, CROWDED_OUT),
            },
        ];
        warn_uncounted(host, told);
        // Without the mark the canary accepts a later bad policy, whose instances then find the last good one here.
        if let Err(failure) = host.set_shared(&plugin.mark(), b"1", Expected::Any) {
            host.log(Level::Warn, &format!("cannot mark that a good policy is loaded: {failure}"));
        }
        // Compared as bytes it is never equal, and the filter that compares refuses everything.
        if let Err(failure) = host.declare_text(ROUTE) {
            host.log(Level::Warn, &format!("routes cannot be compared: {failure}"));
        }
        let serving = Rc::new(Serving::new(policy, requests, quotas));
        self.last_good.retain(|(of, _)| *of != plugin);
        self.last_good.push((plugin.clone(), Rc::clone(&serving)));
        self.instances.push(Instance {
            id,
            plugin,
            state: State::Good { serving: Rc::clone(&serving), text: kept(text) },
            asked: 0,
            used: self.used,
        });
        serving
    }

    /// Decides what becomes of a bad policy, by the table at the top. Returns true if the proxy may use it.
    fn reject(&mut self, host: &mut impl Host, id: u32, plugin: Plugin, bad: Bad) -> bool {
        let accepted_before = plugin.accepted(bad.fingerprint);
        let keeps = last_good(&self.last_good, &plugin, bad.name.as_deref()).is_some();
        let refuses = !keeps && !is_shared(host, &accepted_before) && is_shared(host, &plugin.mark());
        if keeps || self.layer == Layer::Tcp {
            // with the last instance the ticks would go that the last good policy needs
            ask_for_ticks(host);
        }
        let consequence = if keeps || refuses {
            "the last good one keeps serving"
        } else {
            "every request is refused with POLICY_INVALID until there is a good one"
        };
        for complaint in &bad.complaints {
            host.log(Level::Error, &format!("policy rejected, {consequence}: {complaint}"));
        }
        let counter = Requests::without_policy(host);
        let mut told = vec![counter.map(|_| ()), metrics::count(host, REJECTED), metrics::define(host, LOADED)];
        if !keeps && !refuses {
            if let Err(failure) = host.set_shared(&accepted_before, b"1", Expected::Any) {
                host.log(Level::Warn, &format!("cannot mark that this policy is accepted: {failure}"));
            }
            told.push(metrics::gauge(host, &self.layer.gauge("tollgate_policy_valid"), 0));
        }
        warn_uncounted(host, told);
        let state = State::Bad { name: bad.name, refused: counter.ok() };
        self.instances.push(Instance { id, plugin, state, asked: 0, used: self.used });
        !refuses
    }
}

fn ask_for_ticks(host: &mut impl Host) {
    if let Err(failure) = host.tick_every(TICK_MILLISECONDS) {
        host.log(Level::Warn, &format!("nothing is done from time to time: {failure}"));
    }
}

fn last_good<'g>(known: &'g [(Plugin, Rc<Serving>)], plugin: &Plugin, name: Option<&str>) -> Option<&'g Rc<Serving>> {
    let (_, serving) = known.iter().find(|(of, _)| of == plugin)?;
    (Some(serving.policy.settings().name.as_str()) == name).then_some(serving)
}

fn kept(text: Vec<u8>) -> Option<Vec<u8>> {
    (text.len() <= TEXT).then_some(text)
}

/// Loads a policy again that was loaded before.
fn wake(host: &mut impl Host, text: &[u8]) -> State {
    let loaded = decompress_to_vec(text).ok().and_then(|text| Some((Policy::load(&text).ok()?, text)));
    let Some((policy, text)) = loaded else { return State::Bad { name: None, refused: None } };
    let (requests, quotas, uncounted) = counters(host, &policy);
    warn_uncounted(host, [uncounted]);
    State::Good { serving: Rc::new(Serving::new(policy, requests, quotas)), text: kept(text) }
}

/// Defines the counters for the decisions of a policy; the error is the first that could not be defined, the others
/// count.
fn counters(host: &mut impl Host, policy: &Policy) -> (Requests, Quotas, Result<(), Failure>) {
    let (quotas, unquoted) = Quotas::define(host, policy);
    let (requests, uncounted) = Requests::define(host, policy);
    (requests, quotas, uncounted.or(unquoted).map_or(Ok(()), Err))
}

/// Remains of a policy that was rejected.
struct Bad {
    name: Option<String>,
    fingerprint: u64,
    complaints: Vec<String>,
}

impl Bad {
    fn new(fingerprint: u64, rejection: &Rejection) -> Bad {
        let mut complaints: Vec<String> = rejection.findings.iter().take(FINDINGS).map(ToString::to_string).collect();
        let more = rejection.findings.len().saturating_sub(complaints.len());
        if more > 0 {
            complaints.push(format!("and {more} more; `tollgate check` shows them all"));
        }
        Bad { name: rejection.name.clone(), fingerprint, complaints }
    }

    fn unread(failure: Failure) -> Bad {
        Bad { name: None, fingerprint: 0, complaints: vec![failure.to_string()] }
    }
}

fn log_loaded(host: &mut impl Host, policy: &Policy, began: Result<u64, Failure>) {
    let settings = policy.settings();
    let revision = settings.revision.as_deref().unwrap_or("none");
    let rules = policy.rule_count();
    let milliseconds = host.now().unwrap_or_default().saturating_sub(began.unwrap_or_default()) / 1_000_000;
    host.log(
        Level::Info,
        &format!("policy loaded: {}, revision {revision}, {rules} rules, {milliseconds} ms", settings.name),
    );
}

/// A revision of 12 hexadecimal digits as the number that they write; 0 where it has another form.
fn revision_number(revision: Option<&str>) -> u64 {
    let digits = revision.filter(|text| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0)
}

/// The filter's version, MAJOR × 10⁶ + MINOR × 10³ + PATCH.
fn version_number() -> u64 {
    [env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"), env!("CARGO_PKG_VERSION_PATCH")]
        .iter()
        .fold(0, |number: u64, part| number.saturating_mul(1000).saturating_add(part.parse().unwrap_or(0)))
}

/// The first 48 bits of the text's XXH64: a number that a metric can hold exactly.
fn fingerprint(text: &[u8]) -> u64 {
    let mut hash = Xxh64::new(0);
    // In pieces: V8 optimises a function for its next call, never in the middle of a long one.
    text.chunks(1 << 14).for_each(|piece| hash.update(piece));
    hash.digest() >> 16
}

fn is_shared(host: &mut impl Host, key: &str) -> bool {
    matches!(host.shared(key), Ok(Some(_)))
}

fn warn_uncounted(host: &mut impl Host, told: impl IntoIterator<Item = Result<(), Failure>>) {
    if let Some(failure) = told.into_iter().find_map(Result::err) {
        host.log(Level::Warn, &format!("some metrics are not counted: {failure}"));
    }
}

#[cfg(test)]
mod tests;
