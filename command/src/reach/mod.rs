//! `tollgate who-can` and `tollgate what-can`: who reaches a host, and what an identity reaches.

mod human;

use super::atoms::{Analysis, Ask, Found, Inquiry, Part, Place, Said, Side, Who, Witness, merged};
use super::document::Source;
use super::edge::{account, own_domain};
use super::exit::Exit;
use super::{Trouble, clock, report};
use serde::Serialize;
use std::path::PathBuf;
use tollgate::decision::{Outcome, Scratch, Timestamp};
use tollgate::request::{Authority, Identity, Path};

/// Show which identities may reach a host
///
/// Every caller that the policy lets through to the host, with the rule that admits it and the ports, methods and paths
/// it may use. What no rule admits is let through only in dry-run, and said to be `would-deny`.
#[derive(Debug, clap::Args)]
pub(super) struct WhoCan {
    /// A YAML or JSON file, or a folder of them: one policy; `-` for stdin
    #[arg(value_name = "POLICY")]
    policy: PathBuf,
    /// A name, a wildcard or an address, with a port and a path if only these are asked for; a URL is taken, too
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
    /// A SPIFFE ID, the short form of one in the mesh's own trust domain, a namespace (`NS` or `NS/*`), or `anonymous`
    #[arg(value_name = "SPIFFE|NS/SA|NS")]
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
    super::comes_first(&arguments.policy, &arguments.host, "the host")?;
    let side = read(&arguments.policy)?;
    let given = arguments.host.as_str();
    let (is_url, rest) = match given.split_once("://").filter(|(scheme, _)| !scheme.contains('/')) {
        Some((_, rest)) => (true, rest),
        None => (false, given),
    };
    let rest = if is_url { rest.split(['?', '#']).next().unwrap_or_default() } else { rest };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let wrong = |what: &str| Trouble::Usage(format!("`{}` is no {what}", arguments.host));
    let (place, port) = place(authority).ok_or_else(|| wrong("host"))?;
    // that of a URL that names none is every path
    let path = if is_url && path == "/" { "" } else { path };
    let path = (!path.is_empty()).then_some(path);
    if path.is_some_and(|path| Path::parse(path.as_bytes(), &mut Vec::new()).form == tollgate::request::Form::Ambiguous)
    {
        return Err(wrong("path that servers agree on"));
    }
    let whos: Vec<Who> = Who::everyone(&side.document).into_iter().chain([Who::Untrusted]).collect();
    let pinned = Pinned { port, path, method: arguments.common.method.as_deref() };
    let question = Question { whos, places: vec![place], nothing: format!("nobody may reach {}", arguments.host) };
    report(&side, &question, &pinned, &arguments.common)
}

/// The hosts of an authority, wildcards read as in rules, and its port.
fn place(authority: &str) -> Option<(Place, Option<u16>)> {
    if !authority.starts_with('*') {
        let mut buffer = Vec::new();
        let asked = Authority::parse(authority.as_bytes(), &mut buffer)?;
        return Some((Place::of_host(asked.host), asked.port));
    }
    let (pattern, port) = match authority.split_once(':') {
        Some((pattern, port)) => (pattern, Some(port.parse().ok().filter(|port| *port != 0)?)),
        None => (authority, None),
    };
    Some((Place::of_pattern(pattern)?, port))
}

pub(super) fn what_can(arguments: &WhatCan) -> Result<Exit, Trouble> {
    super::comes_first(&arguments.policy, &arguments.identity, "the identity")?;
    let side = read(&arguments.policy)?;
    let own = own_domain(side.policy.settings()).to_owned();
    let given = arguments.identity.as_str();
    let who = match given.split_once('/') {
        None if given == "anonymous" => Who::Anonymous,
        None | Some((_, "*")) if is_namespace(given.trim_end_matches("/*")) => {
            Who::Namespace(own, given.trim_end_matches("/*").to_owned())
        }
        _ => Who::Id(account(given, &own).unwrap_or_else(|| given.to_owned())),
    };
    if let Who::Id(id) = &who
        && Identity::parse(id.as_bytes()).is_none()
    {
        return Err(Trouble::Usage(format!(
            "`{given}` is no identity; write a SPIFFE ID, NAMESPACE/ACCOUNT, NAMESPACE or anonymous"
        )));
    }
    let pinned = Pinned { port: None, path: None, method: arguments.common.method.as_deref() };
    let nothing = format!("{given} may reach nothing");
    report(&side, &Question { whos: vec![who], places: Place::everywhere(), nothing }, &pinned, &arguments.common)
}

/// Tells a name that a namespace of Kubernetes can have (RFC 1123, a label).
fn is_namespace(name: &str) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.bytes().all(|byte| is_letter(&byte) || byte == b'-')
        && name.len() <= 63
        && name.as_bytes().first().is_some_and(is_letter)
        && name.as_bytes().last().is_some_and(is_letter)
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

/// A question about callers and hosts.
#[derive(Debug)]
struct Question {
    whos: Vec<Who>,
    places: Vec<Place>,
    /// The answer where there is none.
    nothing: String,
}

fn report(side: &Side, question: &Question, pinned: &Pinned<'_>, common: &Common) -> Result<Exit, Trouble> {
    let mut analysis = Analysis::new(vec![&side.document], clock::seconds(common.now.unwrap_or_else(clock::now)), true);
    analysis.pin(pinned.port, pinned.method, pinned.path);
    let by_principal = !side.document.sources().contains(&Source::PeerCertificate);
    let inquiry = Inquiry { changed_only: false, names_port: true, by_principal, says_source: false };
    let mut scratch = Scratch::default();
    let mut found = Vec::new();
    for who in &question.whos {
        for place in &question.places {
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
    let mut out = common.format.out();
    match common.format {
        report::Plain::Human => {
            let own = own_domain(side.policy.settings());
            human::write(&found, !analysis.is_sample, &question.nothing, own, &mut out)?;
        }
        report::Plain::Json => {
            let list = List { complete: !analysis.is_sample, reachable: found.iter().map(Line::of).collect() };
            report::pretty(&list, &mut out)?;
        }
    }
    out.finish()?;
    Ok(Exit::Fine)
}

/// Whether a request is let through, and why.
fn passage(side: &Side, witness: &Witness, scratch: &mut Scratch) -> Option<Passage> {
    side.ask(witness, scratch, |judged| {
        if judged.decision.outcome == Outcome::Deny {
            return None;
        }
        let said = Said::of(judged);
        let expires_at = said.rule.as_ref().and_then(|id| side.ends.get(id).cloned());
        let charged = judged.quotas.iter().filter_map(|metered| side.policy.quota(metered.number()));
        let quotas = charged.map(|quota| quota.id.to_string()).collect();
        Some(Passage { said, expires_at, quotas })
    })
}
