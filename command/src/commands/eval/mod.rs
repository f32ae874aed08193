//! `tollgate eval`: a decision for every request of a file.

mod answer;
mod lines;

use self::answer::{Answer, EvalFormat};
use self::lines::{InputLine, Lines};
use super::error::CommandError;
use super::exit::Exit;
use super::{edge, input};
use crate::analysis::edge::Edge;
use crate::analysis::gateway::Gateway;
use crate::analysis::request::{Mistake, Request};
use crate::output::Out;
use crate::output::report;
use crate::read::clock;
use crate::read::escape;
use crate::read::{Unreadable, is_stdin};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use tollgate::decision::Timestamp;
use tollgate::policy::Policy;

/// Lines that are complained about one by one.
const COMPLAINTS: u64 = 10;

/// Decide requests, one a line
///
/// Each line of the input is a JSON object: `authority`, and where they matter `identity` (a SPIFFE ID, or NAMESPACE/NAME; also `as`), `source`
/// (peer-certificate or peer-principal), `method` (GET), `path`, `headers` ({name: value or list of values}),
/// `cluster` and `now` (RFC 3339 or seconds since 1970; the time of the start). `authority_b64`, `path_b64` and
/// `identity_b64` hold bytes that JSON cannot. Each line of the output is the decision on the same line of the input,
/// or {"error": …} for a line that is no request; the exit code is 64 if there was any. Blank lines are skipped.
///
/// A line with `layer: tcp` is a TCP connection: `authority` is the host and port that it was led to, `sni` the server name in the
/// caller's own TLS, or `clientHello_b64` its first bytes (empty: it waits for the server to speak); with neither of these it speaks no TLS.
///
/// Requests are taken as a workload sends them: the gateway resolves paths before it decides, drops an `upgrade` that no `connection: upgrade`
/// names, and knows the port that the sidecar writes for plain HTTP. With --raw they are taken as the filter sees them.
///
/// Quotas are charged line by line, as one gateway that has just started would; a request has ended when the next one
/// begins, and moves no bytes but those of the headers that its line gives.
#[derive(Debug, clap::Args)]
pub(crate) struct EvalArguments {
    /// YAML or JSON files, or folders of them: one policy; `-` for stdin
    #[arg(required = true, value_name = "POLICY")]
    policy: Vec<PathBuf>,
    /// Requests as JSON lines; `-` for stdin
    #[arg(long, value_name = "FILE")]
    requests: PathBuf,
    #[command(flatten)]
    edge: edge::EdgeArguments,
    /// How to write decisions
    #[arg(long, value_enum, default_value_t)]
    format: EvalFormat,
}

pub(crate) fn run(arguments: &EvalArguments) -> Result<Exit, CommandError> {
    if arguments.requests.as_os_str() == "-" && arguments.policy.iter().any(|path| is_stdin(path)) {
        return Err(CommandError::Usage("stdin can be the policy or the requests, not both".to_owned()));
    }
    let normalization = arguments.edge.settings()?;
    let loaded = input::load(&arguments.policy, report::Format::Human)?;
    let document = input::document(&loaded)?;
    let policy = loaded.policy;
    let name = escape::path(&arguments.requests);
    let unreadable = |error| CommandError::Unreadable(Unreadable { path: name.clone(), error });
    let input: Box<dyn Read> = match name.as_str() {
        "-" => Box::new(io::stdin().lock()),
        _ => Box::new(File::open(&arguments.requests).map_err(unreadable)?),
    };
    let mut lines = Lines::new(input);
    let mut evaluation = Evaluation {
        policy: &policy,
        format: arguments.format,
        start: clock::now(),
        out: match arguments.format {
            EvalFormat::Json => Out::data(),
            EvalFormat::Human => Out::text(),
        },
        gateway: Gateway::behind(Edge::of(normalization, &document, policy.settings())),
    };
    let mut bad = 0_u64;
    loop {
        // whoever waits for an answer before asking on gets it
        if lines.would_block() {
            evaluation.out.flush()?;
        }
        // nobody would see the rest, of which there may be no end
        if evaluation.out.is_closed() {
            break;
        }
        let Some((number, line)) = lines.next().map_err(unreadable)? else { break };
        if let Err(mistake) = evaluation.line(line)? {
            bad = bad.saturating_add(1);
            if bad <= COMPLAINTS {
                report::error(&format!("{name}:{number}:{}: {}", mistake.column, mistake.message));
            }
        }
    }
    evaluation.out.finish()?;
    if bad > COMPLAINTS {
        report::error(&format!("{bad} lines are no requests"));
    }
    Ok(if bad > 0 { Exit::Usage } else { Exit::Fine })
}

/// Policy, source of identities and quota state that all requests of a run share.
struct Evaluation<'p> {
    policy: &'p Policy,
    format: EvalFormat,
    start: Timestamp,
    out: Out,
    gateway: Gateway,
}

impl Evaluation<'_> {
    /// Answers one line.
    fn line(&mut self, line: InputLine<'_>) -> io::Result<Result<(), Mistake>> {
        let read = match line {
            InputLine::Whole(line) => Request::read(line),
            InputLine::TooLong => Err(Mistake::anywhere("the line is longer than 16 MiB")),
        };
        match read.and_then(|request| self.decide(&request)) {
            Ok(written) => written.map(Ok),
            Err(mistake) => {
                answer::write_error(&mistake.message, self.format, &mut self.out)?;
                Ok(Err(mistake))
            }
        }
    }

    fn decide(&mut self, request: &Request<'_>) -> Result<io::Result<()>, Mistake> {
        let Evaluation { policy, format, start, out, gateway } = self;
        let now = request.now().unwrap_or(*start);
        gateway.play(policy, request, now, |arrival, judged, charged| {
            Answer::of(&judged.decision, &charged.outcomes).write(arrival, *format, out)
        })
    }
}
