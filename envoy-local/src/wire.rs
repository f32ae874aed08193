//! HTTP/1.1 as bytes: what is sent is exactly what the caller wrote.

use std::io::{self, Read, Write};

/// A response as it arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case, values as they were.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, without its chunking.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of the first header of this name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_slice())
    }
}

/// Sends `request` and reads one final response, which may come before all of it is sent. After a 101, or a 2xx to
/// CONNECT, `stream` is the tunnel.
///
/// # Errors
/// `UnexpectedEof` if the peer closed without a whole response, `InvalidData` if it is none.
pub fn exchange(stream: &mut (impl Read + Write), request: &[u8]) -> io::Result<Response> {
    // Whoever refuses a body does not read all of it.
    let sent = stream.write_all(request).and_then(|()| stream.flush());
    receive(stream, request.starts_with(b"CONNECT ")).map_err(|error| sent.err().unwrap_or(error))
}

/// Reads one final response, to a CONNECT or to anything else.
///
/// # Errors
/// See [`exchange`].
pub fn receive(stream: &mut impl Read, connect: bool) -> io::Result<Response> {
    loop {
        let mut response = read_head(stream)?;
        match response.status {
            100 | 102..=199 => continue,
            101 | 204 | 304 => {}
            200..=299 if connect => {}
            _ => response.body = read_body(stream, &response)?,
        }
        return Ok(response);
    }
}

fn read_head(stream: &mut impl Read) -> io::Result<Response> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(read_byte(stream)?);
    }
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut parsed = httparse::Response::new(&mut headers);
    parsed.parse(&head).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(Response {
        status: parsed.code.unwrap_or_default(),
        headers: parsed.headers.iter().map(|h| (h.name.to_ascii_lowercase(), h.value.to_vec())).collect(),
        body: Vec::new(),
    })
}

fn read_body(stream: &mut impl Read, response: &Response) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if response.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case(b"chunked")) {
        while let size @ 1.. = read_chunk_size(stream)? {
            take(stream, size, &mut body)?;
            read_line(stream)?;
        }
        read_line(stream)?;
    } else if let Some(length) = response.header("content-length") {
        take(stream, number(length, 10)?, &mut body)?;
    } else {
        stream.read_to_end(&mut body)?;
    }
    Ok(body)
}

fn take(stream: &mut impl Read, size: u64, into: &mut Vec<u8>) -> io::Result<()> {
    match stream.take(size).read_to_end(into)? {
        read if u64::try_from(read) == Ok(size) => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn read_chunk_size(stream: &mut impl Read) -> io::Result<u64> {
    number(&read_line(stream)?, 16)
}

/// A line without its end.
fn read_line(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(read_byte(stream)?);
    }
    line.truncate(line.len().saturating_sub(2));
    Ok(line)
}

fn read_byte(stream: &mut impl Read) -> io::Result<u8> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    let [byte] = byte;
    Ok(byte)
}

fn number(digits: &[u8], radix: u32) -> io::Result<u64> {
    let digits = std::str::from_utf8(digits).ok();
    digits
        .and_then(|digits| u64::from_str_radix(digits.trim(), radix).ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Peer<'a>(&'a [u8]);

    impl Read for Peer<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl Write for Peer<'_> {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            Ok(buffer.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn answer(text: &str) -> io::Result<Response> {
        exchange(&mut Peer(text.as_bytes()), b"GET / HTTP/1.1\r\n\r\n")
    }

    #[test]
    fn reads_every_framing_of_a_body() {
        for text in [
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello and more",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\nhello",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        ] {
            assert_eq!(answer(text).unwrap().body, b"hello", "{text}");
        }
    }

    #[test]
    fn half_a_response_is_an_error() {
        for text in ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell"] {
            assert_eq!(answer(text).unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "{text}");
        }
    }
}
