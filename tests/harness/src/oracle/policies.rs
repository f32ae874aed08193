//! Random small policies: few names, so that everything overlaps; now and then long lists and many paths, which an
//! index keeps in other ways than short ones.

use super::words::{
    ACCOUNTS, ENCODED, HOSTS, KEYS, METHODS, NAMESPACES, OWN, PATTERNS, PORTS, REGIONS, TIMES, all, one_in, pick,
};
use fastrand::Rng;
use serde_json::{Map, Value, json};

const WILDCARDS: &str = "*.a.test **.a.test *.test **.test ** *.b.a.test **.b.a.test **.internal *.H.test. **.localhost
    c.*.a.test b*.a.test b*1.a.test *1.a.test  c.b-*.a.test. c*.b.a.test x*.a.test C.x*.a.test xn--*.a.test";
const CIDRS: &str = "
    10.0.0.0/8 10.1.0.0/16 10.1.2.3 10.1.2.0/24 private 0.0.0.0/0 ::/0 fd00::/8 ::1 2001:db8::/32 ::ffff:10.0.0.0/104
    169.254.169.254 64:ff9b::/96 2002::/16 8.8.8.8/32 0.0.0.0/8";
/// Shapes of which a target gets many.
const SHAPES: &str = "/r# /r#/** /r#/* /v1/r#/b /*/r#";

/// A policy that loads.
pub fn policy(rng: &mut Rng) -> Value {
    let mut policy = json!({"version": 1, "name": "generated"});
    if one_in(rng, 10) {
        policy["mode"] = pick(rng, "dry-run enforce").into();
    }
    if one_in(rng, 2) {
        policy["identity"]["trustDomains"] =
            all(pick_line(rng, &["cluster.local", "cluster.local b.example", "b.example"])).into();
    }
    if one_in(rng, 2) {
        let sources = ["peer-principal", "peer-certificate peer-principal", "peer-certificate"];
        policy["identity"]["sources"] = all(pick_line(rng, &sources)).into();
    }
    if one_in(rng, 4) {
        let words = [json!(true), json!("full"), json!("host"), json!("host"), json!("off"), json!(false)];
        let all = if policy["identity"]["sources"].to_string().contains("principal") { 4 } else { words.len() };
        policy["authority"] = json!({"defaultPort": port(rng), "verifyRoute": words[rng.usize(0..all)]});
    }
    if one_in(rng, 3) {
        policy["tcp"] = json!({"self": some(rng, OWN, 2)});
        if one_in(rng, 2) {
            policy["tcp"]["port"] = port(rng).into();
        }
        if one_in(rng, 3) {
            policy["tcp"]["http"] = rng.bool().into();
        }
    }
    let mut generator = Generator::new(&policy, rng, 0);
    let sets = generator.rng.usize(0..3);
    let workloads: Map<_, _> = (0..sets).map(|n| (format!("w{n}"), generator.selectors())).collect();
    let destinations = generator.rng.usize(0..4);
    let destinations: Map<_, _> = (0..destinations).map(|n| (format!("d{n}"), generator.destination())).collect();
    policy["workloads"] = workloads.into();
    policy["destinations"] = destinations.into();

    let mut generator = Generator::new(&policy, rng, 0);
    if one_in(generator.rng, 5) {
        policy["dryRunFor"] = generator.selectors();
    }
    let many = if one_in(generator.rng, 12) { 4 } else { 1 };
    let lists = [
        ("deny", (0..generator.rng.usize(0..4 * many)).map(|_| generator.deny()).collect()),
        ("rules", (0..generator.rng.usize(1..7 * many)).map(|_| generator.rule()).collect()),
        ("residency", (0..generator.rng.usize(0..2 * many)).map(|_| generator.residency()).collect::<Vec<_>>()),
    ];
    for (key, list) in lists {
        policy[key] = list.into();
    }
    // Nothing below the top level may be empty, and at the top nothing need be.
    policy.as_object_mut().unwrap().retain(|_, value| *value != json!([]) && *value != json!({}));
    policy
}

/// A rule and a deny entry that the policy may get as well.
pub fn further(policy: &Value, rng: &mut Rng) -> (Value, Value) {
    let mut generator = Generator::new(policy, rng, 1000);
    (generator.rule(), generator.deny())
}

struct Generator<'p, 'r> {
    rng: &'r mut Rng,
    trust_domains: Vec<&'p str>,
    workloads: Vec<String>,
    destinations: Vec<String>,
    /// Ids end in numbers above this one.
    last_id: usize,
}

impl<'p, 'r> Generator<'p, 'r> {
    /// A generator of parts for this policy.
    fn new(policy: &Value, rng: &'r mut Rng, last_id: usize) -> Generator<'p, 'r> {
        let names = |key: &str| policy[key].as_object().map_or(Vec::new(), |map| map.keys().cloned().collect());
        let listed = policy["identity"]["trustDomains"].as_array();
        let is_listed = |name: &&str| listed.is_none_or(|listed| listed.iter().any(|listed| listed == name));
        let known = if listed.is_some() { "cluster.local b.example" } else { "cluster.local" };
        Generator {
            rng,
            trust_domains: known.split_whitespace().filter(is_listed).collect(),
            workloads: names("workloads"),
            destinations: names("destinations"),
            last_id,
        }
    }

    fn rule(&mut self) -> Value {
        let mut rule = json!({"id": self.id("rule"), "from": self.selectors(), "to": self.targets("rules")});
        if one_in(self.rng, 6) {
            rule["expiresAt"] = self.rng.choice(TIMES).unwrap().0.into();
        }
        rule
    }

    fn deny(&mut self) -> Value {
        let mut entry = json!({"id": self.id("deny")});
        if !one_in(self.rng, 4) {
            entry["from"] = self.selectors();
        }
        if !one_in(self.rng, 16) {
            entry["to"] = self.targets("deny");
        }
        if one_in(self.rng, 4) {
            entry["notFrom"] = self.selectors();
        }
        if one_in(self.rng, 3) {
            entry["except"] = self.targets("except");
        }
        if one_in(self.rng, 4) {
            entry["mode"] = pick(self.rng, "dry-run dry-run enforce").into();
        }
        entry
    }

    fn residency(&mut self) -> Value {
        json!({"id": self.id("residency"), "from": self.selectors(), "regions": some(self.rng, REGIONS, 2)})
    }

    fn id(&mut self, list: &str) -> String {
        self.last_id += 1;
        format!("{list}-{}", self.last_id)
    }

    fn selectors(&mut self) -> Value {
        (0..length(self.rng)).map(|_| self.selector()).collect()
    }

    fn selector(&mut self) -> Value {
        let rng = &mut *self.rng;
        let trust_domain = *rng.choice(&self.trust_domains).unwrap();
        let mut selector = match rng.u8(0..12) {
            0 => return json!({"any": true}),
            1 => return json!({"anonymous": true}),
            2 | 3 if !self.workloads.is_empty() => return json!({"workloads": rng.choice(&self.workloads)}),
            4 => {
                let path = pick(rng, "/ns/a/sa/x /ns/b/sa/y /vm/1 /ns/a /ns/a/sa/x/y");
                return json!({"spiffe": format!("spiffe://{trust_domain}{path}")});
            }
            5..=8 => json!({"namespace": pick(rng, NAMESPACES)}),
            _ => json!({"serviceAccount": format!("{}/{}", pick(rng, NAMESPACES), pick(rng, ACCOUNTS))}),
        };
        if one_in(rng, 4) {
            selector["trustDomain"] = trust_domain.into();
        }
        selector
    }

    fn destination(&mut self) -> Value {
        let mut destination = place(self.rng);
        if one_in(self.rng, 2) {
            destination["ports"] = ports(self.rng);
        }
        if one_in(self.rng, 5) {
            destination["serverFirst"] = self.rng.bool().into();
        }
        label(self.rng, &mut destination);
        destination
    }

    fn targets(&mut self, list: &str) -> Value {
        let count = if one_in(self.rng, 12) { self.rng.usize(5..12) } else { self.rng.usize(1..4) };
        (0..count).map(|_| self.target(list)).collect()
    }

    fn target(&mut self, list: &str) -> Value {
        let rng = &mut *self.rng;
        let mut target = json!({});
        if !self.destinations.is_empty() && one_in(rng, 3) {
            target["destination"] = rng.choice(&self.destinations).unwrap().as_str().into();
        } else {
            if list != "deny" || !one_in(rng, 4) {
                target = place(rng);
            }
            if one_in(rng, 3) {
                target["ports"] = ports(rng);
            }
            if list == "rules" {
                label(rng, &mut target);
            }
        }
        if one_in(rng, 3) {
            target["methods"] = some(rng, METHODS, 3);
        }
        if one_in(rng, 2) {
            paths(rng, &mut target, list == "rules");
        }
        if one_in(rng, 8) {
            target["upgrades"] = json!(["websocket"]);
        }
        if list == "rules" {
            hello(rng, &mut target);
        }
        if target == json!({}) {
            target["methods"] = json!(["POST"]);
        }
        target
    }
}

/// Hosts or CIDRs, or both.
fn place(rng: &mut Rng) -> Value {
    let mut target = json!({});
    let which = rng.u8(0..8);
    if which < 2 {
        target["cidrs"] = some(rng, CIDRS, 4);
    }
    if which > 0 {
        let count = length(rng);
        let host = |_| if rng.bool() { pick(rng, HOSTS) } else { pick(rng, WILDCARDS) };
        target["hosts"] = (0..count).map(host).collect();
    }
    target
}

/// Words about connections.
fn hello(rng: &mut Rng, target: &mut Value) {
    if one_in(rng, 6) {
        target["clientHello"] = pick(rng, "optional optional required").into();
    }
    if one_in(rng, 8) {
        target["ech"] = "allow".into();
    }
    if one_in(rng, 6) {
        target["overTls"] = "host-only".into();
    }
}

/// A region, the same for each exact host wherever it stands.
fn label(rng: &mut Rng, target: &mut Value) {
    if !one_in(rng, 3) {
        return;
    }
    let region = pick(rng, REGIONS);
    target["region"] = region.into();
    if let Some(hosts) = target["hosts"].as_array_mut() {
        let region_of = |host: &str| all(REGIONS)[host.trim_end_matches('.').len() % 3];
        hosts.retain(|host| host.as_str().is_some_and(|host| host.contains('*') || region_of(host) == region));
        if hosts.is_empty() {
            hosts.push("**.test".into());
        }
    }
    target.as_object_mut().unwrap().retain(|_, value| !value.is_null());
}

fn ports(rng: &mut Rng) -> Value {
    if one_in(rng, 12) {
        return "any".into();
    }
    let range = |rng: &mut Rng| pick(rng, "80-443 444-8443 1-79 1-65535 8443-8443").into();
    (0..rng.usize(1..3)).map(|_| if one_in(rng, 5) { range(rng) } else { Value::from(port(rng)) }).collect()
}

fn port(rng: &mut Rng) -> u16 {
    pick(rng, PORTS).parse().unwrap()
}

fn paths(rng: &mut Rng, target: &mut Value, takes_keys: bool) {
    if takes_keys && one_in(rng, 6) {
        target["encodedSlash"] = "key".into();
        let count = if one_in(rng, 3) { rng.usize(9..14) } else { rng.usize(1..4) };
        target["paths"] = (0..count).map(|_| pick(rng, KEYS)).collect();
        return;
    }
    let mut paths: Vec<Value> = Vec::new();
    if one_in(rng, 8) {
        target["encodedSlash"] = "data".into();
        paths.push(pick(rng, ENCODED).into());
    }
    if one_in(rng, 8) {
        let shape = pick(rng, SHAPES);
        paths.extend((0..12).map(|n| shape.replace('#', &n.to_string()).into()));
    }
    paths.extend((0..length(rng)).map(|_| Value::from(pick(rng, PATTERNS))));
    target["paths"] = paths.into();
}

/// Lengths of lists: mostly short.
fn length(rng: &mut Rng) -> usize {
    if one_in(rng, 8) { rng.usize(5..12) } else { rng.usize(1..4) }
}

/// Some of the words, each once; now and then most of them.
fn some(rng: &mut Rng, words: &str, most: usize) -> Value {
    let words = all(words);
    let count = if one_in(rng, 10) { words.len() - 1 } else { rng.usize(1..=most) };
    rng.choose_multiple(words, count).into()
}

fn pick_line<'l>(rng: &mut Rng, lines: &[&'l str]) -> &'l str {
    rng.choice(lines).unwrap()
}
