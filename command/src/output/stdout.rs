//! The standard output of a run.

use crate::read::escape;
use std::io::{self, BufWriter, StdoutLock, Write};

/// Bytes written at once.
const CHUNK: usize = 1 << 18;
/// Bytes of the longest character.
const LONGEST: usize = 4;

/// The standard output, buffered. [`Out::finish`] has to end it.
pub(crate) struct Out {
    sink: Sink<BufWriter<StdoutLock<'static>>>,
    has_colours: bool,
}

/// A writer that escapes or not, until nobody reads any more.
struct Sink<W> {
    inner: W,
    /// True for text for people, of which every line is escaped.
    escapes: bool,
    /// The beginning of a character.
    begun: Vec<u8>,
    is_closed: bool,
}

impl Out {
    /// Text for people. Everything in it that no one should print is escaped, except line breaks.
    pub(crate) fn text() -> Out {
        Out::new(true)
    }

    /// JSON, YAML and scripts, as they are.
    pub(crate) fn data() -> Out {
        Out::new(false)
    }

    fn new(escapes: bool) -> Out {
        let stdout = io::stdout().lock();
        let has_colours = escapes && super::has_colours(&stdout);
        let inner = BufWriter::with_capacity(CHUNK, stdout);
        Out { sink: Sink { inner, escapes, begun: Vec::new(), is_closed: false }, has_colours }
    }

    /// Writes text in colours. Every piece of it must be escaped already.
    pub(crate) fn coloured(&mut self, text: &str) -> io::Result<()> {
        let text = super::coloured(text, self.has_colours);
        self.sink.through(|inner| inner.write_all(text.as_bytes()))
    }

    /// Tells that whoever read it has gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.sink.is_closed
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// It cannot be written, for another reason than that nobody reads it.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.sink.end()?;
        self.flush()
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sink.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

impl<W: Write> Sink<W> {
    /// Writes, unless nobody reads.
    fn through(&mut self, write: impl FnOnce(&mut W) -> io::Result<()>) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        match write(&mut self.inner) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(())
            }
            done => done,
        }
    }

    /// Escapes the beginning of a character that never came whole.
    fn end(&mut self) -> io::Result<()> {
        let mut escaped = String::new();
        self.begun.drain(..).for_each(|byte| escape::push_byte(&mut escaped, byte));
        self.through(|inner| inner.write_all(escaped.as_bytes()))
    }
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.escapes {
            self.through(|inner| inner.write_all(bytes))?;
            return Ok(bytes.len());
        }
        let joined;
        let all = match self.begun.is_empty() {
            true => bytes,
            false => {
                joined = [&std::mem::take(&mut self.begun), bytes].concat();
                &joined
            }
        };
        let mut escaped = String::with_capacity(all.len());
        let mut chunks = all.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            for character in chunk.valid().chars() {
                match character {
                    '\n' => escaped.push('\n'),
                    other => escape::push(&mut escaped, other),
                }
            }
            let is_begun = std::str::from_utf8(chunk.invalid()).is_err_and(|error| error.error_len().is_none());
            if chunks.peek().is_none() && is_begun && chunk.invalid().len() < LONGEST {
                self.begun = chunk.invalid().to_vec();
            } else {
                chunk.invalid().iter().for_each(|byte| escape::push_byte(&mut escaped, *byte));
            }
        }
        self.through(|inner| inner.write_all(escaped.as_bytes()))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.through(W::flush)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sink<W>(inner: W, escapes: bool) -> Sink<W> {
        Sink { inner, escapes, begun: Vec::new(), is_closed: false }
    }

    #[test]
    fn text_is_escaped_wherever_it_is_cut() {
        let text = "a\u{1b}é\n\u{9b}\u{2028}\u{1f600}".as_bytes();
        let text = [text, b"\xff\xe2\x80"].concat();
        for cut in 0..text.len() {
            let mut sink = sink(Vec::new(), true);
            sink.write_all(&text[..cut]).unwrap();
            sink.write_all(&text[cut..]).unwrap();
            sink.end().unwrap();
            let written = String::from_utf8(sink.inner).unwrap();
            assert_eq!(written, "a\\u{1b}é\n\\u{9b}\\u{2028}\u{1f600}\\u{ff}\\u{e2}\\u{80}", "{cut}");
        }
    }

    #[test]
    fn data_are_as_they_are() {
        let mut sink = sink(Vec::new(), false);
        sink.write_all(b"\x1b\xff\x9b").unwrap();
        assert_eq!(sink.inner, b"\x1b\xff\x9b");
    }

    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_reader_who_left_is_no_failure_and_a_full_disk_is() {
        let mut left = sink(Failing(io::ErrorKind::BrokenPipe), true);
        assert!(left.write_all(b"a").is_ok() && left.is_closed && left.flush().is_ok());
        let mut full = sink(Failing(io::ErrorKind::StorageFull), true);
        assert!(full.write_all(b"a").is_err() && !full.is_closed);
    }
}
