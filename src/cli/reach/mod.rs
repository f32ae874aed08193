//! `tollgate who-can` and `tollgate what-can`: who reaches a host, and what an identity reaches.

use super::atoms::{Analysis, Ask, Found, Inquiry, Part, Place, Said, Side, Who, Witness, list, merged};
use super::diff::ask;
use super::document::Source;
use super::exit::Exit;
use super::report::table;
use super::{Trouble, clock, report};
use crate::decision::{Outcome, Scratch, Timestamp};
use crate::request::{Authority, Identity, Path};
use serde::Serialize;
use std::io::{self, Write};
use std::path::PathBuf;

/// Show which identities may reach a host
///
/// Every caller that the policy lets through to the host, with the rule that admits it and the ports, methods and paths
/// it may use. What no rule admits is let through only in dry-run, and said to be `would-deny`.
#[derive(Debug, clap::Args)]
pub(super) struct WhoCan {
    /// A YAML or JSON file, or a folder of them: one policy; `-` for stdin
    #[arg(value_name = "POLICY")]
    policy: PathBuf,
    /// A name or an address, with a port and a path if only these are asked for
    #[arg(value_name = "HOST[:PORT][/PATH]")]
    host: String,
    #[command(flatten)]
    common: Common,
}

/// Show what an identity may reach
///
/// Every host that the policy lets the caller through to, with the rule that admits it, the ports, methods and paths it
/// may use, and the quotas it is charged to. What no rule admits is let through only in dry-run, and said to be
/// `would-deny`.
#[derive(Debug, clap::Args)]
pub(super) struct WhatCan {
    /// A YAML or JSON file, or a folder of them: one policy; `-` for stdin
    #[arg(value_name = "POLICY")]
    policy: PathBuf,
    /// A SPIFFE ID, the short form of one in the mesh's own trust domain, or `anonymous`
    #[arg(value_name = "SPIFFE|NS/SA")]
    identity: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Common {
    /// Only requests with this method
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,
    /// The time at which requests are decided (RFC 3339); now unless given
    #[arg(long, value_name = "TIME", value_parser = clock::moment)]
    now: Option<Timestamp>,
    /// How to write the list
    #[arg(long, value_enum, default_value_t)]
    format: report::Plain,
}

/// Requests that are let through, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
struct Passage {
    #[serde(flatten)]
    said: Said,
    /// Until when the rule holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// What they are charged to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    quotas: Vec<String>,
}

/// A line of the list.
#[derive(Debug, Serialize)]
struct Line<'f> {
    identities: &'f [Part<Who>],
    hosts: &'f [Part<Place>],
    #[serde(flatten)]
    ask: &'f Ask,
    #[serde(flatten)]
    passage: &'f Passage,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    except: &'f [(Part<Who>, Part<Place>)],
    witness: &'f Witness,
}

impl<'f> Line<'f> {
    fn of(found: &'f Found<Passage>) -> Self {
        let Found { verdict, ask, who, places, except, witness } = found;
        Line { identities: who, hosts: places, ask, passage: verdict, except, witness }
    }
}

#[derive(Debug, Serialize)]
struct List<'f> {
    complete: bool,
    reachable: Vec<Line<'f>>,
}

pub(super) fn who_can(arguments: &WhoCan) -> Result<Exit, Trouble> {
    let side = read(&arguments.policy)?;
    let (authority, path) = match arguments.host.find('/') {
        Some(at) => arguments.host.split_at(at),
        None => (arguments.host.as_str(), ""),
    };
    let mut buffer = Vec::new();
    let wrong = |what: &str| Trouble::Usage(format!("`{}` is no {what}", arguments.host));
    let asked = Authority::parse(authority.as_bytes(), &mut buffer).ok_or_else(|| wrong("host"))?;
    let (place, port) = (Place::of_host(asked.host), asked.port);
    let path = (!path.is_empty()).then_some(path);
    if path.is_some_and(|path| Path::parse(path.as_bytes(), &mut Vec::new()).form == crate::request::Form::Ambiguous) {
        return Err(wrong("path that servers agree on"));
    }
    let whos: Vec<Who> = Who::everyone(&side.document).into_iter().chain([Who::Untrusted]).collect();
    let pinned = Pinned { port, path, method: arguments.common.method.as_deref() };
    report(&side, whos, vec![place], &pinned, &arguments.common)
}

pub(super) fn what_can(arguments: &WhatCan) -> Result<Exit, Trouble> {
    let side = read(&arguments.policy)?;
    let own = side.document.trust_domains().first().copied().unwrap_or_default().to_owned();
    let given = arguments.identity.as_str();
    let who = match given.split_once('/') {
        None if given == "anonymous" => Who::Anonymous,
        Some((namespace, account)) if !given.contains(':') => {
            Who::Id(format!("spiffe://{own}/ns/{namespace}/sa/{account}"))
        }
        _ => Who::Id(given.to_owned()),
    };
    if let Who::Id(id) = &who
        && Identity::parse(id.as_bytes()).is_none()
    {
        return Err(Trouble::Usage(format!(
            "`{given}` is no identity; write a SPIFFE ID, NAMESPACE/ACCOUNT or anonymous"
        )));
    }
    let pinned = Pinned { port: None, path: None, method: arguments.common.method.as_deref() };
    report(&side, vec![who], Place::everywhere(), &pinned, &arguments.common)
}

fn read(path: &PathBuf) -> Result<Side, Trouble> {
    let loaded = super::load(&[path], report::Format::Human)?;
    Side::new(loaded).ok_or_else(|| Trouble::Internal("a valid policy cannot be read again".to_owned()))
}

/// What of a request is given.
#[derive(Clone, Copy, Debug)]
struct Pinned<'a> {
    port: Option<u16>,
    path: Option<&'a str>,
    method: Option<&'a str>,
}

fn report(
    side: &Side,
    whos: Vec<Who>,
    places: Vec<Place>,
    pinned: &Pinned<'_>,
    common: &Common,
) -> Result<Exit, Trouble> {
    let mut analysis = Analysis::new(vec![side], clock::seconds(common.now.unwrap_or_else(clock::now)), true);
    analysis.pin(pinned.port, pinned.method, pinned.path);
    let by_principal = !side.document.sources().contains(&Source::PeerCertificate);
    let inquiry = Inquiry { changed_only: false, names_port: true, by_principal, says_source: false };
    let mut scratch = Scratch::default();
    let mut found = Vec::new();
    for who in &whos {
        for place in &places {
            found.extend(analysis.region(who, place, inquiry, &mut |witness, _| {
                passage(side, witness, &mut scratch).map(|passage| (passage, witness.now())).into_iter().collect()
            }));
        }
    }
    let found = merged(found);
    for line in &found {
        if side.confirm(&line.witness, &mut scratch).as_ref() != Some(&line.verdict.said) {
            return Err(Trouble::Internal(format!("a line is not confirmed by its request: {line:?}")));
        }
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    match common.format {
        report::Plain::Human => human(&found, !analysis.is_sample, &mut out)?,
        report::Plain::Json => {
            let list = List { complete: !analysis.is_sample, reachable: found.iter().map(Line::of).collect() };
            report::pretty(&list, &mut out)?;
        }
    }
    out.flush()?;
    Ok(Exit::Fine)
}

/// Whether a request is let through, and why.
fn passage(side: &Side, witness: &Witness, scratch: &mut Scratch) -> Option<Passage> {
    side.ask(witness, scratch, |judged| {
        if judged.decision.outcome == Outcome::Deny {
            return None;
        }
        let said = Said::of(judged);
        let rule = said.rule.as_ref().and_then(|id| side.document.rules.iter().find(|rule| rule.id == *id));
        let expires_at = rule.and_then(|rule| rule.expires_at.clone());
        let charged = judged.quotas.iter().filter_map(|metered| side.policy.quota(metered.number()));
        let quotas = charged.map(|quota| quota.id.to_string()).collect();
        Some(Passage { said, expires_at, quotas })
    })
}

fn human(found: &[Found<Passage>], complete: bool, out: &mut impl Write) -> io::Result<()> {
    if found.is_empty() {
        writeln!(out, "{}", if complete { "nobody and nothing" } else { "nothing was found, in a sample" })?;
        return Ok(());
    }
    let rows = found.iter().map(|found| {
        let Passage { said, expires_at, quotas } = &found.verdict;
        let mut notes: Vec<String> = expires_at.iter().map(|at| format!("until {at}")).collect();
        notes.extend((!quotas.is_empty()).then(|| format!("quotas {}", quotas.join(" "))));
        notes.extend((!found.except.is_empty()).then(|| format!("but {} pairs", found.except.len())));
        [list(&found.who), list(&found.places), ask(&found.ask), said.to_string(), notes.join(", ")]
    });
    table::write(["IDENTITY", "HOST", "REQUESTS", "BY", "NOTES"], rows, out)?;
    if !complete {
        writeln!(out, "the policy tells more apart than was looked at: what is listed is so, what is not may be")?;
    }
    Ok(())
}
