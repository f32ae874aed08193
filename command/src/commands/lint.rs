//! `tollgate lint`: is the policy what was meant?

use super::error::CommandError;
use super::exit::Exit;
use super::{input, render};
use crate::analysis::advice::code::OF_CONNECTIONS;
use crate::analysis::advice::suppress;
use crate::analysis::lint::{Subject, advise};
use crate::output::report::{self, Format, Report};
use crate::read::{self, clock};
use std::path::PathBuf;
use tollgate::decision::Timestamp;
use tollgate::policy::Severity;

/// Beginning of the codes that need a site file.
const OF_SITES: &str = "TG4";

/// Check a policy, and say what is probably not as meant
///
/// Each finding has a code; docs/lints.md says what it means and what to write instead. A comment allows what is as it
/// should be: `# tollgate: allow TG201 because …`, on the line above or at the end of the line. The exit code is 1 if
/// there is any warning.
#[derive(Debug, clap::Args)]
pub(crate) struct LintArguments {
    /// YAML or JSON files, or folders of them; `-` for stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Let notes count as warnings do
    #[arg(long)]
    strict: bool,
    /// When rules end is compared with this time (RFC 3339); now if not given
    #[arg(long, value_name = "TIME", value_parser = clock::moment)]
    now: Option<Timestamp>,
    /// Lint for this site too: what `tollgate render` cannot do there
    #[arg(long, value_name = "FILE")]
    site: Option<PathBuf>,
    /// The gateway, if the site has several
    #[arg(long, value_name = "NAME", requires = "site")]
    gateway: Option<String>,
    /// How to report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(arguments: &LintArguments) -> Result<Exit, CommandError> {
    let loaded = input::load(&arguments.files, arguments.format)?;
    let document = input::document(&loaded)?;
    let subject = Subject {
        policy: &loaded.policy,
        document: &document,
        size: loaded.json.len(),
        now: arguments.now.unwrap_or_else(clock::now),
    };
    let mut advice = advise(&subject);
    let gateway = match &arguments.site {
        None => None,
        Some(site) => {
            let LintArguments { gateway, format, .. } = arguments;
            Some(render::advise(&loaded, &document, site, gateway.as_deref(), *format, &mut advice)?)
        }
    };
    let mut findings = loaded.advice.clone();
    findings.append(&mut read::locate(advice.findings, &loaded.files));
    let has_tls = gateway.as_ref().is_some_and(|gateway| gateway.ports.carrying().is_some());
    let looked_for =
        |code: &str| (gateway.is_some() || !code.starts_with(OF_SITES)) && (has_tls || !OF_CONNECTIONS.contains(&code));
    let findings = suppress::apply(findings, &loaded.files, looked_for);
    let summary = input::summary(&loaded, &document)?;
    report::write(arguments.format, &Report::of_policy(summary, &findings, &loaded.files))?;
    let worst = if arguments.strict { Severity::Note } else { Severity::Warning };
    Ok(if findings.iter().any(|located| located.finding.severity >= worst) { Exit::Findings } else { Exit::Fine })
}
