//! Every finding of the language: what a bad policy is told, where, and what to write instead.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use tollgate::policy::{Finding, Policy, Severity};

/// Findings of a policy; none if it is valid.
fn findings(text: impl AsRef<[u8]>) -> Vec<Finding> {
    Policy::load(text.as_ref()).err().map_or_else(Vec::new, |rejection| rejection.findings)
}

/// A policy with these keys besides those that it must have.
fn policy(keys: &str) -> String {
    format!(r#"{{"version":1,"name":"p",{keys}}}"#)
}

/// A policy whose only rule has these keys.
fn rule(keys: &str) -> String {
    policy(&format!(r#""rules":[{{{keys}}}]"#))
}

/// A policy whose only rule has this element of `from`.
fn from(selector: &str) -> String {
    rule(&format!(r#""id":"a","from":[{selector}],"to":[{{"hosts":["a.com"]}}]"#))
}

/// A policy whose only rule has this element of `to`.
fn to(target: &str) -> String {
    rule(&format!(r#""id":"a","from":[{{"any":true}}],"to":[{target}]"#))
}

fn hosts(host: &str) -> String {
    to(&format!(r#"{{"hosts":["{host}"]}}"#))
}

fn cidrs(cidr: &str) -> String {
    to(&format!(r#"{{"cidrs":["{cidr}"]}}"#))
}

fn paths(path: &str) -> String {
    to(&format!(r#"{{"hosts":["a.com"],"paths":["{path}"]}}"#))
}

fn deny(keys: &str) -> String {
    policy(&format!(r#""deny":[{{"id":"a",{keys}}}]"#))
}

/// A raw DEFLATE stream of stored blocks.
fn deflated(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for block in text.chunks(0xFFFF) {
        let length = block.len() as u16;
        out.push(0);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    out.extend_from_slice(&[1, 0, 0, 0xFF, 0xFF]);
    out
}

fn packed(deflated: &[u8]) -> String {
    policy(&format!(r#""packed":"deflate;{}""#, BASE64_STANDARD.encode(deflated)))
}

/// A raw DEFLATE stream of so many zero bytes, at most three bits for 258 of them: one block with the fixed codes.
fn bomb(bytes: usize) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.push(0b1, 1);
    bits.push(0b01, 2);
    bits.literal_0();
    for _ in 0..bytes.div_euclid(258) {
        // length 258 is code 285, eight bits 11000101; distance 1 is code 0, five bits
        bits.code(0b1100_0101, 8);
        bits.code(0, 5);
    }
    bits.code(0, 7);
    bits.out
}

#[derive(Default)]
struct Bits {
    out: Vec<u8>,
    used: usize,
}

impl Bits {
    fn push(&mut self, value: u32, length: usize) {
        for bit in 0..length {
            if self.used.is_multiple_of(8) {
                self.out.push(0);
            }
            if let Some(last) = self.out.last_mut() {
                *last |= ((value >> bit & 1) as u8) << (self.used & 7);
            }
            self.used = self.used.saturating_add(1);
        }
    }

    /// Huffman codes stand with their first bit first.
    fn code(&mut self, code: u32, length: usize) {
        (0..length).rev().for_each(|bit| self.push(code >> bit, 1));
    }

    fn literal_0(&mut self) {
        self.code(0b0011_0000, 8);
    }
}

/// The text, and of its only finding: code, pointer, part of the message, part of the remedy. An empty remedy is none.
type Row = (String, &'static str, &'static str, &'static str, &'static str);

fn syntax() -> Vec<Row> {
    let row = |text: &str, message, pointer| (text.to_owned(), "TG001", pointer, message, "");
    vec![
        row("", "the policy is empty", ""),
        row(" \n", "the policy is empty", ""),
        row(r#"{"version":1"#, "the text ends too early", ""),
        row(r#"{"version":1,"name":"p","rules":[{"#, "the text ends too early", "rules[0]"),
        row("version: 1", "not JSON: ", ""),
        row("{}}", "not JSON: trailing characters", ""),
        row(r#"{"version":1,"name":"p",}"#, "not JSON: trailing comma", ""),
        row(r#"{"version":1,"name":"\ud800"}"#, "not JSON: ", "name"),
    ]
}

fn structure() -> Vec<Row> {
    vec![
        (
            policy(&format!(r#""rules":[{}{}]"#, "[".repeat(100_000), "]".repeat(100_000))),
            "TG005",
            "rules[0]",
            "expected a rule, found a list",
            "",
        ),
        (policy(r#""rulez":[]"#), "TG002", "rulez", "unknown key `rulez`", "did you mean `rules`?"),
        (policy(r#""zebra":[]"#), "TG002", "zebra", "unknown key `zebra`", "the keys here are `version`, `name`"),
        (
            rule(r#""id":"a","from":[{"any":true}],"to":[{"hosts":["a.com"]}],"form":1"#),
            "TG002",
            "rules[0].form",
            "unknown key `form`",
            "did you mean `from`?",
        ),
        (
            to(r#"{"host":["a.com"],"hosts":["a.com"]}"#),
            "TG002",
            "rules[0].to[0].host",
            "unknown key `host`",
            "did you mean `hosts`?",
        ),
        (
            from(r#"{"Namespace":"a","any":true}"#),
            "TG002",
            "rules[0].from[0].Namespace",
            "unknown key `Namespace`",
            "did you mean `namespace`?",
        ),
        (
            policy(r#""mode":"enforce","mode":"dry-run""#),
            "TG003",
            "mode",
            "the key `mode` is given twice",
            "remove one",
        ),
        (
            policy(r#""\u006dode":"enforce","mode":"enforce""#),
            "TG003",
            "mode",
            "the key `mode` is given twice",
            "remove one",
        ),
        (
            to(r#"{"hosts":["a.com"],"hosts":["b.com"]}"#),
            "TG003",
            "rules[0].to[0].hosts",
            "the key `hosts` is given twice",
            "remove one",
        ),
        (
            policy(r#""destinations":{"a":{"hosts":["a.com"]},"a":{"hosts":["b.com"]}}"#),
            "TG003",
            "destinations.a",
            "the key `a` is given twice",
            "remove one",
        ),
        (
            policy(r#""workloads":{"a":[{"any":true}],"a":[{"any":true}]}"#),
            "TG003",
            "workloads.a",
            "the key `a` is given twice",
            "remove one",
        ),
        (r#"{"name":"p"}"#.to_owned(), "TG004", "", "`version` is missing", ""),
        (r#"{"version":1}"#.to_owned(), "TG004", "", "`name` is missing", ""),
        (rule(r#""from":[{"any":true}],"to":[{"hosts":["a.com"]}]"#), "TG004", "rules[0]", "`id` is missing", ""),
        (rule(r#""id":"a","to":[{"hosts":["a.com"]}]"#), "TG004", "rules[0]", "`from` is missing", ""),
        (rule(r#""id":"a","from":[{"any":true}]"#), "TG004", "rules[0]", "`to` is missing", ""),
        (policy(r#""deny":[{}]"#), "TG004", "deny[0]", "`id` is missing", ""),
        (policy(r#""residency":[{"id":"a","regions":["eu"]}]"#), "TG004", "residency[0]", "`from` is missing", ""),
        (
            policy(r#""residency":[{"id":"a","from":[{"any":true}]}]"#),
            "TG004",
            "residency[0]",
            "`regions` is missing",
            "",
        ),
        (policy(r#""tripwire":{"values":["0123456789abcdef"]}"#), "TG004", "tripwire", "`header` is missing", ""),
        (policy(r#""tripwire":{"header":"x-guard"}"#), "TG004", "tripwire", "`values` is missing", ""),
        (to(r#"{"ports":[443]}"#), "TG004", "rules[0].to[0]", "the target says nowhere to", "name a `destination`"),
        (
            deny(r#""except":[{"ports":[443]}]"#),
            "TG004",
            "deny[0].except[0]",
            "the target says nowhere to",
            "name a `destination`",
        ),
        (
            policy(r#""destinations":{"a":{"ports":[443]}}"#),
            "TG004",
            "destinations.a",
            "neither `hosts` nor `cidrs` is given",
            "say where to",
        ),
        (policy(r#""rules":{}"#), "TG005", "rules", "expected a list, found a map", ""),
        (policy(r#""rules":null"#), "TG005", "rules", "expected a list, found null", "leave the key out"),
        (policy(r#""rules":[null]"#), "TG005", "rules[0]", "expected a rule, found null", "leave the key out"),
        (policy(r#""rules":[[]]"#), "TG005", "rules[0]", "expected a rule, found a list", ""),
        (policy(r#""mode":null"#), "TG005", "mode", "found null", "leave the key out"),
        (policy(r#""revision":1"#), "TG005", "revision", "expected a revision", ""),
        (policy(r#""workloads":[]"#), "TG005", "workloads", "expected a map from names to lists", ""),
        (policy(r#""destinations":[]"#), "TG005", "destinations", "expected a map from names to destinations", ""),
        (policy(r#""identity":{"sources":[]}"#), "TG005", "identity.sources", "the list is empty", "leave the key out"),
        (policy(r#""workloads":{"a":[]}"#), "TG005", "workloads.a", "the list is empty", "list something"),
        (
            rule(r#""id":"a","from":[],"to":[{"hosts":["a.com"]}]"#),
            "TG005",
            "rules[0].from",
            "the list is empty",
            "list something",
        ),
        (
            to(r#"{"hosts":["a.com"],"paths":[]}"#),
            "TG005",
            "rules[0].to[0].paths",
            "the list is empty",
            "list something",
        ),
        (deny(r#""except":[]"#), "TG005", "deny[0].except", "the list is empty", "list something"),
        (deny(r#""notFrom":[]"#), "TG005", "deny[0].notFrom", "the list is empty", "list something"),
        (to(r#"{"hosts":"a.com"}"#), "TG005", "rules[0].to[0].hosts", "expected a list, found a string", ""),
        (to(r#"{"hosts":[true]}"#), "TG005", "rules[0].to[0].hosts[0]", "expected a host, found a boolean", ""),
        (
            to(r#"{"hosts":["a.com"],"ports":["443"]}"#),
            "TG005",
            "rules[0].to[0].ports[0]",
            "expected a port, found a string",
            "",
        ),
        (to(r#"{"hosts":["a.com"],"ports":[-1]}"#), "TG005", "rules[0].to[0].ports[0]", "found a negative number", ""),
        (
            to(r#"{"hosts":["a.com"],"ports":[443.0]}"#),
            "TG005",
            "rules[0].to[0].ports[0]",
            "a fraction or an exponent",
            "",
        ),
        (
            to(r#"{"hosts":["a.com"],"ports":[4e2]}"#),
            "TG005",
            "rules[0].to[0].ports[0]",
            "a fraction or an exponent",
            "",
        ),
        (from(r#"{"any":"true"}"#), "TG005", "rules[0].from[0].any", "expected `true`, found a string", ""),
        (
            to(r#"{"hosts":["a.com"],"ports":["8100-8000"]}"#),
            "TG006",
            "rules[0].to[0].ports[0]",
            "`8100-8000` is no range of ports",
            "write `\"8000-8100\"`",
        ),
        (
            to(r#"{"hosts":["a.com"],"ports":["1-65536"]}"#),
            "TG006",
            "rules[0].to[0].ports[0]",
            "`1-65536` is no range of ports",
            "ports are 1 to 65535",
        ),
        (
            to(r#"{"hosts":["a.com"],"ports":[443,"any"]}"#),
            "TG006",
            "rules[0].to[0].ports[1]",
            "`any` stands in a list",
            "write `ports: any`",
        ),
        (to(r#"{"hosts":["a.com"],"ports":"443"}"#), "TG005", "rules[0].to[0].ports", "expected a list", ""),
        (
            to(r#"{"hosts":["a.com"],"ports":[]}"#),
            "TG005",
            "rules[0].to[0].ports",
            "the list is empty",
            "leave the key out",
        ),
        (
            policy(r#""authority":{"verifyRoute":1}"#),
            "TG005",
            "authority.verifyRoute",
            "expected `off`, `host` or `full`, found a number",
            "",
        ),
    ]
}

fn values() -> Vec<Row> {
    let row = |text, pointer, message, fix| (text, "TG006", pointer, message, fix);
    vec![
        row(r#"{"version":2,"name":"p"}"#.to_owned(), "version", "version 2 is not known", "write `version: 1`"),
        row(r#"{"version":1,"name":"P"}"#.to_owned(), "name", "`P` is no id", "1 to 63 of `a-z`"),
        row(format!(r#"{{"version":1,"name":"{}"}}"#, "a".repeat(64)), "name", "is no id", "1 to 63 of `a-z`"),
        row(deny(r#""mode":"enforced""#), "deny[0].mode", "`enforced` is not known here", "did you mean `enforce`?"),
        row(policy(r#""mode":"off""#), "mode", "`off` is not known here", "the words here are `enforce` and `dry-run`"),
        row(policy(r#""revision":"a b""#), "revision", "`a b` is no revision", "1 to 64 of"),
        row(
            policy(r#""identity":{"sources":["xfcc"]}"#),
            "identity.sources[0]",
            "`xfcc` is not known here",
            "the words here are `peer-certificate`",
        ),
        row(
            policy(r#""authority":{"defaultPort":0}"#),
            "authority.defaultPort",
            "`0` is no port",
            "ports are 1 to 65535",
        ),
        row(
            to(r#"{"hosts":["a.com"],"ports":[65536]}"#),
            "rules[0].to[0].ports[0]",
            "`65536` is no port",
            "1 to 65535",
        ),
        row(
            to(r#"{"hosts":["a.com"],"methods":["get"]}"#),
            "rules[0].to[0].methods[0]",
            "`get` is no method",
            "write `GET`",
        ),
        row(to(r#"{"hosts":["a.com"],"methods":["*"]}"#), "rules[0].to[0].methods[0]", "`*` is no method", ""),
        row(
            to(r#"{"hosts":["a.com"],"upgrades":["h2c"]}"#),
            "rules[0].to[0].upgrades[0]",
            "`h2c` is not known here",
            "`websocket`",
        ),
        row(
            to(r#"{"hosts":["a.com"],"encodedSlash":"date"}"#),
            "rules[0].to[0].encodedSlash",
            "`date` is not known here",
            "did you mean `data`?",
        ),
        row(
            to(r#"{"hosts":["a.com"],"tls":"terminate"}"#),
            "rules[0].to[0].tls",
            "`terminate` is not known here",
            "the words here are",
        ),
        row(to(r#"{"hosts":["a.com"],"region":""}"#), "rules[0].to[0].region", "the region is empty", ""),
        row(
            rule(r#""id":"a","from":[{"any":true}],"to":[{"hosts":["a.com"]}],"expiresAt":"2027-01-31""#),
            "rules[0].expiresAt",
            "`2027-01-31` is no date and time",
            "2027-01-31T00:00:00Z",
        ),
        row(from(r#"{"any":false}"#), "rules[0].from[0].any", "`false` selects nothing", "remove the selector"),
        row(
            from(r#"{"anonymous":false}"#),
            "rules[0].from[0].anonymous",
            "`false` selects nothing",
            "remove the selector",
        ),
        row(
            policy(r#""requestHeaders":{"remove":["a b"]}"#),
            "requestHeaders.remove[0]",
            "`a b` is no header name",
            "",
        ),
        row(policy(r#""requestHeaders":{"remove":["*"]}"#), "requestHeaders.remove[0]", "`*` is no header name", ""),
        row(
            policy(r#""requestHeaders":{"remove":[":path"]}"#),
            "requestHeaders.remove[0]",
            "`:path` is no header name",
            "",
        ),
        row(
            policy(r#""requestHeaders":{"remove":["Host"]}"#),
            "requestHeaders.remove[0]",
            "`host` is part of the request's framing",
            "can do without",
        ),
        row(
            policy(r#""requestHeaders":{"remove":["Content-*"]}"#),
            "requestHeaders.remove[0]",
            "`content-length` is part of the request's framing",
            "can do without",
        ),
        row(
            policy(r#""requestHeaders":{"keep":["x-request-id"]}"#),
            "requestHeaders.keep[0]",
            "not removed by default",
            "`keep` takes",
        ),
        row(
            policy(r#""tripwire":{"header":"x-*","values":["0123456789abcdef"]}"#),
            "tripwire.header",
            "a tripwire is one header",
            "write its whole name",
        ),
        row(
            policy(r#""tripwire":{"header":"x-guard","values":["0123456789abcde"]}"#),
            "tripwire.values[0]",
            "the value is no secret",
            "at least 16",
        ),
        row(
            policy(r#""tripwire":{"header":"x-guard","values":["0123456789abcdef "]}"#),
            "tripwire.values[0]",
            "the value is no secret",
            "at least 16",
        ),
        row(
            policy(r#""response":{"detail":"reasons"}"#),
            "response.detail",
            "`reasons` is not known here",
            "did you mean `reason`?",
        ),
        row(
            policy(r#""authority":{"verifyRoute":"hosts"}"#),
            "authority.verifyRoute",
            "`hosts` is not known here",
            "did you mean `host`?",
        ),
        row(
            policy(r#""requestHeaders":{"by":"route"}"#),
            "requestHeaders.by",
            "`route` is not known here",
            "did you mean `routes`?",
        ),
        row(policy(r#""audit":{"allowed":"some"}"#), "audit.allowed", "`some` is not known here", "`all` and `none`"),
        row(
            policy(r#""audit":{"path":"hash"}"#),
            "audit.path",
            "`hash` is not known here",
            "`full`, `pattern` and `none`",
        ),
        row(
            policy(r#""metrics":{"by":["path"]}"#),
            "metrics.by[0]",
            "`path` is not known here",
            "`rule`, `namespace` and `destination`",
        ),
        row(policy(r#""replicas":0"#), "replicas", "`0` is no number of pods", "at least 1"),
        row(
            policy(r#""destinations":{"":{"hosts":["a.com"]}}"#),
            r#"destinations[""]"#,
            "the name cannot be used",
            "1 to 253 bytes",
        ),
        row(
            policy(r#""workloads":{"a\nb":[{"any":true}]}"#),
            "workloads[\"a\nb\"]",
            "the name cannot be used",
            "without control characters",
        ),
    ]
}

fn combinations() -> Vec<Row> {
    let row = |text, pointer, message, fix| (text, "TG007", pointer, message, fix);
    let beside = |key: &str| {
        policy(&format!(
            r#""destinations":{{"d":{{"hosts":["a.com"]}}}},"rules":[{{"id":"a","from":[{{"any":true}}],"to":[{{"destination":"d",{key}}}]}}]"#
        ))
    };
    vec![
        row(
            deny(r#""to":[{"hosts":["a.com"],"paths":["/a/**"],"encodedSlash":"key"}]"#),
            "deny[0].to[0].encodedSlash",
            "`key` is for rules",
            "write `data`",
        ),
        row(from("{}"), "rules[0].from[0]", "a selector selects nothing", "give each one of `spiffe`"),
        row(
            policy(r#""authority":{"verifyRoute":false},"identity":{"sources":["peer-principal"]}"#),
            "authority.verifyRoute",
            "`off` stands beside the source `peer-principal`",
            "write `full`",
        ),
        row(
            from(r#"{"trustDomain":"cluster.local"}"#),
            "rules[0].from[0]",
            "a selector selects nothing",
            "give each one of",
        ),
        row(
            from(r#"{"namespace":"a","any":true}"#),
            "rules[0].from[0]",
            "a selector has several keys",
            "give each one of",
        ),
        row(
            from(r#"{"any":true,"trustDomain":"cluster.local"}"#),
            "rules[0].from[0].trustDomain",
            "`trustDomain` says nothing here",
            "goes with `serviceAccount`",
        ),
        row(
            from(r#"{"spiffe":"spiffe://cluster.local/a","trustDomain":"cluster.local"}"#),
            "rules[0].from[0].trustDomain",
            "`trustDomain` says nothing here",
            "goes with",
        ),
        row(
            policy(r#""workloads":{"a":[{"any":true}],"b":[{"workloads":"a"}]}"#),
            "workloads.b[0]",
            "a set cannot hold another set",
            "write the selectors of that set here",
        ),
        row(beside(r#""hosts":["a.com"]"#), "rules[0].to[0].hosts", "`hosts` stands beside `destination`", "keep one"),
        row(
            beside(r#""cidrs":["private"]"#),
            "rules[0].to[0].cidrs",
            "`cidrs` stands beside `destination`",
            "keep one",
        ),
        row(beside(r#""ports":[443]"#), "rules[0].to[0].ports", "`ports` stands beside `destination`", "keep one"),
        row(beside(r#""region":"eu""#), "rules[0].to[0].region", "`region` stands beside `destination`", "keep one"),
        row(beside(r#""tls":"both""#), "rules[0].to[0].tls", "`tls` stands beside `destination`", "keep one"),
        row(
            policy(r#""destinations":{"a":{"hosts":["a.com"],"region":"eu"},"b":{"hosts":["A.com."],"region":"us"}}"#),
            "destinations.b.region",
            "the host `a.com` is in region `us` here and in `eu` elsewhere",
            "a host has one region",
        ),
        row(
            policy(r#""mode":"enforce","packed":"deflate;q64FAA==""#),
            "mode",
            "`mode` stands beside `packed`",
            "pack it",
        ),
        row(
            packed(&deflated(br#"{"revision":"q"}"#)),
            "revision",
            "`revision` stands inside `packed`",
            "leave it outside",
        ),
    ]
}

fn names() -> Vec<Row> {
    vec![
        (
            to(r#"{"destination":"d"}"#),
            "TG008",
            "rules[0].to[0].destination",
            "`d` is not defined in `destinations`",
            "define it, or mend the name",
        ),
        (
            from(r#"{"workloads":"w"}"#),
            "TG008",
            "rules[0].from[0].workloads",
            "`w` is not defined in `workloads`",
            "define it",
        ),
        (
            deny(r#""notFrom":[{"workloads":"w"}]"#),
            "TG008",
            "deny[0].notFrom[0].workloads",
            "`w` is not defined in `workloads`",
            "define it",
        ),
        (
            deny(r#""except":[{"destination":"d"}]"#),
            "TG008",
            "deny[0].except[0].destination",
            "`d` is not defined in `destinations`",
            "define it",
        ),
        (
            policy(r#""dryRunFor":[{"workloads":"w"}]"#),
            "TG008",
            "dryRunFor[0].workloads",
            "`w` is not defined",
            "define it",
        ),
        (
            policy(r#""residency":[{"id":"a","from":[{"workloads":"w"}],"regions":["eu"]}]"#),
            "TG008",
            "residency[0].from[0].workloads",
            "`w` is not defined",
            "define it",
        ),
        (
            policy(r#""deny":[{"id":"a"}],"residency":[{"id":"a","from":[{"any":true}],"regions":["eu"]}]"#),
            "TG009",
            "residency[0].id",
            "the id `a` is taken",
            "ids are unique",
        ),
        (policy(r#""deny":[{"id":"a"},{"id":"a"}]"#), "TG009", "deny[1].id", "the id `a` is taken", "ids are unique"),
    ]
}

fn host_patterns() -> Vec<Row> {
    let row = |host: &str, message, fix| (hosts(host), "TG010", "rules[0].to[0].hosts[0]", message, fix);
    let long = ["a."; 127].concat();
    vec![
        row("", "a host is empty", ""),
        row(".", "a host is empty", ""),
        row("https://a.com/x", "`https://a.com/x` is a URL, not a host", "write `a.com`"),
        row("a.com/v1", "`a.com/v1` is not a host", "write `a.com`; paths stand in `paths`"),
        row("10.0.0.0/8", "`10.0.0.0/8` is not a host", "addresses stand in `cidrs`"),
        row("10.0.0.1", "`10.0.0.1` is an IP address", "addresses stand in `cidrs`"),
        row("[::1]", "`[::1]` is an IP address", "addresses stand in `cidrs`"),
        row("u@a.com", "`u@a.com` holds userinfo", "write the host alone"),
        row("a.com:443", "`a.com:443` holds a port", "write `a.com` and `ports: [443]`"),
        row("a.*.com", "`*` cannot stand where it does in `a.*.com`", "not in the last two"),
        row("a.b-*.com", "`*` cannot stand where it does in `a.b-*.com`", "not in the last two"),
        row("a-*.b-*.c.com", "`*` cannot stand where it does in `a-*.b-*.c.com`", "write `\"**.c.com\"`"),
        row("*.*.b.com", "`*` cannot stand where it does in `*.*.b.com`", "write `\"**.b.com\"`: one or more labels"),
        row("*.a-*.b.com", "`*` cannot stand where it does in `*.a-*.b.com`", "write `\"**.b.com\"`"),
        row("**.a-*.b.com", "`*` cannot stand where it does in `**.a-*.b.com`", "write `\"**.b.com\"`"),
        row("a.**.b.com", "`*` cannot stand where it does in `a.**.b.com`", "write `\"**.b.com\"`"),
        row("-*.a.com", "a label starts with `-`", ""),
        row("a.*-.b.com", "a label ends with `-`", ""),
        row("api-*.a.com:443", "`api-*.a.com:443` holds a port", "write `api-*.a.com` and `ports: [443]`"),
        row(&format!("{}*.a.com", "a".repeat(63)), "a label is longer than 63 bytes", ""),
        row("*a.com", "`*` cannot stand", "write `a.com` and `\"**.a.com\"`"),
        row("*", "`*` cannot stand", "`**` (every name)"),
        row("***.com", "`*` cannot stand", "write `\"**.com\"`"),
        row("bücher.de", "`bücher.de` is not ASCII", "write `xn--bcher-kva.de`"),
        row("Ⅷ.de", "is not ASCII", ""),
        row("a.com..", "a label is empty", ""),
        row("**.a..b", "a label is empty", ""),
        row("-a.com", "a label starts with `-`", ""),
        row("a-.com", "a label ends with `-`", ""),
        row(&format!("{}.com", "a".repeat(64)), "a label is longer than 63 bytes", ""),
        row(&format!("{long}a"), "it is longer than 253 bytes", ""),
        row("a b.com", "it holds the byte 0x20", ""),
        row("a+b.com", "it holds `+`", ""),
        row("a.0x1", "its last label is a number", ""),
        row("*.1", "its last label is a number", ""),
        row("1.2.3", "its last label is a number", ""),
    ]
}

fn networks() -> Vec<Row> {
    let row = |cidr: &str, message, fix| (cidrs(cidr), "TG011", "rules[0].to[0].cidrs[0]", message, fix);
    vec![
        row("example.com", "`example.com` is no CIDR", "names stand in `hosts`"),
        row("10.0.0", "`10.0.0` is no CIDR", "write an address or a network"),
        row("010.0.0.0/8", "is no CIDR", "write an address or a network"),
        row("fe80::1%eth0", "is no CIDR", "write an address or a network"),
        row("10.0.0.0/33", "`10.0.0.0/33` has no prefix length from 0 to 32", ""),
        row("10.0.0.0/08", "has no prefix length", ""),
        row("10.0.0.0/", "has no prefix length", ""),
        row("10.0.0.0/8/8", "has no prefix length", ""),
        row("fd00::/129", "has no prefix length from 0 to 128", ""),
        row("10.0.0.1/8", "`10.0.0.1/8` has host bits set", "the network is `10.0.0.0/8`"),
        row("fd00::1/8", "has host bits set", "the network is `fd00::/8`"),
        row("::ffff:10.0.0.1/104", "has host bits set", "the network is `10.0.0.0/8`"),
        row("::/8", "covers all IPv4-mapped addresses", "add the IPv4 CIDR `0.0.0.0/0`"),
        row("::/80", "covers all IPv4-mapped addresses", "add the IPv4 CIDR `0.0.0.0/0`"),
    ]
}

fn path_patterns() -> Vec<Row> {
    let row = |path: &str, message, fix| (paths(path), "TG012", "rules[0].to[0].paths[0]", message, fix);
    vec![
        (
            to(r#"{"hosts":["a.com"],"encodedSlash":"key","paths":["/b/**","/{a,b}/c"]}"#),
            "TG012",
            "rules[0].to[0].paths[1]",
            "`/{a,b}/c` begins with no segment of its own",
            "write it first",
        ),
        row("", "does not start with `/`", "a path pattern is a whole path"),
        row("v1/**", "`v1/**` does not start with `/`", "a path pattern is a whole path"),
        row("**", "does not start with `/`", "a path pattern is a whole path"),
        row("/a?b", "holds `?`", "queries are not judged"),
        row("/[ab]", "holds a bracket", "write `{a,b}`"),
        row(r"/a\\b", "holds a backslash", "no character is escaped"),
        row("/a#b", "holds `#`", "fragments never reach a server"),
        row("/a b", "holds a space", "write `%20`"),
        row("/é", "is not printable ASCII", "the escapes of their UTF-8 bytes"),
        row("/a//b", "has an empty segment", "write one `/`"),
        row("/a/../b", "has a dot segment", "write the path that it leads to"),
        row("/.", "has a dot segment", "write the path that it leads to"),
        row("/%41", "is no path that a request in canonical form can have", "escape only what needs it"),
        row("/%zz", "is no path that a request", "escape only what needs it"),
        row("/a%5Cb", "is no path that a request", "escape only what needs it"),
        row("/..;/a", "is no path that a request", "escape only what needs it"),
        row("/a%2Fb", "holds `%2F`, which no canonical path has", "add `encodedSlash: data`"),
        row("/a**", "has `**` beside other characters", "`**` is a whole segment"),
        row("/***", "has `**` beside other characters", "`**` is a whole segment"),
        row("/{a,**}", "has `**` beside other characters", "`**` is a whole segment"),
        row("/a}", "closes a brace that was not opened", "write `{a,b}`"),
        row("/{a", "opens a brace that is not closed", "write `{a,b}`"),
        row("/{a/b}", "opens a brace that is not closed", "no `/` inside"),
        row("/{a,{b}}", "has a brace inside braces", "one level"),
        row("/{a,}", "has an empty branch", "no empty branch"),
        row("/{}", "has an empty branch", "no empty branch"),
        row("/{a,..}", "has a branch that is a dot segment", "write `{a,b}`"),
    ]
}

fn identities() -> Vec<Row> {
    let row = |selector: &str, pointer, message, fix| (from(selector), "TG013", pointer, message, fix);
    let with_domains = |domains: &str, selector: &str| {
        policy(&format!(r#""identity":{{"trustDomains":{domains}}},"dryRunFor":[{selector}]"#))
    };
    let not_listed = "the trust domain `td` is not in `identity.trustDomains`";
    vec![
        row(
            r#"{"spiffe":"cluster.local/a"}"#,
            "rules[0].from[0].spiffe",
            "is no SPIFFE ID",
            "write `spiffe://TRUST-DOMAIN/path`",
        ),
        row(
            r#"{"spiffe":"spiffe://cluster.local/ns/a/sa/*"}"#,
            "rules[0].from[0].spiffe",
            "is no SPIFFE ID",
            "identities have no wildcards",
        ),
        row(r#"{"namespace":"a/b"}"#, "rules[0].from[0].namespace", "`a/b` is no namespace", ""),
        row(
            r#"{"namespace":"*"}"#,
            "rules[0].from[0].namespace",
            "`*` is no namespace",
            "identities have no wildcards",
        ),
        row(
            r#"{"serviceAccount":"checkout"}"#,
            "rules[0].from[0].serviceAccount",
            "`checkout` is no service account",
            "write `NAMESPACE/NAME`",
        ),
        row(
            r#"{"serviceAccount":"a/b/c"}"#,
            "rules[0].from[0].serviceAccount",
            "is no service account",
            "write `NAMESPACE/NAME`",
        ),
        row(
            r#"{"serviceAccount":"a/*"}"#,
            "rules[0].from[0].serviceAccount",
            "is no service account",
            "identities have no wildcards",
        ),
        row(
            r#"{"namespace":"a","trustDomain":"TD"}"#,
            "rules[0].from[0].trustDomain",
            "`TD` is no trust domain",
            "as in `cluster.local`",
        ),
        row(
            r#"{"namespace":"a","trustDomain":"td"}"#,
            "rules[0].from[0].trustDomain",
            not_listed,
            "it lists `cluster.local`",
        ),
        row(r#"{"spiffe":"spiffe://td/a"}"#, "rules[0].from[0].spiffe", not_listed, "it lists `cluster.local`"),
        (
            with_domains(r#"["a","b"]"#, r#"{"namespace":"a","trustDomain":"td"}"#),
            "TG013",
            "dryRunFor[0].trustDomain",
            not_listed,
            "it lists `a`, `b`",
        ),
        (
            with_domains(r#"["1","2","3","4","5","6","7","8","9"]"#, r#"{"spiffe":"spiffe://td/a"}"#),
            "TG013",
            "dryRunFor[0].spiffe",
            not_listed,
            "`8` and others",
        ),
        (
            policy(r#""identity":{"trustDomains":["Cluster.Local"]}"#),
            "TG013",
            "identity.trustDomains[0]",
            "`Cluster.Local` is no trust domain",
            "as in `cluster.local`",
        ),
    ]
}

/// Patterns that are no cheap form, from this number on.
fn globs(first: usize, count: usize) -> String {
    let mut list = String::new();
    for number in first..first.saturating_add(count) {
        let comma = if list.is_empty() { "" } else { "," };
        let _ = write!(list, r#"{comma}"/a{number}*""#);
    }
    list
}

/// A policy with so many targets of so many patterns each.
fn globs_by_target(targets: usize, patterns: usize, more: &str) -> String {
    let target = |first, count| format!(r#"{{"hosts":["a.com"],"paths":[{}]}}"#, globs(first, count));
    let mut all: Vec<String> = (0..targets).map(|number| target(number.saturating_mul(1000), patterns)).collect();
    all.extend((!more.is_empty()).then(|| more.to_owned()));
    to(&all.join(","))
}

fn limits() -> Vec<Row> {
    let long = |length: usize| format!("/{}*", "a".repeat(length.saturating_sub(2)));
    let too_long = long(257);
    let one_more = format!(r#"{{"hosts":["a.com"],"paths":[{}]}}"#, globs(999, 1));
    let sets: Vec<String> = (0..1100).map(|number| format!(r#""s{number}":[{{"any":true}}]"#)).collect();
    let refers: Vec<String> = (0..1100).map(|number| format!(r#"{{"workloads":"s{number}"}}"#)).collect();
    let targets = vec!["{}"; 954];
    let too_many: Vec<String> = (0..10_001).map(|number| format!("a{number}-*.b.test")).collect();
    vec![
        (
            globs_by_target(1, 65, ""),
            "TG014",
            "rules[0].to[0].paths",
            "65 patterns are no cheap form; a target may have 64",
            "are not counted",
        ),
        (
            globs_by_target(8, 64, &one_more),
            "TG014",
            "rules[0].to[8].paths",
            "more than 512 patterns of the policy are no cheap form",
            "are not counted",
        ),
        (
            hosts(&too_many.join(r#"",""#)),
            "TG014",
            "rules[0].to[0].hosts",
            "more than 10000 names of the policy have a `*` inside",
            "are not counted",
        ),
        (paths(&too_long), "TG014", "rules[0].to[0].paths[0]", "is longer than 256 bytes", "may be longer"),
        (
            policy(&format!(
                r#""workloads":{{{}}},"deny":[{{"id":"a","from":[{}],"to":[{}]}}]"#,
                sets.join(","),
                refers.join(","),
                targets.join(",")
            )),
            "TG014",
            "deny[0].to[953]",
            "the sets of this entry times its targets are too many",
            "into one set",
        ),
    ]
}

fn unpacking() -> Vec<Row> {
    let row = |text, message| (text, "TG016", "packed", message, "pack the policy again");
    vec![
        row(policy(r#""packed":"gzip;q64FAA==""#), "`packed` does not begin with `deflate;`"),
        row(policy(r#""packed":"deflate;*""#), "`packed` is no base64"),
        row(policy(r#""packed":"deflate;q64FAA""#), "`packed` is no base64"),
        row(policy(r#""packed":"deflate;""#), "`packed` is no DEFLATE stream"),
        row(packed(b"\xff\xff\xff"), "`packed` is no DEFLATE stream"),
        row(packed(deflated(b"{}").split_last().map_or(&[][..], |(_, cut)| cut)), "`packed` is no DEFLATE stream"),
        row(packed(&bomb(65 << 20)), "`packed` unfolds to more than 64 MiB"),
    ]
}

#[test]
fn each_mistake_is_told_once_with_its_code_place_and_remedy() {
    let tables = [
        syntax(),
        structure(),
        values(),
        combinations(),
        names(),
        host_patterns(),
        networks(),
        path_patterns(),
        identities(),
        limits(),
        unpacking(),
    ];
    let mut differences = String::new();
    let mut codes = BTreeSet::new();
    for (text, code, pointer, message, fix) in tables.into_iter().flatten() {
        let found = findings(&text);
        let as_expected = matches!(found.as_slice(), [one] if one.code == code
            && one.severity == Severity::Error
            && one.pointer == pointer
            && one.message.contains(message)
            && one.fix.is_some() != fix.is_empty()
            && one.fix.as_deref().unwrap_or_default().contains(fix)
            && one.offset.is_some() == (code == "TG001"));
        if !as_expected {
            let shown: String = text.chars().take(200).collect();
            let _ =
                writeln!(differences, "{shown}\n  expected {code} {pointer}: {message}; {fix}\n  found {found:.300?}");
        }
        codes.insert(code);
    }
    assert!(differences.is_empty(), "\n{differences}");
    // TG015 is what this version does not enforce yet.
    let all: Vec<String> = (1..=16).filter(|code| *code != 15).map(|code| format!("TG{code:03}")).collect();
    assert!(codes.iter().copied().eq(all), "{codes:?}");
}

#[test]
fn what_is_within_the_limits_is_no_mistake() {
    for text in [
        globs_by_target(8, 64, ""),
        paths(&format!("/{}*", "a".repeat(254))),
        paths(&format!("/{}/**", "a".repeat(1000))),
        deny(&format!(r#""to":[{{"paths":["/*/{}%2A"]}}]"#, "a".repeat(300))),
        packed(&deflated(br#"{"rules":[],"mode":"dry-run"}"#)),
        cidrs("::/0"),
        cidrs("::ffff:10.0.0.0/104"),
        policy(
            r#""metrics":{"by":[]},"dryRunFor":[],"rules":[],"deny":[],"residency":[],"workloads":{},"destinations":{}"#,
        ),
    ] {
        assert_eq!(findings(&text), [], "{:.200}", text);
    }
}

#[test]
fn all_mistakes_of_a_text_are_told_in_one_run_in_its_order() {
    let text = policy(
        r#""mode":"on",
        "deny":[{"id":"-","to":[{"hosts":["a.com:1"],"cidrs":["10.0.0.1/8"]}]},{"id":"b","extra":1}],
        "rules":[{"id":"b","from":[{"any":false},{"namespace":"*"}],"to":[{"hosts":["*"],"paths":["x","/y?"]},7]}],
        "audit":{"path":"no"}"#,
    );
    let pointers: Vec<String> = findings(text).into_iter().map(|finding| finding.pointer).collect();
    assert_eq!(
        pointers,
        [
            "mode",
            "deny[0].id",
            "deny[0].to[0].hosts[0]",
            "deny[0].to[0].cidrs[0]",
            "deny[1].extra",
            "rules[0].from[0].any",
            "rules[0].from[1].namespace",
            "rules[0].to[0].hosts[0]",
            "rules[0].to[0].paths[0]",
            "rules[0].to[0].paths[1]",
            "rules[0].to[1]",
            "rules[0].id",
            "audit.path",
        ]
    );
}

#[test]
fn a_text_that_is_no_map_is_told_first() {
    for (text, found) in [("[]", "a list"), ("null", "null"), ("1", "a number"), (r#""a""#, "a string")] {
        let message = format!("expected a map with the keys of a policy, found {found}");
        assert_eq!(findings(text).first().map(|first| (first.code, &*first.message)), Some(("TG005", &*message)));
    }
}

#[test]
fn a_key_that_stands_inside_packed_and_outside_is_given_twice() {
    for key in ["version", "name", "packed"] {
        let found = findings(packed(&deflated(format!(r#"{{"{key}":1}}"#).as_bytes())));
        let told: Vec<_> = found.iter().map(|finding| (finding.code, &*finding.pointer)).collect();
        assert_eq!(told, [("TG003", key)]);
    }
}

#[test]
fn what_is_wrong_before_the_end_of_a_broken_text_is_told_too() {
    let found = findings(r#"{"version":1,"name":"P","rules":["#);
    let told: Vec<_> = found.iter().map(|finding| (finding.code, &*finding.pointer, finding.offset)).collect();
    assert_eq!(told, [("TG006", "name", None), ("TG001", "rules", Some(33))]);
}

#[test]
fn a_text_that_is_not_utf8_is_told_where() {
    let found = findings(b"{\"version\":1,\"name\":\"\xff\"}");
    let [finding] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((finding.code, finding.offset), ("TG001", Some(21)));
    assert_eq!(finding.message, "the text is not UTF-8");
    let unpacked = findings(packed(&deflated(b"\xff")));
    let [finding] = unpacked.as_slice() else { panic!("{unpacked:?}") };
    assert_eq!((finding.message.as_str(), finding.offset), ("once unpacked, the text is not UTF-8", None));
}

#[test]
fn a_broken_text_of_any_length_is_a_finding() {
    let whole = policy(r#""rules":[{"id":"a","from":[{"any":true}],"to":[{"hosts":["a.com"],"ports":[443]}]}]"#);
    assert_eq!(findings(&whole), []);
    for end in 0..whole.len() {
        let cut = whole.as_bytes().get(..end).unwrap_or_default();
        assert!(findings(cut).iter().any(|finding| finding.code == "TG001"), "cut at {end}");
    }
}

#[test]
fn millions_of_mistakes_do_not_take_millions_of_findings() {
    let text = policy(&format!(r#""rules":[0{}]"#, ",0".repeat(1_000_000)));
    let found = findings(text);
    assert_eq!(found.len(), 1001);
    let last = found.last().map(|last| (last.code, &*last.message));
    assert_eq!(last, Some(("TG014", "999001 more findings are not shown")));
}

#[test]
fn a_mistake_as_long_as_the_policy_is_told_in_short() {
    let long = "é".repeat(500_000);
    for text in [hosts(&long), policy(&format!(r#""mode":"{long}""#)), from(&format!(r#"{{"workloads":"{long}"}}"#))] {
        let found = findings(text);
        let [finding] = found.as_slice() else { panic!("{} findings", found.len()) };
        assert!(finding.message.len() < 1100 && finding.pointer.len() < 100, "{}", finding.message.len());
        assert!(finding.fix.as_ref().is_none_or(|fix| fix.len() < 1100));
    }
    let found = findings(policy(&format!(r#""destinations":{{"{long}":{{"hosts":["-","-"]}}}}"#)));
    assert_eq!(found.len(), 1, "the name alone, not what stands under it");
}

#[test]
fn residency_takes_no_more_room_than_its_text() {
    let regions: Vec<String> = (0..20_000).map(|number| format!(r#""r{number}""#)).collect();
    let namespaces: Vec<String> = (0..5_000).map(|number| format!(r#"{{"namespace":"n{number}"}}"#)).collect();
    let entry =
        |id: &str| format!(r#"{{"id":"{id}","from":[{}],"regions":[{}]}}"#, namespaces.join(","), regions.join(","));
    let small: Vec<String> = (0..5_000)
        .map(|number| format!(r#"{{"id":"s{number}","from":[{{"namespace":"n{number}"}}],"regions":["r19999"]}}"#))
        .collect();
    let text = policy(&format!(r#""residency":[{},{},{}]"#, entry("a"), entry("b"), small.join(",")));
    let policy = Policy::load(text.as_bytes()).unwrap_or_else(|rejection| panic!("{rejection}"));
    assert!(policy.bytes() < text.len().saturating_mul(4), "{} bytes for {}", policy.bytes(), text.len());
}

#[test]
fn what_a_destination_cannot_have_yet_is_said_to_be_so() {
    for key in ["ca", "clientCertificate"] {
        for place in ["destinations", "rules"] {
            let place_of = |keys: &str| match place {
                "destinations" => policy(&format!(r#""destinations":{{"d":{keys}}}"#)),
                _ => to(keys),
            };
            let found = findings(place_of(&format!(r#"{{"hosts":["a.example"],"{key}":"x"}}"#)));
            let [finding] = found.as_slice() else { panic!("{} findings", found.len()) };
            assert_eq!((finding.code, finding.message.as_str()), ("TG002", format!("unknown key `{key}`").as_str()));
            assert!(finding.fix.as_ref().is_some_and(|fix| fix.starts_with("not yet: ")), "{:?}", finding.fix);
        }
    }
}
