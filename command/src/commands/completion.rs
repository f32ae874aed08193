//! `tollgate completion` and `tollgate man`: completions for shells and manual pages, from the command's own
//! definition.

use super::command_line;
use super::error::CommandError;
use super::exit::Exit;
use crate::output::Out;
use crate::read::escape;
use clap_complete::Shell;
use std::io::Write;
use std::path::PathBuf;

/// Print completions for a shell
///
/// bash: `tollgate completion bash > /etc/bash_completion.d/tollgate`. zsh: write `_tollgate` into a folder of `$fpath`. fish:
/// `tollgate completion fish > ~/.config/fish/completions/tollgate.fish`.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionArguments {
    /// The shell that completes
    #[arg(value_enum)]
    shell: Shell,
}

/// Print the manual page, or write those of all commands into a folder
#[derive(Debug, clap::Args)]
pub(crate) struct ManArguments {
    /// A folder that gets `tollgate.1` and a page for each command; it is made if need be
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

pub(crate) fn completion(arguments: &CompletionArguments) -> Result<Exit, CommandError> {
    // the generator panics where it cannot write, and memory it can
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command_line(), "tollgate", &mut script);
    let mut out = Out::data();
    out.write_all(&script)?;
    out.finish()?;
    Ok(Exit::Fine)
}

pub(crate) fn man(arguments: &ManArguments) -> Result<Exit, CommandError> {
    let command = command_line();
    match &arguments.output {
        None => {
            let mut out = Out::data();
            clap_mangen::Man::new(command).render(&mut out)?;
            out.finish()?;
        }
        Some(folder) => std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(command, folder))
            .map_err(|error| CommandError::Usage(format!("cannot write `{}`: {error}", escape::path(folder))))?,
    }
    Ok(Exit::Fine)
}
