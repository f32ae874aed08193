//! `tollgate lint`: is the policy what was meant?

mod cover;
mod habits;
mod hosts;
mod lists;
mod parts;
mod quotas;
mod reach;
mod settings;
mod subject;

pub(super) use self::habits::lint as habits;
use self::subject::Subject;
use super::advice::{Advice, suppress};
use super::document::Document;
use super::exit::Exit;
use super::report::{self, Format, Report};
use super::source::{self, Loaded, Located};
use super::{Trouble, clock, render};
use std::path::PathBuf;
use tollgate::decision::Timestamp;
use tollgate::policy::Severity;

/// Check a policy, and say what is probably not as meant
///
/// Each finding has a code; docs/lints.md says what it means and what to write instead. A comment allows what is as it
/// should be: `# tollgate: allow TG201 because …`, on the line above or at the end of the line. The exit code is 1 if
/// there is any warning.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
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

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Trouble> {
    let loaded = super::load(&arguments.files, arguments.format)?;
    let document = super::document(&loaded)?;
    let subject = Subject {
        policy: &loaded.policy,
        document: &document,
        size: loaded.json.len(),
        now: arguments.now.unwrap_or_else(clock::now),
    };
    let mut advice = advise(&subject);
    if let Some(site) = &arguments.site {
        let Arguments { gateway, format, .. } = arguments;
        render::advise(&loaded, &document, site, gateway.as_deref(), *format, &mut advice)?;
    }
    let mut findings = loaded.advice.clone();
    findings.append(&mut source::locate(advice.findings, &loaded.files));
    let looked_for = |code: &str| arguments.site.is_some() || !code.starts_with(OF_SITES);
    let findings = suppress::apply(findings, &loaded.files, looked_for);
    let summary = super::summary(&loaded, &document)?;
    report::write(arguments.format, &Report::of_policy(summary, &findings, &loaded.files))?;
    let worst = if arguments.strict { Severity::Note } else { Severity::Warning };
    Ok(if findings.iter().any(|located| located.finding.severity >= worst) { Exit::Findings } else { Exit::Fine })
}

/// Says which rules have ended, but for those of which a comment allows it.
pub(super) fn ended(loaded: &Loaded, document: &Document, now: Timestamp) -> Vec<Located> {
    let mut advice = Advice::default();
    for (number, rule) in document.rules.iter().enumerate() {
        reach::ended(number, rule, now, &mut advice);
    }
    if advice.findings.is_empty() {
        return Vec::new();
    }
    suppress::only(source::locate(advice.findings, &loaded.files), &loaded.files)
}

/// How codes begin that only a site can give rise to.
const OF_SITES: &str = "TG4";

fn advise(subject: &Subject<'_>) -> Advice {
    let mut advice = Advice::default();
    let denied = reach::lint(subject, &mut advice);
    hosts::lint(subject, &denied, &mut advice);
    parts::lint(subject, &mut advice);
    lists::lint(subject, &mut advice);
    habits(subject.document, &mut advice);
    quotas::lint(subject, &mut advice);
    settings::lint(subject, &mut advice);
    advice
}
