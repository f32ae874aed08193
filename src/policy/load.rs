//! The document from top to bottom: settings into [`Settings`], entries into the compiler, one at a time.

use super::compile::Compiler;
use super::compiled::Policy;
use super::decode::{Any, At, Entries, Shape, Slot, Stop, Text, Value, each, read, value};
use super::document::{
    AuditDoc, AuthorityDoc, IdentityDoc, MetricLabel, MetricsDoc, RequestHeadersDoc, ResponseDoc, SelectorDoc, TcpDoc,
    TripwireDoc,
};
use super::finding::{Finding, Findings, Listed, Rejection, code};
use super::json::{Fault, Json};
use super::packed::Packed;
use super::settings::{HeaderName, Mode, Settings, TcpSettings, Tripwire, VerifyRoute};
use super::value::{HeaderToRemove, Id, Replicas, Revision, Switch};
use crate::model::HostPattern;
use std::marker::PhantomData;

impl Policy {
    /// Reads and compiles a policy from JSON. A pure function of the bytes.
    ///
    /// # Errors
    /// Any bad element rejects the whole policy; the rejection lists them all.
    pub fn load(text: &[u8]) -> Result<Policy, Rejection> {
        Policy::load_with_advice(text).map(|(policy, _)| policy)
    }

    /// Like [`Policy::load`], plus warnings on what works but was probably not meant: in document order, those that
    /// depend on the whole policy last.
    ///
    /// # Errors
    /// As [`Policy::load`].
    pub fn load_with_advice(text: &[u8]) -> Result<(Policy, Vec<Finding>), Rejection> {
        let (settings, compiler, advice) = read_document(text)?;
        Ok((compiler.into_policy(settings, text.len())?, advice))
    }
}

/// Reads a policy. If nothing is wrong, the compiler holds its entries; the findings are what is probably not meant.
fn read_document(text: &[u8]) -> Result<(Settings, Compiler, Vec<Finding>), Rejection> {
    let mut document = Document::new(text.len());
    let mut findings = Findings::default();
    document.read(text, Part::Whole, &mut findings);
    if let Some(Packed(packed)) = document.packed.take() {
        for key in document.seen.iter().filter(|key| !BESIDE_PACKED.contains(key)) {
            findings.error_in(key, code::COMBINATION, format!("`{key}` stands beside `packed`"), "pack it".to_owned());
        }
        document.compiler = Compiler::new(packed.len());
        document.read(&packed, Part::Packed, &mut findings);
    }
    document.finish(findings)
}

/// Keys that may stand beside `packed`.
const BESIDE_PACKED: [&str; 4] = ["version", "name", "revision", "packed"];

/// Keys that belong into a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    /// Everything but [`BESIDE_PACKED`].
    Packed,
}

impl Part {
    /// The text ends to be JSON at this byte. What was packed has no bytes to point at.
    fn syntax(self, message: &str, offset: usize, findings: &mut Findings<'_>) {
        match self {
            Part::Whole => findings.syntax(message, offset),
            Part::Packed => {
                let message = format!("once unpacked, {message}");
                findings.error::<()>(code::SYNTAX, message, "pack the policy again".to_owned());
            }
        }
    }
}

struct Document {
    compiler: Compiler,
    settings: Settings,
    packed: Option<Packed>,
    /// Keys that were read.
    seen: Vec<&'static str>,
}

impl Document {
    fn new(bytes: usize) -> Document {
        Document { compiler: Compiler::new(bytes), settings: Settings::default(), packed: None, seen: Vec::new() }
    }

    fn read(&mut self, text: &[u8], part: Part, findings: &mut Findings<'_>) {
        let text = match std::str::from_utf8(text) {
            Ok(text) => text,
            Err(error) => return part.syntax("the text is not UTF-8", error.valid_up_to(), findings),
        };
        let mut own = Findings::default();
        let mut json = Json::new(text);
        let mut top = TopLevel { document: self, part };
        if read(&mut json, &mut top, &mut own).and_then(|()| json.end()).is_err()
            && let Some(Fault { reason, offset }) = json.fault()
        {
            let message = match reason {
                Some(reason) => &format!("not JSON: {reason}"),
                None if text.trim().is_empty() => "the policy is empty",
                None => "the text ends too early",
            };
            part.syntax(message, offset, &mut own);
        }
        findings.append(own);
    }

    fn finish(mut self, mut findings: Findings<'_>) -> Result<(Settings, Compiler, Vec<Finding>), Rejection> {
        if !findings.has_syntax_error() {
            for key in ["version", "name"] {
                if !self.seen.contains(&key) {
                    findings.missing(key);
                }
            }
            if self.settings.verify_route == Some(VerifyRoute::Off) && self.settings.reads_principals() {
                findings.error_at(
                    "authority.verifyRoute".to_owned(),
                    code::COMBINATION,
                    "`off` stands beside the source `peer-principal`, whose identities are only as good as the route",
                    "write `full`, or leave it out".to_owned(),
                );
            }
            self.compiler.domains.finish(&self.settings.trust_domains, &mut findings);
            self.compiler.finish(&mut findings);
        }
        if findings.is_empty() {
            Ok((self.settings, self.compiler, findings.into_advice()))
        } else {
            Err(findings.into_rejection(self.settings.name))
        }
    }
}

/// The document's own map.
struct TopLevel<'d> {
    document: &'d mut Document,
    part: Part,
}

/// A key of the language that this version refuses, and offers to nobody.
const NOT_YET: &str = "rateLimitService";

/// Every other key of a policy.
const KEYS: [&str; 21] = [
    "version",
    "name",
    "revision",
    "packed",
    "mode",
    "dryRunFor",
    "identity",
    "workloads",
    "authority",
    "tcp",
    "destinations",
    "deny",
    "rules",
    "residency",
    "replicas",
    "quotas",
    "response",
    "requestHeaders",
    "tripwire",
    "audit",
    "metrics",
];

impl<'de> Slot<'de> for TopLevel<'_> {
    fn take(&mut self, value: Value<'_, 'de>, findings: &mut Findings<'de>) -> Result<(), Stop> {
        let Value::Map(mut entries) = value else {
            value.refuse("a map with the keys of a policy", findings);
            return Ok(());
        };
        while let Some(key) = entries.key()? {
            let Some(key) = KEYS.into_iter().chain([NOT_YET]).find(|known| *known == &*key) else {
                findings.unknown_key(&key, &KEYS);
                entries.skip()?;
                continue;
            };
            findings.enter_key(key);
            if self.document.seen.contains(&key) {
                findings.duplicate_key(key);
                entries.skip()?;
            } else if self.part == Part::Packed && BESIDE_PACKED.contains(&key) {
                let message = format!("`{key}` stands inside `packed`");
                findings.error::<()>(code::COMBINATION, message, "leave it outside".to_owned());
                entries.skip()?;
            } else {
                self.document.seen.push(key);
                self.document.key(key, &mut entries, findings)?;
            }
            findings.leave();
        }
        Ok(())
    }
}

impl Document {
    /// The value of a key, which the findings have entered.
    fn key<'de>(
        &mut self,
        key: &'static str,
        entries: &mut Entries<'_, 'de>,
        findings: &mut Findings<'de>,
    ) -> Result<(), Stop> {
        let Document { compiler, settings, packed, .. } = self;
        match key {
            "version" => {
                value::<Version>(entries, findings)?;
            }
            "name" => {
                if let Some(Id(name)) = value::<Id<'de>>(entries, findings)? {
                    settings.name = name.to_string();
                }
            }
            "revision" => {
                settings.revision = value::<Revision<'de>>(entries, findings)?.map(|revision| revision.0.to_string())
            }
            "packed" => *packed = value::<Packed>(entries, findings)?,
            "mode" => settings.mode = value::<Mode>(entries, findings)?.unwrap_or_default(),
            "dryRunFor" => {
                let selectors = value::<Any<At<SelectorDoc<'de>>>>(entries, findings)?;
                compiler.dry_run_for(selectors.map(|listed| listed.0), findings);
            }
            "identity" => {
                if let Some(doc) = value::<IdentityDoc<'de>>(entries, findings)? {
                    identity(doc, settings);
                    compiler.domains.listed = Some(settings.trust_domains.clone());
                }
            }
            "workloads" => entries.value(&mut Workloads { compiler }, findings)?,
            "authority" => {
                if let Some(doc) = value::<AuthorityDoc<'de>>(entries, findings)? {
                    settings.default_port = doc.default_port.good().map_or(settings.default_port, |port| port.0);
                    settings.verify_route = doc.verify_route.good();
                }
            }
            "tcp" => {
                if let Some(doc) = value::<TcpDoc<'de>>(entries, findings)? {
                    settings.tcp = tcp(doc, findings);
                }
            }
            "destinations" => entries.value(&mut Destinations { compiler }, findings)?,
            "deny" => entries.value(&mut EntryList::new(compiler, Compiler::deny), findings)?,
            "rules" => entries.value(&mut EntryList::new(compiler, Compiler::rule), findings)?,
            "residency" => {
                entries.value(&mut EntryList::new(compiler, Compiler::residency), findings)?;
            }
            "replicas" => {
                if let Some(Replicas(pods)) = value::<Replicas>(entries, findings)? {
                    compiler.replicas = pods;
                }
            }
            "quotas" => entries.value(&mut EntryList::new(compiler, Compiler::quota), findings)?,
            NOT_YET => {
                entries.skip()?;
                findings.error::<()>(
                    code::UNSUPPORTED,
                    "this version does not ask a rate-limit service yet",
                    "remove `rateLimitService`: what is not enforced is not accepted".to_owned(),
                );
            }
            "response" => {
                if let Some(doc) = value::<ResponseDoc<'de>>(entries, findings)? {
                    settings.detail = doc.detail.good().unwrap_or_default();
                    settings.docs_url = doc.docs_url.good().map(|url| url.to_string());
                }
            }
            "requestHeaders" => {
                if let Some(doc) = value::<RequestHeadersDoc<'de>>(entries, findings)? {
                    request_headers(doc, settings, findings);
                }
            }
            "tripwire" => {
                if let Some(doc) = value::<TripwireDoc<'de>>(entries, findings)? {
                    settings.tripwire = tripwire(doc, findings);
                }
            }
            "audit" => {
                if let Some(doc) = value::<AuditDoc<'de>>(entries, findings)? {
                    settings.audit_allowed = doc.allowed.good().unwrap_or_default();
                    settings.audit_path = doc.path.good().unwrap_or_default();
                }
            }
            _ => {
                if let Some(doc) = value::<MetricsDoc<'de>>(entries, findings)? {
                    let by = doc.by.good().map(|by| by.0).unwrap_or_default();
                    settings.by.rule = by.contains(&MetricLabel::Rule);
                    settings.by.namespace = by.contains(&MetricLabel::Namespace);
                    settings.by.destination = by.contains(&MetricLabel::Destination);
                }
            }
        }
        Ok(())
    }
}

fn identity(doc: IdentityDoc<'_>, settings: &mut Settings) {
    if let Some(sources) = doc.sources.good() {
        settings.sources = sources;
    }
    if let Some(domains) = doc.trust_domains.good() {
        settings.trust_domains = domains.iter().map(|domain| domain.0.to_string()).collect();
    }
}

fn tcp(doc: TcpDoc<'_>, findings: &mut Findings<'_>) -> TcpSettings {
    let mut tcp = TcpSettings::default();
    tcp.port = doc.port.good().map_or(tcp.port, |port| port.0);
    tcp.http = doc.http.as_ref() == Some(&Switch(true));
    tcp.rendered = doc.rendered.as_ref() == Some(&Switch(true));
    for name in doc.own.good().map(|names| names.0).unwrap_or_default() {
        match name.value {
            HostPattern::Exact(name) => tcp.own.push(name.into_owned()),
            wildcard => {
                findings.enter_key("self");
                findings.enter_item(name.item);
                let message = format!("`{wildcard}` is no name of the gateway's own service");
                findings.error::<()>(code::VALUE, message, "list whole names, without `*`".to_owned());
                findings.leave();
                findings.leave();
            }
        }
    }
    tcp
}

fn request_headers(doc: RequestHeadersDoc<'_>, settings: &mut Settings, findings: &mut Findings<'_>) {
    for HeaderToRemove { name, item, .. } in doc.keep.good().unwrap_or_default() {
        let before = settings.remove.len();
        settings.remove.retain(|header| *header != name);
        if settings.remove.len() == before {
            findings.enter_key("keep");
            findings.enter_item(item);
            findings.error::<()>(code::VALUE, "the header is not removed by default", {
                let names: Vec<String> = Settings::default().remove.iter().map(ToString::to_string).collect();
                format!("`keep` takes {}", Listed(&names.iter().map(String::as_str).collect::<Vec<_>>()))
            });
            findings.leave();
            findings.leave();
        }
    }
    settings.remove_by = doc.by.good().unwrap_or_default();
    settings.remove.extend(doc.remove.good().unwrap_or_default().into_iter().map(|header| header.name));
}

fn tripwire(doc: TripwireDoc<'_>, findings: &mut Findings<'_>) -> Option<Tripwire> {
    for (key, absent) in [("header", doc.header.is_absent()), ("values", doc.values.is_absent())] {
        if absent {
            findings.missing(key);
        }
    }
    let header = match doc.header.good()? {
        HeaderToRemove { name: HeaderName::Exact(_), written, .. } => written,
        HeaderToRemove { name: HeaderName::Prefix(_), .. } => {
            findings.error_in("header", code::VALUE, "a tripwire is one header", "write its whole name".to_owned());
            return None;
        }
    };
    let values = doc.values.good()?.iter().map(|value| value.0.to_string()).collect();
    Some(Tripwire { header, values })
}

/// A list whose elements are entries.
struct EntryList<'c, T, F> {
    compiler: &'c mut Compiler,
    take: F,
    entries: PhantomData<T>,
}

impl<'c, T, F> EntryList<'c, T, F> {
    fn new(compiler: &'c mut Compiler, take: F) -> Self {
        EntryList { compiler, take, entries: PhantomData }
    }
}

impl<'de, T: Shape<'de>, F: FnMut(&mut Compiler, T, &mut Findings<'_>)> Slot<'de> for EntryList<'_, T, F> {
    fn take(&mut self, value: Value<'_, 'de>, findings: &mut Findings<'de>) -> Result<(), Stop> {
        let Value::List(items) = value else {
            value.refuse("a list", findings);
            return Ok(());
        };
        each(items, findings, |entry, findings| (self.take)(self.compiler, entry, findings)).map(|_| ())
    }
}

/// `workloads`.
struct Workloads<'c> {
    compiler: &'c mut Compiler,
}

impl<'de> Slot<'de> for Workloads<'_> {
    fn take(&mut self, value: Value<'_, 'de>, findings: &mut Findings<'de>) -> Result<(), Stop> {
        let Value::Map(mut entries) = value else {
            value.refuse("a map from names to lists of selectors", findings);
            return Ok(());
        };
        named(&mut entries, findings, |name, selectors, findings| self.compiler.workload_set(name, selectors, findings))
    }
}

/// `destinations`.
struct Destinations<'c> {
    compiler: &'c mut Compiler,
}

impl<'de> Slot<'de> for Destinations<'_> {
    fn take(&mut self, value: Value<'_, 'de>, findings: &mut Findings<'de>) -> Result<(), Stop> {
        let Value::Map(mut entries) = value else {
            value.refuse("a map from names to destinations", findings);
            return Ok(());
        };
        named(&mut entries, findings, |name, destination, findings| {
            self.compiler.destination(name, destination, findings)
        })
    }
}

/// Longest name of a destination or a set, in bytes.
const LONGEST_NAME: usize = 253;

/// Reads a map from names to `T`s, one by one.
fn named<'de, T: Shape<'de>>(
    entries: &mut Entries<'_, 'de>,
    findings: &mut Findings<'de>,
    mut take: impl FnMut(&str, Option<T>, &mut Findings<'de>),
) -> Result<(), Stop> {
    while let Some(Text(name)) = entries.key()? {
        findings.enter_name(name.clone());
        if name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
            let fix = format!("use 1 to {LONGEST_NAME} bytes without control characters");
            findings.error::<()>(code::VALUE, "the name cannot be used", fix);
            // whatever is wrong inside would be told with all of that name
            entries.skip()?;
            take(&name, None, findings);
        } else {
            let read = value::<T>(entries, findings)?;
            take(&name, read, findings);
        }
        findings.leave();
    }
    Ok(())
}

/// `version`: only 1.
struct Version;

impl<'de> Shape<'de> for Version {
    const EXPECTED: &'static str = "`1`";
    fn number(number: u64, findings: &mut Findings<'de>) -> Option<Self> {
        if number == 1 {
            return Some(Version);
        }
        findings.error(code::VALUE, format!("version {number} is not known"), "write `version: 1`".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_inside_packed_has_no_place_in_the_text() {
        // `{"rules":` and raw bytes, deflated
        for packed in ["q1YqKs1JLVayAgA=", "+w8A"] {
            let text = format!(r#"{{"version":1,"name":"p","packed":"deflate;{packed}"}}"#);
            let rejection = Policy::load(text.as_bytes()).err().unwrap();
            let [finding] = rejection.findings.as_slice() else { panic!("{rejection}") };
            assert_eq!((finding.code, finding.offset), (code::SYNTAX, None));
            assert!(finding.message.starts_with("once unpacked, "), "{}", finding.message);
        }
    }
}
