//! Everything that the command writes: results on stdout, complaints on stderr.
//!
//! A reader who has enough changes nothing: text written after it left goes nowhere, and the exit code stays the one
//! that was due. Any other failure of stdout is an error, since a result is lost with it; a failure of stderr is none.

pub(crate) mod diff;
pub(crate) mod explain;
pub(crate) mod progress;
pub(crate) mod reach;
pub(crate) mod render;
pub(crate) mod report;
mod stdout;
pub(crate) mod test;

pub(crate) use stdout::Out;

use crate::read::escape;
use anstream::ColorChoice;
use std::io::{self, Write};

/// Tells a stream on which colours are wanted.
fn has_colours(stream: &impl anstream::stream::RawStream) -> bool {
    anstream::AutoStream::choice(stream) != ColorChoice::Never
}

/// Removes colours from a text unless they are wanted. Every piece of it must be escaped already.
fn coloured(text: &str, has_colours: bool) -> String {
    if has_colours { text.to_owned() } else { anstream::adapter::strip_str(text).to_string() }
}

/// Writes text in colours and a line break to stderr. Every piece of it must be escaped already.
pub(crate) fn complain(text: &str) {
    let stderr = io::stderr().lock();
    let text = coloured(text, has_colours(&stderr));
    let mut stderr = io::BufWriter::new(stderr);
    // a failure has nowhere to be reported, and the exit code is the one that was due
    let _ = writeln!(stderr, "{text}").and_then(|()| stderr.flush());
}

/// Writes what the parser of the command line says: help to stdout, mistakes to stderr.
///
/// # Errors
/// The help cannot be written.
pub(crate) fn usage(error: &clap::Error) -> io::Result<()> {
    let styled = error.render();
    if error.use_stderr() {
        let spoken =
            |argument: std::ffi::OsString| escape::bytes(argument.as_encoded_bytes()) != argument.to_string_lossy();
        // words of the command line are repeated in the message
        let text = match std::env::args_os().any(spoken) {
            false => styled.ansi().to_string(),
            true => styled.to_string().lines().map(escape::line).collect::<Vec<_>>().join("\n"),
        };
        complain(text.trim_end_matches('\n'));
        return Ok(());
    }
    let mut out = Out::text();
    out.coloured(&styled.ansi().to_string())?;
    out.finish()
}
