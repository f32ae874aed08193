//! A DNS server that says what a test wants, and remembers what it was asked (RFC 1035; one question a message).

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// Addresses of a name.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// These addresses, in this order.
    Addresses(Vec<IpAddr>),
    /// The first time the one, and from then on the other.
    Rebound(IpAddr, IpAddr),
    /// Another name, which the same message answers.
    Alias(String, IpAddr),
}

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;
const NO_SUCH_NAME: u8 = 3;

/// A running server. It ends with the test's process.
pub(crate) struct Dns {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Dns {
    pub(crate) fn start(names: HashMap<String, Answer>) -> Dns {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut message = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut message) {
                let reply = reply(&message[..length], &names, &log);
                let _ = socket.send_to(&reply, from);
            }
        });
        Dns { address, asked }
    }

    /// Number of times that a name was asked for, whatever the type of record.
    pub(crate) fn asked(&self, name: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == name).count()
    }
}

/// Points every cache of names at a server of its own, which is asked again every second.
pub(crate) fn resolved_by(mut value: Value, dns: SocketAddr) -> Value {
    match &mut value {
        Value::Object(map) => {
            for (_, below) in map.iter_mut() {
                *below = resolved_by(below.take(), dns);
            }
            if let Some(resolver) = map.get_mut("typed_dns_resolver_config") {
                resolver["typed_config"]["resolvers"] =
                    json!([{"socket_address": {"address": dns.ip(), "port_value": dns.port()}}]);
                map.insert("dns_refresh_rate".to_owned(), json!("1s"));
                map.insert("dns_min_refresh_rate".to_owned(), json!("1s"));
            }
        }
        Value::Array(items) => {
            for below in items {
                *below = resolved_by(below.take(), dns);
            }
        }
        _ => {}
    }
    value
}

fn reply(message: &[u8], names: &HashMap<String, Answer>, log: &Mutex<Vec<String>>) -> Vec<u8> {
    let mut labels = Vec::new();
    let mut at = 12;
    while message[at] > 0 {
        let end = at + 1 + usize::from(message[at]);
        labels.push(String::from_utf8_lossy(&message[at + 1..end]).to_lowercase());
        at = end;
    }
    let name = labels.join(".");
    let kind = u16::from_be_bytes([message[at + 1], message[at + 2]]);
    let question = &message[12..at + 5];
    let mut asked = log.lock().unwrap();
    let before = asked.iter().filter(|asked| **asked == name).count();
    asked.push(name.clone());
    let mut records = Vec::new();
    match names.get(&name) {
        Some(Answer::Addresses(addresses)) => records.extend(addresses.iter().map(|address| (None, *address))),
        Some(Answer::Rebound(first, then)) => records.push((None, if before == 0 { *first } else { *then })),
        Some(Answer::Alias(alias, address)) => records.push((Some(alias), *address)),
        None => {}
    }
    records.retain(|(_, address)| kind == if address.is_ipv4() { A } else { AAAA });
    let code = if names.contains_key(&name) { 0 } else { NO_SUCH_NAME };
    let mut reply = [&message[..2], &[0x85, 0x80 | code]].concat();
    let count: usize = records.iter().map(|(alias, _)| 1 + usize::from(alias.is_some())).sum();
    for number in [1, u16::try_from(count).unwrap(), 0, 0] {
        reply.extend(number.to_be_bytes());
    }
    reply.extend(question);
    for (alias, address) in records {
        let owner = match alias {
            None => vec![0xc0, 12],
            Some(alias) => {
                let alias = wire(alias);
                record(&mut reply, &[0xc0, 12], CNAME, &alias);
                alias
            }
        };
        match address {
            IpAddr::V4(address) => record(&mut reply, &owner, A, &address.octets()),
            IpAddr::V6(address) => record(&mut reply, &owner, AAAA, &address.octets()),
        }
    }
    reply
}

fn wire(name: &str) -> Vec<u8> {
    let labels = name.split('.').flat_map(|label| [&[u8::try_from(label.len()).unwrap()], label.as_bytes()].concat());
    labels.chain([0]).collect()
}

fn record(reply: &mut Vec<u8>, owner: &[u8], kind: u16, data: &[u8]) {
    reply.extend(owner);
    reply.extend(kind.to_be_bytes());
    // of the internet, for a second
    reply.extend([0, 1, 0, 0, 0, 1]);
    reply.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    reply.extend(data);
}
