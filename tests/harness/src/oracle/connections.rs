//! Random TCP connections to the names that policies are made of: led there in every way, and begun in every way.

use super::requests::{ADDRESSES, OTHER_HOSTS, identity};
use super::words::{HOSTS, OWN, PORTS, TIMES, one_in, pick};
use fastrand::Rng;
use std::fmt;
use tollgate::request::{Arrival, ClientHello, Connection, FirstBytes, Presented, Source};

const WILDCARDS: &str = "*.a.test *.test *.b.a.test *.h.test *.internal";
const BAD_PLACES: &str =
    "direct-tcp inbound|x|| x|0443|tcp|a.test outbound_.0_._.a.test outbound_.443_.a.test outbound_.443_._.A.test
    outbound_.443_._.**.a.test outbound_.443_._.redis.ns.svc svc.cluster.local outbound_.443_._.[::1] a.test:443";

/// A connection, owned.
#[derive(Clone, Debug)]
pub struct RandomConnection {
    identity: Option<(Source, String)>,
    authority: String,
    chain: String,
    outer_sni: String,
    first: RandomBytes,
    /// Nanoseconds since 1970.
    pub now: u64,
}

#[derive(Clone, Debug)]
enum RandomBytes {
    Unseen,
    Silent,
    Http,
    NoHello,
    Unreadable,
    Hello { name: Option<String>, ech: bool },
}

impl RandomConnection {
    pub fn arrival(&self) -> Arrival<'_> {
        let first = match &self.first {
            RandomBytes::Unseen => FirstBytes::Unseen,
            RandomBytes::Silent => FirstBytes::Silent,
            RandomBytes::Http => FirstBytes::Http,
            RandomBytes::NoHello => FirstBytes::NoHello,
            RandomBytes::Unreadable => FirstBytes::Unreadable,
            RandomBytes::Hello { name, ech } => {
                FirstBytes::Hello(ClientHello { server_name: name.as_deref().map(str::as_bytes), ech: *ech })
            }
        };
        let connection = Connection {
            authority: self.authority.as_bytes(),
            chain: self.chain.as_bytes(),
            outer_sni: self.outer_sni.as_bytes(),
            first,
        };
        let identity = self.identity.as_ref();
        let identity = identity.map(|(source, id)| Presented { source: *source, id: id.as_bytes() });
        Arrival::of_connection(identity, connection)
    }
}

impl RandomConnection {
    /// The host and, where it is named, the port that the server name of the mesh's own TLS leads to, as an authority spells them; none
    /// where something else leads the connection, or that name is of no such form.
    pub fn led_to(&self) -> Option<String> {
        if !self.authority.is_empty() || !self.chain.is_empty() || self.outer_sni.is_empty() {
            return None;
        }
        let Some(rest) = self.outer_sni.strip_prefix("outbound_.") else {
            // would be read as a port
            return (!self.outer_sni.contains(':')).then(|| self.outer_sni.clone());
        };
        let [port, _, host] = rest.splitn(3, "_.").collect::<Vec<_>>()[..] else { return None };
        Some(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
    }
}

impl fmt::Display for RandomConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RandomConnection { identity, authority, chain, outer_sni, first, now } = self;
        writeln!(f, "led by {authority:?} {chain:?} {outer_sni:?} identity {identity:?}")?;
        write!(f, "{first:?} now {now}")
    }
}

/// A connection that was led somewhere by any of the sources.
pub fn connection(rng: &mut Rng) -> RandomConnection {
    let host = match rng.u8(0..20) {
        0..=3 => pick(rng, ADDRESSES),
        4 | 5 => pick(rng, OTHER_HOSTS),
        _ => pick(rng, HOSTS),
    };
    let port = if one_in(rng, 20) { "9" } else { pick(rng, PORTS) };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let led = match rng.u8(0..20) {
        0 => pick(rng, WILDCARDS),
        1 | 2 => pick(rng, OWN),
        _ => bare,
    };
    let mut of_cluster = |led: &str| format!("outbound_.{port}_.{}_.{led}", pick(rng, "v1 v1_.x").replace("v1", ""));
    let (mut authority, mut chain, mut outer_sni) = (String::new(), String::new(), String::new());
    let as_cluster = of_cluster(led);
    match rng.u8(0..20) {
        0 => outer_sni = pick(rng, BAD_PLACES).to_owned(),
        1 => chain = pick(rng, BAD_PLACES).to_owned(),
        2 | 3 => authority = format!("{host}:{port}"),
        4 => authority = host.to_owned(),
        5 | 6 => chain = format!("inbound-vip|{port}|tcp|{led}"),
        7..=11 => outer_sni = led.to_owned(),
        _ => outer_sni = as_cluster,
    }
    if one_in(rng, 8) && outer_sni.is_empty() {
        outer_sni = pick(rng, HOSTS).to_owned();
    }
    let source = if one_in(rng, 4) { Source::PeerPrincipal } else { Source::PeerCertificate };
    let time = rng.choice(TIMES).unwrap().1 * 1_000_000_000;
    RandomConnection {
        identity: (!one_in(rng, 6)).then(|| (source, identity(rng))),
        authority,
        chain,
        outer_sni,
        first: first_bytes(rng, bare),
        now: rng.choice([time - 1, time, time + 1]).unwrap(),
    }
}

/// First bytes that mostly name this host.
fn first_bytes(rng: &mut Rng, host: &str) -> RandomBytes {
    match rng.u8(0..20) {
        0 => RandomBytes::Unseen,
        1 | 2 => RandomBytes::NoHello,
        3 => RandomBytes::Silent,
        4 => RandomBytes::Unreadable,
        5 => RandomBytes::Http,
        _ => {
            let name = match rng.u8(0..20) {
                0 | 1 => None,
                2 => Some(host.to_ascii_uppercase()),
                3 => Some(format!("{host}.")),
                4 => Some(pick(rng, OWN).to_owned()),
                5 | 6 => Some(pick(rng, HOSTS).to_owned()),
                _ => Some(host.to_owned()),
            };
            RandomBytes::Hello { name, ech: one_in(rng, 4) }
        }
    }
}
