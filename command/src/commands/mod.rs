//! The commands, a file each: arguments, the call, the exit code.

mod check;
mod completion;
mod diff;
mod edge;
mod error;
mod eval;
mod exit;
mod explain;
mod help;
mod input;
mod lint;
mod push;
mod reach;
mod render;
mod schema;
mod test;

use crate::output;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use error::{ended, unwritable};
use exit::Exit;
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
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::CheckArguments),
    Lint(lint::LintArguments),
    Eval(eval::EvalArguments),
    Explain(explain::ExplainArguments),
    Test(test::TestArguments),
    Diff(diff::DiffArguments),
    WhoCan(reach::WhoCan),
    WhatCan(reach::WhatCan),
    Push(push::PushArguments),
    Render(render::RenderArguments),
    Schema(schema::SchemaArguments),
    Completion(completion::CompletionArguments),
    Man(completion::ManArguments),
}

/// The command line, with its help.
fn command_line() -> clap::Command {
    help::grouped(CommandLine::command())
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
    let arguments = command_line().try_get_matches().and_then(|matches| CommandLine::from_arg_matches(&matches));
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
