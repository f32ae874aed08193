//! The document from top to bottom: settings into [`Settings`], entries into the compiler, one at a time.

use super::compile::Compiler;
use super::decode::{Any, At, Flow, Shape, Stream, Text, each, value};
use super::document::{
    AuditDoc, AuthorityDoc, IdentityDoc, MetricLabel, MetricsDoc, RequestHeadersDoc, ResponseDoc, SelectorDoc,
    TripwireDoc,
};
use super::finding::{Findings, Rejection, code};
use super::packed::Packed;
use super::settings::{HeaderName, Mode, Settings, Tripwire};
use super::value::{HeaderToRemove, Id, Replicas, Revision};
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess};
use std::marker::PhantomData;

/// Reads a policy. The compiler holds its entries if nothing is wrong.
pub(super) fn load(text: &[u8]) -> Result<(Settings, Compiler), Rejection> {
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

/// What may stand beside `packed`.
const BESIDE_PACKED: [&str; 4] = ["version", "name", "revision", "packed"];

/// Which keys belong into a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    /// Everything but [`BESIDE_PACKED`].
    Packed,
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
            Err(error) => return findings.syntax("the text is not UTF-8", error.valid_up_to()),
        };
        let mut own = Findings::default();
        let mut json = serde_json::Deserializer::from_str(text);
        let top = Flow(TopLevel { document: self, part, findings: &mut own });
        if let Err(error) = top.deserialize(&mut json).and_then(|()| json.end()) {
            let message = if text.trim().is_empty() {
                "the policy is empty".to_owned()
            } else if error.is_eof() {
                "the text ends too early".to_owned()
            } else {
                format!("not JSON: {}", reason(&error))
            };
            own.syntax(message, offset(text, error.line(), error.column()));
        }
        findings.append(own);
    }

    fn finish(mut self, mut findings: Findings<'_>) -> Result<(Settings, Compiler), Rejection> {
        if !findings.has_syntax_error() {
            for key in ["version", "name"] {
                if !self.seen.contains(&key) {
                    findings.missing(key);
                }
            }
            self.compiler.domains.finish(&self.settings.trust_domains, &mut findings);
            self.compiler.finish(&mut findings);
        }
        if findings.is_empty() { Ok((self.settings, self.compiler)) } else { Err(findings.into_rejection()) }
    }
}

/// serde's message without the position that it repeats.
fn reason(error: &serde_json::Error) -> String {
    let message = error.to_string();
    message.rsplit_once(" at line ").map(|(reason, _)| reason.to_owned()).unwrap_or(message)
}

/// Byte offset of a position as serde_json counts: lines and columns from 1, columns in bytes.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let mut newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at.saturating_add(1));
    let start = line.checked_sub(2).and_then(|newline| newlines.nth(newline)).unwrap_or(0);
    start.saturating_add(column.saturating_sub(1)).min(text.len())
}

/// The document's own map.
struct TopLevel<'d, 'f, 'de> {
    document: &'d mut Document,
    part: Part,
    findings: &'f mut Findings<'de>,
}

/// Every key of a policy.
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
    "destinations",
    "deny",
    "rules",
    "residency",
    "replicas",
    "quotas",
    "rateLimitService",
    "response",
    "requestHeaders",
    "tripwire",
    "audit",
    "metrics",
];

impl<'de> Stream<'de> for TopLevel<'_, '_, 'de> {
    const EXPECTED: &'static str = "a map with the keys of a policy";

    fn findings(&mut self) -> &mut Findings<'de> {
        self.findings
    }

    fn map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Text<'de>>()? {
            let known = KEYS.into_iter().find(|known| *known == &*key);
            match known {
                None => self.findings.unknown_key(&key, &KEYS),
                Some(key) if self.document.seen.contains(&key) => {
                    self.findings.enter_key(key);
                    self.findings.duplicate_key(key);
                    self.findings.leave();
                }
                Some(key) if self.part == Part::Packed && BESIDE_PACKED.contains(&key) => {
                    let fix = "leave it outside".to_owned();
                    self.findings.error_in(key, code::COMBINATION, format!("`{key}` stands inside `packed`"), fix);
                }
                Some(key) => {
                    self.document.seen.push(key);
                    self.findings.enter_key(key);
                    self.key(key, &mut map)?;
                    self.findings.leave();
                    continue;
                }
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

impl<'de> TopLevel<'_, '_, 'de> {
    /// The value of a key, which the findings have entered.
    fn key<A: MapAccess<'de>>(&mut self, key: &'static str, map: &mut A) -> Result<(), A::Error> {
        let findings = &mut *self.findings;
        let Document { compiler, settings, packed, .. } = &mut *self.document;
        match key {
            "version" => {
                value::<Version, A>(map, findings)?;
            }
            "name" => {
                if let Some(Id(name)) = value::<Id<'de>, A>(map, findings)? {
                    settings.name = name.to_string();
                }
            }
            "revision" => {
                settings.revision = value::<Revision<'de>, A>(map, findings)?.map(|revision| revision.0.to_string())
            }
            "packed" => *packed = value::<Packed, A>(map, findings)?,
            "mode" => settings.mode = value::<Mode, A>(map, findings)?.unwrap_or_default(),
            "dryRunFor" => {
                let selectors = value::<Any<At<SelectorDoc<'de>>>, A>(map, findings)?;
                compiler.dry_run_for(selectors.map(|listed| listed.0), findings);
            }
            "identity" => {
                if let Some(doc) = value::<IdentityDoc<'de>, A>(map, findings)? {
                    identity(doc, settings);
                    compiler.domains.listed = Some(settings.trust_domains.clone());
                }
            }
            "workloads" => map.next_value_seed(Flow(Workloads { compiler, findings }))?,
            "authority" => {
                if let Some(doc) = value::<AuthorityDoc<'de>, A>(map, findings)? {
                    settings.default_port = doc.default_port.good().map_or(settings.default_port, |port| port.0);
                    settings.verify_route = doc.verify_route.good().unwrap_or_default();
                }
            }
            "destinations" => map.next_value_seed(Flow(Destinations { compiler, findings }))?,
            "deny" => map.next_value_seed(Flow(Entries::new(compiler, findings, Compiler::deny)))?,
            "rules" => map.next_value_seed(Flow(Entries::new(compiler, findings, Compiler::rule)))?,
            "residency" => {
                map.next_value_seed(Flow(Entries::new(compiler, findings, Compiler::residency)))?;
            }
            "replicas" => {
                value::<Replicas, A>(map, findings)?;
            }
            "quotas" => {
                let quotas = |_: &mut Compiler, _: Quota, _: &mut Findings<'_>| ();
                map.next_value_seed(Flow(Entries::new(compiler, findings, quotas)))?;
            }
            "rateLimitService" => {
                map.next_value::<IgnoredAny>()?;
                findings.error::<()>(
                    code::UNSUPPORTED,
                    "this version does not ask a rate-limit service yet",
                    "remove `rateLimitService`: what is not enforced is not accepted".to_owned(),
                );
            }
            "response" => {
                if let Some(doc) = value::<ResponseDoc<'de>, A>(map, findings)? {
                    settings.detail = doc.detail.good().unwrap_or_default();
                    settings.docs_url = doc.docs_url.good().map(|url| url.to_string());
                }
            }
            "requestHeaders" => {
                if let Some(doc) = value::<RequestHeadersDoc<'de>, A>(map, findings)? {
                    request_headers(doc, settings, findings);
                }
            }
            "tripwire" => {
                if let Some(doc) = value::<TripwireDoc<'de>, A>(map, findings)? {
                    settings.tripwire = tripwire(doc, findings);
                }
            }
            "audit" => {
                if let Some(doc) = value::<AuditDoc<'de>, A>(map, findings)? {
                    settings.audit_allowed = doc.allowed.good().unwrap_or_default();
                    settings.audit_path = doc.path.good().unwrap_or_default();
                }
            }
            _ => {
                if let Some(doc) = value::<MetricsDoc<'de>, A>(map, findings)? {
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

fn request_headers(doc: RequestHeadersDoc<'_>, settings: &mut Settings, findings: &mut Findings<'_>) {
    for HeaderToRemove { name, item } in doc.keep.good().unwrap_or_default() {
        let before = settings.remove.len();
        settings.remove.retain(|header| *header != name);
        if settings.remove.len() == before {
            findings.enter_key("keep");
            findings.enter_item(item);
            findings.error::<()>(
                code::VALUE,
                "the header is not removed by default",
                "`keep` takes `x-forwarded-client-cert`, `x-forwarded-for` and `x-envoy-*`".to_owned(),
            );
            findings.leave();
            findings.leave();
        }
    }
    settings.remove.extend(doc.remove.good().unwrap_or_default().into_iter().map(|header| header.name));
}

fn tripwire(doc: TripwireDoc<'_>, findings: &mut Findings<'_>) -> Option<Tripwire> {
    for (key, absent) in [("header", doc.header.is_absent()), ("values", doc.values.is_absent())] {
        if absent {
            findings.missing(key);
        }
    }
    let header = match doc.header.good()?.name {
        HeaderName::Exact(header) => header,
        HeaderName::Prefix(_) => {
            findings.error_in("header", code::VALUE, "a tripwire is one header", "write its whole name".to_owned());
            return None;
        }
    };
    let values = doc.values.good()?.iter().map(|value| value.0.to_string()).collect();
    Some(Tripwire { header, values })
}

/// A list whose elements are entries.
struct Entries<'c, 'f, 'de, T, F> {
    compiler: &'c mut Compiler,
    findings: &'f mut Findings<'de>,
    take: F,
    entries: PhantomData<T>,
}

impl<'c, 'f, 'de, T, F> Entries<'c, 'f, 'de, T, F> {
    fn new(compiler: &'c mut Compiler, findings: &'f mut Findings<'de>, take: F) -> Self {
        Entries { compiler, findings, take, entries: PhantomData }
    }
}

impl<'de, T: Shape<'de>, F: FnMut(&mut Compiler, T, &mut Findings<'de>)> Stream<'de> for Entries<'_, '_, 'de, T, F> {
    const EXPECTED: &'static str = "a list";

    fn findings(&mut self) -> &mut Findings<'de> {
        self.findings
    }

    fn list<A: SeqAccess<'de>>(mut self, list: A) -> Result<(), A::Error> {
        each(list, self.findings, |entry, findings| (self.take)(self.compiler, entry, findings)).map(|_| ())
    }
}

/// `workloads`.
struct Workloads<'c, 'f, 'de> {
    compiler: &'c mut Compiler,
    findings: &'f mut Findings<'de>,
}

impl<'de> Stream<'de> for Workloads<'_, '_, 'de> {
    const EXPECTED: &'static str = "a map from names to lists of selectors";

    fn findings(&mut self) -> &mut Findings<'de> {
        self.findings
    }

    fn map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        named(map, self.findings, |name, selectors, findings| self.compiler.workload_set(name, selectors, findings))
    }
}

/// `destinations`.
struct Destinations<'c, 'f, 'de> {
    compiler: &'c mut Compiler,
    findings: &'f mut Findings<'de>,
}

impl<'de> Stream<'de> for Destinations<'_, '_, 'de> {
    const EXPECTED: &'static str = "a map from names to destinations";

    fn findings(&mut self) -> &mut Findings<'de> {
        self.findings
    }

    fn map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        named(map, self.findings, |name, destination, findings| self.compiler.destination(name, destination, findings))
    }
}

/// Longest name of a destination or a set, in bytes.
const LONGEST_NAME: usize = 253;

/// Reads a map from names to `T`s, one by one.
fn named<'de, T: Shape<'de>, A: MapAccess<'de>>(
    mut map: A,
    findings: &mut Findings<'de>,
    mut take: impl FnMut(&str, Option<T>, &mut Findings<'de>),
) -> Result<(), A::Error> {
    while let Some(Text(name)) = map.next_key::<Text<'de>>()? {
        findings.enter_name(name.clone());
        if name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
            let fix = format!("use 1 to {LONGEST_NAME} bytes without control characters");
            findings.error::<()>(code::VALUE, "the name cannot be used", fix);
        }
        let read = value::<T, A>(&mut map, findings)?;
        take(&name, read, findings);
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

/// An entry of `quotas`: not enforced yet, so never accepted.
struct Quota;

impl<'de> Shape<'de> for Quota {
    const EXPECTED: &'static str = "a quota";
    fn map<A: MapAccess<'de>>(mut map: A, findings: &mut Findings<'de>) -> Result<Option<Self>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        let fix = "remove it: what is not enforced is not accepted".to_owned();
        Ok(findings.error(code::UNSUPPORTED, "this version does not enforce quotas yet", fix))
    }
}
