//! Random small policies and requests near them: few names, so that everything overlaps; now and then long lists and
//! many paths, which an index keeps in other ways than short ones.

use fastrand::Rng;
use serde_json::{Map, Value, json};
use tollgate::request::{Arrival, Presented, Source, Upgrade};

const HOSTS: [&str; 12] = [
    "a.test",
    "b.a.test",
    "c.b.a.test",
    "x.test",
    "h0.test",
    "h1.test",
    "h2.test",
    "h3.h.test",
    "localhost",
    "db.internal",
    "A.Test.",
    "_x.a.test",
];
const WILDCARDS: [&str; 10] = [
    "*.a.test",
    "**.a.test",
    "*.test",
    "**.test",
    "**",
    "*.b.a.test",
    "**.b.a.test",
    "**.internal",
    "*.H.test.",
    "**.localhost",
];
const CIDRS: [&str; 16] = [
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.2.3",
    "10.1.2.0/24",
    "private",
    "0.0.0.0/0",
    "::/0",
    "fd00::/8",
    "::1",
    "2001:db8::/32",
    "::ffff:10.0.0.0/104",
    "169.254.169.254",
    "64:ff9b::/96",
    "2002::/16",
    "8.8.8.8/32",
    "0.0.0.0/8",
];
const METHODS: [&str; 6] = ["GET", "POST", "PUT", "CONNECT", "M-SEARCH", "A_1"];
const REGIONS: [&str; 3] = ["eu", "us", "ap"];
const PATTERNS: [&str; 36] = [
    "/",
    "/**",
    "/*",
    "/v1",
    "/v1/",
    "/v1/a",
    "/v1/A",
    "/v1/*",
    "/v1/**",
    "/v1/*/b",
    "/v1/*/**",
    "/*/b",
    "/a/**/b",
    "/**/b",
    "/**/b/**",
    "/v1/{a,b}",
    "/v1/{A,b*}/**",
    "/v1/a*",
    "/v1/*b/c",
    "/v1/a*b",
    "/**/a*",
    "/v1/a%3Bx",
    "/v1/a;x",
    "/v1/*;x",
    "/v1/{a;p,c}/b",
    "/caf%c3%a9",
    "/caf%C3%A9/*",
    "/q%3Fz",
    "/q%3fz*",
    "/v1/%40u",
    "/v1/@u",
    "/x%2Ay",
    "/x%5By%7Bz",
    "/v1/100%25",
    "/a/**/a/**/b",
    "/..a/b",
];
const ENCODED: [&str; 5] = ["/p%2Fq", "/p%2fq/**", "/@s%2F*", "/v1/*%2F*", "/v1/**"];
const SEGMENTS: [&str; 30] = [
    "v1",
    "V1",
    "a",
    "b",
    "A",
    "c",
    "ab",
    "axb",
    "xb",
    "a;x",
    "a;y",
    "a%3Bx",
    "a%3bx",
    "axx;yb",
    ";x",
    "%40u",
    "@u",
    "caf%C3%A9",
    "caf%c3%a9",
    "Caf%c3%a9",
    "q%3Fz",
    "x%2ay",
    "x*y",
    "x%5by%7bz",
    "p%2Fq",
    "p%2fq",
    "@s%2Fn",
    "100%25",
    "..a",
    "r3",
];
const BROKEN: [&str; 12] = ["..", ".", "", "%61", "..;", "..%3Bx", "a%2", "%252e", "%ff", "a\\b", "a%00", "p%2F%2Fq"];
const TIMES: [(&str, u64); 3] = [
    ("2020-02-29T12:00:00Z", 1_582_977_600),
    ("2026-01-01T00:00:00Z", 1_767_225_600),
    ("2100-03-01T00:00:00Z", 4_107_542_400),
];

/// A policy that loads.
pub fn policy(rng: &mut Rng) -> Value {
    Generator { rng, trust_domains: Vec::new(), destinations: Vec::new(), workloads: Vec::new(), next: 0 }.policy()
}

struct Generator<'r> {
    rng: &'r mut Rng,
    trust_domains: Vec<&'static str>,
    destinations: Vec<String>,
    workloads: Vec<String>,
    next: usize,
}

impl Generator<'_> {
    fn policy(mut self) -> Value {
        let mut policy = Map::new();
        policy.insert("version".into(), 1.into());
        policy.insert("name".into(), "generated".into());
        if self.one_in(10) {
            policy.insert("mode".into(), (*self.choose(&["dry-run", "enforce"])).into());
        }
        self.trust_domains =
            self.choose(&[vec![], vec![], vec!["cluster.local", "b.example"], vec!["b.example"]]).clone();
        let mut identity = Map::new();
        if self.trust_domains.is_empty() {
            self.trust_domains = vec!["cluster.local"];
        } else {
            identity.insert("trustDomains".into(), json!(self.trust_domains));
        }
        if self.rng.bool() {
            let sources =
                [vec!["peer-principal"], vec!["peer-certificate", "peer-principal"], vec!["peer-certificate"]];
            identity.insert("sources".into(), json!(self.choose(&sources)));
        }
        self.put(&mut policy, "identity", identity);
        if self.one_in(4) {
            policy.insert("authority".into(), json!({"defaultPort": self.port(), "verifyRoute": self.rng.bool()}));
        }
        let sets = self.rng.usize(0..3);
        let workloads: Map<_, _> =
            (0..sets).map(|n| (format!("w{n}"), self.selectors(&["any", "anonymous"]))).collect();
        self.workloads = workloads.keys().cloned().collect();
        self.put(&mut policy, "workloads", workloads);
        let destinations = self.rng.usize(0..4);
        let destinations: Map<_, _> = (0..destinations).map(|n| (format!("d{n}"), self.destination())).collect();
        self.destinations = destinations.keys().cloned().collect();
        self.put(&mut policy, "destinations", destinations);
        if self.one_in(5) {
            let selectors = self.selectors(&[]);
            policy.insert("dryRunFor".into(), selectors);
        }
        for (key, most) in [("deny", 4), ("rules", 6), ("residency", 3)] {
            let most = if self.one_in(12) { most * 4 } else { most };
            let count = self.rng.usize(0..=most);
            let count = if key == "residency" && !self.one_in(4) { 0 } else { count };
            let entries: Vec<Value> = (0..count).map(|_| self.entry(key)).collect();
            if !entries.is_empty() {
                policy.insert(key.into(), entries.into());
            }
        }
        Value::Object(policy)
    }

    fn put(&mut self, policy: &mut Map<String, Value>, key: &str, map: Map<String, Value>) {
        if !map.is_empty() {
            policy.insert(key.into(), map.into());
        }
    }

    fn entry(&mut self, list: &str) -> Value {
        match list {
            "deny" => self.deny(),
            "rules" => self.rule(),
            _ => {
                let regions = self.some_of(&REGIONS, 2);
                json!({"id": self.id("residency"), "from": self.selectors(&[]), "regions": regions})
            }
        }
    }

    pub fn rule(&mut self) -> Value {
        let mut rule = json!({"id": self.id("rule"), "from": self.selectors(&[]), "to": self.targets("rules")});
        if self.one_in(6) {
            rule["expiresAt"] = self.choose(&TIMES).0.into();
        }
        rule
    }

    pub fn deny(&mut self) -> Value {
        let mut entry = json!({"id": self.id("deny")});
        if !self.one_in(4) {
            entry["from"] = self.selectors(&[]);
        }
        if !self.one_in(8) {
            entry["to"] = self.targets("deny");
        }
        if self.one_in(4) {
            entry["notFrom"] = self.selectors(&[]);
        }
        if self.one_in(3) {
            entry["except"] = self.targets("except");
        }
        if self.one_in(4) {
            entry["mode"] = (*self.choose(&["dry-run", "enforce"])).into();
        }
        entry
    }

    fn id(&mut self, prefix: &str) -> String {
        self.next += 1;
        format!("{prefix}-{}", self.next)
    }

    fn selectors(&mut self, without: &[&str]) -> Value {
        let count = self.length();
        let mut selectors: Vec<Value> = Vec::new();
        for _ in 0..count {
            let selector = self.selector(without);
            if !selectors.contains(&selector) {
                selectors.push(selector);
            }
        }
        selectors.into()
    }

    fn selector(&mut self, without: &[&str]) -> Value {
        let namespace = *self.choose(&["a", "b", "c"]);
        let account = format!("{}/{}", self.choose(&["a", "b", "c"]), self.choose(&["x", "y", "z"]));
        let trust_domain = *self.choose(&self.trust_domains.clone());
        let mut selector = match self.rng.u8(0..10) {
            0 if !without.contains(&"any") => return json!({"any": true}),
            1 if !without.contains(&"anonymous") => return json!({"anonymous": true}),
            2 if !self.workloads.is_empty() => return json!({"workloads": self.choose(&self.workloads.clone())}),
            3 => {
                let path = *self.choose(&["/ns/a/sa/x", "/ns/b/sa/y", "/vm/1", "/ns/a", "/ns/a/sa/x/y"]);
                return json!({"spiffe": format!("spiffe://{trust_domain}{path}")});
            }
            4..=6 => json!({"namespace": namespace}),
            _ => json!({"serviceAccount": account}),
        };
        if self.one_in(4) {
            selector["trustDomain"] = trust_domain.into();
        }
        selector
    }

    fn destination(&mut self) -> Value {
        let mut destination = json!({});
        self.place(&mut destination);
        if self.one_in(2) {
            destination["ports"] = self.ports();
        }
        self.region(&mut destination);
        destination
    }

    fn targets(&mut self, list: &str) -> Value {
        let count = if self.one_in(12) { self.rng.usize(5..12) } else { self.rng.usize(1..4) };
        (0..count).map(|_| self.target(list)).collect()
    }

    fn target(&mut self, list: &str) -> Value {
        let mut target = json!({});
        if !self.destinations.is_empty() && self.one_in(3) {
            target["destination"] = self.choose(&self.destinations.clone()).clone().into();
        } else {
            if list != "deny" || !self.one_in(4) {
                self.place(&mut target);
            }
            if self.one_in(3) {
                target["ports"] = self.ports();
            }
            if list == "rules" {
                self.region(&mut target);
            }
        }
        if self.one_in(3) {
            target["methods"] = self.some_of(&METHODS, 3);
        }
        if self.one_in(2) {
            self.paths(&mut target);
        }
        if self.one_in(8) {
            target["upgrades"] = json!(["websocket"]);
        }
        // A target that says nothing at all stands for everything only where `to` is left out.
        if target == json!({}) {
            target["methods"] = json!(["POST"]);
        }
        target
    }

    fn place(&mut self, target: &mut Value) {
        if self.one_in(4) {
            target["cidrs"] = self.some_of(&CIDRS, 4);
            if self.rng.bool() {
                return;
            }
        }
        let mut hosts: Vec<Value> = Vec::new();
        for _ in 0..self.length() {
            let pool: &[&str] = if self.rng.bool() { &HOSTS } else { &WILDCARDS };
            hosts.push((*self.choose(pool)).into());
        }
        target["hosts"] = distinct(hosts, &|host| host.trim_end_matches('.').to_ascii_lowercase());
    }

    /// Labels a target with a region, each exact host always with the same.
    fn region(&mut self, target: &mut Value) {
        if !self.one_in(3) {
            return;
        }
        let region = *self.choose(&REGIONS);
        target["region"] = region.into();
        let Some(hosts) = target.get("hosts") else {
            return;
        };
        let fits = |host: &Value| {
            let host = host.as_str().unwrap();
            let length = host.trim_end_matches('.').len();
            host.contains('*') || REGIONS[length % REGIONS.len()] == region
        };
        let hosts: Vec<Value> = hosts.as_array().unwrap().iter().filter(|host| fits(host)).cloned().collect();
        target["hosts"] = if hosts.is_empty() { json!(["**.test"]) } else { hosts.into() };
    }

    fn ports(&mut self) -> Value {
        let ports = (0..self.rng.usize(1..3)).map(|_| self.port().into()).collect();
        distinct_values(ports)
    }

    fn port(&mut self) -> u16 {
        *self.choose(&[443, 443, 80, 8443])
    }

    fn paths(&mut self, target: &mut Value) {
        let mut paths: Vec<Value> = Vec::new();
        if self.one_in(8) {
            target["encodedSlash"] = "data".into();
            paths.push((*self.choose(&ENCODED)).into());
        }
        if self.one_in(8) {
            let shape = *self.choose(&["/r#", "/r#/**", "/r#/*", "/v1/r#/b", "/*/r#"]);
            paths.extend((0..12).map(|n| shape.replace('#', &n.to_string()).into()));
        }
        for _ in 0..self.length() {
            paths.push((*self.choose(&PATTERNS)).into());
        }
        target["paths"] = distinct(paths, &|path| path.to_ascii_uppercase());
    }

    /// Lengths of lists: mostly short.
    fn length(&mut self) -> usize {
        if self.one_in(8) { self.rng.usize(5..12) } else { self.rng.usize(1..4) }
    }

    fn some_of(&mut self, pool: &[&'static str], most: usize) -> Value {
        let count = self.rng.usize(1..=most);
        let count = if self.one_in(10) { count + pool.len() / 2 } else { count };
        self.rng.choose_multiple(pool, count.min(pool.len())).into_iter().copied().collect()
    }

    fn choose<'p, T>(&mut self, pool: &'p [T]) -> &'p T {
        self.rng.choice(pool).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.rng.usize(0..n) == 0
    }
}

fn distinct(texts: Vec<Value>, same: &dyn Fn(&str) -> String) -> Value {
    let mut seen = Vec::new();
    let mut kept = Vec::new();
    for text in texts {
        let key = same(text.as_str().unwrap());
        if !seen.contains(&key) {
            seen.push(key);
            kept.push(text);
        }
    }
    kept.into()
}

fn distinct_values(mut values: Vec<Value>) -> Value {
    let mut seen = Vec::new();
    values.retain(|value| {
        !seen.contains(value) && {
            seen.push(value.clone());
            true
        }
    });
    values.into()
}

/// A rule and a deny entry that another policy may get as well; their ids are taken nowhere else.
pub fn further(policy: &Value, rng: &mut Rng) -> (Value, Value) {
    let keys = |key: &str| policy.get(key).map_or(Vec::new(), |map| map.as_object().unwrap().keys().cloned().collect());
    let trust_domains = match policy["identity"].get("trustDomains") {
        Some(list) => {
            let known = ["cluster.local", "b.example"];
            known.into_iter().filter(|name| list.as_array().unwrap().iter().any(|listed| listed == name)).collect()
        }
        None => vec!["cluster.local"],
    };
    let mut generator =
        Generator { rng, trust_domains, destinations: keys("destinations"), workloads: keys("workloads"), next: 1000 };
    (generator.rule(), generator.deny())
}

/// A request, owned.
#[derive(Clone, Debug)]
pub struct Request {
    pub identity: Option<(Source, Vec<u8>)>,
    pub authority: Vec<u8>,
    pub method: Vec<u8>,
    pub path: Option<Vec<u8>>,
    pub upgrade: Option<Vec<Vec<u8>>>,
    pub overridden: bool,
    pub cluster: Option<Vec<u8>>,
    pub now: u64,
}

impl Request {
    pub fn arrival(&self) -> Arrival<'_> {
        Arrival {
            identity: self.identity.as_ref().map(|(source, id)| Presented { source: *source, id }),
            authority: &self.authority,
            method: &self.method,
            path: self.path.as_deref(),
            upgrade: match self.upgrade.as_deref() {
                None => Upgrade::Absent,
                Some([value]) => Upgrade::To(value),
                Some(_) => Upgrade::Several,
            },
            overridden: self.overridden,
            cluster: self.cluster.as_deref(),
        }
    }
}

impl std::fmt::Display for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        write!(f, "{} {}", text(&self.method), text(&self.authority))?;
        write!(f, " path {:?}", self.path.as_deref().map(text))?;
        write!(f, " as {:?}", self.identity.as_ref().map(|(source, id)| (source, text(id))))?;
        write!(
            f,
            " upgrade {:?}",
            self.upgrade.as_ref().map(|values| values.iter().map(|value| text(value)).collect::<Vec<_>>())
        )?;
        write!(f, " overridden {} cluster {:?} now {}", self.overridden, self.cluster.as_deref().map(text), self.now)
    }
}

/// A request near the names that policies are made of.
pub fn request(rng: &mut Rng) -> Request {
    let method = match rng.u8(0..20) {
        0..=8 => "GET",
        9..=12 => "POST",
        13..=14 => "CONNECT",
        _ => pick(rng, &["PUT", "M-SEARCH", "A_1", "get", "Post", "connect", "", "G T", "-GET", "DELETE"]),
    };
    let source = if rng.u8(0..5) == 0 { Source::PeerPrincipal } else { Source::PeerCertificate };
    let path = match rng.u8(0..20) {
        0 => None,
        1 => Some(pick(rng, &["", "*", "/", "?", "/v1?x=/../", "v1/a", "%2Fv1"]).to_owned()),
        _ if method == "CONNECT" && rng.bool() => None,
        _ => Some(path(rng)),
    };
    let upgrade = (rng.u8(0..6) == 0).then(|| {
        (0..if rng.u8(0..6) == 0 { 2 } else { 1 })
            .map(|_| pick(rng, &["websocket", "WebSocket", "h2c", ""]).as_bytes().to_vec())
            .collect()
    });
    let cluster = (rng.u8(0..3) == 0).then(|| {
        let port = pick(rng, &["443", "443", "80", "8443", "x"]);
        let host =
            pick(rng, &["a.test", "*.a.test", "B.a.test", "*.test", "10.1.2.3", "fd00::1", "", "x.test", "*.internal"]);
        let name = pick(rng, &["outbound|P||H", "inbound-vip|P|http|H", "PassthroughCluster", "outbound_.P_._.H"]);
        name.replace('P', port).replace('H', host).into_bytes()
    });
    let now = TIMES[rng.usize(0..TIMES.len())].1 * 1_000_000_000;
    Request {
        identity: (rng.u8(0..6) != 0).then(|| (source, identity(rng).into_bytes())),
        authority: authority(rng).into_bytes(),
        method: method.as_bytes().to_vec(),
        path: path.map(String::into_bytes),
        upgrade,
        overridden: rng.u8(0..8) == 0,
        cluster,
        now: match rng.u8(0..3) {
            0 => now - 1,
            1 => now,
            _ => now + 1,
        },
    }
}

fn pick<'p>(rng: &mut Rng, pool: &[&'p str]) -> &'p str {
    rng.choice(pool).unwrap()
}

fn authority(rng: &mut Rng) -> String {
    let host = match rng.u8(0..12) {
        0..=6 => pick(rng, &HOSTS).to_owned(),
        7 => pick(rng, &["test", "d.c.b.a.test", "notatest", "zz.internal", "internal", "LOCALHOST.", "q.h.test"])
            .to_owned(),
        8..=10 => pick(
            rng,
            &[
                "10.1.2.3",
                "10.1.2.4",
                "10.9.9.9",
                "8.8.8.8",
                "169.254.169.254",
                "0.0.0.1",
                "[::1]",
                "[::]",
                "[fd00::1]",
                "[2001:db8::1]",
                "[::ffff:10.1.2.3]",
                "[::10.1.2.3]",
                "[::ffff:0:10.1.2.3]",
                "[64:ff9b::10.1.2.3]",
                "[64:ff9b:1:2::10.1.2.3]",
                "[2002:a01:203::1]",
                "[2001:0:a01:203::]",
                "[2001::f5fe:fdfc]",
                "[2001:0:808:808::f5fe:fdfc]",
                "[2001:db8::5efe:10.1.2.3]",
                "[fe80::200:5efe:169.254.169.254]",
                "[2a00::200:5efe:8.8.8.8]",
                "[64:ff9c::10.1.2.3]",
                "[fec0::1]",
            ],
        )
        .to_owned(),
        _ => pick(
            rng,
            &["", ".", "a..test", "a.test/", "[::1", "0x7f.1", "127.1", "a.test,b.a.test", "u@a.test", "[fe80::1%1]"],
        )
        .to_owned(),
    };
    let port = pick(rng, &["", "", "", ":443", ":443", ":80", ":8443", ":0443", ":"]);
    format!("{host}{port}")
}

fn identity(rng: &mut Rng) -> String {
    if rng.u8(0..8) == 0 {
        return pick(
            rng,
            &["", "spiffe://", "spiffe://cluster.local/ns/a//x", "cluster.local/ns/a/sa/x", "spiffe://x/%61"],
        )
        .to_owned();
    }
    let trust_domain =
        pick(rng, &["cluster.local", "cluster.local", "cluster.local", "b.example", "b.example", "evil.example"]);
    let path = pick(
        rng,
        &["/vm/1", "/ns/a", "/ns/a/sa/x/y", "", "/ns/NS/sa/NAME", "/ns/NS/sa/NAME", "/ns/NS/sa/NAME", "/ns/NS/sa/NAME"],
    );
    let path = path.replace("NS", pick(rng, &["a", "b", "c", "d"])).replace("NAME", pick(rng, &["x", "y", "z"]));
    format!("spiffe://{trust_domain}{path}")
}

/// A pattern with its wildcards filled in, or segments at random; sometimes a broken one among them.
fn path(rng: &mut Rng) -> String {
    let mut path = if rng.bool() {
        let pool = if rng.u8(0..8) == 0 { ENCODED.as_slice() } else { &PATTERNS };
        let parts: Vec<String> = pick(rng, pool)
            .split('/')
            .skip(1)
            .map(|segment| match segment {
                "**" => (0..rng.usize(0..3)).map(|_| pick(rng, &SEGMENTS)).collect::<Vec<_>>().join("/"),
                _ => segment.replace(['{', '}', ','], "").replace('*', pick(rng, &["", "a", "b", "xx", "x;y"])),
            })
            .collect();
        format!("/{}", parts.join("/"))
    } else {
        let count = rng.usize(0..4);
        let mut path: String = (0..count).map(|_| format!("/{}", pick(rng, &SEGMENTS))).collect();
        if rng.u8(0..4) == 0 {
            path.push_str(&format!("/r{}", rng.u8(0..14)));
        }
        path
    };
    match rng.u8(0..12) {
        0 => path.push_str(&format!("/{}", pick(rng, &BROKEN))),
        1 => path.insert_str(0, &format!("/{}", pick(rng, &BROKEN))),
        2 | 3 => path.push('/'),
        4 => path.push_str("?q=/a;b"),
        5 => path.make_ascii_uppercase(),
        _ => {}
    }
    path
}
