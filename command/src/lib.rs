//! The `tollgate` command: the only part of the crate that reads files, clocks and the environment.

mod advice;
mod atoms;
mod check;
mod clock;
mod completion;
mod diff;
mod document;
mod edge;
pub mod envoy;
mod eval;
mod excerpt;
mod exit;
mod explain;
mod further;
mod gateway;
mod help;
mod lint;
mod output;
mod progress;
mod public_suffix;
mod push;
mod reach;
mod render;
mod report;
mod request;
mod revision;
mod schema;
mod sha256;
mod site;
pub mod source;
mod test;
mod who;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use exit::Exit;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// Decides the outbound requests of a mesh: who may reach what.
#[derive(Debug, Parser)]
#[command(
    name = "tollgate",
    version,
    arg_required_else_help = true,
    after_help = "`tollgate help TGnnn` prints the page of a code.\n\nExit codes: 0 fine, 1 warnings, failed tests or widening, 2 denied (explain), 3 invalid policy or test file, 64 \
                  usage or unreadable input, 70 internal error."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Arguments),
    Lint(lint::Arguments),
    Eval(eval::Arguments),
    Explain(explain::Arguments),
    Test(test::Arguments),
    Diff(diff::Arguments),
    WhoCan(reach::WhoCan),
    WhatCan(reach::WhatCan),
    Push(push::Arguments),
    Render(render::Arguments),
    Schema(schema::Arguments),
    Completion(completion::CompletionArguments),
    Man(completion::ManArguments),
}

/// The command line, with its help.
fn command_line() -> clap::Command {
    help::grouped(Arguments::command())
}

/// Reads a policy, with a sign of life.
fn load<P: AsRef<Path>>(paths: &[P], format: report::Format) -> Result<source::Loaded, Trouble> {
    progress::during("reading the policy", || source::load(paths)).map_err(|failure| Trouble::loading(failure, format))
}

/// A policy in numbers.
fn summary(loaded: &source::Loaded, document: &document::Document) -> Result<report::Summary, Trouble> {
    Ok(report::Summary::of(document, revision::of(&revision::whole(&loaded.json)?)?))
}

/// Says that the policy comes first, where the other argument is a file and this one is none.
fn comes_first(policy: &Path, other: &str, what: &str) -> Result<(), Trouble> {
    if source::is_stdin(policy) || policy.exists() || !Path::new(other).exists() {
        return Ok(());
    }
    Err(Trouble::Usage(format!("`{}` is no file: the policy comes first, then {what}", output::escape::path(policy))))
}

/// What the policy says in its own words.
fn document(loaded: &source::Loaded) -> Result<document::Document, Trouble> {
    let document = document::Document::read(&loaded.json);
    document.ok_or_else(|| Trouble::Internal("the policy cannot be read back".to_owned()))
}

/// Why a command could not do its work.
#[derive(Debug)]
enum Trouble {
    /// A file that the command line names cannot be read.
    Unreadable(source::Unreadable),
    /// What the command line asks for cannot be.
    Usage(String),
    /// The policy is none; findings are reported in this format.
    Rejected(source::Rejected, report::Format),
    /// What the command says cannot be written.
    Output(io::Error),
    /// A registry cannot be reached, or does not take what is pushed.
    NotPushed(String),
    /// The command found itself to be wrong.
    Internal(String),
}

impl Trouble {
    /// The policy could not be loaded.
    fn loading(failure: source::Failure, format: report::Format) -> Trouble {
        match failure {
            source::Failure::Unreadable(unreadable) => Trouble::Unreadable(unreadable),
            source::Failure::Rejected(rejected) => Trouble::Rejected(rejected, format),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Trouble::Output(error)
    }
}

/// Runs the command with the arguments of this process.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
        output::complain(&format!("tollgate: internal error{place}; please report it"));
        std::process::exit(i32::from(Exit::Internal.code()));
    }));
    if let Some(code) = help::code(std::env::args_os().map(|argument| argument.to_string_lossy().into_owned())) {
        return ended(help::page(&code)).into();
    }
    let arguments = command_line().try_get_matches().and_then(|matches| Arguments::from_arg_matches(&matches));
    match arguments {
        Ok(arguments) => run(&arguments.command).into(),
        Err(error) => match output::usage(&error) {
            Ok(()) if error.use_stderr() => Exit::Usage.into(),
            Ok(()) => Exit::Fine.into(),
            Err(error) => unwritable(&error).into(),
        },
    }
}

fn run(command: &Command) -> Exit {
    let done = match command {
        Command::Check(arguments) => check::run(arguments),
        Command::Lint(arguments) => lint::run(arguments),
        Command::Eval(arguments) => eval::run(arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Test(arguments) => test::run(arguments),
        Command::Diff(arguments) => diff::run(arguments),
        Command::WhoCan(arguments) => reach::who_can(arguments),
        Command::WhatCan(arguments) => reach::what_can(arguments),
        Command::Push(arguments) => push::run(arguments),
        Command::Render(arguments) => render::run(arguments),
        Command::Schema(arguments) => schema::run(arguments),
        Command::Completion(arguments) => completion::completion(arguments),
        Command::Man(arguments) => completion::man(arguments),
    };
    ended(done)
}

/// Says why a command could not do its work, if it could not.
fn ended(done: Result<Exit, Trouble>) -> Exit {
    match done.or_else(rejected) {
        Ok(exit) => exit,
        Err(Trouble::Output(error)) => unwritable(&error),
        Err(Trouble::NotPushed(why)) => {
            report::error(&format!("cannot push: {why}"));
            Exit::Internal
        }
        Err(Trouble::Unreadable(unreadable)) => {
            report::error(&unreadable.to_string());
            Exit::Usage
        }
        Err(Trouble::Internal(message)) => {
            report::error(&format!("internal error: {message}; please report it"));
            Exit::Internal
        }
        Err(Trouble::Usage(message)) => {
            report::error(&message);
            Exit::Usage
        }
        // reported just before
        Err(Trouble::Rejected(..)) => Exit::Invalid,
    }
}

/// Says that a result is lost.
fn unwritable(error: &io::Error) -> Exit {
    report::error(&format!("cannot write: {error}"));
    Exit::Internal
}

/// Reports what is wrong with a policy that is none.
fn rejected(trouble: Trouble) -> Result<Exit, Trouble> {
    let Trouble::Rejected(rejected, format) = trouble else { return Err(trouble) };
    report::write(format, &report::Report::of_rejection(&rejected))?;
    Ok(Exit::Invalid)
}
