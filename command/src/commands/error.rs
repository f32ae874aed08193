//! Failures that keep a command from its work, and their messages.

use super::exit::Exit;
use crate::analysis::unconfirmed::Unconfirmed;
use crate::output::report::{self, Format, Report};
use crate::read::{Failure, Rejected, Unreadable};
use std::io;

/// Failure that kept a command from its work.
#[derive(Debug)]
pub(super) enum CommandError {
    /// A file that the command line names cannot be read.
    Unreadable(Unreadable),
    /// The command line asks for something impossible.
    Usage(String),
    /// The policy is invalid; its findings are reported in this format.
    Rejected(Rejected, Format),
    /// The output cannot be written.
    Output(io::Error),
    /// A registry cannot be reached, or does not take what is pushed.
    NotPushed(String),
    /// The command found itself to be wrong.
    Internal(String),
}

impl CommandError {
    /// The policy could not be loaded.
    pub(super) fn loading(failure: Failure, format: Format) -> CommandError {
        match failure {
            Failure::Unreadable(unreadable) => CommandError::Unreadable(unreadable),
            Failure::Rejected(rejected) => CommandError::Rejected(rejected, format),
        }
    }
}

impl From<Unconfirmed> for CommandError {
    fn from(Unconfirmed(message): Unconfirmed) -> Self {
        CommandError::Internal(message)
    }
}

impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        CommandError::Output(error)
    }
}

/// Says why a command could not do its work, if it could not.
pub(super) fn ended(done: Result<Exit, CommandError>) -> Exit {
    match done.or_else(rejected) {
        Ok(exit) => exit,
        Err(CommandError::Output(error)) => unwritable(&error),
        Err(CommandError::NotPushed(why)) => {
            report::error(&format!("cannot push: {why}"));
            Exit::Internal
        }
        Err(CommandError::Unreadable(unreadable)) => {
            report::error(&unreadable.to_string());
            Exit::Usage
        }
        Err(CommandError::Internal(message)) => {
            report::error(&format!("internal error: {message}; please report it"));
            Exit::Internal
        }
        Err(CommandError::Usage(message)) => {
            report::error(&message);
            Exit::Usage
        }
        // reported just before
        Err(CommandError::Rejected(..)) => Exit::Invalid,
    }
}

/// Says that a result is lost.
pub(super) fn unwritable(error: &io::Error) -> Exit {
    report::error(&format!("cannot write: {error}"));
    Exit::Internal
}

/// Reports the findings of an invalid policy. Any other failure is returned as it is.
pub(super) fn rejected(trouble: CommandError) -> Result<Exit, CommandError> {
    let CommandError::Rejected(rejected, format) = trouble else { return Err(trouble) };
    report::write(format, &Report::of_rejection(&rejected))?;
    Ok(Exit::Invalid)
}
