//! ClientHellos and what follows them, byte by byte.

/// A ClientHello to be written.
#[derive(Clone, Debug, Default)]
pub struct Hello<'a> {
    /// Extensions `server_name`, each with these host names.
    pub server_names: Vec<Vec<&'a [u8]>>,
    /// With `encrypted_client_hello`.
    pub ech: bool,
    /// Bytes of an extension that nobody knows.
    pub padding: usize,
}

impl<'a> Hello<'a> {
    /// One that names a server, as clients write it.
    pub fn of(server: &'a str) -> Hello<'a> {
        Hello { server_names: vec![vec![server.as_bytes()]], ..Hello::default() }
    }

    /// The message, with its type and length.
    pub fn message(&self) -> Vec<u8> {
        let mut extensions = Vec::new();
        for names in &self.server_names {
            let list: Vec<u8> = names.iter().flat_map(|name| [&[0][..], &sized(name)].concat()).collect();
            extensions.extend(extension(0, &sized(&list)));
        }
        extensions.extend(extension(0x2b, &[2, 3, 4]));
        if self.ech {
            extensions.extend(extension(0xfe0d, &[0; 40]));
        }
        if self.padding > 0 {
            extensions.extend(extension(21, &vec![0; self.padding]));
        }
        let body = [&[3, 3][..], &[7; 32], &[0], &[0, 4, 0x13, 1, 0x13, 2], &[1, 0], &sized(&extensions)].concat();
        message(1, &body)
    }

    /// The message in one record.
    pub fn record(&self) -> Vec<u8> {
        record(22, &self.message())
    }
}

/// A handshake message.
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind], &length[1..], body].concat()
}

/// A record.
pub fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 1][..], &sized(body)].concat()
}

/// Handshake messages in records of at most so many bytes.
pub fn records(messages: &[u8], longest: usize) -> Vec<u8> {
    messages.chunks(longest).flat_map(|piece| record(22, piece)).collect()
}

/// A ServerHello; `is_retry`: a HelloRetryRequest, which differs in its random.
pub fn server_hello(is_retry: bool) -> Vec<u8> {
    const RETRY: &str = "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c";
    let retry = |at: usize| u8::from_str_radix(&RETRY[at * 2..at * 2 + 2], 16).unwrap();
    let random: Vec<u8> = if is_retry { (0..32).map(retry).collect() } else { vec![9; 32] };
    message(2, &[&[3, 3][..], &random, &[0, 0x13, 1, 0, 0, 0]].concat())
}

fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &sized(data)].concat()
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}
