//! `tollgate completion` and `tollgate man`: what shells and manuals say of the command, from its own definition.

use super::exit::Exit;
use super::{Arguments as Tollgate, Trouble};
use clap::CommandFactory;
use clap_complete::Shell;
use std::io::{self, Write};
use std::path::PathBuf;

/// Print completions for a shell
///
/// bash: `tollgate completion bash > /etc/bash_completion.d/tollgate`. zsh: write `_tollgate` into a folder of `$fpath`. fish:
/// `tollgate completion fish > ~/.config/fish/completions/tollgate.fish`.
#[derive(Debug, clap::Args)]
pub(super) struct CompletionArguments {
    /// The shell that completes
    #[arg(value_enum)]
    shell: Shell,
}

/// Print the manual page, or write those of all commands into a folder
#[derive(Debug, clap::Args)]
pub(super) struct ManArguments {
    /// A folder that gets `tollgate.1` and a page for each command; it is made if need be
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

pub(super) fn completion(arguments: &CompletionArguments) -> Result<Exit, Trouble> {
    // the generator panics where it cannot write, and memory it can
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Tollgate::command(), "tollgate", &mut script);
    io::stdout().lock().write_all(&script)?;
    Ok(Exit::Fine)
}

pub(super) fn man(arguments: &ManArguments) -> Result<Exit, Trouble> {
    let command = Tollgate::command();
    match &arguments.output {
        None => clap_mangen::Man::new(command).render(&mut io::stdout().lock())?,
        Some(folder) => std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(command, folder))
            .map_err(|error| Trouble::Usage(format!("cannot write `{}`: {error}", folder.display())))?,
    }
    Ok(Exit::Fine)
}
