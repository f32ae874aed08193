//! HTTP/2 from frames up: pseudo-headers and values that no client library would send.

use std::io::{self, Read, Write};

/// A request without a body, its fields in this order.
pub(crate) struct Request<'a> {
    /// Pseudo-headers and headers as bytes.
    pub(crate) fields: &'a [(&'a [u8], &'a [u8])],
    /// A DATA frame to send behind them; nothing ends the stream at once.
    pub(crate) data: Option<&'a [u8]>,
    /// Trailers.
    pub(crate) trailers: &'a [(&'a [u8], &'a [u8])],
}

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(crate) const DATA: u8 = 0x0;
pub(crate) const HEADERS: u8 = 0x1;
const RST_STREAM: u8 = 0x3;
pub(crate) const SETTINGS: u8 = 0x4;
pub(crate) const GOAWAY: u8 = 0x7;
const WINDOW_UPDATE: u8 = 0x8;
const CONTINUATION: u8 = 0x9;
/// A setting.
const INITIAL_WINDOW_SIZE: u16 = 0x4;
const MAX_WINDOW: u32 = (1 << 31) - 1;
pub(crate) const END_STREAM: u8 = 0x1;
pub(crate) const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
pub(crate) const STREAM: u32 = 1;
/// RFC 9113 §4.2: what every peer takes.
const MAX_FRAME: usize = 16_384;

impl Request<'_> {
    /// Sends it and waits until its stream ends, whichever way. The audit log and the origin tell the outcome.
    pub(crate) fn exchange(&self, stream: &mut (impl Read + Write)) -> io::Result<()> {
        let ends = self.data.is_none() && self.trailers.is_empty();
        let mut bytes = PREFACE.to_vec();
        frame(&mut bytes, SETTINGS, 0, 0, &[]);
        headers(&mut bytes, self.fields, ends);
        if let Some(data) = self.data {
            frame(&mut bytes, DATA, if self.trailers.is_empty() { END_STREAM } else { 0 }, STREAM, data);
        }
        if !self.trailers.is_empty() {
            headers(&mut bytes, self.trailers, true);
        }
        stream.write_all(&bytes)?;
        stream.flush()?;
        loop {
            let (kind, flags, id, _) = read_frame(stream)?;
            match kind {
                SETTINGS if flags & ACK == 0 => {
                    let mut ack = Vec::new();
                    frame(&mut ack, SETTINGS, ACK, 0, &[]);
                    stream.write_all(&ack)?;
                    stream.flush()?;
                }
                HEADERS | DATA if id == STREAM && flags & END_STREAM != 0 => return Ok(()),
                RST_STREAM if id == STREAM => return Ok(()),
                GOAWAY => return Ok(()),
                _ => {}
            }
        }
    }
}

/// A stream that stays open: its frames are sent when the test says so.
pub(crate) struct Open<S> {
    stream: S,
    /// Bytes that the peer still takes: on the connection, on the stream, and on streams at first.
    windows: [i64; 3],
    /// Frames of the response since the test last looked.
    end: End,
    over: bool,
}

/// End of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct End {
    /// Bytes of the response's body.
    pub(crate) data: usize,
    /// The peer said that this was all.
    pub(crate) whole: bool,
    /// The peer said so in trailers.
    pub(crate) has_trailers: bool,
}

impl<S: Read + Write> Open<S> {
    /// Opens a stream with these fields, and has the peer send as much as it likes.
    pub(crate) fn start(stream: S, fields: &[(&[u8], &[u8])]) -> io::Result<Open<S>> {
        let mut bytes = PREFACE.to_vec();
        let setting = [&INITIAL_WINDOW_SIZE.to_be_bytes()[..], &MAX_WINDOW.to_be_bytes()].concat();
        frame(&mut bytes, SETTINGS, 0, 0, &setting);
        frame(&mut bytes, WINDOW_UPDATE, 0, 0, &(MAX_WINDOW - 65_535).to_be_bytes());
        headers(&mut bytes, fields, false);
        let mut open = Open { stream, windows: [65_535; 3], end: End::default(), over: false };
        open.send(&bytes)?;
        Ok(open)
    }

    /// Sends a piece of the body, as the peer takes it; what it does not take since the stream is over is dropped.
    pub(crate) fn data(&mut self, data: &[u8], ends: bool) -> io::Result<()> {
        let chunks: Vec<_> = data.chunks(MAX_FRAME).collect();
        for (index, chunk) in chunks.iter().enumerate() {
            let size = chunk.len() as i64;
            while !self.over && self.windows[..2].iter().any(|window| *window < size) {
                self.receive()?;
            }
            if self.over {
                return Ok(());
            }
            self.windows[..2].iter_mut().for_each(|window| *window -= size);
            let mut bytes = Vec::new();
            frame(&mut bytes, DATA, if ends && index + 1 == chunks.len() { END_STREAM } else { 0 }, STREAM, chunk);
            self.send(&bytes)?;
        }
        Ok(())
    }

    /// Ends the request with trailers.
    pub(crate) fn trailers(&mut self, fields: &[(&[u8], &[u8])]) -> io::Result<()> {
        let mut bytes = Vec::new();
        headers(&mut bytes, fields, true);
        self.send(&bytes)
    }

    /// Gives the stream up: CANCEL (RFC 9113 §7).
    pub(crate) fn reset(&mut self) -> io::Result<()> {
        let mut bytes = Vec::new();
        frame(&mut bytes, RST_STREAM, 0, STREAM, &8_u32.to_be_bytes());
        self.send(&bytes)
    }

    /// Reads until so many bytes of the response's body have come since it was last asked, or the stream is over.
    pub(crate) fn read(&mut self, at_least: usize) -> io::Result<End> {
        while !self.over && self.end.data < at_least {
            self.receive()?;
        }
        let next = End { data: 0, ..self.end };
        Ok(std::mem::replace(&mut self.end, next))
    }

    /// Reads until the stream is over.
    pub(crate) fn end(&mut self) -> io::Result<End> {
        self.read(usize::MAX)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Takes in one frame.
    fn receive(&mut self) -> io::Result<()> {
        let (kind, flags, id, payload) = match read_frame(&mut self.stream) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.over = true;
                return Ok(());
            }
            read => read?,
        };
        match kind {
            SETTINGS if flags & ACK == 0 => {
                for setting in
                    payload.chunks_exact(6).filter(|setting| setting[..2] == INITIAL_WINDOW_SIZE.to_be_bytes())
                {
                    let window = i64::from(u32::from_be_bytes(setting[2..].try_into().unwrap()));
                    self.windows[1] += window - self.windows[2];
                    self.windows[2] = window;
                }
                let mut ack = Vec::new();
                frame(&mut ack, SETTINGS, ACK, 0, &[]);
                self.send(&ack)?;
            }
            WINDOW_UPDATE => {
                let more = i64::from(u32::from_be_bytes(payload[..4].try_into().unwrap()));
                self.windows[usize::from(id == STREAM)] += more;
            }
            DATA | HEADERS if id == STREAM => {
                self.end.data += if kind == DATA { payload.len() } else { 0 };
                self.end.whole = flags & END_STREAM != 0;
                self.end.has_trailers = self.end.whole && kind == HEADERS;
                self.over = self.end.whole;
            }
            RST_STREAM if id == STREAM => self.over = true,
            GOAWAY => self.over = true,
            _ => {}
        }
        Ok(())
    }
}

pub(crate) fn headers(bytes: &mut Vec<u8>, fields: &[(&[u8], &[u8])], ends: bool) {
    let mut block = Vec::new();
    for (name, value) in fields {
        // RFC 7541 §6.2.2: literal, not indexed, new name; no Huffman code.
        block.push(0);
        string(&mut block, name);
        string(&mut block, value);
    }
    let mut kind = HEADERS;
    let chunks: Vec<_> = block.chunks(MAX_FRAME).collect();
    for (index, chunk) in chunks.iter().enumerate() {
        let mut flags = if index + 1 == chunks.len() { END_HEADERS } else { 0 };
        if kind == HEADERS && ends {
            flags |= END_STREAM;
        }
        frame(bytes, kind, flags, STREAM, chunk);
        kind = CONTINUATION;
    }
}

/// RFC 7541 §5.1 and §5.2: the length in a prefix of 7 bits, then the octets.
fn string(block: &mut Vec<u8>, octets: &[u8]) {
    let mut length = octets.len();
    if length < 127 {
        block.push(length as u8);
    } else {
        block.push(127);
        length -= 127;
        while length >= 128 {
            block.push((length % 128) as u8 | 128);
            length /= 128;
        }
        block.push(length as u8);
    }
    block.extend_from_slice(octets);
}

pub(crate) fn frame(bytes: &mut Vec<u8>, kind: u8, flags: u8, id: u32, payload: &[u8]) {
    bytes.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&id.to_be_bytes());
    bytes.extend_from_slice(payload);
}

pub(crate) fn read_frame(stream: &mut impl Read) -> io::Result<(u8, u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head)?;
    let [a, b, c, kind, flags, d, e, f, g] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
    stream.read_exact(&mut payload)?;
    Ok((kind, flags, u32::from_be_bytes([d, e, f, g]), payload))
}
