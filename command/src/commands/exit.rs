//! Exit codes.

use std::process::ExitCode;

/// End of a run; the numbers are part of the command's interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Nothing to complain about.
    Fine,
    /// Warnings: the policy works, and probably not as meant.
    Findings,
    /// The explained request is denied.
    Denied,
    /// The policy is rejected.
    Invalid,
    /// The command line, a file it names, or a line of input is not what the command takes.
    Usage,
    /// A fault of the command or of the machine it runs on.
    Internal,
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Fine => 0,
            Exit::Findings => 1,
            Exit::Denied => 2,
            Exit::Invalid => 3,
            Exit::Usage => 64,
            Exit::Internal => 70,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}
