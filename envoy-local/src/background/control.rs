//! Control of the gateway in the background: a socket that answers as long as the gateway runs, so that no process id
//! has to be believed.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::settings::directory;

/// Asks how things are.
pub(super) const STATUS: &str = "status";
/// Asks for commands to try, a few for each caller.
pub(super) const EXAMPLES: &str = "examples";
/// Asks to end.
pub(super) const DOWN: &str = "down";

/// A connection to the gateway in the background.
pub(super) struct Control(UnixStream);

fn socket() -> PathBuf {
    directory().join("control")
}

impl Control {
    /// The gateway that runs, if one does.
    pub(super) fn find() -> Result<Option<Control>> {
        match UnixStream::connect(socket()) {
            Ok(stream) => Ok(Some(Control(stream))),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot use {}", socket().display())),
        }
    }

    /// Asks one thing.
    pub(super) fn ask(mut self, question: &str) -> Result<String> {
        writeln!(self.0, "{question}")?;
        self.0.shutdown(Shutdown::Write)?;
        let mut answer = String::new();
        self.0.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

/// The end of the socket that answers.
pub(super) struct Answering(UnixListener);

impl Answering {
    /// Takes the place of one that is gone.
    pub(super) fn open() -> Result<Answering> {
        drop(std::fs::remove_file(socket()));
        let listener = UnixListener::bind(socket()).with_context(|| format!("cannot use {}", socket().display()))?;
        Ok(Answering(listener))
    }

    /// Answers until someone asks to end.
    pub(super) fn answer(&self, status: impl Fn() -> String, examples: impl Fn() -> String) {
        for stream in self.0.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut question = String::new();
            // Whoever went away without asking gets no answer.
            drop(BufReader::new(&stream).read_line(&mut question));
            match question.trim() {
                STATUS => drop(stream.write_all(status().as_bytes())),
                EXAMPLES => drop(stream.write_all(examples().as_bytes())),
                DOWN => return,
                _ => {}
            }
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        drop(std::fs::remove_file(socket()));
    }
}
