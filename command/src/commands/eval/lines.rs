//! Lines of any input, in memory that does not grow with it.

use std::io::{self, BufRead, BufReader, Read};

/// Bytes read at once.
const CHUNK: usize = 1 << 18;

/// Bytes of a line.
const MAX_LINE: u64 = 16 << 20;

/// The lines that are not blank, with their numbers.
pub(super) struct Lines<R> {
    input: BufReader<R>,
    line: Vec<u8>,
    number: u64,
}

/// A line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum InputLine<'l> {
    Whole(&'l [u8]),
    TooLong,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Lines { input: BufReader::with_capacity(CHUNK, input), line: Vec::new(), number: 0 }
    }

    /// Tells whether no whole line is buffered, so that reading the next one may block.
    pub(super) fn would_block(&self) -> bool {
        !self.input.buffer().contains(&b'\n')
    }

    /// The next line that is not blank and its number, counted from 1.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, InputLine<'_>)>> {
        loop {
            self.line.clear();
            let read = self.input.by_ref().take(MAX_LINE).read_until(b'\n', &mut self.line)?;
            if read == 0 {
                return Ok(None);
            }
            self.number = self.number.saturating_add(1);
            if !self.line.ends_with(b"\n") && !self.input.fill_buf()?.is_empty() {
                self.input.skip_until(b'\n')?;
                return Ok(Some((self.number, InputLine::TooLong)));
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some((self.number, InputLine::Whole(self.line.trim_ascii_end()))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_count_and_are_skipped() {
        let mut lines = Lines::new(b"a\n\n \t\r\nb\r\nc".as_slice());
        assert_eq!(lines.next().unwrap(), Some((1, InputLine::Whole(b"a"))));
        assert_eq!(lines.next().unwrap(), Some((4, InputLine::Whole(b"b"))));
        assert_eq!(lines.next().unwrap(), Some((5, InputLine::Whole(b"c"))));
        assert_eq!(lines.next().unwrap(), None);
    }

    #[test]
    fn a_line_over_the_limit_is_passed_over_whole() {
        let input = io::repeat(b'x').take(MAX_LINE * 3).chain(b"\nafter\n".as_slice());
        let mut lines = Lines::new(input);
        assert_eq!(lines.next().unwrap(), Some((1, InputLine::TooLong)));
        assert_eq!(lines.next().unwrap(), Some((2, InputLine::Whole(b"after"))));
    }

    #[test]
    fn a_line_of_just_the_limit_is_read() {
        let longest = usize::try_from(MAX_LINE).unwrap() - 1;
        let input = io::repeat(b'x').take(MAX_LINE - 1).chain(b"\n".as_slice());
        let mut lines = Lines::new(input);
        assert!(matches!(lines.next().unwrap(), Some((1, InputLine::Whole(line))) if line.len() == longest));
        assert_eq!(lines.next().unwrap(), None);
    }
}
