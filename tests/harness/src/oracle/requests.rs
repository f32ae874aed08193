//! Random requests near the names that policies are made of, and some that are none.

use super::words::{ACCOUNTS, ENCODED, HOSTS, PATTERNS, TIMES, one_in, pick};
use fastrand::Rng;
use std::fmt;
use tollgate::request::{Arrival, Presented, Source, Upgrade};

pub(super) const OTHER_HOSTS: &str = "test d.c.b.a.test notatest zz.internal internal LOCALHOST. q.h.test
    b1.a.test b-11.a.test b.1.a.test 1.a.test c.b-1.a.test c.b-.a.test c.b1.a.test c1.b.a.test c.xn--1.a.test xn--b1.a.test
    xn--1.a.test x1.a.test c.x1.a.test";
pub(super) const ADDRESSES: &str = "
    10.1.2.3 10.1.2.4 10.9.9.9 8.8.8.8 169.254.169.254 0.0.0.1 [::1] [::] [fd00::1] [2001:db8::1] [::ffff:10.1.2.3]
    [::10.1.2.3] [::ffff:0:10.1.2.3] [64:ff9b::10.1.2.3] [64:ff9b:1:2::10.1.2.3] [2002:a01:203::1] [2001:0:a01:203::]
    [2001::f5fe:fdfc] [2001:0:808:808::f5fe:fdfc] [2001:db8::5efe:10.1.2.3] [fe80::200:5efe:169.254.169.254]
    [2a00::200:5efe:8.8.8.8] [64:ff9c::10.1.2.3] [fec0::1]";
const BAD_AUTHORITIES: &str = "
    . a..test a.test/ [::1 0x7f.1 127.1 a.test,b.a.test u@a.test [fe80::1%1] a.test:0443 a.test: a.test:0 :443";
const BAD_IDENTITIES: &str =
    "spiffe:// spiffe://cluster.local/ns/a//x cluster.local/ns/a/sa/x spiffe://x/%61 spiffe://cluster.local/";
const OTHER_METHODS: &str = "PUT M-SEARCH A_1 get Post connect -GET DELETE";
const CLUSTERS: &str = "
    outbound|PORT||HOST outbound|PORT||HOST inbound-vip|PORT|http|HOST tollgate.out|PORT|HOST PassthroughCluster
    outbound_.PORT_._.HOST tollgate-dynamic tollgate-dynamic-PORT tollgate-dynamic-inside tollgate-dynamic-inside-PORT
    tollgate-dynamic-literal tollgate-dynamicPORT tollgate.out|PORT||HOST";
const ROUTED_HOSTS: &str = "a.test *.a.test B.a.test *.test 10.1.2.3 fd00::1 x.test *.internal";
const SEGMENTS: &str = "
    v1 V1 a b A c ab axb xb a;x a;y a%3Bx a%3bx axx;yb ;x %40u @u caf%C3%A9 caf%c3%a9 Caf%c3%a9 q%3Fz x%2ay x*y
    x%5by%7bz p%2Fq p%2fq @s%2Fn 100%25 ..a r3 * %2A;x x{a,b}";
const BAD_SEGMENTS: &str = r".. . %61 ..; ..%3Bx a%2 %252e %ff a\b a%00 p%2F%2Fq / %252Fb a%252e%252e %25252e%252E x%255C.. ..%253Bx %2541 p%2f";

/// A request, owned.
#[derive(Clone, Debug)]
pub struct Request {
    identity: Option<(Source, String)>,
    authority: String,
    method: String,
    path: Option<String>,
    upgrade: Option<Vec<String>>,
    overridden: bool,
    cluster: Option<String>,
    /// Nanoseconds since 1970.
    pub now: u64,
}

impl Request {
    pub fn arrival(&self) -> Arrival<'_> {
        Arrival {
            identity: self.identity.as_ref().map(|(source, id)| Presented { source: *source, id: id.as_bytes() }),
            authority: self.authority.as_bytes(),
            method: self.method.as_bytes(),
            path: self.path.as_deref().map(str::as_bytes),
            upgrade: match self.upgrade.as_deref() {
                None => Upgrade::Absent,
                Some([value]) => Upgrade::To(value.as_bytes()),
                Some(_) => Upgrade::Several,
            },
            overridden: self.overridden,
            cluster: self.cluster.as_deref().map(str::as_bytes),
            connection: None,
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Request { identity, authority, method, path, upgrade, overridden, cluster, now } = self;
        writeln!(f, "{method:?} {authority:?} path {path:?} identity {identity:?}")?;
        write!(f, "upgrade {upgrade:?} overridden {overridden} cluster {cluster:?} now {now}")
    }
}

/// An anonymous `GET` of a path near the pattern.
pub fn path_request(rng: &mut Rng, pattern: &str) -> Request {
    let path = if one_in(rng, 3) { path(rng) } else { filled(rng, pattern) };
    Request {
        identity: None,
        authority: "a.test".to_owned(),
        method: "GET".to_owned(),
        path: Some(path),
        upgrade: None,
        overridden: false,
        cluster: None,
        now: 0,
    }
}

pub fn request(rng: &mut Rng) -> Request {
    let method = match rng.u8(0..20) {
        0..=8 => "GET",
        9..=13 => "POST",
        14 | 15 => "CONNECT",
        16 => "",
        _ => pick(rng, OTHER_METHODS),
    };
    let source = if one_in(rng, 4) { Source::PeerPrincipal } else { Source::PeerCertificate };
    let time = rng.choice(TIMES).unwrap().1 * 1_000_000_000;
    Request {
        identity: (!one_in(rng, 6)).then(|| (source, identity(rng))),
        authority: authority(rng, method == "CONNECT"),
        method: method.to_owned(),
        path: if one_in(rng, if method == "CONNECT" { 2 } else { 20 }) { None } else { Some(path(rng)) },
        upgrade: one_in(rng, 6).then(|| {
            let count = if one_in(rng, 6) { 2 } else { 1 };
            (0..count).map(|_| pick(rng, "websocket websocket WebSocket h2c").to_owned()).collect()
        }),
        overridden: one_in(rng, 8),
        cluster: one_in(rng, 3).then(|| {
            let host = if one_in(rng, 8) { "" } else { pick(rng, ROUTED_HOSTS) };
            let port = pick(rng, "443 443 80 8443 x");
            pick(rng, CLUSTERS).replace("PORT", port).replace("HOST", host)
        }),
        now: rng.choice([time - 1, time, time + 1]).unwrap(),
    }
}

fn authority(rng: &mut Rng, with_port: bool) -> String {
    let host = match rng.u8(0..40) {
        0 => return pick(rng, BAD_AUTHORITIES).to_owned(),
        1..=10 => pick(rng, ADDRESSES),
        11..=14 => pick(rng, OTHER_HOSTS),
        _ => pick(rng, HOSTS),
    };
    let without_port = if with_port { one_in(rng, 20) } else { one_in(rng, 2) };
    if without_port { host.to_owned() } else { format!("{host}:{}", pick(rng, "443 443 80 8443")) }
}

pub(super) fn identity(rng: &mut Rng) -> String {
    let trust_domain = match rng.u8(0..40) {
        0 => return String::new(),
        1 => return pick(rng, BAD_IDENTITIES).to_owned(),
        2 => "evil.example",
        3..=12 => "b.example",
        _ => "cluster.local",
    };
    let path = match rng.u8(0..10) {
        0 => "",
        1..=3 => pick(rng, "/vm/1 /ns/a /ns/a/sa/x/y"),
        _ => &format!("/ns/{}/sa/{}", pick(rng, "a b c d"), pick(rng, ACCOUNTS)),
    };
    format!("spiffe://{trust_domain}{path}")
}

fn path(rng: &mut Rng) -> String {
    let mut path = match rng.u8(0..20) {
        0 => return pick(rng, "* / ? /v1?x=/../ v1/a %2Fv1").to_owned(),
        1 => return String::new(),
        2 => {
            let pattern = pick(rng, ENCODED);
            filled(rng, pattern)
        }
        3..=11 => {
            let pattern = pick(rng, PATTERNS);
            filled(rng, pattern)
        }
        12 => format!("/r{}/{}", rng.u8(0..14), pick(rng, SEGMENTS)),
        13 => format!("/{}/r{}", pick(rng, SEGMENTS), rng.u8(0..14)),
        _ => (0..rng.usize(0..4)).map(|_| format!("/{}", pick(rng, SEGMENTS))).collect(),
    };
    match rng.u8(0..20) {
        0 => path.push_str(&format!("/{}", pick(rng, BAD_SEGMENTS))),
        1 => path.insert_str(0, &format!("/{}", pick(rng, BAD_SEGMENTS))),
        2..=4 => path.push('/'),
        5..=7 => path.push_str("?q=/a;b"),
        8 => path.make_ascii_uppercase(),
        9 if one_in(rng, 8) => path.push_str(&format!("/{}", "a".repeat(8192))),
        _ => {}
    }
    path
}

/// A pattern with something in place of its wildcards.
fn filled(rng: &mut Rng, pattern: &str) -> String {
    pattern.split('/').map(|segment| fill(rng, segment)).collect::<Vec<_>>().join("/")
}

fn fill(rng: &mut Rng, segment: &str) -> String {
    if segment == "**" {
        return (0..rng.usize(0..3)).map(|_| pick(rng, SEGMENTS)).collect::<Vec<_>>().join("/");
    }
    let star = if one_in(rng, 4) { "" } else { pick(rng, "a b xx x;y x%3Bz") };
    let segment = segment.replace('*', star);
    match segment.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?))) {
        Some((before, (branches, behind))) => {
            let branches: Vec<&str> = branches.split(',').collect();
            format!("{before}{}{behind}", rng.choice(branches).unwrap())
        }
        None => segment,
    }
}
