//! `tollgate who-can` and `tollgate what-can`: who reaches a host, and what an identity reaches.

use super::error::CommandError;
use super::exit::Exit;
use super::input;
use crate::analysis::atoms::{Place, Side, Who};
use crate::analysis::edge::{account, own_domain};
use crate::analysis::reach::{Question, Reach};
use crate::output::reach;
use crate::output::report::{self, Plain};
use crate::read::clock;
use std::path::PathBuf;
use tollgate::decision::Timestamp;
use tollgate::request::{Authority, Form, Identity, Path};

/// Show which identities may reach a host
///
/// Every caller that the policy lets through to the host, with the rule that admits it and the ports, methods and paths
/// it may use. What no rule admits is let through only in dry-run, and said to be `would-deny`.
#[derive(Debug, clap::Args)]
pub(crate) struct WhoCan {
    /// A YAML or JSON file, or a folder of them: one policy; `-` for stdin
    #[arg(value_name = "POLICY")]
    policy: PathBuf,
    /// A name, a wildcard or an address, with a port and a path if only these are asked for; a URL is taken, too
    #[arg(value_name = "HOST[:PORT][/PATH]")]
    host: String,
    #[command(flatten)]
    common: ReachArguments,
}

/// Show what an identity may reach
///
/// Every host that the policy lets the caller through to, with the rule that admits it, the ports, methods and paths it
/// may use, and the quotas it is charged to. What no rule admits is let through only in dry-run, and said to be
/// `would-deny`.
#[derive(Debug, clap::Args)]
pub(crate) struct WhatCan {
    /// A YAML or JSON file, or a folder of them: one policy; `-` for stdin
    #[arg(value_name = "POLICY")]
    policy: PathBuf,
    /// A SPIFFE ID, the short form of one in the mesh's own trust domain, a namespace (`NS` or `NS/*`), or `anonymous`
    #[arg(value_name = "SPIFFE|NS/SA|NS")]
    identity: String,
    #[command(flatten)]
    common: ReachArguments,
}

#[derive(Debug, clap::Args)]
struct ReachArguments {
    /// Only requests with this method
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,
    /// The time at which requests are decided (RFC 3339); now unless given
    #[arg(long, value_name = "TIME", value_parser = clock::moment)]
    now: Option<Timestamp>,
    /// How to write the list
    #[arg(long, value_enum, default_value_t)]
    format: Plain,
}

pub(crate) fn who_can(arguments: &WhoCan) -> Result<Exit, CommandError> {
    input::comes_first(&arguments.policy, &arguments.host, "the host")?;
    let side = input::side(&arguments.policy)?;
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
    let wrong = |what: &str| CommandError::Usage(format!("`{}` is no {what}", arguments.host));
    let (place, port) = place(authority).ok_or_else(|| wrong("host"))?;
    // that of a URL that names none is every path
    let path = if is_url && path == "/" { "" } else { path };
    let path = (!path.is_empty()).then_some(path);
    if path.is_some_and(|path| Path::parse(path.as_bytes(), &mut Vec::new()).form == Form::Ambiguous) {
        return Err(wrong("path that servers agree on"));
    }
    let whos: Vec<Who> = Who::everyone(&side.document).into_iter().chain([Who::Untrusted]).collect();
    let question = Question { whos, places: vec![place], port, path, method: arguments.common.method.as_deref() };
    report(&side, &question, &format!("nobody may reach {}", arguments.host), &arguments.common)
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

pub(crate) fn what_can(arguments: &WhatCan) -> Result<Exit, CommandError> {
    input::comes_first(&arguments.policy, &arguments.identity, "the identity")?;
    let side = input::side(&arguments.policy)?;
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
        return Err(CommandError::Usage(format!(
            "`{given}` is no identity; write a SPIFFE ID, NAMESPACE/ACCOUNT, NAMESPACE or anonymous"
        )));
    }
    let method = arguments.common.method.as_deref();
    let question = Question { whos: vec![who], places: Place::everywhere(), port: None, path: None, method };
    report(&side, &question, &format!("{given} may reach nothing"), &arguments.common)
}

/// Tells a name that a namespace of Kubernetes can have (RFC 1123, a label).
fn is_namespace(name: &str) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.bytes().all(|byte| is_letter(&byte) || byte == b'-')
        && name.len() <= 63
        && name.as_bytes().first().is_some_and(is_letter)
        && name.as_bytes().last().is_some_and(is_letter)
}

/// Answers a question; `nothing` is the answer where nothing may be reached.
fn report(side: &Side, question: &Question<'_>, nothing: &str, common: &ReachArguments) -> Result<Exit, CommandError> {
    let reach = Reach::of(side, question, clock::seconds(common.now.unwrap_or_else(clock::now)))?;
    let mut out = common.format.out();
    match common.format {
        Plain::Human => reach::write(&reach, nothing, own_domain(side.policy.settings()), &mut out)?,
        Plain::Json => report::pretty(&reach, &mut out)?,
    }
    out.finish()?;
    Ok(Exit::Fine)
}
