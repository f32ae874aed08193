//! `tollgate explain`: a decision, and the walk to it.

mod ask;

use super::error::CommandError;
use super::exit::Exit;
use super::{edge, input};
use crate::analysis::edge::Edge;
use crate::analysis::explain::{Explainer, why_not};
use crate::analysis::request::Request;
use crate::output::explain;
use crate::output::report::{self, Format, Plain};
use crate::read::clock;
use crate::read::excerpt::Text;
use std::path::PathBuf;
use tollgate::decision::Outcome;

/// Explain the decision on a request
///
/// Shows what the request is reduced to, every entry that could speak of it with the first thing that failed, the
/// entry that decides with its place in the file, and the quotas it would be charged to, as a gateway that has just
/// started keeps them. The request is taken as a workload sends it, with --raw as the filter sees it. The exit code is 0 for a request that is let through and 2 for one that is denied.
///
/// With --sni it is a TCP connection, as the filter `tollgate-tcp` decides it.
#[derive(Debug, clap::Args)]
pub(crate) struct ExplainArguments {
    /// A YAML or JSON file, or a folder of them: one policy; `-` for stdin
    #[arg(value_name = "POLICY")]
    policy: PathBuf,
    #[command(flatten)]
    ask: ask::RequestArguments,
    #[command(flatten)]
    edge: edge::EdgeArguments,
    /// If it is denied, say what comes nearest to letting it through: the smallest edit that was found, tried out
    #[arg(long)]
    why_not: bool,
    /// How to explain
    #[arg(long, value_enum, default_value_t)]
    format: Plain,
}

pub(crate) fn run(arguments: &ExplainArguments) -> Result<Exit, CommandError> {
    let normalization = arguments.edge.settings()?;
    input::comes_first(&arguments.policy, arguments.ask.url(), "URL")?;
    let loading = match arguments.format {
        Plain::Human => Format::Human,
        Plain::Json => Format::Json,
    };
    let loaded = input::load(std::slice::from_ref(&arguments.policy), loading)?;
    let document = input::document(&loaded)?;
    let text = Text::of(&loaded.json, &document);
    let excerpts =
        text.excerpts().ok_or_else(|| CommandError::Internal("the policy cannot be taken apart".to_owned()))?;
    let mut edge = Edge::of(normalization, &document, loaded.policy.settings());
    if arguments.ask.names_https() {
        edge = edge.without_written_ports();
    }
    let explainer = Explainer { policy: &loaded.policy, document: &document, excerpts: &excerpts, edge: &edge };

    let line = arguments.ask.line(loaded.policy.settings()).map_err(CommandError::Usage)?;
    let request = Request::read(line.as_bytes()).map_err(|mistake| CommandError::Usage(mistake.message))?;
    let mut walk = explainer.walk(&request, request.now().unwrap_or_else(clock::now)).map_err(CommandError::Usage)?;
    walk.note(arguments.ask.unseen());
    walk.note(arguments.ask.hint(&document));
    walk.locate(&loaded);
    if !walk.agrees() {
        return Err(CommandError::Internal("the explanation and the decision differ".to_owned()));
    }
    if arguments.why_not && walk.outcome() == Outcome::Deny {
        walk.why_not = Some(why_not(&explainer, &loaded.json, &request, &walk));
    }
    let mut out = arguments.format.out();
    match arguments.format {
        Plain::Human => explain::write(&walk, &loaded.files, &mut out)?,
        Plain::Json => report::pretty(&walk, &mut out)?,
    }
    out.finish()?;
    Ok(if walk.outcome() == Outcome::Deny { Exit::Denied } else { Exit::Fine })
}
