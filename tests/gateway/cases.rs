//! The case files, decided by the real module over mTLS in every pinned Envoy.
use std::collections::BTreeMap;

use crate::support;
use crate::support::rig::{PRINCIPAL_HEADER, Rig, Seen, verbatim};
use serde_json::Value;
use tollgate_local::gateway::{CLUSTER_HEADER, GatewayConfig};
use tollgate_tests::cases::{Expected, File, Request, files};

/// Demands of a case file on the Envoys that play it.
trait Playable {
    /// Tells whether the outcome of one request depends on when others came: only a clock that is set can show it then.
    fn needs_its_clock(&self) -> bool;
}

impl Playable for File {
    fn needs_its_clock(&self) -> bool {
        self.policy.get("quotas").is_some() && self.tests.iter().any(|case| case.request.now.is_some())
    }
}

/// A request as HTTP/1.1 carries it.
trait Wire {
    /// Reason why HTTP/1.1 to a real Envoy, whose clock is today's, cannot carry the request.
    fn not_for_the_wire(&self) -> Option<&'static str>;

    /// Its identity, one character a byte.
    fn presents(&self) -> Option<String>;

    /// Its bytes.
    fn bytes(&self) -> Vec<u8>;
}

impl Wire for Request {
    fn not_for_the_wire(&self) -> Option<&'static str> {
        let identity = self.identity().unwrap_or_default();
        let head = [self.authority(), self.path().unwrap_or_default(), self.method().as_bytes().to_vec()].concat();
        if self.is_connection() {
            Some("it is a connection, for the filter of those")
        } else if self.now.is_some() {
            Some("it is another day there")
        } else if self.cluster.as_deref() == Some("") {
            Some("every request has a route there")
        } else if !identity.is_ascii() {
            Some("no certificate holds this identity")
        } else if self.method() != "CONNECT" && self.path().is_none() {
            Some("only CONNECT comes without a path")
        } else if self.headers.get("upgrade").is_some_and(|to| to == "h2c") {
            Some("Envoy itself takes this upgrade away")
        } else if head.iter().any(|byte| matches!(byte, b'\r' | b'\n' | b' ' | 0)) {
            Some("it would be another request")
        } else {
            None
        }
    }

    fn presents(&self) -> Option<String> {
        let id = self.identity().filter(|id| !id.is_empty())?;
        Some(id.into_iter().map(char::from).collect())
    }

    fn bytes(&self) -> Vec<u8> {
        let target = if self.method() == "CONNECT" { self.authority() } else { self.path().unwrap_or_default() };
        let mut bytes = [self.method().as_bytes(), b" ", &target, b" HTTP/1.1\r\nhost: ", &self.authority()].concat();
        let mut header = |name: &str, value: &str| {
            bytes.extend_from_slice(format!("\r\n{name}: {value}").as_bytes());
        };
        for (name, value) in &self.headers {
            header(name, value);
        }
        if self.headers.contains_key("upgrade") {
            header("connection", "upgrade");
        }
        if let Some(cluster) = &self.cluster {
            header(CLUSTER_HEADER, cluster);
        }
        if let Some(principal) = self.presents().filter(|_| self.by_principal()) {
            header(PRINCIPAL_HEADER, &principal);
        }
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes
    }
}

fn difference(expected: &Expected, seen: &Seen) -> Option<String> {
    if !seen.was_judged() && expected.decision == "deny" && seen.status() >= 400 && !seen.got_through() {
        // Envoy refused by itself what the filter would have refused.
        return None;
    }
    let record = seen.line.as_ref().and_then(|line| line.record.as_ref());
    let also = record.and_then(|record| record.also.as_deref()).unwrap_or_default();
    let let_through = expected.decision != "deny";
    let as_expected = seen.recorded("d") == expected.decision
        && (seen.recorded("r") == expected.reason)
        && expected.rule.as_ref().is_none_or(|rule| seen.recorded("rule") == rule)
        && expected.also.as_ref().is_none_or(|expected| {
            expected.len() == also.len()
                && expected
                    .iter()
                    .zip(also)
                    .all(|(expected, found)| expected.is(found.reason.as_str(), found.rule.as_deref()))
        })
        && expected.used.as_ref().is_none_or(|expected| *expected == used(seen))
        && seen.got_through() == let_through
        && matches!(seen.status(), 403 | 429) != let_through;
    let record = seen.line.as_ref().map(|line| line.line.to_string());
    (!as_expected).then(|| format!("status {}, received {:?}, record {record:?}", seen.status(), seen.received))
}

/// Use of each quota, by id, as the record says it.
fn used(seen: &Seen) -> BTreeMap<String, u64> {
    let record = seen.line.as_ref().and_then(|line| line.record.as_ref());
    let quotas = record.and_then(|record| record.quotas.as_deref()).unwrap_or_default();
    quotas.iter().map(|quota| (quota.id.to_string(), quota.used)).collect()
}

/// Removes `audit.allowed` from a policy: with `none`, a record would hold nothing to compare.
fn with_full_records(policy: &Value) -> Value {
    let mut policy = policy.clone();
    if let Some(audit) = policy.get_mut("audit").and_then(Value::as_object_mut) {
        audit.remove("allowed");
    }
    policy
}

#[test]
fn cases_are_decided_alike_in_envoy() {
    let files = files();
    let mut clusters: Vec<_> = files
        .iter()
        .flat_map(|file| &file.tests)
        .filter_map(|case| case.request.cluster.clone())
        .filter(|name| !name.is_empty())
        .collect();
    clusters.sort();
    clusters.dedup();
    for envoy in support::envoys() {
        let config = GatewayConfig { clusters: clusters.clone(), ..verbatim() };
        let mut rig = Rig::start(&envoy, &support::filter(), r#"{"version":1,"name":"none"}"#, config);
        let mut differences = Vec::new();
        let (mut played, mut skipped) = (0, BTreeMap::<&str, u32>::new());
        for file in &files {
            if file.needs_its_clock() {
                *skipped.entry("a quota's time is another one there").or_default() += 1;
                continue;
            }
            rig.serve(&with_full_records(&file.policy));
            for case in &file.tests {
                if let Some(why) = case.request.not_for_the_wire() {
                    *skipped.entry(why).or_default() += 1;
                    continue;
                }
                let identity = case.request.presents().filter(|_| !case.request.by_principal());
                if let Some(identity) = &identity {
                    rig.caller(identity);
                }
                for _ in 1..case.repeat {
                    rig.send(identity.as_deref(), &case.request.bytes());
                }
                let seen = rig.send(identity.as_deref(), &case.request.bytes());
                played += 1;
                differences.extend(difference(&case.expect, &seen).map(|text| {
                    let (file, expected) = (&file.name, &case.expect);
                    format!("{file}: {}: expected {} {}: {text}", case.name, expected.decision, expected.reason)
                }));
            }
        }
        println!("{}: {played} cases over the wire, not for the wire: {skipped:?}", envoy.display());
        assert!(differences.is_empty(), "{}:\n{}", envoy.display(), differences.join("\n"));
        assert!(files.is_empty() || played > 0);
    }
}
